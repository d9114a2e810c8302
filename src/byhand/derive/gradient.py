"""The engine: adjoints accumulated in reverse order over named intermediates.

For each intermediate, once: its differential in terms of the differentials of the intermediates below it, and the moves
that take every factor off d(child) inside ⟨adjoint, d( )⟩. Work and text grow linearly with depth; nothing recurses
on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from byhand.derive.prepare import Prepared
from byhand.derive.record import Move, Stage, TermRecord, Unit
from byhand.expr.assume import sentence
from byhand.expr.contraction import P1, Label, add, contract, is_zero, number, scale, transpose, zero
from byhand.expr.dims import MINUS_ONE, ONE, Coefficient, dim_coefficient
from byhand.expr.expression import rebuild, unfold
from byhand.expr.nodes import (
    Contraction,
    Elementwise,
    Expr,
    Named,
    Structured,
    Sum,
    Symbol,
    differential_of,
    named,
    topological,
)
from byhand.rules.differentials import differential, rule_for
from byhand.rules.effort import Effort
from byhand.rules.factor import common_coefficient
from byhand.rules.linear import LinearTerm, linear_terms
from byhand.rules.patterns import move_name, view_name
from byhand.rules.properties import proof
from byhand.rules.score import weight
from byhand.rules.simplify import Simplifier

HALF = Coefficient(Fraction(1, 2))
SHORT = 1.5  # an adjoint of this weight (2 r, say) is written out in the next formula
ONES = frozenset(
    {
        "rows of a one-hot matrix sum to one",
        "entries of a one-hot vector sum to one",
        "rows sum to one",
        "columns sum to one",
        "entries sum to one",
    }
)
MOST_MOVES = 24  # factors of a term that are moved one after the other, each in a line of its own
ALL_AT_ONCE = "move all factors at once"
FREE_ENTRIES = "free entries of a symmetric variable: G + Gᵀ − I ⊙ G"
SYMMETRIC_PART = "symmetric part: (G + Gᵀ)/2"
DIAGONAL_PART = "diagonal part: I ⊙ G"


class Accumulation:
    """One run of reverse accumulation.

    Args:
        prepared: the function.
        wrt: the inputs to differentiate with respect to.
        name: what the function is called; adjoints are named after it.
        upstream: the adjoint of the function, a scalar; 1 where the function is the last one.
        effort: what simplifying may take.
        free_entries: whether the gradient of a symmetric variable is that of the entries of a triangle.
    """

    def __init__(
        self,
        prepared: Prepared,
        wrt: Sequence[Symbol],
        name: str,
        upstream: Expr | None = None,
        effort: Effort | None = None,
        free_entries: bool = False,
    ) -> None:
        self.prepared, self.wrt, self.name, self.free_entries = prepared, list(wrt), name, free_entries
        self.active = self.depending()
        self.units: list[Unit] = []
        self.contributions: dict[Expr, list[Expr]] = {prepared.root: [number(1) if upstream is None else upstream]}
        self.adjoints: dict[Expr, Expr] = {}
        self.adjoint_nodes: set[Expr] = set()
        self.effort = effort or Effort()
        self.plain = Simplifier(fold=prepared.fold, effort=self.effort)
        self.bearing = self.bearing_properties()
        self.ranks = {n.name: n.ndim for n in topological([prepared.root]) if isinstance(n, Symbol)}
        self.taken = {n.name for n in topological([prepared.root]) if isinstance(n, (Named, Symbol))} | {
            h.name for h in prepared.helpers
        }

    def depending(self) -> set[Expr]:
        """The nodes that depend on a variable."""
        found: set[Expr] = set(self.wrt)
        for node in topological([self.prepared.root]):
            if any(c in found for c in node.children):
                found.add(node)
        return found

    def run(self) -> list[Unit]:
        """The records, last intermediate first, inputs after all of them."""
        order: list[Expr] = [*self.prepared.units]
        if self.prepared.root not in order:
            order.append(self.prepared.root)
        for node in reversed(order):
            if isinstance(node, Symbol):  # the function is one of its inputs: its adjoint, 1, is the gradient
                continue
            if node in self.active and node in self.contributions:
                self.visit(node)
        for variable in self.wrt:
            self.finish(variable)
        return self.units

    # ---- one unit

    def visit(self, node: Expr) -> None:
        name = node.name if isinstance(node, Named) else self.name
        body = node.body if isinstance(node, Named) else node
        stages = self.stages(node)
        adjoint = stages[-1].node
        if node is not self.prepared.root:
            adjoint = named(self.fresh(f"d{name}"), adjoint)
            self.adjoints[node] = adjoint
            self.adjoint_nodes.add(adjoint)
        terms, rules = self.expand(body)
        used: set[tuple[str, str]] = set()
        terms = self.gathered(terms, rules, used)
        records = [] if is_zero(adjoint) else [self.moved(adjoint, t) for t in terms]
        for record in records:
            self.contributions.setdefault(record.term.child, []).append(record.contribution)
        said = tuple(sentence(n, self.ranks[n], p) for n, p in sorted(used))
        self.units.append(Unit(node, name, body, tuple(rules), tuple(records), adjoint, tuple(stages), said))

    def fresh(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def finish(self, variable: Symbol) -> None:
        """The adjoint of an input: the gradient, of its shape."""
        if variable not in self.contributions:
            nothing = zero(variable.shape)
            self.units.append(
                Unit(
                    variable,
                    variable.name,
                    variable,
                    (),
                    (),
                    nothing,
                    (Stage(f"{variable.name} does not occur", nothing, "zero"),),
                )
            )
            return
        stages = self.stages(variable)
        restricted = restricted_gradient(variable, stages[-1].node, self.free_entries)
        if restricted is not None:
            rule, node = restricted
            simplifier = Simplifier(facts=True, fold=self.prepared.fold, effort=self.effort)
            prop = "diagonal" if rule == DIAGONAL_PART else "symmetric"
            node = simplifier.normal(node)
            if node is not stages[-1].node:
                stages.append(Stage(rule, node, "structure", (sentence(variable.name, variable.ndim, prop),)))
        self.units.append(Unit(variable, variable.name, variable, (), (), stages[-1].node, tuple(stages)))

    def expand(self, body: Expr) -> tuple[list[LinearTerm], list[str]]:
        """d(body) in terms of differentials of intermediates and variables, and the rules used; constants drop out."""
        ends = {*self.prepared.units, *self.wrt}
        axes = tuple(range(body.ndim))
        todo = [LinearTerm(ONE, body, axes, (), axes, dict(enumerate(body.shape)))]
        done: list[LinearTerm] = []
        rules: list[str] = []
        while todo:
            t = todo.pop(0)
            if t.child in ends:
                done.append(t)
                continue
            rule = rule_name(t.child)
            if rule not in rules:
                rules.append(rule)
            opened = t.with_child(self.folded(differential(t.child)), t.labels)
            todo = [u for u in linear_terms(opened) if u.child in self.active] + todo
        return done, rules

    def gathered(self, terms: list[LinearTerm], rules: list[str], used: set[tuple[str, str]]) -> list[LinearTerm]:
        """Terms in one differential taken together where declared properties, or ones that are summed, make that shorter.

        The differential of the cross-entropy of a softmax is ⟨P − Y, dZ⟩, since the rows of Y sum to one.
        """
        groups: dict[Expr, list[LinearTerm]] = {}
        for t in terms:
            groups.setdefault(t.child, []).append(t)
        found: list[LinearTerm] = []
        for t in terms:
            group = groups.pop(t.child, [])
            found += self.together(group, terms, rules, used) if len(group) > 1 else group
        return found

    def together(
        self, group: list[LinearTerm], terms: list[LinearTerm], rules: list[str], used: set[tuple[str, str]]
    ) -> list[LinearTerm]:
        """Terms in one differential, or what they are by the properties of what stands in them."""
        whole = add(*(t.applied() for t in group))
        if not any(n in self.bearing or n.operations & {"one_hot"} for n in _direct(whole)):
            return group
        assuming = Simplifier(facts=True, fold=self.prepared.fold, effort=self.effort)
        if whole.ndim:
            shorter = assuming.normal(whole)
        else:  # ⟨G, dZ⟩
            child, axes = group[0].child, range(group[0].child.ndim)
            whole = assuming.normal(add(*(t.adjoint(number(1)) for t in group)))
            shorter = contract([(whole, axes, P1), (differential_of(child), axes, P1)], (), merge=True)
        gathered = list(linear_terms(shorter)) if shorter.has_differential else []
        if len(gathered) != 1 or not (assuming.applied or assuming.used):
            return group
        if "log-softmax" in rules and ONES & {*assuming.applied}:
            rules[rules.index("log-softmax")] = "cross-entropy of a softmax"
            rules[:] = [rule for rule in rules if rule != "product rule" or len(terms) > len(group)]
        else:
            rules += [rule for rule in dict.fromkeys(assuming.applied) if rule not in rules]
        used |= assuming.used
        return gathered

    def folded(self, node: Expr) -> Expr:
        """Intermediates written by their names: 1 - H1**2, not 1 - tanh(Z1)**2."""
        done: dict[Expr, Expr] = {}
        for n in topological([node], into_named=False):
            kept = n if isinstance(n, Named) or all(done[c] is c for c in n.children) else rebuild(n, done)
            named = self.prepared.fold.get(kept)
            done[n] = self.prepared.fold.reused(kept) if named is None else named
        return done[node]

    def moved(self, upstream: Expr, term: LinearTerm) -> TermRecord:
        """⟨upstream, term⟩ with every factor moved off d(child), one at a time."""
        left, have, rest, coefficient = upstream, term.out, list(term.factors), term.coefficient
        met = {*term.out, *term.labels, *(x for _, ls, _ in term.factors for x in ls)}
        for label, size in term.dims.items():
            if label not in met:  # summed over, but nothing depends on it
                coefficient = coefficient.times(dim_coefficient(size))
        d = differential_of(term.child)
        moves: list[Move] = []
        if len(rest) > MOST_MOVES:
            left = contract(
                [(left, have, P1), *rest], term.labels, coefficient, {x: term.dims[x] for x in term.labels}, merge=True
            )
            return TermRecord(term, (Move(ALL_AT_ONCE, left, d),), left)
        while rest:
            i, keep = _next_factor(have, rest, term.labels)
            factor = rest.pop(i)
            dims = {x: term.dims[x] for x in keep}
            rule = move_name(factor[1], keep if rest else term.labels, have) if factor[1] else "move a scalar"
            left = contract([(left, have, P1), factor], keep, coefficient, dims, merge=True)
            coefficient, have = ONE, keep
            right = contract([(d, term.labels, P1), *rest], keep, ONE, dims)
            moves.append(Move(rule, left, right))
        view = view_name(term.labels, have)
        if view is not None or coefficient != ONE:
            left = contract(
                [(left, have, P1)], term.labels, coefficient, {x: term.dims[x] for x in {*term.labels, *have}}
            )
            moves.append(Move(view or "move a scalar", left, d))
        return TermRecord(term, tuple(moves), left)

    # ---- adjoints

    def stages(self, node: Expr) -> list[Stage]:
        """The sum of contributions and its forms down to the shortest; adjoints are inserted where that cancels."""
        raw = add(*self.contributions[node])
        if isinstance(raw, Sum) and len(self.contributions[node]) == 1:
            raw = common_coefficient(raw)
        stages = [
            Stage("collect the contributions" if len(self.contributions[node]) > 1 else "read off", raw, "collect")
        ]
        kept = self.simplified(raw)
        upstream = self.worth_inserting(raw)
        if upstream:
            opened = unfold(raw, upstream)
            other = self.simplified(opened)
            if weight(other[-1].node, self.plain.scores) <= weight(kept[-1].node, self.plain.scores):
                stages.append(Stage(f"insert {', '.join(a.name for a in upstream)}", opened, "substitute"))
                kept = other
        for stage in kept:
            if stage.node is not stages[-1].node:
                stages.append(stage)
        return stages

    def worth_inserting(self, raw: Expr) -> list[Named]:
        """Upstream adjoints that may cancel when inserted: short ones, and those sharing a factor with the rest."""
        direct = _direct(raw)
        found = [n for n in direct if n in self.adjoint_nodes]
        leaves = {n for n in direct if isinstance(n, (Named, Symbol))} - self.adjoint_nodes
        chosen: list[Named] = []
        for a in found:
            assert isinstance(a, Named)
            own = {n for n in _direct(a.body) if isinstance(n, (Named, Symbol))}
            if weight(a.body, self.plain.scores) <= SHORT or own & leaves:
                chosen.append(a)
        return sorted(chosen, key=lambda a: a.name)

    def simplified(self, node: Expr) -> list[Stage]:
        """Normal form, and after it the normal form that uses declared properties."""
        plain = self.plain
        plain.applied.clear()
        first = plain.normal(node)
        stages = [Stage(", ".join(dict.fromkeys(plain.applied)) or "collect and cancel", first, "simplify")]
        if not self.may_use_properties(first):
            return stages
        assuming = Simplifier(facts=True, fold=self.prepared.fold, effort=self.effort)
        second = assuming.normal(first)
        if second is not first:
            words = tuple(sentence(name, self.ranks[name], p) for name, p in sorted(assuming.used))
            rule = ", ".join(dict.fromkeys(assuming.applied)) or "use the declared properties"
            stages.append(Stage(rule, second, "assume" if words else "simplify", words))
        return stages

    def may_use_properties(self, node: Expr) -> bool:
        """Whether an input with a declared property occurs, seen through forward intermediates."""
        return any(n in self.bearing for n in _direct(node))

    def bearing_properties(self) -> set[Expr]:
        """Inputs with declared properties, and the intermediates made of them."""
        found: set[Expr] = set()
        for n in topological([self.prepared.root, *self.prepared.helpers]):
            if (isinstance(n, Symbol) and n.assumptions - {"labels", "constant"}) or any(
                c in found for c in n.children
            ):
                found.add(n)
        return found


def _direct(root: Expr) -> set[Expr]:
    """The nodes of an expression, without the bodies of its intermediates."""
    return set(topological([root], into_named=False))


def _next_factor(
    have: tuple[Label, ...], rest: Sequence[tuple[Expr, tuple[Label, ...], object]], d_labels: tuple[Label, ...]
) -> tuple[int, tuple[Label, ...]]:
    """The factor to move next, and the labels of the inner product after it: the fewest axes first."""
    best: tuple[tuple[int, int, bool], int, tuple[Label, ...]] | None = None
    for i, (_, labels, _) in enumerate(rest):
        others = [f for j, f in enumerate(rest) if j != i]
        needed = set(d_labels).union(*(ls for _, ls, _ in others))
        keep = tuple(x for x in dict.fromkeys((*have, *labels)) if x in needed)
        if not others and set(keep) == set(d_labels) and len(set(d_labels)) == len(d_labels):
            keep = d_labels
        score = (len(keep), len(set(labels) - set(have)), not set(labels) <= set(have))
        if best is None or score < best[0]:
            best = score, i, keep
    assert best is not None
    return best[1], best[2]


def rule_name(node: Expr) -> str:
    """The name of the differential rule of a node, as `byhand rules` lists it."""
    match node:
        case Elementwise(function):
            return f"derivative of {function}"
        case Structured(operation):
            return rule_for(operation).name
        case Sum():
            return "sum rule"
        case Contraction():
            arrays = [(f, p) for f, ls, p in node.factors if ls]
            if len(node.factors) == 1 and node.factors[0][2] != 1:
                return "power rule"
            if len(arrays) <= 1 and all(p == 1 for _, _, p in node.factors) and len(node.factors) == 1:
                return "linearity"
            if any(p < 0 for _, _, p in node.factors):
                return "quotient rule"
            elementwise = all(set(ls) in ({*node.out}, set()) for _, ls, _ in node.factors)
            return "Hadamard product rule" if elementwise and node.out else "product rule"
        case _:
            return "definition"


def restricted_gradient(variable: Symbol, g: Expr, free_entries: bool = False) -> tuple[str, Expr] | None:
    """The gradient (or, axes last, the Jacobian) of a symmetric or diagonal variable from that of all entries.

    Returns: the rule and the part in the variable's space, or the derivative by the free entries; None where that is g.
    """
    if is_zero(g) or not variable.assumptions & {"diagonal", "symmetric"}:
        return None
    leading = tuple(range(g.ndim - 2))
    on_diagonal = contract([(g, (*leading, "i", "i"), P1)], (*leading, "i", "i"))
    if "diagonal" in variable.assumptions:
        return DIAGONAL_PART, on_diagonal
    turned = transpose(g, (*leading, g.ndim - 1, g.ndim - 2))
    if free_entries:
        return FREE_ENTRIES, add(g, turned, scale(MINUS_ONE, on_diagonal))
    return None if proof(g, "symmetric") is not None else (SYMMETRIC_PART, scale(HALF, add(g, turned)))
