"""Each rule altered by one symbol is caught by its proof; what survives is an identity, and is listed here."""

import ast
from dataclasses import replace

import numpy as np
import pytest
from rules.mutants import mutants

from byhand.errors import ByhandError
from byhand.expr.functions import FUNCTIONS
from byhand.rules.catalogue import Equation, function_equation, identity_equation, move_equations, rule_equation
from byhand.rules.differentials import DIFFERENTIALS, GENERAL
from byhand.rules.identities import FACTS, IDENTITIES
from byhand.rules.patterns import OTHER_MOVES, PATTERNS
from byhand.rules.proofs import check

CAUGHT = 1e-8

# Mutants that are true: even functions, cyclic traces, transposes under a determinant, a trace or a diagonal, functions
# that keep the sign of their argument, division by ones, the last axis by another name.
TRUE = {
    "d(X / Y) = (d(X) * Y - X * d(Y)) / (-Y) ** 2",
    "d(X**3) = 3 * (-X) ** 2 * d(X)",
    "d(tanh(X)) = (1 - tanh(-X) ** 2) * d(X)",
    "inner(G, diag(diag(d(X)))) = inner(diag(diag(G)), d(X.T))",
    "inner(G, diag(diag(d(X)))) = inner(diag(diag(G.T)), d(X))",
    "d(adjugate(X)) = det(X.T) * (trace(inv(X) @ d(X)) * inv(X) - inv(X) @ d(X) @ inv(X))",
    "d(adjugate(X)) = det(X) * (trace(d(X) @ inv(X)) * inv(X) - inv(X) @ d(X) @ inv(X))",
    "d(det(X)) = det(X.T) * trace(inv(X) @ d(X))",
    "d(det(X)) = det(X) * trace(d(X) @ inv(X))",
    "d(logdet(X)) = trace(d(X) @ inv(X))",
    "d(sin(z)) = cos(-z)*d(z)",
    "d(tan(z)) = (1 + (-tan(z)) ** 2)*d(z)",
    "d(arcsin(z)) = 1 / sqrt(1 - (-z) ** 2)*d(z)",
    "d(arccos(z)) = -1 / sqrt(1 - (-z) ** 2)*d(z)",
    "d(arctan(z)) = 1 / (1 + (-z) ** 2)*d(z)",
    "d(sinh(z)) = cosh(-z)*d(z)",
    "d(tanh(z)) = (1 - (-tanh(z)) ** 2)*d(z)",
    "d(arcsinh(z)) = 1 / sqrt(1 + (-z) ** 2)*d(z)",
    "d(relu(z)) = step(relu(z))*d(z)",
    "d(leaky_relu(z)) = (step(leaky_relu(z)) + 0.01 * (1 - step(z)))*d(z)",
    "d(leaky_relu(z)) = (step(z) + 0.01 * (1 - step(leaky_relu(z))))*d(z)",
    "d(elu(z)) = (step(elu(z)) + (1 - step(z)) * (1 + elu(z)))*d(z)",
    "d(elu(z)) = (step(z) + (1 - step(elu(z))) * (1 + elu(z)))*d(z)",
    "d(selu(z)) = (1.0507009873554805 * step(selu(z)) + (1 - step(z)) * (1.7580993408473768 + selu(z)))*d(z)",
    "d(selu(z)) = (1.0507009873554805 * step(z) + (1 - step(selu(z))) * (1.7580993408473768 + selu(z)))*d(z)",
    "d(gelu(z)) = (normal_cdf(z) + z * normal_pdf(-z))*d(z)",
    "d(hard_tanh(z)) = step(1 + hard_tanh(z)) * step(1 - z)*d(z)",
    "d(hard_tanh(z)) = step(1 + z) * step(1 - hard_tanh(z))*d(z)",
    "d(erf(z)) = 2 / sqrt(pi) * exp(-(-z) ** 2)*d(z)",
    "d(normal_cdf(z)) = normal_pdf(-z)*d(z)",
    "inner(g, trace(d(X))) = inner(g * eye(k), d(X.T))",
    "inner(g, diag(d(X))) = inner(diag(g), d(X.T))",
    "inner(g, sum(d(x))) = inner(g / ones(k), d(x))",
    "inner(g, sum(d(X))) = inner(g / ones(k, l), d(X))",
    "inner(G, diag(d(x))) = inner(diag(G.T), d(x))",
    "inner(G, d(x)*ones(i, j)) = inner(sum(G.T), d(x))",
    "inner(G, d(x)*eye(i)) = inner(trace(G.T), d(x))",
    "det(inv(X)) = 1 / det(X.T)",
    "det(X.T) = det(X.T)",
    "logdet(inv(X)) = -logdet(-X)",
    "logdet(inv(X)) = -logdet(X.T)",
    "logdet(X.T) = logdet(-X)",
    "logdet(X.T) = logdet(X.T)",
    "log(softmax(Z, 1)) = log_softmax(Z, -1)",
    "exp(log_softmax(Z, 1)) = softmax(Z, -1)",
    "log(cosh(u)) = logcosh(-u)",
    "log(sum(exp(Z), 1)) = logsumexp(Z, -1)",
    "exp(Z)/sum(exp(Z), 1, keepdims=True) = softmax(Z, -1)",
}  # fmt: skip


def altered_rules():
    """(table, row, altered equation) for every row of every table."""
    for row in (*GENERAL, *DIFFERENTIALS.values()):
        q = rule_equation(row)
        zero = row.right.replace(" ", "").startswith("0*")  # then 0 times, or by, anything else is as true
        altered = [m for m in mutants(row.right, [*row.shapes]) if not (zero and m.startswith(("0 *", "0 /")))]
        yield from ((row.name, replace(q, right=m)) for m in altered)
    for row in FUNCTIONS.values():
        for m in mutants(row.derivative, ["y", "z"]):
            yield f"derivative of {row.name}", function_equation(row._replace(derivative=m))
    for row in PATTERNS:
        for name, q in zip((row.move_first, row.move_second), move_equations(row), strict=False):
            yield from ((name, m) for m in altered_moves(q))
    for name, text, shapes in OTHER_MOVES:
        left, right = text.split(" = ")
        yield from ((name, m) for m in altered_moves(Equation(left, right, shapes, paired=True)))
    for row in (*IDENTITIES, *FACTS):
        q = identity_equation(row)
        yield from ((row.name, replace(q, right=m)) for m in mutants(row.right, [*row.shapes]))


def altered_moves(q):
    """The right inner product with one of its sides altered."""
    sides = [ast.unparse(a) for a in ast.parse(q.right, mode="eval").body.args]
    for k, side in enumerate(sides):
        for m in mutants(side, [*q.shapes]):
            yield replace(q, right=f"inner({', '.join([*sides[:k], m, *sides[k + 1 :]])})")


def is_caught(q, seed):
    with np.errstate(all="ignore"):
        try:
            return not check(q, seed).error <= CAUGHT
        except (ByhandError, np.linalg.LinAlgError):
            return True


ALTERED = [*altered_rules()]


def test_there_are_enough_mutants():
    assert len(ALTERED) >= 1300
    assert len({name for name, _ in ALTERED}) >= 100


def test_every_mutant_is_caught_or_true():
    survivors = {str(q) for _, q in ALTERED if not is_caught(q, 0)}
    assert survivors == TRUE, f"unexpected: {survivors - TRUE}; no longer surviving: {TRUE - survivors}"


@pytest.mark.parametrize("seed", range(1, 21))
def test_survivors_are_identities(seed):
    assert [str(q) for _, q in ALTERED if str(q) in TRUE and is_caught(q, seed)] == []
