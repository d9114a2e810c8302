"""How derivations are spelled: Unicode signs become the expression language, each character with its column.

`∂L/∂W2`, `dL/dW2`, `d_W2` and `∂W2` are one name each; `1_N` is the column of ones; `⊙` binds more loosely than a
product of matrices, as on paper (`*` and `@` bind alike, as in Python).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Char = tuple[str, int]  # a character and its column, from 1
NAME = r"[A-Za-zα-ωΓΔΘΛΞΠΦΨΩ][A-Za-z0-9_α-ωΓΔΘΛΞΠΦΨΩ]*"
HADAMARD = "\x00"
WINDOW = 400  # how far back a factor is looked for: work stays in proportion to the length of a line

# what is written -> what is read; a function of the match
_RULES: tuple[tuple[str, str], ...] = (
    (rf"∂\s*({NAME})\s*/\s*∂\s*({NAME})", r"D__\1__\2"),
    (rf"(?<![A-Za-z0-9_.])d({NAME})\s*/\s*d({NAME})", r"D__\1__\2"),
    (rf"(?<![A-Za-z0-9_.])d_({NAME})", r"D____\1"),
    (rf"∂\s*({NAME})", r"D____\1"),
    (rf"∇_?({NAME})", r"D____\1"),
    (rf"(?<![A-Za-z0-9_.])1_({NAME})", r"ones(\1, 1)"),
    (rf"(?<![A-Za-z0-9_.])I_({NAME})", r"eye(\1)"),
    (rf"({NAME})'(?=\s*\()", r"prime_\1"),
    (r"ᵀ|\^T\b|\^\{T\}", ".T"), (r"²|\^2\b", "**2"), (r"³|\^3\b", "**3"), (r"\^∘", "**"),
    (r"−|–", "-"), (r"·|⋅", " @ "),
    (r"⊙|∘|\bo\b(?=\s*\()", HADAMARD), (r"⊘", "/"), (r"≠", "!="), (r"≥", ">="), (r"≤", "<="),
    (r"\btr\s*\(", "trace("), (r"\b[Ss]oftmax\s*\(", "softmax("), (r"\bReLU\b", "relu"), (r"\bSum\s*\(", "sum("),
)  # fmt: skip
_PATTERN = re.compile("|".join(f"(?P<r{k}>{pattern})" for k, (pattern, _) in enumerate(_RULES)))


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a line in the expression language, and where each character came from."""

    chars: tuple[Char, ...]

    def __str__(self) -> str:
        return "".join(c for c, _ in self.chars)

    def column(self, index: int) -> int | None:
        """The column in the line as written of a position here."""
        if not self.chars:
            return None
        return self.chars[min(max(index, 0), len(self.chars) - 1)][1]

    def stripped(self) -> Text:
        """Without blanks at the ends."""
        whole = str(self)
        start = len(whole) - len(whole.lstrip())
        return Text(self.chars[start : len(whole.rstrip())])


def spelled(line: str) -> Text:
    """A line in the expression language."""
    chars: list[Char] = []
    at = 0
    for found in _PATTERN.finditer(line):
        chars += [(c, at + k + 1) for k, c in enumerate(line[at : found.start()])]
        rule = next(k for k in range(len(_RULES)) if found[f"r{k}"] is not None)
        pattern, replacement = _RULES[rule]
        own = (
            re.match(pattern, line[found.start() :])
            if "(?<" not in pattern
            else re.compile(pattern).match(line, found.start())
        )
        made = own.expand(replacement) if own is not None and "\\" in replacement else replacement
        chars += [(c, found.start() + 1) for c in made]
        at = found.end()
    chars += [(c, at + k + 1) for k, c in enumerate(line[at:])]
    return Text(tuple(_norms(_inverses(chars))))


def _inverses(chars: list[Char]) -> list[Char]:
    """X⁻¹ as inv(X), X⁻ᵀ (by now X⁻.T) as inv(X).T."""
    while (k := next((k for k, (c, _) in enumerate(chars) if c == "⁻"), None)) is not None:
        column = chars[k][1]
        start = _operand(chars, k)
        turned = "".join(c for c, _ in chars[k + 1 : k + 3]) == ".T"
        if start == k or not (turned or chars[k + 1 : k + 2] == [("¹", chars[k + 1][1])]):
            break  # what it is said of is not to be seen: the reader refuses the sign
        opening, closing = [(c, column) for c in "inv("], [(c, column) for c in (").T" if turned else ")")]
        chars = [*chars[:start], *opening, *chars[start:k], *closing, *chars[k + (3 if turned else 2) :]]
    return chars


def _operand(chars: list[Char], end: int) -> int:
    """Where the name or the bracket begins that ends before a place."""
    if end and chars[end - 1][0] in ")]":
        depth = 0
        for k in range(end - 1, -1, -1):
            depth += (chars[k][0] in ")]") - (chars[k][0] in "([")
            if not depth:
                return k
        return end
    k = end
    while k and re.match(r"\w", chars[k - 1][0]):
        k -= 1
    return k


def _norms(chars: list[Char]) -> list[Char]:
    """‖x‖ as norm(x)."""
    made: list[Char] = []
    opened = False
    for c, column in chars:
        if c == "‖":
            made += [(x, column) for x in (")" if opened else "norm(")]
            opened = not opened
        else:
            made.append((c, column))
    return made


_LEFT = re.compile(rf"(?:{NAME}|[)\]0-9])$")
_RIGHT = re.compile(rf"\s+(?=(?:{NAME}|\())")
_WORDS = re.compile(rf"({NAME})$")


def juxtaposed(text: Text, functions: Iterable[str], scalars: Iterable[str] = ()) -> Text:
    """Factors side by side, as on paper, become products: H1ᵀ dZ2 is H1.T @ dZ2, and 2 λ W is 2 * λ * W."""
    known = {*functions, "in", "at", "for", "all"}
    scalars = frozenset(scalars)
    made: list[Char] = []
    chars = list(text.chars)
    whole, k = str(text), 0
    while k < len(chars):
        found = _RIGHT.match(whole, k)
        left = "".join(c for c, _ in made[-WINDOW:])
        word = _WORDS.search(left)
        if (
            found is not None
            and _LEFT.search(left)
            and not (word is not None and word[1] in known and not left.endswith(".T"))
        ):
            ahead = re.match(NAME, whole[found.end() :])
            if not (ahead is not None and ahead[0] in ("for", "at", "in", "all")):
                after = whole[found.end() :]
                number = _is_scalar(_last_factor(left), scalars) or _is_scalar(_first_factor(after), scalars)
                made += [(c, chars[k][1]) for c in (" * " if number else " @ ")]
                k = found.end()
                continue
        made.append(chars[k])
        k += 1
    return Text(tuple(made))


def _last_factor(text: str) -> str:
    """The name, number or bracket that a text ends with."""
    if not text.endswith((")", "]")):
        found = re.search(rf"(?:{NAME}|[\d.]+)$", text)
        return found[0] if found is not None else text
    depth = 0
    for k in range(len(text) - 1, -1, -1):
        depth += (text[k] in ")]") - (text[k] in "([")
        if not depth:
            return _last_factor(text[:k]) + text[k:] if re.search(r"\w$", text[:k]) else text[k:]
    return text


def _first_factor(text: str) -> str:
    """The name or bracket that a text begins with, with what is applied to it."""
    found = re.match(rf"{NAME}(?!\w*[(.])", text)
    return found[0] if found is not None else text


def _is_scalar(factor: str, scalars: frozenset[str]) -> bool:
    """Whether a factor is made of numbers and scalars only."""
    return bool(factor.strip()) and set(re.findall(NAME, factor)) <= scalars and not re.search(r"[\[@']", factor)


def sides(text: Text) -> list[Text]:
    """The sides of a chain of equations: a = b = c."""
    found: list[Text] = []
    current: list[Char] = []
    depth = 0
    chars = text.chars
    for k, (c, column) in enumerate(chars):
        depth += (c in "([{") - (c in ")]}")
        before, after = chars[k - 1][0] if k else "", chars[k + 1][0] if k + 1 < len(chars) else ""
        if c == "=" and not depth and before not in "=!<>" and after != "=":
            found.append(Text(tuple(current)).stripped())
            current = []
        else:
            current.append((c, column))
    return [*found, Text(tuple(current)).stripped()]


def unclosed(text: Text) -> int | None:
    """The column of the first bracket that is never closed."""
    stack: list[int] = []
    for c, column in text.chars:
        if c in "([{":
            stack.append(column)
        elif c in ")]}" and stack:
            stack.pop()
    return stack[0] if stack else None


def bracketed(text: Text) -> Text:
    """The Hadamard signs as `*` with brackets around both factors: a ⊙ B C is a * (B C)."""
    if HADAMARD not in str(text):
        return text
    return Text(tuple(_sum(list(text.chars))))


def _sum(chars: list[Char]) -> list[Char]:
    """A sum of terms, or several arguments, each term with its Hadamard products bracketed."""
    made: list[Char] = []
    for part, sign in _split(chars, "+-,:<>=!", unary=True):
        made += _term(part)
        made += [sign] if sign is not None else []
    return made


def _term(chars: list[Char]) -> list[Char]:
    factors = [(_inner(part), sign) for part, sign in _split(chars, HADAMARD)]
    if len(factors) == 1:
        return factors[0][0]
    made: list[Char] = []
    for part, sign in factors:
        at = part[0][1] if part else 0
        made += [("(", at), *part, (")", at)]
        made += [("*", sign[1])] if sign is not None else []
    return made


def _inner(chars: list[Char]) -> list[Char]:
    """The same within brackets."""
    made: list[Char] = []
    depth = 0
    group: list[Char] = []
    for c in chars:
        if c[0] in ")]":
            depth -= 1
            if not depth:
                made += [*_sum(group), c]
                group = []
                continue
        (group if depth else made).append(c)
        if c[0] in "([":
            depth += 1
    return made + group


def _split(chars: list[Char], at: str, unary: bool = False) -> Iterator[tuple[list[Char], Char | None]]:
    """The parts between characters outside brackets, each with the character after it; unary signs stay."""
    part: list[Char] = []
    depth = 0
    for c in chars:
        depth += (c[0] in "([") - (c[0] in ")]")
        operand = "".join(x for x, _ in part).strip()
        if (
            c[0] in at
            and not depth
            and not (unary and c[0] in "+-" and (not operand or operand[-1] in "*/@" + HADAMARD))
        ):
            yield part, c
            part = []
        else:
            part.append(c)
    yield part, None
