"""What a program costs: operations, what is kept between forward and backward, and the most memory at one time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from byhand.code.counting import formula, operations, plus, size, times
from byhand.code.products import is_dot, is_square, is_sum
from byhand.code.rewrites import KINKED, by_outputs
from byhand.code.statements import Listing, Section, Statement, parts, reads
from byhand.code.writer import squeezes, view_of
from byhand.errors import DataError, nearest
from byhand.expr.dims import Dim, dim_value, show_shape
from byhand.expr.functions import function
from byhand.expr.operations import CONSTANTS, PICKERS
from byhand.notation.text import to_text
from byhand.program.ops import Add, Contract, Eye, Input, Kernel, Map, Mul, Number, Op, Reshape, Slice, operands
from byhand.views import Shown, columns, paragraphs, row_html, table_html, view_html

ITEMSIZE = 8
_HEADS = ("", "shape", "operations", "saved entries")
_REBUILT = PICKERS | CONSTANTS  # made again from labels and sizes, never kept


@dataclass(frozen=True, slots=True)
class Line:
    """One statement.

    Attributes:
        name: what is computed.
        section: "forward", "value" or "backward".
        formula: the mathematics, "" where it has no short form.
        shape: of the result.
        operations: floating-point operations, a polynomial in the named dimensions.
        saved: how many of its entries the backward part reads; 0 where it reads none.
    """

    name: str
    section: Section
    formula: str
    shape: tuple[Dim, ...]
    operations: Dim
    saved: Dim


@dataclass(frozen=True, repr=False)
class Cost(Shown):
    """The cost of a function and its gradients; see `counting` for what an operation is.

    Attributes:
        lines: the statements, in order.
        autodiff: entries that reverse-mode automatic differentiation keeps of the same formula, operation by
            operation: both factors of a product, of a function its output or else its input.
        peaks: entries that are live at one time while the NumPy function runs, inputs left out; the greatest is the
            peak.
        dims: the names of the dimensions.
    """

    lines: tuple[Line, ...]
    autodiff: Dim
    peaks: tuple[Dim, ...]
    dims: tuple[str, ...]

    def operations(self, section: str | None = None) -> Dim:
        """Operations of "forward" (the value included) or "backward", or of both."""
        chosen = [x for x in self.lines if section is None or (x.section == "backward") == (section == "backward")]
        return plus(x.operations for x in chosen)

    @property
    def saved(self) -> Dim:
        """Entries kept between forward and backward."""
        return plus(x.saved for x in self.lines)

    def numbers(self, sizes: Mapping[str, int], itemsize: int = ITEMSIZE) -> dict[str, int]:
        """Operations and bytes for the sizes of all named dimensions.

        Raises: DataError: a size is missing, unknown or no size.
        """
        for name, n in sizes.items():
            if name not in self.dims:
                known = f"dimensions: {', '.join(self.dims) or 'numbers only'}"
                raise DataError(f"there is no dimension {name}{nearest(name, list(self.dims))}", known)
            if isinstance(n, bool) or not isinstance(n, int) or n < 1:
                raise DataError(f"the size of {name} is {n!r}: a whole number from 1 on")
        missing = [n for n in self.dims if n not in sizes]
        if missing:
            raise DataError(
                f"the size of {missing[0]} is missing", f"sizes={{{', '.join(f'{n!r}: 16' for n in missing)}}}"
            )
        return {
            "operations_forward": dim_value(self.operations("forward"), sizes),
            "operations_backward": dim_value(self.operations("backward"), sizes),
            "saved_bytes": itemsize * dim_value(self.saved, sizes),
            "autodiff_saved_bytes": itemsize * dim_value(self.autodiff, sizes),
            "peak_bytes": itemsize * max(dim_value(p, sizes) for p in self.peaks),
        }

    def to_dict(self, sizes: Mapping[str, int] | None = None, itemsize: int = ITEMSIZE) -> dict[str, Any]:
        """Formulas, and with sizes numbers too, per line and in total."""
        numbers = {"numbers": self.numbers(sizes, itemsize)} if sizes else {}
        lines = []
        for x in self.lines:
            found: dict[str, Any] = {
                "name": x.name, "section": x.section, "formula": x.formula, "shape": [str(d) for d in x.shape],
                "operations": formula(x.operations), "saved_entries": formula(x.saved),
            }  # fmt: skip
            if sizes:
                found["numbers"] = {
                    "operations": dim_value(x.operations, sizes), "saved_bytes": itemsize * dim_value(x.saved, sizes),
                }  # fmt: skip
            lines.append(found)
        total: dict[str, Any] = {
            "operations_forward": formula(self.operations("forward")),
            "operations_backward": formula(self.operations("backward")),
            "saved_entries": formula(self.saved),
            "autodiff_saved_entries": formula(self.autodiff),
            "peak_entries": [formula(p) for p in self.peaks],
        }
        return {"lines": lines, "total": total, **numbers}

    def text(self, sizes: Mapping[str, int] | None = None, itemsize: int = ITEMSIZE) -> str:
        """A table: a row for each statement, the total below."""
        counted = self._counted(sizes, itemsize)  # first: it says which sizes are missing
        *lines, forward, backward = columns(_HEADS, [*self._rows(sizes), *self._totals(sizes)])
        numbers = ["", *counted] if counted else []
        return "\n".join([*lines, "", forward, backward, "", *self._said(), *numbers]) + "\n"

    def html(self, sizes: Mapping[str, int] | None = None, itemsize: int = ITEMSIZE) -> str:
        """The same table as HTML, what is computed beside each name."""
        formulas = [*(x.formula for x in self.lines), "", ""]
        rows = [*self._rows(sizes), *self._totals(sizes)]
        kinds = [*("" for _ in self.lines), "total", ""]
        shown = [
            row_html((name, formula, *rest), kind)
            for (name, *rest), formula, kind in zip(rows, formulas, kinds, strict=True)
        ]
        heads = (_HEADS[0], "formula", *_HEADS[1:])
        notes = [*self._said(), *self._counted(sizes, itemsize)]
        return view_html(table_html(heads, shown), paragraphs(notes))

    def _rows(self, sizes: Mapping[str, int] | None) -> list[tuple[str, str, str, str]]:
        """Name, shape, operations and saved entries of each statement as text."""
        return [(x.name, show_shape(x.shape), *_words(x.operations, x.saved, sizes)) for x in self.lines]

    def _totals(self, sizes: Mapping[str, int] | None) -> list[tuple[str, str, str, str]]:
        forward, backward = self.operations("forward"), self.operations("backward")
        return [("forward", "", *_words(forward, self.saved, sizes)), ("backward", "", *_words(backward, 0, sizes))]

    def _said(self) -> list[str]:
        """What stands below the table."""
        return [
            f"saved by automatic differentiation: {formula(self.autodiff)} entries",
            f"peak of the NumPy function: {' or '.join(map(formula, self.peaks))} entries, inputs left out",
        ]

    def _counted(self, sizes: Mapping[str, int] | None, itemsize: int) -> list[str]:
        """The totals in numbers, where the sizes are given."""
        if not sizes:
            return []
        n = self.numbers(sizes, itemsize)
        return [
            f"{n['operations_forward']:,} operations forward, {n['operations_backward']:,} backward",
            f"{n['saved_bytes']:,} bytes saved (automatic differentiation: {n['autodiff_saved_bytes']:,}), "
            f"{n['peak_bytes']:,} at the peak, {itemsize} bytes a number",
        ]


def _words(done: Dim, saved: Dim, sizes: Mapping[str, int] | None) -> tuple[str, str]:
    """Operations and saved entries as formulas, with sizes as numbers too."""

    def words(d: Dim) -> str:
        shown = formula(d)
        value = dim_value(d, sizes) if sizes else None
        return shown if value is None or shown == str(value) else f"{shown} = {value:,}"

    return words(done), words(saved) if saved != 0 else ""


def cost_of(program: Listing) -> Cost:
    """The cost of a function and its gradients.

    Raises: MissingRuleError: an operation whose cost is not known.
    """
    split = by_outputs(program.pool, list(program.statements))
    late = reads(*(s.op for s in split if s.section == "backward"))
    early = {s.leaf for s in split if s.section != "backward" and not _is_rebuilt(s.op)}
    lines = []
    for s in split:
        kept = size(s.shape) if s.leaf in early and s.leaf in late else 0
        formula = to_text(s.math, names=program.page) if s.math is not None else ""
        lines.append(Line(s.name, s.section, formula, s.shape, operations(s.op), kept))
    peaks = _largest(_peaks(program.statements))
    return Cost(tuple(lines), _autodiff(program), tuple(peaks), tuple(program.dims))


def _is_rebuilt(op: Op) -> bool:
    """Whether a node is made again from labels and sizes, never kept."""
    inner = op.args[0] if isinstance(op, Map) and op.function == "real" else _base(op)
    return isinstance(inner, Eye) or (isinstance(inner, Kernel) and inner.operation in _REBUILT)


def _base(op: Op) -> Op:
    """The array that a view looks at."""
    while True:
        view = view_of(op)
        if view is not None:
            op = view[0]
        elif isinstance(op, Slice | Reshape):
            op = op.arg
        elif isinstance(op, Contract) and squeezes(op):
            op = op.operands[0][0]
        else:
            return op


# ---- memory of the NumPy function


def _peaks(statements: Sequence[Statement]) -> list[Dim]:
    """What is live at the height of each statement: all names made so far, and the temporaries of the right-hand side."""
    live: Dim = 0
    found: list[Dim] = []
    for s in statements:
        held, tops = _temporaries(s.op)
        found += [plus([live, t]) for t in tops]
        own = size(s.shape) if s.shape and _base(s.op) is s.op and not isinstance(s.op, Input) else 0
        live = plus([live, own if own != 0 else held])
        found.append(live)
    return found


def _temporaries(op: Op) -> tuple[Dim, list[Dim]]:
    """Entries that the value takes in memory of its own, and the most that its computation takes at any time."""
    held: Dim = 0
    tops, reused = list[Dim](), False
    for a in operands(op)[:1] if isinstance(op, Contract) and is_square(op) else operands(op):
        own, inner = _temporaries(a)
        tops += [plus([held, t]) for t in inner]
        reused = reused or (own != 0 and own == size(op.shape))
        held = plus([held, own])
    if isinstance(op, Input | Number) or (isinstance(op, Mul) and not op.factors):
        return 0, [0]
    if isinstance(op, Contract) and _multiplies_first(op):
        held = plus([held, size(op.sizes)])
        tops.append(held)
    if not op.shape:
        return 0, tops or [0]
    if _base(op) is not op:
        return held, tops or [held]
    new = size(op.shape)
    if op.type == "bool":  # a byte each
        return 0, [*tops, held]
    if isinstance(op, Kernel) and op.operation in ("softmax", "log_softmax"):
        return new, [*tops, plus([held, times(2, new)])]
    elided = reused and isinstance(op, Add | Mul)  # operators of NumPy write into an operand nobody else has
    return new, [*tops, held if elided else plus([held, new])]


def _multiplies_first(op: Contract) -> bool:
    """Whether a product is made as an array before it is summed."""
    return len(op.operands) > 1 and is_sum(op) and not is_dot(op)


def _largest(found: Iterable[Dim]) -> list[Dim]:
    """Those that no other exceeds for all sizes from one on."""
    distinct = list(dict.fromkeys(found))
    return [p for p in distinct if not any(q != p and _exceeds(q, p) for q in distinct)] or [0]


def _exceeds(one: Dim, other: Dim) -> bool:
    rest = plus([one, times(-1, other)])
    return rest > 0 if isinstance(rest, int) else all(c > 0 for _, c in rest.terms)


# ---- what automatic differentiation keeps


def _autodiff(program: Listing) -> Dim:
    """Entries kept by a rule for each operation of the value's formula; inputs, which are there anyway, left out."""
    made = {s.leaf: s for s in program.statements}
    value = next((s for s in program.statements if s.name == program.value), None)
    needed = [value] if value is not None else [s for s in program.statements if s.result is not None]
    kept: dict[Op, Dim] = {}
    seen: set[Input] = set()
    while needed:
        s = needed.pop()
        if s.leaf in seen:
            continue
        seen.add(s.leaf)
        needed += [made[leaf] for leaf in reads(s.op) if leaf in made]
        for part in parts(s.op):
            for array in map(_base, _kept_by(part)):
                key = s.leaf if array is s.op else array
                given = isinstance(key, Input) and key not in made
                constant = isinstance(array, Number | Eye) or (isinstance(array, Mul) and not array.factors)
                if (
                    not given
                    and not constant
                    and array.shape
                    and not _is_rebuilt(made[key].op if key in made else array)
                ):
                    kept[key] = size(array.shape)
    return plus(kept.values())


def _kept_by(op: Op) -> list[Op]:
    """What the reverse rule of one operation reads: operands, or the result."""
    match op:
        case Contract(operands=pair):
            return [a for a, _ in pair] if len(pair) > 1 else []
        case Mul(factors=factors):
            several = sum(bool(axes) for _, axes, _ in factors) > 1
            return [f for f, axes, p in factors if f.type != "bool" and (p != 1 or (several and axes))]
        case Map(function="real" | "where") | Map(type="bool"):
            return []
        case Map(function="power", args=args):
            return list(args)
        case Map(function=name, args=args):
            by_output = "z" not in function(name).derivative or name in KINKED
            return [op] if by_output else list(args)
        case Kernel(operation=name, args=args):
            if name in ("softmax", "log_softmax", "inv"):
                return [op]
            return list(args) if name in ("logsumexp", "det", "logdet", "solve") else []
        case _:
            return []


__all__ = ["Cost", "Line", "cost_of"]
