"""`byhand audit` of a page: exit codes, JSON with places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from byhand.cli.main import cli

RIGHT = r"$X \in \mathbb{R}^{n \times n}$ $$f = \operatorname{tr}(X)$$ $$\frac{\partial f}{\partial X} = I$$"


@pytest.mark.parametrize(
    ("page", "options", "code"),
    [
        (RIGHT, [], 0),
        (RIGHT.replace("= I", "= 2 I"), [], 1),
        ("$$a = \\foo$$ $$b = \\foo$$ $$c = \\foo$$", [], 3),
        ("$$a = \\foo$$ $$b = \\foo$$ $$c = \\foo$$", ["--read-at-least", "0"], 0),
        (RIGHT, ["--format", "word"], 2),
    ],
)
def test_exit_codes(tmp_path: Path, page: str, options: list[str], code: int) -> None:
    file = tmp_path / "page.md"
    file.write_text(page)
    assert CliRunner().invoke(cli, ["audit", str(file), *options]).exit_code == code


def test_json_has_places_and_statuses(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("prose\n\n" + RIGHT)
    lines = json.loads(CliRunner().invoke(cli, ["audit", str(file), "--json"]).output)["lines"]
    assert [line["status"] for line in lines] == ["given", "given", "right"]
    assert {line["number"] for line in lines} == {3}
