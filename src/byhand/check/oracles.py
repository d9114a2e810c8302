"""Gradients by automatic differentiation in PyTorch and JAX: second opinions that share no rule with the library.

The forward function is interpreted node by node with the other library's own functions, then its own differentiation is
asked for the gradient, in float64 on the CPU. Both are imported at first use only, and only if they are installed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from string import ascii_letters
from typing import TYPE_CHECKING, Any, assert_never, cast

import numpy as np

from byhand.errors import CheckError
from byhand.expr.define import with_definitions
from byhand.expr.dims import dim_value
from byhand.expr.nodes import (
    Constant,
    Contraction,
    Differential,
    Elementwise,
    Expr,
    Named,
    Structured,
    Sum,
    Symbol,
    topological,
)
from byhand.expr.operations import OPERATIONS
from byhand.threads import Shared, quiet_warnings

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = Any
Sizes = Mapping[str, int]
Kernel = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Library:
    """A library of arrays: one row per elementwise function and per structured operation.

    Attributes:
        name: what it is called in reports.
        functions: f(z) by the names of the table of functions.
        operations: f(*arrays, axes) by the names of the table of operations, without those that only sizes decide.
        einsum, array: the library's einsum, and its array of a NumPy array.
    """

    name: str
    functions: Mapping[str, Kernel]
    operations: Mapping[str, Kernel]
    einsum: Kernel
    array: Callable[[Any], Any]


def installed(module: str) -> bool:
    """Whether a module can be imported, without importing it; "cc": whether there is a C compiler."""
    if module == "cc":
        from byhand.code.c.compiler import compiler_command

        return compiler_command() is not None
    return find_spec(module) is not None


def interpret(root: Expr, values: Mapping[Expr, Array], sizes: Sizes, library: Library) -> Array:
    """The value of a node by another library.

    Raises: CheckError: the library has no row for a function or an operation.
    """
    done: dict[Expr, Array] = {}
    for node in topological([root]):
        done[node] = values[node] if node in values else _value(node, done, sizes, library)
    return done[root]


def _value(node: Expr, done: Mapping[Expr, Array], sizes: Sizes, library: Library) -> Array:
    match node:
        case Symbol() | Differential():
            raise CheckError(f"{library.name}: an input has no value")
        case Constant():
            return library.array(np.float64(node.value))
        case Named(_, body):
            return done[body]
        case Elementwise() if (open_ := with_definitions(node)) is not node:
            return interpret(open_, done, sizes, library)
        case Elementwise(name, arg):
            if name not in library.functions:
                raise CheckError(f"{library.name} has no row for {name}", "add one in byhand/check/oracles.py")
            return library.functions[name](done[arg])
        case Structured("one_hot", (labels,), (classes,)):
            return library.array(OPERATIONS["one_hot"].numpy([np.asarray(done[labels])], (classes,), sizes))
        case Structured(name, (), attributes):
            return library.array(np.asarray(OPERATIONS[name].numpy([], attributes, sizes), np.float64))
        case Structured(name, args, attributes):
            if name not in library.operations:
                raise CheckError(f"{library.name} has no row for {name}", "add one in byhand/check/oracles.py")
            return library.operations[name](*(done[a] for a in args), *attributes)
        case Sum(terms):
            return sum(c.evaluate(sizes) * done[t] for c, t in terms)
        case Contraction():
            return _contraction(node, done, sizes, library)
        case _:
            assert_never(cast(Any, node))


def _contraction(node: Contraction, done: Mapping[Expr, Array], sizes: Sizes, library: Library) -> Array:
    """One einsum: ones for axes that no factor has, identities for axes that are repeated."""
    if len(node.dims) + node.ndim > len(ascii_letters):
        raise CheckError(f"{library.name}: a product over {len(node.dims)} labels is beyond einsum")
    letter = dict(enumerate(ascii_letters))
    operands, specs, out = [], [], ""
    for factor, labels, p in node.factors:
        value = done[factor]
        operands.append(value if p == 1 else value ** (int(p) if p.denominator == 1 else float(p)))
        specs.append("".join(letter[x] for x in labels))
    for label in node.out:
        size = dim_value(node.dims[label], sizes)
        if letter[label] in out:
            other = letter[len(node.dims) + len(out)]
            operands.append(library.array(np.eye(size)))
            specs.append(letter[label] + other)
            out += other
            continue
        out += letter[label]
        if not any(letter[label] in spec for spec in specs):
            operands.append(library.array(np.ones(size)))
            specs.append(letter[label])
    coefficient = node.coefficient.evaluate(sizes)
    if not operands:
        return library.array(np.float64(coefficient))
    return coefficient * library.einsum(f"{','.join(specs)}->{out}", *operands)


def _winner(library: Any, z: Array, axes: tuple[int, ...]) -> Array:
    """Where the largest entry over the axes stands, by the place that the library says."""
    last = tuple(range(-len(axes), 0))
    turned = library.moveaxis(z, axes, last)
    flat = turned.reshape((*turned.shape[: turned.ndim - len(axes)], -1))
    hot = library.argmax(flat, -1)[..., None] == library.arange(flat.shape[-1])
    return library.moveaxis(hot.reshape(turned.shape), last, axes)


# ---- PyTorch


@cache
def torch_library() -> Library:
    """PyTorch's functions by our names."""
    import torch
    from torch.nn import functional

    def axis_wise(f: Kernel) -> Kernel:
        return lambda z, axes: f(z - torch.logsumexp(z, axes, keepdim=True))

    functions: dict[str, Kernel] = {
        **{name: getattr(torch, name) for name in (
            "exp", "log", "log1p", "expm1", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
            "arcsinh", "sigmoid", "abs", "sign", "relu", "erf")},
        "log_sigmoid": functional.logsigmoid,
        "softplus": lambda z: torch.logaddexp(z, torch.zeros_like(z)),  # functional.softplus is linear beyond 20
        "logcosh": lambda z: torch.logaddexp(z, -z) - np.log(2.0),
        "step": lambda z: (z > 0).to(z.dtype),
        "nonnegative": lambda z: (z >= 0).to(z.dtype),
        "stop_gradient": lambda z: z.detach(),
        "leaky_relu": lambda z: functional.leaky_relu(z, 0.01),
        "elu": functional.elu, "selu": functional.selu, "gelu": functional.gelu, "silu": functional.silu,
        "hard_tanh": functional.hardtanh,
        "huber": lambda z: functional.huber_loss(z, torch.zeros_like(z), reduction="none"),
        "normal_cdf": torch.special.ndtr,
        "normal_pdf": lambda z: torch.exp(torch.distributions.Normal(0.0, 1.0).log_prob(z)),
    }  # fmt: skip
    operations: dict[str, Kernel] = {
        "inv": torch.linalg.inv,
        "det": torch.linalg.det,
        "logdet": lambda a: torch.linalg.slogdet(a)[1],
        "adjugate": lambda a: torch.linalg.det(a) * torch.linalg.inv(a),
        "softmax": axis_wise(torch.exp),
        "log_softmax": axis_wise(lambda z: z),
        "logsumexp": torch.logsumexp,
        "max": torch.amax,
        "winner": lambda z, axes: _winner(torch, z, axes).to(z.dtype),
        "argmax": lambda z, axes: torch.argmax(z, axes[0]),
        "power": torch.pow,
        "where": lambda c, a, b: torch.where(c != 0, a, b),
    }
    return Library("PyTorch", functions, operations, torch.einsum, torch.as_tensor)


def torch_gradients(
    root: Expr, variables: tuple[Symbol, ...], values: Mapping[Expr, Array], sizes: Sizes
) -> dict[Symbol, Array]:
    """The gradients of a scalar node by torch.autograd, in float64, all entries taken as independent."""
    import torch

    library = torch_library()
    with torch.enable_grad(), quiet_warnings():
        arrays = {node: torch.tensor(np.asarray(v)) for node, v in values.items()}
        for v in variables:
            arrays[v].requires_grad_(True)
        value = interpret(root, arrays, sizes, library)
        if not value.requires_grad:
            return {v: np.zeros(np.shape(values[v])) for v in variables}
        found = torch.autograd.grad(value, [arrays[v] for v in variables], allow_unused=True)
    return {
        v: np.zeros(np.shape(values[v])) if g is None else g.detach().numpy()
        for v, g in zip(variables, found, strict=True)
    }


# ---- JAX


@cache
def jax_library() -> Library:
    """JAX's functions by our names."""
    import jax
    from jax import numpy as jnp

    special, nn = jax.scipy.special, jax.nn
    functions: dict[str, Kernel] = {
        **{name: getattr(jnp, name) for name in (
            "exp", "log", "log1p", "expm1", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
            "arcsinh", "abs", "sign")},
        **{name: getattr(nn, name) for name in (
            "sigmoid", "log_sigmoid", "softplus", "relu", "leaky_relu", "elu", "selu", "silu", "hard_tanh")},
        "gelu": lambda z: nn.gelu(z, approximate=False),
        "logcosh": lambda z: jnp.logaddexp(z, -z) - np.log(2.0),
        "step": lambda z: (z > 0) * 1.0,
        "nonnegative": lambda z: (z >= 0) * 1.0,
        "stop_gradient": jax.lax.stop_gradient,
        "huber": lambda z: jnp.where(jnp.abs(z) < 1, z**2 / 2, jnp.abs(z) - 0.5),
        "erf": special.erf,
        "normal_cdf": special.ndtr,
        "normal_pdf": jax.scipy.stats.norm.pdf,
    }  # fmt: skip
    operations: dict[str, Kernel] = {
        "inv": jnp.linalg.inv,
        "det": jnp.linalg.det,
        "logdet": lambda a: jnp.linalg.slogdet(a)[1],
        "adjugate": lambda a: jnp.linalg.det(a) * jnp.linalg.inv(a),
        "softmax": nn.softmax,
        "log_softmax": nn.log_softmax,
        "logsumexp": special.logsumexp,
        "max": jnp.max,
        "winner": lambda z, axes: _winner(jnp, z, axes) * 1.0,
        "argmax": lambda z, axes: jnp.argmax(z, axes[0]),
        "power": jnp.power,
        "where": lambda c, a, b: jnp.where(c != 0, a, b),
    }
    return Library("JAX", functions, operations, jnp.einsum, jnp.asarray)


def jax_gradients(
    root: Expr, variables: tuple[Symbol, ...], values: Mapping[Expr, Array], sizes: Sizes
) -> dict[Symbol, Array]:
    """The gradients of a scalar node by jax.grad, in float64 on the CPU, all entries taken as independent."""
    with jax_in_float64() as jax:
        library = jax_library()
        labels = {node for node, v in values.items() if np.asarray(v).dtype.kind in "iu"}
        constants = {n: v if n in labels else library.array(v) for n, v in values.items() if n not in variables}

        def f(point: list[Array]) -> Array:
            return interpret(root, constants | dict(zip(variables, point, strict=True)), sizes, library)

        found = jax.jit(jax.grad(f))([library.array(np.asarray(values[v])) for v in variables])
        return {v: np.asarray(g) for v, g in zip(variables, found, strict=True)}


@contextmanager
def _silent_log() -> Iterator[None]:
    log = logging.getLogger("jax._src.xla_bridge")  # it warns of accelerators that are present but not used
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


_log = Shared(_silent_log)


@contextmanager
def jax_in_float64() -> Iterator[Any]:
    """JAX with 64-bit numbers for as long as this lasts; what the program has set stays as it is."""
    with ExitStack() as stack:
        stack.enter_context(quiet_warnings())
        stack.enter_context(_log)
        import jax

        from byhand.code.jax_function import double_precision

        stack.enter_context(double_precision())
        stack.enter_context(jax.default_device(jax.devices("cpu")[0]))
        yield jax


__all__ = [
    "Library", "installed", "interpret", "jax_gradients", "jax_in_float64", "jax_library", "torch_gradients",
    "torch_library",
]  # fmt: skip
