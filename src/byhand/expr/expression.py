"""An expression as users hold it: a root node whose named intermediates are `Named` nodes, and its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from byhand.expr.contraction import combine, contract, elementwise
from byhand.expr.dims import Shape, dim_names, show_shape
from byhand.expr.domain import Condition
from byhand.expr.nodes import (
    Contraction,
    Differential,
    Elementwise,
    Expr,
    Named,
    Structured,
    Sum,
    Symbol,
    named,
    symbols_of,
    topological,
)
from byhand.expr.operations import apply

if TYPE_CHECKING:
    from byhand.expr.infer import Inferred


@dataclass(frozen=True, eq=False, repr=False)
class Expression:
    """A function of named inputs.

    Attributes:
        root: the node; its named intermediates are `Named` nodes below it.
        inputs: all declared inputs in the order of declaration, used or not.
        name: what the value is called in print: f, L.
        notes: sentences for the reader: conventions, warnings.
        vectors_as_rows: whether every vector is printed as a row.
        unused: inputs that were given a shape and are not written anywhere in the text.
        domain: what the operations that were written ask of their operands.
        inferred: what was found of shapes that were not said; None where all were.
        sources: where intermediates come from: name -> (file, line), where the function was read from a program.
        forward: of a derivative, the intermediates of the function itself; None of anything else.
        order: the names in the order in which they were written.
    """

    root: Expr
    inputs: tuple[Symbol, ...] = ()
    name: str = "f"
    notes: tuple[str, ...] = field(default=())
    vectors_as_rows: bool = False
    unused: tuple[str, ...] = ()
    domain: tuple[Condition, ...] = field(default=(), repr=False)
    forward: frozenset[Expr] | None = None
    sources: Mapping[str, tuple[str, int]] = field(default_factory=dict, repr=False)
    order: tuple[str, ...] = field(default=(), repr=False)
    inferred: Inferred | None = field(default=None, repr=False, compare=False)

    @property
    def shape(self) -> Shape:
        """The shape of the value."""
        return self.root.shape

    @property
    def ndim(self) -> int:
        """The number of axes of the value."""
        return self.root.ndim

    @cached_property
    def symbols(self) -> dict[str, Symbol]:
        """The inputs by name: the declared ones, then others that occur."""
        found = {s.name: s for s in self.inputs}
        for s in symbols_of(self.root):
            found.setdefault(s.name, s)
        return found

    @cached_property
    def intermediates(self) -> dict[str, Named]:
        """The named intermediates, in order of computation."""
        return {n.name: n for n in topological([self.root]) if isinstance(n, Named)}

    @property
    def dimension_names(self) -> list[str]:
        """The symbolic dimensions of the inputs, in order."""
        return list(dict.fromkeys(n for s in self.symbols.values() for d in s.shape for n in sorted(dim_names(d))))

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """Where the value is that of the text: what was written asks for, and the expression as it was collected does not.

        `byhand.parse("x/x")` is 1, for x ≠ 0.
        """
        from byhand.notation.show import condition_text
        from byhand.rules.conditions import dropped

        return tuple(map(condition_text, dropped(self.domain, self.root)))

    def __call__(self, **arrays: Any) -> Any:
        """The value for the given arrays."""
        from byhand.expr.evaluate import evaluate

        return evaluate(self, **arrays)

    if not TYPE_CHECKING:

        def __repr__(self) -> str:
            return f"<Expression {self.name} = {self} {show_shape(self.shape)}>"

        def __str__(self) -> str:
            # notation comes later and is imported where something is printed: it could not register itself in time
            from byhand.notation.show import expression_text

            return expression_text(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from byhand.notation.show import expression_mimebundle

        return expression_mimebundle(self)


def rebuild(node: Expr, children: Mapping[Expr, Expr]) -> Expr:
    """The node with its children replaced, through the ordinary constructors."""
    match node:
        case Named(name, body):
            return node if children[body] is body else named(name, children[body])
        case Elementwise(function, arg):
            return elementwise(function, children[arg])
        case Structured(operation, args, attributes):
            return apply(operation, *(children[a] for a in args), attributes=attributes)
        case Sum(terms):
            return combine((c, children[t]) for c, t in terms)
        case Contraction(coefficient, factors, out):
            return contract(
                ((children[f], ls, p) for f, ls, p in factors), out, coefficient, dict(enumerate(node.dims))
            )
        case _:
            return node


def substitute(root: Expr, replacements: Mapping[Expr, Expr]) -> Expr:
    """The expression with nodes replaced by others of the same shape; differentials are left as they are."""
    done: dict[Expr, Expr] = {}
    for node in topological([root]):
        if node in replacements:
            done[node] = replacements[node]
        elif all(done[c] is c for c in node.children) or isinstance(node, Differential):
            done[node] = node
        else:
            done[node] = rebuild(node, done)
    return done[root]


def name_nodes(root: Expr, names: Mapping[Expr, str]) -> Expr:
    """The expression with nodes turned into named intermediates."""
    done: dict[Expr, Expr] = {}
    for node in topological([root]):
        new = node if all(done[c] is c for c in node.children) else rebuild(node, done)
        done[node] = named(names[node], new) if node in names else new
    return done[root]


def unfold(root: Expr, only: Iterable[Named] | None = None) -> Expr:
    """The expression with named intermediates replaced by their bodies: all of them, or those given (where they are met
    without entering others)."""
    chosen = None if only is None else set(only)
    done: dict[Expr, Expr] = {}
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if node in done:
            continue
        if isinstance(node, Named) and chosen is not None and node not in chosen:
            done[node] = node
        elif not ready:
            stack.append((node, True))
            stack.extend((c, False) for c in node.children)
        elif isinstance(node, Named):
            done[node] = done[node.body]
        else:
            done[node] = node if all(done[c] is c for c in node.children) else rebuild(node, done)
    return done[root]


def as_expression(x: Expression | Expr | Any) -> Expression:
    """An Expression from an Expression, a node, or an object that has one (a network)."""
    if isinstance(x, Expression):
        return x
    if isinstance(x, Expr):
        return Expression(x)
    inner = getattr(x, "expression", None)
    if isinstance(inner, Expression):
        return inner
    from byhand.errors import ByhandError

    raise ByhandError(
        f"an expression is needed, not a {type(x).__name__}", "make one with byhand.parse, byhand.trace or byhand.MLP"
    )
