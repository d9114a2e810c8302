"""The site: each page stands in its list, each link leads somewhere, and what is made for it is there."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("site_pages", ROOT / "scripts" / "site.py")
site = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(site)
OWN = {p.relative_to(ROOT / "docs").as_posix(): p.read_text("utf-8") for p in (ROOT / "docs").rglob("*.md")}
OWN = {name: site.rebased(text, f"docs/{name}") for name, text in OWN.items()}
ALL = {**OWN, **site.pages()}
LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)#\s]*)(#[^)\s]*)?\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(text):
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    slugs = [re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", re.sub(r"[`*]", "", h)).strip().lower()) for h in heads]
    return {f"#{s}" for s in slugs} | {""}


@pytest.mark.parametrize("page", ALL)
def test_each_link_leads_somewhere(page):
    folder = Path(page).parent
    for target, anchor in LINK.findall(FENCE.sub("", ALL[page])):
        if re.match(r"[a-z]+:", target):
            continue
        found = (folder / target).as_posix() if target else page
        found = re.sub(r"[^/]+/\.\./", "", found)
        assert found in ALL or (ROOT / "docs" / found).is_file(), f"{page}: {target}"
        if anchor and found in ALL:
            assert anchor in anchors(ALL[found]), f"{page}: {target}{anchor}"


def test_each_page_stands_in_the_list_and_the_other_way_round():
    listed = set(re.findall(r"(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert listed == ALL.keys()


def test_rules_are_formulas_that_need_nothing():
    page = ALL["reference/rules.md"]
    from byhand.rules.catalogue import catalogue

    assert page.count("\n### ") == len(catalogue()) and page.count("<math") >= 2 * sum(
        bool(e.equations) for e in catalogue()
    )
    assert "<script" not in page and not re.search(r'(src|href)="http', page)


def test_commands_mistakes_and_names_are_all_there():
    import byhand
    from byhand.check.mistakes import MISTAKES
    from byhand.cli.main import cli

    for name, command in cli.commands.items():
        assert command.hidden or f"## byhand {name}\n" in ALL["reference/commands.md"]
    assert ALL["reference/mistakes.md"].count("\n| ") == len(MISTAKES) + 1
    shown = ALL["reference/python.md"] + ALL["reference/errors.md"]
    for name in byhand.__all__:
        assert f".{name}\n" in shown


@pytest.mark.slow
@pytest.mark.needs("mkdocs")
def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 20
    loads = [
        u for p in pages for u in re.findall(r'<(?:script|img|link)[^>]*(?:src|href)="(https?://[^"]*)', p.read_text())
    ]
    assert loads == []
