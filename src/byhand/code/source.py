"""A program as a Python file: kernels, the function with its docstring, statements with their mathematics."""

from __future__ import annotations

import re
from collections.abc import Callable

from byhand.code.kernels import kernel_source
from byhand.code.numpy import NUMPY
from byhand.code.program import Program, Statement
from byhand.code.sharing import fitted
from byhand.code.writer import Writer
from byhand.expr.assume import PROPERTIES
from byhand.expr.dims import Dimension, show_shape
from byhand.expr.nodes import Named, Symbol
from byhand.notation import typeset as ts
from byhand.notation.text import to_text

WIDEST = 120
COMMENT_COLUMN = 48  # statements longer than this do not push the comments of others to the right
LONGEST_TITLE = 80
INDENT = "    "


def numpy_source(program: Program) -> str:
    """The source of a program for NumPy, ready to paste."""
    program = fitted(program, _width, WIDEST)
    w = Writer(program, NUMPY)
    blocks = [
        [(w.statement(s), _formula(s), show_shape(s.shape)) for s in program.statements if s.section == section]
        for section in ("forward", "value", "backward")
    ]
    lines = [*_docstring(program, w), *_sizes(program, w)]
    for block in filter(None, blocks):
        lines += ["", *_aligned(block)]
    lines += ["", *_return(program)]
    body = "\n".join([*_signature(program), *(f"{INDENT}{line}" if line else "" for line in lines)])
    definitions = [*(kernel_source(k) for k in sorted(w.kernels)), body]
    head = [f'"""{_title(program)}; derived and written by byhand."""']
    head += ["import numpy as np"] if any("np." in d for d in definitions) else []
    return "\n\n\n".join(["\n\n".join(head), *definitions]) + "\n"


def _width(program: Program) -> Callable[[Statement], int]:
    w = Writer(program, NUMPY)
    return lambda s: len(INDENT) + len(w.statement(s))


def _title(program: Program) -> str:
    """What is computed, without the names of variables where they are many."""
    title = program.title if len(program.title) <= LONGEST_TITLE else program.title.split(" with respect to ")[0]
    return _quoted(title)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', "'''")


def _signature(program: Program) -> list[str]:
    names = [program.names[s] for s in program.inputs]
    one_line = f"def {program.function}({', '.join(names)}):"
    if len(one_line) <= WIDEST:
        return [one_line]
    inside = f"{INDENT}{', '.join(names)}"
    inner = [inside] if len(inside) <= WIDEST else [f"{INDENT}{n}," for n in names]
    return [f"def {program.function}(", *inner, "):"]


def _docstring(program: Program, w: Writer) -> list[str]:
    """What is computed, from what, by which formula; shapes of everything that goes in and comes out."""
    lines = [f'"""{_title(program)}.', ""]
    forward = [s for s in program.statements if s.section == "forward" and isinstance(s.leaf, Named)]
    formulas = [*forward, *(s for s in program.statements if s.section == "value" and s.result is not None)]
    shown = [f"{s.name} = {to_text(s.math)}" for s in formulas if s.math is not None]
    if shown:
        lines += [*(f"{INDENT}{_quoted(line)}" for line in shown if len(line) < WIDEST - 12), ""]
    if program.inputs:
        lines += ["Args:", *(f"{INDENT}{program.names[s]}: {_described(s)}." for s in program.inputs)]
    shapes = {s.name: s.shape for s in program.statements}
    results = [(name, shapes[held]) for name, held in program.results.items()]
    listed = ", ".join(f"{_quoted(name)} {show_shape(shape)}" for name, shape in results)
    if program.value is not None:
        lines += ["Returns:", *_wrapped(f"{program.value}, a scalar, and a dict of gradients by name: {listed}.")]
    elif len(results) == 1:
        lines += ["Returns:", f"{INDENT}An array of shape {show_shape(results[0][1])}."]
    else:
        lines += ["Returns:", *_wrapped(f"A dict of arrays by name: {listed}.")]
    return [*lines, '"""']


def _described(s: Symbol) -> str:
    shape = f"shape {show_shape(s.shape)}" if s.shape else "scalar"
    implied = {q for p in s.assumptions for q in PROPERTIES[p].implies}
    words = [PROPERTIES[p].words.format(X=s.name) for p in sorted(s.assumptions - implied - {"labels"})]
    kind = "integer labels, " if "labels" in s.assumptions else ""
    return "; ".join([f"{kind}{shape}", *words])


def _wrapped(text: str) -> list[str]:
    lines, line = [], INDENT
    for word in text.split(" "):
        if len(line) + len(word) > WIDEST - 10:
            lines.append(line.rstrip())
            line = INDENT
        line += word + " "
    return [*lines, line.rstrip()]


def _sizes(program: Program, w: Writer) -> list[str]:
    """N, D = X.shape: the dimensions that the statements use, from the first input that has them."""
    lines = []
    todo = dict.fromkeys(d for d in program.dims if d in w.dims)
    for s in program.inputs:
        axes = {str(d): i for i, d in reversed(list(enumerate(s.shape))) if isinstance(d, Dimension) and str(d) in todo}
        names = [str(d) for d in s.shape]
        if len(axes) == len(s.shape) > 1:
            lines.append(f"{', '.join(program.dims[n] for n in names)} = {program.names[s]}.shape")
        else:
            found = sorted(axes.items(), key=lambda t: t[1])
            lines += [f"{program.dims[n]} = {program.names[s]}.shape[{i}]" for n, i in found]
        for n in axes:
            del todo[n]
    return lines


def _formula(s: Statement) -> str:
    if s.math is None:
        return ""
    math = ts.Relation("=", s.left, s.math) if s.left is not None else s.math
    return re.sub(r"\s+", " ", to_text(math))


def _aligned(block: list[tuple[str, str, str]]) -> list[str]:
    """Comments in a column at the right where they fit, else close behind, else above the statement."""
    room = WIDEST - len(INDENT)
    column = max((len(code) for code, _, _ in block if len(code) <= COMMENT_COLUMN), default=0) + 2
    lines = []
    for code, formula, shape in block:
        right = f"# {formula}   {shape}" if formula else f"# {shape}"
        behind = max(column, len(code) + 2)
        start = behind if behind + len(right) <= room else len(code) + 2
        if start + len(right) > room and formula:
            if len(formula) + 2 <= room:
                lines.append(f"# {formula}")
            start, right = behind, f"# {shape}"
        lines.append(f"{code:<{start}}{right}" if start + len(right) <= room else code)
    return lines


def _return(program: Program) -> list[str]:
    results = program.results
    if program.value is None and len(results) == 1:
        return [f"return {next(iter(results.values()))}"]
    items = [f'"{key}": {name}' for key, name in results.items()]
    front = f"return {program.value}, " if program.value is not None else "return "
    one_line = f"{front}{{{', '.join(items)}}}"
    if len(one_line) <= WIDEST - len(INDENT):
        return [one_line]
    return [f"{front}{{", *(f"{INDENT}{item}," for item in items), "}"]
