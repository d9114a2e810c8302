"""Which chain rule, path by path, and what feeds what, as sections of a document."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction

from byhand.derive.derivation import Derivation
from byhand.derive.paths import Use
from byhand.errors import ParseError
from byhand.expr.dims import dim_names
from byhand.expr.nodes import Expr, Named, Symbol
from byhand.notation import typeset as ts
from byhand.notation.blocks import Line, Part, Section, Words
from byhand.notation.index import index_math
from byhand.notation.jacobian import local_jacobian
from byhand.notation.kronecker import jacobian_math
from byhand.notation.style import Style
from byhand.notation.typeset import Math
from byhand.second.dependencies import Dependencies, dependencies_of
from byhand.second.paths import ChainRule, Path, chain_rule

SMALL = (2, 3)  # sizes that symbolic dimensions are drawn with, in turn
WIDEST_FIGURE = 12  # entries of a row and of a column
MOST_UNITS = 16  # intermediates of a function whose paths are written out
MOST_SHOWN = 12  # paths written out


def sections(d: Derivation) -> tuple[Section, ...]:
    """For each variable its paths to the function; then which entries feed which, drawn at small sizes."""
    if len(d.prepared.units) > MOST_UNITS:
        words = f"Paths and dependencies are written out for at most {MOST_UNITS} intermediates."
        return (Section("Paths", words=(words,)),)
    chains: list[ChainRule | Section] = []
    for v in d.variables:
        try:
            chains.append(chain_rule(d.f, v.name, d.prepared))
        except ParseError as error:  # more paths than anybody reads: their number stands under "Which chain rule"
            chains.append(Section(_title(v.name, d.f.name), words=(f"{error.message}: not listed.",)))
    told = [c if isinstance(c, Section) else path_section(c) for c in chains]
    edges = {pair: terms for c in chains if isinstance(c, ChainRule) for pair, terms in c.edges.items()}
    found = [
        dependencies_of(local_jacobian(terms), user.ndim, _name(user, d), _name(child, d), child.shape)
        for (user, child), terms in edges.items()
        if user.ndim and child.ndim
    ]
    if found:
        told.append(Section("What feeds what", words=tuple(dict.fromkeys(f.sentence() for f in found))))
    variables = {v.name for v in d.variables}
    told += [s for f in found if f.x in variables and (s := figure_section(f)) is not None]
    return tuple(told)


def _name(node: Expr, d: Derivation) -> str:
    return node.name if isinstance(node, (Named, Symbol)) else d.f.name


# ---- paths


def use_words(use: Use, function: str) -> Words:
    """What uses a node, as a sentence."""
    x, f, users = ts.Name(use.name), ts.Name(function), [ts.Name(u) for u in use.users]
    match users:
        case []:
            return x, " is not used: its gradient is zero"
        case [user] if user == f:
            return x, " is used by ", f, " alone: differentiated directly"
        case [user]:
            more: tuple[str | Math, ...] = (f"; from there {use.paths} paths lead to ", f) if use.paths > 1 else ()
            return x, " is used by ", user, " alone: chain rule through ", user, *more
    more = (f", {use.paths} paths to ", f, " in all") if use.paths > len(users) else ()
    kind = f": total derivative, a sum of {len(users)} terms"
    return x, " is used by ", *listed(users[:-1]), " and ", users[-1], kind, *more


def listed(names: Iterable[Math]) -> tuple[str | Math, ...]:
    """X, Y, Z."""
    return tuple(word for k, n in enumerate(names) for word in ((", ", n) if k else (n,)))


def _title(x: str, f: str) -> Words:
    return "Paths from ", ts.Name(x), " to ", ts.Name(f)


def path_section(c: ChainRule) -> Section:
    """One line for each path: the product of local derivatives and what it is; then the rule and the sum."""
    title = _title(c.x.name, c.f.name)
    if not c.paths:
        return Section(title, words=(("There is none: the derivative of ", ts.Name(c.f.name), " is zero."),))
    style = path_style(c)
    if len(c.paths) == 1:
        (path,) = c.paths
        return Section(title, (_line(path, c, style),), (f"One path: {c.rule.removeprefix('none: ')}.",))
    scalars = all(u.ndim == v.ndim == 0 for u, v in c.edges)
    rule = (
        "the single-variable total-derivative chain rule"
        if scalars
        else "the total derivative by the vector chain rule"
    )
    words: list[Words] = [f"{len(c.paths)} paths: {rule}, a sum over the paths."]
    total = shown(c.total.root, c, style)
    if any(p.contribution.root is not c.total.root for p in c.paths):
        words.append(("One path alone, such as ", *walk(c.paths[-1]), ", is not the derivative."))
    lines = [_line(p, c, style) for p in c.paths[:MOST_SHOWN]]
    if len(c.paths) > MOST_SHOWN:
        words.append(f"The first {MOST_SHOWN} are written out.")
    lines.append(Line(_total_name(c), (Part(total, "sum over the paths"),)))
    return Section(title, tuple(lines), tuple(words))


def path_style(c: ChainRule) -> Style:
    """Names that index letters do not take."""
    named = (n for p in c.paths for n in p.names)
    reserved = frozenset({*c.f.symbols, *c.f.dimension_names, c.f.name, *named})
    return Style(reserved=reserved, sized_ones=False)


def walk(p: Path) -> tuple[str | Math, ...]:
    """x → u → f."""
    return tuple(word for k, n in enumerate(p.names) for word in ((" → ",) if k else ()) + (ts.Name(n),))


def _total_name(c: ChainRule) -> Math:
    return ts.Quotient(ts.Differential(ts.Name(c.f.name)), ts.Differential(ts.Name(c.x.name)))


def _line(p: Path, c: ChainRule, style: Style) -> Line:
    """∂f/∂u · ∂u/∂x = ...   x → u → f."""
    rule = (*walk(p), ", directly") if len(p.names) == 2 else walk(p)
    return Line(links(p), (Part(shown(p.contribution.root, c, style), rule),))


def links(p: Path) -> Math:
    """∂f/∂u · ∂u/∂x."""
    names = [ts.Name(n) for n in p.names[::-1]]
    found = [ts.Partial(a, b) for a, b in itertools.pairwise(names)]
    left: Math = found[0]
    for link in found[1:]:
        left = ts.Infix("dot", (left, link))
    return left


def shown(node: Expr, c: ChainRule, style: Style) -> Math:
    found = jacobian_math(node, c.f.ndim, style)
    return found[0] if found is not None else index_math(node, style)


# ---- figures


def figure_section(f: Dependencies) -> Section | None:
    """A matrix with ∗ where an output entry (row) can depend on an input entry (column), and 0 where it cannot."""
    names = dict.fromkeys(n for size in (*f.shape,) for n in sorted(dim_names(size)))
    sizes = {n: SMALL[k % len(SMALL)] for k, n in enumerate(names)}
    rows, columns, entries = f.pattern(sizes)
    if not entries or len(rows) > WIDEST_FIGURE or len(columns) > WIDEST_FIGURE:
        return None
    zero = ts.Number(Fraction(0))
    matrix = ts.Matrix(tuple(tuple(ts.Text("*") if e else zero for e in row) for row in entries))
    stacked = ts.Partial(_vec(f.f, f.rows), _vec(f.x, len(f.shape) - f.rows))
    at = ", ".join(f"{n} = {size}" for n, size in sizes.items())
    words = f"Drawn for {at}" if at else "Drawn"
    words += f": a row for each of {_listed(rows)}, a column for each of {_listed(columns)}; * can depend, 0 cannot."
    title = ("Dependencies of ", ts.Name(f.f), " on ", ts.Name(f.x))
    return Section(title, (Line(stacked, (Part(matrix),)),), (words,))


def _vec(name: str, ndim: int) -> Math:
    return ts.Vec(ts.Name(name)) if ndim > 1 else ts.Name(name)


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{names[0]}, {names[1]}, ..., {names[-1]}"


__all__ = ["sections"]
