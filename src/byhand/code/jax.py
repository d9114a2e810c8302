"""The JAX target: NumPy's rows under another name, and what `jax.nn` and `jax.scipy` have ready."""

from __future__ import annotations

from byhand.code.axes import AXES
from byhand.code.numpy import FUNCTIONS as NUMPY_FUNCTIONS
from byhand.code.numpy import NUMPY
from byhand.code.operations import OPERATIONS, over_axes
from byhand.code.python import Code, Level, call, literal
from byhand.code.shapes import shape_of
from byhand.code.writer import Row, Writer
from byhand.rules.forms import Form

# Where NumPy has no function, or JAX a better one; kernels that neither has are quoted.
FUNCTIONS = {name: code.replace("np.", "jnp.") for name, code in NUMPY_FUNCTIONS.items()} | {
    "sigmoid": "jax.nn.sigmoid({z})",
    "log_sigmoid": "jax.nn.log_sigmoid({z})",
    "leaky_relu": "jax.nn.leaky_relu({z}, 0.01)",
    "elu": "jax.nn.elu({z})",
    "selu": "jax.nn.selu({z})",
    "stop_gradient": "jax.lax.stop_gradient({z})",
    "gelu": "jax.nn.gelu({z}, approximate=False)",
    "silu": "jax.nn.silu({z})",
    "erf": "jax.scipy.special.erf({z})",
    "normal_cdf": "jax.scipy.special.ndtr({z})",
}


def _one_hot(w: Writer, f: Form) -> Code:
    classes, labels = w.dim(f.data[1][1]).text, w.full(f.args[0]).text
    return Code(call("jax.nn.one_hot", labels, classes, *w.dtype), shape=shape_of(f))


def _scatter(w: Writer, f: Form) -> Code:
    values, labels = map(w.full, f.args)
    total = call("jnp.zeros", w.shape(shape_of(f)), f"{values.at(Level.ATOM)}.dtype")
    return Code(f"{total}.at[{labels.text}].add({values.text})", shape=shape_of(f))


JAX_OPERATIONS: dict[str, Row] = {
    **OPERATIONS,
    "softmax": over_axes("jax.nn.softmax", last=True),
    "log_softmax": over_axes("jax.nn.log_softmax", last=True),
    "logsumexp": over_axes("jax.scipy.special.logsumexp", last=False),
    "one_hot": _one_hot,
    "max": over_axes("jnp.max", last=False),
}
JAX: dict[str, Row] = {**NUMPY, **AXES, "scatter": _scatter}


class JaxWriter(Writer):
    """Source for JAX."""

    np, target, home = "jnp", "JAX", "byhand/code/jax.py"
    rows, operations, functions = JAX, JAX_OPERATIONS, FUNCTIONS

    def of_number(self, name: str, arg: Code) -> Code:
        """A traced number is no number of Python's, but it takes the precision of arrays like one."""
        return literal(self.function_code(name).format(z=arg.at(Level.ATOM)))

    def copied(self, code: Code) -> str:
        """Arrays cannot be written to: a view is as good as a copy."""
        return code.text


__all__ = ["FUNCTIONS", "JAX", "JAX_OPERATIONS", "JaxWriter"]
