"""The report of `check`: as data, text and HTML."""

import json
from dataclasses import FrozenInstanceError, replace
from xml.etree import ElementTree

import pytest

from byhand.check.check import check
from byhand.check.report import Evidence, Report, Row
from byhand.derive.derivation import derive
from byhand.errors import CheckError
from byhand.expr.parse import parse

RIGHT = Row("step", "Z1", "product rule", 3e-16, 1e-8, "right")
EVIDENCE = Evidence("⟨G, A dX⟩ <1>", "⟨Aᵀ G, dX⟩", "m = 5, n = 7; seed 0", "[0, 1]", (1.5, -1.5))
WRONG = Row("step", "Z2", "move a left factor", 2.0, 1e-10, "wrong", evidence=EVIDENCE)
UNKNOWN = Row("gradient", "w", "complex step", 0.0, 1e-8, "not checkable", "log(...) is not finite")
GRADIENT = Row("gradient", "w", "complex step", 4e-15, 1e-8, "right", "every entry")


def report(*rows):
    return Report(rows, (0, 1), ({"m": 5, "n": 7}, {"m": 3, "n": 5}), ("complex step",))


def test_a_right_report():
    r = report(RIGHT, GRADIENT)
    assert r and r.ok and not r.failed and not r.unchecked
    assert r.summary == "checked: 1 step and 1 gradient, 2 seeds, worst relative error 4e-15 (complex step)"
    r.assert_ok()


@pytest.mark.parametrize("rows", [(), (RIGHT, WRONG), (RIGHT, UNKNOWN), (WRONG, UNKNOWN)])
def test_a_report_that_is_not_right(rows):
    r = report(*rows)
    assert not r and not r.ok
    with pytest.raises(CheckError):
        r.assert_ok()


def test_summaries_say_what_is_wrong():
    assert report(RIGHT, WRONG, UNKNOWN).summary == (
        "WRONG: step of Z2, move a left factor: relative error 2.0e+00; checked 2 steps and 1 gradient, 2 seeds"
    )
    assert report(RIGHT, UNKNOWN).summary == "not checkable: log(...) is not finite; 1 row of 2"


def test_text_has_aligned_columns_and_the_evidence():
    text = report(RIGHT, WRONG, UNKNOWN, GRADIENT).text()
    lines = text.splitlines()
    assert lines[1] == "sizes: m = 5, n = 7; m = 3, n = 5"
    table = lines[3:8]
    assert table[0].split() == ["of", "by", "error", "allowed", "verdict", "note"]
    columns = [table[0].index(name) for name in ("of", "by", "error", "allowed", "verdict", "note")]
    for line in table[1:]:
        assert all(line[column - 1] == " " and line[column : column + 1] not in ("", " ") for column in columns[:5])
    assert lines[9:] == [
        "step of Z2, move a left factor",
        "  before: ⟨G, A dX⟩ <1>",
        "  after:  ⟨Aᵀ G, dX⟩",
        "  numbers at [0, 1]: 1.5 and -1.5",
        "  sizes: m = 5, n = 7; seed 0",
    ]
    only = report(RIGHT, WRONG).text(failed_only=True)
    assert "Z1" not in only and "Z2" in only


def test_an_error_lists_the_failed_rows_only():
    with pytest.raises(CheckError) as caught:
        report(RIGHT, WRONG).assert_ok()
    text = str(caught.value)
    assert text.startswith("WRONG: step of Z2") and "numbers at [0, 1]: 1.5 and -1.5" in text and "Z1" not in text


def test_html_is_well_formed_and_escaped():
    html = report(RIGHT, WRONG, UNKNOWN).html()
    tree = ElementTree.fromstring(html.replace(" open>", ' open="">').replace("<br>", "<br/>"))
    assert len(tree.findall(".//tbody/tr")) == 4
    assert "&lt;1&gt;" in html and "<script" not in html
    assert "<details" in html and " open>" in html and " open>" not in report(RIGHT).html()


def test_plain_data_is_json():
    r = report(RIGHT, replace(WRONG, error=float("inf")), UNKNOWN)
    data = json.loads(json.dumps(r.to_dict(), allow_nan=False))
    assert data["ok"] is False and data["sizes"][0] == {"m": 5, "n": 7}
    assert [row["verdict"] for row in data["rows"]] == ["right", "wrong", "not checkable"]
    assert data["rows"][1]["error"] is None and data["rows"][1]["evidence"]["numbers"] == [1.5, -1.5]


def test_notebooks_and_frozen_rows():
    r = report(RIGHT)
    assert r._repr_mimebundle_() == {"text/plain": r.text(), "text/html": r.html()}
    assert str(r) == r.text()
    with pytest.raises(FrozenInstanceError):
        r.rows = ()
    with pytest.raises(FrozenInstanceError):
        RIGHT.error = 0.0


def test_a_real_report_is_json_too():
    d = derive(parse("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}), "w")
    json.dumps(check(d, oracles="complex step").to_dict(), allow_nan=False)
