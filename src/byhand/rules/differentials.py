"""The table of differentials: d(node) as an equation in byhand's own syntax. One string is applied, typeset and tested.

Elementwise functions have their derivative in their own row (`expr/functions.py`); contractions share the product and
power rules. An operation without a row raises `MissingRuleError`; none is ever taken to be zero.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from byhand.errors import MissingRuleError
from byhand.expr.contraction import P1, add, combine, contract, elementwise, label_dims, zero
from byhand.expr.dims import Coefficient
from byhand.expr.functions import function, is_abstract
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
    differential_of,
)
from byhand.expr.operands import lift
from byhand.expr.operations import CONSTANTS
from byhand.expr.reader import Reader, parse_tree
from byhand.expr.vocabulary import VOCABULARY, adjugate, pairing, pi


@dataclass(frozen=True, slots=True)
class Rule:
    """A row: d(operation) = right, in the variables and attributes named, with shapes and domains to test it on.

    Attributes:
        name: what the rule is called where it is shown.
        left, right: the two sides, in the expression language, with d(X) for differentials.
        operation: the row of `operations` that it is for.
        variables: the arguments by position.
        attributes: the static attributes by position.
        shapes, domain: what its test draws.
        source: where it is written down.
    """

    name: str
    left: str
    right: str
    operation: str = ""
    variables: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    shapes: dict[str, str] = field(default_factory=dict)
    domain: dict[str, str] = field(default_factory=dict)
    source: str = "Magnus and Neudecker (2019), chapter 8"


_COOKBOOK = "Petersen and Pedersen (2012), The Matrix Cookbook"
_Z = {"Z": "m n"}
_TABLE = (
    Rule("inverse", "d(inv(X))", "-inv(X) @ d(X) @ inv(X)", "inv", ("X",), (), {"X": "n n"}, {"X": "wellcond"}, _COOKBOOK + ", (40)"),
    Rule("determinant", "d(det(X))", "det(X)*trace(inv(X) @ d(X))", "det", ("X",), (), {"X": "n n"}, {"X": "wellcond"}, _COOKBOOK + ", (42)"),
    Rule("adjugate", "d(adjugate(X))", "det(X)*(trace(inv(X) @ d(X))*inv(X) - inv(X) @ d(X) @ inv(X))", "adjugate", ("X",), (), {"X": "n n"}, {"X": "wellcond"}),
    Rule("log-determinant", "d(logdet(X))", "trace(inv(X) @ d(X))", "logdet", ("X",), (), {"X": "n n"}, {"X": "wellcond"}),
    Rule("softmax", "d(softmax(Z, axis))", "softmax(Z, axis)*(d(Z) - sum(softmax(Z, axis)*d(Z), axis, True))",
         "softmax", ("Z",), ("axis",), _Z, {}, "Bishop (2006), (4.106)"),
    Rule("log-softmax", "d(log_softmax(Z, axis))", "d(Z) - sum(softmax(Z, axis)*d(Z), axis, True)",
         "log_softmax", ("Z",), ("axis",), _Z, {}, "Goodfellow, Bengio and Courville (2016), (6.30)"),
    Rule("log-sum-exp", "d(logsumexp(Z, axis))", "sum(softmax(Z, axis)*d(Z), axis)", "logsumexp", ("Z",), ("axis",), _Z, {}, "Boyd and Vandenberghe (2004), Convex Optimization, section 3.1.5"),
    Rule("general power", "d(power(X, Y))", "Y*power(X, Y - 1)*d(X) + log(X)*power(X, Y)*d(Y)", "power", ("X", "Y"), (),
         {"X": "m n", "Y": "m n"}, {"X": "positive"}, "exp(Y*log(X)) and the product rule"),
    Rule("mask", "d(where(C, A, B))", "C*d(A) + (1 - C)*d(B)", "where", ("C", "A", "B"), (),
         {"C": "m n", "A": "m n", "B": "m n"}, {"C": "01"}, "a mask is constant almost everywhere"),
    Rule("maximum over an axis", "d(max(Z, axis))", "sum(winner(Z, axis)*d(Z), axis)", "max", ("Z",), ("axis",), _Z, {},
         "the largest entry, the first of equal ones, moves as it does"),
    Rule("mask of the largest", "d(winner(Z, axis))", "0*winner(Z, axis)", "winner", ("Z",), ("axis",), _Z, {},
         "a mask is constant almost everywhere"),
    Rule("place of the largest", "d(argmax(Z, axis))", "0*argmax(Z, axis)", "argmax", ("Z",), ("axis",), _Z, {},
         "integers have no differential"),
    Rule("labels", "d(one_hot(t, k))", "zeros(m, k)", "one_hot", ("t",), ("k",), {"t": "m"}, {"t": "labels"}, "integers have no differential"),
)  # fmt: skip
DIFFERENTIALS: dict[str, Rule] = {row.operation: row for row in _TABLE}

# What contractions and sums obey; `differential` below applies them to any pattern of labels at once.
GENERAL = (
    Rule("linearity", "d(2*X)", "2*d(X)", shapes={"X": "m n"}, source=_COOKBOOK + ", (34)"),
    Rule("sum rule", "d(X + Y)", "d(X) + d(Y)", shapes={"X": "m n", "Y": "m n"}, source=_COOKBOOK + ", (35)"),
    Rule(
        "product rule",
        "d(X @ Y)",
        "d(X) @ Y + X @ d(Y)",
        shapes={"X": "m n", "Y": "n k"},
        source=_COOKBOOK + ", (37)",
    ),
    Rule(
        "Hadamard product rule",
        "d(X * Y)",
        "d(X)*Y + X*d(Y)",
        shapes={"X": "m n", "Y": "m n"},
        source=_COOKBOOK + ", (38)",
    ),
    Rule(
        "quotient rule",
        "d(X / Y)",
        "(d(X)*Y - X*d(Y))/Y**2",
        shapes={"X": "m n", "Y": "m n"},
        domain={"Y": "nonzero"},
        source=_COOKBOOK + ", (38), with X and 1/Y",
    ),
    Rule("power rule", "d(X**3)", "3*X**2*d(X)", shapes={"X": "m n"}, source="Magnus and Neudecker (2019), chapter 8"),
    Rule("transpose", "d(X.T)", "d(X).T", shapes={"X": "m n"}, source=_COOKBOOK + ", (44)"),
    Rule("trace", "d(trace(X))", "trace(d(X))", shapes={"X": "n n"}, source=_COOKBOOK + ", (36)"),
    Rule(
        "elementwise function",
        "d(tanh(X))",
        "(1 - tanh(X)**2)*d(X)",
        shapes={"X": "m n"},
        source="Magnus and Neudecker (2019), chapter 8, entry by entry",
    ),
)

_CONSTANT_OPERATIONS = CONSTANTS  # no arguments: arrays that only the sizes decide


@lru_cache(maxsize=512)
def _tree(text: str) -> ast.expr:
    (statement,) = parse_tree(text).body
    assert isinstance(statement, ast.Expr)
    return statement.value


def read(text: str, names: dict[str, Any]) -> Any:
    """The value of a text of the tables, with values for its variables."""
    reader = Reader(
        text, {**VOCABULARY, "pi": pi, "pairing": pairing, "adjugate": adjugate, "d": differential_of, **names}
    )
    return reader.value(_tree(text))


def read_side(text: str, names: dict[str, Any]) -> Expr:
    """One side of an equation of the tables as a node."""
    return lift(read(text, names))


def rule_for(operation: str) -> Rule:
    """The row of an operation.

    Raises: MissingRuleError: the table has no such row.
    """
    if operation not in DIFFERENTIALS:
        raise MissingRuleError(
            f"no differential of {operation}(...) is known", "add a row to byhand/rules/differentials.py"
        )
    return DIFFERENTIALS[operation]


def slope(function_name: str, arg: Expr, value: Expr) -> Expr:
    """f'(arg), with `value` = f(arg) used where the row uses y."""
    if is_abstract(function_name):
        return elementwise(f"{function_name}_prime", arg)
    derivative = read_side(function(function_name).derivative, {"z": arg, "y": value})
    if derivative.shape == arg.shape:
        return derivative
    return contract([(derivative, (), P1)], range(arg.ndim), dims=dict(enumerate(arg.shape)))


def differential(node: Expr) -> Expr:
    """d(node) in terms of d(children).

    Raises: MissingRuleError: the tables have no rule for the node.
    """
    match node:
        case Symbol() | Differential():
            return differential_of(node)
        case Constant():
            return zero(node.shape)
        case Named(_, body):
            return differential_of(body)
        case Elementwise(name, arg):
            return slope(name, arg, node) * differential_of(arg)
        case Structured(operation, args, attributes):
            if operation in _CONSTANT_OPERATIONS or operation == "one_hot":
                return zero(node.shape)
            rule = rule_for(operation)
            names = dict(zip(rule.variables, args, strict=True)) | dict(zip(rule.attributes, attributes, strict=True))
            return read_side(rule.right, names)
        case Sum(terms):
            return combine((c, differential_of(t)) for c, t in terms)
        case Contraction():
            return _product_rule(node)
        case _:
            raise MissingRuleError(
                f"no differential of {type(node).__name__} is known", "byhand/rules/differentials.py"
            )


def _product_rule(node: Contraction) -> Expr:
    """Each factor in turn is replaced by its differential; a power p leaves p times the power p - 1."""
    terms = []
    for i, (factor, labels, power) in enumerate(node.factors):
        rest = [f for j, f in enumerate(node.factors) if j != i]
        if power != 1:
            rest.append((factor, labels, power - 1))
        coefficient = node.coefficient.times(Coefficient(power))
        terms.append(contract([*rest, (differential_of(factor), labels, P1)], node.out, coefficient, label_dims(node)))
    return add(*terms) if terms else zero(node.shape)
