"""A program as one Python function: kernels, docstring, statements with their mathematics."""

from __future__ import annotations

from collections.abc import Callable

from byhand.code.kernels import kernel_source
from byhand.code.layout import (
    INDENT,
    WIDEST,
    blocks,
    docstring,
    file_source,
    function_source,
    return_lines,
    signature,
    size_lines,
    title,
)
from byhand.code.numpy import NumpyWriter
from byhand.code.statements import Listing, Statement
from byhand.code.temporaries import fitted
from byhand.code.writer import Writer

# what occurs in source -> the line that imports it
IMPORTS = {
    "numpy": {"np.": "import numpy as np"},
    "jax": {"jax.": "import jax", "jnp.": "import jax.numpy as jnp"},
    "torch": {"math.": "import math\n", "torch.": "import torch"},
}
SECTIONS = ("forward", "value", "backward")


def numpy_source(program: Listing) -> str:
    """The source of a program for NumPy, ready to paste."""
    return plain_source(program, NumpyWriter, "numpy")


def jax_source(program: Listing) -> str:
    """The source of a program for JAX."""
    from byhand.code.jax import JaxWriter

    return plain_source(program, JaxWriter, "jax")


def torch_source(program: Listing) -> str:
    """The source of a program for PyTorch."""
    from byhand.code.torch import TorchWriter
    from byhand.code.torch_idioms import with_idioms

    return plain_source(with_idioms(program), TorchWriter, "torch")


def plain_source(program: Listing, writer: type[Writer], target: str) -> str:
    """One function for all statements."""
    program = fit(program, writer)
    w = writer(program)
    written = blocks(w, ([s for s in program.statements if s.section == section] for section in SECTIONS))
    lines = [*docstring(program), *size_lines(w, program.inputs), *written, "", *return_lines(program)]
    body = function_source(signature(program.function, [program.names[s] for s in program.inputs]), lines)
    definitions = [*(kernel_source(k, writer.np) for k in sorted(w.kernels)), body]
    return file_source(title(program), IMPORTS[target], definitions)


def fit(program: Listing, writer: type[Writer], depth: int = 1) -> Listing:
    """The program with lines that are not too wide where they are indented so often."""

    def measure(p: Listing) -> Callable[[Statement], int]:
        w = writer(p)
        return lambda s: depth * len(INDENT) + len(w.statement(s))

    return fitted(program, measure, WIDEST)


__all__ = ["IMPORTS", "fit", "jax_source", "numpy_source", "torch_source"]
