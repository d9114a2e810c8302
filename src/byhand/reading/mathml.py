"""MathML of presentation as LaTeX: what a formula on a page of HTML says, for the reader of LaTeX."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

DEEPEST = 200  # elements inside elements
_SIGNS = {
    "\u2062": " ", "\u2061": "", "\u2063": ",", "\u2064": " ", "−": "-", "‖": r"\Vert ", "⟨": r"\langle ", "⟩": r"\rangle ",
    "∥": r"\Vert ", "{": r"\{", "}": r"\}", "&": "", "#": "", "$": "", "%": "", "\\": "",
}  # fmt: skip
_ACCENTS = {"^": "hat", "ˆ": "hat", "¯": "bar", "‾": "bar", "~": "tilde", "˜": "tilde", "˙": "dot", "→": "vec"}
_FENCES = {"(": "(", ")": ")", "[": "[", "]": "]"}


@dataclass
class Element:
    """An element of MathML: its tag, its attributes, and what it holds in order."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    content: list[Element | str] = field(default_factory=list)

    @property
    def children(self) -> list[Element]:
        return [c for c in self.content if isinstance(c, Element)]

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.content)


def latex_of(node: Element, depth: int = 0) -> str:
    """The LaTeX of an element; what draws nothing is left out."""
    if depth > DEEPEST:
        return r"\text{nested too deep}"
    parts = [latex_of(c, depth + 1) for c in node.children]
    match node.tag:
        case "mi":
            return _name(node)
        case "mn":
            return f"{node.text.strip()} "
        case "mo":
            return "".join(_SIGNS.get(c, f" {c} ") for c in node.text.strip())
        case "mtext" | "ms":
            words = re.sub(r"[\\{}$]", "", " ".join(node.text.split()))
            return rf"\text{{{words}}}" if words else ""
        case "mfrac" if len(parts) == 2:
            return rf"\frac{{{parts[0]}}}{{{parts[1]}}}"
        case "msqrt":
            return rf"\sqrt{{{' '.join(parts)}}}"
        case "msub" | "munder" if len(parts) == 2:
            if node.tag == "munder" and node.children[0].tag in ("munder", "mover"):  # a brace, and what is said of it
                return rf"\underbrace{{{latex_of(node.children[0].children[0], depth + 1)}}}_{{{parts[1]}}}"
            return rf"{_based(node, parts)}_{{{parts[1]}}}"
        case "msup" if len(parts) == 2:
            return rf"{_based(node, parts)}^{{{parts[1]}}}"
        case "mover" if len(parts) == 2:
            mark = node.children[1].text.strip()
            return rf"\{_ACCENTS[mark]}{{{parts[0]}}}" if mark in _ACCENTS else rf"{_based(node, parts)}^{{{parts[1]}}}"
        case "msubsup" | "munderover" if len(parts) == 3:
            return rf"{_based(node, parts)}_{{{parts[1]}}}^{{{parts[2]}}}"
        case "mfenced":
            left, right = node.attributes.get("open", "("), node.attributes.get("close", ")")
            return f"{_FENCES.get(left, '(')}{', '.join(parts)}{_FENCES.get(right, ')')}"
        case "mtable":
            cells = [" & ".join(latex_of(cell, depth + 1) for cell in row.children) for row in node.children]
            return r"\begin{matrix}" + r" \\ ".join(cells) + r"\end{matrix}"
        case "semantics":
            return parts[0] if parts else ""
        case "mspace" | "mphantom" | "annotation" | "annotation-xml" | "none" | "mprescripts":
            return " "
    return " ".join(parts)


def _based(node: Element, parts: list[str]) -> str:
    """The base of a script, in a group where it is more than one thing."""
    base = node.children[0]
    while base.tag in ("mrow", "mstyle", "mpadded") and len(base.children) == 1:
        base = base.children[0]
    bare = base.tag in ("mi", "mo", "mn") or (
        base.tag == "mrow" and base.text.strip()[:1] in "([‖|⟨" and base.text.strip()
    )
    return parts[0].strip() if bare else f"{{{parts[0]}}}"


def _name(node: Element) -> str:
    """A letter, a bold letter, a word."""
    word = node.text.strip()
    variant = node.attributes.get("mathvariant", "")
    if word in ("∂", "∇", "∞", "⊤"):
        return {"∂": r"\partial ", "∇": r"\nabla ", "∞": r"\infty ", "⊤": r"\top "}[word]
    if len(word) > 1 and word[0].isalpha() and not (len(word) == 2 and word[1] in "̂̄̃"):
        return rf"\operatorname{{{word.replace('_', chr(92) + '_')}}}"
    if word == "d" and variant == "normal":
        return r"\mathrm{d}"
    if word in ("𝟏", "𝟙"):
        return r"\mathbf{1}"
    return rf"\mathbf{{{word}}}" if variant.startswith("bold") else f"{word} "
