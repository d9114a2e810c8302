"""How long a network of many layers takes to be parsed, derived and printed: python benchmarks/derive.py

Depths 25 to 1000, width 7, relu, softmax cross-entropy, every line named; the best of three runs, CPU seconds of one
process, caches of the process warm after a network of two layers. The exponent is that of time over depth.
"""

from __future__ import annotations

import argparse
import math
import platform
import time
from itertools import pairwise

import byhand


def network(layers: int) -> tuple[str, dict[str, str]]:
    """A network as text, with the shapes of its inputs."""
    lines, shapes, below = [], {"X": "N d0", "Y": f"N d{layers}"}, "X"
    for i in range(1, layers + 1):
        lines.append(f"Z{i} = {below} @ W{i} + b{i}")
        shapes |= {f"W{i}": f"d{i - 1} d{i}", f"b{i}": f"d{i}"}
        if i < layers:
            lines.append(f"H{i} = relu(Z{i})")
            below = f"H{i}"
    return "\n".join([*lines, f"mean(cross_entropy(Z{layers}, Y))"]), shapes


def seconds(layers: int) -> tuple[float, float, float]:
    """Parse, derive and print."""
    text, shapes = network(layers)
    marks = [time.process_time()]
    f = byhand.parse(text, shapes)
    marks.append(time.process_time())
    d = byhand.derive(f)
    marks.append(time.process_time())
    assert len(d.text()) > 500 * layers
    marks.append(time.process_time())
    parse, derive, show = (b - a for a, b in pairwise(marks))
    return parse, derive, show


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 100 layers, one run each")
    quick = parser.parse_args().quick
    depths, runs = ((25, 100), 1) if quick else ((25, 50, 100, 200, 400, 1000), 3)
    print(f"byhand {byhand.__version__}, Python {platform.python_version()}, {platform.machine()}\n")
    print("| layers | parse | derive | print | total, s | exponent |\n|---:|---:|---:|---:|---:|---:|")
    seconds(2)
    before: tuple[int, float] | None = None
    for depth in depths:
        best = min((seconds(depth) for _ in range(runs)), key=sum)
        total = sum(best)
        exponent = "" if before is None else f"{math.log(total / before[1]) / math.log(depth / before[0]):.2f}"
        print(f"| {depth} | {best[0]:.3f} | {best[1]:.3f} | {best[2]:.3f} | {total:.3f} | {exponent} |", flush=True)
        before = depth, total


if __name__ == "__main__":
    main()
