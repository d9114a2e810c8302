"""What is written has its value: forms, matrix notation and index notation, read back by numbers."""

import random

import numpy as np
import pytest
from rules.random_nodes import DIMS, SIZES, RandomNodes, agree, largest_inside, value_of, values_of
from rules.readers import Eye, IndexReader, MatrixReader, Misread, Unsaid, by_name, form_value, named_values

from byhand.expr.contraction import contract
from byhand.expr.evaluate import evaluate_node
from byhand.expr.nodes import Symbol, differential_of, symbol, topological
from byhand.expr.parse import parse
from byhand.notation.index import free_letters, index_math
from byhand.notation.matrix import MATRIX_NOTATION, matrix_math
from byhand.notation.style import Style
from byhand.notation.text import to_text
from byhand.rules.elimination import lower
from byhand.rules.forms import NoMatrixForm
from byhand.rules.patterns import PATTERNS
from byhand.rules.simplify import normal

BLOCKS, PER_BLOCK = 10, 80


class Case:
    """A node, its value, and what its names stand for; every other one in normal form, some vectors printed as rows."""

    def __init__(self, seed, node=None):
        g, rng = RandomNodes(seed), random.Random(seed)
        self.node = g.node(g.shape(), 3) if node is None else node
        if seed % 2:
            self.node = normal(self.node)
        self.values = values_of([self.node])
        differentials = {}
        if seed % 3 == 0:  # some vectors and matrices are differentials: d(X) wherever X stood
            for s in self.values:
                if rng.random() < 0.3 and not s.assumptions and s.ndim:
                    differentials[s] = np.random.default_rng(seed).standard_normal(np.shape(self.values[s]))
        self.directions = differentials
        self.wanted = value_of(self.node, self.values)
        self.largest = largest_inside(self.node, self.values)
        self.named = named_values(self.node, self.values, SIZES)
        vectors = [n for n in self.named if isinstance(n, Symbol) and n.ndim == 1]
        self.rows = frozenset(n for n in vectors if rng.random() < 0.3)
        self.style = Style(rows=self.rows, reserved=frozenset(SIZES))

    def close(self, value, wanted):
        return np.shape(value) == np.shape(wanted) and agree(value, wanted, self.largest)


def cases(block):
    return ((seed, Case(seed)) for seed in range(block * PER_BLOCK, (block + 1) * PER_BLOCK))


@pytest.mark.parametrize("block", range(BLOCKS))
def test_forms_say_what_the_node_is(block):
    found = 0
    for seed, c in cases(block):
        for einsum in (False, True):
            try:
                form = lower(c.node, einsum)
            except NoMatrixForm:
                assert not einsum, "with einsum every node has a form"
                continue
            found += 1
            assert form.rank == c.node.ndim
            assert c.close(form_value(form, c.named, SIZES), c.wanted), f"seed {seed}: {form}"
    assert found > PER_BLOCK * 1.5


@pytest.mark.parametrize("block", range(BLOCKS))
def test_matrix_notation_says_what_the_node_is(block):
    found = 0
    for seed, c in cases(block):
        for turned in (False, True):
            try:
                m = matrix_math(c.node, c.style, turned)
            except NoMatrixForm:
                continue
            wanted = c.wanted[:, None] if c.wanted.ndim == 1 else c.wanted
            wanted = wanted.T if turned else wanted
            reader = MatrixReader(by_name(c.named), SIZES, {s.name for s in c.rows})
            try:
                readings = [r.like(wanted) if isinstance(r, Eye) else r for r in reader.readings(m)]
            except Unsaid:
                continue  # diag(I): its size stands nowhere
            except Misread as problem:
                pytest.fail(f"seed {seed}, turned {turned}: {problem} in {to_text(m)}")
            assert any(c.close(r, wanted) for r in readings), f"seed {seed}, turned {turned}: {to_text(m)}"
            found += 1
    assert found > PER_BLOCK * 1.4


@pytest.mark.parametrize("block", range(BLOCKS))
def test_index_notation_says_what_the_node_is(block):
    for seed, c in cases(block):
        letters = free_letters(c.style, c.node.ndim)
        m = index_math(c.node, c.style, letters)
        reader = IndexReader(by_name(c.named), SIZES, {s.name for s in c.rows})
        try:
            value = reader.entries(m, letters, c.wanted.shape)
        except Misread as problem:
            pytest.fail(f"seed {seed}: {problem} in {to_text(m)}")
        assert c.close(value, c.wanted), f"seed {seed}: {to_text(m)}"


def test_arrays_of_rank_three_and_four():
    for seed in range(150):
        g = RandomNodes(seed)
        shape = tuple(random.Random(seed).choice(DIMS) for _ in range(3 + seed % 2))
        c = Case(seed, g.contraction(shape, 2))
        letters = free_letters(c.style, c.node.ndim)
        m = index_math(c.node, c.style, letters)
        value = IndexReader(by_name(c.named), SIZES).entries(m, letters, c.wanted.shape)
        assert c.close(value, c.wanted), f"seed {seed}: {to_text(m)}"
        form = form_value(lower(c.node, einsum=True), c.named, SIZES)
        assert c.close(form, c.wanted), f"seed {seed}"


def test_linear_maps_of_differentials():
    """Terms with d(X), as the differentials and the moves print them: d(X) stays last, and means the direction."""
    from rules.test_differentials import expanded

    for seed in range(120):
        g = RandomNodes(seed)
        base = g.node(g.shape(), 2)
        node = expanded(base)
        if not node.has_differential:
            continue
        values = values_of([base])
        rng = np.random.default_rng(seed)
        directions = {s: rng.standard_normal(np.shape(v)) for s, v in values.items()}
        values_with = values | {differential_of(s): d for s, d in directions.items()}
        wanted = evaluate_node(node, values_with, SIZES)
        largest = largest_inside(node, values_with)
        names = by_name(named_values(node, values, SIZES, directions))
        style = Style(reserved=frozenset(SIZES))
        letters = free_letters(style, node.ndim)
        value = IndexReader(names, SIZES).entries(index_math(node, style, letters), letters, wanted.shape)
        assert agree(value, wanted, largest), f"seed {seed}: {to_text(index_math(node, style, letters))}"
        try:
            m = matrix_math(node, style)
        except NoMatrixForm:
            continue
        column = wanted[:, None] if wanted.ndim == 1 else wanted
        try:
            readings = [r.like(column) if isinstance(r, Eye) else r for r in MatrixReader(names, SIZES).readings(m)]
        except Unsaid:
            continue
        assert any(np.shape(r) == column.shape and agree(r, column, largest) for r in readings), (
            f"seed {seed}: {to_text(m)}"
        )


# ---- the tables


def test_every_pattern_has_its_form_and_its_notation():
    """Each row of the patterns: the contraction of its labels lowers to its kind, and each kind has a printer row."""
    for row in PATTERNS:
        operands, out = row.sides
        dims = dict(zip("ijkl", (7, 3, 5, 2), strict=True))
        factors = [(symbol(f"A{n}", tuple(dims[x] for x in ls)), ls, 1) for n, ls in enumerate(operands)]
        form = lower(contract(factors, out, dims={x: dims[x] for x in out}))
        kinds = {form.kind, *(a.kind for a in form.args)}
        assert row.kind in kinds or (row.kind == "inner" and form.kind == "norm_squared"), f"{row.spec}: {form}"
        assert row.kind in MATRIX_NOTATION


@pytest.mark.parametrize(
    "text, printed",
    [
        ("X @ w", "X w"),
        ("X.T @ X", "Xᵀ X"),
        ("w @ w", "‖w‖²"),
        ("a @ X @ w", "aᵀ X w"),
        ("diag(a) @ X", "diag(a) X"),
        ("sum(X, 0)", "Xᵀ 1_m"),
        ("sum(X, 1)", "X 1_n"),
        ("outer(a, w)", "a wᵀ"),
        ("1 - X**2", "1 − X^∘2"),
        ("trace(S)", "tr(S)"),
        ("S + 2*eye(n)", "S + 2 I"),
        ("kron(S, S)", "S ⊗ S"),
        ("a[:, None] + X", "a 1_nᵀ + X"),
    ],
)
def test_how_the_common_patterns_print(text, printed):
    shapes = {"X": "m n", "w": "n", "a": "m", "S": "n n"}
    node = parse(text, shapes={k: v for k, v in shapes.items() if k in text}).root
    shown = to_text(matrix_math(node, Style()))
    assert shown == printed or sorted(shown.split(" + ")) == sorted(printed.split(" + "))


def test_constants_of_any_shape_keep_it():
    """A sum of constants prints as a vector or a matrix, not as a number."""
    node = parse("2*ones(n) + m*ones(n)", shapes={"X": "m n"}).root
    assert to_text(matrix_math(node, Style())) in ("2·1_n + m 1_n", "m 1_n + 2·1_n")
    node = parse("x - 2", shapes={"x": "n"}).root
    assert to_text(matrix_math(node, Style())) == "x − 2"


def test_names_are_not_taken_as_letters():
    """An index letter is no name of the formula: Σ_k with a symbol k would say something else."""
    node = parse("k*(X @ X) @ w", shapes={"X": "n n", "w": "n", "k": ""}).root
    style = Style(reserved=frozenset({"k", "n"}))
    used = {s.name for s in topological([node]) if isinstance(s, Symbol)}
    text = to_text(index_math(node, style))
    assert "Σ_j" in text and "k" in used and "Σ_k" not in text
