"""A plain MLP on MNIST, or Fashion-MNIST: test accuracy and time, without augmentation.

    python benchmarks/mnist.py mnist.npz [--net 784-800-800-10] [--epochs 15] [--engine auto]

The data: an .npz file with x_train, y_train, x_test, y_test (or train_x, ...), or a folder with the four IDX files (train-images-idx3-ubyte
and so on, plain or gzipped; Debian's dataset-fashion-mnist puts them in /usr/share/datasets/fashion-mnist). Nothing of the
test set is used in training: no early stopping, the last epoch's weights are measured once, at the end.
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("data", type=Path)
parser.add_argument("--net", default="784-800-800-10")
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--dropout", type=float, default=0.3)
parser.add_argument("--smoothing", type=float, default=0.05)
parser.add_argument("--optimizer", default="adamw")
parser.add_argument("--decay", type=float, default=0.05)
parser.add_argument("--rate", type=float, default=0.002)
parser.add_argument("--activation", default="relu")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--engine", default="auto")
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(options.threads)

import numpy as np  # noqa: E402
from machine import machine  # noqa: E402

from byhand import MLPClassifier  # noqa: E402


def idx(folder: Path, name: str) -> np.ndarray:
    """An IDX file of bytes."""
    path = folder / name
    raw = path.read_bytes() if path.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
    shape = np.frombuffer(raw, ">i4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def read(where: Path):
    """Training and test data, pixels from 0 to 1."""
    if where.is_dir():
        parts = [idx(where, f"{s}-{k}-ubyte") for s in ("train", "t10k") for k in ("images-idx3", "labels-idx1")]
    else:
        with np.load(where) as file:
            names = ("x_train", "y_train", "x_test", "y_test")
            parts = [file[n if n in file else "_".join(n.split("_")[::-1])] for n in names]
    X, y, X_test, y_test = parts
    flat = [a.reshape(len(a), -1).astype(np.float32) / 255 for a in (X, X_test)]
    return flat[0], y, flat[1], y_test


def main() -> None:
    """Train once and print the accuracy."""
    X, y, X_test, y_test = read(options.data)
    model = MLPClassifier(
        net=options.net, activation=options.activation, optimizer=options.optimizer, learning_rate=options.rate,
        optimizer_settings={"weight_decay": options.decay} if options.optimizer == "adamw" else None, l2=0.0,
        schedule="one_cycle", batch_size=options.batch, max_epochs=options.epochs, dropout=options.dropout,
        label_smoothing=options.smoothing, init=None, standardize=False, dtype="float32", engine=options.engine,
        random_state=options.seed, callbacks=[lambda e, h: print(f"epoch {e} loss {h.losses[-1]:.4f}", file=sys.stderr)],
    )  # fmt: skip
    X, X_test = X - X.mean(), X_test - X.mean()
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    print(machine("numpy", "jax"), "\n" + " ".join(["python", *sys.argv]))
    print(f"{model.engine_} engine, {model.n_iter_} epochs in {seconds:.0f} s, {options.threads} threads")
    print(f"test accuracy {model.score(X_test, y_test):.4f}, training {model.score(X, y):.4f}")


if __name__ == "__main__":
    main()
