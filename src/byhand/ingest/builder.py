"""What reads of every framework share: one environment of values, stand-ins for what could not be read, names, the result.

A value is a node, or a NumPy array where it does not depend on the inputs: what only constants go into is computed by the
framework itself, so that masks, ranges and guards need no rows. Where an operation has no row its result is a stand-in, and
the error is raised only if the result depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from byhand.errors import ByhandError, MissingRuleError
from byhand.expr.contraction import P1, contract
from byhand.expr.dims import Shape
from byhand.expr.expression import Expression, substitute
from byhand.expr.nodes import Expr, Named, Symbol, symbol, topological
from byhand.expr.operands import lift
from byhand.expr.parse import finish
from byhand.expr.surface import expand, minus, plus
from byhand.expr.trace import Recorder, deserves_a_name
from byhand.expr.vocabulary import VOCABULARY
from byhand.ingest.constants import constant_node
from byhand.ingest.places import Place, is_whole, statement_at
from byhand.ingest.sizes import Sizes

Value = Any  # Expr, Reshaped or Columns; a NumPy array where it does not depend on the inputs


@dataclass(frozen=True)
class Reshaped:
    """Integer labels with other axes, which no node has: their one-hot rows are those of `labels` with other axes."""

    labels: Expr
    shape: Shape

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Columns(NamedTuple):
    """Arrays of integers side by side: what JAX looks places up with."""

    parts: tuple[Any, ...]


class Reading(NamedTuple):
    """A program as an expression.

    Attributes:
        masks: the inputs that dropout draws, in order.
        whole: whether all that it is made of has a rule.
    """

    expression: Expression
    masks: tuple[str, ...]
    whole: bool


def is_symbolic(value: object) -> bool:
    """Whether a value depends on the inputs."""
    return isinstance(value, (Expr, Reshaped, Columns))


class UnreadError(MissingRuleError):
    """An operation of a framework that has no row, or none for these arguments.

    Attributes:
        operation: its name in the framework.
        place: where it stands in the user's source, where that is known.
    """

    def __init__(self, operation: str, why: str, place: Place | None = None) -> None:
        self.operation, self.place = operation, place
        at = [f"{place}: {place.text}"] if place is not None else []
        super().__init__(f"{operation}: {why}", *at, "strict=False leaves it as a function without a rule")


@dataclass
class Builder:
    """The reading of one program.

    Attributes:
        framework: what the program is written in, for messages.
        sizes: what integers stand for.
        inputs: the symbols.
        notes: sentences about what was read as something else.
        strict: whether what could not be read is an error where the result needs it.
        stand_ins: symbols in place of what could not be read, why it could not, and what it is a function of.
        opaque: the operations that were left without a rule.
        place: of the operation that is being read.
        masks: inputs that dropout draws, and how often they are one.
    """

    framework: str
    sizes: Sizes
    inputs: dict[str, Symbol]
    notes: list[str] = field(default_factory=list)
    strict: bool = True
    stand_ins: dict[Symbol, tuple[UnreadError, tuple[Expr, ...]]] = field(default_factory=dict)
    opaque: list[str] = field(default_factory=list)
    place: Place | None = None
    masks: list[tuple[str, float]] = field(default_factory=list)
    sources: dict[Expr, Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.recorder = Recorder(None, {*self.inputs, *self.sizes.of, *VOCABULARY, "pi"})

    # ---- values

    def expr(self, value: Value) -> Expr:
        """A value as a node; literals and shapes are read back as dimensions."""
        if isinstance(value, Expr):
            return value
        if isinstance(value, (bool, np.bool_)):
            return lift(int(value))
        if isinstance(value, (int, float, np.integer, np.floating)):
            return self.number(float(value))
        if isinstance(value, (Reshaped, Columns)):
            raise self.unread("a number", "integer labels are no numbers here")
        if isinstance(value, np.ndarray):
            return (
                constant_node(value, self.sizes)
                if value.ndim or value.dtype.kind not in "biuf"
                else self.expr(value[()])
            )
        return lift(value)

    def number(self, x: float) -> Expr:
        """A literal."""
        if not np.isfinite(x):
            raise self.unread("a number", f"{x} cannot stand in an expression")
        return self.sizes.number(x)

    def input(self, name: str, shape: Shape, assumptions: Iterable[str] = ()) -> Symbol:
        """One more input: a parameter, a buffer, a mask."""
        free = name
        k = 1
        while free in self.inputs or free in self.sizes.of or free in VOCABULARY:
            k += 1
            free = f"{name}_{k}"
        self.inputs[free] = found = symbol(free, shape, assumptions)
        self.recorder.reserved.add(free)
        return found

    def unread(self, operation: str, why: str) -> UnreadError:
        """The error about an operation, here."""
        return UnreadError(
            f"{operation} of {self.framework}" if operation != "a number" else operation, why, self.place
        )

    def read(
        self,
        operation: str,
        row: Callable[[], Value],
        sizes: Sequence[Sequence[int]],
        inputs: Iterable[Value] = (),
    ) -> list[Value]:
        """What a row makes of an operation, its shape proved; stand-ins where it cannot be read.

        Args:
            operation: its name.
            row: makes the value, or the list of them.
            sizes: of each result, as the framework says.
            inputs: what it is applied to.
        """
        shapes = [self.sizes.shape(s) for s in sizes]
        try:
            made = row()
            results = made if isinstance(made, list) else [made]
            return [self._of_size(r, s) for r, s in zip(results, sizes, strict=True)]
        except UnreadError as error:
            return [self.stand_in(error, s, inputs) for s in shapes]
        except ByhandError as error:
            told = self.unread(operation, str(error).splitlines()[0])
            return [self.stand_in(told, s, inputs) for s in shapes]

    def _of_size(self, value: Value, sizes: Sequence[int]) -> Value:
        if not isinstance(value, Expr):
            return value
        if value.ndim == len(sizes):
            self.sizes.learn(sizes, value.shape)
        shape = self.sizes.shape(sizes)
        return value if value.shape == shape else expand(value, shape)

    def note(self, sentence: str) -> None:
        """A sentence for the reader, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def stand_in(self, error: UnreadError, shape: Shape, inputs: Iterable[Value] = ()) -> Symbol:
        """A symbol for what could not be read."""
        found = symbol(f"?{len(self.stand_ins)}", shape)
        self.stand_ins[found] = error, tuple(v for v in inputs if isinstance(v, Expr) and not is_labels(v))
        return found

    def without_rule(self, stand_in: Symbol) -> Expr:
        """The value of an operation without a rule as an input, and its derivative as another: v + J (x - x̄), x̄ = x a constant."""
        error, inputs = self.stand_ins[stand_in]
        word = error.operation.partition(" ")[0]
        value = self.input(word, stand_in.shape, ["constant"])
        total: Expr = value
        names = []
        out = range(stand_in.ndim)
        for x in dict.fromkeys(inputs):
            j = self.input(f"J_{value.name}", (*stand_in.shape, *x.shape), ["constant"])
            names.append(j.name)
            moved = minus(x, VOCABULARY["stop_gradient"](x))
            axes = [("in", k) for k in range(x.ndim)]
            total = plus(total, contract([(j, [*out, *axes], P1), (moved, axes, P1)], out))
        self.opaque.append(value.name)
        derivative = f", its derivative {' and '.join(names)}" if names else ""
        self.note(f"{word} has no rule: its value {value.name}{derivative}, is an input.")
        return total

    # ---- names and places

    def bind(self, name: str | None, value: Value) -> Value:
        """The value as an intermediate of this name, where it deserves one; its place is remembered."""
        if isinstance(value, Expr) and self.place is not None:
            self.sources.setdefault(value, self.place)
        if name is None or not deserves_a_name(value) or is_labels(value) or value in self.stand_ins:
            return value
        return self.recorder.bind(name, value)

    # ---- the result

    def result(self, root: Value, name: str = "f") -> Expression:
        """The expression.

        Raises: UnreadError: it depends on what could not be read.
        """
        node = self.expr(root)
        while True:
            left = [n for n in topological([node]) if isinstance(n, Symbol) and n in self.stand_ins]
            if left and self.strict:
                raise self.stand_ins[left[0]][0]
            if not left:
                break
            node = self._replaced(node, {n: self.without_rule(n) for n in left})
        places = {self.recorder.names[v]: p for v, p in self.sources.items() if v in self.recorder.names}
        final, own = self.recorder.named(node)
        expression = finish(final, tuple(self.inputs.values()), own if own != "f" else name, tuple(self.notes))
        sources = self._sources(expression, places)
        whole = self.sources.get(plain(node))
        if whole is not None:
            sources.setdefault(expression.name, (whole.file, whole.line))
        return replace(expression, sources=sources)

    def reading(self, root: Value) -> Reading:
        """The expression, and what a comparison with the program has to know."""
        expression = self.result(root)
        return Reading(expression, tuple(m for m, _ in self.masks), not self.opaque)

    def _replaced(self, node: Expr, instead: Mapping[Expr, Expr]) -> Expr:
        """The node, and what has a name, with other nodes in place of some."""
        old = list(self.recorder.names.items())
        self.recorder.names, self.recorder.nodes = {}, {}
        for value, name in old:
            self.recorder.bind(name, substitute(value, instead))
        self.sources = {substitute(v, instead): p for v, p in self.sources.items()}
        self.stand_ins = {
            s: (error, tuple(substitute(x, instead) for x in inputs)) for s, (error, inputs) in self.stand_ins.items()
        }
        return substitute(node, instead)

    def _sources(self, f: Expression, places: Mapping[str, Place]) -> dict[str, tuple[str, int]]:
        """The line of each intermediate: a name with a number (h2) came from the statement of its stem."""
        found: dict[str, tuple[str, int]] = {}
        for name in f.intermediates:
            place = places.get(name) or places.get(name.rstrip("0123456789").rstrip("_"))
            if place is not None:
                found[name] = place.file, place.line
        return found


def is_labels(node: object) -> bool:
    """Whether a node is made of integer labels alone, moved about."""
    if isinstance(node, Reshaped):
        return True
    if not isinstance(node, Expr):
        return False
    leaves = [n for n in topological([node]) if isinstance(n, Symbol)]
    return bool(leaves) and all("labels" in s.assumptions for s in leaves) and not node.operations


def plain(node: Expr) -> Expr:
    """A node without its names."""
    while isinstance(node, Named):
        node = node.body
    return node


def names_of(places: Sequence[Place | None], kinds: Sequence[object]) -> list[str | None]:
    """For each operation of a program the variable that its result is bound to, if it is the last of its statement.

    Args:
        places: of the operations in order.
        kinds: what the operations are: in a loop a statement ends where the kinds begin again.
    """
    found: list[str | None] = [None] * len(places)
    statements = [statement_at(p) for p in places]
    k = 0
    while k < len(places):
        statement, end = statements[k], k + 1
        while end < len(places) and statements[end] is statement:
            end += 1
        if statement is not None:
            whole = [is_whole(p, statement) for p in places[k:end] if p is not None]
            if None in whole:
                length = end - k
                period = length
                if statement.repeated:
                    period = next(
                        p
                        for p in range(1, length + 1)
                        if length % p == 0 and all(kinds[k + i] == kinds[k + i % p] for i in range(length))
                    )
                for at in range(k + period - 1, end, period):
                    found[at] = statement.name
            else:
                for at, here in enumerate(whole):
                    if here and not (at + 1 < len(whole) and whole[at + 1]):
                        found[k + at] = statement.name
        k = end
    return found
