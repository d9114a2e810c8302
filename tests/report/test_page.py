"""Pages stand alone: no script, nothing loaded from elsewhere, well-formed, with working links to their sections."""

import re
from html.parser import HTMLParser

import pytest

import byhand
from byhand.check.check import check
from byhand.report.curve import Curve, line_chart
from byhand.report.report import Part, code_block, derivation_page, facts, page

VOID = {"meta", "br", "link", "img", "input", "hr"}
LOADING = {"src", "href", "xlink:href", "data", "action", "srcset", "poster"}


class Structure(HTMLParser):
    """Tags, ids and links; fails where tags do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.ids += [v for k, v in attrs if k == "id"]
        self.loads += [v for k, v in attrs if k in LOADING]
        assert not [k for k, _ in attrs if k.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def structure(html):
    found = Structure()
    found.feed(html)
    found.close()
    assert not found.open
    return found


def assert_stands_alone(html):
    found = structure(html)
    assert not found.tags & {"script", "link", "iframe", "img", "object", "embed"}
    assert all(v.startswith("#") and v[1:] in found.ids for v in found.loads)
    assert len(found.ids) == len(set(found.ids))
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", html)


@pytest.fixture(scope="module")
def derivation():
    f = byhand.parse("mean(cross_entropy(X @ W + b, t))", {"X": "m n", "W": "n k", "b": "k", "t": "m"}, {"t": "labels"})
    return byhand.derive(f, "W,b")


@pytest.mark.parametrize("level", ["result", "steps", "micro"])
@pytest.mark.parametrize("notation", ["differential", "index", "jacobian"])
def test_the_page_of_a_derivation_stands_alone(derivation, notation, level):
    html = derivation_page(
        derivation, derivation.html(notation, level), check(derivation, oracles="quick"), derivation.code()
    )
    assert html.startswith("<!DOCTYPE html>")
    assert_stands_alone(html)
    assert '<details class="byhand-view byhand-check" open>' in html
    assert "prefers-color-scheme:dark" in html


def test_what_users_write_is_escaped():
    html = page("<script>alert(1)</script>", [Part("a < b & c", "<p></p>")], "<b>")
    html += facts([("<i>", "&")]) + code_block("a < b")
    assert "<script>" not in html
    assert "<i>" not in html
    assert "a &lt; b" in html


def test_tables_scroll_in_their_own_box(derivation):
    html = derivation.html()
    assert html.count('<div class="scroll"><table') == html.count("<table")


def test_a_chart_is_accessible_and_stands_alone():
    svg = line_chart([Curve("a", [3.0, 2.0, 1.0]), Curve("b", [1.0, 2.0])], "Loss & co", "epoch", "loss", "It falls.")
    assert svg.startswith('<svg role="img" aria-labelledby="chart-title chart-description"')
    assert '<title id="chart-title">Loss &amp; co</title>' in svg
    assert "var(--curve-1)" in svg
    assert "currentColor" in svg
    assert "<metadata" not in svg
    assert_stands_alone(page("t", [Part("Chart", svg)]))


def test_a_chart_is_the_same_every_time():
    charts = {line_chart([Curve("a", [3.0, 2.0])], "t", "x", "y", log=True) for _ in range(2)}
    assert len(charts) == 1
