"""`audit`: a derivation, line by line."""

from __future__ import annotations

import re
from dataclasses import replace

from byhand.audit.code import check_code
from byhand.audit.hypotheses import output_activation, saturated
from byhand.audit.lines import check_equation, subject
from byhand.audit.pages.audit import audit_page
from byhand.audit.pages.documents import FORMATS
from byhand.audit.report import AuditReport, Line
from byhand.audit.spelling import NAME, Text, bracketed, juxtaposed, sides, spelled, unclosed
from byhand.audit.state import State
from byhand.errors import ByhandError, ParseError
from byhand.expr.assume import PROPERTIES, read_properties
from byhand.expr.dims import Shape, parse_shape, show_shape
from byhand.expr.functions import FUNCTIONS
from byhand.expr.nodes import Elementwise, Named, symbol
from byhand.expr.vocabulary import VOCABULARY

LONGEST, MOST_LINES, LONGEST_PAGE = 100_000, 2_000, 5_000_000
_MATHEMATICS = re.compile("[ᵀ‖⟨⊘√]|Σ_|⁻¹")  # signs of formulas on paper, as byhand prints them
_SHAPED = re.compile(rf"\s*{NAME}(?:\s*,\s*{NAME})*\s*:\s*(?:\([^()]*\)|function|scalar)")
_DECLARATION = re.compile(
    rf"\s*(?P<names>(?:D_+)?{NAME}(?:\s*,\s*{NAME})*|1_{NAME}|D__{NAME})\s*[:∈]\s*(?P<rest>[^=]*)$"
)
_SHAPE = re.compile(r"\s*(\([^)]*\)|\[[^\]]*\])\s*")
_BARE_SHAPE = re.compile(r"\s*(\w+(?:\s*,\s*|\s+|$))+$")  # X: N, D as on the command line
_RANGE = re.compile(r"\bin\s+(-?[\d.]+)\s*\.\.\s*(-?[\d.]+)")
_QUALIFIER = re.compile(
    r"\s+(for all\s+\w+|everywhere|at\s+\w+\s*=\s*\S+(?:\s*,\s*\w+\s*=\s*\S+)*|in float(?:16|32|64))\s*$"
)
_GENERIC = ("tanh", "sigmoid", "relu")


def audit(text: str, format: str = "auto", steps: bool = False) -> AuditReport:
    """Check a derivation: does each formula type-check, does it follow, is it true?

    A page as people write it (Markdown, LaTeX, a notebook, HTML, plain text) is read formula by formula; prose has no line
    in the report. A text in the notation of the audit is read line by line:

    Lines are declarations `X: (N, D)` (with properties: `Y: (N, C) one_hot`, `x: (d, 1) in 0..255`, `σ: function`),
    definitions `Z1 = X @ W1 + 1_N @ b1`, gradients `dW2 = H1.T @ dZ2` (also `∂L/∂W2`, `dL/dW2`, `d_W2`), differentials
    `d(X @ Y) = dX @ Y + X @ dY`, equations between known things, `code: ...` for lines of a program, comments (#).
    Shapes are strict: nothing broadcasts except numbers. The loss is the last scalar defined.

    Args:
        text: the derivation.
        format: auto, lines (the audit's own notation), markdown, latex, notebook, html or text.
        steps: of a page, name the rule by which each line follows, and fill in the steps between.
    Returns: an AuditReport: `.ok`, `.read`, `.lines` (each `.number`, `.status`, `.kinds`, `.message`, `.mend`), `.text()`.
    Raises: ParseError: the text is no string, or too long.
    """
    if not isinstance(text, str):
        raise ParseError(f"a derivation is a string, not a {type(text).__name__}")
    if format not in ("auto", "lines", *FORMATS):
        raise ParseError(f"the format {format} is not known", f"one of auto, lines, {', '.join(FORMATS)}")
    if format != "lines" and (format != "auto" or not _own(text)):
        if len(text) > LONGEST_PAGE:
            raise ParseError(f"a page has at most {LONGEST_PAGE} characters")
        return AuditReport(tuple(audit_page(text, format, steps)), page=True, source=text)
    if len(text) > LONGEST or text.count("\n") > MOST_LINES:
        raise ParseError(f"a derivation has at most {LONGEST} characters and {MOST_LINES} lines")
    first = Auditor("tanh")
    lines = first.run(text)
    if first.state.functions:
        lines = _for_any_function(text, lines, first.state)
    if any("T" in line.kinds for line in lines):
        lines = _if_square(text, lines)
    return AuditReport(tuple(lines), source=text)


def _own(text: str) -> bool:
    """Whether a text is in the audit's own notation: it declares shapes by lines of their own, or is formulas without words."""
    if re.search(r"\$\$|\\\[|\\\(|\\begin\{|\$[^$\n]+\$|^\s*[{<]", text):
        return False
    vectors = re.search(
        r":\s*\(\s*\w+\s*,?\s*\)", text
    )  # a vector of one axis is a column on paper, and has no transpose in code
    if vectors and _MATHEMATICS.search(text) and not re.search(r"@|\*\*|\.T\b|code:", text):
        return False
    sentences = [line for line in text.split("\n") if re.fullmatch(r"\s*[A-Za-z][a-z]+(?:,? [A-Za-z]+)+[.:]?\s*", line)]
    if sentences and re.search(r"[ᵀ‖⟨⊘√½]|⁻¹|∂\w+/∂", text):
        return False
    lines = [line.split("#")[0] for line in text.split("\n") if line.split("#")[0].strip()]
    return any(_SHAPED.match(line) or line.lstrip().startswith("code:") for line in lines) or not any(
        "∈" in line or len(re.findall(r"[a-z]{3,}", line)) > 4 for line in lines
    )


def _for_any_function(text: str, lines: list[Line], state: State) -> list[Line]:
    """A line that holds for one function only, where the text has a general σ, breaks a hypothesis."""
    others = {g: Auditor(g).run(text) for g in _GENERIC if g != "tanh"}
    made = []
    for k, line in enumerate(lines):
        holds = [g for g, found in others.items() if found[k].ok]
        fails = [g for g, found in others.items() if not found[k].ok] + ([] if line.ok else ["tanh"])
        if (line.ok or line.kinds in (("N",), ("N", "I"))) and fails and (holds or line.ok):
            for_whom = ", ".join(["tanh"] * line.ok + holds)
            left = line.text.split("=")[0].strip()
            about = subject(state, str(spelled(left)))
            over = [
                n
                for n, u in state.nodes.items()
                if isinstance(u, Named)
                and isinstance(u.body, Elementwise)
                and about
                and u.body.arg is state.lookup(about)
            ]
            mend = f"{left} = d{over[0]} ⊙ {state.functions[0]}'({about})" if over else ""
            line = replace(
                line,
                ok=False,
                kinds=("H",),
                message=f"this holds for {for_whom} only, not for a general function",
                mend=mend,
            )
        made.append(line)
    return made


def _if_square(text: str, lines: list[Line]) -> list[Line]:
    """A line that does not type-check may be false even where all sizes are equal: not only a matter of types."""
    square = Auditor("tanh", equal=True).run(text)
    return [
        replace(line, kinds=(*line.kinds, "N"), message=f"{line.message}; false for square matrices too")
        if "T" in line.kinds and other.kinds in (("N",), ("N", "I")) else line
        for line, other in zip(lines, square, strict=True)
    ]  # fmt: skip


class Auditor:
    """Reads one text."""

    def __init__(self, generic: str, equal: bool = False) -> None:
        self.state = State(generic, equal)

    def run(self, text: str) -> list[Line]:
        """A verdict for each line."""
        found = []
        for number, raw in enumerate(text.split("\n"), 1):
            self.state.mention(str(spelled(raw.split("#")[0])))
            try:
                line = self.line(number, raw.rstrip())
            except ByhandError as error:
                line = Line(number, raw.rstrip(), False, ("syntax",), error.message, what="claim", column=error.column)
            except RecursionError:
                line = Line(number, raw.rstrip(), False, ("syntax",), "nested too deep", what="claim")
            found.append(line)
        return self.at_the_end(found)

    def line(self, number: int, raw: str) -> Line:
        """One line."""
        body = raw.split("#")[0].rstrip() if not raw.lstrip().startswith("code:") else raw
        if not body.strip():
            return Line(number, raw, True)
        if body.lstrip().startswith("code:"):
            return check_code(self.state, number, raw)
        qualifier = _QUALIFIER.search(body)
        text = spelled(body[: qualifier.start()] if qualifier else body)
        declared = None if qualifier else self.declaration(number, raw, body, text)
        if declared is not None:
            return declared
        functions = [
            n
            for n in (
                *VOCABULARY,
                *self.state.functions,
                *(f"prime_{f}" for f in (*FUNCTIONS, *self.state.functions)),
                "d",
            )
        ]
        parts = [bracketed(juxtaposed(side, functions, self.state.scalars())) for side in sides(text)]
        open_bracket = unclosed(text)
        if len(parts) < 2 and open_bracket is not None:
            why = "this bracket is not closed"
            return Line(number, raw, False, ("syntax",), why, what="claim", column=open_bracket)
        if len(parts) < 2:
            expected = "expected `name: (shape)`, `left = right`, `code: ...` or a comment (#)"
            return Line(
                number, raw, False, ("syntax",), expected, what="claim", column=len(raw) - len(raw.lstrip()) + 1
            )
        if any(not str(p).strip() for p in parts):
            place = next(k for k, p in enumerate(parts) if not str(p).strip())
            column = raw.index("=") + 1 + place
            return Line(
                number,
                raw,
                False,
                ("syntax",),
                f"an expression is expected {'before' if not place else 'after'} the =",
                what="claim",
                column=column,
            )
        return check_equation(self.state, number, raw, parts, qualifier[1] if qualifier else "")

    # ---- declarations

    def declaration(self, number: int, raw: str, body: str, text: Text) -> Line | None:
        """`X, Z: (N, D) one_hot`; a shape that contradicts what is known is class D."""
        found = _DECLARATION.match(str(text)) or _DECLARATION.match(body)
        if found is None:
            return None
        names, rest = [n.strip() for n in found["names"].split(",")], re.split("[:∈]", body, maxsplit=1)[-1].strip()
        if rest in ("function", "elementwise", "elementwise function"):
            self.state.functions += names
            return Line(number, raw, True, what="declaration")
        limits = _RANGE.search(rest)
        rest = _RANGE.sub("", rest)
        shaped = _SHAPE.match(rest)
        if shaped is None and _BARE_SHAPE.match(rest) and not {*re.findall(r"\w+", rest)} & {*PROPERTIES, "scalar"}:
            shaped = _SHAPE.match(rest := f"({', '.join(re.findall(r'[^ ,]+', rest))})")
        if shaped is None and rest.strip() not in ("scalar", ""):
            column = body.index(rest) + 1 if rest in body else None
            return Line(
                number,
                raw,
                False,
                ("syntax",),
                "a shape is expected after the colon: (m, n) or m, n; () for a scalar; or `function`",
                what="declaration",
                column=column,
            )
        shape = parse_shape(shaped[1]) if shaped is not None else ()
        words = rest[shaped.end() :].strip(" ,") if shaped is not None else ""
        self.state.new_dims(shape)
        shape = tuple(map(self.state.dim, shape))
        for name in names:
            wrong = self.declare(number, raw, name, shape, words)
            if wrong is not None:
                return wrong
            if limits is not None:
                self.state.ranges[name] = float(limits[1]), float(limits[2])
        return Line(number, raw, True, what="declaration")

    def declare(self, number: int, raw: str, name: str, shape: Shape, words: str) -> Line | None:
        """One name; a Line where it contradicts something."""
        state = self.state
        ones = re.match(rf"1_({NAME})$", raw.split(":")[0].strip())
        known: Shape | None = None
        if ones is not None:
            known = (*parse_shape(ones[1]), 1)
            state.new_dims(known)
            known = tuple(map(state.dim, known))
        elif name.startswith("D__"):
            known = state.derivative_shape(*state.derivative(name))
        elif name in state.nodes:
            known = state.nodes[name].shape
        elif name in state.inputs:
            known = state.inputs[name].shape
        elif name.startswith("d") and name[1:] in {**state.inputs, **state.nodes} and state.loss:
            known = state.lookup(name[1:]).shape
        if known is not None:
            shown = raw.split(":")[0].strip()
            if known != shape:
                message = f"{shown} is declared {show_shape(shape)}; it is {show_shape(known)}"
                return Line(number, raw, False, ("D",), message, f"{shown}: {show_shape(known)}", "claim")
            return Line(number, raw, True, what="claim") if name not in state.inputs else None
        if name in VOCABULARY:
            raise ParseError(f"{name} is the name of a function: call the array something else")
        state.inputs[name] = symbol(name, shape, read_properties(words, name, shape))
        return None

    def at_the_end(self, lines: list[Line]) -> list[Line]:
        """What can be said only when the whole is known: activations at the output, saturation, a dimension table."""
        made = list(lines)
        for k, line in enumerate(made):
            if line.what == "definition" and line.ok:
                name = line.text.split("=")[0].strip()
                for kind, message, mend in (*output_activation(self.state, name), *saturated(self.state, name)):
                    made[k] = replace(made[k], ok=False, kinds=(*made[k].kinds, kind), message=message, mend=mend)
        return made
