"""A program computed in chunks of rows, so that the logits of a softmax are never held whole.

Everything of the shape of the logits is computed for some rows at a time. What sums over the rows (a loss, the gradient
of a weight) is added up; what has the rows (the adjoint of the layer below) is filled in. The rules stand in one table
each: what may be restricted to rows, and what is a sum over them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from byhand.code.forms import Expand, parts, rebuilt
from byhand.code.names import Identifiers
from byhand.code.program import Program, Statement, leaf_form, temporary, uses, with_form
from byhand.code.shapes import shape_of
from byhand.code.sharing import LETTERS
from byhand.errors import ByhandError
from byhand.expr.contraction import P1
from byhand.expr.dims import ONE, Coefficient, Dimension, Shape, dim_coefficient, named_dimension
from byhand.expr.nodes import Expr
from byhand.rules.forms import Form, Scale

# Kinds that are computed row by row where all their operands are, or do not have the rows.
_ROW_BY_ROW = frozenset(
    {"function", "mask", "heaviside", "power", "sum", "scaled", "hadamard", "expand", "pick", "number"}
)
_OVER_LAST_AXIS = frozenset({"softmax", "log_softmax", "logsumexp"})


@dataclass(frozen=True, slots=True)
class Sum:
    """A result that grows by `part` with every chunk; with `rows`, whose rows are filled in."""

    statement: Statement
    part: Form
    rows: bool


@dataclass(frozen=True, slots=True)
class Chunks:
    """A program in three parts.

    Attributes:
        program: with the names of all leaves.
        before, after: statements outside the loop.
        loop: statements on some of the rows.
        sums: what the loop adds up or fills in.
        samples: the number of all rows.
        size: the number of rows at a time.
        rows: the dimension of the rows of a chunk, which the last one may have fewer of.
    """

    program: Program
    before: tuple[Statement, ...]
    loop: tuple[Statement, ...]
    sums: tuple[Sum, ...]
    after: tuple[Statement, ...]
    samples: Dimension
    size: int
    rows: Dimension


def in_chunks(program: Program, size: int) -> Chunks:
    """The program with its logits in chunks of rows.

    Args:
        program: of a function and its gradients.
        size: the number of rows at a time.
    Raises: ByhandError: there are no logits, or a step needs all rows at once.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ByhandError(f"chunk is {size!r}: the number of rows at a time, from 1 on")
    return _Chunking(program, size).run()


class _Chunking:
    def __init__(self, program: Program, size: int) -> None:
        self.program, self.size = program, size
        self.shape = _logits(program)
        samples = self.shape[0]
        assert isinstance(samples, Dimension)
        self.samples = samples
        self.names = dict(program.names)
        self.identifiers = Identifiers([*program.names.values(), *program.dims.values(), "rows", "start"])
        word = self.identifiers.give("M")
        self.rows = named_dimension(f"{word} rows")
        self.dims = {**program.dims, str(self.rows): word}
        self.local: dict[Expr, Expr] = {}  # leaf -> the leaf of its rows
        self.sums: list[Sum] = []

    def run(self) -> Chunks:
        before, loop, after = list[Statement](), list[Statement](), list[Statement]()
        late: set[Expr] = set()  # known after the loop only
        inner: set[Expr] = set()
        for s in self.program.statements:
            reads = {*uses([s.form])}
            if s.result is None and s.shape == self.shape:
                if reads & late:
                    raise self.refusal(s.form)
                inner.add(s.leaf)
                self.local[s.leaf] = self.leaf_of_rows(s.leaf, s.name)
                loop.append(replace(s, leaf=self.local[s.leaf], form=self.restricted(s.form)))
            elif reads & inner and s.shape[:1] == (self.samples,):
                if reads & late:
                    raise self.refusal(s.form)
                self.sums.append(Sum(s, self.restricted(s.form), rows=True))
                late.add(s.leaf)
            elif reads & inner:
                part = self.summed(s.form)
                if part is not None and s.form.kind != "means":
                    self.sums.append(Sum(s, part, rows=False))
                else:
                    after.append(with_form(s, self.reduced(s.form, inner, s)))
                late.add(s.leaf)
            elif reads & late:
                late.add(s.leaf)
                after.append(s)
            else:
                before.append(s)
        program = replace(self.program, names=self.names, dims=self.dims)
        return Chunks(
            program, tuple(before), tuple(loop), tuple(self.sums), tuple(after), self.samples, self.size, self.rows
        )

    # ---- forms on some of the rows

    def leaf_of_rows(self, leaf: Expr, name: str) -> Expr:
        new = temporary(f"{name} rows", (self.rows, *leaf.shape[1:]))
        self.names[new] = name
        return new

    def restricted(self, form: Form) -> Form:
        """The form on the rows of a chunk.

        Raises: ByhandError: it needs all of them.
        """
        if not self.has_rows(form):
            return form
        if form.kind == "name":
            if form.data not in self.local:
                if form.data.shape[0] != self.samples or self.samples in form.data.shape[1:]:
                    raise self.refusal(form)
                self.local[form.data] = self.leaf_of_rows(form.data, f"{self.names[form.data]}[rows]")
            return leaf_form(self.local[form.data])
        args = tuple(map(self.restricted, form.args))
        match form.kind:
            case "expand":
                data: Expand = form.data
                shape = tuple(self.rows if n == self.samples else n for n in data.shape)
                return Form("expand", args, Expand(shape, data.positions), form.rank)
            case "operation" if form.data[0] == "one_hot" or (
                form.data[0] in _OVER_LAST_AXIS and form.data[1][1] == (form.args[0].rank - 1,)
            ):
                return rebuilt(form, args)
            case "matmul" | "matvec" if args[1] is form.args[1] and args[0].kind != "transpose":
                return rebuilt(form, args)
            case "sums" | "means" if 0 not in form.data:
                return rebuilt(form, args)
            case kind if kind in _ROW_BY_ROW:
                return rebuilt(form, args)
        raise self.refusal(form)

    def has_rows(self, form: Form) -> bool:
        """Whether the rows of the logits occur among the axes of the form or of its parts."""
        return any(self.samples in shape_of(p) for p in parts(form))

    # ---- sums over the rows

    def summed(self, form: Form) -> Form | None:
        """What a chunk adds to a form that is a sum over the rows; None for other forms."""
        match form.kind:
            case "matmul" | "matvec" if form.args[0].kind == "transpose":
                left, right = form.args
                inner = self.restricted(left.args[0])
                if shape_of(left.args[0])[0] != self.samples:
                    return None
                return rebuilt(form, (rebuilt(left, (inner,)), self.restricted(right)))
            case "sums" | "means" if 0 in form.data and shape_of(form.args[0])[0] == self.samples:
                return Form("sums", (self.restricted(form.args[0]),), form.data, form.rank)
            case "dot" if shape_of(form.args[0]) == (self.samples,):
                return rebuilt(form, tuple(map(self.restricted, form.args)))
        return None

    def reduced(self, form: Form, inner: set[Expr], user: Statement) -> Form:
        """The form with sums over the rows replaced by what the loop adds up."""
        if not inner & {*uses([form])}:
            return form
        part = self.summed(form)
        if part is None:
            if not form.args:
                raise self.refusal(form)
            return rebuilt(form, tuple(self.reduced(a, inner, user) for a in form.args))
        shape = shape_of(form)
        name = self.identifiers.numbered(LETTERS[min(len(shape), 3)])
        leaf = temporary(name, shape)
        self.names[leaf] = name
        self.sums.append(Sum(Statement(name, leaf, form, user.section, ours=True), part, rows=False))
        return leaf_form(leaf) if form.kind != "means" else _over(leaf_form(leaf), form)

    def refusal(self, form: Form) -> ByhandError:
        what = form.data[0] if form.kind == "operation" else form.data.name if form.kind == "name" else form.kind
        return ByhandError(
            f"chunk: a step needs the {self.samples} rows of the logits at once ({what})",
            "chunks are for a softmax over the last axis, with a loss that is a sum or mean over the rows",
        )


def _over(total: Form, mean: Form) -> Form:
    """A sum over the number of its terms."""
    count = ONE
    for axis in mean.data:
        count = count.times(dim_coefficient(shape_of(mean.args[0])[axis]))
    inverse = Coefficient(1 / count.value, tuple((d, -p) for d, p in count.dims))
    powers: tuple[Fraction, ...] = () if total.rank else (P1,)
    return Form("scaled", (total,), Scale(inverse, powers, bool(total.rank)), total.rank)


def _logits(program: Program) -> Shape:
    """The shape of the argument of the softmax over the last axis.

    Raises: ByhandError: there is none.
    """
    found: dict[Shape, None] = {}
    for s in program.statements:
        for p in parts(s.form):
            if p.kind == "operation" and p.data[0] in _OVER_LAST_AXIS and p.args[0].rank == 2 and p.data[1][1] == (1,):
                found[shape_of(p.args[0])] = None
    shapes = [shape for shape in found if isinstance(shape[0], Dimension)]
    if len(shapes) != 1:
        raise ByhandError(
            "chunk: there are logits of several shapes"
            if shapes
            else "chunk: the number of rows of the logits is fixed"
            if found
            else "chunk: there is no softmax of logits (N, C) to take in chunks of rows",
            "give the number of rows a name" if found and not shapes else "leave chunk out",
        )
    return shapes[0]


__all__ = ["Chunks", "Sum", "in_chunks"]
