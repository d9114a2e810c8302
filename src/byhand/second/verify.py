"""Jacobians and Hessians by numbers: the formula and its code against the complex step, at drawn points."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.check.draw import NoPointError, Point, direction_for, draw_point
from byhand.check.numeric import Slope
from byhand.check.report import Report, Row
from byhand.check.small import small_twin
from byhand.derive.derivation import Derivation, derive
from byhand.errors import ByhandError
from byhand.expr.arrays import sum_
from byhand.expr.evaluate import evaluate_node
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr
from byhand.second.result import Jacobian

Array = Any
TOLERANCE = 1e-9


def verified(j: Jacobian, seeds: int = 3) -> Report:
    """Check a derivative by numbers.

    A Jacobian times a random direction is the complex step of its function along it; a Hessian times one, that of the
    derived gradient, which is the complex step of the function in its turn. The generated code gives the same array.

    Args:
        j: what `jacobian` or `hessian` returned.
        seeds: at how many points, of pairwise distinct prime sizes.
    Returns: a Report with a row for each of the three; `.ok` only if all could be checked and are right.
    """
    first, last = j.wrt[0], j.wrt[-1]
    hessian = len(j.wrt) == 2
    scalar = j.f if hessian else Expression(sum_(j.f.root), j.f.inputs, j.f.name)
    d = derive(scalar, [first.name], free_entries=True)
    if small_twin(d)[1]:
        large = "the sizes are too large to draw: name the large dimension"
        return Report((Row("derivative", j.kind, "complex step", 0.0, TOLERANCE, "not checkable", large),))
    below = d.gradients[first.name].root if hessian else j.f.root
    errors: dict[tuple[str, str], float] = {}
    points = []
    for seed in range(seeds):
        try:
            points.append(draw_point(d, seed))
        except NoPointError as reason:
            return Report((Row("derivative", j.kind, "complex step", 0.0, TOLERANCE, "not checkable", str(reason)),))
    run = j.in_layout("numerator").function()
    for point in points:
        with np.errstate(all="ignore"):
            for what, apart in _errors(j, d, below, last, point, run):
                errors[what] = max(errors.get(what, 0.0), apart if apart == apart else float("inf"))
    rows = [
        Row("derivative", unit, by, worst, TOLERANCE, "right" if worst <= TOLERANCE else "wrong")
        for (unit, by), worst in errors.items()
    ]
    ways = tuple(dict.fromkeys(by for _, by in errors))
    return Report(tuple(rows), tuple(range(seeds)), tuple(p.sizes for p in points), ways)


def _errors(
    j: Jacobian, d: Derivation, below: Expr, over: Any, point: Point, run: Any
) -> list[tuple[tuple[str, str], float]]:
    rng = point.randomness(7)
    direction = direction_for(over, np.shape(point.env[over]), rng)
    value = np.asarray(evaluate_node(j.node, point.values, point.sizes))
    wanted = np.asarray(Slope(below, [over]).along(point.env, {over: direction}))
    found = [((j.kind, "complex step"), _apart(np.tensordot(value, direction, over.ndim), wanted, value))]
    if len(j.wrt) == 2:
        first = j.wrt[0]
        move = direction_for(first, np.shape(point.env[first]), rng)
        slope = np.asarray(Slope(d.f.root, [first]).along(point.env, {first: move}))
        gradient = np.asarray(point.env[below])
        found.append((("gradient", "complex step"), _apart(np.tensordot(gradient, move, first.ndim), slope, gradient)))
    try:
        code = np.asarray(run(**{n: a for n, a in point.arrays.items() if n in j.expression.symbols}))
        found.append(((j.kind, "NumPy code"), _apart(code, value, value)))
    except ByhandError:
        found.append(((j.kind, "NumPy code"), float("inf")))
    return found


def _apart(a: Array, b: Array, scale: Array) -> float:
    """How far two arrays are apart, in units of the entries that they were made of."""
    if np.shape(a) != np.shape(b):
        return float("inf")
    size = max(float(np.linalg.norm(np.ravel(b))), float(np.linalg.norm(np.ravel(scale))), 1e-300)
    return float(np.linalg.norm(np.ravel(a - b))) / size


__all__ = ["verified"]
