"""Derivations as code that a person would have written: one lowered program, one table-driven printer per target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from byhand.arguments import one_of, whole_number
from byhand.code import rewrites
from byhand.code.function import CompiledFunction
from byhand.code.listing import list_derivation, list_expressions, needed_inputs
from byhand.errors import ByhandError
from byhand.expr.expression import as_expression
from byhand.expr.functions import ABSTRACT
from byhand.views import Code

if TYPE_CHECKING:
    from byhand.code.statements import Listing
    from byhand.derive.derivation import Derivation
    from byhand.expr.nodes import Expr, Symbol

Home = tuple[str, str]  # module and name: a target is imported when it is asked for

# programs; derivations, where a library has functions with a derivative of their own; programs in chunks of rows
TARGETS: dict[str, Home] = {
    "numpy": ("byhand.code.source", "numpy_source"),
    "torch": ("byhand.code.source", "torch_source"),
    "jax": ("byhand.code.source", "jax_source"),
    "c": ("byhand.code.c", "c_source"),
}
PULLBACKS: dict[str, Home] = {
    "torch": ("byhand.code.torch_pullback", "torch_pullback_source"),
    "jax": ("byhand.code.jax_pullback", "jax_pullback_source"),
}
CHUNKED: dict[str, Home] = {
    "numpy": ("byhand.code.chunk_source", "numpy_chunks"),
    "torch": ("byhand.code.chunk_source", "torch_chunks"),
}
FUNCTIONS: dict[str, Home] = {
    "numpy": ("byhand.code.function", "CompiledFunction"),
    "torch": ("byhand.code.torch_function", "TorchFunction"),
    "jax": ("byhand.code.jax_function", "JaxFunction"),
}
OPTIONS = {"c": ("sizes", "dtype")}


def _imported(home: Home) -> Callable[..., Any]:
    module, name = home
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def generate(
    derivation: Derivation,
    target: str = "numpy",
    relu_at_zero: float = 0,
    chunk: int | None = None,
    formulas: bool = True,
    **options: Any,
) -> Code:
    """Source of a function that returns the value and the gradients; for PyTorch and JAX, of one that they differentiate.

    Args:
        derivation: what was derived.
        target: a key of TARGETS.
        relu_at_zero: the derivative of relu at 0, of leaky_relu, elu and selu the place of it between both sides: 0, 0.5, 1.
        chunk: how many rows of the logits of a softmax are computed at a time; all by default.
        formulas: whether statements have their mathematics beside them, which only readers need.
        options: of "c": sizes={name: size} of the named dimensions, dtype "float" or "double".
    Raises: ByhandError: an unknown target, or an operation that the target lacks.
    """
    _check_options(target, options)
    for name in ABSTRACT:
        if name in derivation.prepared.root.operations:
            raise ByhandError(
                f"{name} stands for any differentiable function: there is no code for it",
                'give a certain one, such as activation="tanh"',
            )
    if chunk is not None:
        whole_number(chunk, "chunk", 1)
        if target not in CHUNKED:
            raise ByhandError(f"target {target!r} has no chunks", f"there is: {', '.join(CHUNKED)}")
        from byhand.code.two_functions import RESERVED

        program = list_derivation(derivation, reserved=RESERVED, one_softmax=True, formulas=formulas)
        printer = _imported(CHUNKED[target])
        return _code(printer(rewrites.with_slope_at_zero(program, relu_at_zero), chunk, derivation.source), target)
    if target in PULLBACKS:
        from byhand.code.pullback import lower_pullback
        from byhand.code.two_functions import RESERVED

        pullback = lower_pullback(derivation, RESERVED, relu_at_zero, formulas)
        return _code(_imported(PULLBACKS[target])(pullback, derivation.source), target)
    if target == "c":
        options["parameters"] = _network_parameters(derivation)
    listing = list_derivation(derivation, formulas=formulas)
    return program_source(rewrites.with_slope_at_zero(listing, relu_at_zero), target, **options)


def _network_parameters(derivation: Derivation) -> tuple[str, ...]:
    """The parameters of a network that was derived with respect to all of them; none of other functions."""
    names = tuple(getattr(derivation.source, "parameters", ()))
    return names if names == tuple(v.name for v in derivation.variables) else ()


def _check_options(target: str, options: Mapping[str, Any]) -> None:
    """Refuse a target that is none, and options that it has not."""
    one_of(target, TARGETS, "target")
    for name in options:
        if name not in OPTIONS.get(target, ()):
            have = [f"{t!r} has {', '.join(names)}" for t, names in OPTIONS.items()]
            raise ByhandError(f"target {target!r} has no option {name}", *have)


def compile_function(
    derivation: Derivation, target: str = "numpy", relu_at_zero: float = 0, chunk: int | None = None
) -> CompiledFunction:
    """callable(**arrays) -> (value, {name: gradient}), made from the generated source: see `generate`.

    Raises: ByhandError: an unknown target, or one that is not installed.
    """
    _check_options(target, {})
    roots = [derivation.prepared.root, *(g.root for g in derivation.gradients.values())]
    if target == "c" and chunk is None:
        from byhand.code.c import c_function

        listing = rewrites.with_slope_at_zero(list_derivation(derivation), relu_at_zero)
        return c_function(listing, roots, derivation.f.symbols.values(), _network_parameters(derivation))
    source = generate(derivation, target, relu_at_zero, chunk)
    listing = list_derivation(derivation, formulas=False)  # of which the names are needed
    return _function(target, listing, source, roots, derivation.f.symbols.values())


def generate_expression(f: Any, target: str = "numpy", formulas: bool = True, **options: Any) -> Code:
    """Source of a function that returns the value of an expression of any shape; options as for `generate`.

    Raises: ByhandError: an unknown target.
    """
    _check_options(target, options)
    e = as_expression(f)
    inputs = needed_inputs([e.root], e.symbols.values())
    return program_source(node_program({e.name: e.root}, inputs, target, formulas), target, **options)


def compile_expression(f: Any, target: str = "numpy", formulas: bool = True) -> CompiledFunction:
    """callable(**arrays) -> value, made from the generated source; `formulas` as for `generate`.

    Raises: ByhandError: an unknown target, or one that is not installed.
    """
    e = as_expression(f)
    inputs = needed_inputs([e.root], e.symbols.values())
    return program_function(
        node_program({e.name: e.root}, inputs, target, formulas), [e.root], e.symbols.values(), target
    )


def node_program(nodes: Mapping[str, Expr], inputs: Iterable[Symbol], target: str, formulas: bool = True) -> Listing:
    """The program of nodes on their own: Jacobians, predictions.

    Args:
        nodes: name of the result -> node.
        inputs: the arguments.
        target: a key of TARGETS.
        formulas: as for `generate`.
    """
    one_of(target, TARGETS, "target")
    return list_expressions(nodes, inputs, formulas=formulas)


def program_function(
    program: Listing, roots: list[Expr], declared: Iterable[Symbol] = (), target: str = "numpy"
) -> CompiledFunction:
    """callable(**arrays) -> the results of a lowered program.

    Args:
        program: what is computed.
        roots: the nodes that it came from: their labels and properties are checked.
        declared: inputs whose shapes are checked too.
        target: a key of TARGETS.
    Raises: ByhandError: an unknown target, or one that is not installed.
    """
    if one_of(target, TARGETS, "target") == "c":
        from byhand.code.c import c_function

        return c_function(program, roots, declared)
    source = program_source(program, target)
    return _function(target, program, source, roots, declared)


def program_source(program: Listing, target: str, **options: Any) -> Code:
    """Source of a function that computes a lowered program.

    Raises: ByhandError: an unknown target.
    """
    return _code(_imported(TARGETS[one_of(target, TARGETS, "target")])(program, **options), target)


def _code(source: Any, target: str) -> Code:
    """Source text that shows itself."""
    return Code(source, "c" if target == "c" else "python")


def _function(
    target: str, program: Listing, source: str, roots: list[Expr], declared: Iterable[Symbol]
) -> CompiledFunction:
    function: CompiledFunction = _imported(FUNCTIONS[target])(program, source, roots, declared)
    return function


__all__ = [
    "CompiledFunction",
    "compile_expression",
    "compile_function",
    "generate",
    "generate_expression",
    "node_program",
    "program_function",
    "program_source",
]
