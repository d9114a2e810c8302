"""A report for other tools: SARIF, annotations of GitHub, and the page itself with marks in its margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from byhand.audit.report import KINDS, Line

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
NOT_READ = "not-read"


def sarif(lines: Sequence[Line], file: str) -> dict[str, Any]:
    """A log of SARIF 2.1.0: a result for each formula that is wrong, or not read.

    Args:
        lines: of the report.
        file: the page, as a relative path or a URI.
    """
    try:
        known = version("byhand")
    except PackageNotFoundError:
        known = "0"
    rules: list[dict[str, Any]] = [
        {"id": kind, "shortDescription": {"text": words}, "defaultConfiguration": {"level": "error"}}
        for kind, words in KINDS.items()
    ]
    rules.append(
        {
            "id": NOT_READ,
            "shortDescription": {"text": "the formula was not read: nothing is said about it"},
            "defaultConfiguration": {"level": "note"},
        }
    )
    driver = {"name": "byhand audit", "version": known, "rules": rules}
    index = {rule["id"]: k for k, rule in enumerate(rules)}
    results = [_result(line, file, index) for line in lines if line.status in ("wrong", "not read")]
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _result(line: Line, file: str, index: Mapping[str, int]) -> dict[str, Any]:
    wrong = line.status == "wrong"
    rule = (line.kinds[0] if line.kinds else "N") if wrong else NOT_READ
    region = {"startLine": line.number, "startColumn": line.column or 1, "snippet": {"text": line.source}}
    place = {"physicalLocation": {"artifactLocation": {"uri": file}, "region": region}}
    words = line.message or "not true"
    mend = f"\nmend: {line.mend}" if line.mend else ""
    made: dict[str, Any] = {
        "ruleId": rule,
        "ruleIndex": index[rule],
        "level": "error" if wrong else "note",
        "message": {"text": f"{words}{mend}"},
        "locations": [place],
    }
    if line.cell is not None:
        made["properties"] = {"cell": line.cell}
    elif line.mend and "\n" not in line.source:
        region = {
            "startLine": line.number,
            "startColumn": line.column or 1,
            "endLine": line.number,
            "endColumn": (line.column or 1) + len(line.source),
        }
        change = {
            "artifactLocation": {"uri": file},
            "replacements": [{"deletedRegion": region, "insertedContent": {"text": line.mend}}],
        }
        made["fixes"] = [{"description": {"text": "the formula after one edit"}, "artifactChanges": [change]}]
    return made


def github(lines: Sequence[Line], file: str) -> str:
    """Workflow commands of GitHub: an error for what is wrong, a notice for what was not read."""
    made = []
    for line in lines:
        if line.status not in ("wrong", "not read"):
            continue
        level = "error" if line.status == "wrong" else "notice"
        title = f"byhand audit: {', '.join(line.kinds) or line.status}"
        words = f"{line.source}\n{line.message}" + (f"\nmend: {line.mend}" if line.mend else "")
        place = f"file={_property(file)},line={line.number},col={line.column or 1},title={_property(title)}"
        made.append(f"::{level} {place}::{_escaped(words)}")
    return "\n".join(made)


def _escaped(words: str) -> str:
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(words: str) -> str:
    return _escaped(words).replace(":", "%3A").replace(",", "%2C")


_MARKS = {"right": "✓", "wrong": "✗", "given": "·", "not read": "?"}
_STYLE = """body{font:15px/1.5 Georgia,serif;margin:2rem auto;max-width:70rem;color:#222;background:#fff}
h1{font-size:1.3rem}table{border-collapse:collapse;width:100%}td{vertical-align:top;padding:.05rem .5rem}
td.n{color:#888;text-align:right;user-select:none}td.m{white-space:nowrap;font-weight:bold}
pre{margin:0;white-space:pre-wrap;font:13px/1.45 ui-monospace,Consolas,monospace}
tr.wrong{background:#fdecec}tr.wrong td.m{color:#b00020}tr.right td.m{color:#1a7f37}tr.given td.m{color:#777}
tr.unread td.m{color:#9a6700}
p.why{margin:.1rem 0 .3rem;font-size:.92em}code.mend{background:#e9f5ec;padding:0 .2rem}"""


def marked_page(text: str, lines: Sequence[Line], title: str, summary: str) -> str:
    """The page as HTML, line by line, with the marks of its formulas in the margin; nothing is loaded from elsewhere."""
    beside: dict[int, list[Line]] = {}
    for line in lines:
        beside.setdefault(line.number, []).append(line)
    cells = any(line.cell is not None for line in lines)
    rows = []
    for number, row in enumerate([] if cells else text.split("\n"), 1):
        rows.append(_row(number, row, beside.get(number, [])))
    if cells:  # of a notebook, the formulas by cell
        rows = [_row(line.number, line.source, [line], f"cell {line.cell}, ") for line in lines]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1><p>{escape(summary)}</p><table>{''.join(rows)}</table></body></html>"
    )


def _row(number: int, text: str, lines: Sequence[Line], where: str = "") -> str:
    order = ("wrong", "not read", "right", "given")
    worst = min((line.status for line in lines), key=order.index, default="")
    kind = {"not read": "unread"}.get(worst, worst)
    marks = " ".join(_MARKS[line.status] for line in lines)
    why = []
    for line in lines:
        if line.status in ("wrong", "not read") or line.reading or line.rule:
            words = line.message if line.status in ("wrong", "not read") else line.rule or line.reading
            kinds = f"<b>{escape(', '.join(line.kinds))}</b> " if line.status == "wrong" else ""
            mend = f'<br>mend: <code class="mend">{escape(line.mend)}</code>' if line.mend else ""
            why.append(f'<p class="why">{kinds}{escape(words)}{mend}</p>')
    return (
        f'<tr class="{kind}"><td class="n">{where}{number}</td><td class="m">{marks}</td>'
        f"<td><pre>{escape(text) or ' '}</pre>{''.join(why)}</td></tr>"
    )
