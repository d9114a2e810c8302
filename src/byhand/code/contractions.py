"""Sums of products as source: one row for each pattern of labels, einsum for the rest."""

from __future__ import annotations

from byhand.code.products import Products, is_dot, is_square, is_sum
from byhand.code.python import Code, Level, call, is_name, power
from byhand.expr.dims import ONE
from byhand.program.ops import P1, Axes, Contract, Input, Op

LETTERS = "ijklmnpqrstuvwxyzabcdefgho"


class Contractions(Products):
    """Sums over labels of one array or the product of two."""

    def contract(self, op: Contract) -> Code:
        """The source of a sum of products."""
        if len(op.operands) == 1:
            return self._of_one(op)
        (a, la), (b, lb) = op.operands
        if is_dot(op):
            return self._dot(a, b)
        if {*la} == {*lb} and is_sum(op):
            return self.total(op, "sum")
        return self._matmul(op) or self._einsum(op)

    # ---- of one array

    def _of_one(self, op: Contract) -> Code:
        ((a, labels),) = op.operands
        summed = [k for k, x in enumerate(labels) if x not in op.out]
        if labels == (0, 0):
            name = "diag" if op.out else "trace"
            full = self.full(a)
            return Code(call(f"{self.np}.{name}", full.text), shape=op.shape, view=bool(op.out) and full.view)
        if not is_sum(op):
            return self._einsum(op)
        if summed and all(a.shape[k] == 1 for k in summed):
            return self.indexed(a, summed)
        return self.total(op, "sum")

    def total(self, op: Contract, word: str, keep: bool = False) -> Code:
        """A.sum(axis=0), np.sum(A * B, axis=1), np.mean(A**2)."""
        labels = op.operands[0][1]
        shape = tuple(op.sizes[x] for x in labels)
        if is_square(op):
            a = self.full(op.operands[0][0])
            a = Code(power(a, "2"), Level.POWER, shape)
        elif len(op.operands) == 1:
            a = self.full(op.operands[0][0])
        else:
            parts = [(b, tuple(map(labels.index, ls)), P1) for b, ls in op.operands]
            a = self.filled_up(self.scaled(ONE, parts, shape), shape)
        axes = tuple(k for k, x in enumerate(labels) if x not in op.out)
        single = tuple(k for k in axes if shape[k] == 1) if word == "sum" and not keep else ()
        if single and len(single) < len(axes):  # axes of size one are dropped, not summed
            index = ", ".join("0" if k in single else ":" for k in range(single[-1] + 1))
            shape = tuple(n for k, n in enumerate(shape) if k not in single)
            a = Code(f"{a.at(Level.ATOM)}[{index}]", shape=shape, view=a.view)
            axes = tuple(k - sum(j < k for j in single) for k in axes if k not in single)
        return self.over_axes(word, a, axes, keep)

    def over_axes(self, word: str, a: Code, axes: Axes, keep: bool) -> Code:
        """A sum or mean over axes of a piece."""
        if len(axes) == len(a.shape) and not keep:
            return Code(call(f"{self.np}.{word}", a.text))
        over = [f"axis={axes[0] if len(axes) == 1 else axes}", *(["keepdims=True"] if keep else [])]
        shape = tuple(1 if k in axes else n for k, n in enumerate(a.shape) if keep or k not in axes)
        if is_name(a.text):
            return Code(call(f"{a.text}.{word}", *over), shape=shape)
        return Code(call(f"{self.np}.{word}", a.text, *over), shape=shape)

    def indexed(self, op: Op, dropped: list[int]) -> Code:
        """An array with axes of size one dropped; of a slice, at the index itself."""
        raise NotImplementedError

    # ---- of two

    def _dot(self, a: Op, b: Op) -> Code:
        """xᵀ y, and with one matrix between them x @ A @ y, which multiplies a vector first."""
        for x, y in ((a, b), (b, a)):
            parts = self._row_by_row(y)
            if parts is not None and not (isinstance(x, Contract) and self._row_by_row(x)):
                matrix, vector = parts
                codes = (self.full(x), matrix, self.full(vector))
                return Code(" @ ".join(c.at(Level.POWER) for c in codes), Level.MATMUL)
        if a is b and not is_name(self.full(a).text):
            return Code(call(f"{self.np}.sum", power(self.full(a), "2")))
        first, second = sorted(map(self.full, (a, b)), key=lambda c: (-c.level, len(c.text), c.text))
        return Code(f"{first.at(Level.POWER)} @ {second.at(Level.POWER)}", Level.MATMUL)

    def _row_by_row(self, op: Op) -> tuple[Code, Op] | None:
        """Matrix and vector of a product of them."""
        if not isinstance(op, Contract) or len(op.operands) != 2 or len(op.out) != 1:
            return None
        for (a, la), (b, lb) in (op.operands, op.operands[::-1]):
            if len(la) == 2 and len(lb) == 1 and {*la} == {op.out[0], lb[0]} and lb[0] != op.out[0]:
                return self.ordered(a, la, (*op.out, *lb)), b
        return None

    def _matmul(self, op: Contract) -> Code | None:
        """A product of matrices, of stacks of them, of a matrix and a vector; None where the labels are others."""
        (_, la), (_, lb) = op.operands
        summed = [x for x in dict.fromkeys((*la, *lb)) if x not in op.out]
        if len(summed) != 1 or len({*la}) < len(la) or len({*lb}) < len(lb):
            return None
        (k,) = summed
        for (a, la), (b, lb) in (op.operands, op.operands[::-1]):
            stack = tuple(x for x in op.out if x in la and x in lb)
            left, right = tuple(x for x in op.out if x not in lb), tuple(x for x in op.out if x not in la)
            fits = len(left) == len(right) == 1 if stack else left and len(right) <= 1
            if k not in la or k not in lb or op.out != (*stack, *left, *right) or not fits:
                continue
            turned = len(left) == len(right) == 1 and la == (k, *left) and lb == (*right, k)
            if turned and not (isinstance(a, Input) and isinstance(b, Input)):
                x, y = self.full(b), self.full(a)  # Bᵀ Aᵀ of what is no name is (A B)ᵀ
                return Code(f"({self._chained(x, b, y, a)}).T", shape=op.shape)
            x, y = self.ordered(a, la, (*stack, *left, k)), self.ordered(b, lb, (*stack, k, *right))
            return Code(self._chained(x, a, y, b), Level.MATMUL, op.shape)
        return None

    def _chained(self, x: Code, a: Op, y: Code, b: Op) -> str:
        """Chains of matrices print without brackets; stacks and vectors are not associative with @ and keep their order."""
        inner = _multiplied(b)  # of a product seen through a view none is known: it keeps its brackets
        flat = len(x.shape) == len(y.shape) == 2 and all(len(f.shape) == 2 for f in inner)
        flat = flat and (bool(inner) or y.level != Level.MATMUL)
        tight = len(x.shape) > 2 or (len(x.shape) == 1 and x.level == Level.MATMUL)
        return f"{x.at(Level.POWER if tight else Level.MATMUL)} @ {y.at(Level.MATMUL if flat else Level.POWER)}"

    def ordered(self, op: Op, labels: Axes, order: Axes) -> Code:
        """An operand with its axes in an order, of its full shape."""
        return self.turned(self.full(op), tuple(map(order.index, labels)), len(order))

    def _einsum(self, op: Contract) -> Code:
        used = list(dict.fromkeys([*op.out, *(x for _, ls in op.operands for x in ls)]))
        letter = dict(zip(used, LETTERS, strict=False))
        spec = ",".join("".join(letter[x] for x in ls) for _, ls in op.operands)
        spec = f'"{spec}->{"".join(letter[x] for x in op.out)}"'
        view = len(op.operands) == 1 and {*op.out} == {*op.operands[0][1]}
        codes = [self.full(a).text for a, _ in op.operands]
        return Code(call(f"{self.np}.einsum", spec, *codes, *self.path(op)), shape=op.shape, view=view)

    def path(self, op: Contract) -> list[str]:
        """The argument that lets the library choose an order."""
        return ["optimize=True"] if len(op.operands) > 1 else []


def _multiplied(op: Op) -> list[Op]:
    """The operands of a product, and those of the products among them; of others none."""
    if not isinstance(op, Contract) or len(op.operands) != 2:
        return []
    return [f for a, _ in op.operands for f in (a, *_multiplied(a))]


__all__ = ["LETTERS", "Contractions"]
