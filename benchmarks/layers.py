"""Microseconds of layers in C, value and all gradients: what byhand writes, and the same written by hand, same flags.

    python benchmarks/layers.py [--rounds 7]

Double precision, one thread; in each round both have a turn; the least of the rounds, and the ratio to the hand's.
"""

from __future__ import annotations

import argparse
import ctypes
import time

import numpy as np
from machine import machine

import byhand
from byhand.code.c.compiler import library, needed_compiler

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--rounds", type=int, default=7)
options = parser.parse_args()

LAYER_NORM = """m = mean(X, axis=1, keepdims=True)
v = mean((X - m)**2, axis=1, keepdims=True)
H = (X - m)/sqrt(v + 0.00001)
sum(R*(H*g + b))"""
BY_HAND = """
#include <math.h>
double layer_norm(int n, int c, const double *restrict X, const double *restrict g, const double *restrict b,
                  const double *restrict R, double *restrict dX, double *restrict dg, double *restrict db)
{
    double f = 0.0;
    for (int j = 0; j < c; j++)
        dg[j] = db[j] = 0.0;
    for (int i = 0; i < n; i++) {
        const double *x = X + i * c, *r = R + i * c;
        double m = 0.0, v = 0.0, s = 0.0, t = 0.0;
        for (int j = 0; j < c; j++)
            m += x[j];
        m /= c;
        for (int j = 0; j < c; j++)
            v += (x[j] - m) * (x[j] - m);
        const double inverse = 1.0 / sqrt(v / c + 0.00001);
        for (int j = 0; j < c; j++) {
            const double h = (x[j] - m) * inverse, d = r[j] * g[j];
            f += r[j] * (h * g[j] + b[j]);
            dg[j] += r[j] * h;
            db[j] += r[j];
            s += d;
            t += d * h;
        }
        for (int j = 0; j < c; j++)
            dX[i * c + j] = inverse * (r[j] * g[j] - s / c - (x[j] - m) * inverse * t / c);
    }
    return f;
}
"""


def seconds(call, times):
    start = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - start) / times


def layer_norm(n, c):
    """The generated function and the hand's on the same arrays."""
    rng = np.random.default_rng(0)
    values = {"X": rng.standard_normal((n, c)), "g": rng.standard_normal(c), "b": rng.standard_normal(c)}
    values["R"] = rng.standard_normal((n, c))
    shapes = {"X": "N C", "g": "C", "b": "C", "R": "N C"}
    made = byhand.derive(byhand.parse(LAYER_NORM, shapes), ["X", "g", "b"]).function("c")
    value, gradients = made(**values)
    (call,) = made._calls.values()
    out = {k: np.zeros_like(values[k]) for k in ("X", "g", "b")}
    hand = library(BY_HAND).layer_norm
    hand.restype = ctypes.c_double
    at = [ctypes.c_void_p(a.ctypes.data) for a in (*(values[k] for k in "XgbR"), *(out[k] for k in "Xgb"))]

    def by_hand(keep=(values, out)):
        return hand(n, c, *at)

    assert np.isclose(by_hand(), value) and all(np.allclose(out[k], gradients[k]) for k in out)
    places = {name: call._argument(s, values[s.name]) for name, s in call.made.inputs.items()} | {"w": call.memory}
    places |= {held: np.zeros(call.results[name]) for name, held in call.made.results.items()}
    ((order, function),) = call.functions
    words = [call._passed(places[name]) for name in order]
    return (lambda keep=places: function(*words)), by_hand


def main() -> None:
    """Run and print the table."""
    print(
        f"{machine('numpy')}; {needed_compiler()[0]}\n\n| layer | byhand (µs) | by hand | ratio |\n|---|---:|---:|---:|"
    )
    for n, c in ((64, 32), (512, 128), (4096, 512)):
        calls = layer_norm(n, c)
        times = [max(1, int(0.02 / seconds(f, 1))) for f in calls]
        best = [min(seconds(f, k) for _ in range(options.rounds)) * 1e6 for f, k in zip(calls, times, strict=True)]
        print(f"| layer norm {n} x {c} | {best[0]:.1f} | {best[1]:.1f} | {best[0] / best[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
