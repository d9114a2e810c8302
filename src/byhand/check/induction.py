"""An induction by numbers: its base case, its inductive step, and networks of one layer, of two, ... against other libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from byhand.check.check import check
from byhand.check.numeric import difference, norm
from byhand.check.oracles import installed, jax_gradients, torch_gradients
from byhand.check.report import Evidence, Report, Row
from byhand.derive.derivation import derive
from byhand.derive.induction import Induction
from byhand.expr.dims import dim_value
from byhand.expr.evaluate import evaluate_node
from byhand.expr.functions import ABSTRACT
from byhand.expr.nodes import Expr, Symbol

Array = Any
SIZES = (7, 3, 11, 5, 13, 2)  # of the layers, pairwise distinct
SAMPLES = 17
TOLERANCE = 1e-12
STEP = 1e-30
INSTANCES = ("tanh", "silu", "sin")  # what an abstract σ stands for where numbers are needed


def check_induction(d: Induction, depths: int = 5, seeds: int = 1, oracles: str = "installed") -> Report:
    """Check both derivations step by step, both formulas, and the gradients of networks of 1, 2, ... layers.

    Args:
        d: the induction; networks with values have samples as rows, whatever its layout.
        depths: the depth of the deepest network.
        seeds: at how many points.
        oracles: as of `check`.
    Returns: a Report: `.ok` only if everything is right.
    """
    parts = [check(part, seeds, oracles) for part in (d.head, d.layer)]
    rows = [row for part in parts for row in part.rows]
    d = d.rows or d
    functions = INSTANCES if d.net.activation in ABSTRACT else (d.net.activation,)
    for function in functions:
        rows.append(_step_row(d, function))
        for depth in range(1, depths + 1):
            for seed in range(seeds):
                rows += _instance_rows(d, function, depth, seed, oracles)
    used = tuple(dict.fromkeys(name for part in parts for name in part.oracles))
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    unread = tuple(line for part in parts for line in part.unread)
    return Report(tuple(rows), tuple(range(seeds)), tuple(s for p in parts for s in p.sizes), used, notes, unread)


class Instance:
    """A network of one depth with values.

    Args:
        d: the induction.
        function: its activation.
        depth: the number of layers.
        seed: of its values.
    """

    def __init__(self, d: Induction, function: str, depth: int, seed: int) -> None:
        self.d, self.net = d, d.net.at(depth, function)
        self.depth, self.function = depth, function
        rng = np.random.default_rng((seed, depth, 15))
        named = dict(zip((f"{d.net.size}{k}" for k in range(depth + 1)), SIZES, strict=False))
        self.sizes = {**named, str(d.net.batch): SAMPLES}
        self.values: dict[str, Array] = {}
        for s in self.net.expression.symbols.values():
            shape = tuple(dim_value(n, self.sizes) for n in s.shape)
            if "labels" in s.assumptions:
                self.values[s.name] = rng.integers(0, dim_value(self.net.sizes[-1], self.sizes), shape)
            elif "simplexrows" in s.assumptions:
                drawn = rng.uniform(0.1, 1.0, shape)
                self.values[s.name] = drawn / drawn.sum(-1, keepdims=True)
            else:
                self.values[s.name] = rng.standard_normal(shape) / np.sqrt(max(1, shape[0] if shape else 1))

    def activated(self, z: Array) -> Array:
        """σ of each entry; as the hidden layers of the network compute it."""
        return activated(self.function, z)

    def by_recursion(self) -> dict[str, Array]:
        """The gradients by the formulas of the induction."""
        d, parts, v = self.d, self.d.parts, self.values
        below, values = [v[d.net.data]], []
        for k in range(1, self.depth + 1):
            values.append(below[-1] @ v[f"W{k}"] + (v[f"b{k}"] if d.net.bias else 0.0))
            below.append(self.activated(values[-1]))
        (logits,) = d.head.variables
        sizes = {**self.sizes, "n_L": values[-1].shape[-1]}
        head: dict[Expr, Array] = {s: v[s.name] for s in d.head.f.symbols.values() if s is not logits} | {
            logits: values[-1]
        }
        delta = evaluate_node(d.base, head, sizes)
        rate = v[d.net.l2] if isinstance(d.net.l2, str) else d.net.l2
        found: dict[str, Array] = {}
        for k in range(self.depth, 0, -1):
            w = v[f"W{k}"]
            sizes = {**self.sizes, "n_l": w.shape[0], "n_(l+1)": w.shape[1]}
            layer: dict[Expr, Array] = {parts["D"]: delta, parts["W"]: w, parts.get("K", parts["Z"]): below[k - 1]}
            layer |= {parts[n]: np.zeros_like(below[k - 1]) for n in ("Z", "S") if n in parts and parts[n] not in layer}
            found[f"W{k}"] = evaluate_node(d.weight, layer, sizes) + 2 * rate * w
            if d.offset is not None:
                found[f"b{k}"] = evaluate_node(d.offset, layer, sizes)
            if k > 1:
                layer[parts["Z"]] = values[k - 2]
                if "S" in parts:
                    layer[parts["S"]] = slope(self.function, values[k - 2])
                delta = evaluate_node(d.step, layer, sizes)
        return found

    def by_loop(self) -> dict[str, Array]:
        """The gradients by the code for any depth."""
        names = ["W", *(["b"] if self.d.net.bias else [])]
        lists: dict[str, Any] = {n: [self.values[f"{n}{k}"] for k in range(1, self.depth + 1)] for n in names}
        others = {n: a for n, a in self.values.items() if n not in self.net.parameters}
        abstract = self.d.net.activation
        functions = {abstract: self.activated, f"{abstract}_prime": partial(slope, self.function)}
        _, found = self.d.function()(**lists, **others, **(functions if abstract in ABSTRACT else {}))
        return {f"{n}{k}": a for n in names for k, a in enumerate(found[n], 1)}

    def by_others(self, oracles: str) -> dict[str, Callable[[], Mapping[str, Array]]]:
        """The gradients of the unrolled network, by name of who computes them."""
        f = self.net.expression
        variables = tuple(f.symbols[n] for n in self.net.parameters)
        values: dict[Expr, Array] = {f.symbols[n]: a for n, a in self.values.items()}

        def named(found: Mapping[Symbol, Array]) -> dict[str, Array]:
            return {s.name: a for s, a in found.items()}

        ways: dict[str, Callable[[], Mapping[str, Array]]] = {
            "the derivation layer by layer": lambda: derive(self.net).function()(**self.values)[1]
        }
        ways["the loop over layers"] = self.by_loop
        if oracles != "quick" and installed("jax"):
            ways["JAX"] = lambda: named(jax_gradients(f.root, variables, values, self.sizes))
        if oracles != "quick" and installed("torch"):
            ways["PyTorch"] = lambda: named(torch_gradients(f.root, variables, values, self.sizes))
        return ways


def activated(function: str, z: Array) -> Array:
    """An activation by its name or its expression."""
    from byhand.nets.architecture import activation_definition

    root = activation_definition(function).of({"z": _symbol(z)})
    return np.asarray(evaluate_node(root, {_symbol(z): z}, {}))


def slope(function: str, z: Array) -> Array:
    """The derivative of an activation by complex step, which no table of derivatives takes part in."""
    return np.asarray(np.imag(activated(function, z + 1j * STEP)) / STEP)


def _symbol(z: Array) -> Symbol:
    from byhand.expr.nodes import symbol

    return symbol("z", np.shape(z))


def _instance_rows(d: Induction, function: str, depth: int, seed: int, oracles: str) -> list[Row]:
    instance = Instance(d, function, depth, seed)
    found = instance.by_recursion()
    rows = []
    for name, gradients in instance.by_others(oracles).items():
        wanted = gradients()
        errors = {p: difference(found[p], wanted[p]) / max(norm(wanted[p]), 1e-300) for p in found}
        worst = max(errors, key=lambda p: errors[p] if errors[p] == errors[p] else float("inf"))
        right = errors[worst] <= TOLERANCE
        evidence = None
        if not right:
            numbers = float(np.ravel(found[worst])[0]), float(np.ravel(wanted[worst])[0])
            evidence = Evidence("by induction", f"by {name}", f"seed {seed}", "the first entry", numbers)
        unit = f"{worst} of {depth} layer{'s' * (depth > 1)}, {function}"
        rows.append(
            Row("gradient", unit, name, errors[worst], TOLERANCE, "right" if right else "wrong", evidence=evidence)
        )
    return rows


def _step_row(d: Induction, function: str) -> Row:
    """S(l+1) implies S(l): ⟨Δ[l+1], dZ[l+1]⟩ = ⟨Δ[l], dZ[l]⟩ + ⟨gradient, dW⟩ + ⟨gradient, db⟩ along a random direction."""
    parts, rng = d.parts, np.random.default_rng(16)
    sizes = {str(d.net.batch): SAMPLES, "n_l": 7, "n_(l+1)": 3}
    values: dict[Expr, Array] = {
        s: rng.standard_normal(tuple(dim_value(n, sizes) for n in s.shape)) for s in d.layer.f.symbols.values()
    }
    z = values[parts["Z"]]
    if "S" in parts:
        values[parts["S"]] = slope(function, z)
    moves: dict[str, Array] = {n: rng.standard_normal(values[parts[n]].shape) for n in ("Z", "W", "b") if n in parts}

    def above(t: complex) -> Array:
        at: dict[str, Array] = {n: values[parts[n]] + t * move for n, move in moves.items()}
        return activated(function, at["Z"]) @ at["W"] + at.get("b", 0.0)

    below = {**values, parts.get("K", parts["Z"]): activated(function, z)} if "K" in parts else values
    left = float(np.sum(values[parts["D"]] * np.imag(above(1j * STEP)) / STEP))
    forms: dict[str, Expr | None] = {"Z": d.step, "W": d.weight, "b": d.offset}
    gradients = [(evaluate_node(form, below, sizes), moves[n]) for n, form in forms.items() if form is not None]
    right = float(sum(np.sum(gradient * move) for gradient, move in gradients))
    error = abs(left - right) / max(abs(left), 1e-300)
    verdict = "right" if error <= TOLERANCE else "wrong"
    return Row("step", f"Δ[l], {function}", "inductive step", error, TOLERANCE, verdict)  # type: ignore[arg-type]


__all__ = ["Instance", "check_induction"]
