"""The same function with small sizes in the place of literal ones that no point could be drawn for."""

from __future__ import annotations

from math import prod
from typing import Any

from byhand.check.draw import PRIMES
from byhand.derive.derivation import Derivation, derive
from byhand.errors import ByhandError, DataError
from byhand.expr.assume import read_properties
from byhand.expr.contraction import combine, contract, elementwise
from byhand.expr.dims import Dim, Dimension
from byhand.expr.expression import Expression
from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Structured, Sum, Symbol, named, symbol, topological
from byhand.expr.operations import apply
from byhand.memory import shown_bytes

MOST_ENTRIES = 2 * 10**7  # of the inputs together: larger ones are not drawn three times over
LEAST_LITERAL = 1000  # a literal from here on gives way; one below may mean something: classes, colours, an axis
USUAL = 7  # what a named dimension will be, about


def small_twin(d: Derivation) -> tuple[Derivation, str]:
    """The derivation to check in the place of this one, and a note; the same and "" where its sizes can be drawn.

    The twin is derived anew from the same graph, whose literal sizes are replaced, each by a prime of its own: the same
    rules and the same code on other sizes. Factors stay: a mean over a million is still divided by a million.

    Raises: DataError: the sizes are too large, and other ones do not fit: a slice of so many.
    """
    symbols = d.f.symbols.values()
    literals = sorted({n for s in symbols for n in s.shape if isinstance(n, int) and n >= LEAST_LITERAL}, reverse=True)
    taken = {n for s in symbols for n in s.shape if isinstance(n, int)}
    free = iter(p for p in PRIMES if p not in taken and p > USUAL)
    small: dict[int, int] = {}
    for n in literals:
        if _entries(d, small) <= MOST_ENTRIES:
            break
        small[n] = next(free)
    if not small and _entries(d, small) <= MOST_ENTRIES:
        return d, ""
    try:
        if _entries(d, small) > MOST_ENTRIES:
            raise DataError("too many axes")
        twin = derive(_replaced(d.f, small), [v.name for v in d.variables])
    except ByhandError:
        size = shown_bytes(8 * _entries(d, {}))
        raise DataError(
            f"the inputs would take {size} in the check: {', '.join(map(str, literals or sorted(taken)))}",
            "give the large dimension a name (n), and the check takes small sizes; or leave the check out",
        ) from None
    return twin, f"checked at small sizes: {', '.join(f'{n} as {k}' for n, k in small.items())}"


def _entries(d: Derivation, small: dict[int, int]) -> int:
    return sum(
        prod(USUAL if isinstance(n, Dimension) else small.get(n, n) for n in s.shape) for s in d.f.symbols.values()
    )


def _replaced(f: Expression, small: dict[int, int]) -> Expression:
    """The function with other literal sizes."""

    def size(n: Any) -> Any:
        return small.get(n, n) if isinstance(n, int) and not isinstance(n, bool) else n

    def shape(dims: tuple[Dim, ...]) -> tuple[Dim, ...]:
        return tuple(map(size, dims))

    made: dict[Expr, Expr] = {
        s: symbol(s.name, shape(s.shape), read_properties(sorted(s.assumptions), s.name, shape(s.shape)))
        for s in f.symbols.values()
    }
    for node in topological([f.root]):
        if node not in made:
            made[node] = _rebuilt(node, made, size)
    inputs = tuple(x for s in f.inputs if isinstance(x := made[s], Symbol))
    return Expression(made[f.root], inputs, f.name, f.notes, f.vectors_as_rows, f.unused)


def _rebuilt(node: Expr, made: dict[Expr, Expr], size: Any) -> Expr:
    match node:
        case Named(name, body):
            return named(name, made[body])
        case Elementwise(function, arg):
            return elementwise(function, made[arg])
        case Structured(operation, args, attributes):
            changed = tuple(map(size, attributes))
            if operation == "affine" and changed != attributes:
                raise DataError("a slice does not fit any more")
            return apply(operation, *(made[a] for a in args), attributes=changed)
        case Sum(terms):
            return combine((c, made[t]) for c, t in terms)
        case Contraction(coefficient, factors, out):
            sizes = {i: size(n) for i, n in enumerate(node.dims)}
            return contract(((made[x], ls, p) for x, ls, p in factors), out, coefficient, sizes)
        case _:
            return node


__all__ = ["small_twin"]
