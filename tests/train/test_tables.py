"""Tables as people have them: the plan of their columns, scores that nothing was learnt from, the verdict, the message."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

pytest.importorskip("sklearn")
from click.testing import CliRunner

from byhand.cli.main import cli
from byhand.errors import DataError
from byhand.train.data import read
from byhand.train.data.cells import Notation, date_of
from byhand.train.data.reading import Reading
from byhand.train.estimators import MLPClassifier, MLPRegressor
from byhand.train.saving import load

N = 97
RNG = np.random.default_rng(5)
A, B = RNG.normal(size=(2, N)).round(3)
YES = np.where(A + B > 0, "yes", "no")
TOWNS = np.array(["Rome", "Paris", "Oslo"])[RNG.integers(0, 3, N)]


def run(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def text_of(columns, separator=","):
    rows = zip(*columns.values(), strict=True)
    return "\n".join([separator.join(columns), *(separator.join(map(str, r)) for r in rows)]) + "\n"


def trained(path, *options):
    found = run("train", path, "--target", "y", "--epochs", 3, "-o", path.parent / "m", "--json", *options)
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout), found.stderr


BASE = {"a": A, "b": B, "y": YES}
DAYS = np.datetime64("2021-03-04") + RNG.integers(0, 700, N)
WIDE = {f"c{k}": RNG.normal(size=N).round(3) for k in range(701)}

MADE = {  # the columns beside a and b, options, what the plan says, what the notes say
    "dates": ({"when": DAYS}, (), "when: date; year, month, weekday, days since 2021-", ""),
    "times": (
        {"when": [f"{d}T{k % 24:02}:30:00Z" for k, d in enumerate(DAYS)]},
        (),
        "when: date; year, month, weekday, hour, days since 2021-",
        "",
    ),
    "dates of Europe": ({"when": [f"{d.item():%d.%m.%Y}" for d in DAYS]}, (), "when: date, day before month", ""),
    "dates in words": ({"when": [f"{d.item():%B %d} {d.item():%Y}" for d in DAYS]}, (), "date, month before day", ""),
    "a running number": ({"id": range(N)}, (), "id: a different whole number", "column id: .*identifier .*left out"),
    "identifiers at random": ({"userId": RNG.permutation(10**6)[:N]}, (), "userId: .*left out", "column userId"),
    "a column without a name": ({"": range(N)}, (), "without a name: .*left out", "once it has a name"),
    "hashes": ({"h": [f"x{v:x}" for v in RNG.integers(0, 2**60, N)]}, (), "h: .*nearly unique: left out", "column h"),
    "a column that counts": ({"step": range(7, 7 + N)}, (), "numbers: a, b, step", "step: it counts the rows"),
    "codes": ({"zip": RNG.integers(1, 9, N) * 1111}, (), "numbers: a, b, zip", "zip: 8 different .*--categories zip"),
    "codes as categories": (
        {"zip": RNG.integers(1, 9, N) * 1111}, ("--categories", "zip"), "zip: 8 categories, 1111, 2222", "",
    ),
    "codes with zeros": ({"plz": [f"0{1 + k % 5}" for k in range(N)]}, (), "plz: 5 categories", "such as 0. are codes"),
    "constant": ({"k": [4] * N, "l": ["u"] * N}, (), "k: 4 in all rows.*l: 'u' in all", "column k: .*column l: "),
    "left out by name": ({"x": range(N), "y, z": range(N)}, ("--drop", 'x,"y, z"'), "^numbers: a, b$", ""),
    "thousands": ({"p": [f'"{v:,}"' for v in RNG.integers(1, 9999, N)]}, ("--thousands", ","), "numbers: a, b, p", ""),
    "very wide": (WIDE, (), r"numbers: a, b, c0, .*\(703\)", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", MADE)
def test_the_plan_of_a_table(tmp_path, case):
    import re

    more, options, plan, notes = MADE[case]
    head = {"a": A, "b": B, **{(f'"{n}"' if "," in n else n): v for n, v in more.items()}, "y": YES}
    (tmp_path / "t.csv").write_text(text_of(head))
    result, said = trained(tmp_path / "t.csv", *options)
    assert re.search(plan, " | ".join(result["columns"])), result["columns"]
    noted = " ".join(line for line in said.splitlines() if line.startswith("Note: "))
    assert re.search(notes, noted) if notes else noted == "", said
    described = load(tmp_path / "m").table_
    assert described["reading"]["thousands"] == ("," if case == "thousands" else "")
    again = run("evaluate", tmp_path / "m", tmp_path / "t.csv", "--json")
    assert again.exit_code == 0 and json.loads(again.stdout)["samples"] == N, again.output


def packed(name, content):
    if name.endswith(".zip"):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inside.csv", content)
        return out.getvalue()
    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
    return next((p(content) for end, p in pack.items() if name.endswith(end)), content)


FILES = [f"t{kind}{tail}" for kind in (".csv", ".tsv", ".txt") for tail in ("", ".gz", ".bz2", ".xz", ".zip")]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("name", [*FILES, "t.CSV", "t.zip", "t.arrow", "t.feather"])
def test_every_kind_of_file_gives_the_same(tmp_path, monkeypatch, name, whole):
    if not whole:
        monkeypatch.setattr("byhand.train.data.csvfile.WHOLE", 0)
        monkeypatch.setattr("byhand.train.data.csvfile.CELLS", 31)
    columns = {"a": A, "town": TOWNS, "y": YES}
    if name.endswith((".arrow", ".feather")):
        made = pa.table({**columns, "town": pa.array(TOWNS).dictionary_encode()})
        pa.feather.write_feather(made, tmp_path / name, chunksize=40, compression="lz4" if whole else "uncompressed")
    else:
        separator = "\t" if ".tsv" in name else ";" if ".txt" in name else ","
        content = "\ufeff" + text_of(columns, separator)
        (tmp_path / name).write_bytes(packed(name, content.encode()))
    found = read(str(tmp_path / name), "y")
    expected = np.column_stack([A, *(t == TOWNS for t in ("Oslo", "Paris", "Rome"))])
    assert np.array_equal(found.X, expected) and found.y.tolist() == YES.tolist()


@pytest.mark.parametrize("name", ["t.csv.gz", "t.tsv.bz2", "t.txt.xz", "t.csv.zip", "t.arrow", "t.feather"])
def test_cut_off_files(tmp_path, name):
    content = text_of({"a": RNG.normal(size=N), "y": YES}).encode()
    if name.endswith((".arrow", ".feather")):
        pa.feather.write_feather(pa.table({"a": A, "y": YES}), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(packed(name, content))
    whole = (tmp_path / name).read_bytes()
    for size in (0, 3, len(whole) // 2, len(whole) - 3):
        (tmp_path / name).write_bytes(whole[:size])
        with pytest.raises(DataError, match=name):
            read(str(tmp_path / name), "y")


def test_dates_and_texts_of_parquet(tmp_path):
    stamps = DAYS.astype("datetime64[ns]")
    texts = [str(k % 3) for k in range(N)]
    table = {"when": DAYS.astype(object), "at": stamps, "code": texts, "y": YES}
    pq.write_table(pa.table(table), tmp_path / "t.parquet", row_group_size=30)
    plan = {c["name"]: c for c in read(str(tmp_path / "t.parquet"), "y").table["columns"]}
    assert plan["when"]["parts"] == plan["at"]["parts"] == ["year", "month", "weekday", "days"]
    assert plan["code"]["kind"] == "category" and plan["code"]["values"] == ["0", "1", "2"]  # the file says: texts


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8"])
def test_encodings(tmp_path, encoding):
    towns = np.where(TOWNS == "Rome", "Köln", TOWNS)
    (tmp_path / "t.csv").write_text(text_of({"a": A, "town": towns, "y": YES}), encoding=encoding)
    if encoding != "utf-8":
        found = run("train", tmp_path / "t.csv", "--target", "y", "-o", tmp_path / "m")
        remedy = "utf-16" if encoding == "utf-16" else "latin-1"
        assert found.exit_code == 2 and f"--encoding {remedy}" in found.stderr, found.output
    result, _ = trained(tmp_path / "t.csv", "--encoding", encoding)
    assert "town: 3 categories, Köln, Oslo, Paris" in result["columns"]
    assert run("evaluate", tmp_path / "m", tmp_path / "t.csv").exit_code == 0


REFUSED = {  # a file, options, words of the message
    "both readings": ("a;y\n1,000;1\n12,000;2\n", (), ["'1,000' is 1 with a decimal comma, 1000 with thousands", "or"]),
    "decimal commas": ("a;y\n1,5;1\n-2;2\n", (), ["decimal comma, such as '1,5'", "--decimal ,"]),
    "thousands": ('a,y\n"1,234.5",1\n"2,000",2\n', (), ["numbers with thousands, such as '1,234.5'", "--thousands ,"]),
    "both signs": ("a;y\n1.000,5;1\n3;2\n", (), ["--decimal , --thousands ."]),
    "spaces": ("a;y\n1 000;1\n3;2\n", (), ["--thousands ' '"]),
    "spaces without a break": ("a;y\n1\xa0000;1\n3;2\n", (), ["--thousands ' '"]),
    "apostrophes": ("a;y\n1'000;1\n3;2\n", (), ["""--thousands "'\""""]),
    "one sign for both": ("a;y\n1;1\n", ("--decimal", ",", "--thousands", ","), ["cannot be both"]),
    "both orders": ("d,y\n3/4/2020,1\n5/6/2021,2\n", (), ["2020-04-03 (--dates dmy) or 2020-03-04 (--dates mdy)"]),
    "missing targets": ("a,y\n1,u\n2,\n3,v\n", (), ["the target y is missing in row 3"]),
    "twice": ("a,a,y\n1,2,3\n", (), ["has the column 'a' twice"]),
    "a stray sign": (
        text_of({"a": ["-", *A[1:]], "y": YES}), ("--test", 0), ["column a has '-' in row 2", "--na '-'"],
    ),
    "nothing left": (text_of({"t": [f"v{k}" for k in range(N)], "y": YES}), (), ["no column is left", "nearly unique"]),
    "no such column": ("size,y\n1,2\n2,3\n", ("--drop", "siez"), ["no column siez, which --drop names", "`size`"]),
    "features and drop": ("a,b,y\n1,2,3\n", ("--drop", "a", "--features", "a,b"), ["a is to be left out and"]),
    "the target as a feature": ("a,y\n1,3\n2,4\n", ("--features", "a,y"), ["y is to be learned"]),
    "a stray date": (
        text_of({"d": ["soon", *DAYS[1:]], "y": YES}), ("--test", 0), ["column d has 'soon' in row 2", "no date"],
    ),
    "percent": (text_of({"a": [f"{v:.2f}%" for v in A], "y": YES}), (), ["numbers with a sign, such as '"]),
    "money": (text_of({"a": [f"${abs(v):.2f}" for v in A], "y": YES}), (), ["numbers with a sign, such as '$"]),
    "texts to learn": (text_of({"a": A, "y": [f"t{k}" for k in range(N)]}), (), ["97 different texts in 97 rows"]),
    "dates to learn": (text_of({"a": A, "y": DAYS}), (), ["different texts in 97 rows, such as '2"]),
    "one row": ("a,y\n1,2\n", (), ["one sample is too few", "--test 0"]),
    "no encoding": ("a,y\n1,2\n", ("--encoding", "klingon"), ["no encoding 'klingon'"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_asked_about(tmp_path, case):
    content, options, words = REFUSED[case]
    (tmp_path / "t.csv").write_text(content)
    found = run("train", tmp_path / "t.csv", "--target", "y", "--epochs", 2, "-o", tmp_path / "m", *options)
    assert found.exit_code == 2 and all(w in found.stderr for w in words), found.output
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    "notation, numbers",
    [
        (Notation(","), {"1,5": 1.5, "-2": -2, "1.5": None, "1,000": 1.0}),
        (Notation(",", "."), {"1.234,5": 1234.5, "1.23": None, "12.345.678": 12345678, "7,25": 7.25}),
        (Notation(".", ","), {"1,234.5": 1234.5, "1,23": None, "-9,999": -9999, "1e3": 1000}),
        (Notation(".", " "), {"1 234.5": 1234.5, "1\xa0000": 1000, "1\u202f000 000": 1e6, "1 2": None}),
        (Notation(), {"1_000": None, "1e-3": 1e-3, "0x1f": None, "12%": None}),
    ],
)
def test_notations(notation, numbers):
    assert {c: notation.number(c) for c in numbers} == numbers
    for cell, number in numbers.items():
        found = notation.numbers([cell, "", "7"])
        assert found is None if number is None else np.array_equal(found, [number, np.nan, 7], equal_nan=True)


@pytest.mark.parametrize("order, form", [("ymd", "%Y-%m-%d"), ("ymd", "%Y/%m/%d"), ("dmy", "%d.%m.%Y"), ("mdy", "%m/%d/%Y"),
                                         ("dmy", "%d %b %Y"), ("mdy", "%B %d, %Y")])  # fmt: skip
def test_dates_are_those_of_numpy(order, form):
    for day in np.datetime64("1890-01-01") + RNG.integers(0, 80_000, 41):
        for time, share in (("", 0), (" 06:00", 0.25), ("T18:00:00+06:00", 0.5), (" 12:00 AM", 0), (" 6:00 pm", 0.75)):
            assert date_of(f"{day.item():{form}}{time}", order) == day.astype(int) + share
    assert date_of("2021-02-29", "ymd") is None and date_of("31.4.2020", "dmy") is None


def test_parts_of_dates():
    from datetime import date

    from byhand.train.data.plan import parts_of

    days = RNG.integers(-40_000, 40_000, 53)
    parts = parts_of(days + 0.25, 11.0)
    shown = [date.fromordinal(int(d) + date(1970, 1, 1).toordinal()) for d in days]
    expected = [(d.year, d.month, d.weekday(), 6.0) for d in shown]
    assert np.column_stack([parts[p] for p in ("year", "month", "weekday", "hour")]).tolist() == [
        [*e] for e in expected
    ]
    assert np.array_equal(parts["days"], days + 0.25 - 11)


def test_the_test_rows_teach_nothing(tmp_path):
    """A median and a category that only test rows would give; the same by hand on the training rows."""
    from sklearn.model_selection import train_test_split

    training, test = train_test_split(np.arange(N), test_size=0.2, random_state=0, stratify=YES)
    sizes, towns = A.astype(object), TOWNS.astype(object)
    sizes[test], sizes[test[0]], towns[test[1]] = A[test] + 1000, "", "Atlantis"
    sizes[training[0]] = ""
    (tmp_path / "t.csv").write_text(text_of({"a": sizes, "town": towns, "y": YES}))
    result, said = trained(tmp_path / "t.csv", "--impute")
    plan = load(tmp_path / "m").table_["columns"]
    assert plan[0]["fill"] == np.median(A[training[1:]]) and plan[1]["values"] == ["Oslo", "Paris", "Rome"]
    assert "Note: 1 rows of the test have a value of town that training has not" in said
    new = run("predict", tmp_path / "m", tmp_path / "t.csv")
    assert new.exit_code == 2 and "'Atlantis' in row" in new.stderr and result["samples"] == len(training)
    trained(tmp_path / "t.csv", "--impute", "--unknown", "other")
    new = run("predict", tmp_path / "m", tmp_path / "t.csv")
    assert new.exit_code == 0 and "1 rows have a value of town" in new.stderr


@pytest.mark.parametrize("classes", [True, False])
def test_the_score_is_that_of_a_pipeline_fitted_on_the_training_rows(tmp_path, classes):
    """scikit-learn's own transformers, and the same network, on the same split."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import OneHotEncoder

    sizes = np.where(RNG.random(N) < 0.2, np.nan, A)
    y = YES if classes else (A - 2 * B + (TOWNS == "Oslo")).round(3)
    shown = ["" if np.isnan(v) else v for v in sizes]
    (tmp_path / "t.csv").write_text(text_of({"a": shown, "b": B, "town": TOWNS, "y": y}))
    found = run("train", tmp_path / "t.csv", "--target", "y", "--epochs", 11, "-o", tmp_path / "m", "--json", "--impute",
                "--seed", 3, "--hidden", "13")  # fmt: skip
    result = json.loads(found.stdout)
    X = np.empty((N, 3), object)
    X[:, 0], X[:, 1], X[:, 2] = sizes, B, TOWNS
    split = {"test_size": 0.2, "random_state": 3, "stratify": y if classes else None}
    X, X_test, y, y_test = train_test_split(X, y, **split)
    steps = ColumnTransformer(
        [("n", SimpleImputer(strategy="median"), [0, 1]), ("c", OneHotEncoder(sparse_output=False), [2])]
    )
    kind = MLPClassifier if classes else MLPRegressor
    model = kind((13,), max_epochs=11, random_state=3).fit(steps.fit_transform(X).astype(float), y)
    score = model.score(steps.transform(X_test).astype(float), y_test)
    assert abs(result["test"]["accuracy" if classes else "r2"] - score) <= 1e-12


def test_scores_are_those_of_scikit_learn(tmp_path):
    from sklearn import metrics as m

    from byhand.train.metrics import metrics_of

    X = np.column_stack([A, B])
    model = MLPClassifier((5,), max_epochs=2, random_state=0).fit(X, YES)
    P, predicted = model.predict_proba(X), model.predict(X)
    expected = {
        "accuracy": m.accuracy_score(YES, predicted), "balanced_accuracy": m.balanced_accuracy_score(YES, predicted),
        "log_loss": m.log_loss(YES, P), "auc": m.roc_auc_score(YES, P[:, 1]),
        "brier": m.brier_score_loss(YES, P[:, 1], pos_label="yes"),
    }  # fmt: skip
    assert metrics_of(model, X, YES) == pytest.approx(expected, rel=1e-12)
    y = A - B
    regressor = MLPRegressor((5,), max_epochs=2, random_state=0).fit(X, y)
    predicted = regressor.predict(X)
    expected = {
        "rmse": m.root_mean_squared_error(y, predicted), "mae": m.mean_absolute_error(y, predicted),
        "r2": m.r2_score(y, predicted),
    }  # fmt: skip
    assert metrics_of(regressor, X, y) == pytest.approx(expected, rel=1e-12)


def test_the_verdict(tmp_path):
    rare = np.where(RNG.random(N) < 0.08, "yes", "no")
    (tmp_path / "t.csv").write_text(text_of({"a": A, "b": B, "y": rare}))
    result, said = trained(tmp_path / "t.csv", "--l2", 10, "--epochs", 60)
    least = result["baseline"]
    assert least["predicts"] == "always no" and least["accuracy"] == result["test"]["accuracy"] > 0.8
    assert least["balanced_accuracy"] == 0.5
    assert "no better than always no: accuracy" in said and "never predicted: yes (" in said
    (tmp_path / "t.csv").write_text(text_of({"a": A, "b": B, "y": (10 + RNG.normal(size=N)).round(3)}))
    result, said = trained(tmp_path / "t.csv", "--l2", 10, "--epochs", 60)
    assert "no better than always the mean, " in said and result["baseline"]["r2"] <= 0
    wide = {**WIDE, "y": RNG.permutation(YES)}
    (tmp_path / "t.csv").write_text(text_of(wide))
    result, said = trained(tmp_path / "t.csv")
    assert "the model has learnt what does not carry over" in said and result["train"]["accuracy"] > 0.9
    good = run("train", "iris", "-o", tmp_path / "m", "--json")
    assert json.loads(good.stdout)["verdict"] == [] and good.stderr == ""


def test_small_tables(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n1,2,u\n2,1,v\n3,3,u\n")
    result, _ = trained(tmp_path / "t.csv")
    assert result["samples"] == 2 and result["columns"] == ["numbers: a, b"]
    (tmp_path / "t.csv").write_text(text_of({"a": A, "y": [3.5] * N}))
    assert "all targets are 3.5" in trained(tmp_path / "t.csv")[1]
    (tmp_path / "t.csv").write_text(text_of({"a": A, "y": ["u"] * N}))
    result, said = trained(tmp_path / "t.csv")
    assert "all targets are u" in said and "no better than always u" in said


def test_tables_options_need_a_table(tmp_path):
    found = run("train", "iris", "--drop", "a", "-o", tmp_path / "m")
    assert found.exit_code == 2 and "iris is no table" in found.stderr


def test_a_plan_of_all_rows(tmp_path):
    (tmp_path / "t.csv").write_text(text_of({"id": range(N), **BASE}))
    found = read(str(tmp_path / "t.csv"), "y", reading=Reading(features=("id", "b")))
    assert np.array_equal(found.X, np.column_stack([range(N), B])) and found.table["left_out"] == []


def test_a_model_is_described(tmp_path):
    (tmp_path / "t.csv").write_text(text_of({"id": range(N), "when": DAYS, "town": TOWNS, **BASE}))
    result, _ = trained(tmp_path / "t.csv", "--unknown", "other", "--na", "-,x")
    shown = run("describe", tmp_path / "m")
    assert shown.exit_code == 0 and all(line in shown.stdout for line in result["columns"])
    assert "classes       no, yes" in shown.stdout and "--na -,x   --unknown 'other'" in shown.stdout
    found = json.loads(run("describe", tmp_path / "m", "--json").stdout)
    assert found["table"] == load(tmp_path / "m").table_ and found["target"] == "y"
    assert run("train", "diabetes", "--epochs", 2, "-o", tmp_path / "d").exit_code == 0
    assert "MLPRegressor" in run("describe", tmp_path / "d").stdout
    assert run("describe", tmp_path / "t.csv").exit_code == 2


def interrupted(monkeypatch, after):
    """Ctrl-C in the epoch after some."""
    from byhand.train.loop import Trainer

    whole = Trainer._pass

    def _pass(trainer, data, number):
        if number > after:
            raise KeyboardInterrupt
        return whole(trainer, data, number)

    monkeypatch.setattr(Trainer, "_pass", _pass)


@pytest.mark.parametrize("answer", [None, False, True])
def test_an_interrupted_model_replaces_no_better_one(tmp_path, monkeypatch, answer):
    """On a terminal, where somebody answers, and elsewhere."""
    place, beside = tmp_path / "m.safetensors", tmp_path / "m-interrupted.safetensors"
    common = ("train", "iris", "--epochs", 40, "-o", place)
    assert run(*common).exit_code == 0
    kept = place.read_bytes()
    asked = []
    monkeypatch.setattr("click.confirm", lambda text, **more: [asked.append(text), answer][1])
    monkeypatch.setattr("byhand.cli.outcome._asks", lambda: answer is not None)
    interrupted(monkeypatch, 2)
    found = run(*common)
    assert found.exit_code == 130 and "in 2 epochs is saved in" in found.stderr
    assert len(asked) == (answer is not None) and ("stays as it was" in found.stderr) is not bool(answer)
    assert (place.read_bytes() == kept) is not bool(answer) and load(place if answer else beside).n_iter_ == 2
    place.unlink()
    found = run(*common)
    assert found.exit_code == 130 and load(place).n_iter_ == 2  # nothing stood there


@pytest.mark.parametrize("better", [False, True])
def test_of_two_validation_scores_the_better_stays(tmp_path, monkeypatch, better):
    place = tmp_path / "m"
    poor = ("--lr", 1e-6)
    common = ("train", "iris", "--epochs", 30, "--early-stopping", "-o", place)
    assert run(*common, *(poor if better else ())).exit_code == 0
    before = max(load(place).validation_scores_)
    interrupted(monkeypatch, 5)
    assert run(*common, *(() if better else poor)).exit_code == 130
    after = max(load(place).validation_scores_)
    assert after > before if better else after == before
    assert (tmp_path / "m-interrupted").exists() is not better


@pytest.mark.parametrize("stands", [False, True])
def test_an_untrained_model_is_never_saved(tmp_path, monkeypatch, stands):
    place = tmp_path / "m"
    if stands:
        place.write_text("somebody's own")
    interrupted(monkeypatch, 0)
    found = run("train", "iris", "-o", place)
    assert found.exit_code == 130 and "nothing is saved" in found.stderr, found.output
    assert [p.name for p in tmp_path.iterdir()] == ["m"] * stands


def test_texts_of_a_typed_file_are_numbers_in_a_notation_that_was_said(tmp_path):
    cells = [f"{k}.{k % 10}00,5" for k in range(1, 40)]
    table = pa.table({"a": cells, "y": [k % 2 for k in range(39)]})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="decimal comma and thousands"):
        read(str(tmp_path / "t.parquet"), "y")
    found = read(str(tmp_path / "t.parquet"), "y", reading=Reading(notation=Notation(",", ".")))
    np.testing.assert_allclose(found.X[:2, 0], [1100.5, 2200.5])


def test_scores_of_several_classes_are_those_of_scikit_learn():
    from sklearn import metrics as m

    from byhand.train.metrics import classes_of, metrics_of

    X = np.column_stack([A, B])
    model = MLPClassifier((5,), max_epochs=2, random_state=0).fit(X, TOWNS)
    P, predicted = model.predict_proba(X), model.predict(X)
    found = metrics_of(model, X, TOWNS)
    assert found["auc"] == pytest.approx(m.roc_auc_score(TOWNS, P, multi_class="ovr"), rel=1e-12)
    assert found["brier"] == pytest.approx(((P - (TOWNS[:, None] == model.classes_)) ** 2).sum(1).mean(), rel=1e-12)
    recall, precision = (
        f(TOWNS, predicted, average=None, zero_division=np.nan) for f in (m.recall_score, m.precision_score)
    )
    rows = classes_of(TOWNS, predicted, model.classes_)
    assert [r["class"] for r in rows] == ["Oslo", "Paris", "Rome"] and sum(r["samples"] for r in rows) == N
    np.testing.assert_allclose([r["recall"] for r in rows], recall)
    np.testing.assert_allclose([np.nan if r["precision"] is None else r["precision"] for r in rows], precision)


def test_cross_validation_is_a_fit_for_each_fold_of_rows_never_trained_on(tmp_path):
    from sklearn.model_selection import StratifiedKFold

    columns = {"a": [*A[:-3], "", "", ""], "b": B, "town": TOWNS, "yes": YES}
    (tmp_path / "t.csv").write_text(text_of(columns))
    options = ("--target", "yes", "--epochs", 3, "--impute", "-o", tmp_path / "m", "--json", "--seed", 3)
    found = json.loads(run("train", tmp_path / "t.csv", "--cv", 4, *options).stdout)
    assert found["cv"]["folds"] == 4 and found["samples"] == N and found["test"] is None
    scores = []
    for training, tested in StratifiedKFold(4, shuffle=True, random_state=3).split(np.zeros(N), YES):
        a = np.array([*A[:-3], np.nan, np.nan, np.nan])
        a = np.where(np.isnan(a), np.nanmedian(a[training]), a)
        X = np.column_stack([a, B, *(t == TOWNS for t in ("Oslo", "Paris", "Rome"))]).astype(float)
        model = MLPClassifier(max_epochs=3, random_state=3).fit(X[training], YES[training])
        scores.append(model.score(X[tested], YES[tested]))
    assert found["cv"]["scores"]["accuracy"]["mean"] == pytest.approx(np.mean(scores), abs=1e-12)
    assert found["cv"]["scores"]["accuracy"]["spread"] == pytest.approx(np.std(scores, ddof=1), abs=1e-12)
    assert found["cv"]["baseline"]["predicts"].startswith("always ") and found["cv"]["baseline"]["accuracy"]["mean"] < 1
    assert sum(c["samples"] for c in found["classes"]) == N  # of rows that were not trained on
    told = run("train", tmp_path / "t.csv", "--cv", 4, *options[:-3], "--seed", 3).stdout
    assert f"4 folds   accuracy {np.mean(scores):.4f} ± {np.std(scores, ddof=1):.4f}" in told


@pytest.mark.parametrize(
    "options, words",
    [
        (("--cv", 3, "--test", 0.3), "one of the two"),
        (("--cv", 3, "--checkpoint", "c"), "one of the two"),
        (("--cv", 1), "--cv"),
        (("--cv", N + 1), f"{N} samples are too few for {N + 1} folds"),
    ],
)
def test_folds_that_cannot_be(tmp_path, options, words):
    (tmp_path / "t.csv").write_text(text_of({"a": A, "yes": YES}))
    found = run("train", tmp_path / "t.csv", "--target", "yes", "--epochs", 1, "-o", tmp_path / "m", *options)
    assert found.exit_code == 2 and words in found.stderr and not (tmp_path / "m").exists()


def test_another_file_may_be_written_otherwise(tmp_path):
    (tmp_path / "t.csv").write_text(text_of({"a": A, "town": np.char.replace(TOWNS, "Oslo", "Zürich"), "yes": YES}))
    run("train", tmp_path / "t.csv", "--target", "yes", "--epochs", 2, "-o", tmp_path / "m")
    expected = run("predict", tmp_path / "m", tmp_path / "t.csv").stdout
    commas = [str(a).replace(".", ",") for a in A]
    rows = text_of({"a": commas, "town": np.char.replace(TOWNS, "Oslo", "Zürich"), "yes": YES}, ";")
    (tmp_path / "u.csv").write_bytes(rows.encode("latin-1"))
    found = run("predict", tmp_path / "m", tmp_path / "u.csv")
    assert found.exit_code == 2 and "--encoding latin-1" in found.stderr
    options = ("--encoding", "latin-1", "--decimal", ",")
    assert run("predict", tmp_path / "m", tmp_path / "u.csv", *options).stdout == expected
    told = run("evaluate", tmp_path / "m", tmp_path / "u.csv", *options)
    assert told.exit_code == 0 and "by class" in told.stdout and "recall" in told.stdout
    (tmp_path / "v.csv").write_text(text_of({"a": A, "town": ["Bonn"] * N, "yes": YES}))
    assert run("predict", tmp_path / "m", tmp_path / "v.csv").exit_code == 2
    assert run("predict", tmp_path / "m", tmp_path / "v.csv", "--unknown", "other").exit_code == 0
    run("train", "iris", "--epochs", 1, "-o", tmp_path / "i")
    found = run("predict", tmp_path / "i", "iris", "--decimal", ",")
    assert found.exit_code == 2 and "not trained on a table" in found.stderr


@pytest.mark.parametrize(
    "words", [("--max-epochs", "--epochs"), ("--batch-size", "--batch"), ("--learning-rate", "--lr")]
)
def test_the_words_of_the_classes_are_those_of_the_command(tmp_path, words):
    found = [
        json.loads(run("train", "iris", word, "2", "--epochs", "1", "-o", tmp_path / "m", "--json").stdout)["loss"]
        for word in words
    ]
    assert found[0] == found[1]
