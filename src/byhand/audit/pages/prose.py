"""What the words between formulas say: shapes, functions that act entry by entry, what is one-hot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction as Rational

from byhand.audit.pages.facts import Declared, Facts, declare_shape, shape_of, shape_written
from byhand.audit.pages.rows import Row
from byhand.errors import ByhandError
from byhand.expr.functions import FUNCTIONS
from byhand.reading.grammar import read
from byhand.reading.keys import key_of
from byhand.reading.tree import (
    Bracket,
    Name,
    Node,
    Number,
    Relation,
    Tuple,
)

_MARKED = re.compile(r"⟦(\d+)⟧")
_AFTER = re.compile(
    r"⟦(\d+)⟧(?:\s*(?:,|and|und)\s*⟦(\d+)⟧)*\s*(?:\([^()⟦]*\)\s*)?(?:\w+\s+){0,4}?(?:has|have|with|of|is|are|,)?\s*(?:the\s+|a\s+|of\s+)*(?:shape|size|dimensions?|dimension)s?\s*(?:of\s+|is\s+|:\s*)?⟦(\d+)⟧",
    re.I,
)
_BEFORE = re.compile(r"⟦(\d+)⟧\s*(?:matrix|matrices|array|tensor)\s*⟦(\d+)⟧", re.I)
_DIMENSIONAL = re.compile(r"⟦(\d+)⟧\s*-?\s*dimensional\s+(?:\w+\s+){0,2}?(?:vector|column|row)s?\s*⟦(\d+)⟧", re.I)
_LINE = re.compile(r"(?m)^\s*(?P<names>\w+(?:\s*,\s*\w+)*)\s*:\s*\((?P<shape>[^()⟦⟧]*)\)[ \t]*(?P<words>[\w ,]*)$")
_ELEMENTWISE = re.compile(
    r"(?:elementwise|element-wise|entry\s+by\s+entry|entrywise|to\s+each\s+(?:entry|element)|coordinate-?wise|componentwise)",
    re.I,
)
_ONE_HOT = re.compile(r"one-?\s?hot", re.I)
_DISTRIBUTION = re.compile(r"(?:is|as|be)\s+a\s+(?:probability\s+)?distribution|sums?\s+to\s+(?:one|1)", re.I)
_SYMMETRIC = re.compile(r"symmetric", re.I)
_COLUMNS = re.compile(
    r"samples\s+are\s+columns|columns?\s+(?:is|are)\s+(?:the\s+)?(?:samples|activations)|one\s+sample\s+per\s+column|column\s+by\s+column",
    re.I,
)


_DIMS = r"\((?P<shape>[^()⟦⟧]*(?:\([^()⟦⟧]*\)[^()⟦⟧]*)?)\)"
_LISTED = re.compile(
    rf"(?:⟦(?P<mark>\d+)⟧|(?<!\S)(?P<name>[^\W\d]\w*['′]*))\s*(?:{_DIMS}|(?P<scalar>scalar)\b)"
    r"(?P<words>(?:[ ,]+(?:row|column|labels|symmetric|positive|one-hot|spd|diagonal|orthogonal|scalar)\b(?:\s+0\.\.[\w−-]+)?)*)"
)
_SAID = re.compile(
    r"(?:⟦(?P<mark>\d+)⟧|(?<!\w)(?P<name>[^\W\d]\w*['′]*))\s+is\s+(?:a\s+)?"
    r"(?P<word>symmetric positive definite|positive definite|symmetric|positive|diagonal|orthogonal)\b"
)
_SUMS = re.compile(r"rows\s+of\s+(?:⟦(?P<mark>\d+)⟧|(?P<name>[^\W\d]\w*['′]*))\s+(?:all\s+)?sum\s+to\s+(?:one|1)")
_CALLED = re.compile(
    r"⟦(\d+)⟧\s+(?:is|denotes|stands\s+for|be)\s+(?:the\s+)?(?:elementwise\s+)?(sigmoid|logistic|tanh|relu|softplus|rectifier)\b",
    re.I,
)
_HEADING = re.compile(
    r"(?m)^[#*\s]*(?:\\\w+\s*)*(?:\\textbf\{)?Gradients? of [^\n]{1,40}? with respect to (?P<names>[^\n.]*)$"
)
_CONVENTIONS = {
    "zero": re.compile(r"[Ii]ndices\s+start\s+at\s+0"),
    "vec_rows": re.compile(r"vec\s*(?:⟧)?\s+stacks\s+(?:the\s+)?rows"),
    "jacobian": re.compile(r"[Jj]acobian\s+has\s+(?:a|one)\s+row\s+per\s+output|numerator[\s-]layout"),
    "free": re.compile(r"free\s+entries\s+vary"),
}
_WORDS = {"symmetric positive definite": "spd", "positive definite": "spd", "one-hot": "one_hot"}


def listed(text: str, formulas: list[Row], facts: Facts) -> None:
    """Names with their shapes beside them, X (m, n)   w (n,), properties and conventions."""
    for line in text.split("\n"):
        found = [*_LISTED.finditer(line)]
        plain = re.sub(r"\\\w+|[{}*_.:,;\s]", "", _LISTED.sub("", line))
        for m in found:
            if m["mark"] is None and plain:
                continue  # words with a bracket behind them
            row = formulas[int(m["mark"])] if m["mark"] is not None else Row(m.group(), 0, 1, None, True, "unicode")
            name = _name_in(row) if m["mark"] is not None else Name(m["name"])
            key = (key_of(name) if m["mark"] is not None else m["name"]) if name is not None else ""
            dims = shape_written(m["shape"]) if m["shape"] is not None else ()
            if not key or dims is None:
                continue
            words = {_WORDS.get(w, w) for w in re.findall(r"[a-z-]+", m["words"] or "")}
            if "row" in words and len(dims) == 1:
                dims = (Number(Rational(1)), *dims)
            upright = len(dims) != 1 or bool(words & {"row", "column"})
            facts.declare(Declared(key, dims, row, None, words - {"row", "column", "scalar"}, upright))
    for m in (*_SAID.finditer(text), *_SUMS.finditer(text)):
        row = formulas[int(m["mark"])] if m["mark"] is not None else Row(m.group(), 0, 1, None, True, "unicode")
        name = _name_in(row) if m["mark"] is not None else Name(m["name"])
        word = m.groupdict().get("word")
        if name is not None and key_of(name):
            said = {"simplex"} if word is None else {_WORDS.get(word, word)}
            facts.declare(Declared(key_of(name), None, row, None, said))
    for m in _CALLED.finditer(text):
        name = _name_in(formulas[int(m[1])])
        if name is not None and key_of(name):
            facts.functions[key_of(name)] = {"logistic": "sigmoid", "rectifier": "relu"}.get(m[2].lower(), m[2].lower())
    for m in _HEADING.finditer(text):
        for part in re.split(r"\s*(?:,|\band\b)\s*", m["names"].strip(" .}*_")):
            mark = _MARKED.fullmatch(part)
            name = _name_in(formulas[int(mark[1])]) if mark else None
            key = key_of(name) if name is not None else part if re.fullmatch(r"[^\W\d]\w*['′]*", part) else ""
            facts.moving += (key,) if key else ()
    for name_, pattern in _CONVENTIONS.items():
        if pattern.search(text):
            setattr(facts, name_, True)


def from_prose(text: str, formulas: list[Row], facts: Facts) -> None:
    """The declarations that words make of the formulas between them; `text` has marks where these stand."""
    text = text.replace("\u2029", "\n")
    listed(text, formulas, facts)
    for m in _AFTER.finditer(text):
        numbers = [int(n) for n in _MARKED.findall(m.group())]
        shape = _shape_in(formulas[numbers[-1]])
        for n in numbers[:-1]:
            name = _name_in(formulas[n])
            if name is not None and shape is not None:
                declare_shape(facts, name, shape, formulas[n], name, set())
    for m in (*_BEFORE.finditer(text), *_DIMENSIONAL.finditer(text)):
        shape, name = _shape_in(formulas[int(m[1])]), _name_in(formulas[int(m[2])])
        if shape is None:
            only = formulas[int(m[1])].statements[0] if formulas[int(m[1])].statements else None
            shape = (only,) if only is not None and key_of(only) else None
        if shape is not None and name is not None:
            declare_shape(facts, name, shape, formulas[int(m[2])], name, set())
    for m in _LINE.finditer(text):
        _declared_line(m, facts)
    _one_hot(text, formulas, facts)
    for sentence in re.split(r"(?<=[.;:])\s|\n\s*\n", text):
        _properties(sentence, formulas, facts)


def _properties(sentence: str, formulas: list[Row], facts: Facts) -> None:
    numbers = [int(n) for n in _MARKED.findall(sentence)]
    if _COLUMNS.search(sentence):
        facts.columns = True
    if _ELEMENTWISE.search(sentence):
        for n in numbers:
            for key in _functions_in(formulas[n]):
                facts.functions.setdefault(key, FUNCTIONS[key].name if key in FUNCTIONS else "")
    for pattern, properties in ((_DISTRIBUTION, {"simplex"}), (_SYMMETRIC, {"symmetric"})):
        found = pattern.search(sentence)
        if found is None or re.search(r"\b(?:not|hence|so that|rows)\b", sentence[: found.start()]):
            continue
        for n in [int(n) for n in _MARKED.findall(sentence[: found.end()])][-1:]:
            name = _name_in(formulas[n])
            if name is not None and key_of(name):
                facts.declare(Declared(key_of(name), None, formulas[n], name, set(properties)))


def _declared_line(m: re.Match[str], facts: Facts) -> None:
    """`X: (N, D) positive` on a line of its own, as in the audit's own notation."""
    try:
        shape = read(f"({m['shape']})")[0] if m["shape"].strip() else None
    except ByhandError:
        return
    dims = (
        ()
        if shape is None
        else shape.inner.items
        if isinstance(shape, Bracket) and isinstance(shape.inner, Tuple)
        else (shape,)
    )
    words = {w for w in re.split(r"[\s,]+", m["words"] or "") if w}
    place = Row(m.group().strip(), 0, 1, None, True, "unicode")
    for name in re.split(r"\s*,\s*", m["names"].strip()):
        facts.declare(Declared(name, dims, place, None, words))


def _one_hot(text: str, formulas: list[Row], facts: Facts) -> None:
    """The array that is called one-hot: the nearest one with a declared shape, before or after the word."""
    for found in _ONE_HOT.finditer(text):
        before = [int(m[1]) for m in _MARKED.finditer(text, max(0, found.start() - 160), found.start())]
        after = [int(m[1]) for m in _MARKED.finditer(text, found.end(), found.end() + 60)]
        for n in (
            (*reversed(before), *after)
            if not re.match(r"\s*\w*\s*⟦", text[found.end() :])
            else (*after, *reversed(before))
        ):
            name = _name_in(formulas[n])
            key = key_of(name) if name is not None else ""
            declared = facts.shapes.get(key)
            if declared is not None and declared.shape:
                declared.properties.add("one_hot")
                break


def _functions_in(row: Row) -> Iterator[str]:
    for statement in row.statements:
        if isinstance(statement, Name) and statement.text not in ("⊙", "⊗", "T"):
            yield statement.text


def _shape_in(row: Row) -> tuple[Node, ...] | None:
    return shape_of(row.statements[0]) if len(row.statements) == 1 else None


def _name_in(row: Row) -> Node | None:
    """The name that a formula in the prose is about."""
    for statement in row.statements:
        if isinstance(statement, Relation) and statement.sides[0] is not None and key_of(statement.sides[0]):
            return statement.sides[0]
        if key_of(statement):
            return statement
    return None
