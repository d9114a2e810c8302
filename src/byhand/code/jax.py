"""The JAX target: NumPy's calls under another name, and what `jax.nn` and `jax.scipy` have ready."""

from __future__ import annotations

from byhand.code.numpy import FUNCTIONS as NUMPY_FUNCTIONS
from byhand.code.numpy import OPERATIONS, NumpyWriter, Row, over_axes
from byhand.code.python import Code, Level, call, literal
from byhand.program.ops import Kernel, Scatter

# Where NumPy has no function, or JAX a better one; kernels that neither has are quoted.
FUNCTIONS = {name: code.replace("np.", "jnp.") for name, code in NUMPY_FUNCTIONS.items()} | {
    "sigmoid": "jax.nn.sigmoid({z})",
    "log_sigmoid": "jax.nn.log_sigmoid({z})",
    "leaky_relu": "jax.nn.leaky_relu({z}, 0.01)",
    "elu": "jax.nn.elu({z})",
    "selu": "jax.nn.selu({z})",
    "gelu": "jax.nn.gelu({z}, approximate=False)",
    "silu": "jax.nn.silu({z})",
    "erf": "jax.scipy.special.erf({z})",
    "normal_cdf": "jax.scipy.special.ndtr({z})",
    "stop_gradient": "jax.lax.stop_gradient({z})",
}


class JaxWriter(NumpyWriter):
    """Source for JAX."""

    np, target, home, functions = "jnp", "JAX", "byhand/code/jax.py", FUNCTIONS

    def of_number(self, name: str, arg: Code) -> Code:
        """A traced number is no number of Python's, but it takes the precision of arrays like one."""
        return literal(self.function_code(name).format(z=arg.at(Level.ATOM)))

    def copied(self, code: Code) -> str:
        """Arrays cannot be written to: a view is as good as a copy."""
        return code.text

    def scatter(self, op: Scatter) -> Code:
        """Rows added up at integers."""
        values, labels = self.full(op.arg), self.full(op.index)
        total = call("jnp.zeros", self.shape(op.shape), f"{values.at(Level.ATOM)}.dtype")
        return Code(f"{total}.at[{labels.text}].add({values.text})", shape=op.shape)


def _one_hot(w: JaxWriter, op: Kernel) -> Code:
    classes, labels = w.dim(op.shape[-1]).text, w.full(op.args[0]).text
    return Code(call("jax.nn.one_hot", labels, classes, *w.dtype), shape=op.shape)


JAX_OPERATIONS: dict[str, Row] = {
    **OPERATIONS,
    "softmax": over_axes("jax.nn.softmax", last=True),
    "log_softmax": over_axes("jax.nn.log_softmax", last=True),
    "logsumexp": over_axes("jax.scipy.special.logsumexp", last=False),
    "one_hot": _one_hot,
    "max": over_axes("jnp.max", last=False),
}
JaxWriter.operations = JAX_OPERATIONS

__all__ = ["FUNCTIONS", "JAX_OPERATIONS", "JaxWriter"]
