"""The text of a page of HTML with its formulas between dollars, each on its line of the file."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from byhand.reading.mathml import Element, latex_of

_HIDDEN = ("script", "style", "pre", "code", "head")
_VOID = {"mspace", "none", "mprescripts"}


def text_of(text: str) -> str:
    """The text: mathematics of MathJax and KaTeX as it stands, MathML as LaTeX, rows of tables that are equations as displays."""
    parser = _Text()
    parser.feed(text)
    parser.close()
    return "".join(parser.made)


class _Text(HTMLParser):
    """Gathers the text line by line as in the file.

    Attributes:
        made: the text so far.
        hidden: how many elements around hide what they hold.
        ghosts: the tags around that a reader of the page does not see.
        math: the elements of the formula that is open, the outermost first.
        row: the pieces of a row of a table: (whether it is a formula, text).
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.made: list[str] = []
        self.line, self.hidden, self.script = 1, 0, False
        self.ghosts: list[str] = []
        self.math: list[Element] = []
        self.row: list[tuple[bool, str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if self.ghosts or said.get("aria-hidden") == "true" or "display:none" in said.get("style", "").replace(" ", ""):
            if tag not in ("br", "img", "hr", "input", "link", "meta"):
                self.ghosts.append(tag)
            return
        if self.math or tag == "math":
            element = Element(tag, said)
            if self.math:
                self.math[-1].content.append(element)
            if tag not in _VOID:
                self.math.append(element)
        elif tag in _HIDDEN:
            self.hidden += 1
            if tag == "script" and said.get("type", "").startswith("math/tex"):
                self.hidden -= 1
                self.script = True
                self.add("$$" if "display" in said["type"] else "$")
        elif tag == "tr":
            self.row = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.math:
            self.math[-1].content.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if self.ghosts:
            if tag in self.ghosts:
                while self.ghosts.pop() != tag:
                    pass
            return
        if self.math:
            if tag in [e.tag for e in self.math]:
                while (closed := self.math.pop()).tag != tag:
                    pass
                if not self.math:
                    self.formula(closed)
        elif tag == "script" and self.script:
            self.script = False
            self.add("$$")
        elif tag in _HIDDEN and self.hidden:
            self.hidden -= 1
        elif tag == "tr" and self.row is not None:
            row, self.row = self.row, None
            self.tabled(row)
        elif tag in ("p", "div", "li", "h1", "h2", "h3", "h4", "h5", "h6") and self.row is None and not self.hidden:
            self.made.append("\u2029")  # a paragraph ends

    def handle_data(self, data: str) -> None:
        if self.ghosts:
            return
        if self.math:
            self.math[-1].content.append(data)
        elif self.row is not None:
            self.row.append((False, data))
        elif not self.hidden:
            self.add(data)

    def formula(self, math: Element) -> None:
        """One formula: of KaTeX its annotation, else its presentation."""
        tex = next(
            (e for e in _walk(math) if e.tag == "annotation" and "tex" in e.attributes.get("encoding", "")), None
        )
        inner = " ".join((tex.text if tex is not None else latex_of(math)).replace("$", "").split())
        if self.row is not None:
            self.row.append((True, inner))
        elif math.attributes.get("display") == "block":
            self.add(f"$${inner}$$")
        else:
            self.add(f"${inner}$" if tex is None else f"$${inner}$$")

    def tabled(self, row: list[tuple[bool, str]]) -> None:
        """A row of a table: an equation if formulas and the relation between them fill its first cells."""
        parts = [(formula, " ".join(text.split())) for formula, text in row if text.strip()]
        end = 0
        while end < len(parts) and (parts[end][0] or re.fullmatch(r"[=≔≈≡<>≤≥∈:]+", parts[end][1])):
            end += 1
        shown = " ".join(text for _, text in parts[:end])
        if end > 1 and any(not formula for formula, _ in parts[:end]):
            self.add(f"$${shown}$$ ")
            rest = parts[end:]
            self.add(" " + " ".join(f"${text}$" if formula else text for formula, text in rest) if rest else "")
        else:
            self.add(" ".join(f"${text}$" if formula else text for formula, text in parts))
        self.made.append("\u2029")

    def add(self, data: str) -> None:
        line, _ = self.getpos()
        if line > self.line:
            self.made.append("\n" * (line - self.line))
            self.line = line
        self.made.append(data if data.strip() or "\n" in data else " ")
        self.line += data.count("\n")


def _walk(node: Element) -> list[Element]:
    found, todo = [], [node]
    while todo:
        e = todo.pop()
        found.append(e)
        todo += reversed(e.children)
    return found
