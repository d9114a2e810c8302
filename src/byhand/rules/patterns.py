"""The table of patterns: what a contraction's labels are called, and the name of the step that moves a factor off d( ).

A product of labelled factors is read two factors at a time; each pair, and each factor alone, is one row here. The same
rows name the steps of a derivation (`adjoint` names), print in matrix notation (`notation/matrix.py`) and as code
(`code/numpy.py`); a test walks all three.
"""

from __future__ import annotations

from dataclasses import dataclass

from byhand.expr.contraction import Label


@dataclass(frozen=True, slots=True)
class Pattern:
    """A row.

    Attributes:
        spec: labels in, labels out, as einsum writes them.
        kind: the name of the form that it makes.
        meaning: what it is called in print.
        move_first, move_second: the rule shown when the first (second) operand is moved off the differential of the other.
        equation: that rule as an equation between inner products, G the adjoint.
        source: where the rule is written down.
    """

    spec: str
    kind: str
    meaning: str
    move_first: str
    move_second: str = ""
    equation: str = ""
    source: str = "SEEDS S1.19, S1.20"

    @property
    def sides(self) -> tuple[list[str], str]:
        """Labels of the operands and of the result."""
        left, right = self.spec.split("->")
        return left.split(","), right


_TABLE = (
    Pattern("k,k->", "dot", "dot product", "move a factor of a dot product", "move a factor of a dot product", "<g, a . dx> = <g a, dx>"),
    Pattern("kl,kl->", "inner", "inner product", "move a factor of an inner product", "move a factor of an inner product", "<g, <A, dX>> = <g A, dX>"),
    Pattern("ik,k->i", "matvec", "matrix-vector product", "move a left factor", "move a right vector (outer product)",
            "<g, A dx> = <A' g, dx>; <g, dA x> = <g x', dA>"),
    Pattern("ik,kj->ij", "matmul", "matrix product", "move a left factor", "move a right factor", "<G, A dX> = <A' G, dX>; <G, dX B> = <G B', dX>"),
    Pattern("i,j->ij", "outer", "outer product", "move a column vector", "move a row vector", "<G, a dx'> = <G' a, dx>; <G, dx b'> = <G b, dx>"),
    Pattern("i,i->i", "hadamard", "Hadamard product", "move a Hadamard factor", "move a Hadamard factor", "<g, a * dx> = <g * a, dx>"),
    Pattern("ij,ij->ij", "hadamard", "Hadamard product", "move a Hadamard factor", "move a Hadamard factor", "<G, A * dX> = <G * A, dX>"),
    Pattern("i,ij->ij", "scale_rows", "scaled rows", "move a diagonal factor", "sum over the columns", "<G, diag(a) dX> = <diag(a) G, dX>"),
    Pattern("j,ij->ij", "scale_columns", "scaled columns", "move a diagonal factor", "sum over the rows", "<G, dX diag(b)> = <G diag(b), dX>"),
    Pattern("kk->", "trace", "trace", "open a trace", equation="<g, tr(dX)> = <g I, dX>"),
    Pattern("ii->i", "diagonal", "diagonal", "put on the diagonal", equation="<g, diag(dX)> = <diag(g), dX>"),
    Pattern("ik->i", "row_sums", "row sums", "spread over the columns", equation="<g, dX 1> = <g 1', dX>"),
    Pattern("kj->j", "column_sums", "column sums", "spread over the rows", equation="<g, dX' 1> = <1 g', dX>"),
    Pattern("k->", "total", "sum of the entries", "spread a scalar", equation="<g, 1' dx> = <g 1, dx>"),
    Pattern("kl->", "total", "sum of the entries", "spread a scalar", equation="<g, 1' dX 1> = <g 1 1', dX>"),
    Pattern("ij->ji", "transpose", "transpose", "move a transpose", equation="<G, dX'> = <G', dX>"),
    Pattern("i->ii", "diagonal_matrix", "diagonal matrix", "take the diagonal", equation="<G, diag(dx)> = <diag(G), dx>"),
    Pattern("i->ij", "spread_columns", "columns repeated", "sum over the columns", equation="<G, dx 1'> = <G 1, dx>"),
    Pattern("j->ij", "spread_rows", "rows repeated", "sum over the rows (bias)", equation="<G, 1 dx'> = <G' 1, dx>", source="SEEDS S1.29"),
    Pattern("->i", "fill", "a scalar repeated", "sum over all entries", equation="<g, dx 1> = <1' g, dx>"),
    Pattern("->ij", "fill", "a scalar repeated", "sum over all entries", equation="<G, dx 1 1'> = <1' G 1, dx>"),
    Pattern("->ii", "identity", "a multiple of the identity", "take the trace", equation="<G, dx I> = <tr(G), dx>"),
)  # fmt: skip
PATTERNS: tuple[Pattern, ...] = _TABLE


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
        return None
    for row in PATTERNS:
        operands, result = row.sides
        if len(operands) == 1 and same_pattern([labels, out], [operands[0], result]):
            return row.move_first
    return "reorder the axes" if sorted(map(str, labels)) == sorted(map(str, out)) else "sum and spread"
