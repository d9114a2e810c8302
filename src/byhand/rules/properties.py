"""Which properties a node has, and from which declared assumptions that follows."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from byhand.expr.contraction import split_coefficient, transpose
from byhand.expr.functions import POSITIVE_VALUED
from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Structured, Sum, Symbol, topological
from byhand.rules.words import words_of

Proof = frozenset[tuple[str, str]]  # (symbol, property) that were used
NOTHING: Proof = frozenset()
BY_STRUCTURE = frozenset({"symmetric", "positive"})  # what may hold of a node of which nothing is declared
_known: dict[str, WeakKeyDictionary[Expr, Proof | None]] = {wanted: WeakKeyDictionary() for wanted in BY_STRUCTURE}


def proof(node: Expr, wanted: str) -> Proof | None:
    """The assumptions from which `wanted` follows, empty where it holds by structure; None where it is not known.

    What was found of a node is kept for as long as the node lives; intermediates are asked from below, so that nothing
    recurses on how many there are.
    """
    known = _known.get(wanted)
    if known is None:
        return _proof(node, wanted)
    if node not in known:
        if isinstance(node, Named):
            for inner in topological([node]):
                if isinstance(inner, Named) and inner not in known:
                    known[inner] = _proof(inner, wanted)
        else:
            known[node] = _proof(node, wanted)
    return known[node]


def _proof(node: Expr, wanted: str) -> Proof | None:
    match node:
        case Symbol(name):
            return frozenset({(name, wanted)}) if wanted in node.assumptions else None
        case Named(_, body):
            return proof(body, wanted)
    match wanted:
        case "symmetric":
            return _symmetric(node)
        case "positive":
            return _positive(node)
        case _:
            return None


def _symmetric(node: Expr) -> Proof | None:
    if node.ndim != 2 or node.shape[0] != node.shape[1]:
        return None
    if transpose(node) is node:
        return NOTHING
    match node:
        case Elementwise(_, arg):
            return proof(arg, "symmetric")
        case Structured("inv", args):
            return proof(args[0], "symmetric")
        case Sum(terms):
            return _together(*(proof(t, "symmetric") for _, t in terms))
        case Contraction() if len(node.factors) == 1 and node.factors[0][1] in ((0, 1), (1, 0)) and node.out == (0, 1):
            return proof(node.factors[0][0], "symmetric")
        case Contraction() if all(ls in ((0, 1), (1, 0), ()) for _, ls, _ in node.factors) and node.out == (0, 1):
            return _together(*(proof(f, "symmetric") for f, ls, _ in node.factors if ls))
        case Contraction():
            return _equals_its_transpose(node)
        case _:
            return None


def _equals_its_transpose(node: Contraction) -> Proof | None:
    """X Z Xᵀ with symmetric Z: read from its last axis, it is the same product."""
    proofs: dict[Expr, Proof] = {}
    for factor, labels, _ in node.factors:
        if len(labels) == 2 and (proved := proof(factor, "symmetric")) is not None:
            proofs[factor] = proved
    words = words_of(node, frozenset(proofs))
    if words is None or sorted(words) != sorted(word.turned() for word in words):
        return None
    read = {letter.digest for word in words for letter in word.letters}
    return _together(*(proved for f, proved in proofs.items() if f.digest in read))


def _positive(node: Expr) -> Proof | None:
    match node:
        case Elementwise(function) if function in POSITIVE_VALUED:
            return NOTHING
        case Structured("softmax"):
            return NOTHING
        case Sum(terms):
            return _together(*(proof(t, "positive") if c.value > 0 else None for c, t in terms))
        case Contraction():
            if split_coefficient(node)[0].value <= 0 or len(set(node.out)) < len(node.out):
                return None
            return _together(*(proof(f, "positive") for f, _, _ in node.factors))
        case _:
            return None


def _together(*proofs: Proof | None) -> Proof | None:
    result = NOTHING
    for p in proofs:
        if p is None:
            return None
        result |= p
    return result
