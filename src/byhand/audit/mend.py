"""Mending a line that does not type-check: another transposition pattern, a column of ones, the table.

`products` answers the mnemonic "the shapes must check out" by enumeration.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, permutations, product
from typing import TYPE_CHECKING

from byhand.audit.strict import same_shape
from byhand.errors import ByhandError
from byhand.expr.dims import Shape, dim_names, parse_shape, show_shape
from byhand.expr.nodes import Expr, symbol
from byhand.threads import syntax_tree

if TYPE_CHECKING:
    from byhand.audit.lines import Sides

MOST_FACTORS = 4


@dataclass(frozen=True, slots=True)
class Mend:
    """A side that type-checks, its class of mistake, and how unique it is."""

    kind: str
    text: str
    words: str
    node: Expr | None


def products(factors: Mapping[str, str], target: str) -> list[str]:
    """The products of some matrices, each used once, in any order, transposed or not, that have a shape.

    >>> products({"X": "B d", "D": "B h"}, "d h")
    ['X.T @ D']
    """
    shapes = {n: parse_shape(s) for n, s in factors.items()}
    wanted, found = parse_shape(target), []
    for order in permutations(shapes):
        for turned in product((False, True), repeat=len(order)):
            inner = [tuple(reversed(shapes[n])) if t else shapes[n] for n, t in zip(order, turned, strict=True)]
            if all(a[1] == b[0] for a, b in pairwise(inner)) and (inner[0][0], inner[-1][1]) == wanted:
                found.append(" @ ".join(f"{n}.T" if t else n for n, t in zip(order, turned, strict=True)))
    return found


def mended(sides: Sides, text: str, wanted: Shape | None, true: Callable[[Expr], bool]) -> Mend | None:
    """A version of a side that type-checks, has the shape wanted and is true."""
    try:
        tree = syntax_tree(text.strip() or " ", "eval")
    except (SyntaxError, ValueError, RecursionError):
        return None
    fits: list[tuple[int, str, Expr]] = []
    for changes, candidate in transpositions(tree):
        node = _read(sides, candidate, wanted)
        if node is not None:
            fits.append((changes, candidate, node))
    same_order = [f for f in fits if f[0] < 100]
    fits.sort(key=lambda f: f[0])
    good = next((f for f in fits if true(f[2])), None)
    if good is not None:
        unique = len(same_order) == 1 and good in same_order
        words = (
            "the only transposition pattern that type-checks is the mended one"
            if unique
            else "another order or transposition type-checks"
        )
        return Mend("T", good[1], words, good[2])
    ways = (
        (reassociated(tree), "brackets are missing"),
        (with_ones(sides, tree), "a row stands where a matrix is needed: write the column of ones"),
    )
    for candidates, words in ways:
        for candidate in candidates:
            node = _read(sides, candidate, wanted)
            if node is not None and true(node):
                return Mend("T", candidate, words, node)
    return redeclared(sides, tree, text, wanted) if not fits else Mend("T", fits[0][1], "this type-checks", fits[0][2])


def _read(sides: Sides, text: str, wanted: Shape | None) -> Expr | None:
    try:
        node = sides.read(text)
    except (ByhandError, RecursionError):
        return None
    return node if wanted is None or same_shape(wanted, node.shape) else None


def chains(tree: ast.AST) -> list[list[ast.expr]]:
    """The factors of each product of matrices."""
    found: list[list[ast.expr]] = []
    inner: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult) and node not in inner:
            factors: list[ast.expr] = []
            left: ast.expr = node
            while isinstance(left, ast.BinOp) and isinstance(left.op, ast.MatMult):
                inner.add(left)
                factors.insert(0, left.right)
                left = left.left
            found.append([left, *factors])
    return found


def transpositions(tree: ast.Expression) -> Iterator[tuple[int, str]]:
    """Each product of matrices with its factors transposed or in another order; and the whole, transposed."""
    whole = ast.unparse(tree)
    body = tree.body
    yield 1, _turned(body)
    for factors in chains(tree):
        if len(factors) > MOST_FACTORS:
            continue
        old = " @ ".join(_bracketed(f) for f in factors)
        start = ast.unparse(_joined(factors))
        if start not in whole and f"({start})" not in whole:
            start = old
        for order in permutations(range(len(factors))):
            for turned in product((False, True), repeat=len(factors)):
                made = " @ ".join(
                    _turned(factors[i]) if t else _bracketed(factors[i]) for i, t in zip(order, turned, strict=True)
                )
                changes = sum(turned) + (100 if list(order) != sorted(order) else 0)
                if changes and start in whole:
                    yield changes, whole.replace(start, made, 1)
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
            for side in (node.left, node.right):
                words = ast.unparse(side)
                if words and words in whole:
                    yield 2, whole.replace(words, _turned(side), 1)


def _joined(factors: list[ast.expr]) -> ast.expr:
    result = factors[0]
    for f in factors[1:]:
        result = ast.BinOp(result, ast.MatMult(), f)
    return result


def _bracketed(node: ast.expr) -> str:
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare)) else text


def _turned(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return _bracketed(node.value)
    return f"{_bracketed(node)}.T"


def reassociated(tree: ast.Expression) -> Iterator[str]:
    """a * (B @ C) as (a * B) @ C, and (A @ B) * c as A @ (B * c)."""
    whole = ast.unparse(tree)
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(a, ast.Mult(), ast.BinOp(b, ast.MatMult(), c)):
                yield whole.replace(ast.unparse(node), f"({_bracketed(a)} * {_bracketed(b)}) @ {_bracketed(c)}", 1)
        match node:
            case ast.BinOp(ast.BinOp(a, ast.MatMult(), b), ast.Mult(), c):
                yield whole.replace(ast.unparse(node), f"{_bracketed(a)} @ ({_bracketed(b)} * {_bracketed(c)})", 1)


def with_ones(sides: Sides, tree: ast.Expression) -> Iterator[str]:
    """A term (1, n) of a sum with a column of ones before it; a vector as an outer product with it."""
    whole = ast.unparse(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div)):
            continue
        for term in (node.right, node.left):
            text = ast.unparse(term)
            for d in sorted(sides.state.dims):
                column = f"ones({d}, 1) @ {_bracketed(term)}"
                for made in (
                    column if isinstance(node.op, (ast.Add, ast.Sub)) else f"({column})",
                    f"outer(ones({d}), {text})",
                ):
                    at = whole.rfind(text)
                    if at >= 0:
                        yield whole[:at] + made + whole[at + len(text) :]


def redeclared(sides: Sides, tree: ast.Expression, text: str, wanted: Shape | None) -> Mend | None:
    """Class D: one declared shape of the line that makes it type-check."""
    state = sides.state
    names = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in state.inputs]
    sizes = sorted(
        {str(d) for s in state.inputs.values() for size in s.shape for d in (dim_names(size) or {str(size)})} | {"1"}
    )
    for name in dict.fromkeys(names):
        old = state.inputs[name]
        options = {tuple(parse_shape(" ".join(p))) for p in product(sizes, repeat=old.ndim)} if old.ndim <= 2 else set()
        fits = []
        for shape in sorted(options, key=str):
            changed = sum(a != b for a, b in zip(shape, old.shape, strict=True))
            if changed != 1 or (set(shape) & {1} and 1 not in old.shape):
                continue
            state.inputs[name] = symbol(name, shape, ())
            node = _read(sides, text, wanted)
            state.inputs[name] = old
            if node is not None:
                fits.append((shape, node))
        if len(fits) == 1 or (fits and name == names[-1]):
            shape, node = fits[0]
            return Mend(
                "D",
                f"{name}: {show_shape(shape)}",
                f"{name} is declared {show_shape(old.shape)}",
                symbol("mended", node.shape),
            )
    return None
