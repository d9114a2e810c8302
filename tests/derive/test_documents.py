"""Every line of a printed derivation is read back by numbers: in each notation and layout, left equals each form."""

import random

import numpy as np
import pytest
from acceptance.random_expressions import generate
from rules.readers import Eye, IndexReader, MatrixReader, Unsaid

import byhand
from byhand.expr.assume import sample
from byhand.expr.dims import dim_value
from byhand.expr.evaluate import evaluate_node, evaluate_nodes
from byhand.expr.nodes import Named, Symbol
from byhand.notation import typeset as ts
from byhand.notation.document import document
from byhand.notation.text import to_text
from byhand.notation.writer import Writer

SIZES = {"N": 7, "D": 5, "H": 3, "C": 2, "m": 5, "n": 3, "k": 2, "p": 7}
STEP = 1e-30
TWO_LAYERS = """
Z1 = X @ W1 + b1
H1 = {act}(Z1)
Z2 = H1 @ W2 + b2
P = softmax(Z2)
L = -sum(Y*log(P))/N + lam*(sum(W1**2) + sum(W2**2))"""
LAYERS = {"X": "N D", "W1": "D H", "b1": "H", "W2": "H C", "b2": "C", "Y": "N C", "lam": ""}
SAMPLE = "z1 = W1.T @ x + b1\na1 = sigmoid(z1)\nz2 = W2.T @ a1 + b2\nJ = -y @ log_softmax(z2)"
TANH = "Z = X @ W + b\nY = tanh(Z)\nL = mean(cross_entropy(Y, t))"

FUNCTIONS = {
    "two layers": (TWO_LAYERS.format(act="tanh"), LAYERS, {"Y": "simplexrows"}, "W1,b1,W2,b2"),
    "two layers, no assumption": (TWO_LAYERS.format(act="relu"), LAYERS, {}, "X,W1,b1,W2,b2,lam"),
    "one sample": (SAMPLE, {"x": "D", "W1": "D H", "b1": "H", "W2": "H C", "b2": "C", "y": "C"}, {"y": "simplexrows"}, None),
    "tanh logits": (TANH, {"X": "N D", "W": "D C", "b": "C", "t": "N"}, {}, None),
    "least squares": ("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}, {}, None),
    "bilinear": ("a @ X @ b", {"a": "m", "X": "m n", "b": "n"}, {}, None),
    "exp": ("a @ exp(X @ b)", {"a": "m", "X": "m n", "b": "n"}, {}, None),
    "traces": ("trace(A @ X @ B @ X.T @ C)", {"A": "m m", "X": "m n", "B": "n n", "C": "m m"}, {}, "X,B"),
    "rayleigh": ("(x @ A @ x)/(x @ x)", {"A": "n n", "x": "n"}, {}, None),
    "inverse": ("logdet(X) + a @ inv(X) @ a", {"X": "n n", "a": "n"}, {"X": "wellcond"}, None),
    "symmetric": ("trace(A @ X @ X)", {"A": "n n", "X": "n n"}, {"X": "symmetric"}, "X"),
    "diagonal": ("trace(A @ D @ A.T)", {"A": "n n", "D": "n n"}, {"D": "diagonal"}, "D,A"),
    "log-sum-exp": ("sum(logsumexp(X @ W, 1)) - sum(X)", {"X": "m n", "W": "n k"}, {}, None),
    "batch norm": (
        "mu = mean(X, 0)\nS = X - mu\nv = mean(S**2, 0)\nR = S/sqrt(v + 1)\nsum(gamma*R + beta)*mean(R**3)",
        {"X": "m n", "gamma": "n", "beta": "n"}, {}, None,
    ),
    "kronecker": ("trace(kron(A, B) @ kron(A, B).T)", {"A": "m n", "B": "n k"}, {}, "A,B"),
    "masks": ("sum(where(X > 0, X**2, c*abs(X)))/n", {"X": "m n", "c": "m n"}, {}, "X"),
    "does not occur": ("sum(x**3)", {"x": "n", "v": "m"}, {}, "x,v"),
}  # fmt: skip


class Point:
    """A derivation with values for everything that its text can name: inputs, intermediates, adjoints, differentials."""

    def __init__(self, d, notation="differential", seed=0):
        self.d, rng = d, np.random.default_rng(seed)
        self.values = {}
        for s in d.f.symbols.values():
            shape = tuple(dim_value(n, SIZES) for n in s.shape)
            self.values[s] = sample(s.assumptions, rng, shape, classes=SIZES["C"])
        variables = {v: rng.standard_normal(np.shape(self.values[v])) for v in d.variables}
        for v, direction in variables.items():  # a variable with structure moves within it
            if "diagonal" in v.assumptions:
                variables[v] = np.diag(np.diag(direction))
            elif "symmetric" in v.assumptions:
                variables[v] = direction + direction.T
        moved = {s: v + 1j * STEP * variables[s] if s in variables else v for s, v in self.values.items()}
        forward = [*d.prepared.units, *d.helpers]
        self.names = {s.name: v for s, v in self.values.items()}
        self.names |= {"d" + s.name: v for s, v in variables.items()}
        for n in forward:
            self.names[n.name] = evaluate_node(n, self.values, SIZES)
            self.names["d" + n.name] = np.imag(evaluate_node(n, moved, SIZES)) / STEP
        self.names[d.f.name] = evaluate_node(d.f.root, self.values, SIZES)
        self.names["d" + d.f.name] = np.imag(evaluate_node(d.f.root, moved, SIZES)) / STEP
        for u in d.units:
            if isinstance(u.node, (Symbol, Named)):
                self.names["∂" + u.name] = evaluate_nodes([u.adjoint], self.values, SIZES)[u.adjoint]
                letter = d.closed_forms.letters.get(u.adjoint)
                if letter and not isinstance(u.node, Symbol):
                    self.names[letter] = self.names["∂" + u.name]
            if isinstance(u.node, Symbol):
                self.names["∂" + u.name] = evaluate_node(u.value, self.values, SIZES)
                free = [s.node for s in u.stages if s.kind != "structure"]
                self.names["G_" + u.name] = evaluate_node(free[-1], self.values, SIZES)
        writer = Writer(d, jacobian=notation == "jacobian")
        own = {n.name for n in (*d.f.symbols.values(), *forward) if n in writer.rows}
        gradients = {"∂" + u.name for u in d.units if writer.is_row_gradient(u.node)}
        gradients |= {
            letter
            for u in d.units
            if (letter := d.closed_forms.letters.get(u.adjoint)) and writer.is_row_gradient(u.node)
        }
        self.rows = None if d.f.vectors_as_rows else own | gradients
        sizes = {**SIZES, "classes": SIZES["C"]}
        self.matrices, self.indexed = (
            MatrixReader(self.names, sizes, self.rows),
            IndexReader(self.names, sizes, self.rows),
        )

    def matrix_values(self, m, like):
        for value in self.matrices.readings(m):
            value = value.like(np.empty(np.shape(like))) if isinstance(value, Eye) else value
            if np.ndim(value) == 0 and np.ndim(like):
                value = np.full(np.shape(like), value)  # a gradient that is 0
            yield np.ravel(value) if 1 in np.shape(value) or np.ndim(like) == 1 else value

    def line_holds(self, left, part, notation):
        letters = left_letters(left)
        if notation == "index" or letters:
            lengths = self.indexed.lengths(left, letters)
            shape = tuple(lengths[x] for x in letters)
            a, b = (self.indexed.entries(m, letters, shape) for m in (left, part))
            return np.allclose(a, b, rtol=1e-9, atol=1e-9 * (1 + np.max(np.abs(a), initial=0)))
        (wanted, *_) = self.matrices.readings(left)
        wanted = np.ravel(wanted) if 1 in np.shape(wanted) else wanted
        found = [v for v in self.matrix_values(part, wanted) if np.shape(v) == np.shape(wanted)]
        return any(
            np.allclose(v, wanted, rtol=1e-9, atol=1e-9 * (1 + np.max(np.abs(wanted), initial=0))) for v in found
        )


def left_letters(m):
    """The free index letters on the left of a line."""
    match m:
        case ts.Indexed(_, indices):
            return list(indices)
        case ts.Partial(_, wrt):
            return left_letters(wrt)
        case ts.Differential(body):
            return left_letters(body)
    return []


def lines_of(doc):
    return [line for section in doc.sections if section.title != "Local Jacobians" for line in section.lines]


def is_chain_rule(line):
    """∂L/∂vec(Z)·∂vec(Z)/∂vec(W): the vector chain rule in words, multiplied out on the next line."""
    return any("rule" in p.rule or "total derivative" in p.rule for p in line.parts)


@pytest.mark.parametrize("notation", ["differential", "index", "jacobian"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_line_says_the_truth(name, notation):
    text, shapes, assume, wrt = FUNCTIONS[name]
    d = byhand.derive(byhand.parse(text, shapes, assume), wrt)
    read = read_back(Point(d, notation), document(d, notation, "micro"), notation)
    assert read > 3 or name == "does not occur"


def read_back(point, doc, notation):
    """How many equations of a document were read; all of them hold."""
    read = 0
    for line in lines_of(doc):
        if line.left is None or (notation == "jacobian" and is_chain_rule(line)):
            continue
        for part in line.parts:
            shown = f"{to_text(line.left)} = {to_text(part.math)}   ({part.rule})"
            try:
                assert point.line_holds(line.left, part.math, notation), shown
            except Unsaid:
                continue
            read += 1
    return read


@pytest.mark.parametrize("layout", ["rows-outputs-first", "columns", "columns-inputs-first"])
@pytest.mark.parametrize("name", ["two layers", "one sample", "tanh logits"])
def test_every_line_says_the_truth_in_other_layouts(name, layout):
    text, shapes, assume, wrt = FUNCTIONS[name]
    d = byhand.derive(byhand.parse(text, shapes, assume), wrt).in_layout(layout)
    for notation in ("differential", "index", "jacobian"):
        assert read_back(Point(d, notation), document(d, notation, "micro"), notation) > 10


def result_of(text, shapes, wrt):
    return result_lines(byhand.derive(byhand.parse(text, shapes), wrt).text(level="result"))


def result_lines(text):
    return [" ".join(line.split()) for line in text.split("Result\n")[1].splitlines() if line]


def test_what_a_result_would_say_twice_is_named_once():
    shapes = {"X": "m n", "W": "n k"}
    assert result_of("sum(softmax(X @ W, axis=1)**2)", shapes, "W") == [
        "Z = X W (m, k)",
        "P = softmax(Z) (m, k)",
        "∂f/∂W = 2 Xᵀ (P^∘2 − diag(P^∘2 1_k) P) (n, k)",
    ]
    assert result_of("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}, "w") == ["∂f/∂w = 2 Xᵀ (X w − y) (n,)"]


def test_a_name_inside_a_name_that_stays_stays_too():
    lines = result_of("log(det(X@X.T + A))*trace(inv(X@X.T + A)@B)", {"X": "m n", "A": "m m", "B": "m m"}, "X")
    assert lines[:2] == ["Z = X Xᵀ + A (m, m)", "M = Z⁻¹ (m, m)"]
    assert "log(det(Z))" in lines[2] and "X Xᵀ" not in lines[2]


def test_the_result_of_a_network_stands_alone():
    d = byhand.derive(byhand.MLP("7-5-3-2-2-2-2-2", activation="tanh", loss="mse"))
    lines = result_lines(d.text(level="result"))
    defined = [line.split(" = ")[0].split(" ≔ ")[-1] for line in lines]
    assert defined.index("∂L/∂Z1") < defined.index("∂L/∂W1")
    assert {"H1", "Z1", "R"} <= set(defined)
    assert all(line.startswith("∂L/∂") for line in result_lines(d.text(level="steps")))


def test_every_expression_prints():
    for seed in range(300):
        case = generate(random.Random(f"print {seed}"))
        f = byhand.parse(case.text, shapes=case.shapes, assume=case.assume)
        assert str(f) and repr(f).startswith("<Expression f = ")


def test_a_jacobian_without_a_matrix_form_is_written_with_indices():
    d = byhand.derive(
        byhand.parse("sum(g * einsum('bij,b,j->i', A, u, v))", {"g": "m", "A": "b m n", "u": "b", "v": "n"})
    )
    for level in ("steps", "micro"):
        assert "∂f/∂u_i = Σ_jk A_ijk g_j v_k" in d.text("jacobian", level)
    assert "∂f/∂A_ijk = g_j u_i v_k" in d.text("jacobian") or "∂f/∂A_ijk = u_i g_j v_k" in d.text("jacobian")
