"""A program as one C99 file: sizes, small functions, memory, and the functions that people call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from byhand.arguments import mapping, shown, whole_number
from byhand.code.c.body import INDENT, Body
from byhand.code.c.comments import head_comment, statement_comment
from byhand.code.c.functions import KERNELS, with_needed
from byhand.code.c.identifiers import in_c
from byhand.code.c.memory import DTYPES, LARGEST_ARRAY, Memory, function_names
from byhand.code.c.pieces import MATHEMATICS, single_precision
from byhand.code.c.prepare import Prepared, prepared
from byhand.code.c.rows import CBody
from byhand.code.c.statements import assign
from byhand.code.c.storage import Storage, stored
from byhand.code.layout import WIDEST
from byhand.code.program import Program, Statement, uses
from byhand.errors import DataError, ParseError, nearest
from byhand.expr.dims import Shape
from byhand.expr.nodes import Expr, Symbol


@dataclass(frozen=True)
class CFile:
    """A program in C.

    Attributes:
        source: the file.
        functions: its functions -> the names of their arguments, in order.
        inputs: identifier -> the program's input.
        results: the name of a result -> the argument that receives it.
        returned: what `value` or `forward` returns, a name of the results; None for nothing.
        saved: what stands in memory between forward and backward, with shapes.
        shapes: the shapes of all intermediates that have memory.
        workspace: the shapes of the pieces of memory, by name.
        dtype: "float" or "double".
        parameters: of a network, in the order of its struct.
        capacity: the macro with the greatest value of a dimension that is an argument; "" where there is none.
    """

    source: str
    functions: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, Symbol]
    results: Mapping[str, str]
    returned: str | None
    saved: Mapping[str, Shape]
    shapes: Mapping[str, Shape]
    workspace: Mapping[str, Shape]
    dtype: str
    parameters: tuple[str, ...]
    capacity: str = ""

    @property
    def network(self) -> bool:
        """Whether there are forward, backward and sgd_step."""
        return bool(self.parameters)


def c_file(
    program: Program,
    sizes: Mapping[str, int] | None = None,
    dtype: str = "double",
    parameters: Sequence[str] = (),
    runtime: str | None = None,
) -> CFile:
    """A program as a C99 file.

    Args:
        program: what was lowered.
        sizes: the sizes of named dimensions; those left out are macros that must be given when compiling.
        dtype: "float" or "double".
        parameters: of a network, its parameters: they stand in a struct, and there are forward, backward and sgd_step.
        runtime: a dimension that is an argument of the functions, at most its size in memory.
    Raises: MissingRuleError: an operation that C has no row for. DataError: sizes that are none, or too large.
    """
    given = mapping(sizes, "sizes", "sizes={'N': 16}")
    return _Writer(program, _checked_sizes(program, given), dtype, tuple(parameters), runtime).file()


def _checked_sizes(program: Program, sizes: Mapping[str, int]) -> dict[str, int]:
    for name in sizes:
        if name not in program.dims:
            known = f"it has: {', '.join(program.dims) or 'numbers only'}"
            raise DataError(
                f"the program has no dimension {str(name)[:60]}{nearest(name, list(program.dims))}",
                known,
            )
    return {name: whole_number(size, f"the size of {name}", 1, LARGEST_ARRAY) for name, size in sizes.items()}


class _Writer:
    def __init__(
        self, program: Program, sizes: Mapping[str, int], dtype: str, parameters: tuple[str, ...], runtime: str | None
    ) -> None:
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ParseError(f"dtype is {shown(dtype)}: 'float' or 'double'")
        self.dtype, self.runtime = dtype, runtime
        program, identifiers = in_c(program)
        capacity = identifiers.give(f"{program.dims[runtime]}_MAX") if runtime is not None else ""
        self.prepared: Prepared = prepared(program, identifiers)
        self.program = self.prepared.program
        self.kept = self.prepared.kept
        self.statements = self.program.statements
        self.storage: Storage = stored(self.statements, self.kept)
        self.taken = {*self.program.dims.values(), *self.program.names.values(), *KERNELS, "w", "p", "g", capacity}
        self.kernels: set[str] = set()
        self.parameters = tuple(s for s in self.program.inputs if s.name in parameters)
        backward = uses(s.form for s in self.statements if s.section == "backward")
        self.numbers = [s for s in self.statements if s.section != "backward" and not s.shape and s.leaf in backward]
        self.memory = Memory(self.program, self.storage, self.parameters, self.numbers, sizes, dtype, runtime, capacity)
        self.functions: dict[str, tuple[str, ...]] = {}

    # ---- the file

    def file(self) -> CFile:
        self.memory.check()
        network = bool(self.parameters)
        first, second = function_names(network)
        early = [s for s in self.statements if s.section != "backward"]
        late = [s for s in self.statements if s.section == "backward"]
        blocks = [self._function(first, early, late=False)]
        if late:
            blocks.append(self._function(second, late, late=True))
        if network:
            blocks.append(self._sgd_step())
        parts = [
            head_comment(self.program, self.memory.words()),
            "#include <math.h>",
            *self.memory.macros(),
            *self.memory.structs(),
        ]
        kernels = [KERNELS[k].strip("\n") for k in with_needed(self.kernels)]
        text = "\n\n".join(["\n\n".join(parts), *kernels, *blocks]) + "\n"
        if _mistaken_by_gcc("".join(blocks)):
            text = text.replace("#include <math.h>", f"{_NO_IF_CONVERSION}\n\n#include <math.h>", 1)
        if not _uses_mathematics("".join(kernels + blocks)):
            text = text.replace("#include <math.h>\n\n", "")
        if self.dtype == "float":
            text = single_precision(text)
        saved = {self.program.names[x]: x.shape for x in self.storage.saved}
        return CFile(
            text, dict(self.functions), {self.program.names[s]: s for s in self.program.inputs}, self._result_names(),
            self._returned(), saved, {self.program.names[x]: x.shape for x in self.storage.of},
            self.memory.workspace(), self.dtype, tuple(s.name for s in self.parameters), self.memory.capacity,
        )  # fmt: skip

    def _returned(self) -> str | None:
        """The number that the first function returns."""
        if self.program.value is not None:
            return self.program.value
        results = list(self.program.results.items())
        held = {s.name: s for s in self.statements}
        return results[0][1] if len(results) == 1 and not held[results[0][1]].shape else None

    def _result_names(self) -> dict[str, str]:
        return {name: held for name, held in self.program.results.items() if held != self._returned()}

    # ---- functions

    def _arguments(self, statements: Sequence[Statement]) -> list[Symbol]:
        used = uses(s.form for s in statements)
        return [s for s in self.program.inputs if s in used]

    def _function(self, name: str, statements: Sequence[Statement], late: bool) -> str:
        used = uses(s.form for s in statements)
        data = [s for s in self._arguments(statements) if s not in self.parameters]
        own = [s for s in self._arguments(statements) if s in self.parameters]
        names: dict[Expr, str] = dict(self.program.names)
        results = {s.leaf: s for s in statements if s.result is not None and s.name != self._returned()}
        arguments, order = [], []
        if self.runtime is not None:
            arguments.append(f"const int {self.memory.dim(self.runtime)}")
            order.append(self.memory.dim(self.runtime))
        for d in data:
            kind = "int" if "labels" in d.assumptions else "double"
            arguments.append(f"const {kind} *restrict {names[d]}" if d.shape else f"{kind} {names[d]}")
            order.append(names[d])
        if own:
            arguments.append("const parameters *restrict p")
            order.append("p")
        stored = [x for x in self.storage.of if x in used or any(x is s.leaf for s in statements)]
        stored += [x for s in statements for x in self.kept.get(s.leaf, ()) if x not in stored]
        memory = bool(stored) or (self.numbers and (not late or any(s.leaf in used for s in self.numbers)))
        if memory:
            arguments.append("workspace *restrict w")
            order.append("w")
        gathered = self.parameters and late
        if gathered:
            arguments.append("parameters *restrict g")
            order.append("g")
        else:
            for leaf in results:
                arguments.append(f"double *restrict {names[leaf]}")
                order.append(names[leaf])
        self.functions[name] = tuple(order)
        written = {s.leaf for s in statements} | {x for s in statements for x in self.kept.get(s.leaf, ())}
        body = CBody(names, self.memory.dim, self.taken)
        self._locals(body, own, stored, used, written, results if gathered else {}, late)
        for statement in statements:
            self._statement(body, statement, statement.leaf in results, bool(gathered))
        kind = "void"
        if not late and self._returned() is not None:
            kind = "double"
            body.line(f"return {self._returned()};")
        self.kernels |= body.kernels
        return f"{kind} {name}{_listed(f'{kind} {name}', arguments)}\n{{\n" + "\n".join(body.lines()) + "\n}"

    def _locals(
        self, b: Body, own: Sequence[Symbol], stored: Iterable[Expr], used: Mapping[Expr, int], written: set[Expr],
        gradients: Mapping[Expr, Statement], late: bool,
    ) -> None:  # fmt: skip
        """Pointers to parameters, intermediates and gradients, under the names of the derivation."""
        names = self.program.names
        for s in own:
            b.line(
                f"const double *restrict {names[s]} = p->{names[s]};"
                if s.shape
                else f"const double {names[s]} = p->{names[s]};"
            )
        for x in stored:
            const = "" if x in written else "const "
            b.line(f"{const}double *{names[x]} = w->{self.memory.member(x)};")
        for n in self.numbers:
            if late and n.leaf in used:
                b.line(f"const double {n.name} = w->{n.name};")
        for leaf, gradient in gradients.items():
            member = self._parameter(gradient)
            b.line(f"double *restrict {names[leaf]} = {'' if gradient.shape else '&'}g->{member};")

    def _parameter(self, s: Statement) -> str:
        return next(self.program.names[x] for x in self.parameters if x.name == s.result)

    def _statement(self, b: Body, s: Statement, is_result: bool, gathered: bool) -> None:
        if b.stack[0].items:
            b.line("")
        b.line(f"/* {statement_comment(s, self.program, self.storage)} */")
        if s.shape:
            assign(b, s.leaf, s.form, self.kept.get(s.leaf))
            return
        piece = b.entry(s.form, ())
        if not is_result:
            b.line(f"const double {s.name} = {piece.text};")
            if s in self.numbers:
                b.line(f"w->{s.name} = {s.name};")
            return
        b.line(f"*{s.name} = {piece.text};")
        b.names = {**b.names, s.leaf: f"(*{s.name})"}  # other results may use it

    def _sgd_step(self) -> str:
        lines = ["void sgd_step(parameters *restrict p, const parameters *restrict g, double rate)", "{"]
        for s in self.parameters:
            name = self.program.names[s]
            if not s.shape:
                lines.append(f"{INDENT}p->{name} -= rate * g->{name};")
                continue
            lines.append(f"{INDENT}for (int i = 0; i < {self.memory.count(s.shape)}; i++)")
            lines.append(f"{INDENT * 2}p->{name}[i] -= rate * g->{name}[i];")
        self.functions["sgd_step"] = ("p", "g", "rate")
        return "\n".join([*lines, "}"])


# i >= 2 ? x[i - 2] : 0.0: GCC 12 (-O3, AVX2) makes zeros of entries that it reads under a condition in vectors.
# sum += c ? t : t2: it adds up choices in vectors with lanes of the wrong branch.
_CHOICE = re.compile(r"\b[a-z]\d* (?:>=|<|==) [^?;]*\? [^:;]*\[|\+= [^;]*\?")
_NO_IF_CONVERSION = """\
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-if-convert")  /* GCC 12 mistakes choices in vectors */
#endif"""


def _mistaken_by_gcc(text: str) -> bool:
    return _CHOICE.search(text) is not None


def _uses_mathematics(text: str) -> bool:
    words = rf"\b(?:(?:{'|'.join(MATHEMATICS)})\(|INFINITY\b|NAN\b)"
    return re.search(words, re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)) is not None


def _listed(front: str, arguments: Sequence[str]) -> str:
    if not arguments:
        return "(void)"
    line = f"({', '.join(arguments)})"
    if len(front) + len(line) <= WIDEST:
        return line
    lines, current = [], INDENT
    for a in arguments:
        if len(current) + len(a) + 2 > WIDEST:
            lines.append(current.rstrip())
            current = INDENT
        current += f"{a}, "
    return "(\n" + "\n".join([*lines, current.rstrip().rstrip(",")]) + ")"


__all__ = ["CFile", "c_file"]
