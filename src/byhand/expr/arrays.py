"""The multilinear functions of the expression language, all of them contractions: sums, traces, einsum, identities."""

from __future__ import annotations

import re
from operator import index

from byhand.errors import ParseError
from byhand.expr.contraction import P1, Label, add, contract, filled, transpose
from byhand.expr.dims import ONE, ZERO, Coefficient, Dim, Shape, add_dims, dim_coefficient, divide_dims
from byhand.expr.indexmaps import affine, joined, product_of, reshape, window
from byhand.expr.nodes import Expr
from byhand.expr.operands import Operand, as_dim, fitting, lift, misfit
from byhand.expr.operations import apply
from byhand.expr.surface import matmul, minus, multiply, negative, power

MOST_OPERANDS = 16  # of einsum and concatenate
_KINDS = ("a scalar", "a vector", "a matrix")


def axes_of(x: Expr, axis: object) -> tuple[int, ...]:
    """The axes meant, counted from the front and in order; None is all of them."""
    if axis is None:
        return tuple(range(x.ndim))
    found = []
    for a in axis if isinstance(axis, (tuple, list)) else (axis,):
        try:
            given = None if isinstance(a, (bool, str, float, Expr)) else index(a)
        except TypeError:
            given = None
        if given is None:
            raise ParseError("an axis is an integer or a tuple of integers")
        if not -x.ndim <= given < x.ndim:
            raise misfit(f"axis {given}: {{0}} has {counted(x.ndim)}", [x])
        found.append(given % x.ndim)
    if len(set(found)) < len(found):
        raise ParseError("an axis is named twice")
    return tuple(sorted(found))


def counted(axes: int) -> str:
    """No axes, 1 axis, 2 axes."""
    return f"{axes or 'no'} {'axis' if axes == 1 else 'axes'}"


def of_rank(x: Operand, wanted: int, what: str) -> Expr:
    """The operand as a node with that many axes."""
    node = lift(x)
    if node.ndim != wanted:
        raise misfit(f"{what}: {_KINDS[wanted]} is needed, {{0}} has {counted(node.ndim)}", [node])
    return node


def square(x: Operand, what: str) -> Expr:
    """The operand as a square matrix."""
    node = of_rank(x, 2, what)
    if node.shape[0] != node.shape[1]:
        products = [("{0} @ {0}.T", node, transpose(node)), ("{0}.T @ {0}", transpose(node), node)]
        fits = fitting((t, matmul(a, b)) for t, a, b in products)
        raise misfit(f"{what}({{0}}): a square matrix is needed, {node.shape[0]} != {node.shape[1]}", [node], fits)
    return node


def sum_(x: Operand, axis: object = None, keepdims: bool = False) -> Expr:
    """Sum over axes."""
    node = lift(x)
    axes = axes_of(node, axis)
    out: list[Label] = []
    for i in range(node.ndim):
        if i not in axes:
            out.append(i)
        elif keepdims:
            out.append(("kept", i))
    return contract([(node, range(node.ndim), P1)], out, dims={("kept", i): 1 for i in axes} if keepdims else {})


def mean(x: Operand, axis: object = None, keepdims: bool = False) -> Expr:
    """Mean over axes."""
    node = lift(x)
    total: Coefficient = ONE
    for i in axes_of(node, axis):
        inverse = dim_coefficient(node.shape[i]).power(-P1)
        assert inverse is not None
        total = total.times(inverse)
    return multiply(contract([], (), total), sum_(node, axis, keepdims))


def maximum_over(x: Operand, axis: object = None, keepdims: bool = False) -> Expr:
    """The largest entry over axes, all by default. Its slope is that of the first of equal ones."""
    node = lift(x)
    axes = axes_of(node, axis)
    if not axes:
        return node
    return (
        with_axes(apply("max", node, attributes=(axes,)), node, axes)
        if keepdims
        else apply("max", node, attributes=(axes,))
    )


def minimum_over(x: Operand, axis: object = None, keepdims: bool = False) -> Expr:
    """The smallest entry over axes, all by default."""
    return negative(maximum_over(negative(x), axis, keepdims))


def argmax(x: Operand, axis: object = -1) -> Expr:
    """Where the largest entry over an axis stands, the first of equal ones: integers, without a derivative."""
    node = lift(x)
    axes = axes_of(node, axis)
    if len(axes) != 1:
        raise ParseError("argmax: one axis is needed")
    return apply("argmax", node, attributes=(axes,))


def winner(x: Operand, axis: object = None) -> Expr:
    """The 0/1 mask of the largest entry over axes, the first of equal ones."""
    node = lift(x)
    return apply("winner", node, attributes=(axes_of(node, axis),))


def with_axes(reduced: Expr, node: Expr, axes: tuple[int, ...]) -> Expr:
    """A reduction of a node over axes with these as axes of one entry."""
    kept = [i for i in range(node.ndim) if i not in axes]
    return contract([(reduced, kept, P1)], range(node.ndim), dims={i: 1 for i in axes})


def variance(x: Operand, axis: object = None, keepdims: bool = False) -> Expr:
    """The mean of the squared distances from the mean over axes: divided by n, not n − 1."""
    return mean(power(minus(x, mean(x, axis, True)), 2), axis, keepdims)


def deviation(x: Operand, axis: object = None, keepdims: bool = False) -> Expr:
    """The standard deviation over axes: the root of the variance."""
    return power(variance(x, axis, keepdims), 0.5)


def cumsum(x: Operand, axis: int | None = None) -> Expr:
    """Running sums along an axis."""
    node = lift(x)
    if axis is None and node.ndim != 1:
        raise misfit(f"cumsum({{0}}): an axis is needed, {{0}} has {counted(node.ndim)}", [node])
    axes = axes_of(node, 0 if axis is None else axis)
    if len(axes) != 1:
        raise ParseError("cumsum: one axis is needed")
    (k,) = axes
    out: list[Label] = list(range(node.ndim))
    out[k] = "sum"
    return contract(
        [(node, range(node.ndim), P1), (apply("triangle", attributes=(node.shape[k],)), ["sum", k], P1)], out
    )


def reshape_(x: Operand, *shape: object) -> Expr:
    """The same entries in the same order under other axes: reshape(X, (N, H, K)), X.reshape(N, H*K); one may be -1."""
    node = lift(x)
    parts = shape[0] if len(shape) == 1 and type(shape[0]) in (tuple, list) else shape
    if not isinstance(parts, (tuple, list)) or not len(parts) <= MOST_OPERANDS:
        raise ParseError(f"reshape: a shape of at most {MOST_OPERANDS} axes is needed, e.g. reshape(X, (N, H, K))")
    unknown = [k for k, p in enumerate(parts) if type(p) is int and p == -1]
    sizes: list[Dim] = [1 if k in unknown else as_dim(p) for k, p in enumerate(parts)]
    if len(unknown) > 1:
        raise ParseError("reshape: at most one axis is -1")
    if unknown:
        total, known = product_of(node.shape), product_of(tuple(sizes))
        rest = divide_dims(total, known)
        if rest is None:
            raise misfit(f"reshape({{0}}, ...): {total} entries are not divided by {known}", [node])
        sizes[unknown[0]] = rest
    return reshape(node, tuple(sizes))


def windows(x: Operand, axis: object, size: object, stride: object = 1, padding: object = 0) -> Expr:
    """The windows of an array: each axis as two, the windows and the places in them, zeros around.

    `stride` None puts the windows side by side; of several axes, each argument is one for all or one for each.
    """
    node = lift(x)
    axes = axes_of(node, axis)

    def each(value: object, what: str) -> list[object]:
        found = list(value) if type(value) in (tuple, list) else [value] * len(axes)  # type: ignore[call-overload]
        if len(found) != len(axes):
            raise ParseError(f"windows: one {what} or {len(axes)} are needed")
        return found

    sizes = [as_dim(s) for s in each(size, "size")]
    strides = [n if s is None else as_dim(s) for s, n in zip(each(stride, "stride"), sizes, strict=True)]
    paddings = [0 if type(p) is int and p == 0 else as_dim(p) for p in each(padding, "padding")]
    for k, (a, n, s, p) in enumerate(zip(axes, sizes, strides, paddings, strict=True)):
        node = window(node, a + k, n, s, p)
    return node


def trace(x: Operand) -> Expr:
    """Sum of the diagonal of a square matrix."""
    return contract([(square(x, "trace"), "ii", P1)], "")


def diag(x: Operand) -> Expr:
    """The diagonal matrix of a vector, or the diagonal of a square matrix."""
    node = lift(x)
    if node.ndim == 1:
        return contract([(node, "i", P1)], "ii")
    return contract([(square(node, "diag"), "ii", P1)], "i")


def outer(a: Operand, b: Operand) -> Expr:
    """The matrix of products of two vectors."""
    return contract([(of_rank(a, 1, "outer"), "i", P1), (of_rank(b, 1, "outer"), "j", P1)], "ij")


def inner(a: Operand, b: Operand) -> Expr:
    """Sum of a * b over all entries; the shapes must be equal."""
    x, y = lift(a), lift(b)
    if x.shape != y.shape:
        fits = []
        if x.ndim == 2 and transpose(y).shape == x.shape:
            fits = fitting([("inner({0}, {1}.T)", inner(x, transpose(y)))])
        raise misfit("inner({0}, {1}): the shapes must be equal", [x, y], fits)
    return sum_(multiply(x, y))


def norm(x: Operand, axis: object = None, keepdims: bool = False) -> Expr:
    """The root of the sum of squares over axes, all by default: the 2-norm of a vector, the Frobenius norm of a matrix."""
    return power(sum_(power(x, 2), axis, keepdims), 0.5)


def kron(a: Operand, b: Operand) -> Expr:
    """The Kronecker product of two matrices."""
    x, y = of_rank(a, 2, "kron"), of_rank(b, 2, "kron")
    rows, columns = (joined(*sizes) for sizes in zip(x.shape, y.shape, strict=True))
    return contract([(x, "ij", P1), (y, "kl", P1), (rows, "Iik", P1), (columns, "Jjl", P1)], "IJ")


def pairing(m: object, p: object) -> Expr:
    """One where I = i*p + k, of shape (m*p, m, p): the index pairs of a Kronecker product, for the tables of rules."""
    return joined(as_dim(m), as_dim(p))


def einsum(spec: object, *operands: Operand) -> Expr:
    """Einstein summation with an explicit output, e.g. einsum('bi,ij,bj->b', X, A, X)."""
    if not isinstance(spec, str) or not re.fullmatch(r"[A-Za-z]*(,[A-Za-z]*)*->[A-Za-z]*", spec.replace(" ", "")):
        raise ParseError("einsum: a pattern such as 'bi,ij,bj->b' is needed first, with letters, commas and ->")
    inputs, out = spec.replace(" ", "").split("->")
    parts = inputs.split(",")
    if len(parts) != len(operands):
        raise ParseError(f"einsum: {len(parts)} operands in the pattern, {len(operands)} given")
    if len(parts) > MOST_OPERANDS:
        raise ParseError(f"einsum: more than {MOST_OPERANDS} operands", "name an intermediate product")
    nodes = [lift(o) for o in operands]
    seen: dict[str, tuple[Dim, Expr]] = {}
    for part, node in zip(parts, nodes, strict=True):
        if len(part) != node.ndim:
            letters = f"{len(part)} letter{'s' * (len(part) != 1)}"
            raise misfit(f"einsum: '{part[:20]}' has {letters}, {{0}} has {counted(node.ndim)}", [node])
        for letter, size in zip(part, node.shape, strict=True):
            known, where = seen.setdefault(letter, (size, node))
            if known != size:
                names = [node] if where is node else [where, node]
                raise misfit(f"einsum: the letter {letter} stands for two dimensions, {known} != {size}", names)
    if not set(out) <= set(inputs):
        raise ParseError(f"einsum: '{''.join(sorted(set(out) - set(inputs)))}' is in the output only")
    if len(out) > 2 * len(seen):
        raise ParseError("einsum: a letter is repeated too often in the output")
    return contract([(n, p, P1) for n, p in zip(nodes, parts, strict=True)], out)


def swapaxes(x: Operand, i: int, j: int) -> Expr:
    """Two axes exchanged."""
    node = lift(x)
    (a,), (b,) = axes_of(node, i), axes_of(node, j)
    order = list(range(node.ndim))
    order[a], order[b] = order[b], order[a]
    return transpose(node, order)


def transpose_(x: Operand, axes: tuple[int, ...] | None = None) -> Expr:
    """Axes reversed, or in the order given."""
    node = lift(x)
    if axes is None:
        return transpose(node)
    order = [axes_of(node, a)[0] for a in (axes if isinstance(axes, (tuple, list)) else (axes,))]
    if sorted(order) != list(range(node.ndim)):
        raise ParseError("transpose: axes is a permutation of the axes")
    return transpose(node, order)


def eye(n: object) -> Expr:
    """The identity matrix."""
    return contract([], "ii", dims={"i": as_dim(n)})


def _shape(shape: tuple[object, ...]) -> Shape:
    parts = shape[0] if len(shape) == 1 and type(shape[0]) in (tuple, list) else shape
    if not isinstance(parts, (tuple, list)) or len(parts) > MOST_OPERANDS:
        raise ParseError(f"a shape has at most {MOST_OPERANDS} axes")
    return tuple(map(as_dim, parts))


def ones(*shape: object) -> Expr:
    """Ones of a shape: ones(n), ones((m, n))."""
    return filled(_shape(shape))


def zeros(*shape: object) -> Expr:
    """Zeros of a shape."""
    return filled(_shape(shape), ZERO)


def concatenate(parts: object, axis: int = 0) -> Expr:
    """Arrays joined along an axis."""
    if not isinstance(parts, (tuple, list)) or not 0 < len(parts) <= MOST_OPERANDS:
        raise ParseError(
            f"concatenate: a list of 1 to {MOST_OPERANDS} arrays is needed first, e.g. concatenate([A, B], axis=0)"
        )
    nodes = [lift(p) for p in parts]
    if len(found := axes_of(nodes[0], axis)) != 1:
        raise ParseError("concatenate: one axis is needed")
    (along,) = found
    for n in nodes[1:]:
        if n.ndim != nodes[0].ndim or any(
            s != t for i, (s, t) in enumerate(zip(n.shape, nodes[0].shape, strict=True)) if i != along
        ):
            raise misfit(f"concatenate([{{0}}, {{1}}], axis={axis}): the other axes differ", [nodes[0], n])
    total: Dim = 0
    offsets: list[Dim] = []
    for n in nodes:
        offsets.append(total)
        total = add_dims(total, n.shape[along])
    placed = []
    for n, offset in zip(nodes, offsets, strict=True):
        at = affine(total, offset, (1, n.shape[along]))
        out: list[Label] = [i if i != along else "joined" for i in range(n.ndim)]
        placed.append(contract([(n, range(n.ndim), P1), (at, ["joined", along], P1)], out))
    return add(*placed)
