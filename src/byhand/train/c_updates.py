"""The update of an optimizer as a loop in C, and the C of many steps around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from byhand.code.c.source import CFile
from byhand.errors import MissingRuleError
from byhand.expr.functions import MASKS
from byhand.program.lower import Program
from byhand.program.ops import P1, Add, Map, Mul, Number, Op, topological

_FUNCTIONS = {"abs": "fabs", "log1p": "log1p", **dict.fromkeys(("exp", "log", "tanh"), "")}  # "": of the same name


class Update:
    """One update: lines of C for entry i of the vectors, and numbers that are computed before the loop, in double.

    Args:
        program: of the update; its vectors have one axis.
        real: "float" or "double", the type of the vectors.
    Raises: MissingRuleError: the update has an operation that C has no row for here.
    """

    def __init__(self, program: Program, real: str) -> None:
        self.real = real
        self.vectors = [name for name, op in program.inputs.items() if op.shape]
        self.before: list[str] = []
        self.lines: list[str] = []
        self._words: dict[Op, str] = {op: f"{n}[i]" if op.shape else n for n, op in program.inputs.items()}
        for op in topological(program.results.values()):
            if op not in self._words:
                self._declare(op)
        self.lines += [f"{name}[i] = {self._words[op]};" for name, op in program.results.items()]

    def _declare(self, op: Op) -> None:
        """A variable for a number, before the loop, or for an entry, in it; entries read numbers in their own type."""
        if isinstance(op, Mul) and not op.factors:
            self._words[op] = repr(float(op.coefficient.value))
        elif op.shape:
            value = self._value(op)
            self.lines.append(f"const {self.real} x{len(self.lines) + 1} = {value};")
            self._words[op] = f"x{len(self.lines)}"
        else:
            self._words[op] = self._number(self._value(op))

    def _number(self, value: str) -> str:
        """The name of a number that is computed before the loop."""
        self.before.append(f"const double c{len(self.before) + 1} = {value};")
        return f"c{len(self.before)}"

    def _value(self, op: Op) -> str:
        inside = bool(op.shape)
        match op:
            case Number(value=value):
                return repr(value)
            case Map(function=name, args=(a,)) if name in MASKS:
                return f"{self._word(a, inside)} {MASKS[name]} 0"
            case Map(function="sign", args=(a,)):
                return f"({self._word(a, inside)} > 0) - ({self._word(a, inside)} < 0)"
            case Map(function="real", args=(a,)):
                return self._word(a, inside)
            case Map(function="power", args=(a, b)):
                return self._call("pow", inside, self._word(a, inside), self._word(b, inside))
            case Map(function=name, args=(a,)) if name in _FUNCTIONS:
                return self._call(_FUNCTIONS[name] or name, inside, self._word(a, inside))
            case Add(terms=terms):
                signed = [(c.value < 0, self._product(abs(c.value), [(t, P1)], inside)) for c, t, _ in terms]
                words = "".join(f" {'-' if minus else '+'} {word}" for minus, word in signed)
                return words.removeprefix(" + ").strip()
            case Mul(coefficient=c, factors=factors):
                return self._product(c.value, [(f, p) for f, _, p in factors], inside)
            case _:
                raise MissingRuleError(f"the C engine has no {type(op).__name__} in an update", "engine='numpy'")

    def _product(self, c: Fraction, factors: list[tuple[Op, Fraction]], inside: bool) -> str:
        """A coefficient times powers; what is the same for all entries is multiplied before the loop."""
        numbers = [f for f in factors if not f[0].shape]
        if inside and numbers:
            number, rest = self._number(self._product(c, numbers, False)), [f for f in factors if f[0].shape]
            return f"({self.real}){number}" + (f" * {self._product(Fraction(1), rest, True)}" if rest else "")
        above = [self._raised(f, p, inside) for f, p in factors if p > 0]
        below = [self._raised(f, -p, inside) for f, p in factors if p < 0]
        whole = " * ".join([*([] if c == 1 and above else [self._literal(c, inside)]), *above])
        return f"{whole} / ({' * '.join(below)})" if below else whole

    def _word(self, op: Op, inside: bool) -> str:
        return f"({self.real}){self._words[op]}" if inside and not op.shape else self._words[op]

    def _literal(self, value: Fraction, inside: bool) -> str:
        return f"({self.real}){float(value)!r}" if inside else repr(float(value))

    def _call(self, function: str, inside: bool, *args: str) -> str:
        return f"{function}{'f' * (inside and self.real == 'float')}({', '.join(args)})"

    def _raised(self, op: Op, p: Fraction, inside: bool) -> str:
        word = self._word(op, inside)
        if p == Fraction(1, 2):
            return self._call("sqrt", inside, word)
        return " * ".join([word] * int(p)) if p in (1, 2, 3) else self._call("pow", inside, word, repr(float(p)))


TRAIN = """
/* The copy of some rows of an array: rows[0], rows[1], ... */
static void gather_{name}(const {type} *restrict all, const int *restrict rows, int count, {type} *restrict batch)
{{
    for (int i = 0; i < count; i++)
        for (int j = 0; j < {width}; j++)
            batch[i * {width} + j] = all[(long long)rows[i] * {width} + j];
}}
"""


def train_source(
    update: Update,
    data: Mapping[str, tuple[str, int]],
    masks: Mapping[str, int],
    made: CFile,
    count: int,
    recorded: Sequence[slice] = (),
) -> str:
    """The C of many steps: gather, forward, backward, clip, update.

    Args:
        update: of the optimizer.
        data: identifier -> type and entries of one sample, of what is gathered.
        masks: identifier -> units, of the dropout masks.
        made: the file that this is added to.
        count: how many parameters there are.
        recorded: parts of the gradient whose 2-norms are written to a further argument, (steps, parts).
    """
    real = update.real
    state = [v for v in update.vectors if v not in ("p", "g")]
    gathers = "".join(TRAIN.format(name=n, type=kind, width=width) for n, (kind, width) in data.items())
    batch = "".join(f"    {kind} {n}[{made.capacity} * {width}];\n" for n, (kind, width) in data.items())
    arguments = ["parameters *parameters_", "parameters *gradient_", "workspace *w", "samples_of_a_batch *b"]
    arguments += [f"const {kind} *{n}_all" for n, (kind, _) in data.items()]
    arguments += [f"const {real} *{n}_all" for n in masks] + [f"{real} *restrict {v}" for v in state]
    arguments += ["const int *rows", "int samples", "int size", "int steps", "const double *rates", "double t"]
    arguments += ["double clip", "double *losses", *(["double *norms"] if recorded else [])]
    said = {
        **{n: f"b->{n}" for n in data}, **{n: f"{n}_all + (long long)step * size * {units}" for n, units in masks.items()},
        "p": "parameters_", "g": "gradient_", "w": "w",
    }  # fmt: skip
    calls = {f: ", ".join(said.get(a, "count") for a in made.functions[f]) for f in ("forward", "backward")}
    lines = [
        gathers,
        f"typedef struct {{\n{batch}}} samples_of_a_batch;\n",
        "/* Steps on batches of the rows that are listed; how many were taken before a loss was no finite number. */",
        f"int train({', '.join(arguments)})",
        "{",
        f"    {real} *restrict p = ({real} *)parameters_;",
        f"    {real} *restrict g = ({real} *)gradient_;",
        "    for (int step = 0; step < steps; step++) {",
        "        const int first = step * size, count = samples - first < size ? samples - first : size;",
        *(f"        gather_{n}({n}_all, rows + first, count, b->{n});" for n in data),
        f"        losses[step] = (double)forward({calls['forward']});",
        "        if (!(losses[step] - losses[step] == 0.0))",
        "            return step + 1;",
        f"        backward({calls['backward']});",
        *(_norm_lines(recorded) if recorded else ()),
        "        if (clip > 0.0) {",
        f"            {real} squares = 0;",
        f"            for (int i = 0; i < {count}; i++)",
        "                squares += g[i] * g[i];",
        "            const double length = sqrt((double)squares);",
        "            if (length > clip) {",
        f"                const {real} factor = ({real})(clip / (length + 1e-6));",
        f"                for (int i = 0; i < {count}; i++)",
        "                    g[i] *= factor;",
        "            }",
        "        }",
        "        const double lr = rates[step];",
        "        t += 1.0;",
        *(f"        {line}" for line in update.before),
        f"        for (int i = 0; i < {count}; i++) {{",
        *(f"            {line}" for line in update.lines),
        "        }",
        "    }",
        "    return steps;",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _norm_lines(recorded: Sequence[slice]) -> list[str]:
    """The 2-norms of parts of the gradient g; squares in double precision."""
    lines = []
    for k, part in enumerate(recorded):
        lines += [
            "        {",
            "            double squares = 0;",
            f"            for (int i = {part.start}; i < {part.stop}; i++)",
            "                squares += (double)g[i] * (double)g[i];",
            f"            norms[(long long)step * {len(recorded)} + {k}] = sqrt(squares);",
            "        }",
        ]
    return lines


__all__ = ["Update", "train_source"]
