"""The shape of a form: what its value has when nothing is left to broadcasting."""

from __future__ import annotations

from byhand.errors import MissingRuleError
from byhand.expr.dims import Shape, multiply_dims
from byhand.expr.operations import OPERATIONS
from byhand.rules.forms import Form

_AS_FIRST = frozenset(
    {"function", "mask", "heaviside", "gate", "minus_hot", "power", "sum", "hadamard", "differential"}
)
_SCALAR = frozenset({"number", "norm_squared", "norm", "dot", "inner", "trace", "total", "nll"})
_IN_DATA = frozenset({"fill", "spread_rows", "spread_columns", "reshape"})


def shape_of(form: Form) -> Shape:
    """The shape of a form's value.

    Raises: MissingRuleError: the kind is unknown.
    """
    kind, data = form.kind, form.data
    shapes = [shape_of(a) for a in form.args] if kind not in _SCALAR else []
    if kind in _SCALAR:
        return ()
    if kind == "name":
        return tuple(data.shape)
    if kind in _AS_FIRST:
        return shapes[0]
    if kind in _IN_DATA:
        return tuple(data)
    match kind:
        case "scaled":
            return shapes[-1] if data.has_core else ()
        case "operation":
            return _operation(data[0], data[1][1:], shapes)
        case "matvec" | "row_sums":
            return shapes[0][:-1]
        case "column_sums":
            return shapes[0][1:]
        case "matmul":
            return _matmul(*shapes)
        case "addmm":
            return _matmul(*shapes[1:])
        case "outer":
            return (*shapes[0], *shapes[1])
        case "scale_rows" | "scale_columns":
            return shapes[1]
        case "diagonal":
            return shapes[0][:1]
        case "transpose":
            return shapes[0][::-1]
        case "diagonal_matrix":
            return (*shapes[0], *shapes[0])
        case "identity":
            return (data[0], data[0])
        case "kron":
            return tuple(multiply_dims(m, n) for m, n in zip(*shapes, strict=True))
        case "einsum":
            return tuple(data[1].shape) if isinstance(data, tuple) else tuple(data.sizes[x] for x in data.out)
        case "solve":
            return shapes[1]
        case "sums" | "means" | "squeeze":
            return tuple(n for i, n in enumerate(shapes[0]) if i not in data)
        case "expand":
            return tuple(data.shape)
        case "permute":
            return tuple(shapes[0][i] for i in data)
        case "slice":
            return tuple(p.length if p else n for p, n in zip(data, shapes[0], strict=True) if not (p and p.drop))
        case "pad":
            return tuple(p.size if p else n for p, n in zip(data, shapes[0], strict=True))
        case "concatenate":
            return tuple(data[1])
        case "take":
            return (*shapes[0][:data], *shapes[1], *shapes[0][data + 1 :])
        case "pick":
            return shapes[0][:-1]
        case "scatter":
            return (data, *shapes[0][len(shapes[1]) :])
    raise MissingRuleError(f"no shape of the form {kind} is known", "add a case to byhand/code/shapes.py")


def _matmul(left: Shape, right: Shape) -> Shape:
    """A @ B where one of them may be a vector or a stack."""
    if len(right) == 1:
        return left[:-1]
    stack = left[:-2] if len(left) >= len(right) else right[:-2]
    return (*stack, left[-2], right[-1])


def _operation(name: str, attributes: tuple[object, ...], shapes: list[Shape]) -> Shape:
    match name:
        case "det" | "logdet":
            return ()
        case "logsumexp" | "max" | "argmax":
            (axes,) = attributes
            return tuple(n for i, n in enumerate(shapes[0]) if i not in axes)  # type: ignore[operator]
        case "one_hot":
            return (*shapes[0], attributes[0])  # type: ignore[arg-type]
        case "affine" | "triangle" | "arange":
            return OPERATIONS[name].shape((), attributes)
        case "inv" | "adjugate" | "softmax" | "log_softmax" | "power" | "where" | "winner":
            return shapes[0]
    raise MissingRuleError(f"no shape of the operation {name} is known", "add a case to byhand/code/shapes.py")
