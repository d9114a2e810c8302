"""Jacobians: ∂f_ij../∂x_kl.. of any array with respect to any input, read off the differential."""

from __future__ import annotations

from typing import Any

from byhand.derive.gradient import Accumulation, restricted_gradient
from byhand.derive.prepare import Prepared, prepare
from byhand.derive.record import Step
from byhand.expr.assume import sentence
from byhand.expr.contraction import is_zero
from byhand.expr.expression import Expression, substitute, unfold
from byhand.expr.nodes import Expr, Named, Structured, Symbol, differential_of, topological
from byhand.rules.score import Scores, weight
from byhand.rules.simplify import Simplifier
from byhand.second.accumulate import Jacobians
from byhand.second.inputs import function_and_names, kink_notes, set_aside, single, structure_notes
from byhand.second.result import Jacobian, Layout, check_layout

MOST_LEVELS = 4  # of names that are written out
LONGEST = 48.0  # in symbols: intermediates are written out while the result stays below


def jacobian(f: Any, x: str, layout: Layout = "numerator") -> Jacobian:
    """The Jacobian of an array-valued function in closed form.

    Args:
        f: an `Expression` of any shape.
        x: the name of an input, of any shape.
        layout: "numerator", axes of the output first, or "denominator", axes of the input first.
    Returns: a Jacobian, of shape f.shape + x.shape; zero of that shape, and said so, where x does not occur.
    Raises: ParseError: an unknown input or layout. MissingRuleError: an operation has no differential.
    Source: first identification theorem, Magnus and Neudecker (2019), chapters 5 and 9.
    """
    check_layout(layout)
    expression, names = function_and_names(f, x)
    name = single(names, "a Jacobian")
    plain, back = set_aside(expression, names)
    return read_off(plain, name, back, expression, layout)


def read_off(plain: Expression, name: str, back: dict[Expr, Expr], original: Expression, layout: Layout) -> Jacobian:
    """The Jacobian of `plain`, with the properties that were set aside put back and used at the end."""
    variable = plain.symbols[name]
    prepared = prepare(named_root(plain))
    reading = Jacobians(prepared, variable, plain.name)
    node = reading.read_off()
    node, notes = finish(node, variable, prepared, back, set())
    if is_zero(node):
        why = "does not occur in" if variable not in topological([plain.root]) else "has no influence on"
        notes = (f"{name} {why} {plain.name}: the Jacobian is zero.", *notes)
    names = (
        tuple((n, (m, variable)) for n, m in reading.names.items())
        if reading.forwards
        else tuple((n, (prepared.root, m)) for n, m in reading.names.items())
    )
    notes = (*notes, *structure_notes([variable]), *kink_notes(plain), *original.notes)
    steps = steps_of(prepared, reading, node, plain.name)
    return Jacobian(original, (original.symbols[name],), node, plain.ndim, layout, notes, names, steps)


def named_root(f: Expression) -> Expression:
    """The function with a softmax at its root named, so that its Jacobian reads diag(p) − p pᵀ."""
    from byhand.expr.nodes import named

    root = f.root
    if isinstance(root, Structured) and root.operation == "softmax":
        letter = f.name if f.name != "f" else "p" if root.ndim == 1 else "P"
        taken = {*f.symbols, *f.intermediates, *f.dimension_names}
        if letter not in taken:
            return Expression(named(letter, root), f.inputs, f.name, f.notes, f.vectors_as_rows)
    return f


def finish(
    node: Expr, variable: Symbol, prepared: Prepared, back: dict[Expr, Expr], through: set[Named]
) -> tuple[Expr, tuple[str, ...]]:
    """Restriction to free entries, intermediates written out where short, declared properties used; sentences on these.

    `through`: adjoints of the first derivative, which are written out first.
    """
    restricted = restricted_gradient(variable, node, free_entries=True)
    if restricted is not None:
        node = Simplifier(fold=prepared.fold).normal(restricted[1])
    node = written_out(node, through, prepared)
    if back:
        node = substitute(node, back)
    symbols = [s for s in topological([node]) if isinstance(s, Symbol)]
    if not any(s.assumptions - {"labels", "constant"} for s in symbols):
        return node, ()
    simplifier = Simplifier(facts=True)
    result = simplifier.normal(node)
    ranks = {s.name: s.ndim for s in topological([node]) if isinstance(s, Symbol)}
    used = [sentence(n, ranks[n], p) for n, p in sorted(simplifier.used)]
    return result, tuple(f"Used: {words}." for words in used)


def written_out(node: Expr, names: set[Named], prepared: Prepared) -> Expr:
    """Names that are only steps on the way replaced by what they stand for, while that stays short enough to read."""
    simplifier = Simplifier(fold={body: n for body, n in prepared.fold.items() if n not in names})
    scores: Scores = {}
    best = node
    for _ in range(MOST_LEVELS):
        present = [n for n in topological([best], into_named=False) if isinstance(n, Named) and n in names]
        if not present:
            return best
        opened = unfold(best, present)
        if weight(opened, scores) > 1.5 * LONGEST:
            return best
        shorter = simplifier.normal(opened)
        if weight(shorter, scores) > LONGEST:
            return best
        best = shorter
    return best


def steps_of(prepared: Prepared, reading: Jacobians, node: Expr, name: str) -> tuple[Step, ...]:
    """Definitions, differentials of the intermediates that depend on the variable, and the read-off."""
    from byhand.expr.contraction import add

    steps: list[Step] = []
    accumulation: Accumulation = reading.accumulation
    for u in reading.order:
        body = u.body if isinstance(u, Named) else u
        own = u.name if isinstance(u, Named) else name
        steps.append(Step("definition", u, body, "definition", own, u.shape))
        terms, rules = accumulation.expand(body)
        if terms:
            total = add(*(t.applied() for t in terms))
            steps.append(
                Step(", ".join(rules) or "read off", differential_of(body), total, "differential", own, u.shape)
            )
    steps.append(Step("first identification theorem", node, node, "read off", name, node.shape))
    return tuple(steps)
