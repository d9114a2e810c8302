"""Derivations as code that a person would have written: one lowered program, one table-driven printer per target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from byhand.code.function import CompiledFunction
from byhand.code.lower import lower_derivation, lower_expression
from byhand.code.program import Program
from byhand.code.source import numpy_source
from byhand.errors import ByhandError, nearest
from byhand.expr.expression import as_expression

if TYPE_CHECKING:
    from byhand.derive.derivation import Derivation

TARGETS = {"numpy": numpy_source}
PLANNED = ("torch", "jax", "c")


def generate(derivation: Derivation, target: str = "numpy") -> str:
    """Source of a function that returns the value and the gradients.

    Raises: ByhandError: an unknown target.
    """
    return _source(lower_derivation(derivation), target)


def compile_function(derivation: Derivation, target: str = "numpy") -> CompiledFunction:
    """callable(**arrays) -> (value, {name: gradient}), made from the generated source.

    Raises: ByhandError: an unknown target.
    """
    program = lower_derivation(derivation)
    roots = [derivation.prepared.root, *(g.root for g in derivation.gradients.values())]
    return CompiledFunction(program, _source(program, target), roots, derivation.f.symbols.values())


def generate_expression(f: Any, target: str = "numpy") -> str:
    """Source of a function that returns the value of an expression of any shape.

    Raises: ByhandError: an unknown target.
    """
    return _source(lower_expression(as_expression(f)), target)


def compile_expression(f: Any, target: str = "numpy") -> CompiledFunction:
    """callable(**arrays) -> value, made from the generated source.

    Raises: ByhandError: an unknown target.
    """
    e = as_expression(f)
    program = lower_expression(e)
    return CompiledFunction(program, _source(program, target), [e.root], e.symbols.values())


def _source(program: Program, target: str) -> str:
    if target in TARGETS:
        return TARGETS[target](program)
    if target in PLANNED:
        raise ByhandError(f"target {target!r} is not there yet", f"there is: {', '.join(TARGETS)}")
    near = nearest(str(target), [*TARGETS, *PLANNED])
    raise ByhandError(f"unknown target {target!r}{near}", f"known: {', '.join(TARGETS)}")


__all__ = ["CompiledFunction", "compile_expression", "compile_function", "generate", "generate_expression"]
