"""Text to expression: one expression, or several lines with named intermediates."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from itertools import chain, count
from typing import Any

from byhand.errors import ByhandError, ParseError, nearest
from byhand.expr.assume import read_properties
from byhand.expr.dims import Dimension, Shape, dim_names, named_dimension, parse_dim, parse_shape, shape_words
from byhand.expr.domain import recording
from byhand.expr.expression import Expression, substitute
from byhand.expr.nodes import Expr, Named, Structured, Symbol, named, symbol, topological
from byhand.expr.reader import Reader
from byhand.expr.source import LONGEST_TEXT, Source
from byhand.expr.vocabulary import RESERVED, VOCABULARY, inf, pi

ShapeLike = str | int | Dimension | Sequence[str | int | Dimension]
Shapes = Mapping[str, Any]  # of ShapeLike
Assumptions = Mapping[str, str | Iterable[str]]
_IDENTIFIER = re.compile(r"[A-Za-zα-ωΓΔΘΛΞΠΦΨΩ][A-Za-z0-9_α-ωΓΔΘΛΞΠΦΨΩ]{0,63}")


def parse(text: str, shapes: Shapes | str | None = None, assume: Assumptions | None = None) -> Expression:
    """Read an expression.

    Args:
        text: an expression in NumPy semantics, or several lines; lines `Z1 = X @ W1 + b1` name intermediates, and the
            last line is the function.
        shapes: input -> its dimensions: names or integers separated by spaces or commas, "" for a scalar. Or "infer": the
            plainest shapes with which the text can be read; `.inferred` of the result says which, and why.
        assume: input -> declared properties, e.g. {"Y": "simplexrows", "A": "symmetric"}.
    Raises: ParseError: syntax, unknown names or functions, wrong arguments. ShapeError: shapes that clash.
    """
    if isinstance(shapes, str):
        if shapes != "infer":
            raise ParseError(f"shapes is {shapes[:40]!r}: a dict {{'X': 'm n'}}, or 'infer'")
        from byhand.expr.infer import infer

        return infer(text, {}, assume)
    return read(text, declare({} if shapes is None else shapes, {} if assume is None else assume))


def read(text: str, inputs: Mapping[str, Symbol], longest: int = LONGEST_TEXT) -> Expression:
    """Read an expression of given inputs."""
    source = Source.read(text, longest)
    if not source.tree.body:
        raise ParseError("an empty text is not an expression").at(source.text or " ", 1, 1)
    reader = Reader(source, {**scope(inputs.values()), **inputs})
    with _bounded(source), recording() as asked:
        result, name = _statements(reader, inputs)
    places = [(n.lineno, n.col_offset, n.id) for n in ast.walk(source.tree) if isinstance(n, ast.Name)]
    written = dict.fromkeys(name for _, _, name in sorted(places))
    unused = tuple(n for n in inputs if n not in written)
    return replace(
        finish(result, tuple(inputs.values()), name), unused=unused, domain=tuple(asked), order=tuple(written)
    )


def read_node(source: Source, names: Mapping[str, Any]) -> Expr:
    """Read one expression whose names stand for nodes and dimensions, beside the functions.

    Raises: ParseError, ShapeError: as `parse`; several lines are refused.
    """
    body = source.tree.body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        raise ParseError("one expression is needed, without a name").at(source.text or " ", 1, 1)
    with _bounded(source):
        return Reader(source, {**_base_scope(), **names}).node(body[0].value)


def read_lines(text: str, names: Mapping[str, Any]) -> Expr:
    """The value of a definition: its last line, where the lines before give names to parts that no reader is shown.

    Raises: ParseError, ShapeError: operands that do not fit, with the place in the definition.
    """
    source = _definition(text)
    reader = Reader(source, {**_base_scope(), **names})
    *lines, last = source.tree.body
    for line in lines:
        assert isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
        reader.names[line.targets[0].id] = reader.node(line.value)
    assert isinstance(last, ast.Expr)
    return reader.node(last.value)


@lru_cache(maxsize=256)
def _definition(text: str) -> Source:
    return Source.read(text)


@contextmanager
def _bounded(source: Source) -> Iterator[None]:
    """Nesting that is deeper than can be read is refused."""
    try:
        yield
    except RecursionError:
        raise ParseError("nested too deep", "name an intermediate: Z = ... on a line of its own").at(
            source.text, 1, 1
        ) from None


def _statements(reader: Reader, inputs: Mapping[str, Symbol]) -> tuple[Expr, str]:
    """The value of the last line and its name."""
    assigned: set[str] = set()
    *lines, last = reader.source.tree.body
    for statement in lines:
        match statement:
            case ast.Assign([ast.Name(target)], value):
                _new_name(reader, statement, target, inputs, assigned)
                node = reader.node(value)
                reader.names[target] = node if isinstance(node, Symbol) else named(target, node)
            case ast.Expr(ast.Compare(ast.Name(), [ast.Eq()])):
                reader.fail(statement, "a name is given with one =")
            case ast.Expr():
                reader.fail(
                    statement, "only the last line may be without a name", "write `Z = ...` for an intermediate"
                )
            case _:
                reader.fail(statement, "a line is an expression or `name = expression`")
    match last:
        case ast.Expr(ast.Name(target)) if target in assigned:
            return reader.node(last.value), target
        case ast.Expr(value):
            return reader.node(value), "f"
        case ast.Assign([ast.Name(target)], value):
            _new_name(reader, last, target, inputs, assigned)
            return reader.node(value), target
        case _:
            reader.fail(last, "the last line is an expression or `name = expression`")


def _new_name(
    reader: Reader, statement: ast.Assign, target: str, inputs: Mapping[str, Symbol], assigned: set[str]
) -> None:
    place = statement.targets[0]

    def another(ending: str) -> str:
        name = target + ending
        taken = name in inputs or name in assigned or name in reader.names
        return another(f"{ending}_") if taken else name

    if not _IDENTIFIER.fullmatch(target):
        reader.fail(place, f"{target[:40]} is not a name: letters, digits and _, at most 64, a letter first")
    if target in inputs or target in assigned:
        what = "an input" if target in inputs else "an intermediate"
        reader.fail(place, f"{target} is {what} already", f"names are given once: call this one {another('_new')}")
    if target in RESERVED:
        reader.fail(
            place,
            f"{target} is the name of a function" if target != "pi" else "pi is a number",
            f"call it {another('_')}",
        )
    if isinstance(reader.names.get(target), Dimension):
        reader.fail(place, f"{target} is a dimension", f"call it {another('_')}, or give the dimension another name")
    assigned.add(target)


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
        _refuse_keyword(name)
        if name in RESERVED:
            raise ParseError(f"{name} is the name of a function or a number: call the input something else")
        read[name] = _shape(name, text)
    dims = {d for shape in read.values() for size in shape for d in dim_names(size)}
    for name in read:
        if name in dims:
            raise ParseError(f"{name} is both an input and a dimension", "give one of them another name")
    for d in sorted(dims):
        _refuse_keyword(d, "dimension ")
        if d in RESERVED:
            raise ParseError(f"dimension {d} is the name of a function or a number: call it something else")
    for name in assume:
        if name not in read:
            raise ParseError(f"properties of {name}, which has no shape{nearest(str(name), list(read))}")
    return {n: symbol(n, s, read_properties(assume.get(n, ()), n, s)) for n, s in read.items()}


def _refuse_keyword(name: str, what: str = "") -> None:
    """Refuse a name that no text can hold and no code can have as an argument."""
    if keyword.iskeyword(name):
        raise ParseError(f"{what}{name} is a word of Python, not a name: call it something else")


def _shape(name: str, text: ShapeLike) -> Shape:
    try:
        return parse_shape(text)
    except ByhandError as error:
        shown = f"{name}: {text if isinstance(text, str) else repr(text)}"
        wrong = (
            next((w for w in shape_words(text) if _is_wrong(w)), "")
            if isinstance(text, str)
            else shown[len(name) + 2 :]
        )
        raise error.at(shown, 1, shown.index(wrong, len(name) + 2) + 1, len(wrong)) from None


def _is_wrong(word: str) -> bool:
    try:
        parse_dim(word)
    except ByhandError:
        return True
    return False


@lru_cache(maxsize=1)
def _base_scope() -> dict[str, Any]:
    return {**VOCABULARY, "pi": pi, "inf": inf}


def forget_scope() -> None:
    """Read the functions of the language anew: one was defined."""
    _base_scope.cache_clear()


def scope(inputs: Iterable[Symbol]) -> dict[str, Any]:
    """Functions, pi, and the dimensions of the inputs, by name."""
    dims = {d for s in inputs for size in s.shape for d in dim_names(size)}
    return {**_base_scope(), **{d: named_dimension(d) for d in dims}}


def _free(name: str, taken: set[str]) -> str:
    """What the value is called: f, or another letter where an input, a dimension or an intermediate is called so."""
    wishes = chain([name], "ghFL", (f"{name}{k}" for k in count(1)))
    return next(w for w in wishes if w not in taken)


def finish(root: Expr, inputs: tuple[Symbol, ...], name: str, notes: tuple[str, ...] = ()) -> Expression:
    """The expression; inputs used as class labels are declared so."""
    order = topological([root])
    inner = {node.name for node in order if isinstance(node, Named) and node is not root}
    sizes = {d for s in inputs for size in s.shape for d in dim_names(size)}
    name = _free(name, {*inner, *sizes, *(s.name for s in inputs)})
    labels = {
        node.args[0]: None
        for node in order
        if isinstance(node, Structured) and node.operation == "one_hot" and isinstance(node.args[0], Symbol)
    }
    undeclared: dict[Expr, Symbol] = {
        s: symbol(s.name, s.shape, s.assumptions | {"labels"})
        for s in labels
        if isinstance(s, Symbol) and "labels" not in s.assumptions
    }
    if undeclared:
        root = substitute(root, undeclared)
        inputs = tuple(undeclared.get(s, s) for s in inputs)
    return Expression(root.body if isinstance(root, Named) and root.name == name else root, inputs, name, notes)
