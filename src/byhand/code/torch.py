"""The PyTorch target: one row per kind of form, where its library differs from NumPy.

Beside the kinds of all targets, the forms of a PyTorch program may be one of

    addmm       b + A B
    gate        the first where the second is positive, else 0: the pullback of relu in one pass
    nll         the mean of minus the entries of the first at the integers of the second
    minus_hot   the first minus one at the integers of the second
"""

from __future__ import annotations

from byhand.code.axes import LETTERS
from byhand.code.forms import Einsum, Span, is_boolean
from byhand.code.numpy import FUNCTIONS as NUMPY_FUNCTIONS
from byhand.code.numpy import NUMPY
from byhand.code.operations import OPERATIONS, call_row, over_axes
from byhand.code.program import Statement
from byhand.code.python import Code, Level, call, dim_code, literal, minus
from byhand.code.shapes import shape_of
from byhand.code.writer import Row, Writer, joined, tuple_code
from byhand.errors import ByhandError
from byhand.expr.dims import Shape, add_dims
from byhand.rules.forms import Form, Scale

FUNCTIONS = {name: code.replace("np.", "torch.") for name, code in NUMPY_FUNCTIONS.items()} | {
    "sigmoid": "torch.sigmoid({z})",
    "log_sigmoid": "torch.nn.functional.logsigmoid({z})",
    "softplus": "-torch.nn.functional.logsigmoid(-{z})",  # its own softplus is z from 20 on
    "step": "({z} > 0).to({dtype})",
    "nonnegative": "({z} >= 0).to({dtype})",
    "stop_gradient": "{z}.detach()",
    "relu": "torch.relu({z})",
    "leaky_relu": "torch.nn.functional.leaky_relu({z}, 0.01)",
    "elu": "torch.nn.functional.elu({z})",
    "selu": "torch.selu({z})",
    "gelu": "torch.nn.functional.gelu({z})",
    "silu": "torch.nn.functional.silu({z})",
    "hard_tanh": "torch.clamp({z}, -1.0, 1.0)",
    "erf": "torch.erf({z})",
    "normal_cdf": "torch.special.ndtr({z})",
}
# Of numbers that are known before any tensor is.
OF_NUMBERS = {
    **{name: f"math.{name}({{z}})" for name in ("exp", "log", "log1p", "expm1", "sin", "cos", "tan", "sinh", "cosh")},
    **{f"arc{name}": f"math.a{name}({{z}})" for name in ("sin", "cos", "tan", "sinh")},
    **{name: f"math.{name}({{z}})" for name in ("tanh", "erf")},
    "sigmoid": "1 / (1 + math.exp(-{z}))",
    "abs": "abs({z})",
    "relu": "max({z}, 0.0)",
    "step": "float({z} > 0)",
    "sign": "float({z} > 0) - float({z} < 0)",
    "normal_cdf": "math.erfc(-{z} / math.sqrt(2)) / 2",
    "normal_pdf": "math.exp(-({z}**2) / 2) / math.sqrt(2 * math.pi)",
}


def _over(w: Writer, f: Form, keep: bool = False) -> Code:
    """Sums and means over axes."""
    a, axes, word = w.full(f.args[0]), f.data, "sum" if f.kind == "sums" else "mean"
    shape = tuple(1 if i in axes else n for i, n in enumerate(a.shape) if keep or i not in axes)
    if len(axes) == len(a.shape) and not keep:
        return Code(call(f"torch.{word}", a.text))
    over = [f"dim={axes[0] if len(axes) == 1 else axes}", *(["keepdim=True"] if keep else [])]
    return Code(call(f"{a.at(Level.ATOM)}.{word}", *over), shape=shape)


def _permute(w: Writer, f: Form) -> Code:
    a = w.full(f.args[0])
    moved = [i for i, axis in enumerate(f.data) if i != axis]
    method = f"transpose({moved[0]}, {moved[1]})" if len(moved) == 2 else f"permute{f.data}"
    return Code(f"{a.at(Level.ATOM)}.{method}", shape=shape_of(f), view=a.view)


def _pick(w: Writer, f: Form) -> Code:
    values, labels = f.args
    rank = values.rank - 1
    index, first = ("[:, None]", "[:, 0]") if rank == 1 else ("[..., None]", "[..., 0]")
    at = f"{w.full(labels).at(Level.ATOM)}{index}"
    return Code(f"{call(f'{w.full(values).at(Level.ATOM)}.gather', str(rank), at)}{first}", shape=shape_of(f))


def _scatter(w: Writer, f: Form) -> Code:
    """Rows added at their places; of several axes of labels, as one."""
    values, labels = (w.full(a).at(Level.ATOM) for a in f.args)
    axes = f.args[1].rank
    if axes > 1:
        labels, values = f"{labels}.flatten()", f"{values}.flatten(0, {axes - 1})"
    total = call("torch.zeros", w.shape(shape_of(f)), *w.dtype)
    return Code(f"{total}.index_add(0, {labels}, {values})", shape=shape_of(f))


def _pad(w: Writer, f: Form) -> Code:
    """Zeros around, given for the last axis first."""
    around: list[str] = []
    for span in reversed(f.data):
        around += _widths(w, span)
    return Code(call("torch.nn.functional.pad", w.full(f.args[0]).text, tuple_code(around)), shape=shape_of(f))


def _widths(w: Writer, span: Span | None) -> list[str]:
    if span is None:
        return ["0", "0"]
    behind = add_dims(span.size, minus(add_dims(span.first, span.length)))
    return [dim_code(span.first, w.size).text, dim_code(behind, w.size).text]


def _concatenate(w: Writer, f: Form) -> Code:
    axis, shape = f.data
    parts = f"[{', '.join(w.full(a).text for a in f.args)}]"
    return Code(call("torch.cat", parts, *([f"dim={axis}"] if axis else [])), shape=shape)


def _einsum(w: Writer, f: Form) -> Code:
    data: Einsum = f.data
    used = list(dict.fromkeys([*data.out, *(x for ls in data.labels for x in ls)]))
    letter = dict(zip(used, LETTERS, strict=False))
    spec = ",".join("".join(letter[x] for x in ls) for ls in data.labels) + "->" + "".join(letter[x] for x in data.out)
    return Code(call("torch.einsum", f'"{spec}"', *(w.full(a).text for a in f.args)), shape=shape_of(f), view=True)


def _heaviside(w: Writer, f: Form) -> Code:
    z = w.code(f.args[0])
    if f.data == 1:
        return Code(f"({z.at(Level.SUM)} >= 0).to({w.type_of()})", shape=z.shape)
    return Code(f"0.5 * (1 + {call('torch.sign', z.text)})", Level.TIMES, z.shape)


def _where(w: Writer, f: Form) -> Code:
    condition, *codes = map(w.code, f.args)
    if not is_boolean(f.args[0]):
        condition = Code(f"{condition.at(Level.SUM)} != 0", Level.COMPARE, condition.shape, plain=condition.plain)
    if condition.plain:
        condition = Code(f"{w.tensor()}.new_tensor({condition.text}, dtype=bool)")
    first, second = (c.text for c in codes)
    if codes[0].plain and codes[1].plain:  # two numbers would take the precision that is set for all
        first = f"{w.tensor()}.new_tensor({first})"
    return Code(
        call("torch.where", condition.text, first, second), shape=joined([c.shape for c in (condition, *codes)])
    )


def _one_hot(w: Writer, f: Form) -> Code:
    hot = call("torch.nn.functional.one_hot", w.full(f.args[0]).text, w.dim(f.data[1][1]).text)
    return Code(f"{hot}.to({w.type_of()})", shape=shape_of(f))


def _kron(w: Writer, f: Form) -> Code:
    """torch.kron (2.13) refuses operands whose rows are not contiguous."""
    operands = (f"{w.full(a).at(Level.ATOM)}.contiguous()" for a in f.args)
    return Code(call("torch.kron", *operands), shape=shape_of(f))


def _addmm(w: Writer, f: Form) -> Code:
    return Code(
        call("torch.addmm", *(w.full(a).text for a in f.args)), shape=shape_of(f.args[1])[:1] + shape_of(f.args[2])[1:]
    )


def _gate(w: Writer, f: Form) -> Code:
    values, z = map(w.full, f.args)
    return Code(call("torch.ops.aten.threshold_backward", values.text, z.text, "0"), shape=values.shape)


def _nll(w: Writer, f: Form) -> Code:
    return Code(call("torch.nn.functional.nll_loss", *(w.full(a).text for a in f.args)))


def _minus_hot(w: Writer, f: Form, method: str = "scatter_add") -> Code:
    values, labels = map(w.full, f.args)
    rows = w.dim(values.shape[0]).text
    name = values.at(Level.ATOM)
    return Code(
        call(f"{name}.{method}", "1", f"{labels.at(Level.ATOM)}[:, None]", f"{name}.new_full(({rows}, 1), -1.0)"),
        shape=values.shape,
    )


def _softmax(name: str) -> Row:
    """PyTorch's own over one axis; over several by log-sum-exp."""
    one_axis = over_axes(f"torch.{name}", last=None)

    def row(w: Writer, f: Form) -> Code:
        axes = f.data[1][1]
        if len(axes) == 1:
            return one_axis(w, f)
        z = w.full(f.args[0])
        log = f"{z.at(Level.SUM)} - torch.logsumexp({z.text}, dim={axes}, keepdim=True)"
        if name == "log_softmax":
            return Code(log, Level.SUM, shape_of(f))
        return Code(call("torch.exp", log), shape=shape_of(f))

    return row


TORCH_OPERATIONS: dict[str, Row] = {
    **OPERATIONS,
    "softmax": _softmax("softmax"),
    "log_softmax": _softmax("log_softmax"),
    "logsumexp": over_axes("torch.logsumexp", last=None),
    "where": _where,
    "one_hot": _one_hot,
    "max": over_axes("torch.amax", last=None),
}
TORCH: dict[str, Row] = {
    **NUMPY,
    "sums": _over,
    "means": _over,
    "sums kept": lambda w, f: _over(w, f, keep=True),
    "means kept": lambda w, f: _over(w, f, keep=True),
    "permute": _permute,
    "pick": _pick,
    "scatter": _scatter,
    "pad": _pad,
    "concatenate": _concatenate,
    "einsum": _einsum,
    "heaviside": _heaviside,
    "norm": call_row("linalg.vector_norm"),
    "kron": _kron,
    "addmm": _addmm,
    "gate": _gate,
    "nll": _nll,
    "minus_hot": _minus_hot,
}


class TorchWriter(Writer):
    """Source for PyTorch."""

    np, target, home, writes_in_place = "torch", "PyTorch", "byhand/code/torch.py", True
    rows, operations, functions = TORCH, TORCH_OPERATIONS, FUNCTIONS

    def right(self, s: Statement) -> str:
        """The right-hand side; in the place of its argument where nobody reads that again."""
        if s.leaf not in self.in_place:
            text = super().right(s)
            if s.result is None or s.leaf not in self.plain:
                return text
            self.plain.discard(s.leaf)
            return f"{self.tensor()}.new_tensor({text})"  # autograd takes no numbers of Python's
        if s.form.kind == "function":
            return f"{self.program.names[self.in_place[s.leaf]]}.{s.form.data}_()"
        minus = s.form if s.form.kind == "minus_hot" else s.form.args[0]
        text = _minus_hot(self, minus, "scatter_add_").text
        if minus is s.form:
            return text
        factor = self.code(Form("scaled", (), Scale(s.form.data.coefficient, (), False)))
        return f"{text}.mul_({factor.text})"

    def shape(self, shape: Shape) -> str:
        """A shape as a tuple: PyTorch's full and broadcast_to take no bare size."""
        return tuple_code([self.dim(d).text for d in shape])

    @property
    def dtype(self) -> list[str]:
        """Type and device of a tensor of constants."""
        name = self.tensor()
        return [f"dtype={name}.dtype", f"device={name}.device"]

    def function_code(self, name: str) -> str:
        """Source of a function; a mask becomes a number."""
        code = super().function_code(name)
        return code.replace("{dtype}", self.type_of()) if "{dtype}" in code else code

    def of_number(self, name: str, arg: Code) -> Code:
        """A function of a number of Python's."""
        if name not in OF_NUMBERS:
            remedy = f"give the number as an input, or use one of {', '.join(OF_NUMBERS)}"
            raise ByhandError(f"PyTorch: {name} of a number that is no tensor", remedy)
        template = OF_NUMBERS[name]
        level = Level.TIMES if " / " in template else Level.ATOM
        return Code(template.format(z=arg.at(Level.ATOM)), level, plain=True)

    def copied(self, code: Code) -> str:
        """A view as a tensor of its own."""
        return f"{code.at(Level.ATOM)}.clone()"

    def filled(self, code: Code, shape: Shape, variable: str | None = None) -> str:
        """A tensor that is one number everywhere."""
        if code.plain:
            return super().filled(code, shape, variable)
        ones = super().filled(literal("1"), shape, variable)
        return f"{code.at(Level.UNARY)} * {ones}"


__all__ = ["FUNCTIONS", "OF_NUMBERS", "TORCH", "TORCH_OPERATIONS", "TorchWriter"]
