"""The memory of a C file: sizes as macros, structs of parameters and workspace, and how many bytes they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from byhand.code.c.body import INDENT
from byhand.code.c.pieces import size_piece
from byhand.code.c.storage import Slot, Storage
from byhand.code.layout import wrapped
from byhand.code.program import Program, Statement
from byhand.errors import DataError, ShapeError
from byhand.expr.dims import Shape, dim_value, show_shape
from byhand.expr.nodes import Expr, Symbol

LARGEST_ARRAY = 2**31 - 1
DTYPES = {"float": 4, "double": 8}


def function_names(network: bool) -> tuple[str, str]:
    """What the function that computes the value is called, and the one that computes the gradients."""
    return ("forward", "backward") if network else ("value", "gradient")


class Memory:
    """The memory that a program's functions are given.

    Args:
        program: it.
        storage: which intermediates stand where.
        parameters: the inputs that stand in a struct of their own.
        numbers: the scalar intermediates that are kept for the second function.
        sizes: the sizes of named dimensions, as far as they are known.
        dtype: "float" or "double".
        runtime: the dimension that is an argument of the functions, if there is one.
        capacity: the identifier of its greatest value.
    """

    def __init__(
        self,
        program: Program,
        storage: Storage,
        parameters: Sequence[Symbol],
        numbers: Sequence[Statement],
        sizes: Mapping[str, int],
        dtype: str,
        runtime: str | None,
        capacity: str,
    ) -> None:
        self.program, self.storage, self.parameters, self.numbers = program, storage, parameters, numbers
        self.sizes, self.dtype, self.runtime, self.capacity = sizes, dtype, runtime, capacity
        self._names = {id(slot): self._name(slot) for slot in storage.slots}

    def _name(self, slot: Slot) -> str:
        """Memory is called by what is saved in it, else by what stands in it first."""
        saved = [x for x in slot.leaves if x in self.storage.saved]
        return self.program.names[(saved or slot.leaves)[0]]

    def member(self, leaf: Expr) -> str:
        """What the memory of an intermediate is called."""
        return self._names[id(self.storage.of[leaf])]

    # ---- sizes

    def dim(self, name: str) -> str:
        """The identifier of a named dimension."""
        return self.program.dims[name]

    def room(self, name: str) -> str:
        """The identifier of the greatest value that a named dimension has."""
        return self.capacity if name == self.runtime else self.program.dims[name]

    def count(self, shape: Shape) -> str:
        """How many entries memory for an array has."""
        return size_piece(shape, self.room).text

    def number(self, shape: Shape) -> int | None:
        """The same as a number, where all sizes are known."""
        try:
            total = 1
            for d in shape:
                total *= dim_value(d, self.sizes)
        except ShapeError:  # a size that is not known yet
            return None
        return total

    def check(self) -> None:
        """Raises: DataError: an array has more entries than an int counts."""
        shapes = [s.shape for s in (*self.program.inputs, *(s.leaf for s in self.program.statements))]
        for shape in shapes:
            if (self.number(shape) or 0) > LARGEST_ARRAY:
                raise DataError(
                    f"an array of shape {show_shape(shape)} has more entries than an int counts", "smaller sizes"
                )

    # ---- declarations

    def workspace(self) -> dict[str, Shape]:
        """The pieces of memory between forward and backward, by name."""
        arrays = {self._names[id(slot)]: slot.shape for slot in self.storage.slots}
        return arrays | {s.name: () for s in self.numbers}

    def macros(self) -> list[str]:
        """The sizes, each a macro that may be given when compiling."""
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

    def structs(self) -> list[str]:
        """The types of the parameters and of the workspace."""
        blocks = []
        if self.parameters:
            blocks.append(self._struct("parameters", {self.program.names[s]: s.shape for s in self.parameters}, {}))
        if self.workspace():
            stand = {self._names[id(slot)]: [self.program.names[x] for x in slot.leaves] for slot in self.storage.slots}
            blocks.append(self._struct("workspace", self.workspace(), stand))
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

    # ---- words

    def words(self) -> list[str]:
        """How much memory is needed, and what of it is kept between the two functions, for the comment at the head."""
        workspace = self.workspace()
        if not workspace:
            return ["No memory is needed beyond the arguments."]
        size = DTYPES[self.dtype]
        lines = [f"workspace: {self._bytes(list(workspace.values()), size)}."]
        names = self.program.names
        saved = [f"{names[x]} {show_shape(x.shape)}" for x in self.storage.saved]
        if any(s.section == "backward" for s in self.program.statements):
            total = self._bytes([x.shape for x in self.storage.saved], size)
            first, second = function_names(bool(self.parameters))
            words = f"{', '.join(saved)}: {total}" if saved else "nothing"
            lines += wrapped(
                f"Saved by {first} for {second}: {words}. Memory is used again, so call {first} before each {second}.",
                first="",
            )
        return lines

    def _bytes(self, shapes: Sequence[Shape], size: int) -> str:
        numbers = [self.number(shape) for shape in shapes]
        if all(n is not None for n in numbers):
            return f"{sum(n for n in numbers if n is not None) * size} bytes"
        return f"{size} * ({' + '.join(self.count(shape) for shape in shapes)}) bytes"
