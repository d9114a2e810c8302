"""Counts for `check_gradient`: mistakes named, false failures, fakes accepted, time; beside torch and jax.

python benchmarks/check_gradient.py [single] [pairs] [right] [fakes] [time] [others] [--seeds N]
"""

from __future__ import annotations

import argparse
import collections
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from wrong_gradients import ACTIVATIONS, LOSS, SAME_WIDTHS, cases, gradient, network, softmax

from byhand.check.gradient import check_gradient
from byhand.derive.derivation import derive
from byhand.nets.mlp import MLP

SMOOTH = (
    "tanh",
    "sigmoid",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "softplus",
    "hard_tanh",
    "arctan",
    "erf",
)


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two gradients are equal."""
    return all(a[k].shape == b[k].shape and np.allclose(a[k], b[k], rtol=1e-10, atol=1e-15) for k in a)


def single(seeds: int) -> None:
    """Each mistake alone, in each layer."""
    counts: collections.Counter[str] = collections.Counter()
    missed = []
    for activation in ACTIVATIONS:
        for mistake, layer in cases(activation):
            for seed in range(seeds):
                values, sizes = network(np.random.default_rng((mistake, layer, seed)), mistake in SAME_WIDTHS)
                wrong = [(mistake, layer)]
                if same(gradient(values, activation, wrong), gradient(values, activation)):
                    counts["no difference"] += 1
                    continue
                report = check_gradient(
                    MLP(sizes, activation, l2="lam"), lambda a=activation, w=wrong, **v: gradient(v, a, w), values
                )
                counts["cases"] += 1
                named = (
                    len(report.diagnoses) == 1
                    and report.diagnoses[0].mistake == mistake
                    and right_place(report.diagnoses[0], mistake, layer)
                )
                counts["named"] += named
                counts["called right"] += report.ok
                if not named:
                    missed.append((activation, mistake, layer, seed, [(d.mistake, d.place) for d in report.diagnoses]))
    print(
        f"single mistakes: {counts['named']} of {counts['cases']} named with mistake and layer; "
        f"called right: {counts['called right']}"
    )
    for m in missed[:20]:
        print("   missed:", m)


def right_place(d: Any, mistake: int, layer: int) -> bool:
    """Whether the layer is named: by its tensor, or for the loss by the last layer's."""
    if mistake in (20, 21, 22, 23, 24):
        return bool(d.place == f"H{layer - 1}")
    if mistake == 19:
        return bool(d.tensor in (f"W{layer - 1}", f"b{layer - 1}"))
    if mistake in LOSS or layer == 0:
        return bool(d.tensor in ("b3", "W3") or mistake == 30)
    return bool(d.tensor in (f"W{layer}", f"b{layer}"))


def pairs(seeds: int) -> None:
    """Two mistakes at once."""
    counts: collections.Counter[str] = collections.Counter()
    for activation in ACTIVATIONS:
        table = cases(activation)
        chosen = [p for p in itertools.combinations(table, 2) if p[0][0] != p[1][0]]
        rng = np.random.default_rng(5)
        for k in rng.choice(len(chosen), min(len(chosen), 10 * seeds), replace=False):
            wrong = list(chosen[k])
            values, sizes = network(np.random.default_rng((7, int(k))), any(m in SAME_WIDTHS for m, _ in wrong))
            given = gradient(values, activation, wrong)
            if any(same(given, gradient(values, activation, w)) for w in ([], wrong[:1], wrong[1:])):
                continue
            report = check_gradient(
                MLP(sizes, activation, l2="lam"), lambda a=activation, w=wrong, **v: gradient(v, a, w), values
            )
            found = [d.mistake for d in report.diagnoses]
            counts["cases"] += 1
            counts["called right"] += report.ok
            counts["first"] += found[0] in [m for m, _ in wrong]
            counts["both"] += sorted(map(str, found)) == sorted(str(m) for m, _ in wrong)
            if found[0] not in [m for m, _ in wrong] and counts["shown"] < 12:
                counts["shown"] += 1
                print("   missed:", activation, wrong, [(d.mistake, d.tensor) for d in report.diagnoses])
    print(
        f"pairs: first named in {counts['first']} of {counts['cases']}, both and nothing else in {counts['both']}; "
        f"called right: {counts['called right']}"
    )


def trained(values: dict[str, Any], function: Any, steps: int) -> tuple[dict[str, Any], float]:
    """Gradient descent with an adaptive rate until the loss is below 1e-4."""
    values = {n: np.array(v) for n, v in values.items()}
    moments = {n: np.zeros_like(v) for n, v in values.items() if n[0] in "Wb"}
    squares = {n: np.zeros_like(v) for n, v in moments.items()}
    loss = np.inf
    for t in range(1, steps + 1):
        loss, found = function(**values)
        if loss < 5e-5:
            break
        for n in moments:
            moments[n] = 0.9 * moments[n] + 0.1 * found[n]
            squares[n] = 0.99 * squares[n] + 0.01 * found[n] ** 2
            values[n] = values[n] - 0.02 * (moments[n] / (1 - 0.9**t)) / (np.sqrt(squares[n] / (1 - 0.99**t)) + 1e-12)
    return values, float(loss)


def networks(count: int) -> Any:
    """Right gradients: all activations, batch 4 to 1024, at the start and after training; two forms."""
    for k in range(count):
        rng = np.random.default_rng((11, k))
        activation = SMOOTH[k % len(SMOOTH)]
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


def right(count: int) -> None:
    """Correct gradients must not fail."""
    failed, reached, checked, unsure = [], 0, 0, 0
    for k, net, values, function, loss in networks(count):
        reached += loss < 1e-4
        by_function = k % 4 in (1, 2)
        target = (lambda f=function, **v: f(**v)[0]) if by_function else net
        loss_function = complex_loss(net) if by_function else target
        report = check_gradient(loss_function, lambda f=function, **v: f(**v)[1], values)
        checked += 1
        unsure += "not checkable" in report.verdicts.values()
        if "wrong" in report.verdicts.values():
            failed.append((k, net.activations[0], len(values["X"]), loss, report.summary[:200]))
    print(
        f"correct gradients: {len(failed)} false failures in {checked}, {unsure} with a tensor not checkable; "
        f"{reached} of them trained to a loss below 1e-4"
    )
    for f in failed[:10]:
        print("   failed:", f)


def complex_loss(net: MLP) -> Any:
    """The forward of a network as a function of its own, through byhand's interpreter."""
    from byhand.expr.evaluate import bind, evaluate_node

    def loss(**values: Any) -> Any:
        bound, sizes = bind(net.expression, values)
        return evaluate_node(net.expression.root, bound, sizes)

    return loss


def fakes(count: int) -> None:
    """Zero, negated, random, one entry off by 1e-4 of its size: none may be called right."""
    accepted: collections.Counter[str] = collections.Counter()
    tried: collections.Counter[str] = collections.Counter()
    for k, net, values, function, _ in networks(count):
        found = function(**values)[1]
        rng = np.random.default_rng((13, k))
        name = str(rng.choice(list(found)))
        g = found[name]
        if not np.any(g):
            continue
        entry = g.copy()
        places = np.argwhere(g)
        place = tuple(places[rng.integers(len(places))])
        entry[place] *= 1 + 1e-4
        made = {
            "zero": 0 * g,
            "negated": -g,
            "random": rng.standard_normal(g.shape) * np.linalg.norm(g) / np.sqrt(g.size),
            "one entry": entry,
        }
        for kind, fake in made.items():
            from byhand.check.directional import ExpressionForward
            from byhand.check.verdict import Judge

            wrong = {**found, name: fake}
            judge = Judge(
                ExpressionForward(net.expression),
                values,
                wrong,
                lambda v, n=name, q=wrong, f=function: {**f(**v)[1], n: q[n]},
            )
            verdicts = {r.name: r.verdict for r in judge.rows(list(wrong))}
            tried[kind] += 1
            if verdicts[name] == "right":
                accepted[kind] += 1
                print("   accepted:", kind, k, name, f"entry {abs(g[place]) / np.linalg.norm(g):.1e} of the norm")
    print("fakes accepted:", ", ".join(f"{kind} {accepted[kind]} of {tried[kind]}" for kind in tried))


def large() -> None:
    """648 000 parameters: the time of a verdict in forward-and-backward times."""
    rng = np.random.default_rng(0)
    sizes, n = [784, 600, 280, 10], 256
    values: dict[str, Any] = {"X": rng.standard_normal((n, sizes[0])), "y": rng.integers(0, 10, n)}
    for j in (1, 2, 3):
        values[f"W{j}"], values[f"b{j}"] = (
            rng.standard_normal(sizes[j - 1 : j + 1]) / np.sqrt(sizes[j - 1]),
            0.1 * rng.standard_normal(sizes[j]),
        )

    def loss(X: Any, y: Any, W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any) -> Any:
        p = softmax(np.tanh(np.tanh(X @ W1 + b1) @ W2 + b2) @ W3 + b3)
        return -np.mean(np.log(p[np.arange(len(y)), y]))

    def backward(**v: Any) -> dict[str, Any]:
        found = gradient({**v, "lam": 0.0}, "tanh")
        return found

    both = []
    for _ in range(9):
        start = time.perf_counter()
        loss(**values), backward(**values)
        both.append(time.perf_counter() - start)
    unit = float(np.median(both))
    parameters = sum(values[m].size for m in values if m[0] in "Wb")
    for name, function in (
        ("right", backward),
        ("wrong", lambda **v: {k: g * (1.01 if k == "W2" else 1) for k, g in backward(**v).items()}),
    ):
        start = time.perf_counter()
        report = check_gradient(loss, function, values)
        took = time.perf_counter() - start
        print(
            f"{parameters} parameters, {name}: {report.verdicts['W2']} in {took:.2f} s "
            f"= {took / unit:.1f} forward-and-backward times of {unit * 1e3:.0f} ms"
        )


def others(count: int) -> None:
    """The same cases with torch gradcheck and jax check_grads."""
    import jax
    import torch
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    rows: dict[str, collections.Counter[str]] = {
        k: collections.Counter() for k in ("byhand", "torch gradcheck", "jax check_grads")
    }
    for kind in ("right", "one entry off 1e-4", "factor N in one layer", "zero bias gradient", "right, trained"):
        for seed in range(count):
            values, sizes = network(np.random.default_rng((17, seed)))
            if kind == "right, trained":
                f = derive(MLP(sizes, "tanh")).function("numpy")
                fixed = {n: v for n, v in values.items() if n != "lam"}
                fixed["y"] = np.argmax(
                    fixed["X"] @ np.random.default_rng(seed).standard_normal((sizes[0], sizes[3])), axis=1
                )
                values = {**trained(fixed, f, 4000)[0], "lam": 0.0}

            def hand(values: dict[str, Any], kind: str = kind, seed: int = seed) -> dict[str, Any]:
                g = gradient(values, "tanh")
                if kind == "one entry off 1e-4":
                    g["W2"].flat[seed % g["W2"].size] *= 1 + 1e-4
                if kind == "factor N in one layer":
                    g["W2"] = g["W2"] * len(values["X"])
                if kind == "zero bias gradient":
                    g["b2"] = 0 * g["b2"]
                return g

            truth = kind.startswith("right")
            right = check_gradient(MLP(sizes, "tanh", l2="lam"), lambda h=hand, **v: h(v), values).ok
            rows["byhand"][f"{kind}: {'ok' if right == truth else 'MISJUDGED'}"] += 1
            names = [n for n in values if n[0] in "Wb"]
            rest = {n: v for n, v in values.items() if n not in names}

            def forward(parameters: Any, xp: Any, values: dict[str, Any] = rest, names: list[str] = names) -> Any:
                v = dict(zip(names, parameters, strict=True))
                h = xp.asarray(values["X"])
                for j in (1, 2):
                    h = xp.tanh(h @ v[f"W{j}"] + v[f"b{j}"])
                z = h @ v["W3"] + v["b3"]
                top = z - (z.amax(1, keepdim=True) if xp is torch else z.max(1, keepdims=True))
                logp = top - xp.log(xp.exp(top).sum(1)).reshape(-1, 1)
                return -(logp * xp.asarray(np.eye(z.shape[1])[values["y"]])).sum() / len(values["y"]) + float(
                    values["lam"]
                ) * sum((v[f"W{j}"] ** 2).sum() for j in (1, 2, 3))

            class Hand(torch.autograd.Function):
                @staticmethod
                def forward(ctx: Any, *parameters: Any) -> Any:
                    ctx.save_for_backward(*parameters)
                    return forward(parameters, torch)

                @staticmethod
                def backward(ctx: Any, upstream: Any) -> Any:
                    g = hand({**rest, **{n: p.detach().numpy() for n, p in zip(names, ctx.saved_tensors, strict=True)}})
                    return tuple(upstream * torch.as_tensor(g[n]) for n in names)

            leaves = [torch.tensor(values[n], requires_grad=True) for n in names]
            passed = torch.autograd.gradcheck(Hand.apply, leaves, raise_exception=False)
            rows["torch gradcheck"][f"{kind}: {'ok' if passed == truth else 'MISJUDGED'}"] += 1

            function = jax.custom_vjp(lambda *p: forward(p, jax.numpy))
            function.defvjp(
                lambda *p: (forward(p, jax.numpy), p),
                lambda saved, up: tuple(
                    up
                    * jax.numpy.asarray(
                        hand({**rest, **{n: np.asarray(x) for n, x in zip(names, saved, strict=True)}})[n]
                    )
                    for n in names
                ),
            )
            try:
                check_grads(function, [jax.numpy.asarray(values[n]) for n in names], 1, modes=["rev"])
                passed = True
            except AssertionError:
                passed = False
            rows["jax check_grads"][f"{kind}: {'ok' if passed == truth else 'MISJUDGED'}"] += 1
    for name, counts in rows.items():
        print(f"{name:16}", "; ".join(f"{k} {v}" for k, v in counts.items()))


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["single", "pairs", "right", "fakes", "time", "others"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    work = {
        "single": lambda: single(options.seeds), "pairs": lambda: pairs(options.seeds),
        "right": lambda: right(options.count),
        "fakes": lambda: fakes(max(1, options.count * 3 // 4)), "time": large, "others": lambda: others(options.seeds),
    }  # fmt: skip
    for part in options.parts:
        start = time.perf_counter()
        work[part]()
        print(f"   ({part}: {time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
