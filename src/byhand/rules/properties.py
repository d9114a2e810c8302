"""Which properties a node has, and from which declared assumptions that follows."""

from __future__ import annotations

from itertools import combinations

from byhand.expr.contraction import contract, label_dims, split_coefficient, transpose
from byhand.expr.functions import POSITIVE_VALUED
from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Structured, Sum, Symbol

Proof = frozenset[tuple[str, str]]  # (symbol, property) that were used
NOTHING: Proof = frozenset()
FLIPS = 3  # symmetric factors that are turned at once in the search for a proof


def proof(node: Expr, wanted: str) -> Proof | None:
    """The assumptions from which `wanted` follows, empty where it holds by structure; None where it is not known."""
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
    """X Z Xᵀ with symmetric Z: turned, and its symmetric factors turned back, it is the same node."""
    proofs = {
        i: proved
        for i, (f, ls, _) in enumerate(node.factors)
        if len(ls) == 2 and (proved := proof(f, "symmetric")) is not None
    }
    for size in range(1, min(len(proofs), FLIPS) + 1):
        for flipped in combinations(proofs, size):
            factors = [(f, ls[::-1] if i in flipped else ls, p) for i, (f, ls, p) in enumerate(node.factors)]
            if contract(factors, node.out[::-1], node.coefficient, label_dims(node)) is node:
                return _together(*(proofs[i] for i in flipped))
    return None


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
