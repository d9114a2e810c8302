"""A network as it is trained: with weights of the samples and with dropout, both inputs of the expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from byhand.expr.dims import Dim
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, symbol
from byhand.nets.mlp import MLP
from byhand.nets.weighting import need_samples_apart, weighted

WEIGHTS = "s"


class TrainedMLP(MLP):
    """See the module.

    Args:
        weighted: whether each sample's part of the loss is multiplied by its weight s (N,).
        dropout: whether the values of hidden layers are multiplied by masks D1, D2, ... (N, units).
        sizes, options: those of `MLP`; `batch` is a name.
    Raises: DataError: sample weights for a loss that is no sum over the samples.
    """

    def __init__(
        self, sizes: str | Sequence[int | str], *, weighted: bool = False, dropout: bool = False, **options: Any
    ) -> None:
        self.weighted, self.dropout, self._options = weighted, dropout, options
        super().__init__(sizes, **options)
        if weighted:
            self._need_samples_apart()

    def mask(self, number: int) -> str | None:
        return f"D{number}" if self.dropout and 0 < number < self.depth else None

    @cached_property
    def masks(self) -> tuple[str, ...]:
        """The names of the dropout masks: D1, D2, ..."""
        return tuple(m for m in map(self.mask, range(1, self.depth + 1)) if m is not None)

    @cached_property
    def shapes(self) -> dict[str, tuple[Dim, ...]]:
        """The shapes of data, parameters, targets, weights and masks."""
        assert self.batch is not None
        found = dict(super().shapes)
        if self.weighted:
            found[WEIGHTS] = (self.batch,)
        masks = ((self.mask(k), size) for k, size in enumerate(self.sizes))
        return found | {mask: (self.batch, size) for mask, size in masks if mask is not None}

    @cached_property
    def assume(self) -> dict[str, str]:
        """What is declared of the data."""
        extra = [*([WEIGHTS] if self.weighted else []), *self.masks]
        return {**super().assume, **dict.fromkeys(extra, "constant")}

    def _loss(self, nodes: Mapping[str, Any]) -> Expr:
        loss = super()._loss(nodes)
        return weighted(loss, nodes[WEIGHTS], (nodes[self.output], nodes[self.target])) if self.weighted else loss

    def _need_samples_apart(self) -> None:
        """Raises: DataError: see `weighted`."""
        logits = self.logits.root
        stand_in = symbol(self.output, logits.shape)
        inputs = self.inputs
        nodes = self._nodes(inputs) | {self.output: stand_in}
        loss = Expression(self._loss(nodes), (*inputs.values(), stand_in), "L")
        used = {n: s for n, s in loss.symbols.items() if n in (self.output, self.target)}
        need_samples_apart(loss, inputs[WEIGHTS], dict.fromkeys(used, self.sizes[-1]))

    @cached_property
    def text(self) -> str:
        """The network in the expression language; that the samples' losses are weighted is said, not spelled."""
        return (
            f"{super().text}  # the loss of each sample times its weight {WEIGHTS}" if self.weighted else super().text
        )

    @property
    def plain(self) -> MLP:
        """The network without weights and dropout: what predicts."""
        return MLP(list(map(str, self.sizes)), **self._options)


__all__ = ["WEIGHTS", "TrainedMLP"]
