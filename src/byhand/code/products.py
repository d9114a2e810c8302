"""Products and sums entry by entry as source: what is multiplied, what divides, what broadcasting does."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from byhand.code.python import (
    Code,
    Level,
    call,
    coefficient_codes,
    is_name,
    literal,
    negative,
    product,
    quotient,
    raised,
)
from byhand.code.writer import Writer, joined, view_of
from byhand.expr.dims import ONE, Coefficient, Shape, dim_coefficient
from byhand.program.ops import P1, Add, Axes, Contract, Eye, Map, Mul, Op, operands

Factor = tuple[Op, Axes, Fraction]
Array = tuple[Op, Axes, Fraction, bool]  # a factor with axes, and whether it is a mean


class Products(Writer):
    """Sums and products entry by entry."""

    def total(self, op: Contract, word: str, keep: bool = False) -> Code:
        """A sum over axes of one array or of a product; `word` is "sum" or "mean", `keep` whether they stay with size one."""
        raise NotImplementedError

    def as_number(self, op: Op) -> Code:
        """The source of a mask as numbers."""
        raise NotImplementedError

    # ---- operands under axes of the result

    def placed(self, op: Op, axes: Axes, shape: Shape, mean: bool = False) -> Code:
        """An operand under axes of a result: transposed where their order differs, with None where others stand between."""
        if (kept := self._kept(op, axes, shape, mean)) is not None:
            return kept
        code = self.total(op, "mean") if mean and isinstance(op, Contract) else self.code(op)
        axes = axes[len(axes) - len(code.shape) :]  # what it leaves to broadcasting are its first axes
        return self.turned(code, axes, len(shape))

    def turned(self, code: Code, axes: Axes, rank: int) -> Code:
        """A piece whose axes stand at `axes` of an array of that rank; missing axes in front are left to broadcasting."""
        order = sorted(range(len(axes)), key=axes.__getitem__)
        if not axes:
            return code
        at = [axes[k] for k in order]
        missing = [a for a in range(at[0], rank) if a not in at]
        natural = order == list(range(len(axes)))
        if natural and not missing:
            return code
        text = code.at(Level.ATOM)
        if not natural:
            text += ".T" if len(order) == 2 else self.permuted(order)
        if missing:
            text += f"[{', '.join(':' if a in at else 'None' for a in range(at[0], rank))}]"
        shape = tuple(code.shape[axes.index(a)] if a in at else 1 for a in range(at[0], rank))
        return Code(text, shape=shape, view=code.view)

    def permuted(self, order: Sequence[int]) -> str:
        """The method that puts more than two axes into another order."""
        moved = [k for k, o in enumerate(order) if o != k]
        return f".swapaxes({moved[0]}, {moved[1]})" if len(moved) == 2 else f".transpose{tuple(order)}"

    def _kept(self, op: Op, axes: Axes, shape: Shape, mean: bool) -> Code | None:
        """A sum over axes that the result has again, as one that keeps them; None for others."""
        if not isinstance(op, Contract) or not is_sum(op) or not axes or len(op.sizes) != len(shape):
            return None
        labels = op.operands[0][1]
        start = next((a for a in range(len(shape)) if a in axes or shape[a] == 1), len(shape))
        if [labels.index(x) for x in op.out] != list(axes) or all(a in axes for a in range(start, len(shape))):
            return None
        if len(op.operands) == 1 and all(op.sizes[x] == 1 for x in labels if x not in op.out):
            return self.full(op.operands[0][0])
        return self.total(op, "mean" if mean else "sum", keep=True)

    # ---- products

    def mul(self, op: Mul) -> Code:
        """The source of a product, a view, a broadcast or a constant array."""
        view = view_of(op)
        if op.type == "bool" and view is not None:
            return self.placed(*view, op.shape)
        code = self.scaled(Coefficient(abs(op.coefficient.value), op.coefficient.dims), op.factors, op.shape)
        return negative(code)._replace(shape=code.shape) if op.coefficient.value < 0 else code

    def scaled(self, c: Coefficient, factors: Sequence[Factor], shape: Shape) -> Code:
        """Numbers are multiplied before an array is: 2 / N * A; a lone division comes last: A / N.

        Args:
            c: a coefficient that is not negative.
            factors: what it is multiplied by.
            shape: of the result.
        """
        c, factors = self._flat(c, factors)
        if c.value == 0:
            return literal("0")
        means, c = _means(c, factors)
        scalars = [(f, p, k in means) for k, (f, axes, p) in enumerate(factors) if not axes]
        arrays = [(f, axes, p, k in means) for k, (f, axes, p) in enumerate(factors) if axes]
        top, bottom = coefficient_codes(c, self.size)
        for f, p, mean in scalars:
            code, p = self._base(f, (), p, (), mean)
            (top if p > 0 else bottom).append(raised(code, abs(p), self.np))
        over, under = self._whole(arrays, shape) or self._arrays(arrays, shape)
        if top or not over:
            front = quotient(product(top) if top else literal("1"), bottom)
            code = quotient(product([front, *over]), under)
        else:
            code = quotient(quotient(product(over), under), bottom)
        alone = len(over) == 1 and not (top or bottom or under)
        return code._replace(shape=joined([x.shape for x in (*over, *under)]), view=alone and over[0].view)

    def _flat(self, c: Coefficient, factors: Sequence[Factor]) -> tuple[Coefficient, list[Factor]]:
        """Products among the factors dissolve; their divisors divide."""
        flat: list[Factor] = []
        for f, axes, q in factors:
            inner = f.coefficient.power(q) if isinstance(f, Mul) and abs(q) == 1 and f.coefficient.value else None
            if isinstance(f, Mul) and inner is not None and (f.factors or q == 1) and inner.value > 0:
                again, parts = self._flat(
                    c.times(inner), [(g, tuple(axes[a] for a in ls), p * q) for g, ls, p in f.factors]
                )
                c = again
                flat += parts
            else:
                flat.append((f, axes, q))
        return c, flat

    def _whole(self, arrays: Sequence[Array], shape: Shape) -> tuple[list[Code], list[Code]] | None:
        """np.outer(x, y) and np.diag(x): all the arrays of a product in one call."""
        if len(shape) != 2 or not arrays:
            return None
        vectors = [(f, axes[0], p) for f, axes, p, mean in arrays if len(axes) == 1 and not mean]
        rest = [f for f, axes, *_ in arrays if len(axes) > 1]
        if len(rest) == 1 and isinstance(rest[0], Eye) and vectors and len(vectors) == len(arrays) - 1:
            vector = self.scaled(ONE, [(f, (0,), p) for f, _, p in vectors], shape[:1])
            return [Code(call(f"{self.np}.diag", self.filled_up(vector, shape[:1]).text), shape=shape)], []
        if not rest and sorted(a for _, a, _ in vectors) == [0, 1] and all(p == 1 for *_, p in vectors):
            pair = [self.full(f).text for f, a, _ in sorted(vectors, key=lambda v: v[1])]
            return [Code(call(f"{self.np}.outer", *pair), shape=shape)], []
        return None

    def _arrays(self, arrays: Sequence[Array], shape: Shape) -> tuple[list[Code], list[Code]]:
        """What is multiplied and what it is divided by: adjoints first, then names, then the rest, masks last."""
        over: list[tuple[Op | None, Axes, Code]] = []
        under: list[Code] = []
        groups: dict[Axes, list[Array]] = {}
        for a in arrays:
            groups.setdefault(a[1], []).append(a)
        pair = [groups.get((k,), ()) for k in (0, 1)]
        if len(shape) == 2 < len(arrays) and all(len(g) == 1 and g[0][2] == 1 and g[0][0].type == "real" for g in pair):
            outer = self._whole([*pair[0], *pair[1]], shape)
            if outer is not None:
                over.append((None, (0, 1), outer[0][0]))
                groups = {axes: g for axes, g in groups.items() if len(axes) != 1}
        for axes, group in groups.items():
            if len(group) > 1 < len(groups) and len(axes) < len(shape) and all(_is_small(f) for f, *_ in group):
                group = [self._together(group)]  # small arrays are multiplied before a large one is
            for f, _, p, mean in group:
                code, p = self._base(f, axes, p, shape, mean)
                raised_ = raised(code, abs(p), self.np)._replace(shape=code.shape, view=code.view and p == 1)
                if p > 0:
                    over.append((f, axes, raised_))
                else:
                    under.append(raised_)
        over.sort(key=lambda part: self._place(part[0], part[2]))
        codes = [code for _, _, code in over]
        if codes and all(code.plain or (f is not None and f.type == "bool") for f, _, code in over):
            codes = [  # booleans have no minus, and no precision
                self.turned(self.as_number(f), axes, len(shape)) if f is not None and f.type == "bool" else code
                for f, axes, code in over
            ]
        if len(arrays) > 1 and codes and codes[0].level == Level.MATMUL:
            codes[0] = codes[0]._replace(text=f"({codes[0].text})", level=Level.ATOM)
        return codes, under

    def _together(self, group: Sequence[Array]) -> Array:
        """Factors with the same axes as one; divisors alone stay divisors."""
        axes, divide = group[0][1], all(p < 0 for _, _, p, _ in group)
        every = tuple(range(len(axes)))
        parts = [(f, every, -p if divide else p) for f, _, p, _ in group]
        shape = joined([f.shape for f, _, _ in parts])
        return self.pool(Mul(shape, "real", ONE, tuple(parts))), axes, Fraction(-1 if divide else 1), False

    def _place(self, op: Op | None, code: Code) -> tuple[bool, bool, bool, str]:
        return op is not None and op.type == "bool", op not in self.adjoints, not is_name(code.text), code.text

    def _base(self, op: Op, axes: Axes, p: Fraction, shape: Shape, mean: bool) -> tuple[Code, Fraction]:
        """A factor, and the power that it is raised to: the root of a sum of squares is a norm."""
        if p.denominator == 2 and isinstance(op, Contract) and is_square(op) and not op.out:
            return self.norm(op.operands[0][0]), 2 * p
        if op.type == "bool" and not axes:
            return self.as_number(op), p
        return self.placed(op, axes, shape, mean), p

    def norm(self, op: Op) -> Code:
        """The root of the sum of the squares of all entries."""
        return Code(call(f"{self.np}.linalg.norm", self.full(op).text))

    # ---- sums

    def add(self, op: Add) -> Code:
        """Subtracted terms last; full arrays before those that are repeated, numbers after them; large terms first."""
        whole = self.concatenated(op)
        if whole is not None:
            return whole
        terms = []
        for c, term, axes in op.terms:
            factors: list[Factor] = [(term, axes, P1)]
            if isinstance(term, Mul):
                c, factors = (
                    c.times(term.coefficient),
                    [(f, tuple(axes[a] for a in ls), p) for f, ls, p in term.factors],
                )
            code = self.scaled(Coefficient(abs(c.value), c.dims), factors, op.shape)
            core = term
            while isinstance(core, Mul) and core.factors and (len(core.factors) == 1 or not core.factors[0][1]):
                core = core.factors[-1][0]
            late = (len(code.shape) < len(op.shape)) + (bool(op.shape) and not code.shape) + isinstance(core, Eye)
            terms.append(((c.value < 0, late, -_weight(core), code.text), code))
        terms.sort(key=lambda t: t[0])
        ((subtracted, *_), first), *rest = terms
        text = negative(first).text if subtracted else first.at(Level.SUM)
        for (subtracted, *_), code in rest:
            text += f" {'-' if subtracted else '+'} {code.at(Level.TIMES)}"
        codes = [code for _, code in terms]
        return Code(text, Level.SUM, joined([x.shape for x in codes]), plain=all(x.plain for x in codes))

    def concatenated(self, op: Add) -> Code | None:
        """Arrays padded with zeros so that they fit together, put together; None for other sums."""
        raise NotImplementedError


def is_square(op: Contract) -> bool:
    """Whether an array is multiplied by itself entry by entry before it is summed."""
    return len(op.operands) == 2 and op.operands[0] == op.operands[1]


def is_sum(op: Contract) -> bool:
    """Whether a node is a sum over axes of an array, or of a product of arrays with the same axes, the others in order."""
    first = op.operands[0][1]
    distinct = all({*ls} == {*first} and len({*ls}) == len(ls) for _, ls in op.operands)
    return distinct and tuple(x for x in first if x in op.out) == op.out


def is_dot(op: Contract) -> bool:
    """Whether a node is xᵀ y for two vectors that are neither quotients nor masks."""
    (_, labels), *others = op.operands
    return len(labels) == 1 == len(others) and not op.out and all(map(is_plain, (a for a, _ in op.operands)))


def is_plain(op: Op) -> bool:
    """Neither divided by nor a mask: quotients and masks are summed, not made into arrays first."""
    divides = isinstance(op, Mul) and any(p < 0 for _, _, p in op.factors)
    return not divides and not (isinstance(op, Map) and op.function == "real")


def _means(c: Coefficient, factors: Sequence[Factor]) -> tuple[set[int], Coefficient]:
    """The places of sums that are means, where the coefficient has one over the number of their terms."""
    found: set[int] = set()
    arrays = sum(bool(axes) for _, axes, _ in factors)
    for k, (f, axes, p) in enumerate(factors):
        if p != 1 or not isinstance(f, Contract) or not is_sum(f) or is_dot(f) or (axes and arrays > 1):
            continue
        count = ONE
        for x, n in enumerate(f.sizes):
            if x not in f.out and n != 1:
                count = count.times(dim_coefficient(n))
        powers = dict(c.dims)
        if c.value.denominator % count.value.numerator:  # a sum over N × 2 by N is a mean of samples, not of entries
            continue
        if count.dims and not any(powers.get(d, 0) > -p for d, p in count.dims):
            c = c.times(count)
            found.add(k)
    return found, c


def _is_small(op: Op) -> bool:
    """Whether an array has no axes that its place in a product would give back to it."""
    return op.type == "real" and not (isinstance(op, Contract) and is_sum(op))


def _weight(op: Op) -> int:
    """How much stands in what is printed."""
    match op:
        case Mul(factors=factors):
            return 1 + sum(_weight(f) for f, _, _ in factors)
        case Contract(operands=((a, one), (b, two))) if a is b and one == two:
            return 1 + _weight(a)
        case _:
            return 1 + sum(map(_weight, operands(op)))


__all__ = ["Factor", "Products", "is_dot", "is_square", "is_sum"]
