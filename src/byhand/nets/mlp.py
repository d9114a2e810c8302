"""Multi-layer perceptrons: an architecture becomes layers, the layers an expression; its text is a view of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.arguments import mapping, shown, whole_number
from byhand.errors import ByhandError, DataError, ParseError, ShapeError, nearest
from byhand.expr.contraction import add
from byhand.expr.dims import Dim, Dimension, dim_names, dim_value, parse_dim
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, Symbol, named
from byhand.expr.operands import lift
from byhand.expr.parse import declare, finish, scope
from byhand.expr.surface import multiply
from byhand.memory import refuse_larger_than_memory, within_memory
from byhand.nets.architecture import activation_definition, read_activation, read_penalty, read_sizes
from byhand.nets.definition import Definition, definition
from byhand.nets.depth import AnyDepth, is_any_depth
from byhand.nets.inits import default_init, init_row
from byhand.nets.layers import KINDS, Layer, Line, Parameter, dense
from byhand.nets.losses import LOSSES, TARGETS, loss_row
from byhand.views import Code, View

if TYPE_CHECKING:
    from byhand.code.cost import Cost

LONGEST_LINE = 100
_SQUARES = definition("sum(W**2)")


class MLP(View):
    """A network: Z1 = X @ W1 + b1, H1 = relu(Z1), ..., L = loss(Z, targets) + l2 * (sum of the squared weights).

    The data are X (N, inputs) and the targets: integer labels y (N,), or Y (N, outputs). The parameters are W1 (inputs,
    outputs), b1 (outputs,), W2, ... The loss is a mean (see `byhand.nets.losses`). The L2 penalty is λ‖W‖², without
    1/2: its gradient is 2λW; biases are free of it.

    Args:
        sizes: "784-300-10", "D-H-C", or a list of sizes, inputs first.
        activation: of the hidden layers, one for all or a list with one each: the name of an elementwise function,
            "identity", "softmax" (over the units of a layer), or an expression in z such as "z*sigmoid(1.702*z)".
        loss: the name of a row of `byhand.nets.losses`, or an expression in the logits Z and the targets y or Y.
        l2: λ, a number, or a name for an input that holds it.
        bias: whether the layers have biases.
        output_activation: applied to the last layer before the loss; none by default.
        targets: "labels" (integers, y), "probabilities" (rows that sum to one, Y), or "values" (Y); the loss decides.
        batch: the name or number of the samples; None is one sample: vectors x, y, z1, h1, ...
        seed: of `init`.
    Raises: ParseError: a bad architecture, an unknown activation, loss or kind of targets. ShapeError: sizes below one.

    >>> MLP("784-300-10").parameters
    ('W1', 'b1', 'W2', 'b2')
    """

    def __new__(cls, sizes: Any = None, *args: Any, **options: Any) -> Any:
        """A network; one of any depth where the sizes are d0-...-dL."""
        if is_any_depth(sizes):
            return AnyDepth(sizes, *args, **options)
        return super().__new__(cls)

    def __init__(
        self,
        sizes: str | Sequence[int | str],
        activation: str | Sequence[str] = "relu",
        loss: str = "softmax_cross_entropy",
        l2: float | str = 0.0,
        *,
        bias: bool = True,
        output_activation: str | None = None,
        targets: str | None = None,
        batch: str | int | None = "N",
        seed: int = 0,
    ) -> None:
        self.sizes = read_sizes(sizes)
        self.activations = self._activations(activation)
        self.output_activation = "identity" if output_activation is None else read_activation(output_activation)
        self.row = loss_row(loss)
        self.loss = self.row.name
        if not isinstance(bias, (bool, np.bool_)):
            raise ParseError(f"bias is {shown(bias)}: True or False")
        self.bias, self.seed = bool(bias), whole_number(seed, "the seed", most=2**128)
        self.batch: Dim | None = None if batch is None else parse_dim(batch)
        self.l2 = read_penalty(l2)
        self.targets = self._targets(targets)
        self._check_names()
        if self.row.outputs is not None and self.sizes[-1] != self.row.outputs:
            other = "multilabel_cross_entropy takes several 0/1 targets" if self.loss.startswith("binary") else ""
            raise ShapeError(f"{self.loss} has one output, the network {self.sizes[-1]}", *([other] if other else []))

    # ---- reading the arguments

    def _activations(self, activation: str | Sequence[str]) -> tuple[str, ...]:
        hidden = len(self.sizes) - 2
        if isinstance(activation, str):
            return (read_activation(activation),) * hidden
        if not isinstance(activation, Iterable) or getattr(activation, "ndim", 1) == 0:
            raise ParseError(f"an activation is a name or a list of names, not a {type(activation).__name__}")
        names = tuple(read_activation(a) for a in activation)
        if len(names) != hidden:
            raise ParseError(
                f"{len(names)} activations for {hidden} hidden layer{'s' * (hidden != 1)}",
                "one for each hidden layer, or one name for all; output_activation is for the last layer",
            )
        return names

    def _targets(self, targets: str | None) -> str:
        if targets is None:
            return self.row.targets[0]
        if not isinstance(targets, str) or targets not in self.row.targets:
            near = (
                nearest(str(targets), self.row.targets) if isinstance(targets, str) and targets not in TARGETS else ""
            )
            raise ParseError(
                f"{self.loss} takes no targets {str(targets)[:40]!r}{near}", f"it takes {' or '.join(self.row.targets)}"
            )
        return targets

    def _check_names(self) -> None:
        dims = {n for d in (*self.sizes, *([] if self.batch is None else [self.batch])) for n in dim_names(d)}
        batch = set() if self.batch is None else dim_names(self.batch)
        for d in self.sizes:
            if dim_names(d) & batch:
                raise ParseError(
                    f"{d} is the number of samples: a layer has another size", "batch='M' calls the samples M"
                )
        values = {f"{c}{k}" for c in (self._z, self._h) for k in range(1, self.depth + 1)}
        used = {self.data, self.target, "L", *self.parameters, *values}
        clash = sorted(dims & used) + ([self.l2] if isinstance(self.l2, str) and self.l2 in dims | used else [])
        if clash:
            raise ParseError(
                f"{clash[0]} is the name of something else in the network",
                f"its names are {self.data}, {self.target}, L, {self._z}1, ..., W1, ...",
            )

    # ---- names

    @property
    def depth(self) -> int:
        """The number of layers with weights."""
        return len(self.sizes) - 1

    @property
    def data(self) -> str:
        """The name of the inputs: X, or x for one sample."""
        return "X" if self.batch is not None else "x"

    @property
    def target(self) -> str:
        """The name of the targets: y, or Y (N, outputs)."""
        return "y" if self.targets == "labels" or self.batch is None else "Y"

    @property
    def _z(self) -> str:
        return "Z" if self.batch is not None else "z"

    @property
    def _h(self) -> str:
        return "H" if self.batch is not None else "h"

    # ---- layers

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers with weights, first to last: their parameters by role, and the names of their values."""
        found, below = [], self.data
        for k, (m, n) in enumerate(pairwise(self.sizes), 1):
            line, parameters = dense(k, below, m, n, self.bias, f"{self._z}{k}")
            activation = self.activations[k - 1] if k < self.depth else self.output_activation
            mask = self.mask(k)
            behind = [(activation_definition(activation), dict[str, str]())] if activation != "identity" else []
            behind += [(definition(KINDS["dropout"].definition), {"D": mask})] if mask is not None else []
            lines = [line, *([Line(f"{self._h}{k}", line.name, tuple(behind))] if behind else [])]
            below = lines[-1].name
            found.append(Layer(m, n, tuple(parameters), line.name, activation, below, tuple(lines)))
        return tuple(found)

    def mask(self, number: int) -> str | None:
        """The name of the mask that the units of a layer are multiplied by; None where all are kept."""
        return None

    @cached_property
    def roles(self) -> dict[str, Parameter]:
        """Each parameter by name: what it is for, whether it is penalised."""
        return {p.name: p for layer in self.layers for p in layer.parameters}

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """W1, b1, W2, b2, ...: what `derive` differentiates with respect to."""
        return tuple(self.roles)

    @cached_property
    def shapes(self) -> dict[str, tuple[Dim, ...]]:
        """The shapes of data, parameters and targets."""
        first: tuple[Dim, ...] = () if self.batch is None else (self.batch,)
        found: dict[str, tuple[Dim, ...]] = {self.data: (*first, self.sizes[0])}
        found |= {p.name: p.shape for p in self.roles.values()}
        found[self.target] = first if self.targets == "labels" else (*first, self.sizes[-1])
        if isinstance(self.l2, str):
            found[self.l2] = ()
        return found

    @cached_property
    def assume(self) -> dict[str, str]:
        """What is declared of the data."""
        known = {"labels": "labels", "probabilities": "simplexrows"}.get(self.targets)
        found = {self.target: known} if known else {}
        return {**found, self.l2: "constant"} if isinstance(self.l2, str) else found

    # ---- the expression

    @cached_property
    def expression(self) -> Expression:
        """The loss L, with the named intermediates Z1, H1, Z2, ..."""
        inputs = self.inputs
        value = self._loss(self._nodes(inputs))
        if value.shape != ():
            raise ShapeError(f"the loss {self.loss} is not a scalar", "sum(...) or mean(...) makes one")
        penalised = [p.name for p in self.roles.values() if p.penalised]
        if self.l2 != 0:
            squares = add(*(_SQUARES.of({"W": inputs[name]}) for name in penalised))
            value = add(value, multiply(inputs[self.l2] if isinstance(self.l2, str) else lift(self.l2), squares))
        f = finish(value, tuple(inputs.values()), "L")
        return replace(f, notes=(self.row.warning,)) if self.row.warning else f

    @property
    def inputs(self) -> dict[str, Symbol]:
        """The inputs of the expression by name."""
        return declare(self.shapes, self.assume)

    def _nodes(self, inputs: Mapping[str, Symbol]) -> dict[str, Any]:
        """Inputs, dimensions and intermediates by name."""
        nodes: dict[str, Any] = {**scope(inputs.values()), **inputs}
        for layer in self.layers:
            for line in layer.lines:
                nodes[line.name] = named(line.name, line.of(nodes))
        return nodes

    @property
    def output(self) -> str:
        """The name of the logits, the last layer's output: what the loss is applied to."""
        return self.layers[-1].output

    def _loss(self, nodes: Mapping[str, Any]) -> Expr:
        """The value of the loss, without the penalty."""
        return self.loss_definition.of({**nodes, **self._meaning(nodes)})

    def _meaning(self, nodes: Mapping[str, Any]) -> dict[str, Any]:
        """What the formal names of the loss stand for."""
        return {formal: nodes[word] for formal, word in self._words.items()} | self._counts

    @property
    def loss_definition(self) -> Definition:
        """The loss in Z, the targets Y or y, and where it is a known one N and C."""
        return definition(self.row.sample if self.batch is None else self.row.batch)

    @property
    def _words(self) -> dict[str, str]:
        """The names of what the formal names of the loss stand for."""
        return {"Z": self.output, "Y": self.target, "y": self.target}

    @property
    def _counts(self) -> dict[str, Dim]:
        """How many samples and outputs there are, in the language of a known loss."""
        return {"N": self.batch or 1, "C": self.sizes[-1]} if self.loss in LOSSES else {}

    @cached_property
    def logits(self) -> Expression:
        """What the loss is applied to: the last layer's output, (N, outputs). Needs no targets."""
        return self._of_output("Z")

    @cached_property
    def prediction(self) -> Expression:
        """Probabilities, rates, or values: what the loss takes the logits for."""
        return self._of_output(self.row.link)

    @property
    def probabilities(self) -> Expression:
        """The probabilities of the classes.

        Raises: ByhandError: the loss is none of classification.
        """
        if not self.row.link.startswith(("softmax", "sigmoid")):
            raise ByhandError(
                f"the outputs of a network with the loss {self.loss} are no probabilities", "use .prediction"
            )
        return self.prediction

    def _of_output(self, link: str) -> Expression:
        skipped = {self.target, self.l2}
        inputs = declare({n: s for n, s in self.shapes.items() if n not in skipped}, {})
        nodes = self._nodes(inputs)
        value = definition(link).of({"Z": nodes[self.output]})
        return finish(value, tuple(inputs.values()), self.output if value is nodes[self.output] else "f")

    # ---- its text

    @cached_property
    def text(self) -> str:
        """The network in the expression language: a view, which reads as the same expression."""
        lines = [line.text for layer in self.layers for line in layer.lines]
        return "\n".join([*lines, *self._with_penalty(self.loss_definition.spelled(self._spellings))])

    @property
    def _spellings(self) -> dict[str, str]:
        """How what the formal names stand for is written."""
        return self._words | {formal: str(size) for formal, size in self._counts.items()}

    def _with_penalty(self, value: str) -> list[str]:
        if self.l2 == 0:
            return [f"L = {value}"]
        squares = [_SQUARES.spelled({"W": p.name}) for p in self.roles.values() if p.penalised]
        if len(squares) == 1:
            return [f"L = {value} + {self.l2}*{squares[0]}"]
        lines = [f"L = {value} + {self.l2}*({squares[0]}"]
        for square in squares[1:]:
            if len(lines[-1]) + len(square) + 3 > LONGEST_LINE:
                lines.append("    ")
            lines[-1] += f" + {square}" if lines[-1].strip() else f"+ {square}"
        lines[-1] += ")"
        return lines

    def html(self) -> str:
        """The network for notebooks: a table of its layers, and its formulas as HTML with MathML."""
        from byhand.nets.show import network_html

        return network_html(self)

    # ---- code: what `derive(net)` has, for those who hold a network; imported when asked for

    def code(self, target: str = "numpy", *, relu_at_zero: float = 0, chunk: int | None = None, **options: Any) -> Code:
        """Source of the loss and its gradients with respect to the parameters; for "torch" with an `nn.Module`."""
        from byhand.derive.derivation import derive

        return derive(self).code(target, relu_at_zero=relu_at_zero, chunk=chunk, **options)

    def function(
        self, target: str = "numpy", *, relu_at_zero: float = 0, chunk: int | None = None
    ) -> Callable[..., tuple[Any, dict[str, Any]]]:
        """callable(**arrays) -> (loss, {parameter: gradient})."""
        from byhand.derive.derivation import derive

        return derive(self).function(target, relu_at_zero=relu_at_zero, chunk=chunk)

    def cost(self) -> Cost:
        """Operations, saved entries and peak of the loss and its gradients."""
        from byhand.derive.derivation import derive

        return derive(self).cost()

    # ---- parameters as arrays

    def init(
        self,
        seed: int | None = None,
        dtype: Any = np.float64,
        method: str | None = None,
        std: float = 0.01,
        sizes: Mapping[str, int] | None = None,
    ) -> dict[str, Any]:
        """Starting values of the parameters: biases zero; the same seed gives the same values.

        Args:
            seed: that of the network by default.
            dtype: np.float64 or np.float32.
            method: a row of `byhand.nets.inits`; by default He for relu and its kin, LeCun for selu, else Glorot.
            std: standard deviation for method="normal".
            sizes: the sizes of symbolic dimensions.
        Raises: ParseError: an unknown method. DataError: a symbolic size without a value.
        """
        rng = np.random.default_rng(whole_number(self.seed if seed is None else seed, "the seed", most=2**128))
        sizes = mapping(sizes, "sizes", "sizes={'D': 100}")
        kind = _dtype(dtype)
        if isinstance(std, bool) or not isinstance(std, (int, float, np.number)) or not 0 < std < np.inf:
            raise DataError(f"std is {shown(std)}: a number above 0")
        unknown = [n for d in self.sizes for n in sorted(dim_names(d)) if n not in sizes]
        if unknown:
            raise DataError(f"the size of {unknown[0]} is unknown", f"init(sizes={{{unknown[0]!r}: 100}})")
        sizes = {n: whole_number(size, f"the size of {n}", 1) for n, size in sizes.items()}
        values: dict[str, Any] = {}
        for layer in self.layers:
            row = init_row(default_init(layer.activation) if method is None else method)
            m, n = (dim_value(d, sizes) for d in (layer.inputs, layer.outputs))
            for p in layer.parameters:
                if p.role == "weight":
                    refuse_larger_than_memory(p.name, (m, n))
                with within_memory(p.name):
                    drawn = row.draw(rng, m, n, float(std)) if p.role == "weight" else np.zeros(n)
                    values[p.name] = drawn.astype(kind)
        return values

    def __call__(self, **arrays: Any) -> Any:
        """The loss for the given arrays."""
        return self.expression(**arrays)

    def __repr__(self) -> str:
        shown = "-".join(map(str, self.sizes)) if self.depth <= 20 else f"{self.sizes[0]}-...-{self.sizes[-1]}"
        one = self.activations[0] if len(set(self.activations)) == 1 else list(self.activations)
        options = [f"activation={one!r}"] if self.activations else []
        options.append(f"loss={self.loss!r}")
        options += [f"l2={self.l2!r}"] if self.l2 != 0 else []
        options += ["bias=False"] if not self.bias else []
        options += [f"output_activation={self.output_activation!r}"] if self.output_activation != "identity" else []
        options += [f"targets={self.targets!r}"] if self.targets != self.row.targets[0] else []
        batch = str(self.batch) if isinstance(self.batch, Dimension) else self.batch
        options += [f"batch={batch!r}"] if batch != "N" else []
        return f"MLP({shown!r}, {', '.join(options)})"


def _dtype(dtype: Any) -> np.dtype[Any]:
    """The type of parameters.

    Raises: DataError: no type of real numbers.
    """
    try:
        kind: np.dtype[Any] = np.dtype(dtype)
    except (TypeError, ValueError):
        kind = np.dtype(object)
    if kind.kind != "f":
        raise DataError(f"dtype is {shown(dtype)}: np.float64 or np.float32")
    return kind
