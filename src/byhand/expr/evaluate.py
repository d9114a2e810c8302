"""The NumPy interpreter: the reference against which printed code and derivations are checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from math import prod
from typing import Any, assert_never, cast

import numpy as np

from byhand.errors import DataError, nearest
from byhand.expr.assume import broken_properties
from byhand.expr.cofactors import with_adjugates
from byhand.expr.dims import Dim, Dimension, Shape, dim_names, dim_value, show_shape
from byhand.expr.expression import Expression, as_expression
from byhand.expr.functions import function
from byhand.expr.given import read_array
from byhand.expr.nodes import (
    Constant,
    Contraction,
    Differential,
    Elementwise,
    Expr,
    Named,
    Structured,
    Sum,
    Symbol,
    topological,
)
from byhand.expr.norms import with_slopes
from byhand.expr.operations import OPERATIONS
from byhand.expr.sizes import solved_names
from byhand.memory import within_memory

Array = Any
SMALL, MOST_FACTORS = (
    2**14,
    30,
)  # a loop over this many terms costs less than finding a better way; NumPy takes 32 arrays
Values = Mapping[Expr, Array]


def evaluate(expression: Expression | Expr, *, check: bool = False, **arrays: Any) -> Any:
    """The value of an expression.

    Args:
        expression: what `parse`, `trace` or `derive(...).gradient` returned.
        check: also check that the data have the properties declared for them.
        arrays: one array per input that occurs.
    Raises: DataError: an array is missing, unknown, of the wrong shape or kind, or (with check) breaks a property.
    """
    e = as_expression(expression)
    from byhand.expr.plain import check_numbers, numbers  # which evaluates numbers

    values, sizes = bind(e, arrays, check=check)
    check_numbers(numbers([e.root]), sizes)
    root = e.root if e.forward is None else with_slopes(e.root, e.forward)
    with within_memory(f"the value of {e.name}"):
        return evaluate_node(with_adjugates(root), values, sizes)


def bind(e: Expression, arrays: Mapping[str, Any], check: bool = False) -> tuple[dict[Expr, Array], dict[str, int]]:
    """The arrays by input node, and the sizes of the named dimensions, both checked."""
    symbols = e.symbols
    occurring = {n.name for n in topological([e.root]) if isinstance(n, Symbol)}
    for name in arrays:
        if name not in symbols:
            raise DataError(f"no input is called {name}{nearest(name, list(symbols))}", f"inputs: {', '.join(symbols)}")
    missing = [n for n in symbols if n in occurring and n not in arrays]
    if missing:
        raise DataError(f"missing: {', '.join(f'{n} {show_shape(symbols[n].shape)}' for n in missing)}")
    values: dict[Expr, Array] = {symbols[name]: as_array(name, value, symbols[name]) for name, value in arrays.items()}
    sizes = read_sizes({name: (symbols[name].shape, values[symbols[name]].shape) for name in arrays})
    for name in arrays:
        if values[symbols[name]].size == 0:
            raise DataError(f"{name}: an array of shape {values[symbols[name]].shape} is empty")
    if check:
        broken = broken_properties({n: s.assumptions for n, s in symbols.items()}, arrays)
        if broken:
            raise DataError(*broken, "declare what the data have, or mend the data")
    return values, sizes


def as_array(name: str, value: Any, s: Symbol) -> Array:
    """The value as a float, complex or (for labels) integer array."""
    array = read_array(name, value)
    if "labels" in s.assumptions:
        if array.dtype.kind not in "iu":
            remedy = f"{name}.astype(int)" if array.dtype.kind == "f" and np.all(array == np.round(array)) else ""
            raise DataError(
                f"{name}: integer labels are needed, not {array.dtype}", *([f"this fits: {remedy}"] if remedy else [])
            )
        return array
    half = array.dtype.kind == "f" and array.dtype.itemsize < 4  # which LAPACK does not compute with
    return array.astype(np.float64) if half or array.dtype.kind in "biu" else array


def read_sizes(shapes: Mapping[str, tuple[Shape, tuple[int, ...]]]) -> dict[str, int]:
    """The sizes of the named dimensions.

    Args:
        shapes: by input, its shape and that of its array.
    Raises: DataError: a size contradicts another, or no size of a name fits.
    """
    axes = [(name, d, n) for name, (shape, actual) in shapes.items() for d, n in _paired(name, shape, actual)]
    sizes: dict[str, int] = {}
    for s in solved_names([d for _, d, _ in axes]):
        name, d, n = axes[s.place]
        size = s.size(n, sizes)
        if size is None:
            known = ", ".join(f"{x} = {sizes[x]}" for x in sorted(dim_names(d) & set(sizes)))
            raise DataError(
                f"{name}: an axis of {d} has {n} entries: no {s.name} fits{f' with {known}' if known else ''}"
            )
        sizes[s.name] = size
    first: dict[str, str] = {}
    for name, d, n in axes:
        if dim_names(d) <= set(sizes) and dim_value(d, sizes) != n:
            shape, actual = shapes[name]
            got = f"expected shape {show_shape(shape)}, got {actual}"
            if isinstance(d, Dimension) and str(d) in first:
                raise DataError(f"{name}: dimension {d} is {n}, but {first[str(d)]} has {dim_value(d, sizes)}", got)
            because = ", ".join(f"{x} = {sizes[x]}" for x in sorted(dim_names(d)))
            raise DataError(f"{name}: {got}{f', where {because}' if because else ''}")
        first.setdefault(str(d), name)
    return sizes


def _paired(name: str, shape: Shape, actual: tuple[int, ...]) -> Iterable[tuple[Dim, int]]:
    if len(shape) != len(actual):
        raise DataError(f"{name}: expected shape {show_shape(shape)}, got {actual}")
    return zip(shape, actual, strict=True)


def evaluate_node(root: Expr, values: Values, sizes: Mapping[str, int]) -> Array:
    """The value of a node; `values` holds inputs and, where they occur, differentials."""
    return evaluate_nodes([root], values, sizes)[root]


def evaluate_nodes(roots: list[Expr], values: Values, sizes: Mapping[str, int]) -> dict[Expr, Array]:
    """The values of all nodes below the roots."""
    done: dict[Expr, Array] = {}
    for node in topological(roots):
        done[node] = values[node] if node in values else node_value(node, done, sizes)
    return done


def node_value(node: Expr, done: Mapping[Expr, Array], sizes: Mapping[str, int]) -> Array:
    """The value of one node, those of its children given."""
    match node:
        case Symbol(name):
            raise DataError(f"no value for {name}")
        case Differential():
            raise DataError("no value for a differential")
        case Constant():
            return np.float64(node.value)
        case Named(_, body):
            return done[body]
        case Elementwise(name, arg):
            return function(name).numpy(np.asarray(done[arg]))
        case Structured(operation, args, attributes):
            return _structured(operation, args, [done[a] for a in args], attributes, sizes)
        case Sum(terms):
            total = sum(c.evaluate(sizes) * done[t] for c, t in terms)
            return cast(Array, total)
        case Contraction():
            value = contraction_value(node, [done[f] for f, _, _ in node.factors], sizes)
            return value if np.all(np.isfinite(value)) else _selected_value(node, value, done, sizes)
        case _:
            assert_never(cast(Any, node))


def _selected_value(node: Contraction, value: Array, done: Mapping[Expr, Array], sizes: Mapping[str, int]) -> Array:
    """The value of a product of which a factor has none where a mask is zero."""
    from byhand.expr.masks import selected  # it is rarely needed

    chosen = selected(node)
    if chosen is node:
        return value
    known = dict(done)
    for new in topological([chosen]):
        if new not in known:
            known[new] = (
                contraction_value(new, [known[f] for f, _, _ in new.factors], sizes)
                if isinstance(new, Contraction)
                else node_value(new, known, sizes)
            )
    return known[chosen]


def _structured(
    operation: str, args: tuple[Expr, ...], arrays: list[Array], attributes: tuple[Any, ...], sizes: Mapping[str, int]
) -> Array:
    if operation == "one_hot":
        labels, classes = np.asarray(arrays[0]), dim_value(attributes[0], sizes)
        name = args[0].name if isinstance(args[0], (Symbol, Named)) else "labels"
        if labels.dtype.kind not in "iu":
            raise DataError(f"{name}: integer labels are needed, not {labels.dtype}")
        wrong = np.argwhere((labels < 0) | (labels >= classes))
        if len(wrong):
            place = tuple(map(int, wrong[0]))
            at = f" at {place[0] if len(place) == 1 else place}" if place else ""
            known = f"there are {classes} classes: labels are 0 to {classes - 1}"
            raise DataError(f"{name}: the label {int(labels[place])}{at} is outside 0..{classes - 1}", known)
    if operation == "affine":
        check_slice(attributes, sizes)
    try:
        return OPERATIONS[operation].numpy(arrays, attributes, sizes)
    except np.linalg.LinAlgError as error:
        argument = f" {args[0].name}" if isinstance(args[0], (Symbol, Named)) else ""
        raise DataError(f"{operation}: {str(error).lower()}{argument}") from None


def check_slice(attributes: tuple[Dim, ...], sizes: Mapping[str, int]) -> None:
    """A map of one index is a slice, which lies inside its axis; those of windows may reach beyond.

    Raises: DataError: it does not, for these sizes.
    """
    size, first, *steps = (dim_value(a, sizes) for a in attributes)
    if any(count < 1 for count in steps[1::2]):
        raise DataError(f"a slice or window of an axis of {size} has no entries")
    if len(steps) == 2:
        ends = sorted((first, first + steps[0] * (steps[1] - 1)))
        if ends[0] < 0 or ends[1] >= size:
            raise DataError(f"a slice from {ends[0]} to {ends[1] + 1} is outside an axis of {size}")


@lru_cache(maxsize=4096)
def _contractor(labels: tuple[tuple[int, ...], ...], out: tuple[int, ...], shapes: tuple[tuple[int, ...], ...]) -> Any:
    """The product of arrays of these shapes, its order of association found once; small ones in a single loop."""
    import opt_einsum  # slow to import, and training evaluates nothing

    sizes = {label: n for ls, shape in zip(labels, shapes, strict=True) for label, n in zip(ls, shape, strict=True)}
    sides = ["".join(map(opt_einsum.get_symbol, ls)) for ls in (*labels, out)]
    formula = f"{','.join(sides[:-1])}->{sides[-1]}"
    if prod(sizes.values()) <= SMALL and len(shapes) < MOST_FACTORS and formula.isascii():
        return partial(np.einsum, formula)
    return opt_einsum.contract_expression(formula, *shapes)


def contraction_value(node: Contraction, arrays: list[Array], sizes: Mapping[str, int]) -> Array:
    """The value of a contraction, its factors given."""
    n = [dim_value(d, sizes) for d in node.dims]
    have = {label for _, ls, _ in node.factors for label in ls}
    distinct = list(dict.fromkeys(node.out))
    inner = [label for label in distinct if label in have]
    value: Array = np.float64(1.0)
    if node.factors:
        operands = [
            np.asarray(a if p == 1 else np.asarray(a) ** (int(p) if p.denominator == 1 and p > 0 else float(p)))
            for a, (_, _, p) in zip(arrays, node.factors, strict=True)
        ]
        if not have:
            value = np.prod(operands)
        elif len(operands) == 1 and node.factors[0][1] == tuple(inner):
            value = operands[0]
        else:
            labels = tuple(ls for _, ls, _ in node.factors)
            value = _contractor(labels, tuple(inner), tuple(o.shape for o in operands))(*operands)
    value = node.coefficient.evaluate(sizes) * np.asarray(value)
    value = np.broadcast_to(np.reshape(value, [n[i] if i in have else 1 for i in distinct]), [n[i] for i in distinct])
    if len(distinct) == len(node.out):
        return value
    full = np.zeros([n[i] for i in node.out], dtype=np.asarray(value).dtype)
    grid = np.meshgrid(*[np.arange(n[i]) for i in distinct], indexing="ij")
    full[tuple(grid[distinct.index(i)] for i in node.out)] = value
    return full
