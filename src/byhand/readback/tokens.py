"""Signs of byhand's own Unicode text, with their places. Another notation is another tokenizer for the same grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass

from byhand.errors import ByhandError
from byhand.notation.symbols import SUPERSCRIPTS

LOWERED = str.maketrans({chr(raised): chr(plain) for plain, raised in SUPERSCRIPTS.items()})
_RAISED = "".join(map(chr, SUPERSCRIPTS.values()))
_LETTER = rf"[^\W\dᵀ{_RAISED}_]"
_INSIDE = rf"[^\Wᵀ{_RAISED}]"

_TOKEN = re.compile(
    rf"""
    (?P<number>  \d+(?:\.\d+)?(?:×10[{_RAISED}]+)? )
  | (?P<sum>     Σ(?=_) )
  | (?P<name>    {_LETTER}(?:(?!_\{{){_INSIDE})*[′']* )
  | (?P<script>  [{_RAISED}]*ᵀ | [{_RAISED}]+ )
  | (?P<sign>    \^∘ | =: | [-−+·⊙⊘⊗×/^_=<>≤≥≠|‖⟨⟩()\[\]{{}},:;√∂] )
    """,
    re.X,
)  # fmt: skip


class UnreadError(ByhandError):
    """A formula that is not understood; nothing is said about whether it is right."""


@dataclass(frozen=True, slots=True)
class Token:
    """A sign, a name, a number or a superscript."""

    kind: str
    text: str
    start: int
    end: int
    spaced: bool  # white space stands before it


def tokens_of(text: str) -> list[Token]:
    """The tokens of a line of Unicode text.

    Raises: UnreadError: a sign that is not known.
    """
    found: list[Token] = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        match = _TOKEN.match(text, place)
        if match is None:
            raise UnreadError(f"the sign {text[place]!r} is not known", f"in {text!r} at {place}")
        spaced = place > 0 and text[place - 1].isspace()
        assert match.lastgroup is not None
        kind = "sign" if match.lastgroup == "sum" else match.lastgroup
        found.append(Token(kind, match[0], place, match.end(), spaced))
        place = match.end()
    return found
