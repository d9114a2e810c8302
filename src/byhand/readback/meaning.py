"""The value of a tree, by what its signs mean and what its names stand for.

Nothing here knows how a formula came about. A letter is free on the left-hand side or bound by a Σ; its range is what a
Σ says, or that of the axes on which it stands alone. An index beyond its axis, a letter that nothing binds, shapes that
do not fit are errors of the formula; a sign that is not known is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from byhand.expr.functions import FUNCTIONS
from byhand.expr.operations import OPERATIONS, OVER_AXES
from byhand.notation.symbols import function_name
from byhand.readback import tree as tr
from byhand.readback.names import Entry, Names
from byhand.readback.tokens import UnreadError
from byhand.readback.tree import Tree
from byhand.readback.values import (
    MisreadError,
    UnsaidError,
    Value,
    added,
    aligned,
    entrywise,
    matrix,
    multiplied,
    number,
)

Array = Any
Range = tuple[int, int]

# A page that has a name for a sign of its own spells the function out: sigmoid beside an input σ.
_ENTRYWISE: dict[str, Callable[[Any], Any]] = {
    name: row.numpy for f, row in FUNCTIONS.items() for name in (f, function_name(f).text)
} | {"√": np.sqrt}
_OVER_AXES = {function_name(f).text: f for f in OVER_AXES}
_COMPARE = {"<": np.less, ">": np.greater, "≤": np.less_equal, "≥": np.greater_equal, "=": np.equal, "≠": np.not_equal}


@dataclass(frozen=True)
class Reader:
    """Evaluates trees.

    Attributes:
        names: what names stand for.
        letters: the ranges of the letters that are free or bound here.
    """

    names: Names
    letters: Mapping[str, Range]

    def value(self, node: Tree) -> Value:
        """The value of a tree.

        Raises: MisreadError: it has none. UnreadError, UnsaidError: it is not understood.
        """
        match node:
            case tr.Number(_, x):
                return number(x, constant=True)
            case tr.Name(_, name):
                return self.name(name)
            case tr.Sum(_, terms):
                return added([(plus, self.value(t)) for plus, t in terms])
            case tr.Product(_, items):
                return multiplied([self.value(i) for i in items])
            case tr.BigSum():
                return self.big_sum(node)
            case tr.Infix(_, op, left, right):
                return self.infix(op, self.value(left), self.value(right))
            case tr.Quotient(_, num, den):
                return self.quotient(self.value(num), self.value(den))
            case tr.Power(_, base, exponent, entries):
                return self.power(self.value(base), self.value(exponent), entries)
            case tr.Transpose(_, base):
                v = self.value(base)
                return replace(v, array=np.swapaxes(v.array, -1, -2)) if v.matrix else v
            case tr.Indexed(_, base, indices):
                return self.indexed(base, indices)
            case tr.Slice(_, base, axes):
                return self.slice(self.value(base), axes)
            case tr.Ones(_, size):
                return matrix(np.ones((self.integer(size), 1)))
            case tr.Indicator(_, condition):
                return self.indicator(condition)
            case tr.Inner(_, left, right):
                return self.inner(self.value(left), self.value(right))
            case tr.Norm(_, body):
                v = self.definite(self.value(body))
                return (
                    Value(np.sqrt(np.sum(v.array**2, axis=(-2, -1))), v.letters) if v.matrix else self.mapped(np.abs, v)
                )
            case tr.Bars(_, body, "log"):
                return self.of_square("logdet", self.whole(body))
            case tr.Bars(_, body):
                return self.mapped(np.abs, self.whole(body))
            case tr.Partial(_, of, wrt):
                return self.partial(of, wrt)
            case tr.Labelled(_, tr.Partial(_, of, wrt), "direct"):
                return self.partial(of, wrt, direct=True)
            case tr.Call():
                return self.call(node)
        raise UnreadError(f"{type(node).__name__} has no value here")

    # ---- names

    @staticmethod
    def split(name: str) -> tuple[str, tuple[Tree, ...]]:
        """Z1_ij as Z1 and its indices; no indices where there are none."""
        stem, _, below = name.rpartition("_")
        span = (0, 0)
        if not (stem and below):
            return name, ()
        return stem, (tr.Number(span, float(below)),) if below.isdecimal() else tuple(tr.Name(span, x) for x in below)

    def name(self, name: str) -> Value:
        """A name as it stands, or with its indices: Z1, dZ1, Z1_ij, δ_ij, I_n, a letter."""
        entry = self.entry(name)
        if name in self.letters:
            if entry is not None or name in self.names.sizes:
                raise MisreadError(f"{name} is a letter and a name")
            low, high = self.letters[name]
            return Value(np.arange(low, high + 1.0), (name,))
        if entry is not None:
            return standing(entry)
        if name in self.names.sizes:
            return number(float(self.names.sizes[name]), constant=True)
        if name == "I":
            return Value(np.asarray(1.0), identity=True)
        stem, indices = self.split(name)
        below = name[2:]
        if stem == "I" and (below.isdecimal() or below in self.names.sizes or self.entry("I") is None):
            return matrix(np.eye(self.integer(indices[0] if below.isdecimal() else tr.Name((0, 0), below))))
        if indices:
            return self.indexed(tr.Name((0, 0), stem), indices)
        raise MisreadError(f"{name} stands for nothing")

    def entry(self, name: str) -> Entry | None:
        """What a name stands for: a value, or the differential dX of one."""
        if name in self.names.values:
            return self.names.values[name]
        return self.names.differentials.get(name[1:]) if name.startswith("d") else None

    def partial(self, of: Tree, wrt: Tree, direct: bool = False) -> Value:
        """∂f/∂X, ∂f/∂X_ij, ∂Z_ij/∂W_kl, ∂vec(Z)/∂vec(W); `direct`: what does not pass through an intermediate."""
        (above, own, stacked), (below, inner, columns) = self.side(of), self.side(wrt)
        entry = None if direct else self.names.gradients.get((above, below))
        if entry is not None and not stacked and not columns:
            return self.at(entry.array, inner) if inner else standing(entry)
        return self.jacobian(self.derivative(above, below, direct), (own, stacked), (inner, columns))

    def side(self, node: Tree) -> tuple[str, tuple[Tree, ...], bool]:
        """A side of a derivative: the name, its indices, and whether its entries are stacked."""
        match node:
            case tr.Name(_, name):
                known = self.entry(name) is not None or any(name in pair for pair in self.names.gradients)
                return (name, (), False) if known else (*self.split(name), False)
            case tr.Indexed(_, tr.Name(_, name), indices):
                return name, indices, False
            case tr.Call(_, "vec", (tr.Name(_, name),)):
                return name, (), True
        raise UnreadError("the derivative of a formula")

    def derivative(self, above: str, below: str, direct: bool = False) -> tuple[Array, int]:
        """The array ∂z/∂h, the axes of z first, and how many those are."""
        entry = None if direct else self.names.gradients.get((above, below))
        if entry is not None:
            return np.asarray(entry.array), 0
        found = self.names.jacobian(above, below)
        if found is None:
            raise UnreadError(f"the derivative of {above} with respect to {below}")
        return found, np.ndim(self.names.values[above].array)

    def jacobian(
        self, found: tuple[Array, int], of: tuple[tuple[Tree, ...], bool], wrt: tuple[tuple[Tree, ...], bool]
    ) -> Value:
        """A derivative at its indices, or as a matrix with a row per output."""
        array, axes = found
        indices = (*of[0], *wrt[0])
        if indices:
            return self.at(array, indices)
        sides = (axes, of[1]), (np.ndim(array) - axes, wrt[1])
        if any((n > 1) != stacked for n, stacked in sides):
            raise MisreadError("a Jacobian of matrices that are not stacked")
        return matrix(array.reshape(int(np.prod(array.shape[:axes])), -1))

    # ---- indices

    def indexed(self, base: Tree, indices: tuple[Tree, ...]) -> Value:
        """The entry of an array; of a stack with fewer indices, a matrix."""
        if isinstance(base, tr.Name) and self.entry(base.name) is None:
            if base.name == "δ":
                return self.delta(indices)
            if base.name == "I" and len(indices) == 1:
                return matrix(np.eye(self.integer(indices[0])))
        return self.at(self.array_of(base, len(indices)), indices)

    def array_of(self, base: Tree, axes: int) -> Array:
        """The array that indices belong to, with its own axes: a vector has one."""
        if isinstance(base, tr.Name):
            entry = self.entry(base.name)
            if entry is not None:
                return np.asarray(entry.array)
        if isinstance(base, tr.Call) and base.name == "d" and len(base.args) == 1 and isinstance(base.args[0], tr.Name):
            entry = self.names.differentials.get(base.args[0].name)
            if entry is not None:
                return np.asarray(entry.array)
        if isinstance(base, tr.Call) and base.name in _OVER_AXES:
            arg, over = self.axes(base)
            stack = self.stack(arg)
            if stack is not None:
                kernel = OPERATIONS[_OVER_AXES[base.name]].numpy
                return np.asarray(kernel([stack], (over or (np.ndim(stack) - 1,),), self.names.sizes))
        if isinstance(base, tr.Entries):
            raise MisreadError("entries have letters below them only inside an operation")
        v = self.value(base)
        if v.identity:
            raise UnsaidError("the size of I")
        if v.letters:
            raise UnreadError("indices of an array that depends on letters")
        array = v.array
        if array.ndim == 2 and axes == 1:
            if 1 not in array.shape:
                raise MisreadError("one index for a matrix")
            return array.ravel()
        return array.reshape((1,) * axes) if array.ndim == 0 else array

    def at(self, array: Array, indices: tuple[Tree, ...]) -> Value:
        """An array at its indices."""
        rest = np.ndim(array) - len(indices)
        if not 0 <= rest <= 2:
            raise MisreadError(f"{len(indices)} indices for {np.ndim(array)} axes")
        whole = [k for k, i in enumerate(indices) if isinstance(i, tr.Name) and i.name == ":"]
        if whole:
            array = np.moveaxis(array, whole, range(np.ndim(array) - rest - len(whole), np.ndim(array) - rest))
            indices = tuple(i for k, i in enumerate(indices) if k not in whole)
            rest += len(whole)
        positions = [self.position(i, n) for i, n in zip(indices, np.shape(array), strict=False)]
        letters, places = aligned(positions)
        found = np.asarray(array[tuple(places)] if places else array)
        if rest == 1:  # what a row of a matrix holds, as a vector
            found = found[..., None]
        return matrix(found, letters) if rest else Value(found, letters)

    def position(self, index: Tree, size: int) -> Value:
        """Index values, each on an axis of this size."""
        v = self.value(index)
        if v.matrix:
            raise MisreadError("an index that is a matrix")
        places = np.asarray(v.array)
        if np.any(places != np.round(places)) or np.any(places < 0) or np.any(places >= size):
            raise MisreadError(f"an index runs to {np.max(places):g}, beyond an axis of {size}")
        return Value(places.astype(int), v.letters)

    def delta(self, indices: tuple[Tree, ...]) -> Value:
        if len(indices) != 2:
            raise MisreadError(f"δ with {len(indices)} indices")
        return entrywise(lambda a, b: (a == b) * 1.0, *map(self.value, indices))

    def integer(self, node: Tree) -> int:
        """A size."""
        v = self.value(node)
        if v.matrix or v.letters or float(v.array) != round(float(v.array)):
            raise MisreadError("a size that is no integer")
        return int(v.array)

    def big_sum(self, node: tr.BigSum) -> Value:
        """Σ: the letters get ranges, and the body is summed."""
        own: dict[str, Range] = {}
        for letter in node.letters:
            if letter in self.letters or letter in own:
                raise MisreadError(f"{letter} is in use, and summed over")
            if node.low is not None and node.high is not None:
                own[letter] = (self.integer(node.low), self.integer(node.high))
            else:
                sizes = self.axes_of(node.body, letter)
                if len(sizes) != 1:
                    raise MisreadError(f"the range of {letter}: {', '.join(map(str, sorted(sizes))) or 'said nowhere'}")
                own[letter] = (0, sizes.pop() - 1)
        inside = replace(self, letters={**self.letters, **own})
        lengths = [high - low + 1 for low, high in own.values()]
        match node.body:
            case tr.Product(_, items):
                factors = [inside.value(i) for i in items]
            case tr.Quotient(_, tr.Product(_, items), den):
                factors = [*map(inside.value, items), inside.quotient(number(1.0), inside.value(den))]
            case _:
                factors = [inside.value(node.body)]
        return multiplied(factors, node.letters, lengths)

    def axes_of(self, node: Tree, letter: str) -> set[int]:
        """The sizes of the axes on which a letter stands alone."""
        found: set[int] = set()
        todo = [node]
        while todo:
            n = todo.pop()
            if isinstance(n, tr.BigSum) and letter in n.letters:
                continue
            found |= self.own_axes(n, letter)
            todo += tr.children(n)
        return found

    def own_axes(self, node: Tree, letter: str) -> set[int]:
        """The sizes of the axes of one array on which a letter stands alone."""
        match node:
            case tr.Name(_, name) if self.entry(name) is None and name not in self.names.sizes:
                stem, indices = self.split(name)
                entry = self.entry(stem)
                shape = () if entry is None else np.shape(entry.array)
            case tr.Partial(_, of, wrt):
                (above, own, _), (below, inner, _) = self.side(of), self.side(wrt)
                indices = *own, *inner
                if letter not in [i.name for i in indices if isinstance(i, tr.Name)]:
                    return set()
                shape = np.shape(self.derivative(above, below)[0])
            case tr.Indexed(_, base, indices) if not (isinstance(base, tr.Name) and base.name == "δ"):
                if letter not in [i.name for i in indices if isinstance(i, tr.Name)] or isinstance(base, tr.Entries):
                    return set()
                shape = np.shape(self.array_of(base, len(indices)))
            case _:
                return set()
        return {n for i, n in zip(indices, shape, strict=False) if isinstance(i, tr.Name) and i.name == letter}

    # ---- operations

    def infix(self, op: str, a: Value, b: Value) -> Value:
        match op:
            case "⊙":
                return entrywise(np.multiply, a, b)
            case "⊘":
                return entrywise(np.divide, a, b, numbers="constant")
            case "⊗":
                a, b = self.definite(a), self.definite(b)
                letters, (x, y) = aligned((a, b))
                x, y = (z if v.matrix else z[..., None, None] for z, v in ((x, a), (y, b)))
                product = x[..., :, None, :, None] * y[..., None, :, None, :]
                rows, columns = x.shape[-2] * y.shape[-2], x.shape[-1] * y.shape[-1]
                return matrix(product.reshape(*product.shape[:-4], rows, columns), letters)
        raise UnreadError(f"the sign {op}")

    def quotient(self, num: Value, den: Value) -> Value:
        if den.matrix or den.identity:
            raise MisreadError("division by a matrix")
        inverse = replace(den, array=1.0 / den.array, mask=False)
        return multiplied([num, inverse])

    def power(self, base: Value, exponent: Value, entries: bool) -> Value:
        if base.identity and not exponent.matrix:
            return replace(base, array=base.array**exponent.array)
        if entries or not base.matrix or exponent.matrix:
            return entrywise(np.power, base, exponent, numbers="constant")
        p = float(exponent.array) if not exponent.letters else np.nan
        if base.shape[0] != base.shape[1] or p != round(p):
            raise MisreadError(f"a power of a matrix of shape {base.shape}")
        return replace(base, array=np.linalg.matrix_power(base.array, int(p)))

    def inner(self, a: Value, b: Value) -> Value:
        a, b = a.sized(b.shape), b.sized(a.shape)
        if a.shape != b.shape:
            raise MisreadError(f"the inner product of shapes {a.shape} and {b.shape}")
        product = entrywise(np.multiply, a, b)
        return replace(product, array=product.array.sum(axis=(-2, -1)), matrix=False) if product.matrix else product

    def indicator(self, node: Tree) -> Value:
        """1 where a relation, or each of a chain, holds."""
        parts = []
        while isinstance(node, tr.Relation):
            right = node.right.left if isinstance(node.right, tr.Relation) else node.right
            if node.op not in _COMPARE:
                raise UnreadError(f"the sign {node.op} in a condition")
            pair = self.value(node.left), self.value(right)
            parts.append(entrywise(lambda a, b, f=_COMPARE[node.op]: f(a, b) * 1.0, *pair, numbers="constant"))
            node = node.right
        if not parts:
            raise UnreadError("a condition without a relation")
        return replace(reduce(lambda a, b: entrywise(np.multiply, a, b), parts), mask=True)

    def slice(self, v: Value, axes: Sequence[tuple[Tree | None, Tree | None]]) -> Value:
        if v.identity:
            raise UnsaidError("the size of what is sliced")
        v = v if v.matrix else replace(v, array=v.array[..., None, None], matrix=True)  # of a single entry
        cuts = []
        for (low, high), size in zip(axes, v.shape, strict=True):
            first = 0 if low is None else self.integer(low)
            end = size if high is None else self.integer(high)
            if not 0 <= first <= end <= size:
                raise MisreadError(f"a slice {first}:{end} of an axis of {size}")
            cuts.append(slice(first, end))
        return matrix(v.array[(..., *cuts)], v.letters)

    def definite(self, v: Value) -> Value:
        """A value whose size is known."""
        if v.identity:
            raise UnsaidError("the size of I")
        return v

    def mapped(self, function: Callable[[Any], Any], v: Value) -> Value:
        """A function of each entry."""
        return replace(v, array=np.asarray(function(self.definite(v).array)), constant=False)

    # ---- calls

    def call(self, node: tr.Call) -> Value:
        """A function of arguments; a product where the name stands for a value."""
        if node.name == "d" and self.entry("d") is None:
            return self.differential(node.args)
        own = _ENTRYWISE.get(node.name)
        known = own is not None or node.name in _STRUCTURED or node.name in _OVER_AXES
        if not known:
            if len(node.args) != 1 or self.entry(node.name) is None:
                raise UnreadError(f"the function {node.name}")
            return multiplied([self.name(node.name), self.value(node.args[0])])
        if own is not None:
            (arg,) = self.positional(node, 1)
            return self.mapped(own, self.value(arg))
        if node.name in _OVER_AXES:
            return self.over_axes(_OVER_AXES[node.name], node)
        return _STRUCTURED[node.name](self, [self.whole(a) for a in self.positional(node)])

    def positional(self, node: tr.Call, how_many: int = 0) -> tuple[Tree, ...]:
        if any(isinstance(a, tr.Relation) for a in node.args) or (how_many and len(node.args) != how_many):
            raise UnreadError(f"the arguments of {node.name}")
        return node.args

    def whole(self, node: Tree) -> Value:
        """An argument; [a_ij]_ij is the matrix of these entries, a stack by name its entries in a column."""
        stack = self.stack(node)
        if stack is not None:
            return matrix(stack.reshape(-1, 1))
        if not (isinstance(node, tr.Indexed) and isinstance(node.base, tr.Entries)):
            return self.value(node)
        letters = [i.name if isinstance(i, tr.Name) else "" for i in node.indices]
        ranges = {}
        for letter in letters:
            sizes = self.axes_of(node.base.body, letter)
            if len(sizes) != 1:
                raise UnsaidError(f"the range of {letter}")
            ranges[letter] = (0, sizes.pop() - 1)
        v = replace(self, letters={**self.letters, **ranges}).value(node.base.body)
        outer = [x for x in v.letters if x not in letters]
        _, (array,) = aligned([v], [*outer, *letters])
        shape = tuple(ranges[x][1] + 1 for x in letters)
        return matrix(np.broadcast_to(array, (*array.shape[: len(outer)], *shape)), tuple(outer))

    def differential(self, args: tuple[Tree, ...]) -> Value:
        """d(loss), d(x_hat): the differential of a name, of its entry."""
        known = self.names.differentials
        match args:
            case (tr.Name(_, name),):
                if name in known:
                    return standing(known[name])
                stem, indices = self.split(name)
                if stem in known:
                    return self.at(known[stem].array, indices)
            case (tr.Indexed(_, tr.Name(_, name), indices),) if name in known:
                return self.at(known[name].array, indices)
        raise UnreadError("the differential of a formula")

    def over_axes(self, operation: str, node: tr.Call) -> Value:
        """softmax and log-sum-exp: of a vector over its entries, of a matrix over each row, or over the axes that are said."""
        arg, axes = self.axes(node)
        stack = self.stack(arg)
        if stack is not None:  # an array of more than two axes, by name
            found = OPERATIONS[operation].numpy([stack], (axes or (np.ndim(stack) - 1,),), self.names.sizes)
            return standing(Entry(found))
        v = self.definite(self.value(arg))
        if not v.matrix:  # a single entry
            v = replace(v, array=v.array[..., None, None], matrix=True)
            found = OPERATIONS[operation].numpy([v.array], ((len(v.letters), len(v.letters) + 1),), self.names.sizes)
            return Value(found, v.letters) if operation == "logsumexp" else matrix(found, v.letters)
        vector = 1 in v.shape and axes is None
        lead = len(v.letters)
        over = tuple(lead + a for a in ((0, 1) if vector else axes or (1,)))
        found = OPERATIONS[operation].numpy([v.array], (over,), self.names.sizes)
        if operation != "logsumexp":
            return Value(found, v.letters, True)
        if len(over) == 2:
            return Value(found, v.letters)
        return matrix(found[..., :, None], v.letters)

    def axes(self, node: tr.Call) -> tuple[Tree, tuple[int, ...] | None]:
        """The argument of softmax and its kin, and the axes that are said."""
        match node.args:
            case (arg,):
                return arg, None
            case (arg, tr.Relation(_, "=", tr.Name(_, "axis"), said)):
                return arg, tuple(map(self.integer, said.items if isinstance(said, tr.Tuple) else (said,)))
        raise UnreadError(f"the arguments of {node.name}")

    def stack(self, node: Tree) -> Array | None:
        """The array of more than two axes that a name stands for, if it does."""
        entry = self.entry(node.name) if isinstance(node, tr.Name) else None
        return None if entry is None or np.ndim(entry.array) < 3 else np.asarray(entry.array)

    def of_square(self, operation: str, v: Value) -> Value:
        """A number of a square matrix."""
        v = self.definite(v)
        array = v.array if v.matrix else v.array[..., None, None]
        if array.shape[-1] != array.shape[-2]:
            raise MisreadError(f"{operation} of shape {array.shape[-2:]}")
        return Value(np.asarray(OPERATIONS[operation].numpy([array], (), self.names.sizes)), v.letters)


def standing(entry: Entry) -> Value:
    """A named array as it stands in matrix notation: a vector as a column, or as a row."""
    array = np.asarray(entry.array, float)
    if array.ndim > 2:
        raise MisreadError("an array of more than two axes without indices")
    if array.ndim == 1:
        array = array[None, :] if entry.row else array[:, None]
    return matrix(array) if array.ndim else Value(array)


def _trace(r: Reader, args: list[Value]) -> Value:
    (v,) = map(r.definite, args)
    if v.matrix and v.shape[0] != v.shape[1]:
        raise MisreadError(f"the trace of shape {v.shape}")
    return Value(np.trace(v.array, axis1=-2, axis2=-1), v.letters) if v.matrix else v


def _diagonal(r: Reader, args: list[Value]) -> Value:
    """The matrix with a vector on its diagonal; the diagonal of a matrix, as a column."""
    (v,) = map(r.definite, args)
    if not v.matrix:
        return v
    if 1 in v.shape:
        flat = v.array.reshape(*v.array.shape[:-2], -1)
        return Value(flat[..., :, None] * np.eye(flat.shape[-1]), v.letters, True)
    if v.shape[0] != v.shape[1]:
        raise MisreadError(f"the diagonal of shape {v.shape}")
    return Value(np.diagonal(v.array, axis1=-2, axis2=-1)[..., :, None], v.letters, True)


def _vec(r: Reader, args: list[Value]) -> Value:
    """The rows of a matrix, stacked into a column."""
    (v,) = map(r.definite, args)
    return matrix(v.array.reshape(*v.array.shape[:-2], -1, 1), v.letters) if v.matrix else v


def _where(r: Reader, args: list[Value]) -> Value:
    return entrywise(lambda c, a, b: np.where(c != 0, a, b), *args, numbers="constant")


def _inverse(r: Reader, args: list[Value]) -> Value:
    (v,) = map(r.definite, args)
    return r.power(v, number(-1.0), entries=False)


def _one_hot(r: Reader, args: list[Value]) -> Value:
    """onehot(t, K): a row per label."""
    if len(args) == 1:
        raise UnsaidError("how many classes onehot has")
    labels, classes = args
    return matrix((labels.array.ravel()[:, None] == np.arange(int(classes.array))) * 1.0)


_STRUCTURED: dict[str, Callable[[Reader, list[Value]], Value]] = {
    "tr":      _trace,
    "diag":    _diagonal,
    "vec":     _vec,
    "where":   _where,
    "inv":     _inverse,
    "det":     lambda r, args: r.of_square("det", *args),
    "logdet":  lambda r, args: r.of_square("logdet", *args),
    "onehot":  _one_hot,
    "eye":     lambda r, args: matrix(np.eye(int(args[0].array))),
}  # fmt: skip
