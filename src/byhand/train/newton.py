"""Second-order training on whole data: Newton's method without hidden layers, Levenberg–Marquardt with them.

A network without hidden layers is a generalized linear model: its Hessian, derived block by block for W1 and b1, keeps
the structure Xᵀ D X, is assembled and solved by Cholesky's method, and the step is halved until the loss falls. With
hidden layers, or with too many parameters for that, (G + μ I) p = −gradient is solved by conjugate gradients, G the
Gauss–Newton matrix of which only the derived product with a vector is computed; μ follows how well the
quadratic model predicted the last step.

Source: Nocedal and Wright (2006), chapters 3, 5 and 10; Martens (2010), Deep learning via Hessian-free optimization.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from byhand.errors import DataError
from byhand.nets.mlp import MLP
from byhand.second.gauss_newton import gauss_newton_vp, loss_of_output
from byhand.second.hessian import hessian
from byhand.train.loop import Callback, History, Settings, Trainer, Validate
from byhand.train.program import TrainingProgram

Array = Any
Product = Callable[[Array], Array]
DENSE = 3000  # parameters up to which the Hessian is assembled: 72 MB
TINY = 1e-12  # damping, of the greatest diagonal entry, that makes directions without curvature solvable
HALVINGS = 40
ARMIJO = 1e-4  # share of the promised decrease that a step has to bring
MOST_PRODUCTS = 250  # of one run of conjugate gradients
MOST_DAMPING = 1e12


class NewtonTrainer(Trainer):
    """A network in second-order training: an epoch is one iteration on all data, in float64 whatever `dtype` is.

    Args:
        program, values, settings: as for `Trainer`; of the settings, `epochs`, `tol` and `patience` count.
        dtype: of the parameters that it gives.
    Attributes:
        converged: whether the next step would lower the loss by less than `tol` · 10⁻⁵, as the quadratic model has it.
    Raises: DataError: dropout or clipping, or a loss without second derivatives.
    """

    def __init__(
        self, program: TrainingProgram, values: Mapping[str, Array], settings: Settings, dtype: Any = np.float64
    ) -> None:
        for name, given in (("dropout", settings.dropout > 0), ("clip_norm", settings.clip_norm is not None)):
            if given:
                raise DataError(f"solver='newton' works without {name}", "solver='gradient' has it")
        if settings.engine not in ("auto", "numpy"):
            raise DataError(f"solver='newton' runs on NumPy, not on {settings.engine}", "engine='auto'")
        settings = replace(settings, optimizer="lbfgs", engine="numpy")
        super().__init__(program, values, settings, np.random.default_rng(0), np.float64)
        need_curvature(program.net)
        self.dtype = dtype
        self._now: tuple[float, Array] | None = None
        self._damping = 1.0

    def named(self) -> dict[str, Array]:
        """The parameters by name."""
        return {n: v.astype(self.dtype) for n, v in super().named().items()}

    def resumable(self, epoch: int) -> bool:
        """After every iteration."""
        del epoch
        return True

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Parameters, damping, and whether it is at the end; the loss and its gradient follow from the parameters."""
        vectors, plain = super().state()
        return vectors, {**plain, "damping": self._damping, "converged": self.converged}

    def restore(self, vectors: Mapping[str, Array], plain: Mapping[str, Any]) -> None:
        """Put `state` back."""
        super().restore(vectors, plain)
        self._damping, self.converged = float(plain["damping"]), bool(plain["converged"])

    def _run(
        self,
        data: Mapping[str, Array],
        history: History,
        validate: Validate | None,
        monitor: str,
        callbacks: Sequence[Callback],
    ) -> None:
        wide = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in data.items()}
        self._now = self._value(self.parameters, wide)
        if not isfinite(self._now[0]):
            raise self.diverged(self._now[0], 0)
        self._epochs(wide, history, validate, monitor, callbacks)

    def _pass(self, data: Mapping[str, Array], number: int) -> float:
        """One iteration; returns the loss after it."""
        assert self._now is not None
        self.iteration_starts(self._now[1])
        net = self.program.net
        if net.depth == 1 and self.program.count <= DENSE:
            return self._newton(data)
        return self._levenberg_marquardt(data)

    # ---- the loss

    def _value(self, flat: Array, data: Mapping[str, Array]) -> tuple[float, Array]:
        """Loss and gradient (count,)."""
        loss, gradients = self.program.gradients({**self.program.views(flat), **data})
        return loss, self.program.flat(gradients, np.float64)

    def _accept(self, flat: Array, now: tuple[float, Array]) -> None:
        self.parameters[:] = flat
        self._now = now

    def _close(self, promised: float, loss: float) -> bool:
        """Whether a promised decrease is too small to go on for."""
        return promised <= 1e-5 * self.settings.tol + 1e-15 * abs(loss)

    # ---- Newton's method

    def _newton(self, data: Mapping[str, Array]) -> float:
        assert self._now is not None
        loss, gradient = self._now
        matrix = hessian_matrix(self.program, {**self.program.views(self.parameters), **data})
        solve = solver(matrix)
        step = -solve(gradient)
        slope = float(gradient @ step)
        t = 1.0
        for _ in range(HALVINGS):
            there = self.parameters + t * step
            found = self._value(there, data)
            if found[0] <= loss + ARMIJO * t * slope:
                self._accept(there, found)
                self.converged = self._close(float(found[1] @ solve(found[1])) / 2, found[0])
                return found[0]
            t /= 2
        self.converged = True  # rounding is all that is left: no step lowers the loss
        return loss

    # ---- Levenberg and Marquardt

    def _levenberg_marquardt(self, data: Mapping[str, Array]) -> float:
        assert self._now is not None
        loss, gradient = self._now
        product = gauss_newton_product(self.program, {**self.program.views(self.parameters), **data})
        while self._damping < MOST_DAMPING:
            step, curved = conjugate_gradients(product, -gradient, self._damping)
            promised = float(-gradient @ step - (step @ curved) / 2)
            there = self.parameters + step
            found = self._value(there, data)
            gain = (loss - found[0]) / promised if promised > 0 and isfinite(found[0]) else -1.0
            if gain > 0.75:
                self._damping = max(self._damping / 3, TINY)
            elif gain < 0.25:
                self._damping *= 4
            if gain > ARMIJO:
                self.converged = self._close(promised, loss)
                self._accept(there, found)
                return found[0]
            if self._close(promised, loss):
                break
        self.converged = True
        return loss


# ---- what is derived, once for each network


def need_curvature(net: MLP) -> None:
    """Raises: DataError: the loss has no curvature in the network's output."""
    if not _curved(net):
        raise DataError(
            f"the loss {net.loss} has second derivative zero wherever it has one: Newton's method has no step",
            "solver='gradient', or the loss huber",
        )


@lru_cache(maxsize=64)
def _curved(net: MLP) -> bool:
    loss, z = loss_of_output(net, net.parameters)
    return not hessian(loss, z.name).is_zero


@lru_cache(maxsize=64)
def _blocks(program: TrainingProgram) -> list[tuple[str, str, Callable[..., Any]]]:
    """The derived second derivatives for each pair of parameters."""
    names = program.names
    pairs = [(a, b) for k, a in enumerate(names) for b in names[k:]]
    return [(a, b, hessian(program.net, a, b).structure_function()) for a, b in pairs]


def hessian_matrix(program: TrainingProgram, values: Mapping[str, Array]) -> Array:
    """The Hessian of the loss in all parameters, (count, count), assembled from its structured blocks."""
    places = program.places
    whole = np.zeros((program.count, program.count))
    for a, b, structure in _blocks(program):
        block = structure(**values).to_dense()
        whole[places[a], places[b]] = block
        if a != b:
            whole[places[b], places[a]] = block.T
    return whole


def solver(matrix: Array) -> Callable[[Array], Array]:
    """b -> x with (H + μ I) x = b, μ as small as makes the matrix positive definite; H is overwritten.

    The biases of a softmax can all be shifted without any effect, so that H itself is singular.

    Raises: DataError: H is not finite.
    """
    diagonal = np.diagonal(matrix).copy()
    if not np.all(np.isfinite(matrix)):
        raise DataError("the Hessian is not finite", "standardised inputs, or solver='gradient'")
    damping = TINY * max(float(np.max(np.abs(diagonal))), np.finfo(float).tiny)
    while True:
        np.fill_diagonal(matrix, diagonal + damping)
        try:
            factor = cho_factor(matrix, lower=True, check_finite=False)
        except LinAlgError:
            damping *= 10  # ends: a matrix with a great enough diagonal is positive definite
            continue
        return lambda b: cho_solve(factor, b, check_finite=False)


@lru_cache(maxsize=64)
def _gauss_newton(program: TrainingProgram) -> tuple[Callable[..., Any], dict[str, str]]:
    product = gauss_newton_vp(program.net, list(program.names))
    return product.function(), {n: s.name for n, s in product.directions.items()}


def gauss_newton_product(program: TrainingProgram, values: Mapping[str, Array]) -> Product:
    """v (count,) -> G v (count,), G the Gauss–Newton matrix of the loss, penalty included."""
    function, directions = _gauss_newton(program)

    def product(v: Array) -> Array:
        moved = {directions[n]: a for n, a in program.views(v).items()}
        found = function(**values, **moved)
        return program.flat(found if isinstance(found, dict) else {program.names[0]: found}, np.float64)

    return product


def conjugate_gradients(product: Product, b: Array, damping: float = 0.0) -> tuple[Array, Array]:
    """x with (A + μ I) x ≈ b, A positive semidefinite, and A x; to a residual of min(0.1, ‖b‖^½) ‖b‖."""
    x, ax, r = np.zeros_like(b), np.zeros_like(b), b.copy()
    square = float(r @ r)
    goal = min(0.1, square**0.25) ** 2 * square
    direction = r.copy()
    for _ in range(MOST_PRODUCTS):
        if square <= goal:
            break
        image = product(direction)
        curvature = float(direction @ image) + damping * float(direction @ direction)
        if not curvature > 0:
            break
        length = square / curvature
        x += length * direction
        ax += length * image
        r -= length * (image + damping * direction)
        before, square = square, float(r @ r)
        direction = r + (square / before) * direction
    return x, ax


__all__ = ["NewtonTrainer"]
