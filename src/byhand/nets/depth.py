"""A network of any depth: "d0-...-dL", L a symbol. Its gradients are derived once, by induction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from byhand.arguments import whole_number
from byhand.derive.derivation import derive
from byhand.derive.induction import Induction
from byhand.errors import ParseError
from byhand.expr.dims import Dim, named_dimension, parse_dim
from byhand.expr.functions import ABSTRACT
from byhand.expr.nodes import Expr, named, symbol
from byhand.expr.parse import finish
from byhand.nets.architecture import activation_definition, read_activation, read_penalty
from byhand.nets.definition import definition
from byhand.nets.losses import LOSSES, loss_row

if TYPE_CHECKING:
    from byhand.nets.mlp import MLP

_SIZES = re.compile(r"\s*([^\W\d_]+)_?0\s*-+\s*(?:\.\.\.|…)\s*-+\s*\1_?L\s*")
GREEK = {"σ": "sigma"}


def is_any_depth(sizes: object) -> bool:
    """Whether sizes are those of a network whose depth is a symbol: d0-...-dL."""
    return isinstance(sizes, str) and ("..." in sizes or "…" in sizes)


class AnyDepth:
    """A network of L layers, L a symbol: H[l] = σ(Z[l]), Z[l] = H[l−1] W[l] + b[l], J = loss(Z[L], targets).

    Args:
        sizes: "d0-...-dL", the first and the last of the sizes n_0, ..., n_L.
        activation: as of `MLP`, or "sigma": any differentiable function of one number.
        loss, l2, bias, targets, batch, seed: as of `MLP`.
    Raises: ParseError: other sizes, several activations, an output activation.

    >>> [str(n) for n in AnyDepth("d0-...-dL", activation="tanh").at(L=3).sizes]
    ['d0', 'd1', 'd2', 'd3']
    """

    def __init__(
        self,
        sizes: str,
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
        match = _SIZES.fullmatch(sizes)
        if match is None:
            raise ParseError(
                f"{sizes[:40]!r} is no network of any depth", "its sizes are d0-...-dL: a letter with 0, and with L"
            ).at(sizes[:200], 1, 1, len(sizes[:200]))
        if not isinstance(activation, str):
            if len({*activation}) != 1:
                raise ParseError("a network of any depth has one activation, the same in all hidden layers")
            (activation,) = {*activation}
        if output_activation not in (None, "identity", "linear", "none"):
            raise ParseError("a network of any depth has no output activation", "write it into the loss")
        activation = GREEK.get(activation.strip(), activation.strip())
        self.size = match[1]
        self.activation = activation if activation in ABSTRACT else read_activation(activation)
        self.row = loss_row(loss)
        self.loss, self.l2, self.bias, self.seed = self.row.name, read_penalty(l2), bool(bias), seed
        self.batch: Dim | None = None if batch is None else parse_dim(batch)
        self.options: dict[str, Any] = {
            "loss": loss, "l2": l2, "bias": bias, "targets": targets, "batch": batch, "seed": seed,
        }  # fmt: skip
        self.targets = self.shallow(1).targets
        if {"J", "L"} & {str(self.batch), str(self.l2)}:
            raise ParseError("J is the loss and L the depth: the samples and λ have other names")

    def __repr__(self) -> str:
        return f"MLP('{self.size}0-...-{self.size}L', activation={self.activation!r}, loss={self.loss!r})"

    @property
    def data(self) -> str:
        """The name of the inputs: X, or x for one sample."""
        return "X" if self.batch is not None else "x"

    @property
    def target(self) -> str:
        """The name of the targets: y, or Y (N, outputs)."""
        return self.shallow(1).target

    def at(self, L: int, activation: str | None = None) -> MLP:
        """The network of this depth, its sizes d0, d1, ..., dL.

        Args:
            L: the number of layers with weights, 1 or more.
            activation: in the place of an abstract σ, without which there are derivations and no numbers.
        """
        depth = whole_number(L, "L", 1, 2000)
        return self.shallow(depth, self.activation if activation is None else activation)

    def shallow(self, depth: int, activation: str = "identity") -> MLP:
        """The network of a certain depth and activation."""
        from byhand.nets.mlp import MLP

        sizes = [f"{self.size}{k}" for k in range(depth + 1)]
        if self.row.outputs is not None:
            sizes[-1] = str(self.row.outputs)
        return MLP(sizes, activation=activation, **self.options)

    # ---- the derivation

    @cached_property
    def induction(self) -> Induction:
        """What `byhand.derive` returns: base case, inductive step, read-off."""
        head, layer = self.head, self.layer
        names = ["Z", "W", *(["b"] if self.bias else [])]
        return Induction.of(self, derive(head, "Z"), derive(layer, names))

    @property
    def head(self) -> Any:
        """The loss as an expression in Z (N, n_L) and the targets."""
        single, last = self.batch is None, named_dimension("n_L")
        first: tuple[Dim, ...] = () if self.batch is None else (self.batch,)
        outputs: Dim = last if self.row.outputs is None else self.row.outputs
        z = symbol("Z", (*first, outputs))
        known = {"labels": {"labels"}, "probabilities": {"simplexrows"}}.get(self.targets, set())
        y = symbol(self.target, first if self.targets == "labels" else (*first, outputs), frozenset(known))
        values: dict[str, Any] = {"Z": z, "Y": y, "y": y}
        values |= {"N": self.batch or 1, "C": outputs} if self.loss in LOSSES else {}
        node = definition(self.row.sample if single else self.row.batch).of(values)
        return finish(node, (z, y), "E" if self.l2 else "J")

    @property
    def layer(self) -> Any:
        """⟨D, Y⟩ with Y = K W + b and K = σ(Z); of an abstract σ, K = S ⊙ Z, which has its differential S ⊙ dZ."""
        below, above = named_dimension("n_l"), named_dimension("n_(l+1)")
        first: tuple[Dim, ...] = () if self.batch is None else (self.batch,)
        z, w, d = symbol("Z", (*first, below)), symbol("W", (below, above)), symbol("D", (*first, above))
        given: dict[str, Any] = {"Z": z, "W": w, "D": d}
        if self.activation in ABSTRACT:
            given["S"] = symbol("S", z.shape)
            value: Expr = definition("S*Z").of(given)
        else:
            value = activation_definition(self.activation).of({"z": z})
        given["K"] = value if value is z else named("K", value)
        if self.bias:
            given["b"] = symbol("b", (above,))
        given["Y"] = named("Y", definition("K @ W + b" if self.bias else "K @ W").of(given))
        inputs = tuple(given[n] for n in ("Z", "S", "W", "b", "D") if n in given)
        return finish(definition("sum(D*Y)").of(given), inputs, "J")


__all__ = ["AnyDepth", "is_any_depth"]
