"""Numerical kernels quoted in generated code: their source in `expr.numeric`, without types and complex steps."""

from __future__ import annotations

import ast
from functools import cache

from byhand.expr import numeric
from byhand.threads import source_of, syntax_tree


@cache
def kernel_source(name: str, library: str = "np") -> str:
    """The source of a kernel for real arrays of a library, under the name that generated code has for it.

    >>> print(kernel_source("normal_pdf"))
    def normal_pdf(z):
        ...The standard normal density...
        return np.exp(...
    """
    source = source_of(getattr(numeric, name))
    (tree,) = syntax_tree(source).body
    assert isinstance(tree, ast.FunctionDef)
    body = "\n".join(source.splitlines()[tree.body[0].lineno - 1 :])
    body = body.replace(".real", "").replace("np.", f"{library}.")
    return f"def {name}({', '.join(_arguments(tree.args))}):\n{body}"


def _arguments(args: ast.arguments) -> list[str]:
    defaults = [None] * (len(args.args) - len(args.defaults)) + [ast.unparse(d) for d in args.defaults]
    return [a.arg if d is None else f"{a.arg}={d}" for a, d in zip(args.args, defaults, strict=True)]
