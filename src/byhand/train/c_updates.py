"""The update of an optimizer as a loop in C, and the C of many steps around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from byhand.code.c.functions import KERNELS, with_needed
from byhand.code.c.loops import INDENT
from byhand.code.c.pieces import single_precision
from byhand.code.c.source import CFile
from byhand.code.c.writer import written
from byhand.code.statements import Statement
from byhand.expr.dims import ONE
from byhand.program.lower import Program
from byhand.program.ops import P1, Add, Input, Mul, Op, Pool
from byhand.program.rewrite import mapped

RESERVED = {"p", "g", "w", "b", "t", "lr", "step", "steps", "first", "count", "size", "rows", "rates", "clip", "losses"}


class Update:
    """One update: lines of C for vectors, and for numbers that are computed before the loop, in double precision.

    Args:
        program: of the update; its vectors have one axis.
        real: "float" or "double", the type of the vectors.
        count: the entries of the vectors.
    Raises: MissingRuleError: the update has an operation that C has no row for.
    """

    def __init__(self, program: Program, real: str, count: int) -> None:
        self.real = real
        self.vectors = [name for name, op in program.inputs.items() if op.shape]
        pool = Pool()
        numbers: dict[Op, Statement] = {}

        def number(op: Op) -> Op:
            """The name of what is the same for all entries."""
            if op not in numbers:
                leaf = pool(Input((), "real", f"c{len(numbers) + 1}"))
                numbers[op] = Statement(leaf, op, "forward", result=leaf.name)
            return numbers[op].leaf

        def split(op: Op) -> Op:
            """Vectors times one number, and plus one."""
            if op.shape and isinstance(op, Add):
                added = (
                    (c, t, axes) if t.shape else (ONE, number(pool.mul((), c, [(t, (), P1)])), ())
                    for c, t, axes in op.terms
                )
                return pool(Add(op.shape, op.type, tuple(added)))
            if not op.shape or not isinstance(op, Mul) or all(f.shape for f, _, _ in op.factors):
                return op
            alone = tuple(f for f in op.factors if not f[0].shape)
            front = number(pool(Mul((), "real", op.coefficient, alone)))
            rest = tuple(f for f in op.factors if f[0].shape)
            return pool(Mul(op.shape, op.type, ONE, ((front, (), P1), *rest)))

        found = {name: mapped(pool, op, split) for name, op in program.results.items()}
        found = {**{n: op for n, op in found.items() if n != "p"}, "p": found["p"]}  # the state first, which p may need
        vectors = [Statement(pool(Input(op.shape, "real", f"new_{n}")), op, "forward") for n, op in found.items()]
        stores = [
            Statement(pool(Input(s.shape, "real", f"{n}_")), s.leaf, "value", result=n)
            for n, s in zip(found, vectors, strict=True)
        ]
        names = {op: n for n, op in program.inputs.items()} | {s.leaf: n for n, s in zip(found, stores, strict=True)}
        dims = {str(d): str(count) for op in program.inputs.values() for d in op.shape}
        known = [*program.inputs.values()]
        self.before, first = written(pool, [*numbers.values()], known, names, dims, RESERVED)
        cast = {s.leaf: f"{s.name}_{real}" for s in numbers.values()} if real == "float" else {}
        self.before += [f"const float {word} = (float){leaf.name};" for leaf, word in cast.items()]
        self.lines, second = written(
            pool, [*vectors, *stores], [*known, *(s.leaf for s in numbers.values())], names | cast, dims, RESERVED
        )
        if real == "float":
            self.lines = single_precision("\n".join(self.lines)).split("\n")
        self.kernels = first | second


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
    """The C of many steps: gather, loss and gradients, clip, update.

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
    ((name, order),) = [(n, order) for n, order in made.functions.items() if n != "sgd_step"]
    memory = "workspace" if "w" in order else "void"
    arguments = ["parameters *parameters_", "parameters *gradient_", f"{memory} *w", "samples_of_a_batch *b"]
    arguments += [f"const {kind} *{n}_all" for n, (kind, _) in data.items()]
    arguments += [f"const {real} *{n}_all" for n in masks] + [f"{real} *restrict {v}" for v in state]
    arguments += ["const int *rows", "int samples", "int size", "int steps", "const double *rates", "double t"]
    arguments += ["double clip", "double *losses", *(["double *norms"] if recorded else [])]
    said = {
        **{n: f"b->{n}" for n in data}, **{n: f"{n}_all + (long long)step * size * {units}" for n, units in masks.items()},
        "p": "parameters_", "g": "gradient_", "w": "w",
    }  # fmt: skip
    kernels = [KERNELS[k] for k in with_needed(update.kernels) if f" {k}(" not in made.source]
    lines = [
        *(single_precision(k) if real == "float" else k for k in kernels),
        gathers,
        f"typedef struct {{\n{batch}}} samples_of_a_batch;\n",
        "/* Steps on batches of the rows that are listed; how many were taken before a loss was no finite number. */",
        f"int train({', '.join(arguments)})",
        "{",
        *([] if "w" in order else ["    (void)w;"]),
        f"    {real} *restrict p = ({real} *)parameters_;",
        f"    {real} *restrict g = ({real} *)gradient_;",
        "    for (int step = 0; step < steps; step++) {",
        "        const int first = step * size, count = samples - first < size ? samples - first : size;",
        *(f"        gather_{n}({n}_all, rows + first, count, b->{n});" for n in data),
        f"        losses[step] = (double){name}({', '.join(said.get(a, 'count') for a in order)});",
        "        if (!(losses[step] - losses[step] == 0.0))",
        "            return step + 1;",
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
        *(f"{INDENT * 2}{line}" for line in (*update.before, *update.lines)),
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
