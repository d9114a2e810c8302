"""A program as one C99 file: sizes, small functions, memory, and the functions that people call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from byhand.code.c.body import INDENT, Body
from byhand.code.c.entries import entry
from byhand.code.c.functions import KERNELS, with_needed
from byhand.code.c.identifiers import in_c
from byhand.code.c.pieces import dim_piece, single_precision, size_piece
from byhand.code.c.prepare import Prepared, prepared
from byhand.code.c.statements import assign
from byhand.code.c.storage import Slot, Storage, stored
from byhand.code.program import Program, Statement, uses
from byhand.errors import DataError, ParseError, ShapeError, nearest
from byhand.expr.dims import Dim, Shape, dim_names, dim_value, show_shape
from byhand.expr.nodes import Expr, Named, Symbol
from byhand.notation import typeset as ts
from byhand.notation.text import to_text

WIDEST = 120
LARGEST_ARRAY = 2**31 - 1
DTYPES = {"float": 4, "double": 8}


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
    return _Writer(program, _checked_sizes(program, sizes or {}), dtype, tuple(parameters), runtime).file()


def _checked_sizes(program: Program, sizes: Mapping[str, int]) -> dict[str, int]:
    for name, size in sizes.items():
        if name not in program.dims:
            known = f"it has: {', '.join(program.dims) or 'numbers only'}"
            raise DataError(f"the program has no dimension {name}{nearest(name, list(program.dims))}", known)
        if isinstance(size, bool) or not hasattr(size, "__index__") or not 1 <= size.__index__() <= LARGEST_ARRAY:
            raise DataError(f"the size of {name} is {size!r}: a whole number from 1 on")
    return {name: size.__index__() for name, size in sizes.items()}


class _Writer:
    def __init__(
        self, program: Program, sizes: Mapping[str, int], dtype: str, parameters: tuple[str, ...], runtime: str | None
    ) -> None:
        if dtype not in DTYPES:
            raise ParseError(f"dtype is {str(dtype)[:40]!r}: 'float' or 'double'")
        self.sizes, self.dtype, self.runtime = sizes, dtype, runtime
        program, identifiers = in_c(program)
        self.capacity = identifiers.give(f"{program.dims[runtime]}_MAX") if runtime is not None else ""
        self.prepared: Prepared = prepared(program, identifiers)
        self.program = self.prepared.program
        self.kept = self.prepared.kept
        self.statements = self.program.statements
        self.storage: Storage = stored(self.statements, self.kept)
        self.taken = {*self.program.dims.values(), *self.program.names.values(), *KERNELS, "w", "p", "g", self.capacity}
        self.kernels: set[str] = set()
        self.parameters = tuple(s for s in self.program.inputs if s.name in parameters)
        self.members = {id(slot): self._member(slot) for slot in self.storage.slots}
        backward = uses(s.form for s in self.statements if s.section == "backward")
        self.kept_numbers = [
            s for s in self.statements if s.section != "backward" and not s.shape and s.leaf in backward
        ]
        self.functions: dict[str, tuple[str, ...]] = {}

    # ---- names and sizes

    def _member(self, slot: Slot) -> str:
        """Memory is called by what is saved in it, else by what stands in it first."""
        saved = [x for x in slot.leaves if x in self.storage.saved]
        return self.program.names[(saved or slot.leaves)[0]]

    def dim(self, name: str) -> str:
        return self.program.dims[name]

    def room(self, name: str) -> str:
        return self.capacity if name == self.runtime else self.program.dims[name]

    def count(self, shape: Shape) -> str:
        """How many entries memory for an array has."""
        return size_piece(shape, self.room).text

    def number(self, shape: Shape) -> int | None:
        try:
            total = 1
            for d in shape:
                total *= dim_value(d, self.sizes)
        except ShapeError:  # a size that is not known yet
            return None
        return total

    # ---- the file

    def file(self) -> CFile:
        self._check_sizes()
        network = bool(self.parameters)
        first, second = ("forward", "backward") if network else ("value", "gradient")
        early = [s for s in self.statements if s.section != "backward"]
        late = [s for s in self.statements if s.section == "backward"]
        blocks = [self._function(first, early, late=False)]
        if late:
            blocks.append(self._function(second, late, late=True))
        if network:
            blocks.append(self._sgd_step())
        parts = [self._head(), "#include <math.h>", *self._macros(), *self._structs()]
        kernels = [KERNELS[k].strip("\n") for k in with_needed(self.kernels)]
        text = "\n\n".join(["\n\n".join(parts), *kernels, *blocks]) + "\n"
        if "(" not in "".join(kernels + blocks) or not _uses_mathematics("".join(kernels + blocks)):
            text = text.replace("#include <math.h>\n\n", "")
        if self.dtype == "float":
            text = single_precision(text)
        saved = {self.program.names[x]: x.shape for x in self.storage.saved}
        return CFile(
            text, dict(self.functions), {self.program.names[s]: s for s in self.program.inputs}, self._result_names(),
            self._returned(), saved, {self.program.names[x]: x.shape for x in self.storage.of},
            self._workspace(), self.dtype, tuple(s.name for s in self.parameters), self.capacity,
        )  # fmt: skip

    def _check_sizes(self) -> None:
        shapes = [s.shape for s in (*self.program.inputs, *(s.leaf for s in self.statements))]
        for shape in shapes:
            if (self.number(shape) or 0) > LARGEST_ARRAY:
                raise DataError(
                    f"an array of shape {show_shape(shape)} has more entries than an int counts", "smaller sizes"
                )

    def _returned(self) -> str | None:
        """The number that the first function returns."""
        if self.program.value is not None:
            return self.program.value
        results = list(self.program.results.items())
        held = {s.name: s for s in self.statements}
        return results[0][1] if len(results) == 1 and not held[results[0][1]].shape else None

    def _result_names(self) -> dict[str, str]:
        return {name: held for name, held in self.program.results.items() if held != self._returned()}

    def _workspace(self) -> dict[str, Shape]:
        arrays = {self.members[id(slot)]: slot.shape for slot in self.storage.slots}
        return arrays | {s.name: () for s in self.kept_numbers}

    def _macros(self) -> list[str]:
        lines = []
        for name in self.program.dims:
            word = self.room(name)
            meant = f"the greatest {name}" if name == self.runtime else f"the size of {name}"
            lines.append(f"#ifndef {word}")
            if name in self.sizes:
                lines.append(f"#define {word} {self.sizes[name]}  /* {meant} */")
            else:
                lines.append(f'#error "{meant} is unknown: compile with -D{word}=..."')
            lines.append("#endif")
        return ["\n".join(lines)] if lines else []

    def _structs(self) -> list[str]:
        blocks = []
        if self.parameters:
            blocks.append(self._struct("parameters", {self.program.names[s]: s.shape for s in self.parameters}, {}))
        if self._workspace():
            stand = {
                self.members[id(slot)]: [self.program.names[x] for x in slot.leaves] for slot in self.storage.slots
            }
            blocks.append(self._struct("workspace", self._workspace(), stand))
        return blocks

    def _struct(self, name: str, members: Mapping[str, Shape], stand: Mapping[str, Sequence[str]]) -> str:
        lines = []
        for member, shape in members.items():
            size = f"[{self.count(shape)}]" if shape else ""
            others = [x for x in stand.get(member, ()) if x != member]
            also = f", also {', '.join(others)}" if others else ""
            lines.append((f"double {member}{size};", f"/* {show_shape(shape)}{also} */" if shape else "/* a number */"))
        column = max(len(code) for code, _ in lines) + 2
        text = "\n".join(f"{INDENT}{code:<{column}}{comment}" for code, comment in lines)
        return f"typedef struct {{\n{text}\n}} {name};"

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
            arguments.append(f"const int {self.dim(self.runtime)}")
            order.append(self.dim(self.runtime))
        for d in data:
            kind = "int" if "labels" in d.assumptions else "double"
            arguments.append(f"const {kind} *restrict {names[d]}" if d.shape else f"{kind} {names[d]}")
            order.append(names[d])
        if own:
            arguments.append("const parameters *restrict p")
            order.append("p")
        stored = [x for x in self.storage.of if x in used or any(x is s.leaf for s in statements)]
        stored += [x for s in statements for x in self.kept.get(s.leaf, ()) if x not in stored]
        memory = bool(stored) or (self.kept_numbers and (not late or any(s.leaf in used for s in self.kept_numbers)))
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
        body = Body(names, self.dim, self.taken)
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
            b.line(f"{const}double *{names[x]} = w->{self.members[id(self.storage.of[x])]};")
        for n in self.kept_numbers:
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
        b.line(f"/* {self._comment(s)} */")
        if s.shape:
            assign(b, s.leaf, s.form, self.kept.get(s.leaf))
            return
        piece = entry(b, s.form, ())
        if not is_result:
            b.line(f"const double {s.name} = {piece.text};")
            if s in self.kept_numbers:
                b.line(f"w->{s.name} = {s.name};")
            return
        b.line(f"*{s.name} = {piece.text};")
        b.names = {**b.names, s.leaf: f"(*{s.name})"}  # other results may use it

    def _comment(self, s: Statement) -> str:
        shape = show_shape(s.shape)
        place = (
            f", in the place of {self.program.names[self.storage.in_place[s.leaf]]}"
            if s.leaf in self.storage.in_place
            else ""
        )
        math = (
            ts.Relation("=", s.left if s.left is not None else ts.Name(s.name), s.math) if s.math is not None else None
        )
        text = "" if math is None else _safe(re.sub(r"\s+", " ", to_text(math)))
        own = f"{s.name} = " if s.left is not None else ""
        full = f"{own}{text}   {shape}{place}"
        return full if text and len(full) <= WIDEST - 10 else f"{s.name}   {shape}{place}"

    def _sgd_step(self) -> str:
        lines = ["void sgd_step(parameters *restrict p, const parameters *restrict g, double rate)", "{"]
        for s in self.parameters:
            name = self.program.names[s]
            if not s.shape:
                lines.append(f"{INDENT}p->{name} -= rate * g->{name};")
                continue
            lines.append(f"{INDENT}for (int i = 0; i < {self.count(s.shape)}; i++)")
            lines.append(f"{INDENT * 2}p->{name}[i] -= rate * g->{name}[i];")
        self.functions["sgd_step"] = ("p", "g", "rate")
        return "\n".join([*lines, "}"])

    # ---- the comment at the head

    def _head(self) -> str:
        title = (
            self.program.title if len(self.program.title) <= 90 else self.program.title.split(" with respect to ")[0]
        )
        lines = [f"{_safe(title)}; derived and written by byhand. C99, no other file, no allocation.", ""]
        shown = [
            s
            for s in self.program.statements
            if s.math is not None and (s.section == "value" or (s.section == "forward" and isinstance(s.leaf, Named)))
        ]
        shown_text = [f"{INDENT}{s.name} = {_safe(to_text(s.math))}" for s in shown if s.math is not None]
        lines += [line for line in shown_text if len(line) < WIDEST - 4]
        lines += ["", "Arrays stand row by row, the last index running fastest:"]
        lines += [f"{INDENT}{self.program.names[s]}: {_described(s)}" for s in self.program.inputs]
        lines += ["", *map(_safe, self.program.notes), *self._memory_words()]
        return "/*\n" + "\n".join(f" * {line}".rstrip() for line in lines) + "\n */"

    def _memory_words(self) -> list[str]:
        workspace = self._workspace()
        if not workspace:
            return ["No memory is needed beyond the arguments."]
        size = DTYPES[self.dtype]
        lines = [f"workspace: {self._bytes(list(workspace.values()), size)}."]
        names = self.program.names
        saved = [f"{names[x]} {show_shape(x.shape)}" for x in self.storage.saved]
        if any(s.section == "backward" for s in self.statements):
            total = self._bytes([x.shape for x in self.storage.saved], size)
            first, second = ("forward", "backward") if self.parameters else ("value", "gradient")
            words = f"{', '.join(saved)}: {total}" if saved else "nothing"
            lines += _wrapped(
                f"Saved by {first} for {second}: {words}. Memory is used again, so call {first} before each {second}."
            )
        return lines

    def _bytes(self, shapes: Sequence[Shape], size: int) -> str:
        numbers = [self.number(shape) for shape in shapes]
        if all(n is not None for n in numbers):
            return f"{sum(n for n in numbers if n is not None) * size} bytes"
        return f"{size} * ({' + '.join(self.count(shape) for shape in shapes)}) bytes"


def _uses_mathematics(text: str) -> bool:
    from byhand.code.c.pieces import MATHEMATICS

    return re.search(rf"\b({'|'.join(MATHEMATICS)})\(", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)) is not None


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


def _wrapped(text: str) -> list[str]:
    lines, line = [], ""
    for word in text.split(" "):
        if len(line) + len(word) > WIDEST - 10:
            lines.append(line.rstrip())
            line = INDENT
        line += word + " "
    return [*lines, line.rstrip()]


def _described(s: Symbol) -> str:
    kind = "labels from 0 on, " if "labels" in s.assumptions else ""
    return f"{kind}{show_shape(s.shape)}" if s.shape else "a number"


def _safe(text: str) -> str:
    """Text that a comment can hold: it neither ends nor nests, and has no trigraphs."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("\\", "/")


def dims_of(shapes: Iterable[Shape]) -> set[str]:
    """The named dimensions of shapes."""
    return {n for shape in shapes for d in shape for n in dim_names(d)}


__all__ = ["CFile", "Dim", "c_file", "dim_piece", "dims_of"]
