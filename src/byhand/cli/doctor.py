"""`byhand doctor`: what is installed, what the terminal can show, and whether the engine works here."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from typing import Any

import click

PACKAGES = {
    "numpy": ("numpy", "needed"),
    "scipy": ("scipy", "needed"),
    "opt_einsum": ("opt_einsum", "needed"),
    "jax": ("jax", "an independent check"),
    "torch": ("torch", "an independent check"),
    "sklearn": ("scikit-learn", "the demo's data, estimators"),
    "matplotlib": ("matplotlib", "loss curves"),
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print plain data.")
def doctor(as_json: bool) -> None:
    """Say what is installed and whether the engine works here.

    Exit code 1 if the self-check fails.
    """
    from byhand.cli.output import write

    found = diagnosis()
    if as_json:
        write(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show(found)
    if not found["ok"]:
        raise click.exceptions.Exit(1)


def diagnosis() -> dict[str, Any]:
    """Everything that doctor prints."""
    from importlib import metadata

    from byhand.code.c.compiler import compiler_command

    versions: dict[str, str | None] = {}
    for name, (package, _) in PACKAGES.items():
        try:
            versions[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[name] = None
    compiler = compiler_command()
    ok, summary = self_check()
    missing = [name for name, (_, purpose) in PACKAGES.items() if purpose == "needed" and versions[name] is None]
    return {
        "byhand": metadata.version("byhand"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
        "c_compiler": shlex.join(compiler) if compiler else None,
        "terminal": {
            "stdout_encoding": sys.stdout.encoding,
            "is_terminal": sys.stdout.isatty(),
            "no_color": bool(os.environ.get("NO_COLOR")),
        },
        "self_check": {"ok": ok, "summary": summary},
        "ok": ok and not missing,
    }


def self_check() -> tuple[bool, str]:
    """Derive and check a small gradient; whatever goes wrong is reported, not raised."""
    try:
        import byhand
        from byhand.check.check import check

        shapes = {"X": "m n", "W": "n k", "b": "k", "t": "m"}
        f = byhand.parse("mean(cross_entropy(X @ W + b, t))", shapes, {"t": "labels"})
        report = check(byhand.derive(f, "W,b"), oracles="quick")
    except Exception as error:
        return False, f"{type(error).__name__}: {error}"
    return report.ok, report.summary


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from byhand.cli.output import console, writes_unicode
    from byhand.code.c.compiler import INSTALL

    terminal, check = found["terminal"], found["self_check"]
    unicode = "shows mathematics" if writes_unicode() else "no mathematics: --ascii, or PYTHONIOENCODING=utf-8"
    rows = [
        ("byhand", found["byhand"], ""),
        ("python", found["python"], found["platform"]),
        *((name, found["packages"][name] or "not installed", purpose) for name, (_, purpose) in PACKAGES.items()),
        ("C compiler", found["c_compiler"] or f"none found: {INSTALL}", "compiled C code"),
        ("encoding", str(terminal["stdout_encoding"]), unicode),
    ]
    table = Table(box=None, show_header=False, padding=(0, 3, 0, 0))
    for name, value, use in rows:
        table.add_row(name, value, Text(use, "shape"))
    out = console(sys.stdout)
    out.print(table)
    out.print("self-check", Text(check["summary"], "good" if check["ok"] else "bad"))
