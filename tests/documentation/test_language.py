"""The page on the expression language names every function, property and layout that there is, and its example runs."""

import re
from pathlib import Path

import byhand
from byhand.derive.layout import LAYOUTS
from byhand.expr.assume import PROPERTIES
from byhand.expr.vocabulary import VOCABULARY

PAGE = (Path(__file__).parents[2] / "docs/language.md").read_text("utf-8")
NAMED = set(re.findall(r"`(\w[\w-]*)", PAGE))


def test_every_name_of_the_tables_stands_on_the_page():
    assert set(VOCABULARY) <= NAMED
    assert set(PROPERTIES) <= NAMED
    assert set(LAYOUTS) <= NAMED


def test_the_example_is_derived():
    example = re.search(r'"""\n(.*?)"""', PAGE, re.DOTALL)[1]
    shapes = dict(re.findall(r'"(\w+)": "([^"]*)"', re.search(r"shapes=\{(.*?)\}", PAGE)[1]))
    text = "\n".join(line.strip() for line in example.splitlines())
    d = byhand.derive(byhand.parse(text, shapes, {"t": "labels"}), "W1,b1,W2,b2")
    assert byhand.check(d, oracles="quick").ok
