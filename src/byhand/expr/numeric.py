"""Numerical kernels that NumPy lacks: stable, and analytic where the function is, so that a complex step passes.

Decisions (kinks, maxima) look at the real part. The generated NumPy code quotes these very sources.
"""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # ndarray of float or complex


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)) without overflow."""
    e = np.exp(np.where(z.real >= 0, -z, z))
    return np.where(z.real >= 0, 1.0, e) / (1.0 + e)


def softplus(z: Array) -> Array:
    """log(1 + exp(z)) without overflow."""
    return np.where(z.real >= 0, z, 0.0) + np.log1p(np.exp(np.where(z.real >= 0, -z, z)))


def log_sigmoid(z: Array) -> Array:
    """log(sigmoid(z)) without overflow."""
    return np.where(z.real >= 0, 0.0, z) - np.log1p(np.exp(np.where(z.real >= 0, -z, z)))


def step(z: Array) -> Array:
    """1 where z > 0, else 0."""
    return np.where(z.real > 0, 1.0, np.zeros_like(z.real))


def nonnegative(z: Array) -> Array:
    """1 where z >= 0, else 0."""
    return np.where(z.real >= 0, 1.0, np.zeros_like(z.real))


def stop_gradient(z: Array) -> Array:
    """z itself, as a constant."""
    return z.real + 0.0


def sign(z: Array) -> Array:
    """-1, 0 or 1."""
    return np.sign(z.real)


def absolute(z: Array) -> Array:
    """|z| of a real z."""
    return np.where(z.real < 0, -z, z)


def relu(z: Array) -> Array:
    """max(z, 0)."""
    return np.where(z.real <= 0, 0.0, z)


def leaky_relu(z: Array) -> Array:
    """z where z > 0, else 0.01 z."""
    return np.where(z.real > 0, z, 0.01 * z)


def elu(z: Array) -> Array:
    """z where z > 0, else exp(z) - 1."""
    return np.where(z.real > 0, z, np.expm1(np.where(z.real > 0, 0.0, z)))


def selu(z: Array) -> Array:
    """The self-normalising elu of Klambauer et al. (2017)."""
    return 1.0507009873554805 * np.where(z.real > 0, z, 1.6732632423543772 * np.expm1(np.where(z.real > 0, 0.0, z)))


def hard_tanh(z: Array) -> Array:
    """z clipped to [-1, 1]."""
    return np.where(np.abs(z.real) < 1, z, np.sign(z.real))


def huber(z: Array) -> Array:
    """z**2 / 2 where |z| < 1, else |z| - 1/2."""
    return np.where(np.abs(z.real) < 1, 0.5 * z * z, np.where(z.real < 0, -z, z) - 0.5)


def logcosh(z: Array) -> Array:
    """log(cosh(z)) without overflow."""
    a = np.where(z.real < 0, -z, z)
    return a + np.log1p(np.exp(-2.0 * a)) - 0.6931471805599453


def erf(z: Array) -> Array:
    """The error function."""
    from scipy import special

    return special.erf(z)


def normal_cdf(z: Array) -> Array:
    """The standard normal distribution function, accurate in both tails."""
    from scipy import special

    return 0.5 * special.erfc(-z / 2.0**0.5)


def normal_pdf(z: Array) -> Array:
    """The standard normal density."""
    return np.exp(-0.5 * z * z) / (2.0 * np.pi) ** 0.5


def gelu(z: Array) -> Array:
    """z times the standard normal distribution function (the exact gelu)."""
    from scipy import special

    return z * 0.5 * special.erfc(-z / 2.0**0.5)


def silu(z: Array) -> Array:
    """z * sigmoid(z) without overflow."""
    e = np.exp(np.where(z.real >= 0, -z, z))
    return z * np.where(z.real >= 0, 1.0, e) / (1.0 + e)


def logsumexp(z: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """log(sum(exp(z))) over an axis, shifted by the maximum where that is finite."""
    top = np.max(z.real, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.log(np.sum(np.exp(z - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis=axis)


def softmax(z: Array, axis: Any = -1) -> Array:
    """exp(z) / sum(exp(z)) over an axis, shifted by the maximum."""
    e = np.exp(z - np.max(z.real, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def log_softmax(z: Array, axis: Any = -1) -> Array:
    """z - logsumexp(z) over an axis, shifted by the maximum."""
    shifted = z - np.max(z.real, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def logdet(a: Array) -> Array:
    """log|det(a)|; analytic in a complex perturbation."""
    phase, magnitude = np.linalg.slogdet(a)
    if np.iscomplexobj(a):
        return magnitude + np.log(phase * np.sign(phase.real))
    return magnitude


def adjugate(a: Array) -> Array:
    """det(a) inv(a), also of a singular matrix: each singular value is replaced by the product of the others."""
    u, s, v = np.linalg.svd(a)
    one = np.diag(np.ones_like(s))
    others = np.prod(s * (1.0 - one) + one, 1)
    return np.linalg.det(u) * np.linalg.det(v) * (v.T * others) @ u.T


def adjugate_by_minors(a: Array) -> Array:
    """The adjugate by determinants of minors: slow, and analytic in a complex perturbation."""
    n = len(a)
    keep = [[k for k in range(n) if k != i] for i in range(n)]
    return np.array([[(-1.0) ** (i + j) * np.linalg.det(a[keep[j]][:, keep[i]]) for j in range(n)] for i in range(n)])


def scatter_add(t: Array, x: Array, k: int) -> Array:
    """The rows of x added up at the labels t, of k."""
    total = np.zeros((k, *x.shape[np.ndim(t) :]), x.dtype)
    np.add.at(total, t, x)
    return total


def one_hot(t: Array, k: int, dtype: Any = np.float64) -> Array:
    """Rows with a one at the label."""
    return (np.asarray(t)[..., None] == np.arange(k)).astype(dtype)


def affine(size: int, offset: int, *steps: int) -> Array:
    """One where l = offset + Σ stride i, for the strides and counts of the indices i."""
    target = np.asarray(offset)
    for stride, count in zip(steps[::2], steps[1::2], strict=True):
        target = target[..., None] + stride * np.arange(count)
    return (np.arange(size).reshape((-1,) + (1,) * target.ndim) == target) * 1.0


def winner(z: Array, axis: Any) -> Array:
    """One at the largest entry over the axes, the first of equal ones; else 0."""
    last = tuple(range(-len(axis), 0))
    x = np.moveaxis(z.real, axis, last)
    flat = x.reshape((*x.shape[: x.ndim - len(axis)], -1))
    one = np.argmax(flat, -1)[..., None] == np.arange(flat.shape[-1])
    return np.moveaxis(one.reshape(x.shape), last, axis) * np.ones_like(z.real)


def largest(z: Array, axis: Any) -> Array:
    """The largest entry over the axes."""
    if np.iscomplexobj(z):
        return np.sum(winner(z, axis) * z, axis=axis)
    return np.max(z, axis=axis)
