"""How long a node prints, roughly: what the normal form makes smaller. Only the structure decides."""

from __future__ import annotations

from byhand.expr.nodes import (
    Constant,
    Contraction,
    Differential,
    Elementwise,
    Expr,
    Named,
    Structured,
    Sum,
    Symbol,
    topological,
)

Scores = dict[Expr, float]


def weight(root: Expr, memo: Scores) -> float:
    """The printed length of a node in symbols; named intermediates count as one."""
    if root not in memo:
        for node in topological([root], into_named=False):
            if node not in memo:
                memo[node] = _weight(node, memo)
    return memo[root]


def _weight(node: Expr, memo: Scores) -> float:
    match node:
        case Symbol() | Constant() | Named() | Differential():
            return 1.0
        case Elementwise(_, arg):
            return 1.0 + memo[arg]
        case Structured(_, args):
            return 1.25 + 0.0 * len(args)
        case Sum(terms):
            return sum(memo[t] for _, t in terms)
        case Contraction(_, factors, out):
            have = {label for _, ls, _ in factors for label in ls}
            spread = sum(label not in have for label in set(out))
            powers = sum(0.25 for _, _, p in factors if abs(p) != 1)
            return sum(memo[f] for f, _, _ in factors) + 0.5 * spread + 1.0 * (not factors) + powers
    return 1.0


def transposes(node: Expr) -> int:
    """How many transposes it takes to write a matrix or vector: sums add up, a product is read from its first axis."""
    match node:
        case Sum(terms):
            return sum(transposes(t) for _, t in terms)
        case Contraction() if node.ndim <= 2:
            return _chain_transposes(node)
        case _:
            return 0


def _chain_transposes(node: Contraction) -> int:
    """Follow the product from its first axis (a scalar: from any vector) and count factors met backwards."""
    matrices = {i: ls for i, (_, ls, p) in enumerate(node.factors) if len(ls) == 2 and ls[0] != ls[1]}
    starts = [node.out[0]] if node.out else sorted({ls[0] for _, ls, _ in node.factors if len(ls) == 1})
    best = None
    for start in starts:
        left, label, flips = dict(matrices), start, 0
        while True:
            step = next((i for i, ls in left.items() if label in ls), None)
            if step is None:
                break
            first, second = left.pop(step)
            flips += label == second and label != first
            label = second if label == first else first
        flips += sum(ls[1] == (node.out[0] if node.out else -1) for ls in left.values())
        best = flips if best is None else min(best, flips)
    return best or 0
