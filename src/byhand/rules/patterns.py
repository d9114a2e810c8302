"""The table of patterns: what a contraction's labels are called, and the name of the step that moves a factor off d( ).

A product of labelled factors is read two factors at a time; each pair, and each factor alone, is one row here. The same
rows name the steps of a derivation (`adjoint` names), print in matrix notation (`notation/matrix.py`) and as code
(`code/numpy.py`); a test walks all three.
"""

from __future__ import annotations

from typing import NamedTuple

from byhand.expr.contraction import Label

ADJOINT = "the adjoint of a linear map, ⟨G, A X⟩ = ⟨Aᵀ G, X⟩: Giles (2008), section 2"


class Pattern(NamedTuple):
    """A row.

    Attributes:
        spec: labels in, labels out, as einsum writes them.
        kind: the name of the form that it makes.
        meaning: what it is called in print.
        move_first, move_second: the rule shown when the first (second) operand is moved off the differential of the other,
            or a view off its operand.
        first, second: that rule as an equation between inner products: G is the adjoint, A the first operand, B the
            second, X the one under d( ); small letters are vectors and scalars.
        source: where the rule is written down.
    """

    spec: str
    kind: str
    meaning: str
    move_first: str
    first: str
    move_second: str = ""
    second: str = ""
    source: str = ADJOINT

    @property
    def sides(self) -> tuple[list[str], str]:
        """Labels of the operands and of the result."""
        left, right = self.spec.split("->")
        return left.split(","), right


_TABLE = (
    Pattern("k,k->", "dot", "dot product",
            "move a factor of a dot product", "inner(g, a @ d(x)) = inner(g*a, d(x))",
            "move a factor of a dot product", "inner(g, d(x) @ b) = inner(g*b, d(x))"),
    Pattern("kl,kl->", "inner", "inner product",
            "move a factor of an inner product", "inner(g, inner(A, d(X))) = inner(g*A, d(X))",
            "move a factor of an inner product", "inner(g, inner(d(X), B)) = inner(g*B, d(X))"),
    Pattern("ik,k->i", "matvec", "matrix-vector product",
            "move a left factor", "inner(g, A @ d(x)) = inner(A.T @ g, d(x))",
            "move a right vector (outer product)", "inner(g, d(X) @ b) = inner(outer(g, b), d(X))"),
    Pattern("ik,kj->ij", "matmul", "matrix product",
            "move a left factor", "inner(G, A @ d(X)) = inner(A.T @ G, d(X))",
            "move a right factor", "inner(G, d(X) @ B) = inner(G @ B.T, d(X))"),
    Pattern("i,j->ij", "outer", "outer product",
            "move a column vector", "inner(G, outer(a, d(x))) = inner(G.T @ a, d(x))",
            "move a row vector", "inner(G, outer(d(x), b)) = inner(G @ b, d(x))"),
    Pattern("i,i->i", "hadamard", "Hadamard product",
            "move a Hadamard factor", "inner(g, a*d(x)) = inner(g*a, d(x))",
            "move a Hadamard factor", "inner(g, d(x)*b) = inner(g*b, d(x))"),
    Pattern("ij,ij->ij", "hadamard", "Hadamard product",
            "move a Hadamard factor", "inner(G, A*d(X)) = inner(G*A, d(X))",
            "move a Hadamard factor", "inner(G, d(X)*B) = inner(G*B, d(X))"),
    Pattern("i,ij->ij", "scale_rows", "scaled rows",
            "move a diagonal factor", "inner(G, diag(a) @ d(X)) = inner(diag(a) @ G, d(X))",
            "sum over the columns", "inner(G, diag(d(x)) @ B) = inner((G*B) @ ones(j), d(x))"),
    Pattern("j,ij->ij", "scale_columns", "scaled columns",
            "move a diagonal factor", "inner(G, d(X) @ diag(a)) = inner(G @ diag(a), d(X))",
            "sum over the rows", "inner(G, B @ diag(d(x))) = inner((G*B).T @ ones(i), d(x))"),
    Pattern("kk->", "trace", "trace", "open a trace", "inner(g, trace(d(X))) = inner(g*eye(k), d(X))"),
    Pattern("ii->i", "diagonal", "diagonal", "put on the diagonal", "inner(g, diag(d(X))) = inner(diag(g), d(X))"),
    Pattern("ik->i", "row_sums", "row sums", "spread over the columns", "inner(g, sum(d(X), 1)) = inner(outer(g, ones(k)), d(X))"),
    Pattern("kj->j", "column_sums", "column sums", "spread over the rows", "inner(g, sum(d(X), 0)) = inner(outer(ones(k), g), d(X))"),
    Pattern("k->", "total", "sum of the entries", "spread a scalar", "inner(g, sum(d(x))) = inner(g*ones(k), d(x))"),
    Pattern("kl->", "total", "sum of the entries", "spread a scalar", "inner(g, sum(d(X))) = inner(g*ones(k, l), d(X))"),
    Pattern("ij->ji", "transpose", "transpose", "move a transpose", "inner(G, d(X).T) = inner(G.T, d(X))"),
    Pattern("i->ii", "diagonal_matrix", "diagonal matrix", "take the diagonal", "inner(G, diag(d(x))) = inner(diag(G), d(x))"),
    Pattern("i->ij", "spread_columns", "columns repeated", "sum over the columns",
            "inner(G, outer(d(x), ones(j))) = inner(G @ ones(j), d(x))"),
    Pattern("j->ij", "spread_rows", "rows repeated", "sum over the rows (bias)",
            "inner(G, outer(ones(i), d(x))) = inner(G.T @ ones(i), d(x))", source="Goodfellow, Bengio and Courville (2016), section 6.5"),
    Pattern("->i", "fill", "a scalar repeated", "sum over all entries", "inner(g, d(x)*ones(i)) = inner(sum(g), d(x))"),
    Pattern("->ij", "fill", "a scalar repeated", "sum over all entries", "inner(G, d(x)*ones(i, j)) = inner(sum(G), d(x))"),
    Pattern("->ii", "identity", "a multiple of the identity", "take the trace", "inner(G, d(x)*eye(i)) = inner(trace(G), d(x))"),
)  # fmt: skip
PATTERNS: tuple[Pattern, ...] = _TABLE

# What a factor is called that no row has: (name, an instance of it, shapes).
OTHER_MOVES = (
    ("move a scalar", "inner(G, a*d(X)) = inner(a*G, d(X))", {"G": "m n", "a": "", "X": "m n"}),
    ("move a factor", "inner(G, A @ d(X)) = inner(einsum('bki,bkj->bij', A, G), d(X))", {"G": "b m n", "A": "b m k", "X": "b k n"}),
    ("reorder the axes", "inner(G, transpose(d(X), (2, 0, 1))) = inner(transpose(G, (1, 2, 0)), d(X))", {"G": "n b m", "X": "b m n"}),
    ("keep the diagonal", "inner(G, diag(diag(d(X)))) = inner(diag(diag(G)), d(X))", {"G": "n n", "X": "n n"}),
    ("sum and spread", "inner(G, outer(ones(k), sum(d(X), 1))) = inner(outer(ones(k) @ G, ones(n)), d(X))", {"G": "k m", "X": "m n"}),
)  # fmt: skip


def same_pattern(spec: list[tuple[Label, ...]], pattern: list[str]) -> bool:
    """Whether labels are a pattern's letters up to renaming."""
    if [len(s) for s in spec] != [len(p) for p in pattern]:
        return False
    forward: dict[Label, str] = {}
    for labels, letters in zip(spec, pattern, strict=True):
        for label, letter in zip(labels, letters, strict=True):
            if forward.setdefault(label, letter) != letter:
                return False
    return len(set(forward.values())) == len(forward)


def move_name(factor: tuple[Label, ...], rest: tuple[Label, ...], out: tuple[Label, ...]) -> str:
    """The rule that moves a factor off the rest, in out = factor · rest; transposes of each are seen through."""
    for row in PATTERNS:
        operands, result = row.sides
        if len(operands) != 2:
            continue
        for position, name in ((0, row.move_first), (1, row.move_second)):
            for f in {factor, factor[::-1]}:
                for r in {rest, rest[::-1]}:
                    pair = [f, r] if position == 0 else [r, f]
                    if same_pattern([*pair, out], [*operands, result]):
                        return name
    return "move a Hadamard factor" if set(factor) == set(rest) else "move a factor"


def view_name(labels: tuple[Label, ...], out: tuple[Label, ...]) -> str | None:
    """The rule that moves a view (transpose, sum, broadcast, diagonal) off d( ); None where there is none to move."""
    if labels == out:
        return None if len(set(labels)) == len(labels) else "keep the diagonal"
    for row in PATTERNS:
        operands, result = row.sides
        if len(operands) == 1 and same_pattern([labels, out], [operands[0], result]):
            return row.move_first
    return "reorder the axes" if sorted(map(str, labels)) == sorted(map(str, out)) else "sum and spread"
