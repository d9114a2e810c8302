"""The catalogue of mistakes in hand-derived gradients: one row each, its words, and where it can be made.

A name may leave open {P}, {Y}, {H}, {N}, …: what the user calls the prediction, the targets, the layer's input, the number
of samples. What mends a mistake is a formula (`mends`); `advice` is for what no formula can say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from byhand.check.findings import Diagnosis

Scope = Literal["loss", "penalty", "weight", "down", "activation", "bias", "graph", "program", "statistics", "path"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A row of the catalogue."""

    number: int
    name: str
    scope: Scope
    advice: str = ""

    def diagnosis(
        self,
        tensor: str,
        evidence: str,
        place: str = "",
        words: Mapping[str, Any] | None = None,
        alternatives: tuple[int, ...] = (),
    ) -> Diagnosis:
        """The mistake found at a tensor."""
        name = self.name.format_map(_Known({"name": tensor, **(words or {})}))
        return Diagnosis(self.number, tensor, evidence, "", name, place, alternatives, self.advice)


class _Known(dict[str, Any]):
    """Names that are not known stand for themselves."""

    def __missing__(self, key: str) -> str:
        return key


_TABLE = (
    Mistake(1, "the mean over the batch is missing: no 1/{N}", "loss"),
    Mistake(2, "the mean over the batch is taken twice: 1/{N}²", "loss"),
    Mistake(3, "the mean is taken over samples and classes", "loss"),
    Mistake(4, "the logarithm is taken to base 2", "loss"),
    Mistake(5, "the logarithm is taken to base 10", "loss"),
    Mistake(6, "the sign of the whole gradient is wrong", "graph"),
    Mistake(7, "{Y} − {P} instead of {P} − {Y}", "loss"),
    Mistake(8, "the gradient of the regulariser is missing", "penalty"),
    Mistake(9, "the gradient of the regulariser has the wrong factor 2", "penalty"),
    Mistake(10, "the gradient of the regulariser is divided by {N}", "penalty"),
    Mistake(11, "the bias is regularised, which the loss does not do", "penalty"),
    Mistake(12, "the labels are off by one", "loss", "count classes from 0"),
    Mistake(13, "the targets {Y} are forgotten", "loss"),
    Mistake(14, "the softmax Jacobian is taken as diagonal", "loss"),
    Mistake(15, "an extra factor p(1 − p) at the output", "loss"),
    Mistake(16, "the pre-activation {L} is used as the layer's input, not {H}", "weight"),
    Mistake(17, "{L} is used as the layer's input, not {H}", "weight"),
    Mistake(18, "the gradient is transposed", "weight"),
    Mistake(19, "{W} is not transposed on the way down", "down"),
    Mistake(20, "the derivative of {f} is dropped", "activation"),
    Mistake(21, "the derivative of {f} is taken at {H} instead of {A}", "activation"),
    Mistake(22, "the formula of {f}' in terms of {H} is fed with {A}", "activation"),
    Mistake(23, "the derivative of {f} is taken of another layer, at {L} instead of {A}", "activation"),
    Mistake(24, "the ReLU mask is taken from the upstream gradient", "activation"),
    Mistake(25, "the bias gradient is one {row} instead of the sum over the samples", "bias"),
    Mistake(26, "the bias gradient is a mean instead of the sum over the samples", "bias"),
    Mistake(27, "the bias gradient is forgotten", "bias"),
    Mistake(28, "the graph is cut: nothing flows below", "graph", "let the gradient through (detach, stop_gradient, a copy?)"),
    Mistake(29, "the gradient of one sample only", "graph"),
    Mistake(30, "weights are updated before the gradient has passed through them", "down", "compute all gradients first, then update"),
    Mistake(31, "a stale or accumulated buffer: calls influence each other", "program",
            "set gradients to zero, and recompute what is cached, in each call"),
    Mistake(32, "float32 rounding", "program", "nothing is to be mended: the gradient is right to its precision"),
    Mistake(33, "the upstream gradient is ignored", "path"),
    Mistake(34, "statistics are treated as constants: {what}", "statistics"),
    Mistake(35, "(N, 1) and (N,) are broadcast to (N, N)", "loss", "give both sides of the difference the same shape"),
    Mistake(36, "overflow or a logarithm of zero: entries are inf or nan", "program",
            "use log_softmax or logsumexp instead of log(softmax), shift by the maximum"),
    Mistake(37, "a constant factor {k} is missing", "path"),
    Mistake(38, "the gradients of {a} and {b} are exchanged", "graph"),
    Mistake(39, "a path to {c} is forgotten: {which}", "path"),
    Mistake(40, "the factor {F} is forgotten on the way to {c}", "path"),
    Mistake(41, "the gradient of {name} is forgotten", "graph"),
    Mistake(42, "the slope of the softmax is taken as {P} alone: what each entry owes to the others is left out", "path"),
    Mistake(43, "the sum in the slope of the softmax runs over another axis", "path"),
    Mistake(44, "a path to {c} is counted twice: {which}", "path"),
)  # fmt: skip

MISTAKES: dict[int, Mistake] = {row.number: row for row in _TABLE}
