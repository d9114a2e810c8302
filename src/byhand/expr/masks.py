"""Masks select and never multiply: where a mask is 0, what stands beside it in a product is not asked for.

A derivative of `where(C, A, B)` is C ⊙ dA + (1 − C) ⊙ dB. Read as a product, an entry of dA that has no value (a root
of a negative number, a division by zero, an overflow) would make 0 × nan of a branch that is not taken. Read as a
selection it is 0. `Selection.of` writes such a product with `where`: the interpreter and all code targets use it, while
formulas stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from fractions import Fraction
from typing import TypeVar
from weakref import WeakKeyDictionary

from byhand.expr.contraction import P1, contract, is_zero, label_dims, zero
from byhand.expr.dims import Dim
from byhand.expr.functions import MASKS, POSITIVE_VALUED
from byhand.expr.nodes import Constant, Contraction, Elementwise, Expr, Factor, Named, Structured, Sum, Symbol
from byhand.expr.operations import apply
from byhand.expr.vocabulary import is_mask

# Functions that have no finite value for some finite argument, or overflow for one of a few hundred.
_PARTIAL = frozenset(
    {"log", "log1p", "arcsin", "arccos", "tan", "exp", "expm1", "sinh", "cosh", "inv", "det", "logdet", "power"}
)
_NOT_NEGATIVE = POSITIVE_VALUED | {"abs", "relu", *MASKS, "huber", "logcosh"}

Found = TypeVar("Found")


class Selection:
    """Products with masks of the nodes of one expression; what is found is kept, so deep expressions cost no more.

    Args:
        exact: whether signs are those of the numbers themselves. As floats, what is positive may be 0: exp(-1000).
    """

    def __init__(self, exact: bool = False) -> None:
        self.exact = exact
        self._partial: MutableMapping[Expr, bool] = {}
        self._masked: MutableMapping[Expr, bool] = {}
        self._sign: MutableMapping[Expr, int] = {}

    def of(self, node: Contraction) -> Expr:
        """The product with each factor that may have no value inside a `where`; the node where there is none."""
        factors = list(node.factors)
        masks = [f for f in factors if f[2] > 0 and self.masked(f[0])]
        todo = [f for f in factors if masks and self.partial_factor(f) and _without(masks, [f])]
        if not todo:
            return node
        rest, dims = _without(factors, todo), label_dims(node)
        while todo:
            rest = self._summed(rest, {x for _, ls, _ in todo for x in ls}.union(node.out), dims)
            both = [f for f in todo if not _without([f], masks)]  # masks that may have no value themselves
            widest = {*max(todo, key=lambda f: len({*f[1]}))[1]}
            inside = both[:1] or [f for f in todo if {*f[1]} <= widest]
            selecting = [f for f in (*rest, *both[1:]) if f[2] > 0 and self.masked(f[0])]
            chosen = self._selected(selecting, inside, dims)
            rest = [*_without(rest, [f for f in selecting if _compares(f[0])]), chosen]  # 1 where it is the condition
            todo = _without(todo, inside)
        return contract(rest, node.out, node.coefficient, {x: dims[x] for x in node.out})

    def _summed(self, rest: list[Factor], kept: set[int], dims: dict[int, Dim]) -> list[Factor]:
        """What is summed over masked factors alone is summed first: its sum is what selects."""
        while True:
            label = next((x for f, ls, _ in rest for x in ls if x not in kept and self.masked(f)), None)
            if label is None:
                return rest
            together, grows = {label}, True
            while grows:
                found = {x for _, ls, _ in rest if together & {*ls} for x in ls if x not in kept}
                grows = not found <= together
                together |= found
            group = [f for f in rest if together & {*f[1]}]
            out = tuple(dict.fromkeys(x for _, ls, _ in group for x in ls if x in kept))
            total = contract(group, out, dims={x: dims[x] for x in out})
            rest = [*_without(rest, group), (total, out, P1)]
            self._masked[total] = True

    def _selected(self, masks: list[Factor], inside: list[Factor], dims: dict[int, Dim]) -> Factor:
        """Factors inside a `where`, on the axes that they and the masks have."""
        labels = tuple(dict.fromkeys(x for _, ls, _ in (*inside, *masks) for x in ls))
        sizes = {x: dims[x] for x in labels}
        bare = [f for f in masks if is_mask(f[0])]
        conditions = [contract(bare, labels, dims=sizes)] if bare else []
        conditions += [contract([(f, ls, P1)], labels, dims=sizes) for f, ls, _ in masks if not is_mask(f)]
        chosen = contract(inside, labels, dims=sizes)
        for condition in conditions:
            chosen = apply("where", condition, chosen, zero(chosen.shape))
        self._masked[chosen], self._partial[chosen] = True, False
        return chosen, labels, P1

    # ---- what a node may be

    def masked(self, node: Expr) -> bool:
        """Whether a node is zero wherever some mask is: a mask, or a product with one."""
        return self._found(node, self._masked, self._is_masked)

    def partial(self, node: Expr) -> bool:
        """Whether a node may have no finite value at finite inputs."""
        return self._found(node, self._partial, self._is_partial)

    def partial_factor(self, factor: Factor) -> bool:
        """Whether a factor of a product may have no finite value: a root of what may be negative, a divisor that may be 0."""
        node, _, power = factor
        needed = 2 if power < 0 else 1 if power.denominator > 1 else 0
        return self.partial(node) or self.sign(node) < needed

    def sign(self, node: Expr) -> int:
        """2 where all entries are known to be positive, 1 not negative, 0 unknown."""
        return self._found(node, self._sign, self._sign_of)

    def _found(self, node: Expr, memo: MutableMapping[Expr, Found], find: Callable[[Expr], Found]) -> Found:
        """What is found of a node from what is found of its children; nothing recurses on the depth."""
        todo = [node]
        while todo:
            missing = [] if todo[-1] in memo else [c for c in todo[-1].children if c not in memo]
            todo += missing
            if not missing:
                n = todo.pop()
                if n not in memo:
                    memo[n] = find(n)
        return memo[node]

    def _is_masked(self, node: Expr) -> bool:
        match node:
            case Named(_, body):
                return self._masked[body]
            case Contraction():
                return any(p > 0 and self._masked[f] for f, _, p in node.factors)
            case Sum(terms):
                return all(self._masked[t] for _, t in terms) or _compares(node)
            case Structured("where", (_, a, b)):
                return is_zero(a) or is_zero(b)
            case Symbol() | Elementwise():
                return _compares(node)
            case _:
                return False

    def _is_partial(self, node: Expr) -> bool:
        match node:
            case Elementwise(name) if name in MASKS:
                return False
            case Elementwise(name, arg):
                fine = (name in ("log", "log1p") and self.sign(arg) == 2) or name not in _PARTIAL
                return self._partial[arg] or not fine
            case Structured(name, args):
                return name in _PARTIAL or any(self._partial[a] for a in args)
            case Contraction():
                chooses = any(p > 0 and self.masked(f) for f, _, p in node.factors)
                return not chooses and any(self.partial_factor(f) for f in node.factors)
            case _:
                return any(self._partial[c] for c in node.children)

    def _sign_of(self, node: Expr) -> int:
        match node:
            case Symbol():
                return 2 if "positive" in node.assumptions else int(bool(node.assumptions & {"01", "one_hot"}))
            case Constant():
                return 2 if node.value > 0 else 0
            case Named(_, body):
                return self._sign[body]
            case Elementwise(name):
                return 2 if name in POSITIVE_VALUED and (self.exact or name == "cosh") else int(name in _NOT_NEGATIVE)
            case Structured("softmax"):
                return 2 if self.exact else 1
            case Sum(terms):
                signs = [self._sign[t] if c.value > 0 else 0 for c, t in terms]
                return min(1, *signs) + (2 in signs and 0 not in signs)
            case Contraction():
                return self._sign_of_product(node)
            case _:
                return 0

    def _sign_of_product(self, node: Contraction) -> int:
        if node.coefficient.value <= 0:
            return 0
        signs = [max(self._sign[f], int(p.numerator % 2 == 0)) for f, _, p in node.factors]
        return 0 if 0 in signs else 1 if 1 in signs or len({*node.out}) < node.ndim else 2


def _without(factors: list[Factor], removed: list[Factor]) -> list[Factor]:
    gone = {*map(id, removed)}
    return [f for f in factors if id(f) not in gone]


def _compares(node: Expr) -> bool:
    """Whether a node is a mask that chooses: one-hot rows are data, which multiply."""
    return is_mask(node) and "one_hot" not in node.operations and not _is_one_hot(node)


def _is_one_hot(node: Expr) -> bool:
    return isinstance(node, Symbol) and "one_hot" in node.assumptions


_ALWAYS = Selection()
_ALWAYS._partial, _ALWAYS._masked, _ALWAYS._sign = WeakKeyDictionary(), WeakKeyDictionary(), WeakKeyDictionary()


def parted(node: Contraction, i: int) -> bool:
    """Whether a product loses what selects in it once its factor i is multiplied out.

    (1 − C) ⊙ √x is 0 wherever C is 1; of √x − C ⊙ √x the first term has no value at x < 0.
    """
    chooses = _compares(node.factors[i][0])
    return chooses and any(_ALWAYS.partial_factor(f) for j, f in enumerate(node.factors) if j != i)


def has_value(base: Expr, whole: Fraction, part: Fraction) -> bool:
    """Whether a power of a base has a value wherever it had one, once a part of it is written by itself.

    y² as √y y^(3/2) has none at y < 0, where a mask may select it.
    """
    return part.denominator == 1 or whole.denominator > 1 or _ALWAYS.sign(base) > 0


def selected(node: Contraction) -> Expr:
    """The product with its masks selecting; see `Selection.of`."""
    return Selection().of(node)


__all__ = ["Selection", "has_value", "parted", "selected"]
