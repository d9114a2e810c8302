"""The memory of a C file: sizes as macros, structs of parameters and workspace, and how many bytes they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from byhand.code.c.loops import INDENT
from byhand.code.c.pieces import size_piece
from byhand.code.c.places import Places
from byhand.code.layout import wrapped
from byhand.code.statements import Listing
from byhand.errors import DataError, ShapeError
from byhand.expr.dims import Shape, dim_value, show_shape
from byhand.expr.nodes import Symbol
from byhand.program.liveness import Slot
from byhand.program.ops import Input

LARGEST_ARRAY = 2**31 - 1
DTYPES = {"float": 4, "double": 8}


class Memory:
    """The memory that a program's functions are given.

    Args:
        listing: the program, cut into statements that loops are written for.
        places: where results stand.
        names: the identifier of each leaf.
        dims: the identifier of each named dimension.
        parameters: the inputs that stand in a struct of their own.
        functions: what they are called.
        sizes: the sizes of named dimensions, as far as they are known.
        dtype: "float" or "double".
        runtime: the dimension that is an argument of the functions, if there is one.
        capacity: the identifier of its greatest value.
    """

    def __init__(
        self, listing: Listing, places: Places, names: Mapping[Input, str], dims: Mapping[str, str],
        parameters: Sequence[Symbol], functions: Sequence[str], sizes: Mapping[str, int], dtype: str,
        runtime: str | None, capacity: str,
    ) -> None:  # fmt: skip
        self.listing, self.places, self.names, self.dims = listing, places, names, dims
        self.parameters, self.functions, self.sizes, self.dtype = parameters, functions, sizes, dtype
        self.runtime, self.capacity = runtime, capacity
        self.numbers = [x for x in places.saved if x in places.numbers]
        self.arrays = [x for x in places.saved if x not in places.numbers]
        self._members = {id(slot): self._member(slot) for slot in places.storage.slots}

    def _member(self, slot: Slot[Input]) -> str:
        """Memory is called by what is saved in it, else by what stands in it first."""
        return self.names[next((x for x in slot.held if x in self.arrays), slot.held[0])]

    def member(self, leaf: Input) -> str:
        """What the memory of an intermediate is called."""
        return self._members[id(self.places.storage.of[leaf])]

    # ---- sizes

    def dim(self, name: str) -> str:
        """The identifier of a named dimension."""
        return self.dims[name]

    def room(self, name: str) -> str:
        """The identifier of the greatest value that a named dimension has."""
        return self.capacity if name == self.runtime else self.dims[name]

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
        shapes = [*(s.shape for s in self.listing.inputs), *(s.shape for s in self.listing.statements)]
        for shape in shapes:
            if (self.number(shape) or 0) > LARGEST_ARRAY:
                raise DataError(
                    f"an array of shape {show_shape(shape)} has more entries than an int counts", "smaller sizes"
                )

    # ---- declarations

    def workspace(self) -> dict[str, Shape]:
        """The pieces of memory of the functions, by name."""
        arrays = {self._members[id(slot)]: slot.shape for slot in self.places.storage.slots}
        return arrays | {self.names[x]: () for x in self.numbers}

    def macros(self) -> list[str]:
        """The sizes, each a macro that may be given when compiling."""
        lines = []
        for name in self.dims:
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
            members = {self.names[self.listing.leaves[s]]: s.shape for s in self.parameters}
            blocks.append(self._struct("parameters", members, {}))
        if self.workspace():
            slots = self.places.storage.slots
            stand = {self._members[id(slot)]: [self.names[x] for x in slot.held] for slot in slots}
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
        if len(self.functions) > 1:
            saved = [x for x in self.places.saved if x not in self.places.numbers]
            first, second = self.functions
            shown = ", ".join(f"{self.names[x]} {show_shape(x.shape)}" for x in saved)
            words = f"{shown}: {self._bytes([x.shape for x in saved], size)}" if saved else "nothing"
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
