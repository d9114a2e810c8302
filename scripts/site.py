"""Pages of the site that are made when it is built: from README and its like, the rules, the mistakes, the commands, the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TAKEN = {  # files beside docs/ that are pages too
    "README.md": "index.md", "benchmarks/README.md": "benchmarks.md", "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
}  # fmt: skip
NO_PAGES = ("examples/",)  # links to these become their names


def pages() -> dict[str, str]:
    """Path within the site -> Markdown of each page that is made."""
    found = {page: rebased((ROOT / file).read_text("utf-8"), file) for file, page in TAKEN.items()}
    found["reference/rules.md"] = rules()
    found["reference/mistakes.md"] = mistakes()
    found["reference/commands.md"] = commands()
    found["reference/python.md"] = python()
    found["reference/errors.md"] = errors()
    return found


def rebased(text: str, file: str) -> str:
    """Links of a file as links of the page that it becomes; what is no page is named only."""
    folder = (ROOT / file).parent

    def link(m: re.Match[str]) -> str:
        words, target, anchor = m[1], m[2], m[3] or ""
        if re.match(r"[a-z]+:", target) or not target:
            return m[0]
        path = (folder / target).resolve().relative_to(ROOT).as_posix()
        if path.startswith("docs/"):
            return f"[{words}]({path.removeprefix('docs/')}{anchor})"
        if path in TAKEN:
            return f"[{words}]({TAKEN[path]}{anchor})"
        return f"`{path}`" if words.strip("`") in (path, Path(path).name) else f"{words} (`{path}`)"

    return re.sub(r"(?<!!)\[([^\]\n]+)\]\(([^)#\s]*)(#[^)\s]*)?\)", link, images(text))


def images(text: str) -> str:
    """Pictures of docs/ by their place within it."""
    return re.sub(r"(!\[[^\]]*\]\()docs/", r"\1", text)


def rules() -> str:
    """Every rule by group, its equation as MathML, where it holds, and its source."""
    from byhand.notation.mathml import to_mathml
    from byhand.notation.rulebook import rule_dict, rule_lines
    from byhand.rules.catalogue import GROUPS, catalogue

    lines = [
        "# Rules",
        "",
        "One table is applied, recorded as steps, typeset here and proved by numbers in the tests.",
        "",
    ]
    lines += ["`byhand rules NAME` proves one.", ""]
    entries = catalogue()
    for group in GROUPS:
        of_group = [e for e in entries if e.group == group]
        if not of_group:
            continue
        lines += [f"## {group[0].upper()}{group[1:]}", ""]
        for e in of_group:
            about = rule_dict(e)
            lines += [f"### {cell(e.name)}", ""]
            for line in rule_lines(e):
                left = to_mathml(line.left) if line.left is not None else ""
                forms = " <span>=</span> ".join(filter(None, [left, *(to_mathml(p.math) for p in line.parts)]))
                lines += [f'<p class="formula">{forms}</p>', ""]
            words = (("meaning", "Meaning"), ("domain", "Holds where"), ("source", "Source"))
            notes = [f"{word}: {cell(about[key])}" for key, word in words if about.get(key)]
            lines += [". ".join(notes) + ".", ""] if notes else []
    return "\n".join(lines)


def mistakes() -> str:
    """The catalogue of mistakes."""
    from byhand.check.mistakes import MISTAKES

    lines = ["# Mistakes", "", "What `byhand.check_gradient` names: see [Is my gradient right?](../check.md)", ""]
    lines += ["| number | mistake | what helps |", "|---:|---|---|"]
    rows = MISTAKES.values() if isinstance(MISTAKES, dict) else MISTAKES
    lines += [f"| {m.number} | {cell(m.name)} | {cell(m.advice)} |" for m in rows]
    return "\n".join(lines) + "\n"


def commands() -> str:
    """The help of each command."""
    import click

    from byhand.cli.main import cli

    lines = ["# Commands", ""]
    root = click.Context(cli, info_name="byhand")
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        if command is None or command.hidden:
            continue
        context = click.Context(command, info_name=name, parent=root, terminal_width=100)
        lines += [f"## byhand {name}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(lines)


def python() -> str:
    """The public names, from their docstrings."""
    import byhand

    lines = ["# Python", "", "All that `import byhand` has.", ""]
    lines += [f"::: {home}.{name}\n" for name, home in sorted(public(byhand._HOME))]
    lines += [f"::: byhand.{module}\n" for module in byhand.__all__ if module not in byhand._HOME]
    return "\n".join(lines)


def public(homes: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Names and their modules, errors left out."""
    return ((name, home) for name, home in homes.items() if home != "byhand.errors")


def errors() -> str:
    """What is raised."""
    lines = ["# Errors", "", "Each says what is wrong, where, and what helps; all are a `ByhandError`.", ""]
    names = ("ByhandError", "CheckError", "DataError", "MissingRuleError", "ParseError", "ShapeError")
    lines += [f"::: byhand.errors.{name}\n" for name in names]
    return "\n".join(lines)


def cell(text: object) -> str:
    """Text as a cell of a table."""
    return re.sub(r"([|<>*_`\[\]{}\\])", r"\\\1", str(text)).replace("\n", " ")


# ---- what MkDocs calls


def on_files(files: Any, config: Any) -> Any:
    """The pages that are made, among those of docs/."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links of pages of docs/ to files beside it."""
    del config, files
    return markdown if page.file.src_uri in pages_made() else rebased(markdown, f"docs/{page.file.src_uri}")


def pages_made() -> set[str]:
    """The pages that are no files of docs/."""
    return {*TAKEN.values(), *(f"reference/{n}.md" for n in ("rules", "mistakes", "commands", "python", "errors"))}
