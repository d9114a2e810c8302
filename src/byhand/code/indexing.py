"""Factors that only pick entries, written as indexing before the labels are eliminated.

A slice is a product with columns of the identity, a label picks by a product with a one-hot vector, a Kronecker product
pairs indices: in code these are A[2:5], Z[np.arange(m), t], G.reshape(m, p, n, q). Each such factor is dropped, and the
arrays that it acted on are replaced by symbols that stand for the indexed forms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from byhand.code.forms import Span, mapped
from byhand.code.shapes import shape_of
from byhand.expr.cofactors import product_with_adjugates
from byhand.expr.contraction import P1, contract, label_dims
from byhand.expr.define import with_definitions
from byhand.expr.dims import Dim
from byhand.expr.expression import rebuild
from byhand.expr.indexmaps import as_join, is_map
from byhand.expr.masks import Selection
from byhand.expr.nodes import Contraction, Expr, Factor, Labels, Named, Structured, symbol, topological
from byhand.expr.plain import with_values
from byhand.rules.elimination import lower
from byhand.rules.forms import Form, NoMatrixForm


class Indexing:
    """Lowers nodes to forms in which indexing is indexing."""

    def __init__(self) -> None:
        self.stands: dict[Expr, Form] = {}
        self.selecting = Selection()

    def form(self, node: Expr) -> Form:
        """The form of a node."""
        return self.resolved(lower(self.rewritten(with_values(node)), einsum=True))

    def resolved(self, form: Form) -> Form:
        """Symbols replaced by the forms that they stand for."""
        return mapped(form, lambda f: self.stands.get(f.data, f) if f.kind == "name" else f)

    def rewritten(self, root: Expr) -> Expr:
        """The node without factors that only pick entries."""
        done: dict[Expr, Expr] = {}
        root = with_definitions(root)
        for node in topological([root], into_named=False):
            new = node
            if node.children and not isinstance(node, Named) and any(done[c] is not c for c in node.children):
                new = rebuild(node, done)
            done[node] = self.contraction(new) if isinstance(new, Contraction) else new
        return done[root]

    def contraction(self, node: Contraction) -> Expr:
        """The product with its masks selecting, then without factors that only pick entries."""
        adjugates = product_with_adjugates(node)
        if adjugates is not node:
            return self.rewritten(adjugates)
        chosen = self.selecting.of(node)
        if chosen is not node:
            return self.rewritten(chosen)
        for factor in node.factors:
            rewrite = self.rewriter(factor, node)
            new = rewrite(node, factor) if rewrite is not None else None
            if new is not None:
                return self.contraction(new) if isinstance(new, Contraction) else new
        return node

    def rewriter(self, factor: Factor, node: Contraction) -> Callable[[Contraction, Factor], Expr | None] | None:
        picker, _, power = factor
        body = picker.body if isinstance(picker, Named) else picker
        if not isinstance(body, Structured) or power <= 0:
            return None
        match body.operation:
            case "affine" if body.attributes[2::2] == (1,):
                return self.selection
            case "one_hot":
                return self.one_hot
            case "affine" if as_join(body) and not _has_matrix_form(node):
                return self.joined
        return None

    def stand_in(self, form: Form) -> Expr:
        """A symbol for a form."""
        new = symbol(f"_{len(self.stands)}", shape_of(form))
        self.stands[new] = form
        return new

    # ---- one kind of factor each; None where the factor must stay

    def selection(self, node: Contraction, factor: Factor) -> Expr | None:
        """A[x] with x = first + p: a slice of A; of the result: zeros around it."""
        picker, (whole, part), _ = factor
        assert isinstance(picker, Structured)
        size, first, _, count = picker.attributes
        others = [f for f in node.factors if f is not factor]
        if node.out.count(whole) > 1 or (whole in node.out and part in node.out) or whole == part:
            return None
        used = any(part in ls for _, ls, _ in others) or part in node.out or whole in node.out
        drop = count == 1 and not used
        span = Span(first, count, size, drop)
        factors = [self.sliced(f, whole, part, span) for f in others]
        out = [part if x == whole else x for x in node.out]
        dims = {x: d for x, d in label_dims(node).items() if x != whole and not (drop and x == part)}
        inner = contract(factors, out, node.coefficient, dims)
        if whole not in node.out:
            return inner
        spans = tuple(Span(first, count, size) if x == whole else None for x in node.out)
        return self.stand_in(Form("pad", (self.form(inner),), spans, node.ndim))

    def sliced(self, factor: Factor, whole: int, part: int, span: Span) -> Factor:
        node, labels, power = factor
        if whole not in labels:
            return factor
        spans = tuple(span if x == whole else None for x in labels)
        kept = tuple(part if x == whole else x for x in labels if not (span.drop and x == whole))
        return self.stand_in(Form("slice", (self.form(node),), spans, len(kept))), kept, power

    def one_hot(self, node: Contraction, factor: Factor) -> Expr | None:
        """Σ over the classes k of A[..., k] Y[..., k]: the entries of A at the labels; Σ over the rows: rows added there."""
        picker, (*rows, classes), _ = factor
        others = [f for f in node.factors if f is not factor]
        users = [ls for _, ls, _ in others if classes in ls]
        fits = all(ls.count(classes) == 1 and (ls == (*rows, classes) or not {*rows} & {*ls}) for ls in users)
        scatters = node.out.count(classes) == 1 and rows and not {*rows} & {*node.out}
        if not (scatters or (classes not in node.out and users)) or not fits or len({*rows}) < len(rows):
            return None
        body = picker.body if isinstance(picker, Named) else picker
        labels = self.form(body.children[0])
        factors = [self.picked(f, tuple(rows), classes, labels) for f in others]
        dims = {x: d for x, d in label_dims(node).items() if x != classes}
        if not scatters:
            return contract(factors, node.out, node.coefficient, dims)
        rest = tuple(x for x in node.out if x != classes)
        values = contract(factors, (*rows, *rest), dims=dims)
        form = Form("scatter", (self.form(values), labels), node.dims[classes], 1 + len(rest))
        axes = {x: node.dims[x] for x in node.out}
        return contract([(self.stand_in(form), (classes, *rest), P1)], node.out, node.coefficient, axes)

    def picked(self, factor: Factor, rows: Labels, classes: int, labels: Form) -> Factor:
        node, have, power = factor
        if classes not in have:
            return factor
        form = self.form(node)
        if rows and have == (*rows, classes):
            return self.stand_in(Form("pick", (form, labels), rank=len(rows))), rows, power
        axis = have.index(classes)
        kept = (*have[:axis], *rows, *have[axis + 1 :])
        return self.stand_in(Form("take", (form, labels), axis, len(kept))), kept, power

    def joined(self, node: Contraction, factor: Factor) -> Expr | None:
        """An index I = i p + k made of several: the axis I as as many axes."""
        _, (pair, *both), _ = factor
        if pair in node.out and (node.out.count(pair) > 1 or {*both} & {*node.out}):
            return None
        others = [f for f in node.factors if f is not factor]
        if any(pair in ls and is_map(f) for f, ls, _ in others):
            return None
        others = [self.unpaired(f, pair, tuple(both), node.dims) for f in others]
        out = _split(node.out, pair, tuple(both))
        dims = {x: d for x, d in label_dims(node).items() if x != pair}
        inner = contract(others, out, node.coefficient, dims)
        if pair not in node.out:
            return inner
        return self.stand_in(Form("reshape", (self.form(inner),), node.shape, node.ndim))

    def unpaired(self, factor: Factor, pair: int, both: Labels, sizes: tuple[Dim, ...]) -> Factor:
        node, labels, power = factor
        if pair not in labels:
            return factor
        kept = _split(labels, pair, both)
        form = Form("reshape", (self.form(node),), tuple(sizes[x] for x in kept), len(kept))
        return self.stand_in(form), kept, power


def _split(labels: Iterable[int], one: int, both: Labels) -> Labels:
    return tuple(y for x in labels for y in (both if x == one else (x,)))


def _has_matrix_form(node: Contraction) -> bool:
    try:
        lower(node)
    except NoMatrixForm:
        return False
    return True
