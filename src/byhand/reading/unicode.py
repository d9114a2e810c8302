"""Tokens of formulas in plain Unicode: as byhand prints them, and as people write them in text files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from byhand.expr.functions import FUNCTIONS as ELEMENTWISE
from byhand.reading.tokens import FUNCTIONS, OPENING, RELATIONS, Token, UnreadableError

_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾⸍ᐟᵀᵃᵇᶜᵈᵉⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", "0123456789+-=()//Tabcdeijklmnoprstuvwxyz")
_SUBSCRIPT = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", "0123456789+-=()aehijklmnoprstuvxβγρφχ")
_SUPER, _SUB = "".join(map(chr, _SUPERSCRIPT)), "".join(map(chr, _SUBSCRIPT))
_FRACTIONS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅛": "1/8"}
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_LETTER = rf"[^\W\d_{_SUPER}{_SUB}∂∇]"

_SIGNS = {
    "-": "−", "−": "−", "–": "−", "+": "+", "±": "±", "·": "·", "⋅": "·", "×": "×", "*": "*", "∗": "*", "@": "·", "⊙": "⊙", "∘": "⊙", "○": "⊙",
    "⊘": "⊘", "⊗": "⊗", "/": "/", "⊕": "⊕",
}  # fmt: skip
_RELATIONS = {
    **{r: r for r in RELATIONS},
    ":=": "≔",
    "=:": "=:",
    "<=": "≤",
    ">=": "≥",
    "!=": "≠",
    "->": "→",
    "<-": "←",
    "=>": "⇒",
    "==": "=",
    "∝": "∝",
    "⟹": "⇒",
    "∼": "∼",
    "~": "∼",
}
_TOKEN = re.compile(
    rf"""(?P<number>\d+(?:\.\d+)?(?:[eE]-?\d+(?![a-z])|×10[{_RAISED}]+)?|\.\d+|[½⅓⅔¼¾⅛])
    |(?P<word>{_LETTER}(?:[^\W_{_SUPER}{_SUB}]|[\u0300-\u036f])*(?:_+(?![\w{{]|[{_SUPER}{_SUB}]))?)
    |(?P<entry>_\d[a-z]+)|(?P<power>\^∘|\^)|(?P<sub>_)
    |(?P<up>[{_SUPER}]+)|(?P<down>[{_SUB}]+)
    |(?P<relation>:=|=:|<=|>=|!=|->|<-|=>|==|[=←→⇒⟹≈∝∼~∈<>≤≥≠≡≔⊂∀])
    |(?P<norm>‖|\|\|)|(?P<bar>\|)
    |(?P<dots>…|\.\.\.|⋯)
    |(?P<prime>['′″]+)
    |(?P<sign>[-−–+±·⋅×*∗@⊙∘○⊘⊗/⊕])
    |(?P<open>[(\[⟨⌊])|(?P<close>[)\]⟩⌋])|(?P<group>\{{)|(?P<endgroup>\}})
    |(?P<separator>[,;:])|(?P<root>√)|(?P<partial>∂)|(?P<nabla>∇)|(?P<big>[ΣΠ∑∏])|(?P<stop>\.)""",
    re.X,
)  # fmt: skip


def tokens(text: str, names: Names | None = None) -> list[Token]:
    """The tokens of a formula.

    Args:
        text: one row.
        names: those of the page, where they are known: x_hat is one name then, and X_ij one with two indices.
    Raises: UnreadableError: a character that stands in no formula.
    """
    return [*_tokens(text, names), Token("end", "", len(text), len(text))]


class Names:
    """The names that a page is known to have, as one pattern: the longest that stands at a place is taken.

    Args:
        words: the names as they are printed.
    """

    def __init__(self, words: Iterable[str]) -> None:
        longest = sorted({w for w in words if w}, key=lambda w: (-len(w), w))
        self.pattern = re.compile(
            f"(?P<word>{'|'.join(map(re.escape, longest))})(?![^\\W_{_SUPER}{_SUB}]|['′])"
            if longest
            else "(?P<word>(?!))"
        )


_SPELLED = Names(name for name in {**FUNCTIONS, **ELEMENTWISE} if "_" in name)  # log_softmax is one word everywhere


def _tokens(text: str, names: Names | None) -> Iterator[Token]:
    at, apart = 0, False
    while at < len(text):
        if text[at].isspace():
            at, apart = at + 1, True
            continue
        known = names.pattern.match(text, at) if names is not None else None
        if known is not None and not _inside(text, at):
            yield Token("name", known.group(), at, known.end(), apart=apart)
            at, apart = known.end(), False
            continue
        found = _SPELLED.pattern.match(text, at) or _match(text, at)
        kind, said, start, end = found.lastgroup or "", found.group(), found.start(), found.end()
        if kind == "stop" and text[end:].strip():
            raise UnreadableError(f"a full stop within a formula: {text[max(0, start - 10) : end + 10]!r}", start)
        if kind != "stop":
            for token in _made(kind, said, start, end, text):
                yield token._replace(apart=apart)
                apart = False
        at = end


def _inside(text: str, at: int) -> bool:
    """Whether a place is within a run of letters: the j of X_ij is no name."""
    return at > 0 and text[at - 1].isalnum() and not text[at - 1].isdigit()


def _match(text: str, at: int) -> re.Match[str]:
    big = re.compile(r"[ΣΠ∑∏](?=[_₀-₉ₐ-ₜ" + _SUB + r"\s]|$)").match(text, at)
    if big is not None and (text[at] in "∑∏" or text[at + 1 : at + 2] in (*"_ ", *_SUB)):
        found = re.compile("(?P<big>[ΣΠ∑∏])").match(text, at)
        assert found is not None
        return found
    made = _TOKEN.match(text, at)
    if made is None:
        raise UnreadableError(f"the sign {text[at]!r} is not known", at)
    return made


def _made(kind: str, said: str, start: int, end: int, text: str) -> Iterator[Token]:
    match kind:
        case "word":
            word = unicodedata.normalize("NFC", said)
            called = word in FUNCTIONS and (len(word) > 1)
            yield Token("function" if called else "name", FUNCTIONS[word] if called else word, start, end)
        case "up" | "down":
            table = _SUPERSCRIPT if kind == "up" else _SUBSCRIPT
            yield Token("sup" if kind == "up" else "sub", said, start, start)
            yield Token("group", "{", start, start)
            inner = said.translate(table)
            # 10³⁰ is one number above; two small digits below are two indices
            width = len(inner) if kind == "up" and inner.isdecimal() else 1
            for k in range(0, len(inner), width):
                yield from _small(inner[k : k + width], start + k)
            yield Token("endgroup", "}", end, end)
        case "entry":  # A_1j: two indices
            yield Token("sub", "_", start, start + 1)
            yield Token("group", "{", start, start)
            for k, c in enumerate(said[1:], 1):
                yield from _small(c, start + k)
            yield Token("endgroup", "}", end, end)
        case "power":
            yield Token("sup", said, start, end)
        case "number" if said in _FRACTIONS:
            yield Token("number", _FRACTIONS[said], start, end)
        case "number" if "×10" in said:
            digits, raised = said.split("×10")
            yield Token("number", f"{digits}e{raised.translate(_SUPERSCRIPT)}", start, end)
        case "sign":
            yield Token("sign", _SIGNS[said], start, end)
        case "relation":
            yield Token("relation", _RELATIONS[said], start, end)
        case "prime":
            for k, c in enumerate(said):
                for _ in range(2 if c == "″" else 1):
                    yield Token("prime", "'", start + k, start + k + 1)
        case "big":
            yield Token("big", {"∑": "Σ", "∏": "Π"}.get(said, said), start, end)
        case _:
            yield Token(kind, said, start, end)


def _small(c: str, at: int) -> Iterator[Token]:
    """One character of a raised or lowered script."""
    if c.isdigit():
        yield Token("number", c, at, at + 1)
    elif c in "+-":
        yield Token("sign", "−" if c == "-" else c, at, at + 1)
    elif c == "/":
        yield Token("sign", "/", at, at + 1)
    elif c in "()":
        yield Token("open" if c == "(" else "close", c, at, at + 1)
    elif c == "=":
        yield Token("relation", "=", at, at + 1)
    else:
        yield Token("name", c, at, at + 1)


__all__ = ["OPENING", "Names", "tokens"]
