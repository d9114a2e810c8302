"""Second order against JAX, PyTorch and scikit-learn, in one run, float64: `python benchmarks/second_order.py [--quick]`.

Each row of the first table is the best of several repetitions after warming up, in milliseconds. `byhand` is the function that
`byhand.hessian(...).function("numpy")` returns, its derivation not counted; `operator` is `.operator(...)`.
The second table is logistic regression: iterations and seconds to within 1e-8 of the optimum, the L2 penalty being
1/(2 C N) of ours for more than two classes and 1/(C N) for two (`MLPClassifier` says why).
"""

# ruff: noqa: E402 (threads are chosen before the libraries start)
from __future__ import annotations

import os

THREADS = "2"
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, THREADS)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from machine import machine

import byhand

jax.config.update("jax_enable_x64", True)
torch.set_num_threads(int(THREADS))
torch.set_default_dtype(torch.float64)


@dataclass
class Row:
    """One function, three ways, and the factor to reach over `jax.jit(jax.hessian(f))`."""

    name: str
    text: str
    shapes: dict[str, str]
    wrt: str
    values: dict[str, np.ndarray]
    jax: Callable[..., Any]
    torch: Callable[..., Any]
    target: float
    operator_target: float | None = None
    assume: dict[str, str] = field(default_factory=dict)


def rows(rng: np.random.Generator) -> list[Row]:
    """The table of issue 5."""

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape)

    labels = np.eye(10)[rng.integers(0, 10, 500)]
    return [
        Row("xᵀAx, n=1024", "x @ A @ x", {"x": "n", "A": "n n"}, "x", {"x": normal(1024), "A": normal(1024, 1024)},
            lambda x, A: x @ A @ x, lambda x, A: x @ A @ x, 10),
        Row("logistic, 2048×256", "sum(softplus(-y*(X @ w)))", {"X": "m n", "w": "n", "y": "m"}, "w",
            {"X": normal(2048, 256), "w": normal(256) / 16, "y": np.sign(normal(2048))},
            lambda w, X, y: jnp.sum(jax.nn.softplus(-y * (X @ w))),
            lambda w, X, y: torch.nn.functional.softplus(-y * (X @ w)).sum(), 2.5, assume={"y": "pm1"}),
        Row("matrix factorisation, 100×100, k=10", "sum((A - U @ V.T)**2)", {"A": "m n", "U": "m k", "V": "n k"}, "U",
            {"A": normal(100, 100), "U": normal(100, 10), "V": normal(100, 10)},
            lambda U, A, V: jnp.sum((A - U @ V.T) ** 2), lambda U, A, V: ((A - U @ V.T) ** 2).sum(), 20, 1000),
        Row("log-sum-exp, n=512", "logsumexp(x)", {"x": "n"}, "x", {"x": normal(512)},
            lambda x: jax.nn.logsumexp(x), lambda x: torch.logsumexp(x, 0), 1),
        Row("softmax regression, 500×20×10", "sum(logsumexp(X @ W, axis=1)) - sum(Y*(X @ W))",
            {"X": "m n", "W": "n k", "Y": "m k"}, "W", {"X": normal(500, 20), "W": normal(20, 10), "Y": labels},
            lambda W, X, Y: jnp.sum(jax.nn.logsumexp(X @ W, axis=1)) - jnp.sum(Y * (X @ W)),
            lambda W, X, Y: torch.logsumexp(X @ W, 1).sum() - (Y * (X @ W)).sum(), 2.5),
    ]  # fmt: skip


QUICK = False


def best(run: Callable[[], Any], seconds: float = 1.0, least: int = 5) -> float:
    """Milliseconds of the fastest repetition."""
    run()
    found, end = [], time.perf_counter() + (seconds / 5 if QUICK else seconds)
    while len(found) < least or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return 1e3 * min(found)


def hessian_row(r: Row) -> list[str]:
    """One line of the table; the values are compared first."""
    h = byhand.hessian(byhand.parse(r.text, shapes=r.shapes, assume=r.assume), r.wrt)
    ours = h.function("numpy")
    others = {n: v for n, v in r.values.items() if n != r.wrt}
    theirs = jax.jit(jax.hessian(lambda x, rest: r.jax(**{r.wrt: x}, **rest)))
    x, rest = jnp.asarray(r.values[r.wrt]), {n: jnp.asarray(v) for n, v in others.items()}
    tx, trest = torch.tensor(r.values[r.wrt]), {n: torch.tensor(v) for n, v in others.items()}
    torch_hessian = torch.func.hessian(lambda x: r.torch(**{r.wrt: x}, **trest))
    expected = np.asarray(theirs(x, rest))
    error = np.abs(ours(**r.values) - expected).max() / np.abs(expected).max()
    assert error < 1e-10, (r.name, error)
    structure = h.structure_function()
    a = best(lambda: ours(**r.values))
    b = best(lambda: theirs(x, rest).block_until_ready())
    c = best(lambda: torch_hessian(tx))
    o = best(lambda: structure(**r.values), 0.3)
    goal = f"≥ {r.target:g}×" + (f", operator ≥ {r.operator_target:g}×" if r.operator_target else "")
    return [
        r.name,
        f"{a:.3f}",
        f"{o:.4f}",
        f"{b:.2f}",
        f"{c:.2f}",
        f"{b / a:.1f}×",
        f"{b / o:.0f}×",
        f"{c / a:.1f}×",
        goal,
    ]


def per_sample_row(rng: np.random.Generator) -> list[str]:
    """Gradient norms of 784-300-10 at batch 1024 against torch.func.vmap(grad)."""
    shapes = {"W1": (784, 300), "b1": (300,), "W2": (300, 10), "b2": (10,)}
    values = {n: rng.standard_normal(s) / s[0] ** 0.5 for n, s in shapes.items()}
    X, y = rng.standard_normal((1024, 784)), rng.integers(0, 10, 1024)
    p = byhand.per_sample(byhand.MLP("784-300-10"))

    def loss(q: dict[str, Any], x: Any, t: Any) -> Any:
        z = torch.relu(x @ q["W1"] + q["b1"]) @ q["W2"] + q["b2"]
        return torch.logsumexp(z, 0) - z.gather(0, t[None])[0]

    q = {n: torch.tensor(v) for n, v in values.items()}
    tX, ty = torch.tensor(X), torch.tensor(y)
    gradients = torch.func.vmap(torch.func.grad(loss), (None, 0, 0), chunk_size=256)

    def theirs() -> Any:
        return torch.sqrt(sum((g.flatten(1) ** 2).sum(1) for g in gradients(q, tX, ty).values()))  # type: ignore[arg-type]

    error = np.abs(p.norms(X=X, y=y, **values) / theirs().numpy() - 1).max()
    assert error < 1e-10, error
    a, c = best(lambda: p.norms(X=X, y=y, **values)), best(theirs, 2.0, 3)
    return [
        "per-sample gradient norms, 784-300-10, batch 1024",
        f"{a:.3f}",
        "",
        "",
        f"{c:.1f}",
        "",
        "",
        f"{c / a:.1f}×",
        "≥ 10× over torch",
    ]


def newton_rows() -> list[list[str]]:
    """solver="newton" against LogisticRegression(solver="newton-cholesky"), both to within 1e-8 of the optimum."""
    from sklearn.datasets import load_breast_cancer, load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    def loss(m: Any, X: np.ndarray, y: np.ndarray, C: float) -> float:
        Z = m.decision_function(X)
        Z = np.stack([np.zeros(len(X)), Z], axis=1) if Z.ndim == 1 else Z
        cross = np.mean(np.logaddexp.reduce(Z, axis=1) - Z[np.arange(len(X)), y])
        return float(cross + np.sum(m.coef_**2) / (2 * C * len(X)))

    found = []
    for name, load in (("breast_cancer", load_breast_cancer), ("digits", load_digits)):
        X, y = load(return_X_y=True)
        X, C, N = StandardScaler().fit_transform(X), 1.0, len(X)
        l2 = 1 / (C * N) if len(np.unique(y)) == 2 else 1 / (2 * C * N)

        def sklearn(k: int, X: np.ndarray = X, y: np.ndarray = y, C: float = C) -> Any:
            return LogisticRegression(solver="newton-cholesky", C=C, tol=1e-12, max_iter=k).fit(X, y)

        def ours(k: int, X: np.ndarray = X, y: np.ndarray = y, l2: float = l2) -> Any:
            settings: dict[str, Any] = {"label_smoothing": 0.0, "standardize": False, "init": "zeros"}
            return byhand.MLPClassifier((), solver="newton", l2=l2, max_epochs=k, **settings).fit(X, y)

        optimum = loss(sklearn(100), X, y, C)
        theirs = next(k for k in range(1, 100) if loss(sklearn(k), X, y, C) - optimum < 1e-8)
        curve = ours(100).loss_curve_
        own = next(k for k, value in enumerate(curve, 1) if value - optimum < 1e-8)
        a, b = best(lambda: ours(own), 1.0, 3), best(lambda: sklearn(theirs), 1.0, 3)
        gap = f"{max(0.0, curve[own - 1] - optimum):.0e}"
        found.append([f"{name}, {N}×{X.shape[1]}", str(own), str(theirs), gap, f"{a:.1f}", f"{b:.1f}", f"{b / a:.1f}×"])
    return found


def main() -> None:
    """Print the tables as Markdown."""
    global QUICK
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the repetitions")
    QUICK = parser.parse_args().quick
    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(0)
    print(machine("numpy", "scipy", "scikit-learn", "jax", "torch"), end="\n\n")
    head = [
        "",
        "byhand ms",
        "operator ms",
        "jax ms",
        "torch ms",
        "over jax",
        "operator over jax",
        "over torch",
        "to reach",
    ]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for r in rows(rng):
        print("| " + " | ".join(hessian_row(r)) + " |", flush=True)
    print("| " + " | ".join(per_sample_row(rng)) + " |", flush=True)
    head = [
        "logistic regression",
        "iterations",
        "newton-cholesky",
        "from the optimum",
        "byhand ms",
        "scikit-learn ms",
        "",
    ]
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for line in newton_rows():
        print("| " + " | ".join(line) + " |", flush=True)


if __name__ == "__main__":
    main()
