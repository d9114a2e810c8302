"""From labels to two-dimensional forms: a node as products, transposes and sums that a person writes.

`lower` eliminates the labels of a contraction through the table of patterns, vectors first. What has no matrix form
(three or more free axes) raises `NoMatrixForm`; notation then uses indices, code uses einsum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from byhand.expr.contraction import P1, contract, scale
from byhand.expr.dims import ONE
from byhand.expr.indexmaps import as_join, as_slice
from byhand.expr.nodes import (
    Constant,
    Contraction,
    Differential,
    Elementwise,
    Expr,
    Factor,
    Named,
    Structured,
    Sum,
    Symbol,
)
from byhand.rules.forms import (
    Form,
    NoMatrixForm,
    Scale,
    dot,
    flipped,
    hadamard,
    inner,
)

Labels = tuple[int, ...]


def lower(node: Expr, einsum: bool = False) -> Form:
    """The form of a node. With `einsum`, contractions without a matrix form become an `einsum` form."""
    form = _kept(node, einsum)
    if form is None:
        raise NoMatrixForm
    return form


@lru_cache(maxsize=2048)  # a node that stands in many places is lowered once
def _kept(node: Expr, einsum: bool) -> Form | None:
    try:
        return _form(node, einsum)
    except NoMatrixForm:
        return None


def _form(node: Expr, einsum: bool) -> Form:
    match node:
        case Symbol() | Named() | Constant():
            return Form("name", data=node, rank=node.ndim)
        case Differential(arg):
            return Form("differential", (lower(arg, einsum),), rank=node.ndim)
        case Elementwise(function, arg):
            return Form("function", (lower(arg, einsum),), function, node.ndim)
        case Structured(operation, args, attributes):
            if operation == "affine" and as_slice(node) is None and not einsum:
                raise NoMatrixForm
            shape = (args[0].ndim if args else 0, *attributes)
            unit = bool(args) and 1 in args[0].shape
            return Form("operation", tuple(lower(a, einsum) for a in args), (operation, shape), node.ndim, unit)
        case Sum(terms):
            if node.ndim > 2 and not einsum:
                raise NoMatrixForm
            return Form("sum", tuple(lower(scale(c, t), einsum) for c, t in terms), rank=node.ndim)
        case Contraction():
            if einsum:
                try:
                    return _Lowering(node, einsum).form()
                except NoMatrixForm:
                    return _einsum(node)
            return _Lowering(node, einsum).form()
    raise NoMatrixForm


def _einsum(node: Contraction) -> Form:
    args, labels = [], []
    for factor, ls, power in node.factors:
        form = lower(factor, True)
        args.append(form if power == 1 else Form("power", (form,), power, factor.ndim))
        labels.append(ls)
    return Form("einsum", tuple(args), (tuple(labels), node), node.ndim)


def _held_together(factors: list[Factor]) -> list[tuple[list[Factor], set[int]]]:
    """The factors in groups that share no label, with the labels of each; index pairs hold nothing together."""
    groups: list[tuple[list[Factor], set[int]]] = []
    for f in factors:
        if not _is_pairing(f[0]):
            met = [g for g in groups if not g[1].isdisjoint(f[1])]
            groups = [g for g in groups if g[1].isdisjoint(f[1])]
            groups.append(([*(x for members, _ in met for x in members), f], set(f[1]).union(*(ls for _, ls in met))))
    return groups


class _Lowering:
    """One contraction on its way to a form: objects with labels, eliminated pair by pair."""

    def __init__(self, node: Contraction, einsum: bool) -> None:
        if node.ndim > 2 or any(f.ndim > 2 for f, _, _ in node.factors if not _is_pairing(f)):
            raise NoMatrixForm
        self.node, self.einsum = node, einsum
        self.out = node.out
        self.objects: list[tuple[Form, Labels]] = []
        self.scalars: list[tuple[Form, Fraction]] = []
        self.load()
        self.count()

    def degree(self, label: int) -> int:
        """How many objects have a label."""
        return len(self.at.get(label, ()))

    def count(self) -> None:
        """Which objects have a label, after they changed."""
        self.at: dict[int, list[tuple[Form, Labels]]] = {}
        for o in self.objects:
            for label in dict.fromkeys(o[1]):
                self.at.setdefault(label, []).append(o)

    def free(self, label: int) -> bool:
        """Summed over, and met by exactly two objects."""
        return label not in self.out and self.degree(label) == 2

    def load(self) -> None:
        factors = list(self.node.factors)
        self.load_kronecker(factors)
        for factor, labels, power in factors:
            if power == 2 and labels and self.closed(factor, labels):
                whole = contract([(factor, labels, P1)], labels)
                self.scalars.append((Form("norm_squared", (lower(whole, self.einsum),)), P1))
                continue
            form = lower(factor, self.einsum)
            if not labels:
                self.scalars.append((form, power))
            else:
                self.objects.append((form if power == 1 else Form("power", (form,), power, form.rank), labels))
        self.objects.sort(key=lambda o: o[0].has_differential)  # d(X) is multiplied in last

    def closed(self, factor: Expr, labels: Labels) -> bool:
        """Whether all the labels are summed over and no other factor has them."""
        own = len(set(labels)) == len(labels)
        return own and all(x not in self.out and sum(x in ls for _, ls, _ in self.node.factors) == 1 for x in labels)

    def load_kronecker(self, factors: list[Factor]) -> None:
        """A[i,j] B[k,l] with index pairs I = (i, k), J = (j, l) is the Kronecker product A ⊗ B, itself a factor of others.

        Raises: NoMatrixForm: index pairs remain that belong to no such product.
        """
        while (found := self.kronecker(factors)) is not None:
            group, sides, out = found
            for f in group:
                factors.remove(f)
            if factors or self.node.out != out:
                factors.append((contract(group, out, dims=self.dims_of(out)), out, P1))
            else:
                parts = (contract(part, labels, dims=self.dims_of(labels)) for part, labels in sides)
                self.objects.append((Form("kron", tuple(lower(p, self.einsum) for p in parts), rank=2), out))
                return
        if any(_is_pairing(f) for f, _, _ in factors):
            raise NoMatrixForm

    def kronecker(self, factors: list[Factor]) -> tuple[list[Factor], list[tuple[list[Factor], Labels]], Labels] | None:
        """The factors of one Kronecker product, those of its two sides with their labels, and the labels of the whole."""
        pairs = [f for f in factors if _is_pairing(f[0])]
        groups = _held_together(factors)
        at = {x: g for g, (_, labels) in enumerate(groups) for x in labels}
        uses = Counter([*self.out, *(x for _, ls, _ in pairs for x in ls)])
        users: dict[int, set[int]] = {}  # label -> the index pairs that have it; -1 is an axis of the result
        for p, (_, ls, _) in enumerate(pairs):
            for x in ls:
                users.setdefault(x, set()).add(p)
        for x in self.out:
            users.setdefault(x, set()).add(-1)
        sides = [[{x} | (groups[at[x]][1] if x in at else set()) for x in ls[1:]] for _, ls, _ in pairs]
        met = [set[int]().union(*(users.get(x, ()) for x in first | second)) for first, second in sides]
        for p, one in enumerate(pairs):
            partners = met[p] - {p}  # who else has a label that would be consumed
            if len(partners) > 1 or -1 in partners:
                continue
            for q in sorted(partners) or range(len(pairs)):
                if q == p or not met[q] <= {p, q}:
                    continue
                other = pairs[q]
                (_, (row, i, k), _), (_, (column, j, m), _) = one, other
                left, right = {at[x] for x in (i, j) if x in at}, {at[x] for x in (k, m) if x in at}
                if left & right or any(x in side for side in (*sides[p], *sides[q]) for x in (row, column)):
                    continue
                inside = {i, j, k, m}.union(*(groups[g][1] for g in left | right))
                if any(uses[x] > one[1].count(x) + other[1].count(x) for x in inside):
                    continue
                of_left, of_right = ([f for g in sorted(side) for f in groups[g][0]] for side in (left, right))
                group = [one, other, *of_left, *of_right]
                return group, [(of_left, (i, j)), (of_right, (k, m))], (row, column)
        return None

    def held(self, labels: set[int], others: Iterable[tuple[Any, ...]]) -> bool:
        """Whether an axis of the result or another factor has one of the labels: then no pattern may consume it."""
        return bool(labels & set(self.out).union(*(other[1] for other in others)))

    def dims_of(self, labels: Labels) -> dict[int, Any]:
        return {x: self.node.dims[x] for x in labels}

    # ---- elimination

    def replace(self, old: list[tuple[Form, Labels]], form: Form, labels: Labels) -> bool:
        """The objects of a pattern are put together; labels that the new one lacks are consumed."""
        for o in old:
            self.objects.remove(o)
        consumed = {x for _, ls in old for x in ls} - set(labels)
        assert not self.held(consumed, self.objects), "a label is consumed that occurs elsewhere"
        if labels:
            self.objects.append((form, labels))
        else:
            self.scalars.append((form, P1))
        self.count()
        return True

    def step(self) -> bool:
        return (
            self.diagonals()
            or self.same_labels()
            or self.sums(of_differentials=True)
            or self.products(1)
            or self.sums()
            or self.products(2)
            or self.scalings()
        )

    def diagonals(self) -> bool:
        """A label twice on one object."""
        for o in self.objects:
            form, labels = o
            if len(labels) == 2 and labels[0] == labels[1]:
                if labels[0] not in self.out and self.degree(labels[0]) == 1:
                    return self.replace([o], Form("trace", (form,)), ())
                return self.replace([o], Form("diagonal", (form,), rank=1), labels[:1])
        return False

    def same_labels(self) -> bool:
        """Two objects over the same labels: dot, inner or Hadamard product."""
        over: dict[frozenset[int], list[tuple[Form, Labels]]] = {}
        for o in self.objects:
            over.setdefault(frozenset(o[1]), []).append(o)
        for a, *others in over.values():
            for b in others:
                all_free = all(map(self.free, a[1]))
                if len(a[1]) == 1:
                    return self.replace(
                        [a, b], *((dot(a[0], b[0]), ()) if all_free else (hadamard(a[0], b[0], 1), a[1]))
                    )
                x, y, labels = a[0], b[0], a[1]
                if a[1] != b[1]:
                    if flipped(a[0]).transposes < flipped(b[0]).transposes or (a[1] == self.out[::-1] and not all_free):
                        x, labels = flipped(a[0]), b[1]
                    else:
                        y = flipped(b[0])
                return self.replace([a, b], *((inner(x, y), ()) if all_free else (hadamard(x, y, 2), labels)))
        return False

    def products(self, smallest: int) -> bool:
        """Two objects that share one summed label; vectors before matrices."""
        for label, over in self.at.items():
            if not self.free(label):
                continue
            a, b = over
            if min(len(a[1]), len(b[1])) != smallest:
                continue
            if smallest == 1:
                matrix, vector = (a, b) if len(a[1]) == 2 else (b, a)
                form = matrix[0] if matrix[1][1] == label else flipped(matrix[0])
                rest = next(x for x in matrix[1] if x != label)
                return self.replace([a, b], Form("matvec", (form, vector[0]), rank=1), (rest,))
            return self.matrix_product(a, b, label)
        return False

    def matrix_product(self, a: tuple[Form, Labels], b: tuple[Form, Labels], label: int) -> bool:
        i, j = (next(x for x in o[1] if x != label) for o in (a, b))
        first, second = a, b
        ways = []
        for (f, g), (r, s) in (((a, b), (i, j)), ((b, a), (j, i))):
            left = f[0] if f[1][1] == label else flipped(f[0])
            right = g[0] if g[1][0] == label else flipped(g[0])
            ways.append((Form("matmul", (left, right), rank=2), (r, s)))
        if i in self.out and j in self.out:
            chosen = ways[0] if self.out.index(i) <= self.out.index(j) else ways[1]
        else:
            chosen = min(ways, key=lambda w: w[0].transposes)
        return self.replace([first, second], *chosen)

    def sums(self, of_differentials: bool = False) -> bool:
        """A summed label that nobody else has; on request in objects with d( ) only, which stay last in a product."""
        for o in self.objects:
            form, labels = o
            if of_differentials and not form.has_differential:
                continue
            for axis, label in enumerate(labels):
                if label in self.out or self.degree(label) != 1:
                    continue
                size = self.node.dims[label]
                if len(labels) == 1:
                    return self.replace([o], Form("total", (form,), (size,)), ())
                other = labels[1 - axis]
                if other not in self.out and self.degree(other) == 1:
                    return self.replace([o], Form("total", (form,), tuple(self.node.dims[x] for x in labels)), ())
                return self.replace(
                    [o], Form("row_sums" if axis == 1 else "column_sums", (form,), (size,), 1), (other,)
                )
        return False

    def scalings(self) -> bool:
        """A vector that scales the rows or columns of a matrix; both sides at once are a Hadamard product with a bᵀ."""
        for m in self.objects:
            if len(m[1]) == 2:
                rows = next((v for v in self.objects if v[1] == m[1][:1]), None)
                columns = next((v for v in self.objects if v[1] == m[1][1:]), None)
                if rows and columns:
                    form = hadamard(Form("outer", (rows[0], columns[0]), rank=2), m[0], 2)
                    return self.replace([rows, columns, m], form, m[1])
        for v in self.objects:
            if len(v[1]) == 1:
                for m in self.objects:
                    if len(m[1]) == 2 and v[1][0] in m[1]:
                        kind = "scale_rows" if m[1][0] == v[1][0] else "scale_columns"
                        return self.replace([v, m], Form(kind, (v[0], m[0]), rank=2), m[1])
        return False

    # ---- the result

    def form(self) -> Form:
        while self.step():
            pass
        core = self.core()
        coefficient = self.node.coefficient
        scalars = sorted(self.scalars, key=lambda s: (s[0].has_differential, s[0].kind != "name", s[1] < 0))
        if coefficient == ONE and not scalars:
            return core if core is not None else Form("number", data=ONE)
        if core is None and coefficient == ONE and len(scalars) == 1 and scalars[0][1] == 1:
            return scalars[0][0]
        if core is None and not scalars:
            return Form("number", data=coefficient)
        args = tuple(f for f, _ in scalars) + ((core,) if core is not None else ())
        return Form("scaled", args, Scale(coefficient, tuple(p for _, p in scalars), core is not None), self.node.ndim)

    def core(self) -> Form | None:
        out, dims = self.out, self.node.dims
        if not out:
            if self.objects:
                raise NoMatrixForm
            return None
        if len(out) == 1:
            return self.only(out) or self.constant("fill", (dims[out[0]],))
        i, j = out
        if i == j:
            vector = self.only((i,))
            sizes = (dims[i],)
            return Form("diagonal_matrix", (vector,), sizes, 2) if vector else self.constant("identity", sizes)
        return self.matrix_core(i, j)

    def matrix_core(self, i: int, j: int) -> Form:
        sizes = (self.node.dims[i], self.node.dims[j])
        labels = {ls for _, ls in self.objects}
        if labels == {(i,), (j,)} and len(self.objects) == 2:
            a, b = (next(f for f, ls in self.objects if ls == (x,)) for x in (i, j))
            return Form("outer", (a, b), rank=2)
        if labels == {(i,)}:
            return Form("spread_columns", (self.objects[0][0],), sizes, 2)
        if labels == {(j,)}:
            return Form("spread_rows", (self.objects[0][0],), sizes, 2)
        if labels == {(j, i)}:
            return flipped(self.objects[0][0])
        return self.only((i, j)) or self.constant("fill", sizes)

    def only(self, labels: Labels) -> Form | None:
        """The one object that is left, under these labels; None where none is left."""
        if not self.objects:
            return None
        if len(self.objects) > 1 or self.objects[0][1] != labels:
            raise NoMatrixForm
        return self.objects[0][0]

    def constant(self, kind: str, sizes: tuple[Any, ...]) -> Form:
        return Form(kind, (), sizes, len(self.out))


def _is_pairing(node: Expr) -> bool:
    return len(as_join(node) or ()) == 2
