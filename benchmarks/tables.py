"""`byhand train` on a large table against scikit-learn's MLP with pandas: processor time and peak memory of the whole process.

    python benchmarks/tables.py [--rows 1000000] [--columns 30] [--epochs 2]

Both read the file, keep a fifth for the test, standardise, and train columns-32-2 by Adam in batches of 128, the same number of
epochs, in a process of their own with one thread; byhand also checks nothing and saves its model. Processor time and not
time: other programs may run. Peak memory is the largest resident set that the system saw.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PEER = """
import sys
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
path, epochs = sys.argv[1], int(sys.argv[2])
frame = pd.read_csv(path) if path.endswith(".csv") else pd.read_parquet(path)
y = frame.pop("y")
a, b, ya, yb = train_test_split(frame, y, test_size=0.2, random_state=0, stratify=y)
net = MLPClassifier((32,), batch_size=128, max_iter=epochs, learning_rate_init=0.003, random_state=0, n_iter_no_change=99)
print("accuracy", make_pipeline(StandardScaler(), net).fit(a, ya).score(b, yb))
"""


def made(folder: Path, rows: int, columns: int) -> None:
    """t.csv and t.parquet: numbers, and two classes that follow from them by a small network, with noise."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns)).round(4)
    hidden = np.tanh(X @ rng.normal(size=(columns, 6)) / 3)
    y = (hidden @ rng.normal(size=6) + 0.3 * rng.normal(size=rows) > 0).astype(int)
    table = pa.table({**{f"f{k}": X[:, k] for k in range(columns)}, "y": y})
    pa.parquet.write_table(table, folder / "t.parquet", row_group_size=1 << 17)
    pa.csv.write_csv(table, folder / "t.csv")


def measured(command: list[str]) -> tuple[float, float, str]:
    """Processor seconds, peak MB, and what was printed."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **threads}
    )
    assert child.stdout is not None
    out = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command[:4])} ended with {os.waitstatus_to_exitcode(status)}\n{out}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=2)
    o = parser.parse_args()
    print("| | byhand, s | scikit-learn, s | ratio | byhand, MB | scikit-learn, MB | ratio | accuracy | accuracy |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made(folder, o.rows, o.columns)
        for kind in ("csv", "parquet"):
            path = str(folder / f"t.{kind}")
            ours = [
                sys.executable,
                "-m",
                "byhand.cli.main",
                "train",
                path,
                "--target",
                "y",
                "--hidden",
                "32",
                "--batch",
                "128",
            ]
            ours += ["--epochs", str(o.epochs), "--lr", "0.003", "-o", str(folder / "m"), "--engine", "numpy"]
            s, m, out = measured(ours)
            ps, pm, said = measured([sys.executable, "-c", PEER, path, str(o.epochs)])
            accuracy = out.split("test      accuracy ")[1].split()[0]
            print(
                f"| {kind}, {o.rows:,} × {o.columns} | {s:.1f} | {ps:.1f} | {s / ps:.2f} | {m:.0f} | {pm:.0f} | {m / pm:.2f} "
                f"| {accuracy} | {float(said.split()[1]):.4f} |", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
