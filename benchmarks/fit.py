"""A whole fit in a fresh process, imports and compilation included: byhand's and scikit-learn's classifiers.

    python benchmarks/fit.py [--quick] [--rounds 7] [--only-times | --only-accuracy]

Times: each process imports, fits once with the defaults, predicts, and ends; "seconds" is from its start to its end,
"own" without what both need (NumPy, scikit-learn's data sets). Both in turn; medians, and medians of the ratios.
Accuracy: 5 stratified folds; scikit-learn's MLP with its defaults behind a StandardScaler, byhand's with its own (which
standardises itself). The folds of seed 0 are those of the table to be reached; the mean over other seeds stands beside.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import warnings

SETS = ("iris", "wine", "breast_cancer", "digits")
parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--quick", action="store_true", help="two rounds, one seed")
parser.add_argument("--only-times", action="store_true")
parser.add_argument("--only-accuracy", action="store_true")
parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
options = parser.parse_args()


def classifier(who: str, seed: int):
    """A classifier with its defaults."""
    if who == "byhand":
        from byhand import MLPClassifier

        return MLPClassifier(random_state=seed)
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), MLPClassifier(random_state=seed))


def one(who: str, name: str) -> None:
    """What a process does."""
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    start = time.perf_counter()
    warnings.simplefilter("ignore")
    classifier(who, 0).fit(X, y).predict(X)
    print(time.perf_counter() - start)


def times(rounds: int) -> None:
    """The table of times."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as for installed packages
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment[variable] = str(options.threads)
    print("| | byhand, own | scikit-learn, own | ratio | byhand, seconds | scikit-learn, seconds | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name in SETS:
        own: dict[str, list[float]] = {"byhand": [], "sklearn": []}
        whole: dict[str, list[float]] = {"byhand": [], "sklearn": []}
        for k in range(rounds + 1):
            for who in own:
                command = [sys.executable, __file__, "--one", who, name]
                start = time.perf_counter()
                run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                if k:  # the first round writes bytecode
                    whole[who].append(time.perf_counter() - start)
                    own[who].append(float(run.stdout))
        cells = []
        for found in (own, whole):
            ratio = statistics.median(a / b for a, b in zip(found["byhand"], found["sklearn"], strict=True))
            cells += [f"{statistics.median(found[w]):.3f}" for w in found] + [f"{ratio:.2f}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def accuracy(seeds: int) -> None:
    """The table of accuracies."""
    from sklearn import datasets
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    print("| | byhand, seed 0 | scikit-learn, seed 0 | byhand, other seeds | scikit-learn, other seeds |")
    print("|---|---|---|---|---|")
    warnings.simplefilter("ignore")
    for name in SETS:
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        cells = []
        for chosen in ([0], range(1, seeds)):
            for who in ("byhand", "sklearn"):
                scores = [
                    cross_val_score(
                        classifier(who, s), X, y, cv=StratifiedKFold(5, shuffle=True, random_state=s)
                    ).mean()
                    for s in (chosen if name != "digits" or who == "byhand" else list(chosen)[:2])
                ]
                cells.append(f"{statistics.mean(scores):.4f}" if scores else "-")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Run and print."""
    if options.one:
        one(*options.one)
        return
    from machine import machine

    print(f"{machine('numpy', 'scipy', 'scikit-learn')}; {options.threads} threads.\n")
    if not options.only_accuracy:
        times(2 if options.quick else options.rounds)
        print()
    if not options.only_times:
        accuracy(1 if options.quick else 5)


if __name__ == "__main__":
    main()
