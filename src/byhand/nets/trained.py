"""A network as it is trained: with weights of the samples and with dropout, both inputs of the expression."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from byhand.errors import ShapeError
from byhand.expr.dims import Dim
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, symbol
from byhand.nets.definition import definition
from byhand.nets.mlp import MLP
from byhand.nets.weighting import need_samples_apart, weighted
from byhand.rules.simplify import Simplifier

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

    @cached_property
    def _apart(self) -> dict[str, Any]:
        """The inputs of the loss, with an input in place of the logits."""
        inputs = self.inputs
        return self._nodes(inputs) | {self.output: symbol(self.output, self.logits.shape)}

    def _need_samples_apart(self) -> None:
        """Raises: DataError: see `weighted`."""
        nodes = self._apart
        loss = Expression(self._loss(nodes), (nodes[self.output], nodes[self.target]), "L")
        need_samples_apart(loss, nodes[WEIGHTS], dict.fromkeys((self.output, self.target), self.sizes[-1]))

    @cached_property
    def text(self) -> str:
        """The network in the expression language. Weights that cannot be spelled so that it reads as the expression are
        said in a comment."""
        text = super().text
        if not self.weighted:
            return text
        made, nodes = self.loss_definition, self._apart
        normal = Simplifier().normal
        wanted = normal(self._loss(nodes))
        for factor in (WEIGHTS, f"{WEIGHTS}[:, None]"):
            shown = definition(made.spelled({}, parts_times(made.body, factor)))
            try:
                same = normal(shown.of(nodes | self._meaning(nodes))) is wanted
            except ShapeError:  # one weight beside several losses of a sample
                continue
            if same:
                old, new = (d.spelled(self._spellings) for d in (made, shown))
                return text.replace(f"L = {old}", f"L = {new}")
        return f"{text}  # the loss of each sample times its weight {WEIGHTS}"

    @property
    def plain(self) -> MLP:
        """The network without weights and dropout: what predicts."""
        return MLP(list(map(str, self.sizes)), **self._options)


def parts_times(loss: ast.expr, factor: str) -> list[tuple[ast.expr, str]]:
    """What is averaged or summed in a loss, and the same times a factor, as text around it: "s * (" and ")"."""
    found, todo = [], [loss]
    while todo:
        match todo.pop():
            case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right):
                todo += [left, right]
            case ast.UnaryOp(_, operand):
                todo.append(operand)
            case ast.Call(ast.Name("mean" | "sum"), [inner, *_]):
                found.append((inner, f"{factor} * ({{}})"))
    return found


__all__ = ["WEIGHTS", "TrainedMLP"]
