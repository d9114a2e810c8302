"""Results show themselves by their own views: printed as text, in notebooks as all that they have."""

import html as entities
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import byhand
from byhand.notation.document import document
from byhand.notation.render import document_html
from byhand.views import STYLE, Code

F = byhand.parse("sum((X @ w - y)**2)", shapes={"X": "m n", "w": "n", "y": "m"})
NET = byhand.MLP("5-3-2", activation="tanh")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(31, 5)), np.arange(31) % 2
ALL = {"text/plain", "text/html", "text/latex", "text/markdown"}
BOTH = {"text/plain", "text/html"}
RESULTS = {
    "derivation": (lambda: byhand.derive(F, "w"), ALL),
    "Hessian": (lambda: byhand.hessian(F, "w"), ALL),
    "Jacobian": (lambda: byhand.jacobian(byhand.parse("tanh(z)", {"z": "n"}), "z"), ALL),
    "product": (lambda: byhand.hvp(F, "w"), ALL - {"text/markdown"}),
    "audit": (lambda: byhand.audit("x: (3, 1)\ny = x + x"), BOTH),
    "check": (lambda: byhand.check(byhand.derive(F, "w"), oracles="quick"), BOTH),
    "gradient": (lambda: byhand.check_gradient(NET, {"W1": np.ones((5, 3))}, {**NET.init(), "X": X, "y": Y}), BOTH),
    "flow": (lambda: byhand.flow(NET, X, Y), BOTH),
    "cost": (NET.cost, BOTH),
    "per sample": (lambda: byhand.per_sample(NET), ALL),
}


@pytest.fixture(scope="module")
def made():
    return {name: make() for name, (make, _) in RESULTS.items()}


@pytest.mark.parametrize("name", RESULTS)
def test_each_view_is_the_method_of_its_name(made, name):
    result, kinds = made[name], RESULTS[name][1]
    shown = result._repr_mimebundle_()
    assert shown.keys() == kinds
    for kind, text in shown.items():
        assert text == getattr(result, "text" if kind == "text/plain" else kind.removeprefix("text/"))() != ""
    assert str(result) == repr(result) == shown["text/plain"] and result._repr_html_() == shown["text/html"]


def test_a_network_shows_its_layers_and_formulas():
    shown = NET._repr_mimebundle_()
    assert shown["text/plain"] == repr(NET)
    page = shown["text/html"]
    assert "W1 (5, 3), b1 (3,)" in page and ">26<" in page  # 5·3 + 3 + 3·2 + 2 numbers
    assert page.count("<math") > 5
    assert "D·H" in byhand.MLP("D-H-C").html().replace(" ", "").replace("D*H", "D·H")


@pytest.mark.parametrize("name", [*RESULTS, "network"])
def test_cells_are_aligned_to_the_left_whatever_the_notebook_does(made, name):
    page = NET.html() if name == "network" else made[name].html()
    assert "<table" in page
    rules = re.findall(r"([^{}]*)\{([^{}]*)\}", "".join(re.findall(r"<style>(.*?)</style>", page, re.S)))
    assert any(re.search(r"\btd\b", names) and "text-align:left" in body for names, body in rules)


class Tags(HTMLParser):
    """Tags that are open, all text, and the classes of cells."""

    def __init__(self, page):
        super().__init__()
        self.open, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.open += [] if tag in ("br", "meta") else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += [] if "style" in self.open else [data]


@pytest.mark.parametrize("name", RESULTS)
def test_every_tag_is_closed(made, name):
    assert not Tags(made[name].html()).open


@pytest.mark.parametrize("target", ["numpy", "torch", "jax", "c"])
def test_code_shows_itself_and_is_copied_as_it_is(target):
    code = byhand.derive(F, "w").code(target)
    assert isinstance(code, Code) and code.language == ("c" if target == "c" else "python")
    assert repr(code) == str(code) == code[:] and "\n" in repr(code)
    page = code._repr_html_()
    assert "".join(Tags(page).text).removesuffix("\n") in (code, code.removesuffix("\n"))
    for kind in "kcm":
        assert f'<span class="{kind}">' in page


@pytest.mark.parametrize(
    "source",
    ["", "\n", "x", "\n\n  x = 1\n\n", "a < b & c > 'd'\t# <b>é λ</b>", "def f(:\n  '''", 'print("x" * 3)  # "'],
)
def test_code_in_html_has_each_of_its_characters(source):
    page = Code(source).html()
    assert entities.unescape(re.sub(r"<[^>]*>", "", page.split("</style>")[1])) == source + "\n"


def test_code_of_products_and_expressions_shows_itself_too():
    codes = [byhand.hessian(F, "w").code(), byhand.hvp(F, "w").code(), NET.code(), NET.code("c", sizes={"N": 7})]
    assert all(isinstance(code, Code) for code in codes)


def test_colours_can_be_read_on_white_and_on_black():
    def luminance(colour):
        shares = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [s / 12.92 if s <= 0.03928 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    colours = re.findall(r"color:var\([^,]*,(#[0-9a-f]{6})\)", STYLE)
    assert len(colours) > 4
    for colour in colours:
        assert 1.05 / (luminance(colour) + 0.05) > 4.5 and (luminance(colour) + 0.05) / 0.05 > 4.5


# ---- plain data, from which a page can be made


@pytest.mark.parametrize("level", ["result", "steps", "micro"])
@pytest.mark.parametrize("notation", ["differential", "index", "jacobian"])
@pytest.mark.parametrize("f", [F, NET.expression], ids=["squares", "network"])
def test_plain_data_have_all_that_stands_on_the_page(f, notation, level):
    d = byhand.derive(f, [n for n in f.symbols if n not in "Xy"])
    data = d.to_dict(notation, level)
    page = document_html(document(d, notation, level))
    cut = page

    def take(piece):
        nonlocal cut
        assert piece in page, piece
        cut = cut.replace(piece, "", 1)

    take(data["title_html"])
    for sentence in data["notes_html"]:
        take(sentence)
    for section in data["sections"]:
        for line in section["lines"]:
            for part in line["parts"]:
                take(part["mathml"])
            if line["left"] is not None:
                take(line["left"]["mathml"])
        take(section["title_html"])
    assert not re.search(r"<m[ion]\b", re.sub(r'<span class="ghost".*?</span>', "", cut.split('class="item"')[0]))


@pytest.mark.parametrize("f", [F, NET.expression], ids=["squares", "network"])
def test_a_move_stands_below_the_adjoint_that_it_leads_to(f):
    wrt = [n for n in f.symbols if n not in "Xy"]
    sections = byhand.derive(f, wrt).to_dict(level="micro")["sections"]
    lines = next(s["lines"] for s in sections if s["title"].startswith("Gradients"))
    assert lines[0]["kind"] == "adjoint" and lines[0]["indent"] == 0
    above, led = None, set()
    for line in lines:
        if line["kind"] == "adjoint":
            above = line["unit"]
            continue
        assert line["kind"] == "move" and line["indent"] == 1 and line["child"] == above
        assert line["unit"] != above
        led.add(above)
    assert led == {line["unit"] for line in lines if line["kind"] == "adjoint"}  # none without its reason


def test_every_line_says_what_it_is_about():
    for notation in ("differential", "index", "jacobian"):
        for section in byhand.derive(NET).to_dict(notation, "micro")["sections"]:
            for line in section["lines"]:
                assert line["kind"] != "formula" and line["unit"]
