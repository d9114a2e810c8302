"""The pure function behind the explorer: every example derives as the library does; refusals name their place."""

import json

import pytest

import byhand
from byhand.explore.answers import ROUTES, handle
from byhand.explore.examples import EXAMPLES
from byhand.explore.request import LONGEST
from byhand.notation.document import document
from byhand.notation.render import document_dict

LEAST_SQUARES = {"text": "sum((X @ w - y)**2)", "wrt": ["w"], "shapes": {"X": "m n", "w": "n", "y": "m"}}
TWO_LINES = {**LEAST_SQUARES, "text": "r = X @ w - y\nsum(r**2)"}


def derived(example):
    if "activation=" in example["text"]:
        return byhand.derive(byhand.MLP("4-5-3", activation="tanh", loss="softmax_cross_entropy"))
    shapes = example.get("shapes", "infer")
    return byhand.derive(byhand.parse(example["text"], shapes, example.get("assume")), example["wrt"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_derives_as_the_library_does(name):
    answer = handle("derive", EXAMPLES[name])
    d = derived(EXAMPLES[name])
    assert "error" not in answer
    assert answer["sections"] == document_dict(document(d))["sections"]
    printed = d.text()
    for section in answer["sections"]:
        for line in section["lines"]:
            assert all(part["text"] in printed and part["mathml"].startswith("<math") for part in line["parts"])
    json.dumps(answer, allow_nan=False)


@pytest.mark.parametrize("name", EXAMPLES)
def test_code_of_an_example_is_the_librarys(name):
    answer = handle("code", EXAMPLES[name])
    d = derived(EXAMPLES[name])
    assert answer["source"] == d.code("numpy")
    assert {s["result"] for s in answer["statements"]} >= set(d.gradients)
    json.dumps(answer, allow_nan=False)


@pytest.mark.parametrize(
    "view", [{"notation": "index"}, {"notation": "jacobian"}, {"level": "micro"}, {"layout": "columns"}]
)
def test_views(view):
    d = byhand.derive(byhand.parse(LEAST_SQUARES["text"], LEAST_SQUARES["shapes"]), "w")
    assert handle("derive", {**LEAST_SQUARES, **view})["sections"] == document_dict(document(d, **view))["sections"]


def test_open_shapes_come_with_reasons():
    answer = handle("derive", {"text": "sum((X @ w - y)**2)", "shapes": {"X": "a b"}})
    found = {i["name"]: i for i in answer["inputs"]}
    assert found["w"]["shape"] == ["b"] and found["y"]["shape"] == ["a"]
    assert found["w"]["inferred"] and found["w"]["why"] and not found["X"]["inferred"]
    assert {r["kept"] for r in answer["reasons"]} == {"a", "b"} and {r["line"] for r in answer["reasons"]} == {1}


@pytest.mark.parametrize(
    ("text", "word"),
    [("Z = X @ q\nsum(Z) + nosuch(X)", "nosuch"), ("sum(tahn(X @ w))", "tahn"), ("r = X @ w\nsum(r.q)", "r.q")],
)
def test_wrong_text_names_its_place(text, word):
    error = handle("derive", {"text": text})["error"]
    line = error["source"].split("\n")[error["line"] - 1]
    assert line[error["column"] - 1 :][: error["width"]] == word


def test_shapes_that_clash_name_the_operand():
    error = handle("derive", {**LEAST_SQUARES, "shapes": {"X": "3 5", "w": "7", "y": "3"}})["error"]
    assert error["kind"] == "ShapeError"
    assert LEAST_SQUARES["text"][error["column"] - 1 :][: error["width"]] in ("w", "X @ w")


@pytest.mark.parametrize(
    "mine", ["2 * X.T @ (X @ w - y)", "dw = 2 * X.T @ (X @ w - y)", "e = X @ w - y\ng = 2 * e\ngrad_w = X.T @ g"]
)
def test_a_right_gradient(mine):
    assert handle("check", {**LEAST_SQUARES, "mine": mine})["ok"]


def test_a_gradient_may_use_the_functions_own_names():
    assert handle("check", {**TWO_LINES, "mine": "dw = 2 * X.T @ r"})["ok"]


@pytest.mark.parametrize("mine", ["dw = X.T @ (X @ w - y)", "dw = -2 * X.T @ (X @ w - y)"])
def test_a_wrong_gradient_is_named(mine):
    answer = handle("check", {**LEAST_SQUARES, "mine": mine})
    assert not answer["ok"]
    assert answer["diagnoses"][0]["name"] and answer["diagnoses"][0]["line"] == 1
    json.dumps(answer, allow_nan=False)


def test_a_gradient_of_another_shape():
    answer = handle("check", {**LEAST_SQUARES, "mine": "\ndw = X @ w - y"})
    assert not answer["ok"] and answer["misfits"] == [{"variable": "w", "line": 2, "shape": ["m"], "needed": ["n"]}]


def test_the_place_of_an_error_is_in_the_gradient_not_in_the_function():
    error = handle("check", {**TWO_LINES, "mine": "\ndw = 2 * X.T @ rr"})["error"]
    assert (error["line"], error["column"], error["width"]) == (2, 16, 2)
    error = handle("check", {**TWO_LINES, "mine": "dw = 2 *"})["error"]
    assert error["kind"] == "ParseError" and error["line"] == 1


def test_nothing_is_executed(tmp_path):
    target = tmp_path / "made"
    for mine in (f"__import__('pathlib').Path({str(target)!r}).touch()", f"dw = open({str(target)!r}, 'w')"):
        assert handle("check", {**LEAST_SQUARES, "mine": mine})["error"]["kind"] == "ParseError"
        assert handle("derive", {"text": mine})["error"]["kind"] == "ParseError"
    assert not target.exists()


def test_a_derivation_is_audited():
    page = "X: (m, n)\nw: (n,)\ny: (m,)\nr = X @ w - y\nL = sum(r**2)\ndw = {} * X.T @ r\n"
    assert handle("audit", {"mine": page.format(2)})["ok"]
    wrong = handle("audit", {"mine": page.format(3)})
    assert [line["number"] for line in wrong["lines"] if not line["ok"]] == [6]


def test_rules():
    rules = handle("rules", {})["rules"]
    assert len(rules) > 50 and handle("rule", {"name": "tanh"})["ok"] is True
    assert handle("rule", {"name": "nosuchrule"})["error"]["message"]


@pytest.mark.parametrize(
    "request_",
    [{}, {"text": 3}, {"text": "x" * (LONGEST + 1)}, {"text": "sum(w)", "wrt": "w"}, {"text": "sum(w)", "shapes": {"w": 3}}, {"text": ""},
     {"text": "4-5-3 seed=1"}, {"text": "4-5-3 activation=tanh activation=relu"}, {"text": "4-5-3", "shapes": {"X": "n d"}},
     {"text": "4-5-3", "assume": {"X": "positive"}}, {"text": "sum(w)", "notation": "nosuch"}, {"text": "sum(w)", "level": None}, []],
)  # fmt: skip
def test_malformed_requests_are_refused(request_):
    assert handle("derive", request_)["error"]["kind"] == "ParseError"


def test_unknown_routes_are_refused():
    assert "nosuch" in handle("nosuch", {})["error"]["message"]
    assert {"derive", "code", "check", "audit", "rule", "rules", "examples"} == set(ROUTES)


def test_names_with_markup_are_no_markup():
    answer = handle("derive", {"text": "sum(X) # <script>alert(1)</script>"})
    assert "<script" not in json.dumps(answer["sections"])
