"""Shapes that nobody said: the plainest ones with which the reader accepts a text, and why.

Names get a number of axes by custom: capitals are matrices, small letters vectors, λ and its like scalars. Each axis has a
dimension of its own until the reader refuses the text: then those dimensions of the two operands become one with which it
goes on, and this is the reason that is given. There is no second set of rules for shapes here. Where no union helps, another
number of axes is tried.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, combinations, count, product
from typing import TYPE_CHECKING, Any

from byhand.errors import ByhandError, ParseError, ShapeError
from byhand.expr.dims import Dim, dim_names, named_dimension
from byhand.expr.nodes import Expr
from byhand.expr.source import LONGEST_TEXT, Source
from byhand.expr.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from byhand.expr.expression import Expression

_GREEK = ("lam", "lambda_", "eta", "alpha", "beta", "gamma", "tau", "eps", "epsilon", "delta", "rho")
SCALARS = frozenset((*_GREEK, *"cstληαβγτεδρ"))  # which are numbers where nothing else is said
NAMES = "mnpqkhrd"  # of dimensions
MOST_READINGS = 240
MOST_AXES = 3
Merge = tuple[str, Dim]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a dimension is another one.

    Attributes:
        kept: the dimension, as the shapes have it.
        line, column, width: of what was read there, from 1.
        text: the same in the user's words.
    """

    kept: str
    line: int
    column: int
    width: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text} fits what it stands with where {self.kept} is one dimension"


@dataclass(frozen=True, slots=True)
class Inferred:
    """What was inferred.

    Attributes:
        shapes: of the inputs that were given none, as texts: {"X": "m n"}.
        axes: why each of them has so many axes.
        reasons: where dimensions became one, in the order in which that was found.
    """

    shapes: Mapping[str, str]
    axes: Mapping[str, str]
    reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        lines = [f"{n}: ({', '.join(s.split())}), {self.axes[n]}" for n, s in self.shapes.items()]
        return "\n".join([*lines, *map(str, self.reasons)])


def infer(text: str, shapes: Mapping[str, Any] | None = None, assume: Mapping[str, Any] | None = None) -> Expression:
    """Read an expression and find the shapes of the inputs that have none.

    Args:
        text, assume: see `parse`.
        shapes: those that are known, and stay as they are.
    Returns: the expression; its `inferred` says what was found and why.
    Raises: ParseError, ShapeError: the text cannot be read with any shapes that were tried: the error with the plainest.
    """
    search = _Search(text, dict(shapes or {}), dict(assume or {}))
    return search.found()


class _Search:
    """The shapes at hand, and what was tried."""

    def __init__(self, text: str, given: dict[str, Any], assume: dict[str, Any]) -> None:
        self.text, self.given, self.assume = text, given, assume
        self.source = Source.read(text, LONGEST_TEXT)
        known = _declared(given)
        sizes = {d for s in known.values() for size in s for d in dim_names(size)}
        self.open = _open_names(self.source.tree, {*given, *sizes})
        self.fixed = sizes
        self.read = 0

    def found(self) -> Expression:
        """The expression with the first numbers of axes that do.

        Raises: ParseError, ShapeError: none does.
        """
        plain = {name: _custom(name, self.source.tree)[0] for name in self.open}
        failure: ByhandError | None = None
        for ranks in self._ranks(plain):
            try:
                return self._read(ranks)
            except ShapeError as error:
                failure = failure or error
            except ParseError as error:
                if failure is None:
                    failure = error
                if not self.open:
                    break
            if self.read > MOST_READINGS:
                break
        assert failure is not None
        raise failure

    def _ranks(self, plain: dict[str, int]) -> Iterator[dict[str, int]]:
        """Numbers of axes: the plain ones, then with one name changed, then with two."""
        yield plain
        others = {n: [r for r in (1, 0, 2, 3)[: MOST_AXES + 1] if r != plain[n]] for n in self.open}
        for name in self.open:
            yield from ({**plain, name: r} for r in others[name])
        for a, b in combinations(self.open, 2):
            yield from ({**plain, a: r, b: q} for r in others[a] for q in others[b])

    def _read(self, ranks: Mapping[str, int]) -> Expression:
        """The expression with so many axes, dimensions united where the reader asks for it."""
        names = (f"axis_{k}" for k in count() if f"axis_{k}" not in self.fixed)
        axes: dict[str, list[Dim]] = {n: [named_dimension(next(names)) for _ in range(ranks[n])] for n in self.open}
        reasons: list[tuple[ShapeError, list[Merge]]] = []
        found = self._attempt(axes)
        while isinstance(found, ShapeError):  # each union leaves fewer dimensions
            union = self._union(found, axes)
            if union is None:
                raise found
            reasons.append((found, union[0]))
            _, axes, found = union
        return self._named(axes, reasons, ranks)

    def _attempt(self, axes: Mapping[str, list[Dim]]) -> Expression | ShapeError:
        from byhand.expr.parse import declare, read

        self.read += 1
        try:
            shapes = {**self.given, **{n: tuple(a) for n, a in axes.items()}}
            return read(self.text, declare(shapes, self.assume))
        except ShapeError as error:
            return error

    def _union(
        self, error: ShapeError, axes: Mapping[str, list[Dim]]
    ) -> tuple[list[Merge], dict[str, list[Dim]], Expression | ShapeError] | None:
        """The dimensions made one with which this error is gone, the axes then, and what is read."""
        place = error.line, error.column, error.width
        for merges in _candidates(error, self.fixed):
            if self.read > MOST_READINGS:
                break
            changed = {n: [*a] for n, a in axes.items()}
            for gone, kept in merges:
                changed = {n: [kept if str(d) == gone else d for d in a] for n, a in changed.items()}
            if _open(changed, self.fixed) >= _open(axes, self.fixed):
                continue
            found = self._attempt(changed)
            if not isinstance(found, ShapeError) or (found.line, found.column, found.width) != place:
                return merges, changed, found
        return None

    def _named(
        self,
        axes: Mapping[str, list[Dim]],
        reasons: list[tuple[ShapeError, list[Merge]]],
        ranks: Mapping[str, int],
    ) -> Expression:
        """The expression with dimensions of good names, in the order in which they occur."""
        from byhand.expr.parse import declare, read

        taken = {*self.fixed, *self.given, *_words(self.source.tree)}
        free = (n for n in chain(NAMES, (f"d{k}" for k in count(1))) if n not in taken)
        names: dict[str, str] = {}
        for d in (d for a in axes.values() for d in a):
            for old in sorted(dim_names(d) - self.fixed):
                names.setdefault(old, names.get(old) or next(free))

        became = {gone: str(kept) for _, merges in reasons for gone, kept in merges}

        def said(d: Dim) -> str:
            last = str(d)
            while last in became:
                last = became[last]
            return names.get(last, last)

        shapes = {n: " ".join(said(d) for d in a) for n, a in axes.items()}
        why = {n: _custom(n, self.source.tree)[1] for n in self.open}
        changed = {n for n in self.open if ranks[n] != _custom(n, self.source.tree)[0]}
        why |= dict.fromkeys(changed, "with which the text can be read")
        told = tuple(
            Reason(said(merges[-1][1]), e.line or 1, e.column or 1, e.width, _part(self.text, e))
            for e, merges in reasons
        )
        result = read(self.text, declare({**self.given, **shapes}, self.assume))
        return replace(result, inferred=Inferred(shapes, why, told))


def _declared(given: Mapping[str, Any]) -> dict[str, tuple[Dim, ...]]:
    from byhand.expr.parse import declare

    return {n: s.shape for n, s in declare(given, {}).items()}


def _open_names(tree: ast.Module, known: set[str]) -> list[str]:
    """The names that are inputs without a shape, in the order in which they stand."""
    found: dict[str, None] = {}
    assigned: set[str] = set()
    for statement in tree.body:
        called = {id(n.func) for n in ast.walk(statement) if isinstance(n, ast.Call)}
        names = [n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        for node in sorted(names, key=lambda n: (n.lineno, n.col_offset)):
            function = node.id in VOCABULARY or node.id == "pi" or id(node) in called
            module = node.id in ("np", "jnp", "numpy", "torch", "scipy", "inf")
            if not function and not module and node.id not in known and node.id not in assigned:
                found.setdefault(node.id)
        if isinstance(statement, ast.Assign):
            assigned |= {t.id for t in statement.targets if isinstance(t, ast.Name)}
    return list(found)


def _words(tree: ast.Module) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}


def _custom(name: str, tree: ast.Module) -> tuple[int, str]:
    """How many axes a name has by custom, and the words for it."""
    divisors = [n.right for n in ast.walk(tree) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)]
    alone = [d.args[0] if isinstance(d, ast.Call) and len(d.args) == 1 else d for d in divisors]  # n, sqrt(n)
    uses = sum(isinstance(n, ast.Name) and n.id == name for n in ast.walk(tree))
    if uses == sum(isinstance(n, ast.Name) and n.id == name for n in alone):
        return 0, "a scalar, since it only divides"
    if name in SCALARS:
        return 0, "a scalar by custom"
    if name[0].isupper():
        return 2, "a matrix, as capitals are"
    return 1, "a vector, as small letters are"


def _candidates(error: ShapeError, fixed: set[str]) -> Iterator[list[Merge]]:
    """Dimensions to be made one, the likeliest first: aligned from the right, then the inner pair, then any two."""
    shapes = [o.shape for o in error.operands if isinstance(o, Expr)]
    pairs: list[tuple[Dim, Dim]] = []
    if len(shapes) == 1 and len(shapes[0]) > 1:
        pairs = [(shapes[0][-2], shapes[0][-1])]
        yield from ([m] for m in _merge(*pairs[0], fixed))
    for k, a in enumerate(shapes):
        for b in shapes[k + 1 :]:
            aligned = [m for x, y in zip(reversed(a), reversed(b), strict=False) for m in _merge(x, y, fixed)]
            if aligned:
                yield aligned
            if a and b:
                yield from ([m] for m in _merge(a[-1], b[-2] if len(b) > 1 else b[-1], fixed))
            leading = [m for x, y in zip(a, b, strict=False) for m in _merge(x, y, fixed)]
            if leading:
                yield leading
            pairs += product(a, b)
    yield from ([m] for pair in pairs for m in _merge(*pair, fixed))


def _merge(a: Dim, b: Dim, fixed: set[str]) -> list[Merge]:
    """The open one of two dimensions becomes the other; nothing where both are given, or equal."""
    for gone, kept in ((b, a), (a, b)):
        names = dim_names(gone)
        if gone != kept and len(names) == 1 and str(gone) in names and not names & fixed:
            return [(str(gone), kept)]
    return []


def _open(axes: Mapping[str, list[Dim]], fixed: set[str]) -> int:
    """How many dimensions are open."""
    return len({n for a in axes.values() for d in a for n in dim_names(d)} - fixed)


def _part(text: str, error: ShapeError) -> str:
    line = text.split("\n")[(error.line or 1) - 1]
    start = (error.column or 1) - 1
    return line[start : start + error.width] or line


__all__ = ["Inferred", "Reason", "infer"]
