"""The notation of differentials: forward, differentials, adjoints last to first, each factor moved off d( ).

With `indices` the same record is written with sums over indices and Kronecker deltas.
"""

from __future__ import annotations

from dataclasses import replace

from byhand.derive.derivation import Derivation, Level
from byhand.derive.gradient import ALL_AT_ONCE
from byhand.derive.record import Pairing, Stage, Unit
from byhand.derive.steps import total_differential
from byhand.expr.contraction import is_zero
from byhand.expr.dims import show_shape
from byhand.expr.nodes import Expr, Named, Symbol, differential_of, topological
from byhand.expr.operations import PICKERS
from byhand.notation import typeset as ts
from byhand.notation.blocks import Document, Line, Part, Section, Words, joined
from byhand.notation.names import unused
from byhand.notation.show import condition_parts
from byhand.notation.typeset import Math
from byhand.notation.writer import Writer

LEFT_OUT = "Dots stand for what is left out of formulas too long to be read; the code of the gradients has all of it."
LONGEST_TYPED = 60.0  # in symbols: what is longer as it was typed is shown as it is derived only
NOT_THE_SHORTEST = "The search for shorter forms was broken off: the result is right, not the shortest."


def build(d: Derivation, level: Level, indices: bool) -> Document:
    """The derivation as a document in differential or index notation."""
    w = Writer(d, indices, letters=True)
    sections = [] if level == "result" else [forward(w), differentials(w), backward(w, level)]
    shown = (*(s for s in sections if s.lines), result(w, level))
    return Document(title(w), given(w), notes(w), shown, tuple(d.f.dimension_names))


def title(w: Writer) -> tuple[str | Math, ...]:
    """Gradient of f = ... with respect to ..."""
    names: list[str | Math] = []
    for v in w.d.variables:
        names += [", " if names else "", ts.Name(v.name)]
    return ("Gradient of ", w.function_name, " with respect to ", *names)


def given(w: Writer) -> tuple[str | Math, ...]:
    """The inputs with their shapes."""
    found: list[str | Math] = []
    for s in w.d.f.symbols.values():
        found += ["   " if found else "", w.name(s), f" {show_shape(s.shape)}"]
    return tuple(found)


def notes(w: Writer) -> tuple[Words, ...]:
    """What holds throughout: conventions, declared properties, warnings."""
    d = w.d
    lines: list[Words] = ["The gradient has the shape of its variable."]
    lines += [joined(["Used: ", w.sentence(a), "."], "") for a in d.assumptions]
    lines += [("Holds for ", *condition_parts(c), ".") for c in d.conditions]
    lines += [space(w, v) for v in d.variables if v.assumptions & {"symmetric", "diagonal"}]
    lines += [(w.function_name, " does not depend on ", ts.Name(z), ": its gradient is zero.") for z in d.zeros]
    picked = d.prepared.root.operations & PICKERS
    if "affine" in picked or (picked and w.indices):
        lines.append("Indices start at 0, as in the code.")
    if d.effort.gave_up or d.closed_forms.gave_up:
        lines.append(NOT_THE_SHORTEST)
    if w.room.cut:
        lines.append(LEFT_OUT)
    return (*lines, *d.f.notes)


def space(w: Writer, v: Symbol) -> Words:
    """Which gradient of a symmetric or diagonal variable is shown, and how the other one follows."""
    gradient = ts.Partial(w.function_name, ts.Name(v.name))
    if "diagonal" in v.assumptions:
        return ts.Name(v.name), " is diagonal: ", gradient, " is diagonal too, since only the entries there vary."
    if w.d.free_entries:
        counted = " counts each free entry once; the symmetric G with "
        return (
            ts.Name(v.name),
            " is symmetric: ",
            gradient,
            counted,
            *_pairing(w, v),
            " is half of it off the diagonal.",
        )
    other = ": the entries of a triangle would give 2 G − I ⊙ G."
    return ts.Name(v.name), " is symmetric: ", gradient, " is the symmetric G with ", *_pairing(w, v), other


def _pairing(w: Writer, v: Symbol) -> tuple[str | Math, ...]:
    """df = ⟨G, dS⟩."""
    return ts.Differential(w.function_name), " = ⟨G, ", ts.Differential(ts.Name(v.name)), "⟩"


def forward(w: Writer) -> Section:
    """The definitions in order of computation."""
    lines = [definition(w, n, n.body) for n in (*w.d.prepared.units, *w.d.helpers)]
    root = w.d.prepared.root
    if not isinstance(root, Named):
        lines.append(definition(w, root, root))
    return Section("Forward", tuple(lines))


def definition(w: Writer, node: Expr, body: Expr) -> Line:
    """A definition; as it was typed first, where identities rewrote it."""
    typed, rules = w.d.prepared.typed.get(node.name if isinstance(node, Named) else "", (body, ()))
    if typed is not body and w.weight(typed) > LONGEST_TYPED:
        typed = body
    letters = w.letters(node, body, typed)
    parts = [Part(w.write(body, node, letters))]
    if typed is not body and (before := w.write(typed, node, letters)) != parts[0].math:
        parts = [Part(before), Part(parts[0].math, ", ".join(rules))]
    return Line(w.left(node, letters), tuple(parts), show_shape(node.shape), kind="definition", unit=w.identifier(node))


def differentials(w: Writer) -> Section:
    """d(intermediate) in terms of the differentials below it."""
    units = [u for u in reversed(w.d.units) if not isinstance(u.node, Symbol) and u.terms]
    return Section("Differentials", tuple(differential_line(w, u) for u in units))


def differential_line(w: Writer, u: Unit) -> Line:
    """d(intermediate) = the sum of its terms."""
    d = total_differential(u)
    letters = w.letters(u.node, d)
    part = Part(w.write(d, u.node, letters), ", ".join(u.rules))
    left = ts.Differential(w.left(u.node, letters))
    return Line(left, (part,), show_shape(u.node.shape), kind="differential", unit=u.name)


def backward(w: Writer, level: Level) -> Section:
    """The adjoints, last intermediate first; at level micro each with the moves that lead to it below it."""
    lines: list[Line] = []
    rules = contribution_rules(w.d)
    moves = move_lines(w) if level == "micro" else {}
    for u in w.d.units:
        if u.node is not w.d.prepared.root:
            first, *rest = free_entries(w, u, adjoint_line(w, u, rules))
            lines += [first, *moves.get(u.node, ()), *rest]
    return Section("Gradients, last to first", tuple(lines))


def contribution_rules(d: Derivation) -> dict[Expr, list[str]]:
    """Intermediate or input -> the rules of the moves that reached it."""
    rules: dict[Expr, list[str]] = {}
    for u in d.units:
        for record in u.terms:
            found = rules.setdefault(record.term.child, [])
            moved = [m.rule for m in record.moves] or ["read off"]
            found.extend(dict.fromkeys(rule for rule in moved if rule not in found))
    return rules


def adjoint_line(w: Writer, u: Unit, rules: dict[Expr, list[str]]) -> Line:
    """∂L/∂Z = the sum of contributions = its simpler forms."""
    letters = w.letters(u.node, *(stage.node for stage in u.stages))
    parts: list[Part] = []
    for stage in u.stages:
        rule = stage_rule(w, stage, rules.get(u.node, []))
        m = w.write_gradient(stage.node, u.node, letters)
        if parts and parts[-1].math == m:
            continue
        parts.append(Part(m, rule, stage.assumptions))
    shape, short = show_shape(u.node.shape), w.letter(u, letters)
    return Line(w.gradient_name(u.node, letters), tuple(parts), shape, kind="adjoint", unit=u.name, short=short)


def everything(w: Writer, u: Unit) -> Math:
    """G_S, the gradient with respect to a symmetric or diagonal variable as if every entry were free."""
    return ts.Name(unused(f"G_{u.name}", w.taken))


def free_entries(w: Writer, u: Unit, line: Line) -> list[Line]:
    """Of a symmetric or diagonal variable two lines: G_X, every entry independent, and the gradient made of it."""
    if u.stages[-1].kind != "structure" or len(line.parts) < 2:
        return [line]
    match line.left:
        case ts.Partial(_, ts.Indexed(_, indices)):
            left: Math = ts.Indexed(everything(w, u), indices)
        case _:
            left = everything(w, u)
    return [replace(line, left=left, parts=line.parts[:-1]), replace(line, parts=line.parts[-1:])]


def stage_rule(w: Writer, stage: Stage, moves: list[str]) -> Words:
    """The name of a stage in print."""
    match stage.kind:
        case "collect" | "read off":
            return ", ".join(moves)
        case "substitute":
            inserted = [
                u
                for u in w.d.units
                if isinstance(u.adjoint, Named) and u.adjoint.name in stage.rule.split("insert ")[1].split(", ")
            ]
            return joined([("insert " if not k else "", *w.adjoint_words(u)) for k, u in enumerate(inserted)], ", ")
        case "assume":
            return joined([f"{stage.rule} (", joined(map(w.sentence, stage.assumptions), "; "), ")"], "")
        case _:
            return stage.rule


def move_lines(w: Writer) -> dict[Expr, list[Line]]:
    """⟨adjoint, term⟩ = ⟨contribution, d(child)⟩ for each term, by the child that it leads to."""
    lines: dict[Expr, list[Line]] = {}
    for u in w.d.units:
        for record in u.terms:
            child = record.term.child
            before = Pairing(u.adjoint, record.term.applied())
            moves = record.moves
            if w.room.left <= 0 and len(moves) > 1:  # a page of moves is read, a book is not
                moves = (moves[-1]._replace(rule=ALL_AT_ONCE),)
            parts = [Part(w.pairing(Pairing(m.left, m.right), child), m.rule) for m in moves]
            if not parts:
                parts = [Part(w.pairing(Pairing(record.contribution, differential_of(child)), child), "read off")]
            left, name = w.pairing(before), w.identifier(child)
            parts = [p for p in parts if p.math != left]  # a number in front of an inner product stays there
            if parts:
                line = Line(left, tuple(parts), indent=1, kind="move", unit=u.name, child=name)
                lines.setdefault(child, []).append(line)
    return lines


def result(w: Writer, level: Level) -> Section:
    """The gradients: in closed form where that is short, through the adjoints otherwise."""
    lines: list[Line] = []
    w.room.for_results()
    results = w.d.closed_forms.results
    units = [u for u in w.d.units if u.node in results]
    for u, node in zip(units, results.values(), strict=True):
        letters = w.letters(u.node, node)
        sliced = w.slices(node)
        if sliced is not None and not w.indices:
            m, letter = sliced
            left = ts.Partial(w.function_name, ts.Indexed(ts.Name(u.name), (letter,)))
            part = Part(m, f"for each {letter}")
            lines.append(Line(left, (part,), show_shape(u.node.shape), kind="result", unit=u.name))
            continue
        part = Part(w.write_gradient(node, u.node, letters), zero_words(u))
        name = w.gradient_name(u.node, letters)
        lines.append(Line(name, (part,), show_shape(u.node.shape), kind="result", unit=u.name))
    if level == "result":  # at other levels they stand above
        lines = result_definitions(w, [*results.values()]) + lines
    return Section("Result", tuple(lines))


def zero_words(u: Unit) -> str:
    return "does not occur" if is_zero(u.value) else ""


def result_definitions(w: Writer, shown: list[Expr]) -> list[Line]:
    """The intermediates and adjoints that the results are written through, in order of computation."""
    adjoints = [u for u in w.d.units if u.adjoint in w.adjoint_nodes and u.node is not w.d.prepared.root]
    needed = {n for n in topological(shown) if isinstance(n, Named)}
    lines = [definition(w, n, n.body) for n in (*w.d.prepared.units, *w.d.helpers) if n in needed]
    for u in adjoints:
        if u.adjoint in needed:
            letters = w.letters(u.node, u.value)
            part = Part(w.write_gradient(u.value, u.node, letters))
            left = w.gradient_name(u.node, letters)
            shape, short = show_shape(u.node.shape), w.letter(u, letters)
            lines.append(Line(left, (part,), shape, kind="adjoint", unit=u.name, short=short))
    return lines
