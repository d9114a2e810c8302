"""Index maps: one constant node for slices, shifts, padding, axes that are split or joined, and the windows of convolutions.

`affine(size, offset, (stride, count), ...)` is 1 where l = offset + Σ stride · i, and 0 elsewhere. In a product it puts that
index in the place of l: X at 2 j + k − 1 instead of X at l, and 0 where there is no such entry. It is constant, so no rule of
differentiation knows of it; summed over the i instead of over l, it is its own adjoint.
"""

from __future__ import annotations

from byhand.expr.contraction import P1, Label, LooseFactor, contract
from byhand.expr.dims import Dim, Shape, add_dims, divide_dims, floor_divide, multiply_dims, never_negative
from byhand.expr.nodes import Expr, Structured
from byhand.expr.operands import misfit
from byhand.expr.operations import apply


def affine(size: Dim, offset: Dim, *steps: tuple[Dim, Dim]) -> Expr:
    """The index map onto an axis of this size, of shape (size, count, ...).

    Args:
        size: of the axis that is indexed.
        offset: where all indices 0 stand.
        steps: of each index, its stride and how many values it has.
    Returns: the identity where one index picks every entry at its own place; else the node.
    """
    if offset == 0 and steps == ((1, size),):
        return contract([], "ii", dims={"i": size})
    return apply("affine", attributes=(size, offset, *(x for step in steps for x in step)))


def steps_of(attributes: tuple[Dim, ...]) -> list[tuple[Dim, Dim]]:
    """The strides and counts among the attributes of a map."""
    return list(zip(attributes[2::2], attributes[3::2], strict=True))


def is_map(node: Expr) -> bool:
    """Whether a node is an index map."""
    return isinstance(node, Structured) and node.operation == "affine"


def as_slice(node: Expr) -> tuple[Dim, Dim, Dim, Dim] | None:
    """Of a map of one index: the size of the axis, the first entry, the step, and how many."""
    if not isinstance(node, Structured) or node.operation != "affine" or len(node.attributes) != 4:
        return None
    size, first, step, count = node.attributes
    return size, first, step, count


def as_join(node: Expr) -> Shape | None:
    """Of a map that joins axes into one, first index slowest: how many entries each has."""
    if not isinstance(node, Structured) or node.operation != "affine":
        return None
    size, offset, *_ = node.attributes
    steps, stride = steps_of(node.attributes), 1  # type: tuple[list[tuple[Dim, Dim]], Dim]
    for s, count in reversed(steps):
        if s != stride:
            return None
        stride = multiply_dims(stride, count)
    return tuple(count for _, count in steps) if len(steps) != 1 and offset == 0 and stride == size else None


def stays_inside(attributes: tuple[Dim, ...]) -> bool:
    """Whether a map certainly has no index beyond its axis: a slice by what it is, windows without zeros around."""
    size, offset, *_ = attributes
    steps = steps_of(attributes)
    if len(steps) == 1:
        return True
    last = add_dims(size, multiply_dims(-1, add_dims(offset, 1)))
    for stride, count in steps:
        if not never_negative(stride):
            return False
        last = add_dims(last, multiply_dims(-1, multiply_dims(stride, add_dims(count, -1))))
    return never_negative(offset) and never_negative(last)


def joined(*counts: Dim) -> Expr:
    """The map that joins axes into one: l = (i · n + j) · m + k for axes of …, n, m."""
    steps: list[tuple[Dim, Dim]] = []
    stride: Dim = 1
    for count in reversed(counts):
        steps.insert(0, (stride, count))
        stride = multiply_dims(stride, count)
    return affine(stride, 0, *steps)


def window(x: Expr, axis: int, size: Dim, stride: Dim = 1, padding: Dim = 0) -> Expr:
    """The axis as two: the windows of a size, `stride` apart, and the places in them; zeros around the axis."""
    length = add_dims(x.shape[axis], multiply_dims(2, padding))
    room = add_dims(length, multiply_dims(-1, size))
    if isinstance(room, int) and room < 0:
        raise misfit(f"{{0}}: a window of {size} does not fit into an axis of {length}", [x])
    count = add_dims(floor_divide(room, stride), 1)
    node = affine(x.shape[axis], multiply_dims(-1, padding), (stride, count), (1, size))
    labels: list[Label] = list(range(x.ndim))
    return contract(
        [(x, labels, P1), (node, [axis, "window", "place"], P1)],
        [*labels[:axis], "window", "place", *labels[axis + 1 :]],
    )


# ---- reshaping


def reshape(x: Expr, shape: tuple[Dim, ...]) -> Expr:
    """The same entries in the same order under other axes.

    Axes are split and joined where sizes divide each other; where they don't, all that is between is joined and split.

    Raises: ShapeError: the shapes have different numbers of entries.
    """
    total, wanted = product_of(x.shape), product_of(shape)
    if total != wanted:
        raise misfit(f"reshape({{0}}, ...): {total} entries do not make {wanted}", [x])
    own: list[Label]
    out: list[Label]
    common = _common_parts(x.shape, shape)
    if common is None:
        own, out = list(range(x.ndim)), [("new", k) for k in range(len(shape))]
        both: list[LooseFactor] = [(joined(*x.shape), ["flat", *own], P1), (joined(*shape), ["flat", *out], P1)]
        return contract([(x, own, P1), *both], out)
    before, after, sizes = common
    factors: list[LooseFactor] = []
    own, out = [], []
    for side, labels, word in ((before, own, "old"), (after, out, "new")):
        for k, parts in enumerate(side):
            if len(parts) == 1:
                labels.append(parts[0])
            else:
                labels.append((word, k))
                counts = [sizes[p] for p in parts]
                factors.append((joined(*counts), [(word, k), *parts], P1))
    dims: dict[Label, Dim] = {label: n for label, n in zip(out, shape, strict=True)}
    return contract([(x, own, P1), *factors], out, dims=dims)


def product_of(shape: Shape) -> Dim:
    """How many entries an array has."""
    total: Dim = 1
    for n in shape:
        total = multiply_dims(total, n)
    return total


def _common_parts(before: Shape, after: Shape) -> tuple[list[list[int]], list[list[int]], list[Dim]] | None:
    """The axes of two shapes as products of common parts, and the sizes of the parts; None where there are none."""
    sizes: list[Dim] = []
    sides: tuple[list[list[int]], list[list[int]]] = ([], [])
    shapes = (list(before), list(after))
    open_: list[Dim | None] = [None, None]  # what is left of the axis that is being taken apart
    done = [0, 0]
    while True:
        for side in (0, 1):
            while open_[side] is None and done[side] < len(shapes[side]):
                n = shapes[side][done[side]]
                done[side] += 1
                sides[side].append([])
                if n == 1:
                    sides[side][-1].append(len(sizes))
                    sizes.append(1)
                else:
                    open_[side] = n
        a, b = open_
        if a is None or b is None:
            return *sides, sizes
        part = a if divide_dims(b, a) is not None else b if divide_dims(a, b) is not None else None
        if part is None:
            return None
        for side in (0, 1):
            sides[side][-1].append(len(sizes))
            rest = divide_dims(open_[side] or 1, part)
            open_[side] = None if rest == 1 else rest
        sizes.append(part)


__all__ = [
    "affine",
    "as_join",
    "as_slice",
    "is_map",
    "joined",
    "product_of",
    "reshape",
    "stays_inside",
    "steps_of",
    "window",
]
