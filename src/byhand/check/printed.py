"""Each printed line of a derivation by numbers: what is printed is read back, and both sides of it are the same numbers.

The names on a line stand for what the derivation says they are: intermediates and adjoints for their values at a point,
differentials for how their nodes move along a random direction. What a formula says is left to `reading`, which knows
signs and no derivation.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from typing import Any

import numpy as np

from byhand.check.numeric import Environment, Slope, agreement, difference, norm, worst_entry
from byhand.check.report import Evidence, Row, Unread
from byhand.check.steps import DERIVATIVE, PARTED, Numbers
from byhand.derive.derivation import Derivation
from byhand.derive.record import Unit
from byhand.expr.nodes import Constant, Expr, Symbol, topological
from byhand.notation import typeset as ts
from byhand.notation.blocks import Document
from byhand.notation.differential import everything
from byhand.notation.document import document
from byhand.notation.names import Names as Spelling
from byhand.notation.render import names_of
from byhand.notation.text import to_text
from byhand.notation.typeset import Math
from byhand.notation.writer import Writer
from byhand.reading.printed import sides
from byhand.reading.stands import Entry, Names
from byhand.reading.tokens import UnreadableError
from byhand.reading.values import MismatchError

Array = Any


def line_rows(d: Derivation, n: Numbers, notation: str, level: str) -> tuple[list[Row], tuple[Unread, ...]]:
    """One row per printed equation, and the lines that were not read."""
    page = document(d, notation, level)
    reading = _Reading(d, n, notation == "jacobian", names_of(page))
    rows: list[Row] = []
    unread: list[Unread] = []
    for title, left, right in equations(page):
        try:
            error = reading.error(left, right)
        except UnreadableError as reason:
            unread.append(Unread(f"{left} = {right}", str(reason).splitlines()[0]))
            continue
        except MismatchError as reason:
            evidence = Evidence(left, right, n.point.words, "", (float("nan"), float("nan")))
            rows.append(Row("line", left, title, float("inf"), DERIVATIVE, "wrong", str(reason), evidence))
            continue
        if error <= DERIVATIVE:
            rows.append(Row("line", left, title, error, DERIVATIVE, "right"))
            continue
        if n.point.selects and not np.isfinite(error):
            rows.append(Row("line", left, title, 0.0, DERIVATIVE, "not checkable", PARTED))
            continue
        place, *numbers = worst_entry(*sides(left, right, reading.names))
        evidence = Evidence(left, right, n.point.words, place, (numbers[0], numbers[1]))
        rows.append(Row("line", left, title, error, DERIVATIVE, "wrong", evidence=evidence))
    return rows, tuple(unread)


def equations(page: Document) -> Iterator[tuple[str, str, str]]:
    """The printed equations of a page: section, left side, right side."""
    names = names_of(page)
    for section in page.sections:
        title = section.title if isinstance(section.title, str) else "".join(map(str, section.title))
        for line in section.lines:
            forms = dict.fromkeys(to_text(part.math, names=names) for part in line.parts)
            sides = [m for m in (line.short, line.left) if m is not None]
            first, *others = [to_text(m, names=names) for m in sides] or [forms.popitem()[0]]
            for right in (*others, *forms):
                yield title, first, right


def _unit(shape: tuple[int, ...], k: int) -> Array:
    """The direction of the k-th entry."""
    direction = np.zeros(shape)
    direction.flat[k] = 1.0
    return direction


class _Reading:
    """The numbers behind the names of one derivation at one point."""

    def __init__(self, d: Derivation, n: Numbers, jacobian: bool, spelling: Spelling) -> None:
        self.d, self.n, self.spelling = d, n, spelling
        self.writer = Writer(d, jacobian=jacobian)
        self.shakes: dict[int, Names] = {}
        self.jacobians: dict[tuple[Environment, str, str], Array] = {}

    def show(self, m: Math) -> str:
        """A name as the page spells it."""
        return to_text(m, names=self.spelling)

    @cached_property
    def names(self) -> Names:
        """What the names stand for."""
        return self.names_in(self.n.env)

    def names_in(self, env: Environment) -> Names:
        """What the names stand for where the nodes have these values."""
        d = self.d
        found = Names(sizes=self.n.point.sizes, jacobian=partial(self.jacobian, env))
        f = self.show(self.writer.function_name)
        direction = self.n.point.direction
        slope = Slope(d.prepared.root, direction)
        step, moved = slope.step(direction), slope.moved(env, direction)
        for node in (*d.f.symbols.values(), *d.prepared.units, *d.helpers, d.prepared.root):
            name = f if node is d.prepared.root and not isinstance(node, Symbol) else self.show(self.writer.name(node))
            row = self.writer.is_row(node)
            if not isinstance(node, Symbol) or node in env.known:
                found.values[name] = Entry(env[node], row)
            tangent = np.imag(moved[node]) / step if node in moved else np.zeros(np.shape(env[node]))
            found.differentials[name] = Entry(tangent, row)
            if node is d.prepared.root and name != f:  # a function that is its input
                found.values[f], found.differentials[f] = found.values[name], found.differentials[name]
        for node in topological([d.prepared.root, *(u.value for u in d.units)]):
            if isinstance(node, Constant):
                found.values[self.show(ts.Name(node.name))] = Entry(np.asarray(node.value))
        letters = d.closed_forms.letters
        for u in d.units:
            name, row = self.show(self.writer.name(u.node)), self.writer.is_row_gradient(u.node)
            found.gradients[f, name] = Entry(env[u.value], row)
            if u.adjoint in letters:
                found.values[self.show(ts.Name(letters[u.adjoint]))] = Entry(env[u.value], row)
            if u.stages[-1].kind == "structure" and len(u.stages) > 1:
                found.values[self.show(everything(self.writer, u))] = Entry(env[u.stages[-2].node], row)
        return found

    def jacobian(self, env: Environment, above: str, below: str) -> Array | None:
        """∂z/∂h of a definition z, entry by entry of h by complex step."""
        nodes = {self.show(self.writer.name(u.node)): u for u in self.d.units}
        nodes[self.show(self.writer.function_name)] = next(u for u in self.d.units if u.node is self.d.prepared.root)
        if above not in nodes or below not in nodes:
            return None
        if (env, above, below) not in self.jacobians:
            self.jacobians[env, above, below] = self.by_entries(env, nodes[above], nodes[below].node)
        return self.jacobians[env, above, below]

    @staticmethod
    def by_entries(env: Environment, unit: Unit, child: Expr) -> Array:
        """The derivative of a definition, one entry of the child at a time; other intermediates stay."""
        slope = Slope(unit.body, [child], into_named=False)
        shape = np.shape(env[child])
        columns = [slope.along(env, {child: _unit(shape, k)}) for k in range(int(np.prod(shape, dtype=int)))]
        return np.stack(columns, axis=-1).reshape((*np.shape(env[unit.node]), *shape))

    def error(self, left: str, right: str) -> float:
        """The relative error of an equation, against what rounding does to it."""
        a, b = sides(left, right, self.names)
        scale = max(norm(a), norm(b))

        def noise(k: int) -> float:
            if k not in self.shakes:
                self.shakes[k] = self.names_in(self.n.shaken(k)[0])
            x, y = sides(left, right, self.shakes[k])
            return difference(a, x) + difference(b, y)

        return agreement(difference(a, b), scale, DERIVATIVE, noise, lambda: max(scale, 1.0))
