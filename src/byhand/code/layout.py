"""Writer of generated Python files: signatures, docstrings, sizes, and statements with their mathematics beside them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from byhand.code.python import Level, dim_code
from byhand.code.statements import Listing, Statement
from byhand.errors import ShapeError
from byhand.expr.assume import PROPERTIES
from byhand.expr.dims import dim_names, show_shape
from byhand.expr.nodes import Symbol
from byhand.expr.sizes import Solved, solved_names

if TYPE_CHECKING:
    from byhand.notation.typeset import Math

WIDEST = 120
COMMENT_COLUMN = 48  # statements longer than this do not push the comments of others to the right
LONGEST_TITLE = 80
INDENT = "    "


def title(program: Listing) -> str:
    """What is computed, without the names of variables where they are many."""
    title = program.title if len(program.title) <= LONGEST_TITLE else program.title.split(" with respect to ")[0]
    return quoted(title)


def quoted(text: str) -> str:
    """Text that may stand in a docstring."""
    return text.replace("\\", "\\\\").replace('"""', "'''")


def signature(function: str, names: Sequence[str], depth: int = 0) -> list[str]:
    """def function(names):, over several lines where it is long."""
    return spread(f"def {function}(", names, "):", depth)


def spread(front: str, items: Sequence[str], back: str, depth: int) -> list[str]:
    """front items back: on one line where they fit, else the items on a line of their own, else one a line.

    Args:
        front, items, back: the text; front ends with a bracket that back closes.
        depth: how often the lines will be indented.
    """
    room = WIDEST - depth * len(INDENT)
    one_line = f"{front}{', '.join(items)}{back}"
    if len(one_line) <= room:
        return [one_line]
    inside = f"{INDENT}{', '.join(items)}"
    return [front, *([inside] if len(inside) <= room else [f"{INDENT}{i}," for i in items]), back]


def tuple_lines(front: str, items: Sequence[str], back: str, depth: int) -> list[str]:
    """front items back for a tuple without brackets of its own; it gets them where there is one item, or too many."""
    bare = f"{front}{', '.join(items)}{back}"
    if len(items) == 1:
        return [f"{front}({items[0]},){back}"]
    if items and len(bare) <= WIDEST - depth * len(INDENT):
        return [bare]
    return spread(f"{front}(", items, f"){back}", depth)


def formulas(program: Listing) -> list[str]:
    """The named intermediates and the value as mathematics, then the conventions, each followed by a blank line."""
    forward = [s for s in program.statements if s.section == "forward" and s.defined]
    defined = [*forward, *(s for s in program.statements if s.section == "value" and s.result is not None)]
    lines = [f"{s.name} = {_text(s, program)}" for s in defined if s.math is not None]
    shown = [*(f"{INDENT}{quoted(line)}" for line in lines if len(line) < WIDEST - 12), ""] if lines else []
    return [*shown, *program.notes, *([""] if program.notes else [])]


def arguments(program: Listing) -> list[str]:
    """The inputs with their shapes and what is declared of them."""
    if not program.inputs:
        return []
    return ["Args:", *(f"{INDENT}{program.names[s]}: {described(s)}." for s in program.inputs)]


def docstring(program: Listing) -> list[str]:
    """What is computed, from what, by which formula; shapes of everything that goes in and comes out."""
    lines = [f'"""{title(program)}.', "", *formulas(program), *arguments(program)]
    shapes = {s.name: s.shape for s in program.statements}
    results = [(name, shapes[held]) for name, held in program.results.items()]
    listed = ", ".join(f"{quoted(name)} {show_shape(shape)}" for name, shape in results)
    if program.value is not None:
        lines += ["Returns:", *wrapped(f"{program.value}, a scalar, and a dict of gradients by name: {listed}.")]
    elif len(results) == 1:
        lines += ["Returns:", f"{INDENT}An array of shape {show_shape(results[0][1])}."]
    else:
        lines += ["Returns:", *wrapped(f"A dict of arrays by name: {listed}.")]
    return [*lines, '"""']


def described(s: Symbol) -> str:
    """The shape of an input, and what is declared of it."""
    shape = f"shape {show_shape(s.shape)}" if s.shape else "scalar"
    implied = {q for p in s.assumptions for q in PROPERTIES[p].implies}
    words = [PROPERTIES[p].words.format(X=s.name) for p in sorted(s.assumptions - implied - {"labels"})]
    kind = "integer labels, " if "labels" in s.assumptions else ""
    return "; ".join([f"{kind}{shape}", *words])


def wrapped(text: str, first: str = INDENT) -> list[str]:
    """Text as indented lines; `first` is the indentation of the first."""
    lines, line = [], first
    for word in text.split(" "):
        if len(line) + len(word) > WIDEST - 10:
            lines.append(line.rstrip())
            line = INDENT
        line += word + " "
    return [*lines, line.rstrip()]


def size_lines(w: Any, arrays: Iterable[Any], local: Collection[str] = ()) -> list[str]:
    """N, D = X.shape: the dimensions that the statements use, each from the first array that tells it; not the `local` ones."""
    program = w.program
    axes = [(s, i, d) for s in arrays for i, d in enumerate(s.shape)]
    solved = {s.name: s for s in solved_names([d for _, _, d in axes])}
    todo = {d for d in program.dims if d in w.dims} - {*local}
    while (
        needed := {x for n in todo & set(solved) for x in dim_names(solved[n].factor) | dim_names(solved[n].rest)}
        - todo
    ):
        todo |= needed
    if missing := sorted(todo - set(solved)):
        raise ShapeError(
            f"the size of dimension {missing[0]} is unknown: no array given has it",
            f"declare an input with an axis {missing[0]}, or give that axis a name of its own",
        )
    lines: list[str] = []
    told: dict[Any, dict[str, int]] = {}
    for n, s in solved.items():
        if n in todo and s.bare:
            leaf, i, _ = axes[s.place]
            told.setdefault(leaf, {})[n] = i
    for leaf, places in told.items():
        if len(places) == len(leaf.shape) > 1:
            lines.append(f"{', '.join(program.dims[str(d)] for d in leaf.shape)} = {program.names[leaf]}.shape")
        else:
            lines += [f"{program.dims[n]} = {program.names[leaf]}.shape[{i}]" for n, i in places.items()]
    for n, s in solved.items():
        if n in todo and not s.bare:
            leaf, i, _ = axes[s.place]
            lines.append(f"{program.dims[n]} = {_solution(s, f'{program.names[leaf]}.shape[{i}]', program.dims)}")
    return lines


def _solution(s: Solved, axis: str, names: Mapping[str, str]) -> str:
    """(a.shape[0] - 1) // m: the size of a name, where an axis is a product or sum."""
    text, tight = axis, True
    if s.rest != 0:
        text, tight = f"{axis} - {dim_code(s.rest, names.__getitem__).at(Level.TIMES)}", False
        if isinstance(s.rest, int) and s.rest < 0:
            text = f"{axis} + {-s.rest}"
    if s.factor != 1:
        text = f"{text if tight else f'({text})'} // {dim_code(s.factor, names.__getitem__).at(Level.UNARY)}"
    return text if s.degree == 1 else f"round(({text}) ** (1 / {s.degree}))"


def blocks(w: Any, sections: Iterable[Iterable[Statement]], depth: int = 1) -> list[str]:
    """Sections of statements, comments in columns, a blank line before each."""
    lines: list[str] = []
    for statements in sections:
        block: list[tuple[str, str, str]] = []
        for s in statements:
            block.append((w.statement(s), formula_of(s, w.program), show_shape(s.shape)))
            if s.leaf in w.released:
                block.append((f"del {', '.join(w.released[s.leaf])}", "", ""))
        lines += ["", *aligned(block, WIDEST - depth * len(INDENT))] if block else []
    return lines


def indented(lines: Iterable[str]) -> list[str]:
    """Lines one level deeper."""
    return [f"{INDENT}{line}" if line else "" for line in lines]


def function_source(head: list[str], lines: Iterable[str]) -> str:
    """A function of its signature and the lines of its body."""
    return "\n".join([*head, *indented(lines)])


def file_source(title: str, imports: Mapping[str, str], definitions: Sequence[str]) -> str:
    """A file: its docstring, the imports whose prefix occurs, the definitions."""
    used = [line for prefix, line in imports.items() if any(prefix in d for d in definitions)]
    head = [f'"""{title}; derived and written by byhand."""', *(["\n".join(used)] if used else [])]
    return "\n\n\n".join(["\n\n".join(head), *definitions]) + "\n"


def formula_of(s: Statement, program: Listing) -> str:
    """The mathematics of a statement; empty where it has none."""
    return "" if s.math is None else re.sub(r"\s+", " ", _text(s, program, s.left))


def _text(s: Statement, program: Listing, left: Math | None = None) -> str:
    from byhand.code.formulas import as_text  # notation is imported where there is mathematics to print

    assert s.math is not None
    return as_text(s.math, program.page, left)


def aligned(block: list[tuple[str, str, str]], room: int) -> list[str]:
    """Comments in a column at the right where they fit, else close behind, else above the statement."""
    column = max((len(code) for code, _, _ in block if len(code) <= COMMENT_COLUMN), default=0) + 2
    lines = []
    for code, formula, shape in block:
        if not shape:
            lines.append(code)
            continue
        right = f"# {formula}   {shape}" if formula else f"# {shape}"
        behind = max(column, len(code) + 2)
        start = behind if behind + len(right) <= room else len(code) + 2
        if start + len(right) > room and formula:
            if len(formula) + 2 <= room:
                lines.append(f"# {formula}")
            start, right = behind, f"# {shape}"
        lines.append(f"{code:<{start}}{right}" if start + len(right) <= room else code)
    return lines


def return_lines(program: Listing) -> list[str]:
    """return L, {"W1": dW1}; the value alone; a dict of several."""
    results = program.results
    if program.value is None and len(results) == 1:
        return [f"return {next(iter(results.values()))}"]
    items = [f'"{key}": {name}' for key, name in results.items()]
    front = f"return {program.value}, " if program.value is not None else "return "
    one_line = f"{front}{{{', '.join(items)}}}"
    if len(one_line) <= WIDEST - len(INDENT):
        return [one_line]
    return [f"{front}{{", *(f"{INDENT}{item}," for item in items), "}"]
