"""Forms to pieces of Python source that know their shape, and statements to lines.

A piece may have a smaller shape than its form and leave the rest to broadcasting (`b1` for rows repeated, `r[:, None]`
for columns). Rows for products entry by entry and sums pass that on; all others ask for the full shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, TypeVar

from byhand.code.forms import VIEWS
from byhand.code.kinks import of_kinked
from byhand.code.program import Program, Statement
from byhand.code.python import Code, Level, call, dim_code, literal
from byhand.code.shapes import shape_of
from byhand.errors import ByhandError, MissingRuleError
from byhand.expr.dims import Dim, Shape
from byhand.expr.nodes import Constant, Expr, Symbol
from byhand.rules.forms import Form

Row = Callable[["Writer", Form], Code]
Found = TypeVar("Found")


class Writer:
    """Prints the forms of one program, and notes what they need: kernels, dimensions, a dtype.

    A target is a subclass: its rows, and what its library calls the few things that are not rows.

    Attributes:
        np: the library as generated code calls it.
        target, home: the library's own name, and the file that has its tables.
        rows: one row per kind of form.
        operations: one row per structured operation.
        functions: the source of each elementwise function of {z}.

    Args:
        program: what is printed.
    """

    np: ClassVar[str] = "np"
    target: ClassVar[str] = "NumPy"
    home: ClassVar[str] = "byhand/code/numpy.py"
    rows: ClassVar[Mapping[str, Row]]
    operations: ClassVar[Mapping[str, Row]]
    functions: ClassVar[Mapping[str, str]]
    writes_in_place: ClassVar[bool] = False

    def __init__(self, program: Program) -> None:
        self.program = program
        self.kernels: dict[str, None] = {}
        self.dims: dict[str, None] = {}
        self.in_place: dict[Expr, Expr] = {}  # result -> the argument whose memory it takes
        self.released: dict[Expr, list[str]] = {}  # statement -> arrays that nobody reads after it
        self.mentioned: dict[Symbol, None] = {}
        self.returned: set[Expr] = set()
        self.made = {s.leaf: s for s in program.statements}
        self.plain: set[Expr] = set()  # names of numbers of Python's
        self.arrays = [s for s in program.inputs if s.ndim and "labels" not in s.assumptions]
        self.adjoints = {s.leaf for s in program.statements if s.section == "backward"}
        self.kinked = of_kinked(program.statements)

    # ---- pieces

    def code(self, form: Form) -> Code:
        """The source of a form.

        Raises: MissingRuleError: the target has no row for it.
        """
        return self.row(self.rows, form.kind)(self, form)

    def operation(self, form: Form) -> Code:
        """The source of a structured operation.

        Raises: MissingRuleError: the target has no row for it.
        """
        return self.row(self.operations, form.data[0])(self, form)

    def row(self, table: Mapping[str, Found], name: str) -> Found:
        """The row of a table.

        Raises: MissingRuleError: there is none; the message names the target and the file to add one to.
        """
        if name not in table:
            raise MissingRuleError(f"the {self.target} target has no row for {name}", f"add one to {self.home}")
        return table[name]

    def full(self, form: Form) -> Code:
        """The source of a form, of its full shape, to be read only."""
        code, shape = self.code(form), shape_of(form)
        if code.shape == shape:
            return code
        added = _added_axes(code, shape)
        if added is not None:
            return added
        if not code.shape:
            return Code(self.filled(code, shape), shape=shape)
        return Code(call(f"{self.np}.broadcast_to", code.text, self.shape(shape)), shape=shape, view=True)

    def statement(self, s: Statement) -> str:
        """name = source."""
        return f"{s.name} = {self.right(s)}"

    def right(self, s: Statement) -> str:
        """The right-hand side: of its full shape, and where it is returned, memory of its own."""
        form, shape = s.form, s.shape
        if form.kind == "number" and not form.data.dims:
            self.plain.add(s.leaf)
            return repr(float(form.data.value))
        code = self.code(form)
        if code.plain and not shape:
            self.plain.add(s.leaf)
        if code.shape != shape:
            added = _added_axes(code, shape)
            if added is None:
                return self.tiled(code, shape) if code.shape else self.filled(code, shape, s.result)
            code = added
        borrowed = s.result is not None and code.view and shape and not self.owned(form)
        return self.copied(code) if borrowed else code.text

    def copied(self, code: Code) -> str:
        """A view as an array of its own."""
        return f"{code.at(Level.ATOM)}.copy()"

    def owned(self, form: Form) -> bool:
        """Whether a view may be returned: of an intermediate that is no view of an input and returned only once."""
        base = _memory(form)
        made = self.made.get(base) if base is not None else None
        if made is None or made.result is not None or made.leaf in self.returned:
            return False
        self.returned.add(made.leaf)
        return _memory(made.form) is None or self.owned(made.form)

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

    def function_code(self, name: str) -> str:
        """The source of an elementwise function of {z}."""
        return self.row(self.functions, name)

    def of_number(self, name: str, arg: Code) -> Code:
        """A function of a number of Python's as one: NumPy would make a number of double precision of it."""
        return literal(call("float", self.function_code(name).format(z=arg.at(Level.ATOM))))

    # ---- dimensions and dtype

    def mention(self, s: Symbol) -> str:
        """The name of an input that is asked for its type or shape only."""
        self.mentioned[s] = None
        return self.program.names[s]

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


def _memory(form: Form) -> Expr | None:
    """The name whose memory a view shares, where it can be written to."""
    if form.kind == "name":
        return None if isinstance(form.data, Constant) else form.data
    return _memory(form.args[0]) if form.kind in VIEWS else None


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
