"""Each structured operation inside itself, and labels that occur twice: values, gradients and printed forms."""

import re

import numpy as np
import pytest
from oracles import directional_derivative, relative_error, torch, value_of
from rules.readers import Eye, IndexReader, MatrixReader, by_name, form_value, named_values

import byhand
from byhand.expr.evaluate import bind, evaluate_node
from byhand.notation.index import free_letters, index_math
from byhand.notation.matrix import matrix_math
from byhand.notation.style import Style
from byhand.notation.text import to_text
from byhand.rules.elimination import lower
from byhand.rules.forms import NoMatrixForm
from byhand.rules.simplify import normal

SIZES = {"m": 2, "n": 3, "p": 5, "q": 7}
SHAPES = {"A": "m n", "B": "p m", "C": "n p", "S": "m m", "T": "n n", "u": "m", "v": "n", "y": "q"}


def einsum(pattern, *arrays):
    """`np.einsum`, and a letter twice on the right is a diagonal."""
    inputs, out = pattern.split("->")
    letters, twice = [], []
    for letter in out:
        again = letter in letters
        letters.append(letter.upper() if again else letter)
        twice += [letter + letter.upper()] if again else []
    size = {x: n for part, a in zip(inputs.split(","), arrays, strict=True) for x, n in zip(part, a.shape, strict=True)}
    return np.einsum(
        ",".join([inputs, *twice]) + "->" + "".join(letters), *arrays, *(np.eye(size[x[0]]) for x in twice)
    )


ORACLE = {"einsum": einsum} | SIZES
SCALARS = {
    "kron left": "sum(tanh(kron(kron(A, B), C)))",
    "kron right": "sum(kron(A, kron(B, C)))**2",
    "kron squared": "sum(kron(A, B)**2 * kron(A, B))",
    "kron twice in one product": "sum(kron(A, S) * kron(A, S) * kron(A*A, S*S))",
    "products of krons": "sum(kron(S, T) @ kron(A, T) @ kron(T, A.T))",
    "kron, trace of a square": "trace(kron(S, T) @ kron(S, T))",
    "kron of a kron with itself": "trace(kron(kron(S, T), kron(S, T)))",
    "diagonal of a kron": "sum(diag(kron(S, T))**3)",
    "diagonal of a kron, spread": "sum(tanh(diag(diag(kron(S, T))) + kron(T, S)))",
    "determinant of a kron": "logdet(kron(S @ S.T + eye(m), T @ T.T + eye(n)))",
    "kron of rows and columns": "sum(sin(kron(u[:, None], v[None, :]) + A))",
    "named kron in a kron": "H = kron(A, B)\nK = kron(H, C)\nsum(tanh(K))",
    "diagonal of a diagonal, named": "H = diag(diag(T))\nsum(H*T)",
    "function of a diagonal": "H = diag(diag(T))\nsum(exp(H))",
    "inverse of a diagonal": "H = diag(diag(T))\nsum(inv(H + 4*eye(n)))",
    "diagonals three times": "H = diag(diag(T))\nK = diag(diag(H @ T))\nsum(K @ T)",
    "a label four times": "H = einsum('ij->ijij', A)\nsum(einsum('abab->ab', H)**2)",
    "labels crossed": "H = einsum('ij->ijji', S)\nsum(einsum('abab->ab', H)**3)",
    "repeated on both sides": "H = einsum('iij->iji', einsum('ij,ik->ijk', T, T))\nsum(tanh(H))",
    "inverse of an inverse": "sum(inv(inv(T + 4*eye(n)) + 2*eye(n)))",
    "determinant of an inverse": "det(inv(T + 4*eye(n)) + T)",
    "log-sum-exp twice": "logsumexp(logsumexp(A, axis=1))",
    "softmax twice": "sum(softmax(softmax(A, axis=0), axis=1)*A)",
    "log-softmax of a softmax": "sum(log_softmax(softmax(A, axis=1), axis=1)*A)",
    "norm of a norm": "norm(norm(A)*u + u)",
    "where in a where": "H = where(A > 0.9, A**2, A**3)\nsum(tanh(where(A > 0.1, H, tanh(A))))",
}


@pytest.fixture(params=SCALARS.values(), ids=SCALARS)
def case(request):
    """The text, its inputs' shapes, and generic data."""
    rng = np.random.default_rng(0)
    shapes = {n: s for n, s in SHAPES.items() if re.search(rf"\b{n}\b", request.param)}
    return request.param, shapes, {n: rng.normal(size=[SIZES[d] for d in s.split()]) for n, s in shapes.items()}


def test_values_and_gradients(case):
    text, shapes, values = case
    f = byhand.parse(text, shapes)
    derivation = byhand.derive(f)
    wanted = value_of(text, values | ORACLE)
    assert relative_error(byhand.evaluate(f, **values), wanted, 1.0) < 1e-12
    value, gradients = derivation.function("numpy")(**values)
    assert relative_error(value, wanted, 1.0) < 1e-12
    rng = np.random.default_rng(1)
    for name, gradient in gradients.items():
        assert np.array_equal(np.shape(gradient), values[name].shape)
        direction = rng.normal(size=values[name].shape)
        slope = directional_derivative(text, values | ORACLE, {name: direction})
        assert abs(np.sum(gradient * direction) - slope) < 1e-10 * max(1.0, abs(slope)), name
        printed = byhand.evaluate(derivation.gradients[name], **values)
        assert relative_error(printed, gradient, 1.0) < 1e-10


@pytest.mark.parametrize("target", ["c", "jax", "torch"])
def test_targets_agree(case, target):
    text, shapes, values = case
    derivation = byhand.derive(byhand.parse(text, shapes))
    value, gradients = derivation.function("numpy")(**values)
    if target == "c" and {"inv", "logdet", "det"} & derivation.f.root.operations:
        with pytest.raises(byhand.errors.MissingRuleError, match="linear algebra"):
            derivation.function(target)
        return
    tensors = {n: torch.tensor(v) for n, v in values.items()} if target == "torch" else values
    other, others = derivation.function(target)(**tensors)
    assert relative_error(other, value, 1.0) < 1e-10
    for name, gradient in gradients.items():
        assert relative_error(others[name], gradient, 1.0) < 1e-10, name


def test_printed_forms_are_read_back(case):
    text, shapes, data = case
    f = byhand.parse(text, shapes)
    values, sizes = bind(f, data)
    for node in (f.root, *(g.root for g in byhand.derive(f).gradients.values())):
        for form in (node, normal(node)):
            if "affine" in form.operations and form.ndim:
                continue  # read back as one sum over all labels, it takes minutes
            wanted = evaluate_node(form, values, sizes)
            names = named_values(form, values, sizes)
            assert relative_error(form_value(lower(form, einsum=True), names, sizes), wanted, 1.0) < 1e-10
            style = Style(reserved=frozenset(sizes))
            if {"affine", "logsumexp"} & form.operations:  # the readers know neither compound indices nor which axes
                continue
            letters = free_letters(style, form.ndim)
            m = index_math(form, style, letters)
            entries = IndexReader(by_name(names), sizes).entries(m, letters, np.shape(wanted))
            assert relative_error(entries, wanted, 1.0) < 1e-10, to_text(m)
            try:
                m = matrix_math(form, style)
            except NoMatrixForm:
                continue
            wanted = wanted[:, None] if np.ndim(wanted) == 1 else wanted
            readings = MatrixReader(by_name(names), sizes).readings(m)
            readings = [r.like(wanted) if isinstance(r, Eye) else r for r in readings]
            assert any(relative_error(r, wanted, 1.0) < 1e-10 for r in readings), to_text(m)
