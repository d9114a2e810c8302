"""Operations to pieces of Python source that know their shape, and statements to lines.

A piece may have a smaller shape than its node and leave the rest to broadcasting (`b1` for rows repeated, `r[:, None]`
for columns). Products entry by entry and sums pass that on; all others ask for the full shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from byhand.code.python import Code, Level, call, dim_code, literal
from byhand.code.rewrites import of_kinked
from byhand.code.statements import Listing, Statement
from byhand.errors import ByhandError, MissingRuleError
from byhand.expr.dims import ONE, Dim, Shape
from byhand.expr.nodes import Symbol
from byhand.program.ops import Axes, Contract, Input, Kernel, Mul, Op, Reshape, Slice

Found = TypeVar("Found")


class Writer:
    """Prints the nodes of one program, and notes what they need: kernels, dimensions, a dtype.

    A target is a subclass: what its library calls the operations.

    Attributes:
        np: the library as generated code calls it.
        target, home: the library's own name, and the file that has its tables.
        operations: one row per structured operation.
        functions: the source of each elementwise function of {z}.

    Args:
        program: what is printed.
    """

    np: ClassVar[str] = "np"
    target: ClassVar[str] = "NumPy"
    home: ClassVar[str] = "byhand/code/numpy.py"
    operations: ClassVar[Mapping[str, Callable[[Any, Kernel], Code]]]
    functions: ClassVar[Mapping[str, str]]
    writes_in_place: ClassVar[bool] = False

    def __init__(self, program: Listing) -> None:
        self.program, self.pool = program, program.pool
        self.kernels: dict[str, None] = {}
        self.dims: dict[str, None] = {}
        self.in_place: dict[Input, Input] = {}  # result -> the argument whose memory it takes
        self.released: dict[Input, list[str]] = {}  # statement -> arrays that nobody reads after it
        self.mentioned: dict[Input, None] = {}
        self.returned: set[Op] = set()
        self.made = {s.leaf: s for s in program.statements}
        self.plain: set[Op] = set()  # names of numbers of Python's
        self.arrays = [s for s in program.inputs if s.ndim and "labels" not in s.assumptions]
        self.adjoints: set[Op] = {s.leaf for s in program.statements if s.section == "backward"}
        self.kinked = of_kinked(program.statements)

    # ---- pieces

    def code(self, op: Op) -> Code:
        """The source of a node.

        Raises: MissingRuleError: the target has no row for it.
        """
        raise NotImplementedError

    def row(self, table: Mapping[str, Found], name: str) -> Found:
        """The row of a table.

        Raises: MissingRuleError: there is none; the message names the target and the file to add one to.
        """
        if name not in table:
            raise MissingRuleError(f"the {self.target} target has no row for {name}", f"add one to {self.home}")
        return table[name]

    def full(self, op: Op) -> Code:
        """The source of a node, of its full shape, to be read only."""
        return self.filled_up(self.code(op), op.shape)

    def filled_up(self, code: Code, shape: Shape) -> Code:
        """A piece broadcast to a shape, to be read only."""
        if code.shape == shape:
            return code
        added = _added_axes(code, shape)
        if added is not None:
            return added
        if not code.shape:
            return Code(self.filled(code, shape), self.level_of_filled(code), shape)
        return Code(call(f"{self.np}.broadcast_to", code.text, self.shape(shape)), shape=shape, view=True)

    def statement(self, s: Statement) -> str:
        """name = source."""
        return f"{s.name} = {self.right(s)}"

    def right(self, s: Statement) -> str:
        """The right-hand side: of its full shape, and where it is returned, memory of its own."""
        op, shape = s.op, s.shape
        if isinstance(op, Mul) and not shape and not op.factors and not op.coefficient.dims:
            self.plain.add(s.leaf)
            return repr(float(op.coefficient.value))
        code = self.code(op)
        if code.plain and not shape:
            self.plain.add(s.leaf)
        if code.shape != shape:
            added = _added_axes(code, shape)
            if added is None:
                return self.tiled(code, shape) if code.shape else self.filled(code, shape, s.result)
            code = added
        borrowed = s.result is not None and code.view and shape and not self.owned(op)
        return self.copied(code) if borrowed else code.text

    def copied(self, code: Code) -> str:
        """A view as an array of its own."""
        return f"{code.at(Level.ATOM)}.copy()"

    def owned(self, op: Op) -> bool:
        """Whether a view may be returned: of an intermediate that is no view of an input and returned only once."""
        base = memory(op)
        made = self.made.get(base) if base is not None else None
        if made is None or made.result is not None or made.leaf in self.returned:
            return False
        self.returned.add(made.leaf)
        return memory(made.op) is None or self.owned(made.op)

    def tiled(self, code: Code, shape: Shape) -> str:
        have = (None,) * (len(shape) - len(code.shape)) + tuple(code.shape)
        times = [literal("1") if h == n else self.dim(n) for h, n in zip(have, shape, strict=True)]
        return call(f"{self.np}.tile", code.text, tuple_code([t.text for t in times]))

    def filled(self, code: Code, shape: Shape, variable: str | None = None) -> str:
        """An array that is one number everywhere; like its variable where it is a gradient."""
        alike = sorted((s for s in self.arrays if s.shape == shape), key=lambda s: s.name != variable)
        like = alike[0] if alike else None
        word = {"0": "zeros", "1": "ones"}.get(code.text)
        value = [] if word else [code.text]
        if like is not None:
            return call(f"{self.np}.{word or 'full'}_like", self.mention(like), *value)
        return call(f"{self.np}.{word or 'full'}", self.shape(shape), *value, *(self.dtype or self.usual_dtype))

    def level_of_filled(self, code: Code) -> Level:
        """How tightly the source of such an array holds together."""
        return Level.ATOM

    def function_code(self, name: str) -> str:
        """The source of an elementwise function of {z}."""
        return self.row(self.functions, name)

    def of_number(self, name: str, arg: Code) -> Code:
        """A function of a number of Python's as one: NumPy would make a number of double precision of it."""
        return literal(call("float", self.function_code(name).format(z=arg.at(Level.ATOM))))

    # ---- dimensions and dtype

    def mention(self, s: Symbol) -> str:
        """The name of an input that is asked for its type or shape only."""
        leaf = self.program.leaves[s]
        self.mentioned[leaf] = None
        return leaf.name

    def size(self, name: str) -> str:
        self.dims[name] = None
        return self.program.dims[name]

    def dim(self, d: Dim) -> Code:
        return dim_code(d, self.size)

    def shape(self, shape: Shape) -> str:
        return self.dim(shape[0]).text if len(shape) == 1 else tuple_code([self.dim(d).text for d in shape])

    @property
    def dtype(self) -> list[str]:
        """The argument that makes a constant array as precise as the inputs; none where all inputs are scalars."""
        return [f"dtype={self.mention(self.arrays[0])}.dtype"] if self.arrays else []

    def tensor(self) -> str:
        """The name of an input that gives others its type, for libraries where numbers alone do not.

        Raises: ByhandError: there is none.
        """
        floats = [s for s in self.program.inputs if "labels" not in s.assumptions]
        if not floats:
            raise ByhandError("no input is an array of numbers, so none gives the result a type")
        return self.mention(self.arrays[0] if self.arrays else floats[0])

    def type_of(self) -> str:
        """Its type."""
        return f"{self.tensor()}.dtype"

    @property
    def usual_dtype(self) -> list[str]:
        """The argument where all inputs are scalars."""
        return ["dtype=float"]

    def kernel(self, name: str) -> str:
        self.kernels[name] = None
        return name


def view_of(op: Op) -> tuple[Op, Axes] | None:
    """The array that a node looks at in another way, and where its axes stand; None for what computes."""
    if isinstance(op, Mul) and op.coefficient == ONE and len(op.factors) == 1 and op.factors[0][2] == 1:
        arg, axes, _ = op.factors[0]
        return arg, axes
    return None


def squeezes(op: Op) -> bool:
    """Whether a node is a sum over axes of size one only, or a diagonal: entries of its operand."""
    if not isinstance(op, Contract) or len(op.operands) > 1:
        return False
    ((_, labels),) = op.operands
    return all(op.sizes[x] == 1 for x in labels if x not in op.out)


def memory(op: Op) -> Input | None:
    """The name whose memory a view shares, where it can be written to."""
    while not isinstance(op, Input):
        view = view_of(op)
        if view is not None:
            op = view[0]
        elif isinstance(op, Slice | Reshape):
            op = op.arg
        elif isinstance(op, Contract) and squeezes(op):
            op = op.operands[0][0]
        else:
            return None
    return op


def tuple_code(items: Sequence[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def _added_axes(code: Code, shape: Shape) -> Code | None:
    """The source with leading axes of size one, where that is all that is missing."""
    missing = len(shape) - len(code.shape)
    if not code.shape or shape != (1,) * missing + tuple(code.shape):
        return None
    index = ", ".join(["None"] * missing + [":"] * len(code.shape))
    return Code(f"{code.at(Level.ATOM)}[{index}]", shape=shape, view=code.view)


def joined(shapes: Sequence[Shape]) -> Shape:
    """The shape of an elementwise operation."""
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    return tuple(next((n for n in axis if n != 1), 1) for axis in zip(*padded, strict=True))


__all__ = ["Writer", "joined", "memory", "squeezes", "tuple_code", "view_of"]
