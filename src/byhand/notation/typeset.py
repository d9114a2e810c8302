"""Typesetting tree: what a formula shows, before any target is chosen.

The algebra decides *what* to print and builds these nodes; `brackets.arrange` decides where brackets stand; `text`,
`latex` and `mathml` print the same nodes. No printer decides on brackets, so the three cannot say different things.

Nodes are immutable and hashable, and they do not compute: `Sum(((True, x), (True, x)))` prints x + x.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from byhand.notation.symbols import FunctionName, SplitName

Style: TypeAlias = Literal["plain", "bold"]
InfixOperator: TypeAlias = Literal["hadamard", "divide_elementwise", "kronecker", "dot", "times"]
RelationOperator: TypeAlias = Literal[
    "=", "≔", "≈", "≡", "≠", "<", "≤", ">", "≥", "∈", "∉", "→", "↦", "⇒", "⇔", "∝", "∼"
]  # fmt: skip
Direction: TypeAlias = Literal["horizontal", "vertical", "diagonal"]


class _Measured:
    """A place for what `measure` finds out about a node."""

    __slots__ = ("measures",)


@dataclass(frozen=True, slots=True)
class Math(_Measured):
    """Base of all nodes."""


Index: TypeAlias = Math | str  # a string is one letter or one number; a compound index is a formula: j + 1


@dataclass(frozen=True, slots=True)
class Name(Math):
    """Identifier as the user typed it (`W1`, `lam`, `Z1'`, `x_hat`).

    Attributes:
        tip: the hover text in HTML, words and formulas.
        literal: whether it is never printed as a Greek letter: the name of a dimension, which stands in shapes too.
    """

    name: str
    style: Style = "plain"
    tip: tuple[str | Math, ...] = field(default=(), compare=False, repr=False)
    literal: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Layered(Math):
    """What a name is in one layer, or at one step: W[l+1] in text, W^(l+1) in print; never a power."""

    base: Math
    layer: str


@dataclass(frozen=True, slots=True)
class Spelled(Math):
    """A name as it prints on its page; made from names by `arrange`.

    Attributes:
        line: in a line of text.
        parts: where there are accents and subscripts.
    """

    line: str
    parts: SplitName
    style: Style = "plain"
    tip: tuple[str | Math, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number(Math):
    """Exact rational number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Digits(Math):
    """Printed digits, `digits` × 10^`exponent`; made from numbers by `arrange`. Empty: a bare power of ten."""

    digits: str
    exponent: int | None = None


@dataclass(frozen=True, slots=True)
class Ones(Math):
    """Vector of ones."""

    size: Math | None = None


@dataclass(frozen=True, slots=True)
class Identity(Math):
    """Identity matrix; `order` is its size where that is shown only beside an input called I."""

    size: Math | None = None
    order: Math | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Text(Math):
    """Words inside a formula."""

    words: str


@dataclass(frozen=True, slots=True)
class Ellipsis(Math):
    """Dots; `vertical` and `diagonal` are for matrices."""

    direction: Direction = "horizontal"


@dataclass(frozen=True, slots=True)
class Product(Math):
    """Juxtaposition: matrix product, or scaling by a coefficient that comes first."""

    items: tuple[Math, ...]


@dataclass(frozen=True, slots=True)
class Infix(Math):
    """Product or division with a sign of its own: A ⊙ B, A ⊘ B, A ⊗ B, x·y, m × n."""

    op: InfixOperator
    items: tuple[Math, ...]


@dataclass(frozen=True, slots=True)
class Sum(Math):
    """Terms with their signs, True for plus."""

    terms: tuple[tuple[bool, Math], ...]


@dataclass(frozen=True, slots=True)
class Negative(Math):
    """−body."""

    body: Math


@dataclass(frozen=True, slots=True)
class Quotient(Math):
    """num over den; `inline` asks for num/den where a stacked fraction is possible (text is always inline)."""

    num: Math
    den: Math
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Power(Math):
    """Power of a scalar or of a square matrix."""

    base: Math
    exponent: Math


@dataclass(frozen=True, slots=True)
class ElementwisePower(Math):
    """Power of each element of a vector or matrix."""

    base: Math
    exponent: Fraction


@dataclass(frozen=True, slots=True)
class Transpose(Math):
    """Transposed matrix; of Power(X, −1): X⁻ᵀ."""

    base: Math


@dataclass(frozen=True, slots=True)
class Root(Math):
    """Square root."""

    body: Math


@dataclass(frozen=True, slots=True)
class Call(Math):
    """Function of the library, by its name in `symbols.FUNCTION_NAMES` or upright: tanh(Z), σ(Z), log|X|."""

    function: str
    args: tuple[Math, ...]
    called: FunctionName | None = field(default=None, compare=False, repr=False)  # on its page; set by `arrange`


@dataclass(frozen=True, slots=True)
class Prime(Math):
    """Derivative of a function of one variable, `order` primes: σ′(Z), tanh″(Z)."""

    function: str
    args: tuple[Math, ...]
    order: int = 1
    called: FunctionName | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Function(Math):
    """Function named by the user: f(x), loss(W1, b1)."""

    name: str
    args: tuple[Math, ...]
    called: Spelled | None = field(default=None, compare=False, repr=False)  # on its page; set by `arrange`


@dataclass(frozen=True, slots=True)
class Vec(Math):
    """Rows of a matrix stacked into a column: vec(X)."""

    body: Math


@dataclass(frozen=True, slots=True)
class Norm(Math):
    """‖body‖ with its kind ("F", "1", ...) as a subscript."""

    body: Math
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Inner(Math):
    """Inner product ⟨left, right⟩."""

    left: Math
    right: Math


@dataclass(frozen=True, slots=True)
class Indicator(Math):
    """1 where the condition holds, else 0."""

    condition: Math


@dataclass(frozen=True, slots=True)
class Indexed(Math):
    """Element of an array: Z_ij."""

    base: Math
    indices: tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class BigSum(Math):
    """Sum of body over indices; `low` and `high` are the first and the last value of a single one.

    `word` is set by `arrange` where Σ is a name of the page.
    """

    indices: tuple[Index, ...]
    body: Math
    low: Math | None = None
    high: Math | None = None
    word: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Delta(Math):
    """Kronecker delta."""

    i: Index
    j: Index


@dataclass(frozen=True, slots=True)
class Slice(Math):
    """Part of an array, in the notation of NumPy: base and "[:, 0]"."""

    base: Math
    subscript: str


@dataclass(frozen=True, slots=True)
class Differential(Math):
    """dX, d(tanh(Z))."""

    body: Math


@dataclass(frozen=True, slots=True)
class Partial(Math):
    """Partial derivative ∂of/∂wrt."""

    of: Math
    wrt: Math


@dataclass(frozen=True, slots=True)
class Relation(Math):
    """left op right; a chain a = b = c is nested either way."""

    op: RelationOperator
    left: Math
    right: Math


@dataclass(frozen=True, slots=True)
class Underbrace(Math):
    """Body with a label under it; in text (body =: label)."""

    body: Math
    label: Math


@dataclass(frozen=True, slots=True)
class Cases(Math):
    """(value, condition) rows; a condition that is `Text` stands as it is, any other after "if"."""

    rows: tuple[tuple[Math, Math], ...]


@dataclass(frozen=True, slots=True)
class Matrix(Math):
    """Matrix written out by rows."""

    rows: tuple[tuple[Math, ...], ...]


@dataclass(frozen=True, slots=True)
class Bracketed(Math):
    """(body); `arrange` inserts them, so write none yourself unless the formula needs a redundant pair."""

    body: Math


def children(math: Math) -> list[Math]:
    """The nodes that a node is made of; hover texts and indices written as strings are none."""
    match math:
        case Name() | Spelled():
            return []
        case Identity(size):
            return [size] if size is not None else []
    found: list[Math] = []

    def look(value: Any) -> None:
        if isinstance(value, Math):
            found.append(value)
        elif isinstance(value, tuple) and not isinstance(value, FunctionName):
            for v in value:
                look(v)

    for name in math.__dataclass_fields__:
        look(getattr(math, name))
    return found
