"""`byhand demo`: the main job, and what it says where something is missing."""

import re
import sys

import pytest
from click.testing import CliRunner

from byhand.cli.main import cli


def test_the_demo_learns_and_reports(tmp_path):
    result = CliRunner().invoke(cli, ["demo", "--quick", "--out", str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    assert "Δ2 ≔ ∂L/∂Z2 = (P − Y)/N" in result.stdout and "∂L/∂W2 = H1ᵀ Δ2" in result.stdout
    accuracy = float(result.stdout.split("test accuracy ")[1].split("%")[0])
    assert accuracy >= 95.0
    assert "checked: " in result.stderr
    page = (tmp_path / "new" / "byhand-demo.html").read_text("utf-8")
    assert "def value_and_gradients" in re.sub("</?span[^>]*>", "", page)
    assert page.count("<svg") == 1
    for title in ("What this is", "Derivation", "Check", "Code", "Training"):
        assert f">{title}</h2>" in page


def test_the_same_seed_gives_the_same_parameters():
    import numpy as np

    from byhand.demo import digits

    data, job = digits.load(3), digits.Job.of("64-8-10")
    runs = [job.train(data, 1, 3, lambda *_: None) for _ in range(2)]
    assert runs[0][0].batch_losses == runs[1][0].batch_losses
    for name, value in runs[0][1].items():
        np.testing.assert_array_equal(value, runs[1][1][name])


def test_a_missing_scikit_learn_is_said_with_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 2
    assert "scikit-learn, which is not installed" in result.stderr
    assert "pip install 'byhand[train]'" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("module", ["matplotlib"])
def test_a_missing_matplotlib_is_said_before_the_work(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 2
    assert f"{module}, which is not installed" in result.stderr
    assert result.stdout == ""
