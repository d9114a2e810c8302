"""The update of an optimizer, read from the source that every engine lowers, as a loop in C."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from byhand.code.c.source import CFile
from byhand.errors import MissingRuleError

_SIGNS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_NUMBERS = ("lr", "t")


class Update:
    """One update: lines of C for entry i of the vectors, and numbers that are computed before the loop, in double.

    Args:
        source: what `optimizers.update_source` wrote.
        real: "float" or "double", the type of the vectors.
    Raises: MissingRuleError: the source has something that C has no row for here.
    """

    def __init__(self, source: str, real: str) -> None:
        (function,) = ast.parse(source).body
        assert isinstance(function, ast.FunctionDef)
        self.real = real
        self.vectors = [a.arg for a in function.args.args if a.arg not in _NUMBERS]
        self.numbers: dict[str, str] = {n: n for n in _NUMBERS}
        self.before: list[str] = []
        self.lines: list[str] = []
        for s in function.body:
            match s:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in self.vectors:
                    self.lines.append(f"{name}[i] = {self.text(value)};")
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self.numbers[name] = f"({self.number(value)})"
                case ast.Return():
                    continue
                case _:
                    raise self.missing(s)

    def missing(self, node: ast.AST) -> MissingRuleError:
        return MissingRuleError(f"the C engine cannot write {ast.unparse(node)[:60]!r}", "engine='numpy'")

    def is_number(self, e: ast.expr) -> bool:
        """Whether the same for all entries."""
        return not any(isinstance(n, ast.Name) and n.id in self.vectors for n in ast.walk(e))

    def text(self, e: ast.expr) -> str:
        """An expression for entry i."""
        if self.is_number(e):
            name = f"c{len(self.before) + 1}"
            self.before.append(f"const {self.real} {name} = ({self.real})({self.number(e)});")
            return name
        match e:
            case ast.Name(id=name):
                return f"{name}[i]"
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=2)):
                return (
                    f"{self.text(left)} * {self.text(left)}" if isinstance(left, ast.Name) else self._missing_square(e)
                )
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _SIGNS:
                return f"({self.text(left)} {_SIGNS[type(op)]} {self.text(right)})"
            case ast.Call(func=ast.Attribute(attr="sqrt"), args=[arg]):
                return f"{'sqrtf' if self.real == 'float' else 'sqrt'}({self.text(arg)})"
        raise self.missing(e)

    def _missing_square(self, e: ast.expr) -> str:
        raise self.missing(e)

    def number(self, e: ast.expr) -> str:
        """A number in double precision."""
        match e:
            case ast.Constant(value=int() | float() as value):
                return repr(float(value))
            case ast.Name(id=name) if name in self.numbers:
                return self.numbers[name]
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return f"pow({self.number(left)}, {self.number(right)})"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _SIGNS:
                return f"({self.number(left)} {_SIGNS[type(op)]} {self.number(right)})"
        raise self.missing(e)


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
