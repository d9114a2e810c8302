"""Text to expression: one expression, or several lines with named intermediates."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from byhand.errors import ParseError, nearest
from byhand.expr.assume import read_properties
from byhand.expr.dims import Shape, dim_names, named_dimension, parse_shape
from byhand.expr.expression import Expression, substitute
from byhand.expr.nodes import Expr, Named, Structured, Symbol, named, symbol, topological
from byhand.expr.reader import Reader, parse_tree, tidy_source
from byhand.expr.vocabulary import VOCABULARY, pi

ShapeLike = str | int | Iterable[str | int]
Shapes = Mapping[str, ShapeLike]
Assumptions = Mapping[str, str | Iterable[str]]
_IDENTIFIER = re.compile(r"[A-Za-zα-ωΓΔΘΛΞΠΦΨΩ][A-Za-z0-9_α-ωΓΔΘΛΞΠΦΨΩ]{0,63}")


def parse(text: str, shapes: Shapes | None = None, assume: Assumptions | None = None) -> Expression:
    """Read an expression.

    Args:
        text: an expression in NumPy semantics, or several lines; lines `Z1 = X @ W1 + b1` name intermediates, and the
            last line is the function.
        shapes: input -> its dimensions: names or integers separated by spaces or commas, "" for a scalar.
        assume: input -> declared properties, e.g. {"Y": "simplexrows", "A": "symmetric"}.
    Raises: ParseError: syntax, unknown names or functions, wrong arguments. ShapeError: shapes that clash.
    """
    inputs = declare(shapes or {}, assume or {})
    source = tidy_source(text)
    tree = parse_tree(source)
    if not tree.body:
        raise ParseError("an empty text is not an expression").at(source or " ", 1, 1)
    reader = Reader(source, {**scope(inputs.values()), **inputs})
    name, result = "f", None
    for k, statement in enumerate(tree.body):
        last = k == len(tree.body) - 1
        match statement:
            case ast.Expr(value) if last:
                result = reader.operand(value, reader.value(value))
            case ast.Assign([ast.Name(target)], value):
                node = reader.operand(value, reader.value(value))
                _new_name(reader, statement, target, inputs)
                result, name = node, target
                reader.names[target] = node if last else _intermediate(target, node)
            case ast.Expr():
                reader.fail(statement, "only the last line may be without a name", "write `Z = ...` for an intermediate")
            case _:
                reader.fail(statement, "a line is an expression or `name = expression`")
    assert result is not None
    return finish(result, tuple(inputs.values()), name)


def _intermediate(name: str, node: Expr) -> Expr:
    return node if isinstance(node, Symbol) else named(name, node)


def _new_name(reader: Reader, statement: ast.Assign, target: str, inputs: Mapping[str, Symbol]) -> None:
    place = statement.targets[0]
    if not _IDENTIFIER.fullmatch(target):
        reader.fail(place, f"{target[:40]} is not a name: letters, digits and _, at most 64, a letter first")
    if target in inputs or target in reader.assigned:
        reader.fail(place, f"{target} has a value already", f"names are given once: call this one {target}_new")
    if target in VOCABULARY or target == "pi":
        reader.fail(place, f"{target} is the name of a function" if target != "pi" else "pi is a number")
    reader.assigned[target] = statement.lineno


def declare(shapes: Shapes, assume: Assumptions) -> dict[str, Symbol]:
    """The inputs, from their shapes and declared properties.

    Raises: ParseError: a bad name, or properties of an input without a shape. ShapeError: a property that cannot be.
    """
    if not isinstance(shapes, Mapping) or not isinstance(assume, Mapping):
        raise ParseError("shapes and assume are dicts: {'X': 'm n'}, {'X': 'positive'}")
    read: dict[str, Shape] = {}
    for name, text in shapes.items():
        if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
            raise ParseError(f"{name!r} is not a name: letters, digits and _, a letter first")
        if name in VOCABULARY or name == "pi":
            raise ParseError(f"{name} is the name of a function or a number: call the input something else")
        read[name] = parse_shape(text)
    dims = {d for shape in read.values() for size in shape for d in dim_names(size)}
    for name in read:
        if name in dims:
            raise ParseError(f"{name} is both an input and a dimension", "give one of them another name")
    for d in sorted(dims):
        if d in VOCABULARY or d == "pi":
            raise ParseError(f"dimension {d} is the name of a function or a number: call it something else")
    for name in assume:
        if name not in read:
            raise ParseError(f"properties of {name}, which has no shape{nearest(str(name), list(read))}")
    return {n: symbol(n, s, read_properties(assume.get(n, ()), n, s)) for n, s in read.items()}


@lru_cache(maxsize=1)
def _base_scope() -> dict[str, Any]:
    return {**VOCABULARY, "pi": pi}


def scope(inputs: Iterable[Symbol]) -> dict[str, Any]:
    """Functions, pi, and the dimensions of the inputs, by name."""
    dims = {d for s in inputs for size in s.shape for d in dim_names(size)}
    return {**_base_scope(), **{d: named_dimension(d) for d in dims}}


def finish(root: Expr, inputs: tuple[Symbol, ...], name: str, notes: tuple[str, ...] = ()) -> Expression:
    """The expression; inputs used as class labels are declared so."""
    labels = {
        node.args[0]: None
        for node in topological([root])
        if isinstance(node, Structured) and node.operation == "one_hot" and isinstance(node.args[0], Symbol)
    }
    undeclared = {s: symbol(s.name, s.shape, s.assumptions | {"labels"}) for s in labels if isinstance(s, Symbol) and "labels" not in s.assumptions}
    if undeclared:
        root = substitute(root, undeclared)
        inputs = tuple(undeclared.get(s, s) for s in inputs)
    return Expression(root.body if isinstance(root, Named) and root.name == name else root, inputs, name, notes)
