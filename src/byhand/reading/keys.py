"""One spelling for each name, whatever its fonts: what a scope looks names up by."""

from __future__ import annotations

from byhand.reading.tree import (
    Brace,
    Bracket,
    Dots,
    Fraction,
    Name,
    Node,
    Number,
    Partial,
    Product,
    Relation,
    Script,
    Sum,
    Tuple,
    Words,
)

LAYER = "[{}]"


def flat(node: Node | None) -> str:
    """A subscript, a layer or a name as plain text."""
    match node:
        case None:
            return ""
        case Number(value):
            return str(value)
        case Name(text):
            return text
        case Words(text):
            return text
        case Bracket(inner, opened):
            return f"{opened}{flat(inner)})" if opened == "(" else f"[{flat(inner)}]"
        case Brace(inner):
            return flat(inner)
        case Tuple(items):
            return ",".join(map(flat, items))
        case Product(factors):
            return "".join(f"{sign}{flat(f)}" for sign, f in factors)
        case Sum(terms):
            made = "".join(f"{'+' if sign > 0 else '-'}{flat(t)}" for sign, t in terms)
            return made.removeprefix("+")
        case Script(base):
            return key_of(node) or flat(base)
        case Fraction(over, under):
            return f"{flat(over)}/{flat(under)}"
        case Partial(inner, order, sign):
            return f"{sign}{'²' if order == 2 else ''}{flat(inner)}"
        case Relation(sides, signs):
            first = flat(sides[0])
            return first + "".join(f"{sign}{flat(side)}" for sign, side in zip(signs, sides[1:], strict=True))
        case Dots():
            return "…"
    return ""


def key_of(node: Node) -> str:
    """The key of a name with its subscript, layer and primes: W_1, W[l], x̂_i; "" for what is no name."""
    match node:
        case Name(text):
            return text
        case Number(value):
            return str(value) if value.denominator == 1 else ""
        case Script(base, sub, sup, primes):
            inner = base.inner if isinstance(base, Bracket) and base.opened == "(" else base  # (Z_2)_ij
            name = key_of(inner) if isinstance(inner, Name | Script) else ""
            if not name:
                return ""
            layer, rest = without_layer(sup)
            if rest is not None and not isinstance(rest, Name):
                return name + (f"_{flat(sub)}" if sub is not None else "") + f"^{flat(sup)}"
            made = name + (LAYER.format(_inner(layer)) if layer is not None else "")
            made += f"_{flat(sub)}" if sub is not None else ""
            made += f"^{flat(rest)}" if rest is not None else ""
            return made + "'" * primes
    return ""


def _inner(layer: Node) -> str:
    return flat(layer.inner) if isinstance(layer, Bracket) else flat(layer)


def without_layer(sup: Node | None) -> tuple[Node | None, Node | None]:
    """A superscript's layer in brackets, and the rest: W^{[2]T}, a^{(l-1)}."""
    match sup:
        case Bracket(inner, opened) if opened in "([" and not _is_fraction(inner):
            return sup, None
        case Product(factors) if (
            isinstance(factors[0][1], Bracket) and factors[0][1].opened in "([" and all(not s for s, _ in factors)
        ):
            rest = factors[1:]
            if len(rest) == 1:
                return factors[0][1], rest[0][1]
            return factors[0][1], Product(tuple(rest), start=rest[0][1].start, end=rest[-1][1].end)
    return None, sup


def _is_fraction(node: Node) -> bool:
    """Whether a number is written: the exponent (3/2) is no layer."""
    return isinstance(node, Fraction) or (isinstance(node, Product) and any(sign == "/" for sign, _ in node.factors))
