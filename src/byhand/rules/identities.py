"""The table of simplifications: equations that hold always, and facts that hold because of a declared property.

Each row reads left = right in byhand's own syntax; the left side is matched, the right side put in its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from byhand.expr.contraction import P1, LooseFactor, contract, label_dims
from byhand.expr.dims import ONE, parse_shape
from byhand.expr.functions import FUNCTIONS
from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Structured, symbol
from byhand.expr.operations import OPERATIONS
from byhand.expr.parse import scope
from byhand.expr.surface import expand
from byhand.rules.differentials import read_side
from byhand.rules.matching import Binding, match, match_factors, remaining
from byhand.rules.properties import BY_STRUCTURE, proof


@dataclass(frozen=True, slots=True)
class Identity:
    """A row: left = right for variables of the shapes given, where each has the property of `when`.

    `shapes` gives "" to variables of a pointwise identity, which then holds for entries of any shape.
    """

    name: str
    left: str
    right: str
    shapes: dict[str, str]
    when: dict[str, str] = field(default_factory=dict)
    domain: dict[str, str] = field(default_factory=dict)
    source: str = "Horn and Johnson (2013), chapter 0"

    @property
    def pointwise(self) -> bool:
        """Whether the variables are scalars that stand for the entries of any array."""
        return all(not s for s in self.shapes.values())


_X = {"X": "n n"}
_CALCULUS = "elementary"
_SOFTMAX = "Bishop (2006), (4.104)"
_ONE_OF_K = "Bishop (2006), section 4.1.3"
_LOG_SOFTMAX = "Goodfellow, Bengio and Courville (2016), (6.30)"
_DECLARED = "the declared property itself"
_OVERFLOW = "Blanchard, Higham and Higham (2021), Accurately computing the log-sum-exp and softmax functions"
_ALWAYS = (
    Identity("inverse times itself", "inv(X) @ X", "eye(n)", _X, domain={"X": "wellcond"}),
    Identity("itself times the inverse", "X @ inv(X)", "eye(n)", _X, domain={"X": "wellcond"}),
    Identity("inverse of an inverse", "inv(inv(X))", "X", _X, domain={"X": "wellcond"}),
    Identity("inverse of a transpose", "inv(X.T)", "inv(X).T", _X, domain={"X": "wellcond"}),
    Identity("inverse of a diagonal matrix", "inv(diag(x))", "diag(1/x)", {"x": "n"}, domain={"x": "nonzero"}),
    Identity("determinant of an inverse", "det(inv(X))", "1/det(X)", _X, domain={"X": "wellcond"}),
    Identity("determinant of a transpose", "det(X.T)", "det(X)", _X, domain={"X": "wellcond"}),
    Identity("log-determinant of an inverse", "logdet(inv(X))", "-logdet(X)", _X, domain={"X": "wellcond"}),
    Identity("log-determinant of a transpose", "logdet(X.T)", "logdet(X)", _X, domain={"X": "wellcond"}),
    Identity("softmax sums to one", "sum(softmax(z))", "1", {"z": "n"}, source=_SOFTMAX),
    Identity("rows of softmax sum to one", "sum(softmax(Z, 1), 1)", "ones(m)", {"Z": "m n"}, source=_SOFTMAX),
    Identity("columns of softmax sum to one", "sum(softmax(Z, 0), 0)", "ones(n)", {"Z": "m n"}, source=_SOFTMAX),
    Identity("rows of a one-hot matrix sum to one", "sum(one_hot(t, k), 1)", "ones(m)", {"t": "m", "K": "k"}, domain={"t": "labels"}, source=_ONE_OF_K),
    Identity("entries of a one-hot vector sum to one", "sum(one_hot(t, k))", "1", {"t": "", "K": "k"}, domain={"t": "labels"}, source=_ONE_OF_K),
    Identity("log of a softmax", "log(softmax(Z, 1))", "log_softmax(Z, 1)", {"Z": "m n"}, source=_LOG_SOFTMAX),
    Identity("log of a softmax over the columns", "log(softmax(Z, 0))", "log_softmax(Z, 0)", {"Z": "m n"}, source=_LOG_SOFTMAX),
    Identity("log of a softmax vector", "log(softmax(z))", "log_softmax(z)", {"z": "n"}, source=_LOG_SOFTMAX),
    Identity("exp of a log-softmax", "exp(log_softmax(Z, 1))", "softmax(Z, 1)", {"Z": "m n"}, source=_LOG_SOFTMAX),
    Identity("exp of a log-softmax vector", "exp(log_softmax(z))", "softmax(z)", {"z": "n"}, source=_LOG_SOFTMAX),
    Identity("log of exp", "log(exp(u))", "u", {"u": ""}, source=_CALCULUS),
    Identity("exp of log", "exp(log(u))", "u", {"u": ""}, domain={"u": "positive"}, source=_CALCULUS),
    Identity("logistic function of exp", "exp(u)/(1 + exp(u))", "sigmoid(u)", {"u": ""}, source="Bishop (2006), (4.59)"),
    Identity("logistic function", "1/(1 + exp(-u))", "sigmoid(u)", {"u": ""}, source="Bishop (2006), (4.59)"),
    Identity("softplus by log", "log(1 + exp(u))", "softplus(u)", {"u": ""}, source=_OVERFLOW),
    Identity("softplus by log1p", "log1p(exp(u))", "softplus(u)", {"u": ""}, source=_OVERFLOW),
    Identity("log of a logistic function", "log(sigmoid(u))", "u - softplus(u)", {"u": ""}, source=_OVERFLOW),
    Identity("log of one minus a logistic function", "log(1 - sigmoid(u))", "-softplus(u)", {"u": ""}, source=_OVERFLOW),
    Identity("log of cosh", "log(cosh(u))", "logcosh(u)", {"u": ""}, source=_OVERFLOW),
    Identity("hyperbolic tangent by exp", "(exp(u) - exp(-u))/(exp(u) + exp(-u))", "tanh(u)", {"u": ""}, source=_CALCULUS),
    Identity("log-sum-exp written out", "log(sum(exp(z)))", "logsumexp(z)", {"z": "n"}, source=_OVERFLOW),
    Identity("log-sum-exp of rows written out", "log(sum(exp(Z), 1))", "logsumexp(Z, 1)", {"Z": "m n"}, source=_OVERFLOW),
    Identity("log-sum-exp of columns written out", "log(sum(exp(Z), 0))", "logsumexp(Z, 0)", {"Z": "m n"}, source=_OVERFLOW),
    Identity("softmax by exp", "exp(z)/sum(exp(z))", "softmax(z)", {"z": "n"}, source=_LOG_SOFTMAX),
    Identity("softmax of rows by exp", "exp(Z)/sum(exp(Z), 1, keepdims=True)", "softmax(Z, 1)", {"Z": "m n"}, source=_LOG_SOFTMAX),
    Identity("softmax of columns by exp", "exp(Z)/sum(exp(Z), 0, keepdims=True)", "softmax(Z, 0)", {"Z": "m n"}, source=_LOG_SOFTMAX),
    Identity("index pairs", "einsum('Iik,Ijl->ijkl', pairing(m, p), pairing(m, p))", "einsum('ij,kl->ijkl', eye(m), eye(p))",
             {"A": "m m", "B": "p p"}, source="Kronecker products: (i, k) -> i*p + k is one-to-one"),
)  # fmt: skip
_FACTS = (
    Identity("rows sum to one", "sum(Y, 1)", "ones(m)", {"Y": "m n"}, {"Y": "simplexrows"}, {"Y": "simplexrows"}, _DECLARED),
    Identity("columns sum to one", "sum(Y, 0)", "ones(n)", {"Y": "m n"}, {"Y": "simplexcolumns"}, {"Y": "simplexcolumns"}, _DECLARED),
    Identity("entries sum to one", "sum(y)", "1", {"y": "n"}, {"y": "simplexrows"}, {"y": "simplexrows"}, _DECLARED),
    Identity("a sign squared is one", "s**2", "1", {"s": ""}, {"s": "pm1"}, {"s": "pm1"}, _CALCULUS),
    Identity("one over a sign", "1/s", "s", {"s": ""}, {"s": "pm1"}, {"s": "pm1"}, _CALCULUS),
    Identity("a mask squared is itself", "c**2", "c", {"c": ""}, {"c": "01"}, {"c": "01"}, _CALCULUS),
    Identity("orthogonal columns", "X.T @ X", "eye(n)", _X, {"X": "orthogonal"}, {"X": "orthogonal"}),
    Identity("orthogonal rows", "X @ X.T", "eye(n)", _X, {"X": "orthogonal"}, {"X": "orthogonal"}),
    Identity("inverse of an orthogonal matrix", "inv(X)", "X.T", _X, {"X": "orthogonal"}, {"X": "orthogonal"}),
    Identity("absolute value of a positive entry", "abs(u)", "u", {"u": ""}, {"u": "positive"}, {"u": "positive"}, _CALCULUS),
    Identity("sign of a positive entry", "sign(u)", "1", {"u": ""}, {"u": "positive"}, {"u": "positive"}, _CALCULUS),
    Identity("relu of a positive entry", "relu(u)", "u", {"u": ""}, {"u": "positive"}, {"u": "positive"}, _CALCULUS),
)  # fmt: skip
IDENTITIES: tuple[Identity, ...] = _ALWAYS
FACTS: tuple[Identity, ...] = _FACTS


@lru_cache(maxsize=256)
def _side(text: str, shapes: tuple[tuple[str, str], ...]) -> Expr:
    """A side of a row as a node, its variables as symbols."""
    symbols = {name: symbol(name, parse_shape(shape)) for name, shape in shapes}
    return read_side(text, {**scope(symbols.values()), **symbols})


def sides(row: Identity) -> tuple[Expr, Expr]:
    """The two sides of a row as nodes, its variables as symbols."""
    shapes = tuple(row.shapes.items())
    return _side(row.left, shapes), _side(row.right, shapes)


def pattern_of(row: Identity) -> Expr:
    """The left side as a node."""
    return _side(row.left, tuple(row.shapes.items()))


def operations_of(row: Identity) -> frozenset[str]:
    """The functions and operations of the left side, read off its text: only rows that may match are parsed."""
    words = ("affine" if w == "pairing" else w for w in re.findall(r"\w+", row.left))
    return frozenset(w for w in words if w in FUNCTIONS or w in OPERATIONS)


Head = tuple[str, str]


def _head(node: Expr) -> Head | None:
    """What a node is at its top: the function or operation; None where a variable of a pattern stands for anything."""
    match node:
        case Named(_, body):
            return _head(body)
        case Elementwise(name):
            return ("function", name)
        case Structured(name):
            return ("operation", name)
        case _:
            return None


def _heads(node: Expr) -> frozenset[Head]:
    """The heads of a node's factors, or its own."""
    parts = [f for f, _, _ in node.factors] if isinstance(node, Contraction) else [node]
    return frozenset(h for p in parts if (h := _head(p)) is not None)


@lru_cache(maxsize=256)
def _pattern_heads(pattern: Expr) -> frozenset[Head]:
    return _heads(pattern)


@lru_cache(maxsize=1)
def _indexed() -> list[tuple[Identity, bool, frozenset[str], frozenset[str]]]:
    """Each row with: whether it is a fact, what must occur in a node for it to match, and what must be declared."""
    return [
        (row, bool(row.when), operations_of(row), frozenset(row.when.values()) - BY_STRUCTURE)
        for row in IDENTITIES + FACTS
    ]


def candidates(node: Expr, facts: bool) -> list[Identity]:
    """The rows that may match a node, identities before facts."""
    rows = [
        row
        for row, is_fact, operations, declared in _indexed()
        if (facts or not is_fact) and operations <= node.operations and declared <= node.declared
    ]
    heads = _heads(node) if rows else frozenset()
    return [row for row in rows if _pattern_heads(pattern_of(row)) <= heads]


def _right(row: Identity, binding: Binding) -> Expr:
    return read_side(row.right, {**binding.dims, **binding.nodes})


def apply_identity(row: Identity, node: Expr) -> tuple[Expr, frozenset[tuple[str, str]]] | None:
    """The node with the row applied once and the assumptions that it rests on, or None where it does not match."""
    pattern = pattern_of(row)
    if isinstance(pattern, (Elementwise, Structured)):
        if isinstance(node, type(pattern)):
            for binding in match(pattern, node, Binding(), row.pointwise):
                used = _conditions(row, binding)
                if used is not None:
                    right = _right(row, binding)
                    return (expand(right, node.shape) if row.pointwise else right), used
        return None
    if not isinstance(pattern, Contraction) or not isinstance(node, Contraction):
        return None
    if len(pattern.factors) > len(node.factors):
        return None
    for left, binding, labels in match_factors(pattern, node, Binding(), row.pointwise):
        used = _conditions(row, binding)
        if used is None:
            continue
        replacement = _right(row, binding)
        factors: list[LooseFactor] = remaining(node, left)
        if row.pointwise:
            first = node.factors[next(iter(left))][1]
            if replacement.ndim == len(first):
                factors.append((replacement, first, P1))
            else:
                factors.append((replacement, (), P1))
        else:
            factors.append((replacement, [labels[o] for o in pattern.out], P1))
        summed = {x for f, ls, _ in pattern.factors for x in ls if x not in pattern.out}
        gone = {labels[x] for x in summed} if not row.pointwise else set()
        coefficient = pattern.coefficient.power(-P1) or ONE
        dims = {k: n for k, n in label_dims(node).items() if k not in gone}
        return contract(factors, node.out, node.coefficient.times(coefficient), dims), used
    return None


def _conditions(row: Identity, binding: Binding) -> frozenset[tuple[str, str]] | None:
    used: frozenset[tuple[str, str]] = frozenset()
    for name, wanted in row.when.items():
        proved = proof(binding.nodes[name], wanted)
        if proved is None:
            return None
        used |= proved
    return used
