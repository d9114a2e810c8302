"""Elementwise functions that a user defines: a row of the table like any other, its derivative derived and proved."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from byhand.errors import ByhandError, CheckError, MissingRuleError, ParseError
from byhand.expr.contraction import P1, add, contract, elementwise, scale
from byhand.expr.dims import Coefficient
from byhand.expr.domain import recording
from byhand.expr.evaluate import evaluate_node
from byhand.expr.expression import Expression, rebuild, unfold
from byhand.expr.functions import FUNCTIONS, Function
from byhand.expr.nodes import Constant, Contraction, Elementwise, Expr, Named, Structured, Sum, symbol, topological
from byhand.expr.operations import apply
from byhand.expr.parse import forget_scope, read_node
from byhand.expr.source import Source
from byhand.expr.vocabulary import RESERVED, VOCABULARY, elementwise_function

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_Z, _Y = symbol("z"), symbol("y")
_DRAWS = {"real": (-3.0, 3.0), "unit": (-0.9, 0.9), "positive": (0.2, 3.0)}  # what is proved and tested on
TOLERANCE = 1e-9
_DIFFERENT = np.array([[0.31, 0.74], [0.52, 0.17], [0.86, 0.43]])  # inside every domain


def define(name: str, formula: str, derivative: str | None = None) -> Function:
    """Add an elementwise function to the language: usable in every target, notation and format at once.

    >>> import byhand
    >>> byhand.define("mish", "z*tanh(softplus(z))").name
    'mish'
    >>> print(byhand.derive(byhand.parse("sum(mish(x))", {"x": "n"}), "x").text(level="result").splitlines()[0])
    Gradient of f with respect to x

    Args:
        name: letters, digits and _; a name that is taken is refused, unless for the same definition again.
        formula: in the expression language, of z alone.
        derivative: in z and y, the value; by default it is derived. A given one is proved against the formula.
    Raises: ParseError: the name is taken, or the formula is no function of z. CheckError: the derivative is wrong.
    """
    _check_name(name)
    body, asked = _scalar(formula, "the formula")
    known = FUNCTIONS.get(name)
    if known is not None and known.definition == formula.strip() and derivative in (None, known.derivative):
        return known
    if name in RESERVED or name in VOCABULARY or name in FUNCTIONS or name in ("inf", "pi"):
        raise ParseError(f"{name} is the name of a function already: choose another")
    slope = _derived(body)
    points, domain = _points(body)
    if derivative is not None:
        given, _ = _scalar(derivative, "the derivative")
        _prove(given, slope, body, points, name)
    values = _numbers(body, points + 1e-20j)
    _agree(np.imag(values) / 1e-20, np.real(_numbers(slope, points)), points, f"{name}: the formula's own derivative")
    text = derivative.strip() if derivative is not None else spelled(slope)

    def kernel(z: Any) -> Any:
        return _numbers(body, np.asarray(z))

    row = Function(name, text, kernel, "", domain, definition=formula.strip(), source="defined by its user")
    row = row._replace(where="where its formula has a value" if asked else "", kinks=_kinks(body))
    FUNCTIONS[name] = row
    VOCABULARY[name] = elementwise_function(name)
    forget_scope()
    return row


def undefine(name: str) -> None:
    """Take a function that was defined out of the language again."""
    if name not in FUNCTIONS or not FUNCTIONS[name].definition:
        raise ParseError(f"{name} is no function that was defined")
    del FUNCTIONS[name], VOCABULARY[name]
    forget_scope()


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ParseError(f"{str(name)[:40]!r} is not a name for a function: letters, digits and _, a letter first")
    if name in ("z", "y", "d"):
        raise ParseError(f"{name} stands for something else in definitions: choose another name")


def _scalar(text: str, what: str) -> tuple[Expr, bool]:
    """A text as a function of z (and y), and whether it asks for something of its argument."""
    source = Source.read(text)
    with recording() as asked:
        node = read_node(source, {"z": _Z, "y": _Y} if what == "the derivative" else {"z": _Z})
    if node.ndim:
        raise ParseError(f"{what} is a number for a number z; this has {node.ndim} axes").at(source.text, 1, 1)
    _need_entries(source, node, what)
    return node, bool(asked)


def _need_entries(source: Source, node: Expr, what: str) -> None:
    """That a text means entry by entry the same for an array: a sum over its entries, or another axis, does not.

    Raises: ParseError: it does not.
    """
    whole = {name: symbol(name, (3, 2)) for name in ("z", "y")}
    values: dict[Expr, Any] = {whole["z"]: _DIFFERENT, whole["y"]: np.cos(_DIFFERENT)}
    try:
        read = read_node(source, whole)
        with np.errstate(all="ignore"):
            found = evaluate_node(read, values, {})
    except ByhandError:
        found = None
    alone = _numbers(node, _DIFFERENT, y=np.cos(_DIFFERENT))
    constant = found is not None and not np.shape(found) and not {_Z, _Y} & set(topological([node]))
    if not constant and not (
        np.shape(found) == (3, 2) and np.allclose(found, alone, rtol=1e-9, atol=0, equal_nan=True)
    ):
        raise ParseError(
            f"{what} is no function of each entry by itself: of an array it is something else than of its entries",
            "a sum, mean, norm, maximum or transpose of z has no place in it",
        ).at(source.text, 1, 1)


def _derived(body: Expr) -> Expr:
    """The derivative of a function of z in normal form."""
    from byhand.derive.derivation import derive  # a later room, needed by those who define only

    return unfold(derive(Expression(body, (_Z,)), "z").gradient.root)


def _numbers(node: Expr, z: Any, **more: Any) -> Any:
    """The values of a function of z, entry by entry."""
    array = np.asarray(z)
    s = symbol("z", array.shape)
    values: dict[Expr, Any] = {s: array, **{symbol(n, array.shape): np.asarray(v) for n, v in more.items()}}
    with np.errstate(all="ignore"):
        found = evaluate_node(spread(node, {_Z: s, _Y: symbol("y", array.shape)}), values, {})
    return np.broadcast_to(found, array.shape)


def spread(node: Expr, puts: Mapping[Expr, Expr]) -> Expr:
    """A function of numbers, applied entry by entry: each symbol replaced by an array of one shape."""
    shape = next(iter(puts.values())).shape
    axes = tuple(range(len(shape)))
    dims = dict(enumerate(shape))
    done: dict[Expr, Expr] = {}
    for n in topological([node]):
        match n:
            case _ if n in puts:
                done[n] = puts[n]
            case Elementwise(function, arg):
                done[n] = elementwise(function, done[arg])
            case Sum(terms):
                done[n] = add(*(scale(c, done[t]) for c, t in terms))
            case Structured(operation, args, attributes):
                done[n] = apply(operation, *(done[a] for a in args), attributes=attributes)
            case Contraction(coefficient, factors, _):
                done[n] = contract([(done[f], axes, p) for f, _, p in factors], axes, coefficient, dims)
            case Named(_, body):
                done[n] = done[body]
            case Constant():
                done[n] = contract([(n, (), P1)], axes, dims=dims)
            case _:
                raise ParseError("a definition is made of functions entry by entry")
    return done[node]


@lru_cache(maxsize=512)
def _body(definition: str) -> Expr:
    """A definition as a function of z, those in it opened, too."""
    return with_definitions(_scalar(definition, "the formula")[0])


def with_definitions(root: Expr) -> Expr:
    """The expression with defined functions as what they are made of, for whoever computes it; named nodes are not entered."""
    if not any(FUNCTIONS[f].definition for f in root.operations if f in FUNCTIONS):
        return root
    done: dict[Expr, Expr] = {}
    for node in topological([root], into_named=False):
        if isinstance(node, Elementwise) and (definition := FUNCTIONS[node.function].definition):
            done[node] = spread(_body(definition), {_Z: done[node.arg]})
        elif isinstance(node, Named) or all(done[c] is c for c in node.children):
            done[node] = node
        else:
            done[node] = rebuild(node, done)
    return done[root]


# ---- the proof


def _points(body: Expr) -> tuple[Any, str]:
    """Points at which the function has finite values, and what they are called."""
    rng = np.random.default_rng(0)
    for domain, (low, high) in _DRAWS.items():
        points = rng.uniform(low, high, 64)
        if np.all(np.isfinite(_numbers(body, points))):
            return points, domain
    raise ParseError("the formula has no finite value on -3..3, -1..1 or 0..3")


def _prove(given: Expr, slope: Expr, body: Expr, points: Any, name: str) -> None:
    """That a derivative which its user gave is the derived one: in normal form, or else at many points."""
    values = _numbers(given, points, y=_numbers(body, points))
    wanted = np.real(_numbers(slope, points))
    _agree(values, wanted, points, f"{name}: the derivative given", f"derived: {spelled(slope)}")


def _agree(found: Any, wanted: Any, points: Any, what: str, *details: str) -> None:
    off = np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted))
    if not np.all(off < TOLERANCE):
        k = int(np.nanargmax(np.where(np.isfinite(off), off, np.inf)))
        raise CheckError(
            f"{what} is wrong at z = {points[k]:.3g}: {float(found[k]):.6g}, not {float(wanted[k]):.6g}", *details
        )


def _kinks(body: Expr) -> tuple[float, ...]:
    """Where functions with a kink are applied to z itself."""
    applied = [n.function for n in topological([body]) if isinstance(n, Elementwise) and n.arg is _Z]
    return tuple(sorted({k for f in applied for k in FUNCTIONS[f].kinks}))


# ---- as text


def spelled(node: Expr) -> str:
    """A function of numbers in the expression language.

    Raises: MissingRuleError: it has a part that is none.
    """
    match node:
        case Constant(name):
            return name
        case Elementwise(function, arg):
            return f"{function}({spelled(arg)})"
        case Structured("power", (base, exponent)):
            return f"({spelled(base)})**({spelled(exponent)})"
        case Structured("where", args):
            return f"where({', '.join(map(spelled, args))})"
        case Sum(terms):
            text = ""
            for c, t in terms:
                part = _product(c, t)
                text += part if not text else f" - {part[1:]}" if part.startswith("-") else f" + {part}"
            return f"({text})"
        case Contraction(coefficient):
            return _product(coefficient, node)
        case _ if hasattr(node, "name"):
            return str(node.name)
    raise MissingRuleError("this has no text in the expression language")


def _product(coefficient: Coefficient, node: Expr) -> str:
    value = coefficient.value
    factors = list(node.factors) if isinstance(node, Contraction) else [(node, (), P1)]
    if isinstance(node, Contraction) and coefficient is not node.coefficient:
        value = value * node.coefficient.value
    words = (
        [] if abs(value) == 1 and factors else [str(float(abs(value))) if value.denominator > 1 else str(abs(value))]
    )
    for f, _, p in factors:
        inner = spelled(f)
        words.append(inner if p == 1 else f"({inner})**({p})")
    return ("-" if value < 0 else "") + "*".join(words)


__all__ = ["define", "spelled", "spread", "undefine", "with_definitions"]
