"""FILE.py:NAME on the command line: modules and functions are explained, hand-written backward passes are checked."""

import pytest
from click.testing import CliRunner
from tools import needed

from byhand.cli.main import cli

TORCH = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 3)

    def forward(self, x):
        hidden = torch.tanh(self.fc(x))
        return hidden ** 2

class Sized(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.fc = nn.Linear(size, 3)

net = Net()

class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return upstream * 3 * x * x

class Wrong(Cube):
    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return upstream * x * x

values = {"x": torch.linspace(-1, 2, 12, dtype=torch.float64).reshape(4, 3)}
number = 3
"""
NUMPY = """
import numpy as np

def loss(X, w, y):
    r = X @ w - y
    return np.sum(r**2)
"""
JAX = """
import jax.numpy as jnp

def loss(X, w):
    score = jnp.tanh(X @ w)
    return jnp.sum(score**2)
"""


@pytest.fixture
def run(tmp_path):
    for name, text in (("net.py", TORCH), ("plain.py", NUMPY), ("functional.py", JAX)):
        (tmp_path / name).write_text(text)

    def call(*arguments):
        return CliRunner().invoke(cli, [a.replace("@", f"{tmp_path}/") for a in arguments])

    return call


@pytest.mark.needs("torch")
@pytest.mark.parametrize("name", ["Net", "net"])
def test_a_module_is_explained(run, name):
    done = run("explain", f"@net.py:{name}", "--shape", "x:N,D")
    assert done.exit_code == 0, done.output
    assert "fc_weight" in done.stdout and "hidden" in done.stdout and "Which chain rule" in done.stdout
    assert "upstream" in done.stdout and "is run as Python" in done.stderr


@pytest.mark.needs("torch")
def test_the_source_stands_beside_the_derivation(run):
    done = run("explain", "@net.py:Net", "--shape", "x:N,D", "--source")
    assert done.exit_code == 0, done.output
    before, after = done.stdout.split("net.py:11   hidden = torch.tanh(self.fc(x))")
    assert "∂f/∂hidden" in after and "Forward" not in before


def test_a_function_of_jax_and_one_of_numpy(run):
    for file, shapes, name in (("functional", "X:N,D w:D", "score"), ("plain", "X:N,D w:D y:N", "r")):
        done = run("derive", f"@{file}.py:loss", "--shape", shapes, "--wrt", "w")
        assert done.exit_code == 0, done.output
        assert f"{name} =" in done.stdout and "∂f/∂w" in done.stdout


def test_source_needs_a_program(run):
    done = run("explain", "sum(x**2)", "--shape", "x:n", "--source")
    assert done.exit_code == 2 and "FILE.py:NAME" in done.stderr


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    "place, words", [("number", "is needed"), ("Sized", "cannot be made"), ("nothing", "has no nothing")]
)
def test_what_cannot_be_explained_is_said(run, place, words):
    done = run("explain", f"@net.py:{place}", "--shape", "x:N,D")
    assert done.exit_code == 2 and words in done.stderr


@pytest.mark.needs("torch")
def test_a_hand_written_backward_is_checked(run):
    needed("torch")
    assert run("check", "@net.py:Cube").exit_code == 0
    done = run("check", "@net.py:Wrong", "--values", "@net.py:values")
    assert done.exit_code == 1 and "mistake" in done.stdout
