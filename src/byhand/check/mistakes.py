"""The catalogue of mistakes in hand-derived gradients: one row each, its words, its mend, and where it can be made.

`mend` may use {tensor}, {W}, {H}, {Z}, {Y}, {N}, {layer}: the names of the tensor, of the layer's weight, input, pre-activation and
targets, the number of samples, the layer.

Source: MISTAKES.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from byhand.check.findings import Diagnosis

Scope = Literal["loss", "penalty", "weight", "down", "activation", "bias", "graph", "program", "statistics"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A row of the catalogue."""

    number: int
    name: str
    mend: str
    scope: Scope

    def diagnosis(
        self, tensor: str, evidence: str, place: str, context: Mapping[str, Any], alternatives: tuple[int, ...] = ()
    ) -> Diagnosis:
        """The mistake found at a tensor."""
        known = _Known({"tensor": f"d{tensor}", "name": tensor, **context})
        return Diagnosis(
            self.number, tensor, evidence, self.mend.format_map(known), self.name.format_map(known), place, alternatives
        )


class _Known(dict[str, Any]):
    """Names that are not known stand for themselves."""

    def __missing__(self, key: str) -> str:
        return {"N": "N", "Y": "Y", "Z": "Z", "H": "H", "W": "W", "A": "A"}.get(key, key)


_TABLE = (
    Mistake(1, "the mean over the batch is missing: no 1/{N}", "d{Z}: multiply by 1/{N}", "loss"),
    Mistake(2, "the mean over the batch is taken twice: 1/{N}²", "d{Z}: multiply by {N}; 1/{N} belongs there once", "loss"),
    Mistake(3, "the mean is taken over samples and classes", "d{Z}: divide by {N} only, multiply by {C}", "loss"),
    Mistake(4, "the logarithm is taken to base 2", "d{Z}: multiply by ln 2: the loss has the natural logarithm", "loss"),
    Mistake(5, "the logarithm is taken to base 10", "d{Z}: multiply by ln 10: the loss has the natural logarithm", "loss"),
    Mistake(6, "the sign of the whole gradient is wrong", "multiply every gradient by -1", "graph"),
    Mistake(7, "{Y} - {P} instead of {P} - {Y}", "d{Z} = ({P} - {Y})/{N}, not ({Y} - {P})/{N}", "loss"),
    Mistake(8, "the gradient of the regulariser is missing", "{tensor}: add {penalty}", "penalty"),
    Mistake(9, "the gradient of the regulariser has the wrong factor 2", "{tensor}: the regulariser's part is {penalty}", "penalty"),
    Mistake(10, "the gradient of the regulariser is divided by {N}", "{tensor}: add {penalty}, without 1/{N}", "penalty"),
    Mistake(11, "the bias is regularised, which the loss does not do", "{tensor}: leave out the multiple of {name}", "penalty"),
    Mistake(12, "the labels are off by one", "count classes from 0: the one of each row of {Y} belongs one column further {way}", "loss"),
    Mistake(13, "the one-hot targets are forgotten", "d{Z}: subtract {Y} before dividing by {N}", "loss"),
    Mistake(14, "the softmax Jacobian is taken as diagonal", "d{Z} = ({P} - {Y})/{N}: diag(p) - p pᵀ has entries off the diagonal", "loss"),
    Mistake(15, "an extra factor p(1 - p) at the output", "d{Z} = ({P} - {Y})/{N}, without {P}*(1 - {P})", "loss"),
    Mistake(16, "the pre-activation is used as the layer's input", "{tensor} = {H}.T @ d{Z}: use {H}, not {L}", "weight"),
    Mistake(17, "another layer's values are used as the layer's input", "{tensor} = {H}.T @ d{Z}: use {H}, not {L}", "weight"),
    Mistake(18, "the gradient is transposed", "{tensor} = {H}.T @ d{Z}, of the shape of {name}: transpose what you have", "weight"),
    Mistake(19, "{W} is not transposed on the way down", "d{H} = d{Z} @ {W}.T", "down"),
    Mistake(20, "the derivative of {f} is dropped", "d{A} = d{H} * {f}'({A})", "activation"),
    Mistake(21, "the derivative of {f} is taken at {H} instead of {A}", "d{A} = d{H} * {f}'({A}): evaluate {f}' at the pre-activation", "activation"),
    Mistake(22, "the formula of {f}' in terms of {H} is fed with {A}", "d{A} = d{H} * {f}'({A}): put {H} into the formula in {H}", "activation"),
    Mistake(23, "the derivative of {f} is taken of another layer", "d{A} = d{H} * {f}'({A}): use {A}, not {L}", "activation"),
    Mistake(24, "the ReLU mask is taken from the upstream gradient", "d{A} = d{H} * ({A} > 0), not * (d{H} > 0)", "activation"),
    Mistake(25, "the bias gradient is one row instead of the sum over the samples", "{tensor} = d{Z}.sum(axis=0)", "bias"),
    Mistake(26, "the bias gradient is a mean instead of the sum over the samples", "{tensor} = d{Z}.sum(axis=0): 1/{N} is in d{Z} already", "bias"),
    Mistake(27, "the bias gradient is forgotten", "{tensor} = d{Z}.sum(axis=0)", "bias"),
    Mistake(28, "the graph is cut: nothing flows below", "d{A}: let the gradient through (detach, stop_gradient, a copy?)", "graph"),
    Mistake(29, "the gradient of one sample only", "sum over all {N} samples", "graph"),
    Mistake(30, "weights are updated before the gradient has passed through them", "compute all gradients first, then update", "down"),
    Mistake(31, "a stale or accumulated buffer: calls influence each other", "set gradients to zero, and recompute what is cached, in each call", "program"),
    Mistake(32, "float32 rounding", "nothing: the gradient is right to its precision", "program"),
    Mistake(33, "the upstream gradient is ignored", "multiply by the upstream gradient (cotangent): the chain rule", "loss"),
    Mistake(34, "statistics of the batch are treated as constants", "differentiate mean and variance too: they depend on every sample", "statistics"),
    Mistake(35, "(N, 1) and (N,) are broadcast to (N, N)", "give both sides of the difference the same shape: {Z} is {shape}", "loss"),
    Mistake(36, "overflow or a logarithm of zero: entries are inf or nan", "use log_softmax or logsumexp instead of log(softmax), shift by the maximum", "program"),
)  # fmt: skip

MISTAKES: dict[int, Mistake] = {row.number: row for row in _TABLE}
