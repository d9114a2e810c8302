"""Functions with a hand-written backward: `torch.autograd.Function`, `jax.custom_vjp`; any shape of output.

The scalar is the inner product of the output with an upstream gradient. The forward is read (`ingest.functions`), so that the
right backward can be derived and mistakes be named; where it cannot be read, numbers alone judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from byhand.check.findings import Diagnosis, GradientReport
from byhand.check.mistakes import MISTAKES
from byhand.check.subject import as_numpy, hand_written, library_of
from byhand.errors import ByhandError, DataError

Check = Callable[..., GradientReport]


def hand_written_subject(
    loss: Any, function: Any, values: Mapping[str, Any], wrt: str | Iterable[str] | None, check: Check
) -> GradientReport:
    """Check the backward of a function.

    Args:
        loss: callable(**values) that computes the same output, or None: the function's own forward, which is read so that
            mistakes get names.
        function: the `torch.autograd.Function` class or the `jax.custom_vjp` function.
        values: its arguments in order, by name.
        wrt: names to check; by default the floating arguments.
        check: check_gradient.
    """
    if not isinstance(values, Mapping) or not values:
        raise DataError("values: a dict {name: array} of the arguments in order is needed")
    kind = hand_written(function)
    assert kind is not None
    names = list(values)
    floating = [n for n in names if as_numpy(values[n], n).dtype.kind == "f"]
    chosen = floating if wrt is None else [w.strip() for w in wrt.split(",")] if isinstance(wrt, str) else list(wrt)
    run = function.apply if kind == "torch" else function
    results = _several(run(*(_detached(values[n]) for n in names)))
    shapes = [as_numpy(r, "the output").shape for r in results]
    if loss is None:
        from byhand.ingest.functions import paired_forward, upstream_names

        upstream = upstream_names(kind, function, names, len(shapes))
        rng = np.random.default_rng(33)
        drawn = {u: rng.standard_normal(s) for u, s in zip(upstream, shapes, strict=True)}
        given = {**values, **drawn}
        try:
            expression = paired_forward(kind, function, {n: as_numpy(_detached(values[n]), n) for n in names}, shapes)
        except ByhandError as error:
            told = " ".join(str(error).split())
            note = f"mistakes are named by the numbers alone, since the forward was not read: {told}"
            report = _by_numbers(kind, run, names, chosen, None, values, shapes, check)
            return replace(report, notes=(*report.notes, note))
        backward = _gradient(kind, run, names, chosen, upstream)
        return _ignoring(check(expression, backward, given, chosen), backward, given, upstream)
    return _by_numbers(kind, run, names, chosen, loss, values, shapes, check)


def _ignoring(
    report: GradientReport, backward: Callable[..., dict[str, Any]], given: Mapping[str, Any], upstream: list[str]
) -> GradientReport:
    """The report, with row 33 where the backward returns the same whatever its upstream gradient is."""
    wrong = [n for n, v in report.verdicts.items() if v == "wrong"]
    if not wrong:
        return report
    moved = {
        **given,
        **{u: given[u] * 1.7 + np.cos(np.arange(np.size(given[u]))).reshape(np.shape(given[u])) for u in upstream},
    }
    here, there = backward(**given), backward(**moved)
    still = [
        n for n in wrong if np.array_equal(as_numpy(here[n], n), as_numpy(there[n], n)) and np.any(as_numpy(here[n], n))
    ]
    if not still:
        return report
    evidence = f"d{still[0]} is the same, to the last bit, for two different {' and '.join(upstream)}"
    diagnosis = MISTAKES[33].diagnosis(still[0], evidence, "the result", {})

    def explain() -> tuple[Diagnosis, ...]:
        others = [d for d in report.diagnoses if d.tensor not in still]
        mend = next((d for d in report.diagnoses if d.tensor in still and d.mend), None)
        found = diagnosis if mend is None else replace(diagnosis, mend=mend.mend, formulas=mend.formulas)
        return (found, *others)

    return replace(report, explain=explain)


def _by_numbers(
    kind: str, run: Any, names: list[str], chosen: list[str], loss: Any, values: Mapping[str, Any],
    shapes: list[tuple[int, ...]], check: Check,
) -> GradientReport:  # fmt: skip
    """The check of a function whose formula is not known: for a random upstream gradient, then for ones."""

    def output(given: Mapping[str, Any]) -> Any:
        return loss(**given) if callable(loss) else run(*(given[n] for n in names))

    rng = np.random.default_rng(33)
    reports = []
    for cotangents in ([rng.standard_normal(s) for s in shapes], [np.ones(s) for s in shapes]):
        upstream = {f"upstream of result {k}": c for k, c in enumerate(cotangents)}
        backward = _gradient(kind, run, names, chosen, list(upstream))

        def gradient(**given: Any) -> dict[str, Any]:
            return backward(**given, **upstream)  # noqa: B023  called before the next turn

        reports.append(check(_scalar(output, cotangents), gradient, values, chosen))
        if all(s == () for s in shapes):
            break
    random, *ones = reports
    if not random.ok and ones and ones[0].ok:
        tensor = (
            next(n for n, v in random.verdicts.items() if v == "wrong")
            if "wrong" in random.verdicts.values()
            else chosen[0]
        )
        evidence = "right for a cotangent of ones, wrong for a random one"
        return replace(random, explain=lambda: (MISTAKES[33].diagnosis(tensor, evidence, "", {}),))
    return random


def _several(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def _detached(x: Any) -> Any:
    return x.detach() if library_of(x) == "torch" else x


def _scalar(output: Callable[[Mapping[str, Any]], Any], cotangents: list[Any]) -> Callable[..., Any]:
    """⟨cotangent, output⟩ as a loss."""

    def scalar(**given: Any) -> Any:
        total: Any = 0.0
        for y, c in zip(_several(output(given)), cotangents, strict=True):
            if library_of(y) == "torch":
                import torch

                c = torch.as_tensor(c, dtype=y.real.dtype, device=y.device)
            total = total + (y * c).sum()
        return total

    return scalar


def _gradient(
    kind: str, run: Callable[..., Any], names: list[str], chosen: list[str], upstream: list[str]
) -> Callable[..., dict[str, Any]]:
    """The hand-written backward at work: of its arguments and its upstream gradients by name."""

    def by_torch(**given: Any) -> dict[str, Any]:
        import torch

        leaves = {n: torch.as_tensor(given[n]).detach().clone().requires_grad_(n in chosen) for n in names}
        results = _several(run(*(leaves[n] for n in names)))
        cotangents = [torch.as_tensor(given[u], dtype=y.dtype) for u, y in zip(upstream, results, strict=True)]
        live = [(y, c) for y, c in zip(results, cotangents, strict=True) if y.requires_grad]
        found = torch.autograd.grad(
            [y for y, _ in live], [leaves[n] for n in chosen], [c for _, c in live], allow_unused=True
        )
        return {n: torch.zeros_like(leaves[n]) if g is None else g for n, g in zip(chosen, found, strict=True)}

    def by_jax(**given: Any) -> dict[str, Any]:
        import jax
        from jax import numpy as jnp

        y, pull = jax.vjp(
            lambda *moved: run(*({**given, **dict(zip(chosen, moved, strict=True))}[n] for n in names)),
            *(jnp.asarray(given[n]) for n in chosen),
        )
        cotangents = [jnp.asarray(given[u], dtype=r.dtype) for u, r in zip(upstream, _several(y), strict=True)]
        whole = type(y)(cotangents) if isinstance(y, (tuple, list)) else cotangents[0]
        return dict(zip(chosen, pull(whole), strict=True))

    return by_torch if kind == "torch" else by_jax
