"""Gradients of tanh logits under softmax cross-entropy: checked against PyTorch's autograd, and drawn as a heat map.

    python examples/gradient_check.py --out heatmap.png

Where PyTorch is not installed, the derived formulas in float64 are the reference, and the script says so.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import byhand

B, N, D = 32, 27, 128  # samples, classes, inputs
NETWORK = "z = x @ w + b\ny = tanh(z)\nmean(cross_entropy(y, t))"
SHAPES = {"x": "B d", "w": "d N", "b": "N", "t": "B"}
TAILS = {  # the loss as a function of each intermediate
    "y": ("mean(cross_entropy(y, t))", {"y": "B N", "t": "B"}),
    "z": ("mean(cross_entropy(tanh(z), t))", {"z": "B N", "t": "B"}),
}
Arrays = dict[str, np.ndarray]


def setup(dtype: type = np.float32, seed: int = 0) -> Arrays:
    """Random samples, labels and parameters."""
    rng = np.random.default_rng(seed)
    drawn = {"x": (B, D), "w": (D, N), "b": (N,)}
    return {n: rng.standard_normal(s).astype(dtype) for n, s in drawn.items()} | {"t": rng.integers(0, N, B)}


def derived_gradients(values: Arrays) -> Arrays:
    """The derived gradients with respect to y, z, x, w and b."""
    z = values["x"] @ values["w"] + values["b"]
    at = {"z": z, "y": np.tanh(z)}
    found: Arrays = {}
    for name, (text, shapes) in TAILS.items():
        f = byhand.parse(text, shapes=shapes, assume={"t": "labels"})
        found |= byhand.derive(f, name).function()(**{name: at[name], "t": values["t"]})[1]
    f = byhand.parse(NETWORK, shapes=SHAPES, assume={"t": "labels"})
    return found | byhand.derive(f, ["x", "w", "b"]).function()(**values)[1]


def reference_gradients(values: Arrays) -> tuple[str, Arrays]:
    """The same gradients by PyTorch's autograd, or by the formulas in float64 where there is no PyTorch."""
    try:
        import torch
    except ImportError:
        exact = {n: v if n == "t" else v.astype(float) for n, v in values.items()}
        return "the derived formulas in float64", derived_gradients(exact)
    x, w, b = (torch.tensor(values[n], requires_grad=True) for n in "xwb")
    z = x @ w + b
    y = torch.tanh(z)
    y.retain_grad()
    z.retain_grad()
    torch.nn.functional.cross_entropy(y, torch.tensor(values["t"])).backward()
    nodes = {"y": y, "z": z, "x": x, "w": w, "b": b}
    return "PyTorch's autograd", {n: node.grad.numpy() for n, node in nodes.items() if node.grad is not None}


@dataclass(frozen=True)
class Comparison:
    """How two gradients of the same name differ.

    Attributes:
        exact: whether all entries are equal.
        approx: whether they are equal within rtol of the gradient's own scale, shapes included.
        maxdiff, relative: the greatest difference, absolute and as a share of the gradient's norm.
        ulps: the greatest difference in units of the last place of the greatest entry.
    """

    name: str
    exact: bool
    approx: bool
    maxdiff: float
    relative: float
    ulps: float

    def __str__(self) -> str:
        return (
            f"{self.name:<3s} | exact: {self.exact!s:5s} | approx: {self.approx!s:5s} | maxdiff: {self.maxdiff:.2e} "
            f"| relative: {self.relative:.1e} | ulps: {self.ulps:.1f}"
        )


def compare(name: str, dt: np.ndarray, t: np.ndarray, rtol: float = 1e-5) -> Comparison:
    """Compare a gradient with its reference; different shapes are an error, not a broadcast."""
    if dt.shape != t.shape:
        raise byhand.ShapeError(f"d{name} is {dt.shape}, the reference {t.shape}")
    difference = float(np.abs(dt - t).max())
    scale, norm = float(np.abs(t).max()), float(np.linalg.norm(t))
    relative = float(np.linalg.norm(dt - t)) / norm if norm else float(difference > 0)
    ulps = difference / float(np.spacing(np.array(scale, dt.dtype)))
    return Comparison(name, bool((dt == t).all()), relative <= rtol, difference, relative, ulps)


def heat_map(dy: np.ndarray, t: np.ndarray, path: Path) -> None:
    """Left B ∂L/∂y, right minus the one-hot targets, both (B, N)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    left, right = figure.subplots(1, 2)
    image = left.imshow(dy * B, cmap="gray")
    right.imshow(-np.eye(N)[t], cmap="gray")
    for axes, title in ((left, "B ∂L/∂y"), (right, "-one-hot(t)")):
        axes.set_title(title)
        axes.set_xlabel("N")
        axes.set_ylabel("B")
    figure.colorbar(image, ax=left)
    figure.savefig(path)


def main(arguments: list[str] | None = None) -> list[Comparison]:
    """Derive, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gradient_heatmap.png"))
    out = parser.parse_args(arguments).out
    values = setup()
    gradients = derived_gradients(values)
    name, reference = reference_gradients(values)
    print(f"derived gradients, float32, against {name}")
    found = [compare(n, gradients[n], reference[n]) for n in "yzxwb"]
    print(*found, sep="\n")
    print(f"mean |row sum of ∂L/∂y| = {np.abs(gradients['y'].sum(axis=1)).mean():.1e}")
    heat_map(gradients["y"], values["t"], out)
    print(f"wrote {out}")
    return found


if __name__ == "__main__":
    main()
