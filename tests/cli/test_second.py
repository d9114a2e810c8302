"""`byhand jacobian` and `byhand hessian`: every format, tables, wrong input."""

import json
import subprocess

import pytest
from click.testing import CliRunner

from byhand.cli.main import cli

LOGISTIC = ["sum(log(1 + exp(-y*(X @ w))))", "--wrt", "w", "--shape", "X:m,n w:n y:m", "--assume", "y:pm1"]
LAYER = ["W @ a", "--wrt", "W", "--shape", "W:3,5 a:5"]


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, list(arguments))
    assert result.exit_code == code, result.output + result.stderr
    return result


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_structure_of_a_hessian_is_shown_with_its_steps():
    out = lines(run("hessian", *LOGISTIC, "--level", "steps", "--code").stdout)
    assert "d(∂f/∂z) = ∂f/∂z ⊙ (1 − ∂f/∂z) ⊙ dz (m,) derivative of sigmoid" in out
    assert "Structure: XᵀDX." in out
    assert "H = Xᵀ diag(σ(z) ⊙ (1 − σ(z))) X (n, n)" in out
    assert "Used: the entries of y are -1 or 1." in out
    assert "return H" in out


def test_a_tensor_is_written_out_entry_by_entry():
    out = run("jacobian", *LAYER, "--table", "").stdout
    assert "∂f/∂vec(W) = I ⊗ aᵀ" in out
    row = next(line for line in lines(out) if line.startswith("[ 0 0 0 0 0 a_1"))
    assert row == "[ 0 0 0 0 0 a_1 a_2 a_3 a_4 a_5 0 0 0 0 0 ]"


def test_the_tensors_behind_the_shortcuts():
    out = lines(run("explain", "z = W @ a\nsum(z**2)", "--wrt", "W", "--shape", "W:k,h a:h", "--tensors").stdout)
    assert "∂z_i/∂W_jl = a_l δ_ij" in out
    assert "the tensor holds k·k·h numbers; the shortcut holds h + k." in out
    assert "= ∂f/∂z_j a_l" in out


@pytest.mark.parametrize("form", ["latex", "md", "html", "json"])
def test_every_format_has_the_result_and_the_table(form):
    out = run("jacobian", *LAYER, "--table", "", "--format", form, "--code").stdout
    if form == "json":
        data = json.loads(out)
        assert data["structure"] == "Kronecker" and data["matrix"] == "I ⊗ aᵀ" and "def values" in data["code"]["numpy"]
        assert [s["title"] for s in data["sections"]][-1].startswith("Written out")
    else:
        assert {"latex": "bmatrix", "md": "bmatrix", "html": "<mtable"}[form] in out


@pytest.mark.needs("pdflatex")
def test_the_latex_document_compiles(tmp_path):
    run("hessian", *LOGISTIC, "--level", "steps", "--table", "n=2,m=1", "-o", str(tmp_path / "a.tex"))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_layouts_and_ascii():
    out = run("jacobian", "A @ x", "--wrt", "x", "--shape", "A:m,n x:n", "--layout", "denominator", "--ascii").stdout
    assert "A^T" in out and out.isascii()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["jacobian", "tanh(x)", "--shape", "x:n"], "name one input"),
        (["hessian", "tanh(x)", "--wrt", "x", "--shape", "x:n"], "byhand.jacobian(f, x)"),
        (["hessian", *LOGISTIC, "--table", "n"], "write m=2,n=3"),
        (["hessian", *LOGISTIC, "--table", "n=0"], "write m=2,n=3"),
        (["hessian", *LOGISTIC, "--table", "n=2"], "the size of the dimension m is needed"),
        (["jacobian", *LAYER, "--wrt", "b"], "name one input"),
        (["jacobian", "x", "--wrt", "b", "--shape", "x:n"], "no input is called b"),
        (["jacobian", "X", "--wrt", "X", "--shape", "X:n,n", "--table", "n=99"], "at most 2000"),
        (["jacobian", *LAYER, "--ascii", "--format", "html"], "--ascii goes with --format text"),
        (["hessian", "sum(x", "--wrt", "x", "--shape", "x:n"], "x"),
    ],
)
def test_wrong_input_says_what_to_do(arguments, words):
    result = run(*arguments, code=2)
    assert words in result.stderr and "Traceback" not in result.stderr
