"""Normalisation, convolution and pooling of PyTorch in nodes; the statistics are intermediates with names."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from byhand.errors import ParseError
from byhand.expr.arrays import axes_of, mean, sum_
from byhand.expr.contraction import contract
from byhand.expr.dims import Dim, add_dims, dim_coefficient, multiply_dims
from byhand.expr.nodes import Expr
from byhand.expr.surface import minus, multiply, plus, power
from byhand.ingest import meaning

if TYPE_CHECKING:
    from byhand.ingest.torch_rows import Call

HALF = Fraction(1, 2)


def variance(x: Expr, axes: Any, keepdims: bool, correction: int = 0) -> Expr:
    """The mean of the squared distances to the mean; divided by n - correction."""
    squares = power(minus(x, mean(x, axes, True)), 2)
    if not correction:
        return mean(squares, axes, keepdims)
    n: Dim = 1
    for a in axes_of(x, axes):
        n = multiply_dims(n, x.shape[a])
    less = add_dims(n, -correction)
    inverse = dim_coefficient(less).power(Fraction(-1)) if less != 0 else None
    if inverse is None:
        raise ParseError(f"a variance of {n} numbers divided by {less}")
    return multiply(contract([], (), inverse), sum_(squares, axes, keepdims))


def _normalised(c: Call, x: Expr, axes: tuple[int, ...], eps: float, centred: bool = True) -> Expr:
    """(x - mean) / √(variance + ε), its parts named."""
    if centred:
        x = c.local("centred", minus(x, c.local("mean", mean(x, axes, True))))
    scale = c.local("scale", power(plus(mean(power(x, 2), axes, True), c.builder.number(eps)), -HALF))
    return multiply(x, scale)


def _affine(c: Call, y: Expr, gain: Expr | None, bias: Expr | None, channel: int | None = None) -> Expr:
    """gain · y + bias; along the channels, or along the last axes."""
    if gain is None and bias is None:
        return y
    y = c.local("normal", y)

    def along(p: Expr) -> Expr:
        return (
            p
            if channel is None or channel == y.ndim - 1
            else meaning.reshape(p, (p.shape[0], *(1 for _ in y.shape[channel + 1 :])))
        )

    y = y if gain is None else multiply(y, along(gain))
    return y if bias is None else plus(y, along(bias))


def layer_norm(c: Call) -> Expr:
    """Over the last axes."""
    x = c.e("input")
    axes = tuple(range(x.ndim - len(c["normalized_shape"]), x.ndim))
    return _affine(c, _normalised(c, x, axes, c["eps"]), c.maybe("weight"), c.maybe("bias"))


def rms_norm(c: Call) -> Expr:
    """Divided by the root of the mean square."""
    x = c.e("input")
    axes = tuple(range(x.ndim - len(c["normalized_shape"]), x.ndim))
    eps = c["eps"] if c["eps"] is not None else c.eps
    return _affine(c, _normalised(c, x, axes, eps, centred=False), c.maybe("weight"), None)


def batch_norm(c: Call) -> Expr:
    """Over all axes but the channels: with the statistics of the batch, or those that were kept."""
    x = c.e("input")
    if c["training"] or c["running_mean"] is None:
        axes = tuple(k for k in range(x.ndim) if k != 1)
        y = _normalised(c, x, axes, c["eps"])
    else:
        shape = [1 for _ in x.shape[2:]]
        kept = [meaning.reshape(c.e(n), (x.shape[1], *shape)) for n in ("running_mean", "running_var")]
        y = multiply(minus(x, kept[0]), power(plus(kept[1], c.builder.number(c["eps"])), -HALF))
    return _affine(c, y, c.maybe("weight"), c.maybe("bias"), 1)


def group_norm(c: Call) -> Expr:
    """Over groups of channels and all of space."""
    x, groups = c.e("input"), int(c["num_groups"])
    sizes = c.builder.sizes.concrete(x.shape)
    if groups == 1:
        y = _normalised(c, x, tuple(range(1, x.ndim)), c["eps"])
    else:
        inside = (x.shape[0], groups, c.builder.sizes.dim(sizes[1] // groups), *x.shape[2:])
        y = meaning.reshape(_normalised(c, meaning.reshape(x, inside), tuple(range(2, x.ndim + 1)), c["eps"]), x.shape)
    return _affine(c, y, c.maybe("weight"), c.maybe("bias"), 1)


def instance_norm(c: Call) -> Expr:
    """Over space, for each sample and channel."""
    x = c.e("input")
    if not c["use_input_stats"]:
        raise c.refuse("statistics that were kept")
    return _affine(c, _normalised(c, x, tuple(range(2, x.ndim)), c["eps"]), c.maybe("weight"), c.maybe("bias"), 1)


def convolution(c: Call) -> Expr:
    """conv1d, conv2d."""
    x, w = c.e("input"), c.e("weight")
    space = w.ndim - 2
    padding = c["padding"]
    if isinstance(padding, str):
        sizes = c.builder.sizes.concrete(w.shape)[2:]
        padding = [0] * space if padding == "valid" else [((k - 1) // 2, k // 2) for k in sizes]
    unbatched = x.ndim == space + 1
    x = meaning.reshape(x, (1, *x.shape)) if unbatched else x
    y = meaning.convolution(
        c.builder, x, w, _all(c["stride"], space), _all(padding, space), _all(c["dilation"], space), int(c["groups"])
    )
    bias = c.maybe("bias")
    y = y if bias is None else plus(y, meaning.reshape(bias, (bias.shape[0], *(1 for _ in range(space)))))
    return meaning.reshape(y, y.shape[1:]) if unbatched else y


def _all(value: Any, space: int) -> list[Any]:
    found = list(value) if isinstance(value, (list, tuple)) else [value]
    return found * space if len(found) == 1 else found


def pool(name: str) -> Callable[[Call], Expr]:
    """A pool of the language."""
    space = int(name[-2])

    def row(c: Call) -> Expr:
        size = _all(c["kernel_size"], space)
        stride = _all(c["stride"], space) if c["stride"] else size
        plain = c["ceil_mode"] in (None, False) and _all(c["dilation"] or 1, space) == [1] * space
        if not plain or c["divisor_override"] or any(_all(c["padding"] or 0, space)):
            raise c.refuse("a pool with padding, dilation or a ceiling")
        one = size[0] if len({*size}) == 1 else tuple(size)
        step = stride[0] if len({*stride}) == 1 else tuple(stride)
        return meaning.word(name)(c.e("self"), one, step)

    return row


def adaptive(c: Call) -> Expr:
    """A mean over all of space, or over equal parts of it."""
    x = c.e("self")
    space = len(c["output_size"])
    sizes = c.builder.sizes.concrete(x.shape)[-space:]
    if all(n == 1 for n in c["output_size"]):
        return mean(x, tuple(range(x.ndim - space, x.ndim)), True)
    if any(n % m for n, m in zip(sizes, c["output_size"], strict=True)):
        raise c.refuse("parts of different size")
    parts = [n // m for n, m in zip(sizes, c["output_size"], strict=True)]
    return meaning.word(f"avg_pool{space}d")(x, parts[0] if len({*parts}) == 1 else tuple(parts))
