"""How XLA is asked to compile a scan over steps, so that a step costs what its products cost.

On a CPU the loop of a scan runs kernel by kernel. For a tiny network the calls of the kernels take longer than their
work: there the whole loop is asked for as one kernel. What is measured, microseconds a step of 4-16-3 at batch 16: 5.7
kernel by kernel, 1.5 as one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from byhand.program.calls import Graph

MOST_MULTIPLICATIONS = 1 << 15  # of a step in one kernel, where products are plain loops on one thread
NARROW = 1 << 10  # bytes of a sample
_ONE_KERNEL = {"xla_cpu_small_call": "true", "inlineable": "false"}
_PLAIN_PRODUCTS = {"xla_cpu_experimental_ynn_fusion_type": ""}  # a library's product is no part of a kernel


def after(rate: Any, gradients: Any) -> Any:
    """The rate, which XLA takes for one that depends on all gradients: no parameter is changed before all are there.

    Otherwise each matrix is copied at each step, because its update in place might come before its last use: a tenth of
    the step of 784-512-512-10. An optimization_barrier is gone before XLA decides about copies.
    """
    import jax.numpy as jnp

    nothing = sum(jnp.minimum(jnp.abs(jnp.ravel(g)[0]), 0) for g in gradients)
    return rate + nothing.astype(rate.dtype)


def gathered_ahead(per_sample: int, graph: Graph) -> bool:
    """Whether NumPy gathers the samples of all steps before the scan, instead of XLA within each.

    On a CPU a gather of XLA goes entry by entry; NumPy's goes by rows, but through memory once more. Measured at batch
    32: 64-(64×8)-10 takes 134 microseconds a step or 111, 784-64-10 171 or 266.

    Args:
        per_sample: bytes of a sample.
        graph: of a step.
    """
    import jax

    one_kernel = graph.multiplications <= MOST_MULTIPLICATIONS
    return jax.default_backend() == "cpu" and per_sample <= NARROW and not one_kernel


def compiled(function: Callable[..., Any], donated: tuple[int, ...], graph: Graph) -> Callable[..., Any]:
    """A function jitted, as one kernel where that is faster and XLA can do it.

    Args:
        function: of arrays, returns arrays; its time is that of a loop over steps.
        donated: the arguments that may be overwritten.
        graph: of a step.
    """
    import jax

    plain: Callable[..., Any] = jax.jit(function, donate_argnums=donated)
    if jax.default_backend() != "cpu" or graph.multiplications > MOST_MULTIPLICATIONS:
        return plain
    from jax.experimental.xla_metadata import set_xla_metadata

    whole = jax.jit(function)

    def one(*arguments: Any) -> Any:
        return set_xla_metadata(whole(*arguments), **_ONE_KERNEL)

    fast = jax.jit(one, donate_argnums=donated, compiler_options=_PLAIN_PRODUCTS)
    refused = False

    def run(*arguments: Any) -> Any:
        nonlocal refused
        if not refused:
            try:
                return fast(*arguments)
            except jax.errors.JaxRuntimeError:  # compiling: an operation no kernel holds, or another version's options
                refused = True
        return plain(*arguments)

    return run


__all__ = ["after", "compiled", "gathered_ahead"]
