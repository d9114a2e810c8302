"""A function with a hand-written backward as an expression: ⟨upstream, forward(...)⟩, read from its forward alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from byhand.errors import ByhandError
from byhand.expr.expression import Expression, name_nodes
from byhand.expr.nodes import Contraction, Expr, Sum, Symbol
from byhand.expr.trace import deserves_a_name
from byhand.ingest.libraries import library
from byhand.ingest.read_jax import from_jax
from byhand.ingest.read_torch import from_torch

_LETTERS = ("N", "D", "K", "M", "L", "P", "Q", "R", "S", "T", "U", "V", "W")


def paired_forward(kind: str, function: Any, values: Mapping[str, Any], outputs: list[tuple[int, ...]]) -> Expression:
    """⟨upstream, forward(...)⟩; the sum over all results where there are several.

    Args:
        kind: "torch" or "jax".
        function: the `torch.autograd.Function` class, or the `jax.custom_vjp` function.
        values: its arguments in order.
        outputs: the shapes of its results.
    Raises: ByhandError: the forward cannot be read; the message names the operation and its line.
    """
    arrays = {n: np.asarray(v) for n, v in values.items()}
    upstream = upstream_names(kind, function, list(values), len(outputs))
    shapes = {**{n: a.shape for n, a in arrays.items()}, **dict(zip(upstream, outputs, strict=True))}
    assume = {n: "labels" for n, a in arrays.items() if a.dtype.kind in "iu"}
    assume |= {n: "01" for n, a in arrays.items() if a.dtype.kind == "b"}
    call = _paired(kind, forward_of(kind, function, len(arrays)), len(arrays))
    read = from_torch if kind == "torch" else from_jax
    failed: ByhandError | None = None
    for named in named_shapes(shapes):
        try:
            return _with_results(read(call, named, assume=assume), upstream)
        except ByhandError as error:
            failed = failed or error
    assert failed is not None
    raise failed


def _with_results(f: Expression, upstream: list[str]) -> Expression:
    """The results as intermediates, so that what is done wrongly with their adjoints has a place."""
    names: dict[Expr, str] = {}
    taken = {*f.symbols, *f.intermediates, *f.dimension_names}
    for _, term in f.root.terms if isinstance(f.root, Sum) else ((None, f.root),):
        factors = [n for n, _, _ in term.factors] if isinstance(term, Contraction) else []
        inside = [n for n in factors if not (isinstance(n, Symbol) and n.name in upstream)]
        if len(inside) == 1 and len(factors) == 2 and deserves_a_name(inside[0]):
            name = "result"
            while name in taken:
                name += "_"
            taken.add(name)
            names[inside[0]] = name
    return replace(f, root=name_nodes(f.root, names))


def upstream_names(kind: str, function: Any, arguments: list[str], count: int) -> list[str]:
    """What the backward calls the gradients of its results, made different from the arguments."""
    backward = function.backward if kind == "torch" else getattr(function, "bwd", None)
    try:
        parameters = list(inspect.signature(backward).parameters.values())[1:] if backward is not None else []
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL][:count]
    if len(names) < count:
        names = ["upstream"] if count == 1 else [f"upstream{k + 1}" for k in range(count)]
    taken, found = set(arguments), []
    for n in names:
        while n in taken:
            n += "_"
        taken.add(n)
        found.append(n)
    return found


def forward_of(kind: str, function: Any, count: int) -> Callable[..., Any]:
    """The forward as a function of the arguments alone."""
    if kind == "jax":
        return function  # type: ignore[no-any-return]
    if function.setup_context is not library("torch").autograd.Function.setup_context:
        return function.forward  # type: ignore[no-any-return]
    context = _Context(count)
    return lambda *tensors: function.forward(context, *tensors)


class _Context:
    """What a forward keeps for its backward goes nowhere."""

    def __init__(self, count: int) -> None:
        self.needs_input_grad = (True,) * count

    def save_for_backward(self, *tensors: Any) -> None:
        """Nothing."""

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Nothing."""

    def mark_dirty(self, *tensors: Any) -> None:
        """Nothing."""

    def set_materialize_grads(self, value: bool) -> None:
        """Nothing."""


def _paired(kind: str, forward: Callable[..., Any], count: int) -> Callable[..., Any]:
    def paired(*given: Any) -> Any:
        result = forward(*given[:count])
        results = list(result) if isinstance(result, (tuple, list)) else [result]
        terms = [(r * u).sum() for r, u in zip(results, given[count:], strict=True)]
        total = terms[0]
        for t in terms[1:]:
            total = total + t
        return total

    return paired


def named_shapes(sizes: Mapping[str, tuple[int, ...]]) -> Iterator[dict[str, str]]:
    """Shapes whose sizes have names, one for each; then the numbers."""
    names: dict[int, str] = {}
    free = iter(letter for letter in _LETTERS if letter not in sizes)
    for shape in sizes.values():
        for n in shape:
            if n > 1 and n not in names:
                name = next(free, None)
                if name is not None:
                    names[n] = name
    yield {name: " ".join(names.get(n, str(n)) for n in shape) for name, shape in sizes.items()}
    yield {name: " ".join(map(str, shape)) for name, shape in sizes.items()}
