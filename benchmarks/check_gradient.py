"""Every figure of `check_gradient` with its counts: mistakes named, false failures, fakes accepted, time, other checkers.

python benchmarks/check_gradient.py [--quick] [--jobs N] [single pairs right others time]

Prints a Markdown table; the full run takes about 4 minutes on two cores, --quick about half a minute.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a process: the processes share the cores

import argparse
import collections
import itertools
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gradient_cases import (
    ACTIVATIONS,
    PROGRAM,
    SAME_WIDTHS,
    black_box,
    cases,
    differ,
    fakes,
    gradient,
    network,
    program_case,
    random_network,
    right_gradients,
    right_place,
    softmax,
    trained,
)
from machine import machine

from byhand.check.gradient import check_gradient
from byhand.derive.derivation import derive
from byhand.nets.mlp import MLP

Counts = collections.Counter[str]
Row = tuple[str, str, str]  # the figure, its target, what was reached


# ---- mistakes


def single(activation: str, seed: int) -> tuple[Counts, list[str]]:
    """Each mistake alone, in each layer of one network."""
    counts: Counts = collections.Counter()
    missed = []
    for mistake, layer in sorted(cases(activation), key=lambda c: c[0] in SAME_WIDTHS):
        values, net = random_network(seed, mistake in SAME_WIDTHS, activation)
        wrong = [(mistake, layer)]
        if not differ(gradient(values, activation, wrong), gradient(values, activation)):
            counts["no difference"] += 1
            continue
        report = check_gradient(net, lambda w=wrong, **v: gradient(v, activation, w), values)
        found = report.diagnoses
        named = len(found) == 1 and found[0].mistake == mistake and right_place(found[0], mistake, layer)
        counts.update({"cases": 1, "named": named, "called right": report.ok})
        if not named:
            missed.append(f"{activation} {mistake} layer {layer} seed {seed}: {[(d.mistake, d.place) for d in found]}")
    for mistake in PROGRAM:
        report = check_gradient(*program_case(mistake, activation, seed))
        found = [d.mistake for d in report.diagnoses]
        named = report.ok and not found if mistake == 32 else found == [mistake]
        counts.update({"cases": 1, "named": named, "called right": report.ok and mistake != 32})
        if not named:
            missed.append(f"{activation} {mistake} seed {seed}: {found}")
    return counts, missed


def pairs(activation: str, seed: int) -> tuple[Counts, list[str]]:
    """Ten pairs of mistakes in one network."""
    counts: Counts = collections.Counter()
    missed = []
    chosen = [p for p in itertools.combinations(cases(activation), 2) if p[0][0] != p[1][0]]
    rng = np.random.default_rng((5, seed))
    for k in rng.choice(len(chosen), 10, replace=False):
        wrong = list(chosen[k])
        values, net = random_network(seed, any(m in SAME_WIDTHS for m, _ in wrong), activation)
        given = gradient(values, activation, wrong)
        if any(not differ(given, gradient(values, activation, w)) for w in ([], wrong[:1], wrong[1:])):
            counts["no difference"] += 1
            continue
        report = check_gradient(net, lambda w=wrong, **v: gradient(v, activation, w), values)
        found = [d.mistake for d in report.diagnoses]
        first = found[0] in [m for m, _ in wrong]
        both = sorted(map(str, found)) == sorted(str(m) for m, _ in wrong)
        counts.update({"cases": 1, "first": first, "both": both, "called right": report.ok})
        if not first:
            missed.append(f"{activation} {wrong} seed {seed}: {[(d.mistake, d.tensor) for d in report.diagnoses]}")
    return counts, missed


# ---- verdicts


def verdicts(first: int, last: int) -> tuple[Counts, list[str]]:
    """Right gradients must not fail, fakes must not pass; half of the losses are black boxes."""
    counts: Counts = collections.Counter()
    notes = []
    for k, net, values, function, loss in right_gradients(first, last):
        target = black_box(net) if k % 4 in (1, 2) else net
        report = check_gradient(target, lambda f=function, **v: f(**v)[1], values)
        counts["right"] += 1
        counts["trained"] += loss < 1e-4
        counts["not checkable"] += "not checkable" in report.verdicts.values()
        if not report.ok:
            failed = "wrong" in report.verdicts.values()
            counts["failed"] += failed
            notes.append(
                f"{'false failure' if failed else 'not checkable'}: {net.activations[0]}, {len(values['X'])} samples, "
                f"network {k}, loss {loss:.1e}: {report.rows[0].note if not failed else report.text()[:300]}"
            )
        if k % 4 == 3:
            continue
        found = function(**values)[1]
        for kind, name, fake, entry in fakes(found, np.random.default_rng((13, k))):
            claimed = lambda n=name, q=fake, f=function, **v: {**f(**v)[1], n: q}  # noqa: E731
            verdict = check_gradient(target, claimed, values).verdicts[name]
            counts["fakes"] += 1
            counts[f"{kind} accepted"] += verdict == "right"
            counts["fakes not checkable"] += verdict == "not checkable"
            if verdict != "wrong":
                notes.append(f"fake {verdict}: {kind}, network {k}, {name}, entry {entry:.1e} of the norm")
    return counts, notes


def large() -> list[Row]:
    """648 000 parameters: the time of a verdict in forward-and-backward times."""
    rng = np.random.default_rng(0)
    sizes, n = [784, 600, 290, 10], 256
    values: dict[str, Any] = {"X": rng.standard_normal((n, sizes[0])), "y": rng.integers(0, 10, n)}
    for j in (1, 2, 3):
        values[f"W{j}"] = rng.standard_normal(sizes[j - 1 : j + 1]) / np.sqrt(sizes[j - 1])
        values[f"b{j}"] = 0.1 * rng.standard_normal(sizes[j])

    def loss(X: Any, y: Any, W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any) -> Any:
        p = softmax(np.tanh(np.tanh(X @ W1 + b1) @ W2 + b2) @ W3 + b3)
        return -np.mean(np.log(p[np.arange(len(y)), y]))

    def right(**v: Any) -> dict[str, Any]:
        return gradient({**v, "lam": 0.0}, "tanh")

    def wrong(**v: Any) -> dict[str, Any]:
        return {k: g * (1.01 if k == "W2" else 1) for k, g in right(**v).items()}

    parameters = sum(values[m].size for m in values if m[0] in "Wb")
    network_loss = MLP(sizes, "tanh")
    rows = []
    for what, target, function, expected in (
        ("right", loss, right, True), ("wrong", loss, wrong, False),
        ("right, known as a network", network_loss, right, True), ("wrong, known as a network", network_loss, wrong, False),
    ):  # fmt: skip
        ratios, named = [], 0.0
        for k in range(5):
            start = time.perf_counter()
            loss(**values), right(**values)
            unit = time.perf_counter() - start
            start = time.perf_counter()
            report = check_gradient(target, function, values)
            ratios.append((time.perf_counter() - start) / unit)
            if report.ok is not expected:
                raise SystemExit(f"{what}: {report}")
            start = time.perf_counter()
            if k == 4 and report.diagnoses:
                named = (time.perf_counter() - start) / unit
        more = f"; the diagnosis, on demand, {named:.0f} more" if named else ""
        best, usual = min(ratios), float(np.median(ratios))
        reached = f"{usual:.1f} (best {best:.1f}) of {unit * 1e3:.0f} ms each{more}"
        rows.append((f"{parameters} parameters, {what}: forward-and-backward times", "≤ 10", reached))
    return rows


# ---- the others

KINDS = (
    "right",
    "right, trained",
    "zero, trained",
    "one entry off by 1e-4",
    "factor N in one layer",
    "zero bias gradient",
)
CHECKERS = ("byhand", "torch gradcheck", "jax check_grads")


def others(kind: str, seeds: int) -> tuple[Counts, list[str]]:
    """How often each checker judges rightly, and its seconds, on the same gradients."""
    import jax
    import torch
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    counts: Counts = collections.Counter()
    for seed in range(seeds):
        values, sizes = network(np.random.default_rng((17, seed)))
        if kind.endswith("trained"):
            fixed = {n: v for n, v in values.items() if n != "lam"}
            plane = np.random.default_rng(seed).standard_normal((sizes[0], sizes[3]))
            fixed["y"] = np.argmax(fixed["X"] @ plane, axis=1)
            values = {**trained(fixed, derive(MLP(sizes, "tanh")).function("numpy"), 4000)[0], "lam": 0.0}
        names = [n for n in values if n[0] in "Wb"]
        rest = {n: v for n, v in values.items() if n not in names}

        def hand(v: dict[str, Any], seed: int = seed) -> dict[str, Any]:
            g = gradient(v, "tanh")
            if kind == "zero, trained":
                g = {n: 0 * q for n, q in g.items()}
            if kind == "one entry off by 1e-4":
                g["W2"].flat[seed % g["W2"].size] *= 1 + 1e-4
            if kind == "factor N in one layer":
                g["W2"] = g["W2"] * len(v["X"])
            if kind == "zero bias gradient":
                g["b2"] = 0 * g["b2"]
            return g

        def forward(parameters: Any, xp: Any, rest: dict[str, Any] = rest, names: list[str] = names) -> Any:
            v = dict(zip(names, parameters, strict=True))
            h = xp.asarray(rest["X"])
            for j in (1, 2):
                h = xp.tanh(h @ v[f"W{j}"] + v[f"b{j}"])
            z = h @ v["W3"] + v["b3"]
            top = z - (z.amax(1, keepdim=True) if xp is torch else z.max(1, keepdims=True))
            logp = top - xp.log(xp.exp(top).sum(1)).reshape(-1, 1)
            penalty = float(rest["lam"]) * sum((v[f"W{j}"] ** 2).sum() for j in (1, 2, 3))
            return -(logp * xp.asarray(np.eye(z.shape[1])[rest["y"]])).sum() / len(rest["y"]) + penalty

        def at(saved: Any, rest: dict[str, Any] = rest, names: list[str] = names) -> dict[str, Any]:
            return {**rest, **{n: np.asarray(p) for n, p in zip(names, saved, strict=True)}}

        class Hand(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *parameters: Any) -> Any:
                ctx.save_for_backward(*parameters)
                return forward(parameters, torch)

            @staticmethod
            def backward(ctx: Any, upstream: Any) -> Any:
                g = hand(at(p.detach().numpy() for p in ctx.saved_tensors))
                return tuple(upstream * torch.as_tensor(g[n]) for n in names)

        function = jax.custom_vjp(lambda *p: forward(p, jax.numpy))

        def pullback(saved: Any, up: Any, at: Any = at, hand: Any = hand, names: list[str] = names) -> Any:
            g = hand(at(saved))
            return tuple(up * jax.numpy.asarray(g[n]) for n in names)

        function.defvjp(lambda *p: (forward(p, jax.numpy), p), pullback)
        leaves = [torch.tensor(values[n], requires_grad=True) for n in names]
        arrays = [jax.numpy.asarray(values[n]) for n in names]

        def by_jax() -> bool:
            try:
                check_grads(function, arrays, 1, modes=["rev"])
            except AssertionError:
                return False
            return True

        ways: dict[str, Callable[[], bool]] = {
            "byhand": lambda: check_gradient(MLP(sizes, "tanh", l2="lam"), lambda **v: hand(v), values).ok,
            "torch gradcheck": lambda: torch.autograd.gradcheck(Hand.apply, leaves, raise_exception=False),
            "jax check_grads": by_jax,
        }
        for name, run in ways.items():
            start = time.perf_counter()
            counts[f"{name}/{kind}"] += run() == kind.startswith("right")
            counts[f"{name}/ms"] += round(1e3 * (time.perf_counter() - start))
    return counts, []


# ---- running and printing


def gathered(job: Callable[..., Any], arguments: list[tuple[Any, ...]], jobs: int) -> tuple[Counts, list[str]]:
    """The counts of all parts, made by several processes."""
    total: Counts = collections.Counter()
    notes: list[str] = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for counts, missed in pool.map(job, *zip(*arguments, strict=True)):
            total.update(counts)
            notes += missed
    return total, notes


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(header)
    lines = [head, ["---"] * len(head), *(list(r) for r in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ("time", "single", "pairs", "right", "others")
    parser.add_argument("parts", nargs="*", default=known, metavar="PART", help=f"of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="fewer seeds: half a minute")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="processes")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(known):
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(known)}")
    quick, begun = options.quick, time.perf_counter()
    seeds, networks, compared = (2, 48, 2) if quick else (20, 1000, 8)
    notes: list[str] = []
    comparison = ""
    print(f"{machine('numpy', 'torch', 'jax')}; {options.jobs} processes\n")
    headed = False
    each = [(a, s) for s in range(seeds) for a in ACTIVATIONS]
    for part in options.parts:
        start = time.perf_counter()
        rows: list[Row] = []
        if part == "time":
            rows += large()
        if part == "single":
            c, missed = gathered(single, each, options.jobs)
            share = f"{c['named']} of {c['cases']} ({100 * c['named'] / c['cases']:.2f} %)"
            rows.append(("single mistakes named, with the layer", "≥ 99.5 %", share))
            rows.append(("single mistakes called right", "0", f"{c['called right']} of {c['cases']}"))
            notes += missed
        if part == "pairs":
            c, missed = gathered(pairs, each, options.jobs)
            share = f"{c['first']} of {c['cases']} ({100 * c['first'] / c['cases']:.1f} %)"
            rows.append(
                (
                    "pairs of mistakes: one of them named first",
                    "≥ 90 %",
                    f"{share}; both, and nothing else: {c['both']}",
                )
            )
            rows.append(("pairs called right", "0", f"{c['called right']} of {c['cases']}"))
            notes += missed
        if part == "right":
            step = max(4, networks // 50 // 4 * 4)
            c, found = gathered(
                verdicts, [(k, min(k + step, networks)) for k in range(0, networks, step)], options.jobs
            )
            told = f"{c['failed']} of {c['right']} ({c['trained']} trained to a loss below 1e-4; not checkable: {c['not checkable']})"
            rows.append(("false failures of right gradients", "0", told))
            kinds = ("zero", "negated", "random", "one entry")
            split = ", ".join(f"{kind} {c[f'{kind} accepted']}" for kind in kinds)
            total = sum(c[f"{kind} accepted"] for kind in kinds)
            rows.append(
                ("fakes accepted", "0", f"{total} of {c['fakes']} ({split}); not checkable: {c['fakes not checkable']}")
            )
            notes += found
        if part == "others":
            c, _ = gathered(others, [(kind, compared) for kind in KINDS], options.jobs)
            head = ("judged rightly", *KINDS, "ms each")
            body = [
                [n, *(f"{c[f'{n}/{k}']} of {compared}" for k in KINDS), f"{c[f'{n}/ms'] / compared / len(KINDS):.0f}"]
                for n in CHECKERS
            ]
            comparison = table(head, body)
        if rows and not headed:
            print(table(("figure", "to reach", "reached"), []))
            headed = True
        for row in rows:
            print(f"| {' | '.join(row)} |", flush=True)
        print(f"({part}: {time.perf_counter() - start:.0f} s)", file=sys.stderr, flush=True)
    print(f"\n{'Quick' if quick else 'Full'} run, {time.perf_counter() - begun:.0f} s.")
    if comparison:
        print(f"\n{comparison}")
    for note in notes:
        print(f"- {note}")


if __name__ == "__main__":
    main()
