"""Mutations of right derivations and harmless rewritings of them: how many mistakes are found, and how many false alarms there are.

python tests/audit/mutations.py [COUNT]     of each kind, the share found and what was missed
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator

import byhand

sys.path.insert(0, __file__.rsplit("/", 2)[0])
from audit.right_pages import PAGES

_TRANSPOSES = r"\^\\top|\^\{?\\mathsf\{?T\}?\}?|\\T(?![A-Za-z])|ᵀ"
_SKIPPED = r"(?:\\mathbb\{R\}|\\in|∈)"
_SYMMETRIC = {"svm": "K", "kalman": "PSR", "gaussian": "A", "pca": "S"}  # a transpose of these changes nothing


def claims(text: str) -> list[tuple[int, str]]:
    """The right formulas of a page, with their lines."""
    return [
        (line.number, line.source)
        for line in byhand.audit(text).lines
        if line.status == "right" and not line.inline and not line.source.startswith(r"\sigma(t)")
    ]


def right_side(source: str) -> int:
    """Where the last side of a formula begins."""
    return max(source.rfind("="), source.rfind(r"\qquad")) + 1


def mutated(page: str, source: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Wrong variants of a formula by kind, each with one change in its last side."""
    at = source.rfind("=") + 1
    head, side = source[:at], source[at:]
    own = _SYMMETRIC.get(page, "")

    def change(kind: str, pattern: str, words: object) -> Iterator[tuple[str, str]]:
        found = [*re.finditer(pattern, side)]
        if found:
            m = rng.choice(found)
            new = words(m) if callable(words) else words
            yield kind, f"{head}{side[: m.start()]}{new}{side[m.end() :]}"

    yield from change("a sign", r"(?<=[\s)}\]])[-+−](?=[\s\\(])", lambda m: "+" if m[0] in "-−" else "-")
    yield "a sign", f"{head} -\\left({side.strip()}\\right)" if "\\" in source else f"{head} −({side.strip()})"
    yield from change("a transpose", rf"(?<![{own or '~'}])(?:{_TRANSPOSES})", "")
    yield from change("a factor", r"(?<![\w^_{\\.])2(?=\s)", "3")
    yield from change("a factor", r"\\frac\{1\}\{([A-Za-z2])\}", lambda m: rf"\frac{{2}}{{{m[1]}}}")
    yield "a factor", f"{head} 2 \\left({side.strip()}\\right)" if "\\" in source else f"{head} 2 ({side.strip()})"
    yield from change(
        "a symbol",
        r"(?<![A-Za-z\\_{])(?:p|y|K|Q|G|R|S|V|U|W|E|x|o|f|i|u)(?![A-Za-z'])(?!\^\{\[)",
        lambda m: rf"(1 + {m[0]})" if m[0].islower() else rf"(2 {m[0]} + {m[0]})",
    )
    yield from change(
        "an index",
        r"_\{([a-z])([a-z])\}",
        lambda m: m[0] if own and side[m.start() - 1] in own else f"_{{{m[2]}{m[1]}}}",
    )
    yield from change("a layer", r"\[l-1\]", "[l]")
    yield from change("a product", r"\\odot|⊙", " ")
    yield from change("a power", r"\^2(?!\d)", "^3")


def rewritten(text: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """The same page, written otherwise."""
    if "\\" in text:
        yield "other macros", text.replace(r"\frac", r"\dfrac").replace(r"\lVert", r"\|").replace(r"\rVert", r"\|")
        yield "other transposes", re.sub(r"\^\\top", r"^{T}", text)
        yield "brackets", re.sub(r"\\left\(|\\right\)", lambda m: m[0][-1], text)
        yield "delimiters", re.sub(r"\$\$(.*?)\$\$", r"\\[\1\\]", text, flags=re.S)
        yield (
            "an environment",
            re.sub(
                r"\$\$\s*((?:(?!\$\$|\\begin).)*?)\s*\$\$", r"\\begin{equation}\n\1\n\\end{equation}", text, flags=re.S
            ),
        )
        yield "spaces", re.sub(r" = ", r" \\,=\\; ", text)
        yield "bold", re.sub(r"(?<![A-Za-z\\])X(?![A-Za-z])", r"\\mathbf{X}", text)
    new = rng.choice(["B", "M", "Y"])
    if not re.search(rf"(?<![A-Za-z\\]){new}(?![A-Za-z])", text):
        yield "another name", re.sub(r"(?<![A-Za-z\\{])X(?![A-Za-z])", new, text)
    yield "words", text.replace("\n\n", "\n\nHere is what follows from the line above.\n\n", 3)
    yield (
        "reordered terms",
        re.sub(r"= ([A-Za-z\\^{}\[\]. ]+?) \+ ([A-Za-z\\^{}\[\]. ]+?)(?=\n| \\\\| \$\$|$)", r"= \2 + \1", text),
    )


def mutations(count: int, seed: int = 0) -> Iterator[tuple[str, str, str, int, bool]]:
    """So many mutations: page, kind, the formula, its line, and whether it is found to be wrong."""
    rng = random.Random(seed)
    known = {page: claims(text) for page, text in PAGES.items()}
    seen: set[tuple[str, str]] = set()
    tried = 0
    while count and tried < 40 * len(PAGES) + 20 * count:
        tried += 1
        page = rng.choice([*PAGES])
        number, source = rng.choice(known[page])
        variants = [(k, v) for k, v in mutated(page, source, rng) if v != source and (page, v) not in seen]
        if not variants:
            continue
        kind, variant = rng.choice(variants)
        seen.add((page, variant))
        text = PAGES[page].replace(source, variant, 1)
        found = any(
            line.status == "wrong" and line.number == number and _squeezed(variant) == _squeezed(line.source)
            for line in byhand.audit(text).lines
        )
        count -= 1
        yield page, kind, variant, number, found


def rewritings(count: int, seed: int = 0) -> Iterator[tuple[str, str, list[str]]]:
    """So many rewritings: page, kind, and what is called wrong in them."""
    rng = random.Random(seed)
    while count:
        for page, text in PAGES.items():
            kinds = [*rewritten(text, rng)]
            chosen = rng.sample(kinds, k=min(len(kinds), rng.choice([1, 2])))
            made = chosen[0][1]
            if len(chosen) > 1:  # two at a time
                made = next((t for k, t in rewritten(made, rng) if k == chosen[1][0]), made)
            wrong = [f"{line.source}: {line.message}" for line in byhand.audit(made).lines if line.status == "wrong"]
            yield page, " and ".join(k for k, _ in chosen), wrong
            count -= 1
            if not count:
                return


def _squeezed(text: str) -> str:
    return re.sub(r"\s|[.,;]$", "", text)


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    found = [*mutations(asked)]
    print(f"{sum(ok for *_, ok in found)} of {len(found)} mutations found")
    for page_, kind_, variant_, number_, ok_ in found:
        if not ok_:
            print(f"  missed: {page_}, line {number_}, {kind_}: {variant_}")
    alarms = [*rewritings(asked)]
    print(f"{sum(bool(wrong_) for *_, wrong_ in alarms)} of {len(alarms)} rewritings with a false alarm")
    for page_, kind_, wrong_ in alarms:
        for one in wrong_:
            print(f"  alarm: {page_}, {kind_}: {one}")
