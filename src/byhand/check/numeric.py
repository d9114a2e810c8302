"""Values of nodes at one point, derivatives by complex step, and the verdict on two numbers that should be equal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from byhand.expr.dims import dim_value
from byhand.expr.evaluate import contraction_value, node_value
from byhand.expr.nodes import Contraction, Differential, Expr, Named, Symbol, topological
from byhand.expr.vocabulary import is_mask

Array = Any
STEP = 1e-20  # no subtraction follows, so the step can be far below rounding: the derivative is exact to rounding
NOISE = 64.0  # how many times the rounding noise that was seen counts as agreement
SHAKES = 8
FAR = 1e6  # an error this many times the noise is none of it
LITTLE = 1e-6  # of the amplitude, at most, is noise
ULPS = 4 * float(np.finfo(float).eps)


class Environment:
    """The value of each node at one point, computed when asked for and kept.

    Named intermediates and differentials can be given values of their own: what stands above them then follows from
    these, which tests an identity for every value of them at once.

    Args:
        values: arrays by node: the inputs, and whatever is to have a value of its own.
        sizes: the sizes of the named dimensions.
        unknown: the value of a differential that was not given, from its node.
        noise: random numbers with which every value is changed in its last places, to see what rounding does.
    """

    def __init__(
        self,
        values: Mapping[Expr, Array],
        sizes: Mapping[str, int],
        unknown: Callable[[Differential], Array] | None = None,
        noise: np.random.Generator | None = None,
    ) -> None:
        self.sizes = sizes
        self.unknown = unknown
        self.noise = noise
        self.known: dict[Expr, Array] = {node: self.rounded(node, v) for node, v in values.items()}

    def __getitem__(self, root: Expr) -> Array:
        known = self.known
        if root in known:
            return known[root]
        stack = [root]
        while stack:
            node = stack[-1]
            if node in known:
                stack.pop()
                continue
            missing = [c for c in node.children if c not in known]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            if isinstance(node, Differential) and self.unknown is not None:
                known[node] = self.unknown(node)
            else:
                known[node] = self.rounded(node, node_value(node, known, self.sizes))
        return known[root]

    def rounded(self, node: Expr, value: Array) -> Array:
        """The value, changed by a few units in the last place where asked for; labels and masks stay."""
        if self.noise is None or np.asarray(value).dtype.kind in "iu" or is_mask(node):
            return value
        return value * (1 + ULPS * self.noise.uniform(-1, 1, np.shape(value)))


class Slope:
    """The derivative of a node along directions of the nodes below it, by complex step.

    Kinks and maxima are decided on the real part, so the value is that of the branch which the point lies on.

    Args:
        root: the node to differentiate.
        leaves: the nodes that will be moved; each by itself, whatever is below it.
        into_named: whether the bodies of intermediates are followed; otherwise intermediates that are no leaves stay.

    Attributes:
        used: the leaves that occur.
        order: the nodes that move with them.
    """

    def __init__(self, root: Expr, leaves: Iterable[Expr], into_named: bool = True) -> None:
        self.root = root
        self.leaves = frozenset(leaves)
        moved: set[Expr] = set()
        self.used: list[Expr] = []
        self.order: list[Expr] = []
        for node in topological([root], into_named):
            if node in self.leaves:
                moved.add(node)
                self.used.append(node)
            elif (into_named or not isinstance(node, Named)) and any(c in moved for c in node.children):
                moved.add(node)
                self.order.append(node)

    def cost(self, sizes: Mapping[str, int]) -> float:
        """Roughly how many seconds an evaluation takes: a product counts for all its labels, up to a limit."""
        labels = [n.dims if isinstance(n, Contraction) else n.shape for n in self.order]
        terms = [np.prod([float(dim_value(d, sizes)) for d in dims]) for dims in labels]
        return sum(6e-5 + 2e-9 * min(float(n), 1e7) for n in terms)

    def along(self, env: Environment, directions: Mapping[Expr, Array]) -> Array:
        """The derivative of the root along the directions of its leaves."""
        step = self.step(directions)
        return np.imag(self.moved(env, directions).get(self.root, 0.0)) / step + np.zeros(np.shape(env[self.root]))

    def amplitude(self, env: Environment, directions: Mapping[Expr, Array]) -> float:
        """The largest derivative of a node on the way to the root."""
        moved = self.moved(env, directions)
        return max((norm(np.imag(v)) for v in moved.values()), default=0.0) / self.step(directions)

    def step(self, directions: Mapping[Expr, Array]) -> float:
        """The step: no leaf moves by more than STEP."""
        longest = max((float(np.max(np.abs(d), initial=0.0)) for d in directions.values()), default=0.0)
        return STEP / max(1.0, longest) if np.isfinite(longest) else STEP

    def moved(self, env: Environment, directions: Mapping[Expr, Array]) -> dict[Expr, Array]:
        """The complex values of all nodes that move."""
        step = self.step(directions)
        values = {leaf: env[leaf] + 1j * step * np.asarray(d) for leaf, d in directions.items() if leaf in self.leaves}
        for node in self.order:
            if isinstance(node, Contraction) and env.noise is None and all(p == 1 for _, _, p in node.factors):
                values[node] = env[node] + 1j * self.imaginary(env, node, values)
                continue
            children = {c: values[c] if c in values else env[c] for c in node.children}
            values[node] = env.rounded(node, node_value(node, children, env.sizes))
        return values

    @staticmethod
    def imaginary(env: Environment, node: Contraction, values: Mapping[Expr, Array]) -> Array:
        """The imaginary part of a product by the product rule: a step of 1e-20 squared is nothing, real products are fast."""
        factors = [c for c, _, _ in node.factors]
        total: Array = 0.0
        for k, moved in enumerate(factors):
            if moved in values:
                arrays = [np.imag(values[c]) if j == k else env[c] for j, c in enumerate(factors)]
                total = total + contraction_value(node, arrays, env.sizes)
        return total


def norm(x: Array) -> float:
    """The 2-norm of all entries, of any rank, without overflow."""
    flat = np.ravel(np.asarray(x))
    top = float(np.max(np.abs(flat), initial=0.0))
    if top == 0.0 or not np.isfinite(top):
        return top
    return top * float(np.linalg.norm(flat / top))


def difference(a: Array, b: Array) -> float:
    """|a - b|; infinite where shapes differ or an entry is no number."""
    x, y = np.asarray(a), np.asarray(b)
    if x.shape != y.shape or not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        return float("inf")
    return norm(x - y)


def relative(error: float, scale: float) -> float:
    """error / scale, with 0 / 0 = 0."""
    if error == 0.0:
        return 0.0
    return error / scale if scale > 0.0 else float("inf")


def agreement(
    error: float, scale: float, tolerance: float, noise: Callable[[int], float], amplitude: Callable[[], float]
) -> float:
    """The relative error; where it exceeds the tolerance, measured against what rounding alone does to the numbers.

    Args:
        error: |found - trusted|.
        scale: |trusted|.
        tolerance: the largest relative error that counts as equal.
        noise: how much the numbers change when every value changes in its last places, in the k-th way of doing so;
            asked for only when needed, and more than once since a change may leave few numbers as they are by chance.
        amplitude: how large the numbers are that these were made of: rounding changes them by a small part of that.
    """
    found = relative(float(error), float(scale))
    if found <= tolerance or not np.isfinite(error):
        return found
    largest, most = 0.0, LITTLE * amplitude()
    for k in range(SHAKES):
        largest = max(largest, noise(k))
        if not largest <= most:  # not rounding, but a jump
            return found
        best = relative(float(error), float(max(scale, NOISE * largest / tolerance)))
        if best <= tolerance or 0.0 < largest < error / FAR:
            return best
    return best


def worst_entry(a: Array, b: Array) -> tuple[str, float, float]:
    """Where two arrays differ most, and both numbers there."""
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if x.shape != y.shape:
        return "", float("nan"), float("nan")
    if x.ndim == 0:
        return "", float(x), float(y)
    gap = np.abs(x - y)
    where = np.unravel_index(int(np.argmax(np.where(np.isnan(gap), np.inf, gap))), x.shape)
    return f"[{', '.join(str(int(i)) for i in where)}]", float(x[where]), float(y[where])


def restricted(variable: Symbol, g: Array, free_entries: bool = False) -> Array:
    """The gradient of a symmetric or diagonal variable from that of all entries; of another variable, g itself.

    It is the part that lies in the space of the variable, or the derivatives with respect to the free entries.
    """
    if free_entries and "symmetric" in variable.assumptions and "diagonal" not in variable.assumptions:
        return np.asarray(g + g.T - np.diag(np.diag(g)))
    return projected(variable, g)


def projected(variable: Symbol, g: Array) -> Array:
    """The part of a gradient or a direction that lies in the space of the variable: symmetric, diagonal matrices."""
    if "diagonal" in variable.assumptions:
        return np.diag(np.diag(g))
    return (g + g.T) / 2 if "symmetric" in variable.assumptions else g


def paired(variable: Symbol, gradient: Array, direction: Array, free_entries: bool = False) -> float:
    """What a gradient says of the derivative along a direction; that of the free entries counts each of them once."""
    product = np.asarray(gradient) * direction
    return float(np.sum(np.tril(product) if free_entries and "symmetric" in variable.assumptions else product))


def unit_directions(variable: Symbol, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Array]]:
    """The free entries of a variable, each with the direction that moves it alone."""
    for index in np.ndindex(shape):
        symmetric = "symmetric" in variable.assumptions
        if symmetric and (index[0] < index[1] or ("diagonal" in variable.assumptions and index[0] != index[1])):
            continue
        direction = np.zeros(shape)
        direction[index] = 1.0
        if symmetric:
            direction[index[::-1]] = 1.0
        yield index, direction
