"""Rows of the C target: the elementwise functions of `expr.functions`, and the small functions that their code calls.

All in double precision; `pieces.single_precision` makes float of it. None overflows: what is raised to e is never
positive.
"""

from __future__ import annotations

# name -> source for an argument z; capital letters in braces would be a format, so kernels take what occurs twice
FUNCTIONS: dict[str, str] = {
    "exp": "exp({z})",
    "log": "log({z})",
    "log1p": "log1p({z})",
    "expm1": "expm1({z})",
    "sin": "sin({z})",
    "cos": "cos({z})",
    "tan": "tan({z})",
    "arcsin": "asin({z})",
    "arccos": "acos({z})",
    "arctan": "atan({z})",
    "sinh": "sinh({z})",
    "cosh": "cosh({z})",
    "tanh": "tanh({z})",
    "arcsinh": "asinh({z})",
    "erf": "erf({z})",
    "abs": "fabs({z})",
    "sigmoid": "sigmoid({z})",
    "log_sigmoid": "log_sigmoid({z})",
    "softplus": "softplus({z})",
    "logcosh": "logcosh({z})",
    "sign": "sign({z})",
    "step": "step({z})",
    "nonnegative": "nonnegative({z})",
    "stop_gradient": "{z}",
    "relu": "relu({z})",
    "leaky_relu": "leaky_relu({z})",
    "elu": "elu({z})",
    "selu": "selu({z})",
    "gelu": "gelu({z})",
    "silu": "silu({z})",
    "hard_tanh": "hard_tanh({z})",
    "huber": "huber({z})",
    "normal_cdf": "normal_cdf({z})",
    "normal_pdf": "normal_pdf({z})",
}

_SIGMOID = """\
/* 1 / (1 + exp(-z)) without overflow */
static inline double sigmoid(double z)
{
    const double e = exp(-fabs(z));
    return (z < 0.0 ? e : 1.0) / (1.0 + e);
}
"""


def _one_line(name: str, words: str, source: str) -> str:
    return f"/* {words} */\nstatic inline double {name}(double z)\n{{\n    return {source};\n}}\n"


KERNELS: dict[str, str] = {
    "sigmoid": _SIGMOID,
    "log_sigmoid": _one_line("log_sigmoid", "log(sigmoid(z)) without overflow", "(z < 0.0 ? z : 0.0) - log1p(exp(-fabs(z)))"),
    "softplus": _one_line("softplus", "log(1 + exp(z)) without overflow", "(z > 0.0 ? z : 0.0) + log1p(exp(-fabs(z)))"),
    "logcosh": _one_line("logcosh", "log(cosh(z)) without overflow", "fabs(z) + log1p(exp(-2.0 * fabs(z))) - 0.6931471805599453"),
    "sign": _one_line("sign", "-1, 0 or 1", "z > 0.0 ? 1.0 : z < 0.0 ? -1.0 : z"),
    "step": _one_line("step", "1 where z > 0, else 0", "z > 0.0 ? 1.0 : 0.0"),
    "nonnegative": _one_line("nonnegative", "1 where z >= 0, else 0", "z >= 0.0 ? 1.0 : 0.0"),
    "relu": _one_line("relu", "max(z, 0); what is not a number stays so", "z < 0.0 ? 0.0 : z"),
    "leaky_relu": _one_line("leaky_relu", "z where z > 0, else 0.01 z", "z > 0.0 ? z : 0.01 * z"),
    "elu": _one_line("elu", "z where z > 0, else exp(z) - 1", "z > 0.0 ? z : expm1(z)"),
    "selu": _one_line("selu", "the elu of Klambauer et al. (2017)",
                      "1.0507009873554805 * (z > 0.0 ? z : 1.6732632423543772 * expm1(z))"),
    "gelu": _one_line("gelu", "z times the standard normal distribution function", "0.5 * z * erfc(-0.7071067811865476 * z)"),
    "silu": "\n" + _one_line("silu", "z sigmoid(z)", "z * sigmoid(z)"),
    "hard_tanh": _one_line("hard_tanh", "z clipped to [-1, 1]", "z < -1.0 ? -1.0 : z > 1.0 ? 1.0 : z"),
    "huber": _one_line("huber", "z z / 2 where |z| < 1, else |z| - 1/2", "fabs(z) < 1.0 ? 0.5 * z * z : fabs(z) - 0.5"),
    "normal_cdf": _one_line("normal_cdf", "the standard normal distribution function", "0.5 * erfc(-0.7071067811865476 * z)"),
    "normal_pdf": _one_line("normal_pdf", "the standard normal density", "exp(-0.5 * z * z) * 0.3989422804014327"),
    "dot": """\
/* The sum of a[k] b[k]: eight sums side by side, which compilers make vectors of. */
static inline double dot(const double *a, const double *b, int n)
{
    double total = 0.0;
    int k = 0;
    if (n >= 8) {
        double s[8] = {0.0};
        for (; k + 8 <= n; k += 8)
            for (int u = 0; u < 8; u++)
                s[u] += a[k + u] * b[k + u];
        for (int u = 0; u < 8; u++)
            total += s[u];
    }
    for (; k < n; k++)
        total += a[k] * b[k];
    return total;
}
""",
}  # fmt: skip

NEEDS: dict[str, tuple[str, ...]] = {"silu": ("sigmoid",)}  # kernels that call others


def with_needed(kernels: set[str]) -> list[str]:
    """The kernels and those that they call, in an order in which they can be defined."""
    wanted = kernels | {n for k in kernels for n in NEEDS.get(k, ())}
    return [k for k in KERNELS if k in wanted]


__all__ = ["FUNCTIONS", "KERNELS", "with_needed"]
