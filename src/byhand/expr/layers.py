"""The table of functions with a definition in the language itself: statistics, normalisation, attention, convolution, pooling.

A row is all that there is to such a function: derivations, code and documents see what its definition is made of.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from byhand.errors import ByhandError
from byhand.expr.dims import show_shape
from byhand.expr.nodes import Expr
from byhand.threads import syntax_tree


class Defined(NamedTuple):
    """A row.

    Attributes:
        name: of the function.
        parameters: as in a call, with defaults: "X, g, b, eps=1e-5".
        definition: in the expression language; lines before the last give names to parts of it.
        words: what it is.
        source: where it is written down.
    """

    name: str
    parameters: str
    definition: str
    words: str
    source: str


_TABLE = (
    Defined("layer_norm", "X, g, b, eps=1e-5", """
c = X - mean(X, axis=-1, keepdims=True)
r = (mean(c**2, axis=-1, keepdims=True) + eps)**-0.5
g*(c*r) + b""", "each row brought to mean 0 and variance 1, then scaled and shifted", "Ba, Kiros and Hinton (2016)"),
    Defined("batch_norm", "X, g, b, eps=1e-5", """
c = X - mean(X, axis=0)
r = (mean(c**2, axis=0) + eps)**-0.5
g*(c*r) + b""", "each column brought to mean 0 and variance 1, scaled and shifted", "Ioffe and Szegedy (2015)"),
    Defined("rms_norm", "X, g, eps=1e-5", """
r = (mean(X**2, axis=-1, keepdims=True) + eps)**-0.5
g*(X*r)""", "each row divided by the root of its mean square, then scaled", "Zhang and Sennrich (2019)"),
    Defined("attention", "Q, K, V, mask=None", """
S = Q @ swapaxes(K, -1, -2) / sqrt(Q.shape[-1])
P = softmax(masked(S, mask), axis=-1)
P @ V""", "values weighted by how keys fit queries; the mask is true where a query sees a key", "Vaswani et al. (2017), (1)"),
    Defined("conv1d", "X, W, stride=1, padding=0", "einsum('ncok,fck->nfo', windows(X, 2, W.shape[2], stride, padding), W)",
            "the cross-correlation of X (N, C, L) with W (F, C, window)", "Dumoulin and Visin (2016)"),
    Defined("conv2d", "X, W, stride=1, padding=0",
            "einsum('ncpiqj,fcij->nfpq', windows(X, (2, 3), W.shape[2:], stride, padding), W)",
            "the same of X (N, C, H, L) with W (F, C, window)", "Dumoulin and Visin (2016)"),
    Defined("max_pool1d", "X, size, stride=None", "max(windows(X, 2, size, stride), axis=3)",
            "the largest entry of each window of the last axis", "Dumoulin and Visin (2016)"),
    Defined("max_pool2d", "X, size, stride=None", "max(windows(X, (2, 3), size, stride), axis=(3, 5))",
            "the largest entry of each window of the last two axes", "Dumoulin and Visin (2016)"),
    Defined("avg_pool1d", "X, size, stride=None", "mean(windows(X, 2, size, stride), axis=3)",
            "the mean of each window of the last axis", "Dumoulin and Visin (2016)"),
    Defined("avg_pool2d", "X, size, stride=None", "mean(windows(X, (2, 3), size, stride), axis=(3, 5))",
            "the mean of each window of the last two axes", "Dumoulin and Visin (2016)"),
)  # fmt: skip

DEFINED: dict[str, Defined] = {row.name: row for row in _TABLE}


def function_of(row: Defined) -> Callable[..., Expr]:
    """The function that a row defines, on nodes.

    Raises, when called: ParseError, ShapeError: operands that do not fit, in the words of the call.
    """
    signature = _signature(row.parameters)

    def function(*args: Any, **options: Any) -> Expr:
        bound = signature.bind(*args, **options)
        bound.apply_defaults()
        from byhand.expr.parse import read_lines  # it knows all functions of the language, this one among them

        try:
            return read_lines(row.definition, bound.arguments)
        except ByhandError as error:  # in the words of the call: the operands of the definition are not its user's
            reason = error.message.split(": ", 1)[-1]
            shapes = [f"{n}: {show_shape(v.shape)}" for n, v in bound.arguments.items() if isinstance(v, Expr)]
            raise type(error)(f"{row.name}({row.parameters}): {reason}", *shapes) from None

    function.__name__ = function.__qualname__ = row.name
    function.__doc__ = f"{row.words[0].upper()}{row.words[1:]}."
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _signature(parameters: str) -> inspect.Signature:
    """The parameters of a function from their text; defaults are numbers or None."""
    (node,) = syntax_tree(f"def f({parameters}): pass").body
    assert isinstance(node, ast.FunctionDef)
    names = [a.arg for a in node.args.args]
    values = [d.value for d in node.args.defaults if isinstance(d, ast.Constant)]
    given = dict(zip(names[len(names) - len(values) :], values, strict=True))
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(n, kind, default=given.get(n, inspect.Parameter.empty)) for n in names])


__all__ = ["DEFINED", "Defined", "function_of"]
