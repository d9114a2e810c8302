"""Mends, corrected copies, steps by name, and the forms of a report."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import byhand
from byhand.audit.patch import patched
from byhand.cli.main import cli

PAGE = r"""# Notes

\newcommand{\R}{\mathbb{R}}

$X \in \R^{N \times D}$, $w \in \R^{D}$, $y \in \R^{N}$.

$$ r = X w - y $$

$$ L = \frac{1}{2N} \lVert r \rVert^2 $$

$$ \frac{\partial L}{\partial r} = \frac{1}{N} r $$

$$ \frac{\partial L}{\partial w} = WRONG $$
"""
RIGHT = r"\frac{1}{N} X^\top r"
MISTAKES = [
    (r"\frac{1}{N} X r", RIGHT),
    (r"-\frac{1}{N} X^\top r", RIGHT),
    (r"\frac{2}{N} X^\top r", ""),
    (r"\frac{1}{N} r X^\top", RIGHT),
    (r"X^\top r", RIGHT),
    (r"\frac{1}{N} X^{\top} (y - X w)", ""),
]


def page(formula):
    return PAGE.replace("WRONG", formula)


@pytest.mark.parametrize(("formula", "right"), MISTAKES)
def test_a_mend_is_right_and_in_the_author_s_notation(formula, right):
    report = byhand.audit(page(formula))
    (wrong,) = [line for line in report.lines if line.status == "wrong"]
    assert wrong.mend, wrong.message
    side = wrong.mend.split("=", 1)[1].strip()
    assert not right or side.replace(" ", "") == right.replace(" ", "")
    fixed = report.fixed()
    assert [line.mend for line in fixed.mended] == [wrong.mend] and not fixed.left
    assert byhand.audit(fixed.text).ok
    assert fixed.text == page(formula).replace(wrong.source, wrong.mend)


def test_a_right_page_has_no_mend():
    report = byhand.audit(page(RIGHT))
    assert report.ok and report.read == 1.0
    assert report.fixed().text == page(RIGHT)


def test_two_mends_in_one_copy_and_one_that_is_not_found():
    text = page(r"\frac{1}{N} X r").replace(r"\frac{1}{N} r $$", r"-\frac{1}{N} r $$")
    report = byhand.audit(text)
    assert len(report.fixed().mended) == 2 and byhand.audit(report.fixed().text).ok
    elsewhere = patched("nothing of it", report.lines)
    assert elsewhere.text == "nothing of it" and len(elsewhere.left) == 2


def notebook(formula):
    cell = {"cell_type": "markdown", "metadata": {}, "source": page(formula).splitlines(keepends=True)}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def test_a_notebook_is_mended_in_its_cell():
    report = byhand.audit(notebook(r"\frac{1}{N} X r"))
    (wrong,) = [line for line in report.lines if line.status == "wrong"]
    assert wrong.cell == 1
    fixed = report.fixed().text
    assert byhand.audit(fixed).ok and json.loads(fixed)["nbformat"] == 4


def test_files_on_the_command_line(tmp_path):
    file = tmp_path / "notes.md"
    file.write_text(page(r"\frac{1}{N} X r"), "utf-8")
    result = CliRunner().invoke(cli, ["audit", str(file), "--fix"])
    assert result.exit_code == 1
    assert "-$$ \\frac{\\partial L}{\\partial w} = \\frac{1}{N} X r $$" in result.output
    copy = tmp_path / "notes.fixed.md"
    assert CliRunner().invoke(cli, ["audit", str(copy)]).exit_code == 0
    assert file.read_text("utf-8") == page(r"\frac{1}{N} X r")
    assert CliRunner().invoke(cli, ["audit", "-", "--fix"], input="x").exit_code == 2
    assert CliRunner().invoke(cli, ["audit", str(tmp_path / "absent.md")]).exit_code == 2
    unread = tmp_path / "unread.md"
    unread.write_text("$$ \\Xi \\oplus q = \\unknowncommand $$\n", "utf-8")
    assert CliRunner().invoke(cli, ["audit", str(unread)]).exit_code == 3
    assert CliRunner().invoke(cli, ["audit", str(copy), str(file)]).exit_code == 1


def test_sarif_has_what_the_schema_requires():
    log = byhand.audit(page(r"\frac{1}{N} X r")).sarif("notes.md")
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] and all({"id", "shortDescription"} <= set(rule) for rule in driver["rules"])
    (result,) = run["results"]
    assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] and result["level"] == "error"
    assert result["message"]["text"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "notes.md"
    lines = page(r"\frac{1}{N} X r").split("\n")
    region = result["fixes"][0]["artifactChanges"][0]["replacements"][0]["deletedRegion"]
    row = lines[region["startLine"] - 1][region["startColumn"] - 1 : region["endColumn"] - 1]
    assert row == place["region"]["snippet"]["text"]
    json.dumps(log)


def test_annotations_and_the_page_with_its_marks():
    report = byhand.audit(page(r"\frac{1}{N} X r").replace("# Notes", "# <script>Notes</script>"))
    (row,) = report.github("a,b.md").split("\n")
    assert row.startswith("::error file=a%2Cb.md,line=13,col=4,title=byhand audit%3A ") and "%0Amend: " in row
    marked = report.marked("notes.md")
    assert marked.startswith("<!doctype html>") and "<script" not in marked and "✗" in marked and "mend: " in marked
    assert "http" not in marked.replace("&lt;", "")


def test_steps_have_names_and_what_is_missing_is_filled_in():
    text = page(r"\frac{1}{N} X^\top (X w - y)").replace(
        "$$ \\frac{\\partial L}{\\partial r} = \\frac{1}{N} r $$\n\n", ""
    )
    line = byhand.audit(text, steps=True).lines[-1]
    assert line.status == "right" and "move a left factor" in line.rule
    assert line.between == ("∂L/∂r = r/N",)
    chained = byhand.audit(page(r"X^\top \frac{\partial L}{\partial r} = \frac{1}{N} X^\top r"), steps=True).lines[-1]
    assert chained.rule.startswith("chain rule, move a left factor, insert") and not chained.between
    assert all(not line.rule for line in byhand.audit(text).lines)


def test_the_hook_is_one_of_pre_commit():
    hooks = (Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text("utf-8")
    for key in ("- id: byhand-audit", "name:", "entry: byhand audit", "language: python", "types_or:"):
        assert key in hooks
