"""Every Python block of README and docs runs, in the order of its page, and what it shows is what comes out."""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of Python, and the block behind it that shows what it prints, if there is one."""

    source: str
    shown: str | None


def blocks_of(text: str) -> list[Block]:
    found: list[Block] = []
    fences = [(m[1], m[2]) for m in FENCE.finditer(text)]
    k = 0
    while k < len(fences):
        language, source = fences[k]
        k += 1
        if language != "python":
            continue
        prints = source.rstrip().splitlines()[-1].startswith("print(")
        follows = k < len(fences) and (fences[k][0] == "" or fences[k][1].startswith('"""'))
        found.append(Block(source, fences[k][1] if prints and follows else None))
        k += prints and follows
    return found


def files_for(folder: Path) -> None:
    """What a reader has beside the page: a table of houses."""
    pq = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: pip install pyarrow")
    import pyarrow as pa

    rng = np.random.default_rng(0)
    size = rng.uniform(50, 150, 200)
    pq.write_table(
        pa.table({"size": size, "age": rng.uniform(0, 60, 200), "price": 3 * size}), folder / "large.parquet"
    )


def normal(printed: str) -> str:
    """Without what differs from machine to machine: measured errors, and which libraries are installed."""
    printed = re.sub(r"\d(\.\d+)?e[-−+]\d+", "1e-15", printed)
    printed = re.sub(r"\((complex step|complex).*?\)", "(…)", printed)
    return "\n".join(line.rstrip() for line in printed.strip().splitlines())


def run(source: str, names: dict[str, object]) -> str:
    """The block's output; a line with a literal behind it, `x.ok  # False`, has that value."""
    out = io.StringIO()
    lines = source.splitlines()
    name = f"page of {len(linecache.cache)}"  # what is read from a program takes names from its source
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    with contextlib.redirect_stdout(out):
        for statement in ast.parse(source).body:
            code = compile(ast.Module([statement], []), name, "exec")
            if not isinstance(statement, ast.Expr):
                exec(code, names)
                continue
            value = eval(compile(ast.Expression(statement.value), name, "eval"), names)
            _, _, comment = lines[(statement.end_lineno or 1) - 1].partition("  # ")
            try:
                promised = ast.literal_eval(comment)
            except (SyntaxError, ValueError):
                continue
            assert value == promised, f"{ast.unparse(statement)} is {value!r}, the page says {comment}"
    return out.getvalue()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", [p for p in PAGES if blocks_of(p.read_text("utf-8"))], ids=lambda p: p.stem)
def test_blocks_run_in_order_and_print_what_they_show(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text("utf-8")
    if "large.parquet" in text:
        files_for(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks_of(text):
        if "import torch" in block.source:
            pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
        printed = run(block.source, names)
        if block.shown is not None:
            assert normal(printed) == normal(block.shown)


def test_pages_have_blocks_that_show_output() -> None:
    shown = [b for p in PAGES for b in blocks_of(p.read_text("utf-8")) if b.shown is not None]
    assert len(shown) >= 4
