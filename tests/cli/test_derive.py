"""`byhand derive` and `byhand explain`: every format, every way in, what is written where."""

import json
import re
import subprocess
from importlib import import_module
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

import byhand
from byhand.check.report import Report, Row
from byhand.cli.main import cli

SQUARES = ["sum((X @ w - y)**2)", "--wrt", "w", "--shape", "X:m,n", "--shape", "w:n", "--shape", "y:m"]
LAYERS = "Z1 = X @ W1 + b1\nH1 = relu(Z1)\nL = mean(cross_entropy(H1 @ W2, Y))\n"
LAYER_OPTIONS = [
    "--wrt",
    "W1,b1",
    "--wrt",
    "W2",
    "--shape",
    "X:N,d W1:d,h b1:h W2:h,k Y:N,k",
    "--assume",
    "Y:simplexrows",
]


def run(*arguments, code=0, **options):
    result = CliRunner().invoke(cli, list(arguments), **options)
    assert result.exit_code == code, result.output
    return result


def test_the_result_goes_to_stdout_and_the_check_to_stderr():
    result = run("derive", *SQUARES)
    assert "∂f/∂w = 2 Xᵀ (X w − y)" in result.stdout
    assert "checked" not in result.stdout
    assert result.stderr.startswith("checked: ")
    assert result.stderr.count("\n") == 1


def test_without_a_check_nothing_is_said():
    assert run("derive", *SQUARES, "--no-check").stderr == ""


def test_a_failing_check_withholds_the_result(monkeypatch, tmp_path):
    wrong = Report((Row("gradient", "w", "complex step", 0.5, 1e-8, "wrong"),), (0,))
    monkeypatch.setattr(import_module("byhand.check.check"), "check", lambda *_, **__: wrong)
    target = tmp_path / "out.txt"
    result = run("derive", *SQUARES, "-o", str(target), code=1)
    assert result.stdout == ""
    assert "WRONG: gradient of w" in result.stderr
    assert "--no-check" in result.stderr
    assert not target.exists()


def test_a_check_that_cannot_be_made_is_said_and_fails(monkeypatch):
    open_ = Report((Row("gradient", "w", "complex step", 0.0, 1e-8, "not checkable", "no point was found"),), (0,))
    monkeypatch.setattr(import_module("byhand.check.check"), "check", lambda *_, **__: open_)
    result = run("derive", *SQUARES, code=1)
    assert "∂f/∂w" in result.stdout
    assert "no point was found" in result.stderr


@pytest.mark.parametrize("way", ["argument", "stdin", "at", "file"])
def test_every_way_in_gives_the_same(way, tmp_path):
    path = tmp_path / "loss.txt"
    path.write_text(LAYERS, encoding="utf-8")
    ways = {"argument": [LAYERS], "stdin": ["-"], "at": [f"@{path}"], "file": ["--file", str(path)]}
    result = run("derive", *ways[way], *LAYER_OPTIONS, input=LAYERS if way == "stdin" else None)
    assert "∂L/∂W2 = H1ᵀ Δ_Z" in result.stdout
    assert "Used: the rows of Y sum to one." in result.stdout


@pytest.mark.parametrize("notation", ["differential", "index", "jacobian"])
@pytest.mark.parametrize("level", ["result", "steps", "micro"])
@pytest.mark.parametrize("form", ["text", "latex", "md", "html", "json"])
def test_every_notation_level_and_format(notation, level, form):
    options = ["--notation", notation, "--level", level, "--format", form, "--no-check", "--code"]
    out = run("derive", LAYERS, *LAYER_OPTIONS, *options).stdout
    shown = re.sub(r"</?span[^>]*>", "", out) if form == "html" else out
    assert "def value_and_gradients" in shown.replace("\\n", "\n")
    if form == "json":
        data = json.loads(out)
        assert (data["notation"], data["level"]) == (notation, level)
        assert set(data["gradients"]) == {"W1", "b1", "W2"}
    if form == "html":
        ElementTree.fromstring(f"<div>{out.replace('&emsp;', ' ')}</div>")


@pytest.mark.parametrize("layout", ["rows", "rows-outputs-first", "columns", "columns-inputs-first"])
def test_every_layout_is_checked_in_its_own_shapes(layout):
    result = run("derive", LAYERS, *LAYER_OPTIONS, "--layout", layout, "--format", "json")
    data = json.loads(result.stdout)
    assert data["layout"] == layout
    assert data["check"]["ok"] is True
    outputs_first = layout in ("rows-outputs-first", "columns")
    assert data["variables"]["W1"] == (["h", "d"] if outputs_first else ["d", "h"])


@pytest.mark.parametrize("notation", ["differential", "index", "jacobian"])
def test_ascii_has_no_other_character(notation):
    out = run("derive", LAYERS, *LAYER_OPTIONS, "--ascii", "--code", "--level", "micro", "--notation", notation).stdout
    assert out.isascii()
    assert "?" not in out


def test_a_scalar_has_an_empty_shape():
    out = run("derive", "a * sum(x)", "--shape", "a:", "--shape", "x:n").stdout
    assert "  a ()   x (n,)\n" in out


def test_a_variable_that_does_not_occur_is_zero_and_said_to_be():
    out = run("derive", "sum(x)", "--wrt", "y", "--shape", "x:n", "--shape", "y:m").stdout
    assert "f does not depend on y: its gradient is zero." in out


@pytest.mark.parametrize(
    ("name", "sign"),
    [("a.tex", r"\doc"), ("a.html", "<!DOCTYPE html>"), ("a.json", "{"), ("a.md", "###"), ("a.txt", "Grad")],
)
def test_the_ending_of_the_file_names_the_format(name, sign, tmp_path):
    result = run("derive", *SQUARES, "-o", str(tmp_path / name))
    assert result.stdout == ""
    assert result.stderr.endswith(f"wrote {tmp_path / name}\n")
    assert (tmp_path / name).read_text("utf-8").startswith(sign)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_format_that_is_given_wins_over_the_ending(tmp_path):
    run("derive", *SQUARES, "-o", str(tmp_path / "a.html"), "--format", "json")
    assert json.loads((tmp_path / "a.html").read_text("utf-8"))["check"]["ok"] is True


@pytest.mark.needs("pdflatex")
@pytest.mark.parametrize("notation", ["differential", "index", "jacobian"])
def test_the_latex_document_compiles(notation, tmp_path):
    options = ["--notation", notation, "--level", "micro", "--code", "-o", str(tmp_path / "a.tex")]
    run("derive", LAYERS, *LAYER_OPTIONS, *options)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_explain_counts_the_uses_of_each_intermediate():
    text = "Z = X @ W\nH = tanh(Z)\nsum(H*H) + sum(Z**2)"
    out = run("explain", text, "--wrt", "W", "--shape", "X:m,n W:n,k").stdout
    assert "Z is used by f and H: total derivative, a sum of 2 terms" in out
    assert "W is used by Z alone: chain rule through Z; from there 2 paths lead to f" in out
    assert "derivative of tanh" in out.split("Where each rule was applied")[1]
    assert "⟨∂f/∂Z, X dW⟩ = ⟨Xᵀ ∂f/∂Z, dW⟩" in out


def test_explain_says_which_variable_is_not_used():
    out = run("explain", "sum(x)", "--wrt", "y", "--shape", "x:n", "--shape", "y:m").stdout
    assert "y is not used: its gradient is zero" in out


def test_explain_lists_every_path_with_its_product():
    out = run("explain", "u = x**2\nx + u", "--wrt", "x", "--shape", "x:").stdout
    paths = out.split("Paths from x to f")[1]
    assert "2 paths: the single-variable total-derivative chain rule, a sum over the paths." in paths
    assert "One path alone, such as x → u → f, is not the derivative." in paths
    lines = [" ".join(line.split()) for line in paths.splitlines()]
    assert "∂f/∂u·∂u/∂x = 2 x x → u → f" in lines and "∂f/∂x = 1 x → f, directly" in lines
    assert "df/dx = 2 x + 1 sum over the paths" in lines


def test_explain_draws_what_feeds_what():
    out = run("explain", "Z = X @ W\nsum(Z**2)", "--wrt", "W", "--shape", "X:B,d W:d,h").stdout
    assert "W_ij feeds Z_kj for every k and no other entry." in out
    figure = out.split("Dependencies of Z on W")[1]
    rows = re.findall(r"\[([ *0]+)\]", figure)
    pattern = np.array([[c == "*" for c in row.split()] for row in rows])
    rng = np.random.default_rng(0)
    j = byhand.jacobian(byhand.parse("X @ W", shapes={"X": "B d", "W": "d h"}), "W")
    value = j(X=rng.standard_normal((2, 2)), W=rng.standard_normal((2, 3))).reshape(6, 6)
    assert np.array_equal(pattern, value != 0)


def test_explain_of_a_deep_network_stays_short():
    text = "\n".join(["x1 = x + x**2", *(f"x{k + 1} = x{k} + x{k}**2" for k in range(1, 20)), "sum(x20)"])
    out = run("explain", text, "--wrt", "x", "--shape", "x:n").stdout
    assert "written out for at most 16 intermediates" in out
