"""Data from files: every kind gives the same numbers, missing values, damaged files, and memory that does not grow."""

import csv
import gzip
import json
import os
import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

pytest.importorskip("sklearn")
from click.testing import CliRunner

from byhand.cli.main import cli
from byhand.errors import DataError
from byhand.train.data import Rows, read
from byhand.train.data.cells import Notation
from byhand.train.data.reading import Reading
from byhand.train.estimators import MLPClassifier, MLPRegressor
from byhand.train.streaming import scaling_of

RNG = np.random.default_rng(0)
N = 211
X = RNG.standard_normal((N, 7))
LABELS = RNG.integers(0, 3, N)


def called(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def array(x):
    return x.whole() if isinstance(x, Rows) else x


@pytest.fixture
def table(tmp_path):
    """The same table as CSV and as Parquet in groups of rows."""
    towns = np.array(["A", "B", "C"])[RNG.integers(0, 3, N)]
    columns = {
        "size": X[:, 0],
        "town": towns,
        "rooms": RNG.integers(1, 9, N),
        "price": X[:, 0] * 3 + (towns == "B") + 0.5,
    }
    made = pa.table({**columns, "town": pa.array(towns).dictionary_encode()})
    pq.write_table(made, tmp_path / "t.parquet", row_group_size=50)
    lines = [
        ",".join(columns),
        *(",".join(repr(v.item()).strip("'") for v in row) for row in zip(*columns.values(), strict=True)),
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    return tmp_path


@pytest.fixture(params=["whole", "in blocks", "on disk"])
def cells(request, monkeypatch):
    """How the cells of CSV files are held: all at once, in blocks of few rows, and these in a temporary file."""
    if request.param != "whole":
        monkeypatch.setattr("byhand.train.data.csvfile.CELLS", 31)
    if request.param == "on disk":
        monkeypatch.setattr("byhand.train.data.csvfile.WHOLE", 0)


@pytest.mark.parametrize("stream", [False, True])
def test_parquet_and_csv_give_the_same(table, stream, cells):
    a = read(str(table / "t.csv"), "price", stream=stream)
    a = replace(a, X=array(a.X))
    b = read(str(table / "t.parquet"), "price", stream=stream)
    assert isinstance(b.X, Rows) == stream and b.X.shape == (N, 5)
    assert np.array_equal(a.X, array(b.X)) and np.array_equal(a.y, b.y) and a.table == b.table
    again = read(str(table / "t.parquet"), None, a.table)
    assert again.y is None and np.array_equal(again.X, a.X)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_train_predict_evaluate_tables(table, kind, cells):
    model = table / "m"
    for options in ((), ("--stream",)):
        found = called(
            "train", table / f"t.{kind}", "--target", "price", "-o", model, "--json", "--epochs", 60, *options
        )
        assert found.exit_code == 0, found.output
        assert json.loads(found.stdout)["test"]["r2"] > 0.95
        assert json.loads(called("evaluate", model, table / "t.csv", "--json").stdout)["r2"] > 0.95
    a = called("predict", model, table / "t.csv").stdout
    assert a == called("predict", model, table / "t.parquet").stdout and len(a.splitlines()) == N + 1


@pytest.mark.parametrize(
    "column, cells, words",
    [
        ("size", [1.0, None, 2.0], "column size has no value in row 2"),
        ("size", [1.0, 2.0, float("inf")], "column size is inf in row 3"),
        ("town", ["a", None, "b"], "column town has no value in row 2"),
        ("size", [None, None, None], "no value"),
        ("when", [[1], [2], [3]], "column when of .* neither number nor text"),
    ],
)
@pytest.mark.parametrize("group", [1, 9])
def test_cells_of_parquet_that_do_not_fit(tmp_path, column, cells, words, group):
    made = pa.table({column: pa.array(cells, pa.float64()) if column == "size" else pa.array(cells), "y": [1, 2, 3]})
    pq.write_table(made, tmp_path / "t.parquet", row_group_size=group)
    with pytest.raises(DataError, match=words):
        read(str(tmp_path / "t.parquet"), "y")


def test_imputed(tmp_path, cells):
    made = pa.table({"size": [1.0, None, 2.0, 9.0], "town": ["a", None, "b", "a"], "y": [1.0, 2.0, 3.0, 4.5]})
    pq.write_table(made, tmp_path / "t.parquet", row_group_size=2)
    (tmp_path / "t.csv").write_text("size,town,y\n1,a,1\n,,2\n2,b,3\n9,a,4.5\n")
    for name in ("t.parquet", "t.csv"):
        for stream in (False, True):
            found = read(str(tmp_path / name), "y", impute=True, stream=stream)
            assert array(found.X).tolist() == [[1, 1, 0], [2, 0, 0], [2, 0, 1], [9, 1, 0]]


@pytest.mark.parametrize("stream", [False, True])
def test_cells_of_csv_are_what_they_show(tmp_path, stream, cells):
    """Quotes, commas and line ends inside cells, spaces, a text late in a column of numbers, empty lines."""
    texts = ["7", "a,b", 'say "no"', "two\nlines", " 7 ", "é"]
    kept = [texts[k] for k in RNG.integers(0, 6, N)]
    numbers = [f"{v:.17g}" for v in X[:, 1]]
    late = ["1", "2"] * (N // 2) + ["x"]
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        file.write("\ufeffname,size,late,y\r\n")
        writer = csv.writer(file)
        for k, row in enumerate(zip(kept, numbers, late, LABELS, strict=True)):
            writer.writerow(row)
            file.write("\r\n" * (k % 50 == 0))
    found = read(str(tmp_path / "t.csv"), "y", stream=stream)
    shown = [t.strip() for t in kept]
    columns = [[float(t == v) for t in shown] for v in sorted(set(shown))]
    columns += [list(X[:, 1])] + [[float(t == v) for t in late] for v in ("1", "2", "x")]
    assert np.array_equal(array(found.X), np.array(columns).T) and np.array_equal(found.y, LABELS)
    named = read(str(tmp_path / "t.csv"), "name", stream=stream)
    assert named.y.tolist() == shown
    only = {"columns": [c for c in found.table["columns"] if c["name"] == "size"]}
    assert np.array_equal(array(read(str(tmp_path / "t.csv"), None, only, stream=stream).X), X[:, 1:2])


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators(tmp_path, separator, cells):
    lines = [f"{v:.17g}{separator}{'a,b' if k else 'c'}{separator}{k}" for v, k in zip(X[:, 0], LABELS, strict=True)]
    (tmp_path / "t.csv").write_text(
        "\n".join([separator.join(["size", "name, first", "y"]).replace(", ", " "), *lines])
    )
    found = read(str(tmp_path / "t.csv"), "y")
    assert np.array_equal(array(found.X), np.column_stack([X[:, 0], LABELS > 0, LABELS == 0])) and np.array_equal(
        found.y, LABELS
    )


@pytest.mark.parametrize("target", ["y", "a"])
def test_decimal_commas_are_said(tmp_path, target):
    (tmp_path / "t.csv").write_text("a;y\n1,5;2\n-2;3\n7,25;2\n")
    with pytest.raises(DataError, match="column a has numbers with a decimal comma, such as '1,5'"):
        read(str(tmp_path / "t.csv"), target)


LINES = [f"{v:.6f},{k % 3},{k % 2}" for k, v in enumerate(X[:, 0])]


@pytest.mark.parametrize(
    "tail, words",
    [
        (["1,2"], f"row {N + 2} of .* has 2 cells, the head 3"),
        (["1,2,3,4"], f"row {N + 2} of .* has 4 cells, the head 3"),
        (["1,,0"], f"column b has no value in row {N + 2}"),
        (["1,2,"], f"the target y is missing in row {N + 2}"),
        (["1,2,-inf"], f"the target y is -inf in row {N + 2}"),
        (["1,inf,0"], f"column b is inf in row {N + 2}"),
        (["1,-nan,0"], f"column b is -nan in row {N + 2}"),
        (['1,"2,0'], f"is not CSV: .*, line {N + 2}"),
        (["1,2,0", "\udcff,2,0"], f"is not text in UTF-8: line {N + 3}"),
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [False, True])
def test_cells_of_csv_that_do_not_fit(tmp_path, tail, words, stream, cells):
    (tmp_path / "t.csv").write_bytes("\n".join(["a,b,y", *LINES, *tail]).encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=words):
        read(str(tmp_path / "t.csv"), "y", stream=stream)


def test_a_text_late_in_a_column_of_many_numbers(tmp_path, monkeypatch, cells):
    monkeypatch.setattr("byhand.train.data.plan.MOST_CATEGORIES", 100)
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y", *LINES, "oops,2,0", "1,2,0"]))
    words = f"column a has 'oops' in row {N + 2}, which is no number\n.*--na 'oops'"
    with pytest.raises(DataError, match=words):
        read(str(tmp_path / "t.csv"), "y")
    gone = Reading(impute=True, notation=Notation(na=frozenset({"oops"})))
    found = read(str(tmp_path / "t.csv"), "y", reading=gone)
    numbers = [float(line.split(",")[0]) for line in LINES]
    assert found.X[N, 0] == np.median([*numbers, 1.0])
    described = {"columns": [{"name": "a", "kind": "number", "fill": None}]}
    with pytest.raises(DataError, match=f"column a has 'oops', which is no number, in row {N + 2}"):
        read(str(tmp_path / "t.csv"), "y", described)


@pytest.mark.parametrize("stream", [False, True])
def test_no_space_for_the_cells(tmp_path, monkeypatch, stream):
    monkeypatch.setattr("byhand.train.data.csvfile.WHOLE", 0)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda prefix: open("/dev/full", "r+b", buffering=0))  # noqa: SIM115
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y", *LINES]))
    with pytest.raises(DataError, match="cannot write a temporary file: no space left"):
        read(str(tmp_path / "t.csv"), "y", stream=stream)


def idx(path, values, kind, packed=False):
    head = bytes([0, 0, kind, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    content = head + values.tobytes()
    path.write_bytes(gzip.compress(content) if packed else content)


IMAGES = RNG.integers(0, 256, (N, 4, 5)).astype(np.uint8)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_mnist_files(tmp_path, packed, stream):
    tail = ".gz" if packed else ""
    for part, rows in (("train", slice(0, 180)), ("t10k", slice(180, N))):
        idx(tmp_path / f"{part}-images-idx3-ubyte{tail}", IMAGES[rows], 8, packed)
        idx(tmp_path / f"{part}-labels-idx1-ubyte{tail}", LABELS[rows].astype(np.uint8), 8, packed)
    alone = read(str(tmp_path / f"train-images-idx3-ubyte{tail}"), None, stream=stream)
    assert isinstance(alone.X, Rows) == stream
    assert np.array_equal(array(alone.X), IMAGES[:180].reshape(180, 20)) and np.array_equal(alone.y, LABELS[:180])
    both = read(str(tmp_path), None, stream=stream)
    assert np.array_equal(array(both.X_test), IMAGES[180:].reshape(-1, 20)) and np.array_equal(
        both.y_test, LABELS[180:]
    )
    result = called("train", tmp_path, "-o", tmp_path / "m", "--epochs", 2, "--json", *(["--stream"] if stream else []))
    assert result.exit_code == 0 and json.loads(result.stdout)["samples"] == 180, result.output


def test_idx_of_other_types(tmp_path):
    for kind, dtype in ((13, ">f4"), (12, ">i4"), (9, "i1")):
        values = RNG.integers(-9, 9, (5, 3)).astype(dtype)
        idx(tmp_path / "a-idx2-x", values, kind)
        assert np.array_equal(read(str(tmp_path / "a-idx2-x"), None).X, values)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "no IDX file"),
        (b"\0\0\x08\x03\0\0", "truncated"),
        (b"\0\0\x08\x02" + struct.pack(">2I", 9, 9) + b"abc", "truncated or damaged: it has 3 bytes of numbers, 81"),
        (b"\0\0\x07\x02" + struct.pack(">2I", 1, 1) + b"a", "no IDX file"),
        (gzip.compress(b"\0" * 5000, mtime=0)[:30], "not a whole gzipped IDX"),
        (b"\0\0\x08\x01" + struct.pack(">I", 3) + b"abc", "those are labels"),
    ],
)
def test_damaged_idx(tmp_path, content, words):
    (tmp_path / "x-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataError, match=words):
        read(str(tmp_path / "x-images-idx3-ubyte"), None)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", ">i2", "?"])
def test_npz_and_npy(tmp_path, save, dtype, stream):
    values = IMAGES.astype(dtype)
    save(tmp_path / "d.npz", X=values, y=LABELS, other=LABELS + 1)
    found = read(str(tmp_path / "d.npz"), None, stream=stream)
    assert isinstance(found.X, Rows) == stream
    assert np.array_equal(array(found.X), values.reshape(N, 20)) and np.array_equal(found.y, LABELS)
    assert np.array_equal(read(str(tmp_path / "d.npz"), "other").y, LABELS + 1)
    np.save(tmp_path / "x.npy", values)
    np.save(tmp_path / "y.npy", LABELS)
    plain = read(str(tmp_path / "x.npy"), str(tmp_path / "y.npy"), stream=stream)
    assert np.array_equal(array(plain.X), values.reshape(N, 20)) and np.array_equal(plain.y, LABELS)


def test_npz_with_a_test_part(tmp_path):
    np.savez(tmp_path / "m.npz", train_x=IMAGES[:150], train_y=LABELS[:150], test_x=IMAGES[150:], test_y=LABELS[150:])
    found = read(str(tmp_path / "m.npz"), None)
    assert found.X.shape == (150, 20) and np.array_equal(found.y_test, LABELS[150:]) and found.X_test.shape == (61, 20)


@pytest.mark.parametrize(
    "write, words",
    [
        (lambda p: p.write_bytes(b""), "not a whole .npz"),
        (lambda p: p.write_bytes(b"PK\3\4 and no more"), "not a whole .npz"),
        (lambda p: np.savez(p, a=X), "no array X"),
        (lambda p: np.savez(p, X=np.array([{}, []], object)), "(not a whole|is object)"),
        (lambda p: np.savez(p, X=X[:, 0]), r"numbers \(N, features\)"),
        (lambda p: np.savez(p, X=np.array([["a"]])), "numbers"),
    ],
)
def test_damaged_npz(tmp_path, write, words):
    write(tmp_path / "d.npz")
    with pytest.raises(DataError, match=words):
        read(str(tmp_path / "d.npz"), None)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_stored_column_by_column(tmp_path, save):
    save(tmp_path / "d.npz", X=np.asfortranarray(IMAGES), y=LABELS)  # as a table's to_numpy() gives it
    found = read(str(tmp_path / "d.npz"), None).X
    assert np.array_equal(found, IMAGES.reshape(N, 20)) and found.flags.c_contiguous
    with pytest.raises(DataError, match="column by column"):
        read(str(tmp_path / "d.npz"), None, stream=True)


def test_every_small_set_of_scikit_learn():
    from sklearn import datasets

    from byhand.train.data import SETS

    for name in SETS:
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        found = read(name, None)
        assert np.array_equal(found.X, X) and np.array_equal(found.y, y)


def test_truncated_files(tmp_path):
    np.savez(tmp_path / "d.npz", X=X, y=LABELS)
    np.save(tmp_path / "d.npy", X)
    pq.write_table(pa.table({"a": X[:, 0], "y": LABELS}), tmp_path / "d.parquet")
    for path in list(tmp_path.iterdir()):
        whole = path.read_bytes()
        for size in (0, 10, len(whole) // 2, len(whole) - 3):
            path.write_bytes(whole[:size])
            found = called("train", path, "--target", "y", "-o", tmp_path / "m")
            assert found.exit_code == 2 and str(path) in found.stderr, (path, size, found.output)
    assert not (tmp_path / "m").exists()


# ---- streaming


def rows_of(tmp_path, values):
    np.save(tmp_path / "rows.npy", values)
    return read(str(tmp_path / "rows.npy"), None, stream=True).X


def test_rows_are_those_of_the_array(tmp_path):
    rows = rows_of(tmp_path, X)
    for places in (np.arange(N), RNG.permutation(N)[:50], np.array([5, 5, 6, 0]), np.array([], int)):
        assert np.array_equal(rows.read(places), X[places])
        assert np.array_equal(rows.subset(np.arange(0, N, 2)).read(places[places < 100]), X[::2][places[places < 100]])
    assert np.array_equal(rows[:3], X[:3]) and np.array_equal(np.vstack([c for _, c in rows.chunks()]), X)
    scaling = scaling_of(rows)
    assert np.allclose(scaling.mean, X.mean(axis=0), rtol=0, atol=1e-14) and np.allclose(
        scaling.scale, X.std(axis=0), rtol=1e-13
    )


@pytest.mark.parametrize("kind, y", [(MLPClassifier, LABELS), (MLPRegressor, X[:, 0] - X[:, 1] ** 2)])
@pytest.mark.parametrize(
    "options",
    [{}, {"dropout": 0.2, "dtype": "float32"}, {"early_stopping": True}, {"engine": "jax"}],
    ids=str,
)
def test_streamed_training_is_that_in_memory(tmp_path, kind, y, options):
    settings = {"max_epochs": 4, "random_state": 0, **options}
    rows = rows_of(tmp_path, X)
    streamed = kind(**settings).fit(rows, y)
    if not options.get("early_stopping"):  # the validation samples are drawn otherwise
        plain = kind(**{**settings, "engine": "numpy"}).fit(X, y)
        for name, value in plain.parameters_.items():
            assert np.allclose(value, streamed.parameters_[name], rtol=0, atol=1e-9 if value.dtype == float else 1e-4)
    assert np.array_equal(streamed.predict(rows), streamed.predict(X))
    resumed = kind(**settings).fit(rows, y, checkpoint=tmp_path / "c")
    resumed = kind(**settings).fit(rows, y, checkpoint=tmp_path / "c", resume=True)
    assert all(v.tobytes() == streamed.parameters_[n].tobytes() for n, v in resumed.parameters_.items())


def test_training_from_a_streamed_csv_file_is_that_in_memory(table, cells):
    held, rows = (read(str(table / "t.csv"), "price", stream=stream) for stream in (False, True))
    plain = MLPRegressor(max_epochs=5, random_state=0, engine="numpy").fit(held.X, held.y)
    streamed = MLPRegressor(max_epochs=5, random_state=0).fit(rows.X, rows.y)
    for name, value in plain.parameters_.items():
        assert np.allclose(value, streamed.parameters_[name], rtol=0, atol=1e-4 if value.dtype == np.float32 else 1e-9)
    assert np.array_equal(streamed.predict(rows.X), streamed.predict(held.X))


@pytest.mark.parametrize(
    "options, y, words",
    [
        ({"optimizer": "lbfgs"}, LABELS, "lbfgs"),
        ({"solver": "newton"}, LABELS, "newton"),
        ({"class_weight": "balanced"}, LABELS, "class_weight"),
        ({"engine": "c"}, LABELS, "engine='c'"),
        ({}, LABELS[:-1], "one target for each row"),
    ],
    ids=str,
)
def test_what_streaming_refuses(tmp_path, options, y, words):
    with pytest.raises(DataError, match=words):
        MLPClassifier(**options).fit(rows_of(tmp_path, X), y)


def test_a_value_on_disk_that_is_not_finite(tmp_path):
    values = X.copy()
    values[100, 3] = np.nan
    with pytest.raises(DataError, match="nan in row 100, column 3"):
        MLPClassifier().fit(rows_of(tmp_path, values), LABELS)


MEASURED = """
import sys
from pathlib import Path
from byhand.train.data import read
from byhand.train.estimators import MLPClassifier
found = read(sys.argv[1], "y", stream=True)
MLPClassifier((8,), max_epochs=1, random_state=0, batch_size=256).fit(found.X, found.y).predict(found.X)
# ru_maxrss counts the parent's memory before exec, too: this does not
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["npz", "parquet", "csv"])
def test_peak_memory_does_not_grow_with_the_file(tmp_path, kind):
    peaks, sizes = [], []
    for count in (8_000, 25_000) if kind == "csv" else (24_000, 80_000):  # the smaller one fills the allocators already
        values, y = RNG.standard_normal((count, 200), np.float32), RNG.integers(0, 2, count)
        path = tmp_path / f"d{count}.{kind}"
        if kind == "npz":
            np.savez(path, X=values, y=y)
        else:
            made = pa.table({**{f"c{k}": values[:, k] for k in range(200)}, "y": y})
            if kind == "csv":
                pa.csv.write_csv(made, path)
            else:
                pq.write_table(made, path, row_group_size=4000, use_dictionary=False)
        sizes.append(path.stat().st_size)
        run = subprocess.run(
            [sys.executable, "-c", MEASURED, path],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(1024 * int(run.stdout))
    assert sizes[1] - sizes[0] > 35e6
    assert peaks[1] - peaks[0] < 0.3 * (sizes[1] - sizes[0]), (peaks, sizes)


def test_a_table_with_tabs_has_its_own_ending(tmp_path):
    for name, separator in (("t.csv", ","), ("t.tsv", "\t"), ("T.TSV", "\t")):
        (tmp_path / name).write_text(
            "\n".join(separator.join(row) for row in (("a", "b", "y"), ("1", "2.5", "0"), ("3", "4", "1")))
        )
        found = read(str(tmp_path / name), "y")
        assert found.X.tolist() == [[1.0, 2.5], [3.0, 4.0]]
