"""The document of a network of any depth: forward, statement, base case, inductive step, read-off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from byhand.derive.derivation import Level
from byhand.derive.induction import Induction
from byhand.derive.record import Unit
from byhand.expr.dims import show_shape
from byhand.expr.functions import ABSTRACT
from byhand.expr.nodes import Expr, Named
from byhand.notation import differential
from byhand.notation import typeset as ts
from byhand.notation.blocks import Document, Line, Part, Section, Words
from byhand.notation.jacobian import local_jacobians
from byhand.notation.symbols import function_name
from byhand.notation.typeset import Math
from byhand.notation.writer import Writer

ONE, TWO = ts.Number(Fraction(1)), ts.Number(Fraction(2))
EVERY, HIDDEN = "l = 1..L", "l = 1..L−1"


class Page:
    """The names of one induction: each part of the layer has an index.

    Args:
        d: the induction, in the layout that is shown.
        notation: of its lines.
    """

    def __init__(self, d: Induction, notation: str) -> None:
        self.d, self.net, self.notation, self.parts = d, d.net, notation, d.parts
        single = d.net.batch is None
        self.z, self.h, self.delta = ("z", "h", "delta") if single else ("Z", "H", "Delta")
        self.abstract = d.net.activation in ABSTRACT
        (self.logits,) = d.head.variables
        self.last = next(u for u in d.head.units if u.node is self.logits)
        self.head = self.writer_of_head()
        self.layer = self.writer("l", "l+1")
        self.below = self.writer("l−1", "l")

    def writer_of_head(self) -> Writer:
        """Z is Z[L], and its adjoint Δ[L]."""
        called: dict[Expr, Math] = {self.logits: at(self.z, "L")}
        return Writer(self.d.head, self.notation == "index", self.notation == "jacobian", called=called)

    def writer(
        self, inner: str, outer: str, instead: Mapping[Expr, Math] | None = None, indices: bool | None = None
    ) -> Writer:
        """A writer that calls what the layer takes by one index, and what it has and makes by the next."""
        p, below = self.parts, ts.Name(self.net.data) if inner == "0" else at(self.h, inner)
        called: dict[Expr, Math] = {
            p["W"]: at("W", outer),
            p["Y"]: at(self.z, outer),
            p["D"]: at(self.delta, outer),
            p["Z"]: at(self.z, inner) if "K" in p else below,
        }
        called |= {p["K"]: below} if "K" in p else {}
        called |= {p["b"]: at("b", outer)} if "b" in p else {}
        called |= {p["S"]: ts.Prime(self.net.activation, (at(self.z, inner),))} if "S" in p else {}
        called |= {u.adjoint: at(self.delta, outer) for u in self.d.layer.units if u.node is p["Y"]}
        called |= instead or {}
        indexed = self.notation == "index" if indices is None else indices
        return Writer(self.d.layer, indexed, self.notation == "jacobian", called=called, adjoints=[p["D"]])

    def unit(self, name: str) -> Unit:
        """The record of a part of the layer."""
        return next(u for u in self.d.layer.units if u.node is self.parts[name])

    def shape(self, node: Expr, lower: bool = False) -> str:
        """The shape of a part; `lower`: one layer down."""
        words = show_shape(node.shape)
        return words.replace("n_l", "n_(l−1)").replace("n_(l+1)", "n_l") if lower else words

    def line(self, w: Writer, left: Math, node: Expr, of: Expr, rule: Words = "", lower: bool = False) -> Line:
        """left = node, the gradient with respect to `of`, or its definition."""
        letters = w.letters(of, node)
        defined = isinstance(of, Named) and of.body is node
        m = w.write(node, of, letters) if defined else w.write_gradient(node, of, letters)
        return Line(indexed(left, letters), (Part(m, rule),), self.shape(of, lower))

    @property
    def function(self) -> Math:
        """The loss, the penalty included."""
        return ts.Name("J")


def at(name: str, layer: str) -> Math:
    """A name in a layer."""
    return ts.Layered(ts.Name(name), layer)


def indexed(m: Math, letters: list[str]) -> Math:
    """A name with the letters of its line; of ∂J/∂Z below Z."""
    if isinstance(m, ts.Partial):
        return replace(m, wrt=indexed(m.wrt, letters))
    return ts.Indexed(m, tuple(letters)) if letters else m


def build(d: Induction, notation: str, level: Level) -> Document:
    """The induction as a document."""
    p = Page(d, notation)
    if level == "result":
        shown: tuple[Section, ...] = (Section("Result", (*base(p).lines[-1:], *closing(p), *read_off(p).lines)),)
    else:
        shown = tuple(
            s for s in (forward(p), statement(p), base(p), step(p, level), read_off(p), special(p)) if s.lines
        )
    return Document(title(p), given(p), notes(p), shown, (str(d.net.batch),))


def title(p: Page) -> tuple[str | Math, ...]:
    names: list[str | Math] = [at("W", "l")]
    names += [", ", at("b", "l")] if "b" in p.parts else []
    return "Gradient of ", p.function, " with respect to ", *names, ", l = 1..L: any depth L, by induction"


def given(p: Page) -> tuple[str | Math, ...]:
    """The inputs with their shapes."""
    data = p.shape(p.parts.get("K", p.parts["Z"])).replace("n_l", "n_0")
    found: list[str | Math] = [ts.Name(p.net.data), f" {data}"]
    for name in ("W", "b"):
        if name in p.parts:
            found += ["   ", at(name, "l"), f" {p.shape(p.parts[name], lower=True)}"]
    for s in p.d.head.f.symbols.values():
        if s is not p.logits:
            found += ["   ", ts.Name(s.name), f" {show_shape(s.shape)}"]
    found += ["   ", ts.Name(p.net.l2), " ()"] if isinstance(p.net.l2, str) else []
    return (*found, "   l = 1..L, L ≥ 1")


def notes(p: Page) -> tuple[Words, ...]:
    """What the abstract function is; what holds for the loss."""
    found: list[Words] = list(differential.notes(p.head)[1:])
    if p.abstract:
        of_z = (ts.Name("z"),)
        found.insert(0, (ts.Call(p.net.activation, of_z), " is any differentiable function of one number, applied entry by"
                         " entry; ", ts.Prime(p.net.activation, of_z), " is its derivative."))  # fmt: skip
    return tuple(found)


def forward(p: Page) -> Section:
    """H[0] = X, Z[l], H[l], the loss."""
    value, below, z = p.parts["Y"], p.parts.get("K", p.parts["Z"]), at(p.z, "l")
    assert isinstance(value, Named)
    first = Line(at(p.h, "0"), (Part(ts.Name(p.net.data)),), p.shape(below).replace("n_l", "n_0"))
    lines = [first, p.line(p.below, z, value.body, value, EVERY, lower=True)]
    if p.abstract or not isinstance(below, Named):
        letters = p.layer.letters(below)
        own = indexed(z, letters)
        m = ts.Call(p.net.activation, (own,)) if p.abstract else own
        lines.append(Line(indexed(at(p.h, "l"), letters), (Part(m, HIDDEN),), p.shape(below)))
    else:
        lines.append(p.line(p.layer, at(p.h, "l"), below.body, below, HIDDEN))
    lines += differential.forward(p.head).lines
    if p.net.l2:
        squares = ts.Power(ts.Norm(at("W", "l")), TWO)
        total = ts.Product((penalty(p), ts.BigSum(("l",), squares, ONE, ts.Name("L"))))
        lines.append(Line(p.function, (Part(ts.Sum(((True, p.head.function_name), (True, total)))),), "()"))
    return Section("Forward", tuple(lines))


def penalty(p: Page) -> Math:
    """λ."""
    return ts.Name(p.net.l2) if isinstance(p.net.l2, str) else ts.Number(Fraction(str(p.net.l2)))


def statement(p: Page) -> Section:
    """What is proved for every l, from L down."""
    w = p.writer("k−1", "k", indices=False)
    names = [name for name in ("W", "b") if name in p.parts]
    terms = [
        ts.Inner(w.write_gradient(p.unit(n).value, p.parts[n]), ts.Differential(w.name(p.parts[n]))) for n in names
    ]
    body: Math = terms[0] if len(terms) == 1 else ts.Sum(tuple((True, t) for t in terms))
    rest = ts.BigSum(("k",), body, ts.Sum(((True, ts.Name("l")), (True, ONE))), ts.Name("L"))
    first = ts.Inner(at(p.delta, "l"), ts.Differential(at(p.z, "l")))
    line = Line(ts.Differential(p.head.function_name), (Part(ts.Sum(((True, first), (True, rest))), EVERY),))
    return Section("Statement S(l)", (line,), (("There is ", at(p.delta, "l"), " with"),))


def base(p: Page) -> Section:
    """S(L): the sum over k is empty."""
    stages = p.last.stages if p.d.base is p.last.value else (p.last.stages[-1]._replace(node=p.d.base),)
    rules = differential.contribution_rules(p.d.head)
    line = differential.adjoint_line(p.head, p.last._replace(stages=stages), rules)
    left = indexed(at(p.delta, "L"), p.head.letters(p.logits, *(s.node for s in stages)))
    lines = (*differential.differentials(p.head).lines, replace(line, left=left, shape=p.shape(p.logits)))
    return Section("Base case S(L)", lines, ("The sum over k is empty.",))


def step(p: Page, level: Level) -> Section:
    """S(l+1) implies S(l): the differentials of a layer, each factor moved off."""
    w, inside = p.layer, [p.parts[n] for n in ("Y", "K") if n in p.parts]
    if p.notation == "jacobian":
        own = [line for line in local_jacobians(w).lines if p.head.function_name not in ts.children(line.left or ONE)]
        lines = [*own, *closing(p)]
    else:
        lines = [of_layer(p, n) for n in inside]
        rules, moves = differential.contribution_rules(p.d.layer), differential.move_lines(w)
        for n in inside:
            u = p.d.unit(n)
            if n is not p.parts["Y"]:
                stages = u.stages[:1]
                lines.append(differential.adjoint_line(w, u._replace(stages=stages), rules))
            if level == "micro" or p.notation == "differential":
                lines += [replace(x, indent=0) for rows in moves.values() for x in rows if x.unit == u.name]
        lines += closing(p)
    return Section("Inductive step: suppose S(l+1), 1 ≤ l < L", tuple(lines))


def of_layer(p: Page, node: Expr) -> Line:
    """The differential of a part of the layer."""
    line = differential.differential_line(p.layer, p.d.unit(node))
    if p.abstract and node is not p.parts["Y"]:
        rule = f"derivative of {function_name(p.net.activation).text}"
        line = replace(line, parts=tuple(replace(part, rule=rule) for part in line.parts))
    return line


def closing(p: Page) -> list[Line]:
    """Δ[l] by Δ[l+1]."""
    return [p.line(p.layer, at(p.delta, "l"), p.d.step, p.parts["Z"], "collect: hence S(l)")]


def read_off(p: Page) -> Section:
    """The gradients of all layers."""
    w, lines = p.below, []
    partial = ts.Partial(p.function, at(p.z, "l"))
    letters = p.layer.letters(p.parts["Z"])
    lines.append(
        Line(
            indexed(partial, letters),
            (Part(indexed(at(p.delta, "l"), letters), "identification"),),
            p.shape(p.parts["Z"]),
        )
    )
    for name, form in (("W", p.d.weight), ("b", p.d.offset)):
        if form is not None:
            line = p.line(w, ts.Partial(p.function, at(name, "l")), form, p.parts[name], EVERY, lower=True)
            lines.append(with_penalty(p, line) if name == "W" and p.net.l2 else line)
    below = p.parts.get("K")
    if below is not None:
        first = p.writer("0", "1")
        line = p.line(first, ts.Partial(p.function, ts.Name(p.net.data)), p.d.unit(below).stages[0].node, below)
        rule = ("if ", ts.Name(p.net.data), " varies")
        shape = line.shape.replace("n_l", "n_0")
        lines.append(replace(line, shape=shape, parts=(replace(line.parts[0], rule=rule),)))
    return Section("Read-off: S(1), the coefficients of each differential", tuple(lines))


def with_penalty(p: Page, line: Line) -> Line:
    """2 λ W[l] added."""
    match line.left:
        case ts.Partial(_, ts.Indexed() as w):
            weights: Math = w
        case _:
            weights = at("W", "l")
    extra = ts.Product((TWO, penalty(p), weights))
    parts = tuple(replace(x, math=ts.Sum(((True, x.math), (True, extra)))) for x in line.parts)
    return replace(line, parts=parts)


def special(p: Page) -> Section:
    """One layer; functions whose derivative everybody knows."""
    if p.notation != "differential":
        return Section("")
    w = p.writer("0", "1", {p.parts["D"]: p.head.write(p.d.base)})
    first = p.line(w, ts.Partial(p.head.function_name, at("W", "1")), p.d.weight, p.parts["W"], "L = 1: one layer")
    first = replace(first, shape="")
    lines = [first]
    if p.abstract:
        z, h = at(p.z, "l"), at(p.h, "l")
        slope = ts.Prime(p.net.activation, (z,))
        relu: Math = ts.Indicator(ts.Relation(">", z, ts.Number(Fraction(0))))
        tanh: Math = ts.Sum(((True, ONE), (False, ts.ElementwisePower(h, Fraction(2)))))
        logistic: Math = ts.Infix("hadamard", (h, ts.Sum(((True, ONE), (False, h)))))
        lines += [
            Line(slope, (Part(m, words),))
            for m, words in ((relu, "relu"), (tanh, "tanh"), (logistic, "the logistic function"))
        ]
    return Section("Special cases", tuple(lines))
