"""Tables of letters, names and signs that the three printers share."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

# Capitals that look Latin (Alpha, Beta, ...) are no symbols of their own.
_GREEK_LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"
_SHORT_NAMES = {"lam": "λ", "lamb": "λ", "lambd": "λ", "lmbda": "λ", "eps": "ε"}


def _greek_name(letter: str) -> str:
    """Name of a letter: "lambda" for λ, "Lambda" for Λ; Unicode spells them LAMDA."""
    name = unicodedata.name(letter).rsplit(" ", 1)[1].replace("LAMDA", "LAMBDA")
    return name.lower() if letter.islower() else name.capitalize()


GREEK_SPELLED: dict[str, str] = {letter: _greek_name(letter) for letter in _GREEK_LETTERS}
GREEK: dict[str, str] = {name: letter for letter, name in GREEK_SPELLED.items()} | _SHORT_NAMES
# The glyphs ε and φ of Unicode are the variant forms of LaTeX.
GREEK_LATEX: dict[str, str] = {letter: rf"\{name}" for letter, name in GREEK_SPELLED.items()} | {
    "ε": r"\varepsilon",
    "φ": r"\varphi",
}

SUPERSCRIPTS = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class FunctionName(NamedTuple):
    """Spelling of a function; in ASCII it is the key of the table, unless `ascii` says otherwise."""

    text: str
    latex: str
    mathml: str
    ascii: str = ""


# Functions that are not here print upright under their own name.
FUNCTION_NAMES: dict[str, FunctionName] = {
    "arccos":     FunctionName("arccos", r"\arccos", "arccos"),
    "arcsin":     FunctionName("arcsin", r"\arcsin", "arcsin"),
    "arctan":     FunctionName("arctan", r"\arctan", "arctan"),
    "cos":        FunctionName("cos", r"\cos", "cos"),
    "cosh":       FunctionName("cosh", r"\cosh", "cosh"),
    "det":        FunctionName("det", r"\det", "det"),
    "digamma":    FunctionName("ψ", r"\psi", "ψ"),
    "exp":        FunctionName("exp", r"\exp", "exp"),
    "gamma":      FunctionName("Γ", r"\Gamma", "Γ"),
    "log":        FunctionName("log", r"\log", "log"),
    "max":        FunctionName("max", r"\max", "max"),
    "min":        FunctionName("min", r"\min", "min"),
    "normal_cdf": FunctionName("Φ", r"\Phi", "Φ"),
    "normal_pdf": FunctionName("φ", r"\varphi", "φ"),
    "sigma":      FunctionName("σ", r"\sigma", "σ"),
    "sigmoid":    FunctionName("σ", r"\sigma", "σ"),
    "sin":        FunctionName("sin", r"\sin", "sin"),
    "sinh":       FunctionName("sinh", r"\sinh", "sinh"),
    "tan":        FunctionName("tan", r"\tan", "tan"),
    "tanh":       FunctionName("tanh", r"\tanh", "tanh"),
    "trace":      FunctionName("tr", r"\operatorname{tr}", "tr", "tr"),
}  # fmt: skip


class Fence(NamedTuple):
    """Opening and closing sign of a pair, for text and for LaTeX."""

    left: str
    right: str
    latex_left: str
    latex_right: str


FENCES: dict[str, Fence] = {
    "round":  Fence("(", ")", "(", ")"),
    "square": Fence("[", "]", "[", "]"),
    "bar":    Fence("|", "|", r"\lvert", r"\rvert"),
    "norm":   Fence("‖", "‖", r"\lVert", r"\rVert"),
    "angle":  Fence("⟨", "⟩", r"\langle", r"\rangle"),
    "floor":  Fence("⌊", "⌋", r"\lfloor", r"\rfloor"),
    "ceil":   Fence("⌈", "⌉", r"\lceil", r"\rceil"),
}  # fmt: skip

# Functions of one argument written by a pair of signs: (function in front, pair). ASCII calls them by name.
FENCED_FUNCTIONS: dict[str, tuple[str, str]] = {
    "abs":    ("", "bar"),
    "ceil":   ("", "ceil"),
    "floor":  ("", "floor"),
    "logdet": ("log", "bar"),
}  # fmt: skip


class Sign(NamedTuple):
    """Operator sign with its spaces in text, in ASCII, in LaTeX, and bare in MathML."""

    text: str
    ascii: str
    latex: str
    mathml: str


INFIX_SIGNS: dict[str, Sign] = {
    "hadamard":           Sign(" ⊙ ", " .* ", r" \odot ", "⊙"),
    "divide_elementwise": Sign(" ⊘ ", " ./ ", r" \oslash ", "⊘"),
    "kronecker":          Sign(" ⊗ ", " (x) ", r" \otimes ", "⊗"),
    "dot":                Sign("·", " . ", r" \cdot ", "⋅"),
    "times":              Sign(" × ", " x ", r" \times ", "×"),
}  # fmt: skip

RELATION_SIGNS: dict[str, Sign] = {
    "=": Sign(" = ", " = ", " = ", "="),
    "≔": Sign(" ≔ ", " := ", r" \mathrel{:=} ", "≔"),
    "≈": Sign(" ≈ ", " ~= ", r" \approx ", "≈"),
    "≡": Sign(" ≡ ", " == ", r" \equiv ", "≡"),
    "≠": Sign(" ≠ ", " != ", r" \neq ", "≠"),
    "<": Sign(" < ", " < ", " < ", "<"),
    "≤": Sign(" ≤ ", " <= ", r" \leq ", "≤"),
    ">": Sign(" > ", " > ", " > ", ">"),
    "≥": Sign(" ≥ ", " >= ", r" \geq ", "≥"),
    "∈": Sign(" ∈ ", " in ", r" \in ", "∈"),
    "∉": Sign(" ∉ ", " not in ", r" \notin ", "∉"),
    "→": Sign(" → ", " -> ", r" \to ", "→"),
    "↦": Sign(" ↦ ", " |-> ", r" \mapsto ", "↦"),
    "⇒": Sign(" ⇒ ", " => ", r" \Rightarrow ", "⇒"),
    "⇔": Sign(" ⇔ ", " <=> ", r" \Leftrightarrow ", "⇔"),
    "∝": Sign(" ∝ ", " prop.to ", r" \propto ", "∝"),
    "∼": Sign(" ∼ ", " ~ ", r" \sim ", "∼"),
}  # fmt: skip

ACCENTS = frozenset({"hat", "bar", "tilde"})


@dataclass(frozen=True, slots=True)
class SplitName:
    """Parts of an identifier: `W1_hat'` is stem W, accent hat, subscripts ("1",), one prime. Greek parts are letters.

    A name that does not split (`x2y`, `_tmp`) is all stem. A last underscore is the tail; `aside` puts the subscripts
    into brackets, W_(1), beside a name that has the same ones.
    """

    stem: str
    accent: str = ""
    subscripts: tuple[str, ...] = ()
    primes: int = 0
    tail: str = ""
    aside: bool = False

    @property
    def is_bare(self) -> bool:
        """One letter without subscript or accent."""
        return len(self.stem) == 1 and not (self.accent or self.subscripts or self.tail)

    @property
    def key(self) -> str:
        """What a reader sees, whatever the fonts: equal for names that look alike."""
        below = ",".join(self.subscripts)
        stem = self.stem.replace("_", r"\_").replace("ο", "o")
        return (
            f"{stem}{self.accent and '^' + self.accent}{below and ('_(' if self.aside else '_') + below}{self.tail}"
            + "′" * (self.primes)
        )

    def bracketed(self) -> SplitName:
        """With its subscripts in brackets."""
        return replace(self, aside=bool(self.subscripts))


_NAME = re.compile(r"([^\W\d_]+)(\d*)((?:_[^\W_]+)*)(_?)(['′]*)")
_KEYWORD = re.compile(r"lambda_(?=['′]*$)")  # Python has the word without the underscore for itself


@lru_cache(maxsize=4096)
def split_name(name: str, greek: bool = True) -> SplitName:
    """Parts of an identifier; Greek words are letters unless `greek` is false.

    >>> split_name("W1")
    SplitName(stem='W', accent='', subscripts=('1',), primes=0, tail='', aside=False)
    >>> split_name("lambda_hat'").stem, split_name("lambda_").stem, split_name("X_").tail
    ('λ', 'λ', '_')
    """
    match = _NAME.fullmatch(_KEYWORD.sub("lambda", name) if greek else name)
    if match is None:
        return SplitName(name)
    stem, digits, words, tail, primes = match.groups()
    parts = ([digits] if digits else []) + words.split("_")[1:]
    accent = next((part for part in parts if part in ACCENTS), "")
    if accent:
        parts.remove(accent)
    letters = GREEK if greek else {}
    return SplitName(
        letters.get(stem, stem), accent, tuple(letters.get(part, part) for part in parts), len(primes), tail
    )


_WORD = re.compile(r"^[^\W\d_]+|(?<=_)[^\W\d_]+(?![^\W_])")  # the stem, and subscripts that are words


@lru_cache(maxsize=4096)
def unicode_name(name: str) -> str:
    """Name with Greek letters for their names: `lambda_` is λ, `beta_hat` is β_hat."""
    if _NAME.fullmatch(name) is None:
        return name
    return raised_primes(_WORD.sub(lambda word: GREEK.get(word[0], word[0]), _KEYWORD.sub("lambda", name)))


def raised_primes(name: str) -> str:
    """Name as it was typed, with the sign of a prime."""
    return name.replace("'", "′")


@lru_cache(maxsize=4096)
def ascii_name(name: str) -> str:
    """Name as it was typed, Greek letters spelled."""
    return "".join(GREEK_SPELLED.get(letter, letter) for letter in name).replace("′", "'")


def spelled_out(name: str) -> str:
    """Name with every Greek letter spelled, those that look Latin too: omicron."""
    return raised_primes(ascii_name(name).replace("ο", "omicron"))


def function_name(function: str) -> FunctionName:
    """Spelling of a function: the row of `FUNCTION_NAMES`, or its own name, upright.

    >>> function_name("leaky_relu").latex
    '\\\\operatorname{leaky\\\\_relu}'
    """
    row = FUNCTION_NAMES.get(function)
    if row is None:
        return upright(function)
    return row


def upright(function: str) -> FunctionName:
    """A function under its own name."""
    return FunctionName(function, rf"\operatorname{{{escape_latex(function)}}}", function, function)


_LATEX_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "−": "$-$", "′": "$'$", "ᵀ": r"$^{\top}$", "²": "$^2$", "∂": r"$\partial$", "‖": r"$\Vert$",
    "√": r"$\surd$", "·": r"$\cdot$", "…": r"\dots{}",
}  # fmt: skip
_LATEX_ESCAPES = str.maketrans(
    {letter: f"${command}$" for letter, command in GREEK_LATEX.items()}
    | {sign.mathml: f"${sign.latex.strip()}$" for sign in (*INFIX_SIGNS.values(), *RELATION_SIGNS.values())}
    | _LATEX_SPECIAL
)


def escape_latex(words: str) -> str:
    r"""Words for LaTeX's text mode; white space collapses, since an empty line would end the paragraph."""
    return re.sub(r"\s+", " ", words).translate(_LATEX_ESCAPES)
