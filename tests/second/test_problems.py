"""The Jacobian and Hessian problems of `data/matrix_calculus.json`: value, printed structure, operator."""

import json
from pathlib import Path

import numpy as np
import pytest
from oracles import NUMPY_NAMES, draw, relative_error, run

import byhand
from byhand.second.show import matrix_text

PROBLEMS = [
    problem
    for problem in json.loads((Path(__file__).parents[1] / "data" / "matrix_calculus.json").read_text("utf-8"))
    if problem["kind"] in ("jacobian", "hessian")
]
SIZES = {"m": 11, "n": 7, "k": 3, "h": 5, "b": 2}
TOLERANCE = 1e-9

# problem -> (printed matrix notation, structure of the operator)
PRINTED = {
    "jac_softmax": ("diag(p) − p pᵀ", "diagonal + low rank"),
    "jac_tanh": ("diag(1 − tanh(z)^∘2) A", "dense"),
    "jac_normalize": ("I/‖x‖ − x xᵀ/‖x‖³", "diagonal + low rank"),
    "jac_AXB": ("A ⊗ Bᵀ", "Kronecker"),
    "hess_quad": ("A + Aᵀ", "M + Mᵀ"),
    "hess_lsq": ("2 Xᵀ X", "XᵀDX"),
    "hess_logistic": ("Xᵀ diag(σ(z) ⊙ (1 − σ(z))) X", "XᵀDX"),
    "hess_barrier": ("Aᵀ diag(1 ⊘ (b − A x)^∘2) A", "XᵀDX"),
    "hess_mf_U": ("I ⊗ (2 Vᵀ V)", "Kronecker"),
    "hess_softmax_W": ("Σ_b ((X_b X_bᵀ) ⊗ (diag(P_b) − P_b P_bᵀ))", "Kronecker sum"),
}


@pytest.fixture(params=PROBLEMS, ids=lambda problem: problem["id"])
def problem(request):
    return request.param


def derived(problem):
    shapes = {name: " ".join(dims) for name, dims in problem["shapes"].items()}
    function = byhand.parse(problem["expr"], shapes=shapes, assume=problem.get("domain", {}))
    return {"jacobian": byhand.jacobian, "hessian": byhand.hessian}[problem["kind"]](function, problem["wrt"])


def drawn(problem, seed):
    rng, domains = np.random.default_rng(seed), problem.get("domain", {})
    return {
        name: draw(domains.get(name), [SIZES[dim] for dim in dims], rng, classes=SIZES["k"])
        for name, dims in problem["shapes"].items()
    }


def test_value(problem):
    j = derived(problem)
    function, interpreted = j.function("numpy"), j.function("interpreter")
    for seed in range(3):
        values = drawn(problem, seed)
        answer = run(problem["answer"], NUMPY_NAMES, {**SIZES, **values})[0]
        assert relative_error(function(**values), answer) <= TOLERANCE
        assert relative_error(interpreted(**values), answer) <= TOLERANCE
        turned = j.in_layout("denominator").function("numpy")(**values)
        n = j.rows
        axes = [*range(n, answer.ndim), *range(n)]
        assert relative_error(turned, np.transpose(answer, axes)) <= TOLERANCE


def test_printed_structure(problem):
    j = derived(problem)
    assert (matrix_text(j), j.structure) == PRINTED[problem["id"]]
    for layout in ("numerator", "denominator"):
        text = j.text(layout)
        assert layout in text
        assert j.latex(layout) and j.html(layout) and j.markdown(layout)
    assert j.to_dict()["matrix"] == PRINTED[problem["id"]][0]


def test_operator(problem):
    j, values = derived(problem), drawn(problem, 5)
    answer = run(problem["answer"], NUMPY_NAMES, {**SIZES, **values})[0]
    op = j.operator(**values)
    dense = answer.reshape(op.shape)
    v = np.random.default_rng(1).standard_normal(op.shape[1])
    assert relative_error(op.to_dense(), dense) <= TOLERANCE
    assert relative_error(op @ v, dense @ v) <= TOLERANCE
    assert relative_error(op @ v.reshape(op.columns), (dense @ v).reshape(op.rows)) <= TOLERANCE
    assert relative_error(op @ np.stack([v, 2 * v], 1), dense @ np.stack([v, 2 * v], 1)) <= TOLERANCE
    u = np.random.default_rng(2).standard_normal(op.shape[0])
    assert relative_error(op.T @ u, dense.T @ u) <= TOLERANCE
    if op.shape[0] == op.shape[1]:
        assert relative_error(op.diagonal(), np.diag(dense)) <= TOLERANCE
        if np.linalg.cond(dense) < 1e8:
            assert relative_error(dense @ op.solve(v), v) <= TOLERANCE
        else:
            with pytest.raises(byhand.DataError, match="singular"):
                op.solve(v)
