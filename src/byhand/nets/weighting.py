"""Weights of samples: each sample's part of a loss times its weight, wherever the loss is a sum over the samples.

How the loss is written does not matter: mean(l), 2*mean(l), mean(l) + mean(m) and sum(l)/N are all Σ over the label of
the batch of something that depends on one sample. That each part does is proved by numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from byhand.errors import DataError
from byhand.expr.contraction import P1, combine, contract
from byhand.expr.dims import Dim, dim_names, dim_value
from byhand.expr.evaluate import evaluate
from byhand.expr.expression import Expression
from byhand.expr.nodes import Contraction, Expr, Named, Structured, Sum, Symbol, topological
from byhand.expr.operations import OVER_AXES

_SAMPLES = 4  # of the proof
_MIXED = "what it adds for a sample depends on others"


def weighted(loss: Expr, weights: Expr, data: Collection[Expr]) -> Expr:
    """The loss with the part of each sample multiplied by its weight; terms without data, such as penalties, as they are.

    Args:
        loss: a scalar.
        weights: (N,), whose axis is the batch's.
        data: what differs between samples: the outputs of a network, the targets.
    Raises: DataError: the loss is no sum over the samples.
    """
    (batch,) = weights.shape
    dependent: set[Expr] = set(data)
    for node in topological([loss]):
        if any(c in dependent for c in node.children):
            dependent.add(node)

    def part(node: Expr) -> Expr:
        if node not in dependent:
            return node
        match node:
            case Named(_, body):
                return part(body)
            case Sum(terms):
                return combine((c, part(t)) for c, t in terms)
            case Contraction(coefficient, factors, ()):
                varying = [(f, ls, p) for f, ls, p in factors if f in dependent]
                labels = _labels(node, dependent, batch)
                if not labels and len(varying) == 1 and varying[0][0].shape == () and varying[0][2] == 1:
                    inner = varying[0][0]
                    new = ((part(f) if f is inner else f, ls, p) for f, ls, p in factors)
                    return contract(new, (), coefficient, dict(enumerate(node.dims)))
                if len(labels) == 1 and all(labels <= {*ls} for _, ls, _ in varying):
                    (n,) = labels
                    return contract([*factors, (weights, (n,), P1)], (), coefficient, dict(enumerate(node.dims)))
                whole = contract(factors, (), coefficient, dict(enumerate(node.dims)), merge=True)
                if whole is not node:  # the samples were summed over before: a mean of means
                    dependent.add(whole)
                    return part(whole)
        raise _unfit("it is no sum over the samples")

    found = part(loss)
    above = dependent.difference(data)
    if any(_mixes(node, dependent, batch) for node in topological([found]) if node in above):
        raise _unfit(_MIXED)
    return found


def _labels(node: Contraction, dependent: Collection[Expr], batch: Dim) -> set[int]:
    """The labels of the samples in a product."""
    return {x for f, ls, _ in node.factors if f in dependent for x in ls if node.dims[x] == batch}


def _mixes(node: Expr, dependent: Collection[Expr], batch: Dim) -> bool:
    """Whether an operation puts samples together."""
    match node:
        case Contraction(out=out):
            return bool(_labels(node, dependent, batch) - {*out})
        case Structured(name, (arg, *_), (axes, *_)) if name in OVER_AXES:
            return any(arg.shape[a] == batch for a in axes)
        case Structured("inv" | "det" | "logdet", (arg,)):
            return batch in arg.shape
        case _:
            return False


def need_samples_apart(loss: Expression, weights: Symbol, data: Mapping[str, Dim]) -> None:
    """Prove by numbers that the part of each sample depends on that sample alone.

    Args:
        loss: weighted.
        weights: (N,).
        data: the names of what differs between samples -> how many labels there are; axis 0 is the batch's.
    Raises: DataError: a sample of weight 0 makes a difference.
    """
    rng = np.random.default_rng(0)
    names = {n for s in loss.symbols.values() for d in s.shape for n in dim_names(d)}
    sizes = {n: k for n, k in zip(sorted(names), (5, 7, 3, 11, 13, 17), strict=False)}
    sizes |= dict.fromkeys((n for d in weights.shape for n in dim_names(d)), _SAMPLES)

    def drawn(s: Symbol) -> Any:
        shape = tuple(dim_value(d, sizes) for d in s.shape)
        if "labels" in s.assumptions:
            return rng.integers(0, dim_value(data[s.name], sizes), shape)
        values = rng.uniform(0.1, 0.9, shape)
        return values / values.sum(axis=-1, keepdims=True) if "simplexrows" in s.assumptions else values

    arrays = {n: drawn(s) for n, s in loss.symbols.items() if s is not weights}
    others = {n: drawn(s) for n, s in loss.symbols.items() if n in data}
    with np.errstate(all="ignore"):
        for k in range(_SAMPLES):
            changed = {n: np.where((np.arange(_SAMPLES) == k).reshape(-1, *[1] * (a.ndim - 1)), arrays[n], a)
                       for n, a in others.items()}  # fmt: skip
            one = np.eye(_SAMPLES)[k]
            first, second = (evaluate(loss, **{**arrays, **given, weights.name: one}) for given in ({}, changed))
            if not np.allclose(first, second, rtol=1e-10, atol=1e-12, equal_nan=True):
                raise _unfit(_MIXED)


def _unfit(reason: str) -> DataError:
    return DataError(
        f"sample weights need a loss that is a sum or mean of losses of single samples: {reason}",
        "for example mean((Z - Y)**2), or mean(abs(Z - Y)) + mean((Z - Y)**2)",
    )


__all__ = ["need_samples_apart", "weighted"]
