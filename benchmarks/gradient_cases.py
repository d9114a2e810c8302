"""Networks, right gradients and wrong ones for `check_gradient.py`; nothing here comes from the checker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from wrong_gradients import ACTIVATIONS, LOSS, SAME_WIDTHS, cases, forward, gradient, network, softmax

from byhand.derive.derivation import derive
from byhand.expr.evaluate import bind, evaluate_node
from byhand.expr.expression import Expression
from byhand.expr.parse import parse
from byhand.nets.mlp import MLP

Values = dict[str, Any]
ALL_ACTIVATIONS = (
    "tanh", "sigmoid", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "hard_tanh", "arctan", "erf",
)  # fmt: skip
PROGRAM = (31, 32, 33, 34, 35, 36)  # rows that need a loss or a program of their own


@lru_cache(maxsize=4)
def random_network(seed: int, same: bool, activation: str) -> tuple[Values, MLP]:
    """A 3-layer network of random widths at a random point."""
    values, sizes = network(np.random.default_rng((seed, same)), same)
    return values, MLP(sizes, activation, l2="lam")


def differ(a: Values, b: Values) -> bool:
    """Whether two gradients differ at all."""
    return any(a[k].shape != b[k].shape or not np.allclose(a[k], b[k], rtol=1e-10, atol=1e-15) for k in a)


def right_place(d: Any, mistake: int, layer: int) -> bool:
    """Whether the layer is named: by its tensor, or for the loss by the last layer's."""
    if mistake in (20, 21, 22, 23, 24):
        return bool(d.place == f"H{layer - 1}")
    if mistake == 19:
        return d.tensor in (f"W{layer - 1}", f"b{layer - 1}")
    if mistake in LOSS or layer == 0:
        return d.tensor in ("b3", "W3") or mistake == 30
    return d.tensor in (f"W{layer}", f"b{layer}")


# ---- rows that need a loss or a program of their own

_BODY = "Z1 = X @ W1 + b1\nH1 = {f}(Z1)\nZ2 = H1 @ W2 + b2\n{middle}Z3 = H2 @ W3 + b3\n{loss}"
_PLAIN = "H2 = {f}(Z2)\n"
_NORMED = "mu = mean(Z2, 0)\nvar = mean((Z2 - mu)**2, 0)\nN2 = (Z2 - mu)/sqrt(var + 0.00001)\nH2 = {f}(N2)\n"


@lru_cache(maxsize=8)
def _loss(activation: str, normed: bool, loss: str, data: str) -> Expression:
    text = _BODY.format(f=activation, middle=(_NORMED if normed else _PLAIN).format(f=activation), loss=loss)
    shapes = {"X": "N D", "W1": "D A", "b1": "A", "W2": "A B", "b2": "B", "W3": "B C", "b3": "C"}
    if data == "y":
        shapes |= {"W3": "B 1", "b3": "1"}
    return parse(text, shapes={**shapes, data: "N 1" if data == "y" else "N C"})


def _backward(v: Values, activation: str, cotangent: Callable[[Any], Any], normed: bool, constant: bool) -> Values:
    """The gradient of a network whose output has a given cotangent; `constant`: statistics do not depend on Z2."""
    f, slope, _ = ACTIVATIONS[activation]
    z1 = v["X"] @ v["W1"] + v["b1"]
    h1 = f(z1)
    z2 = h1 @ v["W2"] + v["b2"]
    s = np.sqrt(((z2 - z2.mean(0)) ** 2).mean(0) + 1e-5) if normed else 1.0
    n2 = (z2 - z2.mean(0)) / s if normed else z2
    h2 = f(n2)
    d3 = cotangent(h2 @ v["W3"] + v["b3"])
    d2 = (d3 @ v["W3"].T) * slope(n2, h2)
    if normed:
        d2 = (d2 if constant else d2 - d2.mean(0) - n2 * (d2 * n2).mean(0)) / s
    d1 = (d2 @ v["W2"].T) * slope(z1, h1)
    found = {"W3": h2.T @ d3, "b3": d3.sum(0), "W2": h1.T @ d2, "b2": d2.sum(0), "W1": v["X"].T @ d1, "b1": d1.sum(0)}
    return found


def program_case(mistake: int, activation: str, seed: int) -> tuple[Any, Any, Values]:
    """(loss, gradient, values) with one of the mistakes 31 to 36."""
    values, net = random_network(seed, False, activation)
    rng = np.random.default_rng((mistake, seed))
    weights = {n: v for n, v in values.items() if n[0] in "XWb"}
    if mistake == 31:
        first = gradient(values, activation)
        memory = {n: np.zeros_like(g) for n, g in first.items()}

        def accumulating(**v: Any) -> Values:
            for n, g in gradient(v, activation).items():
                memory[n] += g
            return {n: m.copy() for n, m in memory.items()}

        return net, accumulating if seed % 2 else (lambda **v: first), values
    if mistake == 32:
        return net, lambda **v: {n: g.astype(np.float32) for n, g in gradient(v, activation).items()}, values
    if mistake in (33, 34):
        normed = mistake == 34
        values = {**weights, "G": rng.standard_normal((len(values["X"]), values["b3"].size))}
        loss = "L = sum(G * tanh(Z3))" if normed else "L = sum(G * Z3)"

        def upstream(v: Values) -> Callable[[Any], Any]:
            return lambda z: v["G"] * (1 - np.tanh(z) ** 2) if normed else np.ones_like(z)

        wrong = lambda **v: _backward(v, activation, upstream(v), normed, True)  # noqa: E731
        return _loss(activation, normed, loss, "G"), wrong, values
    if mistake == 35:
        values = {
            **weights,
            "W3": weights["W3"][:, :1],
            "b3": weights["b3"][:1],
            "y": rng.standard_normal((len(values["X"]), 1)),
        }

        def square(v: Values) -> Callable[[Any], Any]:
            return lambda z: (2 * (z - v["y"][:, 0]) / len(z) ** (2 if seed % 2 else 1)).sum(axis=1, keepdims=True)

        loss = _loss(activation, False, "L = mean((Z3 - y)**2)", "y")
        return loss, lambda **v: _backward(v, activation, square(v), False, False), values
    values = {**values, "W3": 1e4 * values["W3"]}
    values["y"] = np.argmin(forward(values, activation)[1][3], axis=1)

    def naive(**v: Any) -> Values:
        h, _ = forward(v, activation)
        p = h[3]
        up = -np.eye(p.shape[1])[v["y"]] / p / len(p)
        d = p * (up - (up * p).sum(axis=1, keepdims=True))
        return {**gradient(v, activation), "W3": h[2].T @ d + 2 * v["lam"] * v["W3"], "b3": d.sum(axis=0)}

    return net, naive, values


# ---- right gradients


def trained(values: Values, function: Any, steps: int) -> tuple[Values, float]:
    """Gradient descent with an adaptive rate until the loss is below 1e-4."""
    values = {n: np.array(v) for n, v in values.items()}
    moments = {n: np.zeros_like(v) for n, v in values.items() if n[0] in "Wb"}
    squares = {n: np.zeros_like(v) for n, v in moments.items()}
    loss = np.inf
    for t in range(1, steps + 1):
        loss, found = function.raw(*(values[n] for n in function.inputs))
        if loss < 5e-5:
            break
        for n in moments:
            moments[n] = 0.9 * moments[n] + 0.1 * found[n]
            squares[n] = 0.99 * squares[n] + 0.01 * found[n] ** 2
            values[n] = values[n] - 0.02 * (moments[n] / (1 - 0.9**t)) / (np.sqrt(squares[n] / (1 - 0.99**t)) + 1e-12)
    return values, float(loss)


def right_gradients(first: int, last: int) -> Iterator[tuple[int, MLP, Values, Any, float]]:
    """Networks with their right gradients: all activations, batch 4 to 1024, every second one trained."""
    for k in range(first, last):
        rng = np.random.default_rng((11, k))
        activation = ALL_ACTIVATIONS[k % len(ALL_ACTIVATIONS)]
        samples = int(2 ** rng.uniform(2, 10)) if k % 2 else int(2 ** rng.uniform(2, 5))
        sizes = [int(s) for s in rng.integers(3, 24, 4)]
        net = MLP(sizes, activation)
        values = {"X": rng.standard_normal((samples, sizes[0])), "y": rng.integers(0, sizes[3], samples)}
        for j in (1, 2, 3):
            values[f"W{j}"] = rng.standard_normal(sizes[j - 1 : j + 1]) * np.sqrt(2 / sizes[j - 1])
            values[f"b{j}"] = np.zeros(sizes[j]) if k % 3 == 0 else 0.1 * rng.standard_normal(sizes[j])
        function = derive(net).function("numpy")
        loss = np.nan
        if k % 2 == 0:
            values["y"] = np.argmax(values["X"] @ rng.standard_normal((sizes[0], sizes[3])), axis=1)
            values, loss = trained(values, function, 4000)
        yield k, net, values, function, loss


def black_box(net: MLP) -> Any:
    """The forward of a network as a function of which nothing is known."""

    def loss(**values: Any) -> Any:
        bound, sizes = bind(net.expression, values)
        return evaluate_node(net.expression.root, bound, sizes)

    return loss


def fakes(found: Values, rng: np.random.Generator) -> Iterator[tuple[str, str, Any, float]]:
    """One tensor zero, negated, random, or with one entry off by 1e-4 of its size: (kind, tensor, fake, entry)."""
    name = str(rng.choice([n for n, g in found.items() if np.any(g)]))
    g = found[name]
    places = np.argwhere(g)
    place = tuple(places[rng.integers(len(places))])
    entry = g.copy()
    entry[place] *= 1 + 1e-4
    size = float(np.linalg.norm(g))
    yield "zero", name, 0 * g, 0.0
    yield "negated", name, -g, 0.0
    yield "random", name, rng.standard_normal(g.shape) * size / np.sqrt(g.size), 0.0
    yield "one entry", name, entry, abs(float(g[place])) / size


__all__ = [
    "ACTIVATIONS", "PROGRAM", "SAME_WIDTHS", "black_box", "cases", "differ", "fakes", "gradient", "network",
    "program_case", "random_network", "right_gradients", "right_place", "softmax", "trained",
]  # fmt: skip
