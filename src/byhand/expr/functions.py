"""The table of elementwise functions: one row each. A new function is a new row; run the tests.

`derivative` is an expression in the argument z and the value y = f(z), in byhand's own syntax: the same string is
parsed and applied by the differential rule, typeset by `byhand rules`, and mutated by the tests.
`numpy` evaluates (kinks decided on the real part, so that a complex step passes); `code` is the source for a z; where it
is a bare call of a kernel in `numeric`, the kernel's source is quoted in generated code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from byhand.errors import ByhandError, MissingRuleError, nearest
from byhand.expr import numeric


class Function(NamedTuple):
    """A row: f, f'(z) in terms of z and y = f(z), where it holds, where it has a kink, and where it is written down.

    `domain` is what tests draw from, `where` the condition that a reader is told: it holds on more than the draw.
    """

    name: str
    derivative: str
    numpy: Callable[[Any], Any]
    code: str
    domain: str = "real"  # "real", "positive", "unit" (-1 < z < 1), "nonzero"
    where: str = ""
    kinks: tuple[float, ...] = ()
    source: str = "Abramowitz and Stegun (1964), chapter 4"
    definition: str = ""  # of a function that is made of others: an expression in z, which code is made of


_ACTIVATION = "Dubey, Singh and Chaudhuri (2022), Activation functions in deep learning"
_RELU = "Bertoin et al. (2021), Numerical influence of ReLU'(0) on backpropagation"
_TABLE = (
    Function("exp", "y", np.exp, "np.exp({z})"),
    Function("log", "1/z", np.log, "np.log({z})", "positive", "z > 0"),
    Function("log1p", "1/(1 + z)", np.log1p, "np.log1p({z})", "positive", "z > −1"),
    Function("expm1", "1 + y", np.expm1, "np.expm1({z})"),
    Function("sin", "cos(z)", np.sin, "np.sin({z})"),
    Function("cos", "-sin(z)", np.cos, "np.cos({z})"),
    Function("tan", "1 + y**2", np.tan, "np.tan({z})", "unit", "cos z ≠ 0"),
    Function("arcsin", "1/sqrt(1 - z**2)", np.arcsin, "np.arcsin({z})", "unit", "−1 < z < 1"),
    Function("arccos", "-1/sqrt(1 - z**2)", np.arccos, "np.arccos({z})", "unit", "−1 < z < 1"),
    Function("arctan", "1/(1 + z**2)", np.arctan, "np.arctan({z})"),
    Function("sinh", "cosh(z)", np.sinh, "np.sinh({z})"),
    Function("cosh", "sinh(z)", np.cosh, "np.cosh({z})"),
    Function("tanh", "1 - y**2", np.tanh, "np.tanh({z})"),
    Function("arcsinh", "1/sqrt(1 + z**2)", np.arcsinh, "np.arcsinh({z})"),
    Function("sigmoid", "y*(1 - y)", numeric.sigmoid, "sigmoid({z})", source="Bishop (2006), (4.88)"),
    Function("log_sigmoid", "sigmoid(-z)", numeric.log_sigmoid, "log_sigmoid({z})", source=_ACTIVATION),
    Function("softplus", "sigmoid(z)", numeric.softplus, "np.logaddexp(0.0, {z})", source=_ACTIVATION),
    Function("logcosh", "tanh(z)", numeric.logcosh, "logcosh({z})", source=_ACTIVATION),
    Function("abs", "sign(z)", numeric.absolute, "np.abs({z})", kinks=(0.0,)),
    Function("sign", "0", numeric.sign, "np.sign({z})", kinks=(0.0,)),
    Function("step", "0", numeric.step, "({z} > 0)", kinks=(0.0,), source=_RELU),
    Function("nonnegative", "0", numeric.nonnegative, "nonnegative({z})", kinks=(0.0,), source="the comparison z >= 0"),
    Function("stop_gradient", "0", numeric.stop_gradient, "stop_gradient({z})", source="constant by the user's word: detach, stop_gradient"),
    Function("relu", "step(z)", numeric.relu, "np.maximum({z}, 0.0)", kinks=(0.0,), source=_RELU),
    Function("leaky_relu", "step(z) + 0.01*(1 - step(z))", numeric.leaky_relu, "leaky_relu({z})", kinks=(0.0,), source=_ACTIVATION),
    Function("elu", "step(z) + (1 - step(z))*(1 + y)", numeric.elu, "elu({z})", kinks=(0.0,), source="Clevert et al. (2016)"),
    Function("selu", "1.0507009873554805*step(z) + (1 - step(z))*(1.7580993408473768 + y)", numeric.selu, "selu({z})",
             kinks=(0.0,), source="Klambauer et al. (2017)"),
    Function("gelu", "normal_cdf(z) + z*normal_pdf(z)", numeric.gelu, "gelu({z})", source="Hendrycks and Gimpel (2016)"),
    Function("silu", "sigmoid(z) + y*(1 - sigmoid(z))", numeric.silu, "silu({z})", source="Elfwing et al. (2018)"),
    Function("hard_tanh", "step(1 + z)*step(1 - z)", numeric.hard_tanh, "np.clip({z}, -1.0, 1.0)", kinks=(-1.0, 1.0), source=_ACTIVATION),
    Function("huber", "hard_tanh(z)", numeric.huber, "huber({z})", kinks=(-1.0, 1.0), source="Huber (1964)"),
    Function("erf", "2/sqrt(pi)*exp(-z**2)", numeric.erf, "erf({z})", source="Abramowitz and Stegun (1964), 7.1.19"),
    Function("normal_cdf", "normal_pdf(z)", numeric.normal_cdf, "normal_cdf({z})", source="Abramowitz and Stegun (1964), 26.2"),
    Function("normal_pdf", "-z*y", numeric.normal_pdf, "normal_pdf({z})", source="Abramowitz and Stegun (1964), 26.2"),
)  # fmt: skip

FUNCTIONS: dict[str, Function] = {row.name: row for row in _TABLE}

MASKS = {"step": ">", "nonnegative": ">="}  # functions that are comparisons with zero: false where there is no number

# Functions with range (0, inf): a power may be moved inside a product of them.
POSITIVE_VALUED = frozenset({"exp", "sigmoid", "softplus", "cosh", "normal_cdf", "normal_pdf"})


ABSTRACT = ("sigma",)  # any differentiable function of one number: derivations have it, numbers do not


def is_abstract(name: str) -> bool:
    """Whether a function is any differentiable one, or a derivative of that: sigma, sigma_prime."""
    return name.removesuffix("_prime") in ABSTRACT or (name.endswith("_prime") and is_abstract(name[: -len("_prime")]))


def _abstract(name: str) -> Function:
    """The row of a function that has a name and a derivative, and no values."""

    def values(z: Any) -> Any:
        raise ByhandError(
            f"{name} stands for any differentiable function: it has no values",
            'give a certain one, such as activation="tanh"',
        )

    return Function(
        name, f"{name}_prime(z)", values, f"{name}({{z}})", source="any differentiable function of one number"
    )


def function(name: str) -> Function:
    """The row of a function.

    Raises: MissingRuleError: the table has no such row.
    """
    if is_abstract(name):
        return _abstract(name)
    if name not in FUNCTIONS:
        raise MissingRuleError(
            f"no elementwise function {name}{nearest(name, list(FUNCTIONS))}",
            "add a row to byhand/expr/functions.py",
        )
    return FUNCTIONS[name]
