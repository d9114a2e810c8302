"""`check_gradient`: is somebody's own gradient right, and if not, what is the mistake?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from byhand.check.directional import CallableForward, ExpressionForward, Forward
from byhand.check.findings import Diagnosis, GradientReport, TensorRow, compared
from byhand.check.handwritten import hand_written_subject
from byhand.check.mistakes import MISTAKES
from byhand.check.numeric import norm
from byhand.check.rounding import beside
from byhand.check.spaces import Spaces
from byhand.check.subject import Subject, hand_written, library_of
from byhand.check.traced import traced
from byhand.check.trusted import Trusted
from byhand.check.verdict import Judge, as_floats
from byhand.errors import ByhandError, CheckError, DataError, nearest
from byhand.expr.evaluate import bind
from byhand.expr.expression import Expression, as_expression
from byhand.expr.nodes import Expr

Array = Any
REPEATED = 1e-6  # two calls that differ by less differ by rounding only
COARSE_EPS = 1e-10  # a floating type coarser than this has a noise floor of its own


def check_gradient(
    loss: Any, gradient: Any, values: Mapping[str, Any], wrt: str | Iterable[str] | None = None
) -> GradientReport:
    """Check somebody's own gradient; name the mistakes in it.

    Args:
        loss: an expression, a network, or callable(**values) -> scalar; None where `gradient` is a function with a
            hand-written backward.
        gradient: callable(**values) -> {name: array}, or that dict, or a `torch.autograd.Function` or `jax.custom_vjp`
            whose arguments are the values in order.
        values: {name: array}, parameters and data, as NumPy, PyTorch or JAX arrays.
        wrt: names to check; by default those that `gradient` returns.
    Returns: a GradientReport: `.ok`, `.verdicts`, `.diagnoses`, `.text()`, `.html()`, `.to_dict()`.
    Raises: DataError: values that do not fit. CheckError: a loss or a gradient that cannot be called or read.
    Mistakes that are named: the rows of `byhand.check.mistakes`.
    """
    if hand_written(gradient) is not None:
        return hand_written_subject(loss, gradient, values, wrt, check_gradient)
    expression = _expression(loss)
    subject = Subject.of(None if expression is not None else loss, gradient, values)
    forward: Forward = ExpressionForward(expression) if expression is not None else CallableForward(subject)
    if expression is not None:
        bind(expression, subject.arrays, check=True)
    first = forward.value(subject.arrays)
    if not np.isfinite(first):
        raise CheckError(
            f"the loss is {first} at these values: there is nothing to compare with", "check it where it is finite"
        )
    found = subject.gradients()
    names = _names(wrt, found, expression)
    parameters = [n for n in getattr(loss, "parameters", ()) if n not in found] if wrt is None else []
    job = _Job(subject, forward, expression, {n: found[n] for n in names}, names, first)
    if expression is None and not _of_a_framework(values):
        job.readable = loss
    if parameters:
        job.notes.append(f"not checked, since the gradient has nothing for it: {', '.join(parameters)}")
    return job.report(forward.value(subject.arrays) == first)


def _of_a_framework(values: Mapping[str, Any]) -> bool:
    """Whether the loss is written for PyTorch or JAX: symbolic arrays are NumPy's."""
    return any(library_of(v) in ("torch", "jax") for v in values.values())


def _expression(loss: Any) -> Expression | None:
    if isinstance(loss, (Expression, Expr)) or isinstance(getattr(loss, "expression", None), Expression):
        expression = as_expression(loss)
        if expression.shape != ():
            raise CheckError(f"the loss is not a scalar: it has shape {expression.shape}")
        return expression
    if not callable(loss):
        raise CheckError(f"loss: an expression, a network or a function is needed, not a {type(loss).__name__}")
    return None


def _names(wrt: str | Iterable[str] | None, found: Mapping[str, Array], expression: Expression | None) -> list[str]:
    """The tensors to check, in backward order where it is known."""
    names = list(found) if wrt is None else [w.strip() for w in wrt.split(",")] if isinstance(wrt, str) else list(wrt)
    if not any(names):
        raise DataError("wrt names nothing to check", f"the gradient returned: {', '.join(found)}")
    for n in names:
        if n not in found:
            raise DataError(
                f"the gradient returned nothing for {n}{nearest(n, list(found))}", f"it returned: {', '.join(found)}"
            )
        if expression is not None and n not in expression.symbols:
            raise DataError(f"the loss has no input {n}{nearest(n, list(expression.symbols))}")
        if expression is not None and "constant" in expression.symbols[n].assumptions:
            others = [m for m in names if "constant" not in getattr(expression.symbols.get(m), "assumptions", ())]
            raise DataError(
                f"{n} was declared constant: there is no derivative with respect to it",
                f"check the others only: wrt={others}",
            )
    return list(dict.fromkeys(names))


class _Job:
    """One check."""

    def __init__(
        self,
        subject: Subject,
        forward: Forward,
        expression: Expression | None,
        found: dict[str, Array],
        names: list[str],
        loss: float,
    ) -> None:
        self.subject, self.forward, self.expression = subject, forward, expression
        self.found, self.names, self.loss = found, names, loss
        self.notes: list[str] = []
        self.floors: dict[str, float] = {}
        self.trusted = None if expression is None else Trusted(expression, subject.arrays, [*names, *found])
        self.spaces = Spaces(expression, names, subject.arrays)
        self.readable: Any = None  # a loss in NumPy, to be read as an expression where something is wrong
        self.elsewhere: dict[str, Array] = {}
        self.there: dict[str, Array] = {}

    def report(self, deterministic: bool) -> GradientReport:
        """Verdicts, then what explains the wrong ones."""
        from byhand.check.diagnose import diagnose

        if not deterministic:
            why = "the forward is not deterministic: two calls gave different losses (dropout, random noise?)"
            rows = tuple(TensorRow(n, np.shape(self.found[n]), "not checkable", note=why) for n in self.names)
            return GradientReport(rows, notes=("fix the random seed inside the loss",))
        verdicts = {n: row for n in self.names if (row := self.malformed(n)) is not None}
        good = [n for n in self.names if n not in verdicts]
        judged = self.spaces.canonical(self.precise(good), self.forward, self.notes)
        judge = self.judge(judged, self.again if self.subject.repeatable else None)
        judgements = judge.rows(good) if good else []
        settled = all(r.verdict == "right" for r in judgements) or not judge.asked_nearby
        repeated = self.other_calls(settled)
        if repeated is not None and not settled:  # what it returned nearby says nothing of rounding
            judge = self.judge(judged, None)
            judgements = judge.rows(good)
        verdicts |= {r.name: r for r in judgements}
        verdicts = self.changed_inputs(verdicts)
        stale = repeated or self.stale_buffer(verdicts, judge)
        others = () if stale is None else (stale,)
        if stale is not None and all(r.verdict == "right" for r in verdicts.values()):
            verdicts[stale.tensor] = replace(verdicts[stale.tensor], verdict="wrong", note=stale.evidence)
            wrong = {}
        else:
            wrong = {n: verdicts[n].note for n in self.names if verdicts[n].verdict == "wrong"}
        if wrong:
            self.read()
        trusted = None if self.trusted is None else self.trusted.gradients
        table = tuple(compared(verdicts[n], judged.get(n, self.found[n]), trusted) for n in self.names)
        explain = (lambda: (*others, *diagnose(self, wrong, judge))) if wrong else (lambda: others)
        return GradientReport(table, explain, ", ".join(judge.methods), tuple(dict.fromkeys(self.notes)))

    def judge(self, gradients: dict[str, Array], again: Callable[..., dict[str, Array]] | None) -> Judge:
        """Who judges."""
        return Judge(
            self.forward,
            self.subject.arrays,
            gradients,
            again,
            self.trusted,
            self.floors,
            self.loss,
            self.spaces.projections,
        )

    def read(self) -> None:
        """A loss in NumPy as an expression, or a note why not."""
        if self.readable is None:
            return
        expression, stopped = traced(self.readable, self.subject.arrays, self.loss)
        if expression is None or any(n not in expression.symbols for n in self.found):
            why = stopped or "a checked tensor does not occur in it"
            self.notes.append(f"mistakes are named by the numbers alone, since the loss was not read: {why}")
        else:
            self.expression = expression
            self.trusted = Trusted(expression, self.subject.arrays, [*self.names, *self.found])

    def again(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """The gradient elsewhere, in float64 where it can be had."""
        found = as_floats(self.subject.gradients(values, precise=True))
        return {n: self.spaces.of(n, g) for n, g in found.items()}

    # ---- before any comparison

    def malformed(self, name: str) -> TensorRow | None:
        """A tensor that is wrong whatever its numbers: its shape, its type, not finite."""
        g, v = self.found[name], self.subject.arrays[name]
        if v.dtype.kind not in "f":
            raise DataError(
                f"{name} holds integers: there is no derivative with respect to it",
                f"give floating values, or leave {name} out of wrt",
            )
        wrong = TensorRow(name, g.shape, "wrong", float("inf"), 0.0)
        if g.shape != v.shape:
            return replace(wrong, note=f"its shape is {g.shape}, {name} has {v.shape}")
        if g.dtype.kind not in "f":
            return replace(wrong, note=f"its type is {g.dtype}: a gradient is a floating array")
        if not np.all(np.isfinite(g)):
            return replace(wrong, note=f"{int(np.sum(~np.isfinite(g)))} of {g.size} entries are not finite")
        return None

    def precise(self, names: list[str]) -> dict[str, Array]:
        """The gradients to judge: those of a coarse type asked for again in float64, else with their floor."""
        judged = as_floats({n: self.found[n] for n in names})
        coarse = [n for n in names if np.finfo(self.found[n].dtype).eps > COARSE_EPS]
        if not coarse:
            return judged
        finer: dict[str, Array] = {}
        if self.subject.repeatable:
            try:
                finer = self.subject.gradients(precise=True)
            except ByhandError:
                finer = {}
        floors: dict[str, float] | None = None
        for n in coarse:
            eps = float(np.finfo(self.found[n].dtype).eps)
            fine = finer.get(n)
            if (
                fine is not None
                and fine.dtype == np.float64
                and fine.shape == judged[n].shape
                and np.all(np.isfinite(fine))
            ):
                gap, size = norm(fine - judged[n]), norm(fine)
                if gap <= 0.1 * size:
                    judged[n] = fine
                    self.notes.append(
                        f"{self.found[n].dtype} was judged by the same function in float64; "
                        f"rounding costs up to {max(gap / size if size else 0.0, eps):.0e}"
                    )
                    continue
            if floors is None:
                floors = {} if self.trusted is None else self.trusted.floors(judged)
            self.floors[n] = max(64 * eps, 16 * eps * floors.get(n, 30.0))
            self.notes.append(f"{self.found[n].dtype}: judged by its own noise floor (mistake 32 is none)")
        return judged

    def other_calls(self, elsewhere: bool) -> Diagnosis | None:
        """Mistake 31: calls influence each other. The gradient is asked for elsewhere, if it has not been, then here again."""
        if not self.subject.repeatable:
            return None
        fine = [n for n in self.names if np.all(np.isfinite(self.found[n].astype(complex)))]
        if elsewhere:
            self.elsewhere = beside(self.subject.arrays, fine, 7, 1e-2, self.spaces.projections)
            try:
                self.there = self.subject.gradients(self.elsewhere)
            except ByhandError:
                self.there = {}
        back = self.subject.gradients()
        for n in fine:
            if np.array_equal(self.found[n], back.get(n, np.nan)):
                continue
            a, b = self.found[n].astype(float), np.asarray(back.get(n, np.nan), dtype=float)
            if a.shape != b.shape or not norm(a - b) <= REPEATED * max(norm(a), norm(b)):
                how = "another call at the same values has another shape"
                if a.shape == b.shape:
                    once_more = np.asarray(self.subject.gradients().get(n, np.nan), dtype=float)
                    sizes = [norm(a), norm(b), norm(once_more)]
                    grows = once_more.shape == a.shape and sizes[0] < sizes[1] < sizes[2]
                    how = f"calls at the same values differ: {', '.join(f'{s:.6g}' for s in sizes)} in norm"
                    how += "" if grows else "; they do not grow: random numbers in the gradient?"
                return MISTAKES[31].diagnosis(n, how, "", {})
        return None

    def stale_buffer(self, rows: Mapping[str, TensorRow], judge: Judge) -> Diagnosis | None:
        """Mistake 31: right here, but what it returns elsewhere is what it remembers."""
        if not self.subject.repeatable or any(r.verdict != "right" for r in rows.values()):
            return None
        for n in self.names:
            new = np.asarray(self.there.get(n, np.nan), dtype=float)
            if np.any(new) and np.array_equal(new, self.found[n].astype(float)):
                direction, new = judge.direction(n, 0), self.spaces.of(n, new)
                slope, claimed = judge.slope({n: direction}, self.elsewhere).value, float(np.sum(new * direction))
                if abs(slope - claimed) > 1e-5 * max(abs(claimed), norm(new)):
                    return MISTAKES[31].diagnosis(
                        n, "at other values it returned the very same numbers, where the true gradient moved", "", {}
                    )
        return None

    def changed_inputs(self, rows: dict[str, TensorRow]) -> dict[str, TensorRow]:
        """What functions that change their arguments in place return is no gradient of anything."""
        self.subject.notice_copies()
        if not self.subject.mutated:
            return rows
        words = "; ".join(f"{who} changed its argument {name} in place" for name, who in self.subject.mutated.items())
        self.notes.append(f"{words}: work on a copy")
        judged = {n for n in rows if self.malformed(n) is None}
        return {n: replace(r, verdict="not checkable", note=words) if n in judged else r for n, r in rows.items()}


__all__ = ["Callable", "check_gradient"]
