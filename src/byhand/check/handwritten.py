"""Functions with a hand-written backward: `torch.autograd.Function`, `jax.custom_vjp`; any shape of output.

The scalar is the inner product of the output with a cotangent: a random one, then ones. A backward that ignores its
upstream gradient (mistake 33) is right for ones only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from byhand.check.findings import GradientReport
from byhand.check.mistakes import MISTAKES
from byhand.check.subject import as_numpy, hand_written, library_of
from byhand.errors import DataError

Check = Callable[..., GradientReport]


def hand_written_subject(
    loss: Any, function: Any, values: Mapping[str, Any], wrt: str | Iterable[str] | None, check: Check
) -> GradientReport:
    """Check the backward of a function.

    Args:
        loss: callable(**values) that computes the same output, or None: the function's own forward.
        function: the `torch.autograd.Function` class or the `jax.custom_vjp` function.
        values: its arguments in order, by name.
        wrt: names to check; by default the floating arguments.
        check: check_gradient.
    """
    if not isinstance(values, Mapping) or not values:
        raise DataError("values: a dict {name: array} of the arguments in order is needed")
    kind = hand_written(function)
    names = list(values)
    floating = [n for n in names if as_numpy(values[n], n).dtype.kind == "f"]
    chosen = floating if wrt is None else [w.strip() for w in wrt.split(",")] if isinstance(wrt, str) else list(wrt)
    run = function.apply if kind == "torch" else function

    def output(given: Mapping[str, Any]) -> Any:
        return loss(**given) if callable(loss) else run(*(given[n] for n in names))

    shape = as_numpy(output({n: _detached(v) for n, v in values.items()}), "the output").shape
    drawn = np.random.default_rng(33).standard_normal(shape)
    reports = []
    for cotangent in (drawn, np.ones(shape)):
        reports.append(
            check(_scalar(output, cotangent), _gradient(kind, run, names, chosen, cotangent), values, chosen)
        )
        if shape == ():
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


def _detached(x: Any) -> Any:
    return x.detach() if library_of(x) == "torch" else x


def _scalar(output: Callable[[Mapping[str, Any]], Any], cotangent: Any) -> Callable[..., Any]:
    """⟨cotangent, output⟩ as a loss."""

    def scalar(**given: Any) -> Any:
        y = output(given)
        if library_of(y) == "torch":
            import torch

            return (y * torch.as_tensor(cotangent, dtype=y.real.dtype, device=y.device)).sum()
        return (y * cotangent).sum()

    return scalar


def _gradient(
    kind: str | None, run: Callable[..., Any], names: list[str], chosen: list[str], cotangent: Any
) -> Callable[..., dict[str, Any]]:
    """The hand-written backward at work."""

    def by_torch(**given: Any) -> dict[str, Any]:
        import torch

        leaves = {n: torch.as_tensor(v).detach().clone().requires_grad_(n in chosen) for n, v in given.items()}
        y = run(*(leaves[n] for n in names))
        found = torch.autograd.grad(
            y, [leaves[n] for n in chosen], torch.as_tensor(cotangent, dtype=y.dtype), allow_unused=True
        )
        return {n: torch.zeros_like(leaves[n]) if g is None else g for n, g in zip(chosen, found, strict=True)}

    def by_jax(**given: Any) -> dict[str, Any]:
        import jax
        from jax import numpy as jnp

        y, pull = jax.vjp(
            lambda *moved: run(*({**given, **dict(zip(chosen, moved, strict=True))}[n] for n in names)),
            *(jnp.asarray(given[n]) for n in chosen),
        )
        return dict(zip(chosen, pull(jnp.asarray(cotangent, dtype=y.dtype)), strict=True))

    return by_torch if kind == "torch" else by_jax
