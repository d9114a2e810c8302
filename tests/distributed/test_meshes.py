"""Eight devices in one process: every mesh gives the NumPy engine's weights, and communicates no more than it must."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from byhand.errors import DataError
from byhand.nets.mlp import MLP
from byhand.train.classifier import MLPClassifier
from byhand.train.mesh import divided, read_mesh
from byhand.train.parameters import ParameterError

pytest.importorskip("jax")


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    script = Path(__file__).with_name("meshes.py")
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def test_weights_are_those_of_one_process(found: dict[str, Any]) -> None:
    differences = found["differences"]
    assert len(differences) >= 16
    assert {name: d for name, d in differences.items() if not d <= 1e-12} == {}


def _operations(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if re.search(rf"= .*\b{name}(-start)?\(", line)]


def test_divided_samples_need_one_all_reduce(found: dict[str, Any]) -> None:
    text = found["text"]["data=8"]
    assert len(_operations(text, "all-reduce")) == 1
    assert not _operations(text, "all-gather")
    assert not _operations(text, "all-to-all")


def test_divided_layers_are_never_gathered(found: dict[str, Any]) -> None:
    text = found["text"]["data=2,model=4"]
    assert _operations(text, "all-reduce")
    whole = ("16,24]", "24,16]", "16,8]")
    gathered = _operations(text, "all-gather")
    assert [line for line in gathered if any(shape in line for shape in whole)] == []


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ("data=4,model=2", {"data": 4, "model": 2}),
        ("model=3", {"data": 1, "model": 3}),
        ({"data": 5}, {"data": 5, "model": 1}),
        (None, None),
    ],
)
def test_meshes_are_read(given: Any, sizes: Any) -> None:
    assert read_mesh(given) == sizes


@pytest.mark.parametrize("given", ["data", "data=0", "rows=2", "data=2.5", {"data": True}, {}, 4, "data=-1", "data=²"])
def test_what_is_no_mesh_is_said(given: Any) -> None:
    with pytest.raises(DataError, match="mesh"):
        read_mesh(given)


def test_a_layer_that_does_not_divide_is_whole() -> None:
    net = MLP("8-6-5-4-6")
    shapes: dict[str, tuple[int, ...]] = {
        "W1": (8, 6), "b1": (6,), "W2": (6, 5), "b2": (5,), "W3": (5, 4), "b3": (4,), "W4": (4, 6), "b4": (6,),
    }  # fmt: skip
    found = divided(net, shapes, 2)
    assert found["W1"] == (None, "model") and found["b1"] == ("model",)
    assert found["W2"] == ("model", None) and found["b2"] == (None,)
    assert found["W3"] == (None, "model") and found["W4"] == ("model", None)
    assert divided(net, shapes, 7) == {n: (None,) * len(s) for n, s in shapes.items()}


def test_a_mesh_that_does_not_fit_the_devices_is_refused() -> None:
    with pytest.raises(DataError, match=r"has 6 places, and there (is|are) \d+ device"):
        MLPClassifier((5,), mesh="data=3,model=2", engine="jax").fit([[0.0], [1.0], [2.0]] * 7, [0, 1, 0] * 7)


def test_only_the_jax_engine_has_a_mesh() -> None:
    with pytest.raises(ParameterError, match="numpy has no mesh"):
        MLPClassifier((5,), mesh="data=1", engine="numpy").fit([[0.0], [1.0]] * 5, [0, 1] * 5)
