"""Jacobians and Hessians printed: matrix notation where there is one, index notation always, the layout stated."""

from __future__ import annotations

from collections.abc import Sequence

from byhand.expr.contraction import transpose
from byhand.expr.dims import show_shape
from byhand.expr.nodes import Expr, Named, Symbol, topological
from byhand.notation import typeset as ts
from byhand.notation.blocks import Document, Line, Part, Section, Words
from byhand.notation.index import free_letters, index_math
from byhand.notation.kronecker import VEC_WORDS, commutation, jacobian_math, uses_commutation
from byhand.notation.measure import parts
from byhand.notation.names import unused
from byhand.notation.show import definitions, node_math
from byhand.notation.style import Style
from byhand.notation.text import to_text
from byhand.notation.typeset import Math
from byhand.second.domain import holds
from byhand.second.result import LAYOUTS, Jacobian


def document(j: Jacobian, level: str = "result") -> Document:
    """The formula as a document; at level "steps" with the differentials that it was read off."""
    style = style_of(j)
    steps = level != "result"
    needed = [j.node, *(s.after for s in j.steps if steps and isinstance(s.after, Expr))]
    where = definitions(needed, style)
    sections = [Section("Where", where)] if where else []
    if steps:
        sections.append(differentials(j, style))
    sections.append(Section("Result", tuple(result_lines(j, style)), result_words(j)))
    shown = tuple(s for s in sections if s.lines)
    return Document(title(j), given(j), (*conventions(j), *holds(j.f), *j.notes), shown, tuple(j.f.dimension_names))


def style_of(j: Jacobian) -> Style:
    """Names reserved, and named Jacobians written as what they are: ∂Z1/∂W1."""
    labels: dict[Expr, Math] = {n: ts.Partial(_called(j, of), _called(j, by)) for n, (of, by) in j.names}
    return Style(labels=labels, sized_ones=False, reserved=taken(j))


def taken(j: Jacobian) -> frozenset[str]:
    """The names that inputs, intermediates and dimensions have."""
    named = (n.name for n in topological([j.node]) if isinstance(n, Named))
    return frozenset({*j.f.symbols, *(v.name for v in j.wrt), *j.f.dimension_names, j.f.name, *named})


def _called(j: Jacobian, node: Expr) -> Math:
    return ts.Name(node.name if isinstance(node, (Symbol, Named)) else j.f.name)


def title(j: Jacobian) -> tuple[str | Math, ...]:
    """Hessian of f with respect to x (and y)."""
    names = [ts.Name(v.name) for v in dict.fromkeys(j.wrt)]
    joined: list[str | Math] = []
    for n in names:
        joined += [" and " if joined else "", n]
    return (f"{j.kind} of ", ts.Name(j.f.name), " with respect to ", *joined)


def given(j: Jacobian) -> tuple[str | Math, ...]:
    """The inputs with their shapes."""
    found: list[str | Math] = []
    for s in dict.fromkeys((*j.f.symbols.values(), *j.wrt)):
        found += ["   " if found else "", ts.Name(s.name), f" {show_shape(s.shape)}"]
    return tuple(found)


def conventions(j: Jacobian) -> tuple[Words, ...]:
    """The layout, and how axes are stacked where they are."""
    words: list[Words] = [f"Layout: {j.layout}, {LAYOUTS[j.layout]}."]
    if j.kind == "Hessian":
        x, y = (ts.Name(v.name) for v in (j.wrt if j.layout == "numerator" else j.wrt[::-1]))
        formula = (ts.Name(hessian_name(j)), " = ∂²", ts.Name(j.f.name), "/∂", x, "∂", y)
        words = [(*formula, ": the axes of ", x, " first, then those of ", y, f" (layout: {j.layout}).")]
    style = style_of(j)
    shown = jacobian_math(j.node, j.rows, style)
    if shown is not None and shown[1]:
        words.append(VEC_WORDS)
        words += [
            ("A matrix with index ", w, " is slice ", w, " of its first axis; a row is written as a column.")
            for w in map(ts.Name, batch_letters(shown[0]))
        ]
        if uses_commutation(j.node, j.rows):
            k = ts.Name(commutation(style))
            words.append((k, " is the commutation matrix: ", k, " vec(X) = vec(Xᵀ)."))
    return tuple(words)


def batch_letters(m: Math) -> list[str]:
    """The letters of sums of Kronecker products over slices."""
    if isinstance(m, ts.BigSum):
        return [i for i in m.indices if isinstance(i, str)]
    return list(dict.fromkeys(w for part in parts(m) for w in batch_letters(part)))


def left_side(j: Jacobian, stacked: bool = False) -> Math:
    """∂f/∂x, ∂vec(F)/∂vec(X), or H."""
    if j.kind == "Hessian":
        return ts.Name(hessian_name(j))

    def vec(name: str, ndim: int) -> Math:
        return ts.Vec(ts.Name(name)) if stacked and ndim > 1 else ts.Name(name)

    top, bottom = vec(j.f.name, j.rows), vec(j.wrt[0].name, j.wrt[0].ndim)
    return ts.Partial(top, bottom)


def hessian_name(j: Jacobian) -> str:
    """H, or H_f where H is taken."""
    names = taken(j)
    return "H" if "H" not in names else unused(f"H_{j.f.name}", names)


def result_lines(j: Jacobian, style: Style) -> list[Line]:
    """The matrix line, where there is one, and the index line."""
    lines = []
    rows = j.rows
    shown = jacobian_math(j.node, rows, style)
    turned = j.layout == "denominator"
    if shown is not None:
        m, stacked = shown
        left = left_side(j, stacked)
        if turned and j.node.ndim > 1:
            flipped = None if stacked else jacobian_math(transpose(j.node), rows, style)
            m = flipped[0] if flipped is not None else ts.Transpose(m)
            left = ts.Transpose(left) if rows and rows < j.node.ndim else left
        lines.append(
            Line(left, (Part(m),), matrix_size(j) if stacked else show_shape(j.expression.shape), kind="result")
        )
    letters = free_letters(style, j.node.ndim)
    out, inner = letters[:rows], letters[rows:]
    m = index_math(j.node, style, letters)
    if letters:
        lines.append(
            Line(
                index_left(j, out, inner),
                (Part(m, "zero" if j.is_zero else ""),),
                show_shape(j.expression.shape),
                kind="result",
            )
        )
    elif not lines:
        lines.append(Line(left_side(j), (Part(m),), "()", kind="result"))
    return lines


def index_left(j: Jacobian, out: Sequence[str], inner: Sequence[str]) -> Math:
    """∂f_i/∂x_jk, or ∂²f/∂x_i ∂y_j as ∂/∂y_j of ∂f/∂x_i."""

    def at(name: str, letters: Sequence[str]) -> Math:
        return ts.Indexed(ts.Name(name), tuple(letters)) if letters else ts.Name(name)

    if j.kind == "Hessian":
        return at(hessian_name(j), [*inner, *out] if j.layout == "denominator" else [*out, *inner])
    return ts.Partial(at(j.f.name, out), at(j.wrt[0].name, inner))


def matrix_size(j: Jacobian) -> str:
    """mn × pq: the size of the matrix of vecs."""
    sides = [j.node.shape[: j.rows], j.node.shape[j.rows :]]
    if j.layout == "denominator":
        sides.reverse()
    return " × ".join("·".join(map(str, side)) for side in sides)


def result_words(j: Jacobian) -> tuple[str, ...]:
    """What kind of matrix it is."""
    return () if j.is_zero or j.structure == "dense" else (f"Structure: {j.structure}.",)


def differentials(j: Jacobian, style: Style) -> Section:
    """d(intermediate) for every intermediate on the way."""
    lines = []
    called = {n.name: m for n, m in style.labels.items() if isinstance(n, Named)}
    if j.kind == "Hessian":
        called[f"d{j.f.name}_d{j.wrt[0].name}"] = ts.Partial(ts.Name(j.f.name), ts.Name(j.wrt[0].name))
    for s in j.steps:
        if s.kind == "differential" and isinstance(s.after, Expr):
            own = called.get(s.unit, ts.Name(s.unit))
            part = Part(node_math(s.after, style), s.rule)
            lines.append(Line(ts.Differential(own), (part,), show_shape(s.shape), kind="differential", unit=s.unit))
    return Section("Differentials", tuple(lines))


def matrix_text(j: Jacobian) -> str:
    """The formula in one line of text: in matrix notation where there is one, with indices otherwise."""
    style = style_of(j)
    shown = jacobian_math(j.node, j.rows, style)
    return to_text(shown[0] if shown is not None else index_math(j.node, style))
