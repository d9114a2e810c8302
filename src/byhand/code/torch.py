"""The PyTorch target: what its functions call the operations of a program.

Beside the operations of all targets, those of a PyTorch program may be a kernel that `torch_idioms` makes:

    addmm       b + A B
    gate        the first where the second is positive, else 0: the pullback of relu in one pass
    nll         the mean of minus the entries of the first at the integers of the second
    minus_hot   the first minus one at the integers of the second
"""

from __future__ import annotations

from collections.abc import Sequence

from byhand.code.numpy import FUNCTIONS as NUMPY_FUNCTIONS
from byhand.code.numpy import OPERATIONS, NumpyWriter, Row, over_axes
from byhand.code.python import Code, Level, Span, call, dim_code, literal, minus
from byhand.code.statements import Statement
from byhand.code.writer import joined, tuple_code
from byhand.errors import ByhandError
from byhand.expr.dims import Coefficient, Shape, add_dims
from byhand.program.ops import Axes, Contract, Kernel, Map, Mul, Op, Pad, Scatter, Take

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


class TorchWriter(NumpyWriter):
    """Source for PyTorch."""

    np, target, home, writes_in_place = "torch", "PyTorch", "byhand/code/torch.py", True
    functions = FUNCTIONS

    def right(self, s: Statement) -> str:
        """The right-hand side; in the place of its argument where nobody reads that again."""
        if s.leaf not in self.in_place:
            text = super().right(s)
            if s.result is None or s.leaf not in self.plain:
                return text
            self.plain.discard(s.leaf)
            return f"{self.tensor()}.new_tensor({text})"  # autograd takes no numbers of Python's
        match s.op:
            case Map(function=name):
                return f"{self.in_place[s.leaf].name}.{name}_()"
            case Mul(coefficient=c, factors=((Kernel() as hot, _, _),)):
                return f"{_minus_hot(self, hot, 'scatter_add_').text}.mul_({self._coefficient(c)})"
            case Kernel():
                return _minus_hot(self, s.op, "scatter_add_").text
            case _:
                raise AssertionError(s.name)

    def _coefficient(self, c: Coefficient) -> str:
        return self.mul(Mul((), "real", c, ())).text

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

    def level_of_filled(self, code: Code) -> Level:
        """How tightly the source of such a tensor holds together."""
        return Level.ATOM if code.plain else Level.TIMES

    def converted(self, code: Code) -> str:
        """A mask as numbers."""
        return f"{code.at(Level.ATOM)}.to({self.type_of()})"

    # ---- what the library calls otherwise

    def over_axes(self, word: str, a: Code, axes: Axes, keep: bool) -> Code:
        """A sum or mean over axes of a piece."""
        if len(axes) == len(a.shape) and not keep:
            return Code(call(f"torch.{word}", a.text))
        over = [f"dim={axes[0] if len(axes) == 1 else axes}", *(["keepdim=True"] if keep else [])]
        shape = tuple(1 if k in axes else n for k, n in enumerate(a.shape) if keep or k not in axes)
        return Code(call(f"{a.at(Level.ATOM)}.{word}", *over), shape=shape)

    def permuted(self, order: Sequence[int]) -> str:
        """The method that puts more than two axes into another order."""
        moved = [k for k, o in enumerate(order) if o != k]
        return f".transpose({moved[0]}, {moved[1]})" if len(moved) == 2 else f".permute{tuple(order)}"

    def norm(self, op: Op) -> Code:
        """The root of the sum of the squares of all entries."""
        return Code(call("torch.linalg.vector_norm", self.full(op).text))

    def take(self, op: Take) -> Code:
        """Rows, or entries of the last axis, at integers."""
        if not op.rows:
            return super().take(op)
        index, first = ("[:, None]", "[:, 0]") if op.rows == 1 else ("[..., None]", "[..., 0]")
        at = f"{self.full(op.index).at(Level.ATOM)}{index}"
        text = call(f"{self.full(op.arg).at(Level.ATOM)}.gather", str(op.rows), at)
        return Code(f"{text}{first}", shape=op.shape)

    def scatter(self, op: Scatter) -> Code:
        """Rows added up at integers; of several axes of integers, as one."""
        total = call("torch.zeros", self.shape(op.shape), *self.dtype)
        labels, values = (self.full(a).at(Level.ATOM) for a in (op.index, op.arg))
        axes = len(op.index.shape)
        if axes > 1:
            labels, values = f"{labels}.flatten()", f"{values}.flatten(0, {axes - 1})"
        return Code(f"{total}.index_add(0, {labels}, {values})", shape=op.shape)

    def padded(self, inner: Op, spans: Sequence[Span | None], op: Pad) -> Code:
        """Zeros around, given for the last axis first."""
        around = [width for span in reversed(spans) for width in self._widths(span)]
        return Code(call("torch.nn.functional.pad", self.full(inner).text, tuple_code(around)), shape=op.shape)

    def _widths(self, span: Span | None) -> list[str]:
        if span is None:
            return ["0", "0"]
        behind = add_dims(span.size, minus(add_dims(span.first, span.length)))
        return [dim_code(span.first, self.size).text, dim_code(behind, self.size).text]

    def joined_up(self, listed: str, axis: int) -> str:
        """Arrays one after the other along an axis."""
        return call("torch.cat", listed, *([f"dim={axis}"] if axis else []))

    def stacked(self, codes: list[Code]) -> str:
        """Numbers as a vector."""
        return call("torch.stack", f"[{', '.join(c.text for c in codes)}]")

    def path(self, op: Contract) -> list[str]:
        """PyTorch chooses the order itself."""
        return []

    def heaviside(self, z: Op, slope: float) -> Code:
        """1 where z > 0, 0 where z < 0, the slope where it is 0."""
        code = self.code(z)
        if slope == 1:
            return Code(f"({code.at(Level.SUM)} >= 0).to({self.type_of()})", shape=code.shape)
        return Code(f"0.5 * (1 + {call('torch.sign', code.text)})", Level.TIMES, code.shape)

    def where(self, test: Op, first: Op, second: Op) -> Code:
        """A choice entry by entry."""
        condition, *codes = map(self.code, (test, first, second))
        if test.type != "bool":
            condition = Code(f"{condition.at(Level.SUM)} != 0", Level.COMPARE, condition.shape, plain=condition.plain)
        if condition.plain:
            condition = Code(f"{self.tensor()}.new_tensor({condition.text}, dtype=bool)")
        one, two = (c.text for c in codes)
        if codes[0].plain and codes[1].plain:  # two numbers would take the precision that is set for all
            one = f"{self.tensor()}.new_tensor({one})"
        return Code(call("torch.where", condition.text, one, two), shape=joined([c.shape for c in (condition, *codes)]))


# ---- rows of structured operations


def _one_hot(w: TorchWriter, op: Kernel) -> Code:
    hot = call("torch.nn.functional.one_hot", w.full(op.args[0]).text, w.dim(op.shape[-1]).text)
    return Code(f"{hot}.to({w.type_of()})", shape=op.shape)


def _kron(w: TorchWriter, op: Kernel) -> Code:
    """torch.kron (2.13) refuses operands whose rows are not contiguous."""
    pair = (f"{w.full(a).at(Level.ATOM)}.contiguous()" for a in op.args)
    return Code(call("torch.kron", *pair), shape=op.shape)


def _addmm(w: TorchWriter, op: Kernel) -> Code:
    return Code(call("torch.addmm", *(w.full(a).text for a in op.args)), shape=op.shape)


def _gate(w: TorchWriter, op: Kernel) -> Code:
    """What z > 0 lets through. PyTorch's own threshold_backward lets it through where z is no number too."""
    values, z = map(w.full, op.args)
    return Code(call("torch.where", f"{z.at(Level.SUM)} > 0", values.text, "0"), shape=op.shape)


def _nll(w: TorchWriter, op: Kernel) -> Code:
    return Code(call("torch.nn.functional.nll_loss", *(w.full(a).text for a in op.args)))


def _minus_hot(w: TorchWriter, op: Kernel, method: str = "scatter_add") -> Code:
    values, labels = map(w.full, op.args)
    rows = w.dim(op.shape[0]).text
    name = values.at(Level.ATOM)
    return Code(
        call(f"{name}.{method}", "1", f"{labels.at(Level.ATOM)}[:, None]", f"{name}.new_full(({rows}, 1), -1.0)"),
        shape=op.shape,
    )


def _softmax(name: str) -> Row:
    """PyTorch's own over one axis; over several by log-sum-exp."""
    one_axis = over_axes(f"torch.{name}", last=None)

    def row(w: TorchWriter, op: Kernel) -> Code:
        (axes,) = op.attributes
        if len(axes) == 1:
            return one_axis(w, op)
        z = w.full(op.args[0])
        log = f"{z.at(Level.SUM)} - torch.logsumexp({z.text}, dim={axes}, keepdim=True)"
        if name == "log_softmax":
            return Code(log, Level.SUM, op.shape)
        return Code(call("torch.exp", log), shape=op.shape)

    return row


TORCH_OPERATIONS: dict[str, Row] = {
    **OPERATIONS,
    "softmax": _softmax("softmax"),
    "log_softmax": _softmax("log_softmax"),
    "logsumexp": over_axes("torch.logsumexp", last=None),
    "one_hot": _one_hot,
    "max": over_axes("torch.amax", last=None),
    "kron": _kron,
    "addmm": _addmm,
    "gate": _gate,
    "nll": _nll,
    "minus_hot": _minus_hot,
}
TorchWriter.operations = TORCH_OPERATIONS

__all__ = ["FUNCTIONS", "OF_NUMBERS", "TORCH_OPERATIONS", "TorchWriter"]
