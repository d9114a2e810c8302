"""A Python function over symbolic arrays becomes an expression; its locals name the intermediates."""

from __future__ import annotations

import inspect
import linecache
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from byhand.errors import ByhandError, ParseError, nearest
from byhand.expr.dims import dim_names
from byhand.expr.domain import recording
from byhand.expr.expression import Expression, rebuild
from byhand.expr.nodes import Constant, Contraction, Expr, Named, Symbol, named, topological
from byhand.expr.parse import Assumptions, Shapes, declare, finish
from byhand.expr.protocol import METHODS, TRACING, length
from byhand.expr.vocabulary import VOCABULARY

Tracer = Callable[[types.FrameType, str, Any], Any]


def trace(function: Callable[..., Any], shapes: Shapes | None = None, assume: Assumptions | None = None) -> Expression:
    """Read a Python function.

    The function is called once with symbolic arrays. NumPy's functions (np.tanh, np.sum, np.einsum, ...), the operators
    and `byhand.functions` work on them. Its local variables become named intermediates; one that is bound several times
    (in a loop) becomes h1, h2, ...

    Args:
        function: a function, lambda or method; the names of its arguments are the inputs.
        shapes: argument -> its dimensions, as in `parse`; an argument with a default may be left out and keeps it.
        assume: argument -> declared properties.
    Returns: the expression, called what the function calls the value that it returns, or f.
    Raises: ParseError: a missing or unknown argument, or no expression returned. ShapeError: shapes that clash.
        ByhandError: something that has no meaning for symbolic arrays, such as `if x > 0`.

    >>> import numpy as np
    >>> def loss(X, w, y):
    ...     r = X @ w - y
    ...     return np.sum(r**2)
    >>> trace(loss, {"X": "m n", "w": "n", "y": "m"}).intermediates["r"].shape[0] is not None
    True
    """
    if not callable(function):
        remedy = "byhand.parse reads a text" if isinstance(function, str) else ""
        raise ParseError(f"trace needs a function, not a {type(function).__name__}", *([remedy] if remedy else []))
    inputs = declare({} if shapes is None else shapes, {} if assume is None else assume)
    positional, keywords = _arguments(function, inputs)
    dimensions = {d for s in inputs.values() for size in s.shape for d in dim_names(size)}
    recorder = Recorder(_code_of(function), {*inputs, *dimensions, *VOCABULARY, "pi"})
    with recording() as asked:
        result = recorder.run(_with_lengths(function), positional, keywords)
    if not isinstance(result, Expr):
        kind = (
            "nothing: is `return` missing?"
            if result is None
            else f"a {type(result).__name__}, not an expression of its arguments"
        )
        raise ParseError(f"{_name_of(function)} returned {kind}", "return one array or scalar made of the arguments")
    root, name = recorder.named(result)
    return replace(finish(root, tuple(inputs.values()), name), domain=tuple(asked))


def _with_lengths(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a `len` that gives the symbolic length of a symbolic array, where Python's can only give integers."""
    if isinstance(function, types.MethodType):
        return types.MethodType(_with_lengths(function.__func__), function.__self__)
    if (
        not isinstance(function, types.FunctionType)
        or "len" not in function.__code__.co_names
        or "len" in function.__globals__
    ):
        return function
    names = {**function.__globals__, "len": length}
    code, closure = function.__code__, function.__closure__
    copied = types.FunctionType(code, names, function.__name__, function.__defaults__, closure)
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _arguments(function: Callable[..., Any], inputs: Mapping[str, Symbol]) -> tuple[list[Expr], dict[str, Expr]]:
    """The inputs as the function takes them."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        raise ParseError(f"the arguments of {_name_of(function)} are unknown", "wrap it: lambda x: ...") from None
    name, takes_any = _name_of(function), any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    ordinary = [p for p in parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    known = [p.name for p in ordinary]
    unknown = [n for n in inputs if n not in known]
    if unknown and not takes_any:
        raise ParseError(
            f"{name} has no argument {unknown[0]}{nearest(unknown[0], known)}",
            f"its arguments: {', '.join(known) or 'none'}",
        )
    missing = [p.name for p in ordinary if p.name not in inputs and p.default is p.empty]
    if missing:
        example = ", ".join(f"{n!r}: ..." for n in missing)
        raise ParseError(
            f"no shape for {', '.join(missing)} of {name}", f"give it in shapes={{{example}}}; '' is a scalar"
        )
    positional: list[Expr] = []
    for p in ordinary:
        if p.kind is p.POSITIONAL_ONLY:
            if p.name not in inputs:
                break
            positional.append(inputs[p.name])
    by_name = {p.name for p in ordinary if p.kind is not p.POSITIONAL_ONLY} | set(unknown)
    return positional, {n: s for n, s in inputs.items() if n in by_name}


def _code_of(function: Any) -> types.CodeType | None:
    """The code whose locals are named: that of the function itself, not of its wrappers."""
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    if not isinstance(function, (types.FunctionType, types.MethodType)):
        function = vars(type(function)).get("__call__")
    return getattr(function, "__code__", None)


def deserves_a_name(value: object) -> bool:
    """Inputs and intermediates have one, and numbers and dimensions (1/N) stay what they are."""
    if not isinstance(value, Expr) or isinstance(value, (Symbol, Named, Constant)):
        return False
    return not (isinstance(value, Contraction) and not value.factors)


class Recorder:
    """Calls a function while it names the local variables of one code object as they are bound.

    A local that is bound to a node is rebound to a `Named` node at the next line, as a debugger would do it, so that
    what is computed from it refers to it by name. An earlier trace function (a debugger's) keeps receiving its events;
    one written in C (coverage's) pauses; both are back when the function has returned or raised.
    """

    def __init__(self, code: types.CodeType | None, reserved: set[str]) -> None:
        self.code, self.reserved = code, reserved
        self.frame: types.FrameType | None = None
        self.before: Tracer | None = None
        self.names: dict[Expr, str] = {}  # value -> the local that it was bound to first
        self.nodes: dict[Expr, Named] = {}

    def run(self, function: Callable[..., Any], positional: list[Expr], keywords: dict[str, Expr]) -> Any:
        """The value of the function; errors point into its source."""
        before = sys.gettrace()
        self.before = before if isinstance(before, (types.FunctionType, types.MethodType)) else None
        token = TRACING.set(True)
        try:
            if self.code is not None:
                sys.settrace(self.every_call)
            return function(*positional, **keywords)
        except ByhandError as error:
            self.point(error)
            raise
        except RecursionError:
            raise ByhandError(f"{_name_of(function)} recurses without end on symbolic arrays") from None
        except (TypeError, AttributeError) as error:
            raise self.explained(error) from error
        finally:
            sys.settrace(before)
            TRACING.reset(token)
            self.frame = None

    # ---- the trace function

    def every_call(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        """Called for each new frame; only the first one of the code is recorded."""
        local = self.before(frame, event, arg) if self.before is not None else None
        if sys.gettrace() != self.every_call:
            sys.settrace(self.every_call)
        if self.frame is None and frame.f_code is self.code:
            self.frame = frame
            return self.in_frame(local)
        return local

    def in_frame(self, local: Tracer | None) -> Tracer:
        def on_event(frame: types.FrameType, event: str, arg: Any) -> Tracer:
            nonlocal local
            if local is not None:
                local = local(frame, event, arg)
            if event in ("line", "return"):
                self.record(frame.f_locals)
            return on_event

        return on_event

    def record(self, variables: dict[str, Any]) -> None:
        """Name the locals that were bound since the last line."""
        assert self.code is not None
        own = {*self.code.co_varnames, *self.code.co_cellvars}
        for name, value in list(variables.items()):
            if name not in own or not name.isidentifier() or name.startswith("_") or not deserves_a_name(value):
                continue
            variables[name] = self.bind(name, value)

    def bind(self, name: str, value: Expr) -> Named:
        """The value as an intermediate; one that has a name keeps it."""
        if value not in self.names:
            self.names[value] = name
            self.nodes[value] = named(name, value)
        return self.nodes[value]

    # ---- the result

    def named(self, result: Expr) -> tuple[Expr, str]:
        """The result with its intermediates under their final names, and its own name."""
        if result in self.nodes:
            result = self.nodes[result]
        order = topological([result])
        final = self.final_names(order)
        plain: dict[Expr, Expr] = {}  # without a name of its own
        done: dict[Expr, Expr] = {}
        for node in order:
            if isinstance(node, Named) and node.body in final:
                done[node] = plain[node] = done[node.body]
                continue
            plain[node] = node if all(done[c] is c for c in node.children) else rebuild(node, done)
            done[node] = named(final[node], plain[node]) if node in final else plain[node]
        root = done[result]
        return root, root.name if isinstance(root, Named) else "f"

    def final_names(self, order: list[Expr]) -> dict[Expr, str]:
        """Value -> h, or h1, h2, ... where h was bound several times or is the name of an input."""
        bound: dict[str, list[Expr]] = {}
        for node in order:
            if node in self.names:
                bound.setdefault(self.names[node], []).append(node)
        taken = {*self.reserved, *bound}
        final: dict[Expr, str] = {}
        for name, values in bound.items():
            if len(values) == 1 and name not in self.reserved:
                final[values[0]] = name
                continue
            k, stem = 0, name if not name[-1].isdigit() else f"{name}_"
            for value in values:
                k += 1
                while f"{stem}{k}" in taken:
                    k += 1
                final[value] = f"{stem}{k}"
                taken.add(final[value])
        return final

    # ---- errors

    def point(self, error: ByhandError) -> None:
        """Let an error point at the line of the traced function that it came from."""
        here = error.__traceback__
        found = None
        while here is not None:
            if here.tb_frame.f_code is self.code:
                found = here
            here = here.tb_next
        if found is None or error.source is not None:
            return
        code = found.tb_frame.f_code
        first, last, start, end = list(code.co_positions())[found.tb_lasti // 2]
        text = linecache.getline(code.co_filename, found.tb_lineno)
        if text.strip() and first == found.tb_lineno and start is not None and end is not None:
            width = end - start if last == first else len(text.rstrip()) - start
            error.at("\n" * (first - 1) + text.rstrip(), first, start + 1, width)

    def explained(self, error: TypeError | AttributeError) -> Exception:
        """A TypeError raised by the traced function itself is about symbolic arrays; others are left alone."""
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        as_size = "Dimension" in str(error) or "'tuple' object cannot be interpreted as an integer" in str(error)
        if last is None or not (last.tb_frame.f_code is self.code or as_size):
            return error
        remedy = "byhand.functions and NumPy's functions work on symbolic arrays"
        if isinstance(error, AttributeError) and isinstance(error.obj, Expr):
            explained = ByhandError(
                f".{error.name} is unknown for symbolic arrays{nearest(str(error.name), METHODS)}",
                f"there are .T, .shape, .ndim, {', '.join(f'.{m}()' for m in METHODS)}",
            )
        elif as_size:
            explained = ByhandError(
                "a symbolic dimension is no integer",
                "for arrays of that size: byhand.functions.ones, zeros, eye, arange; for loops: an integer shape",
            )
        elif any(kind.__name__ in str(error) for kind in Expr.__subclasses__()):
            explained = ByhandError(f"symbolic arrays: {error}", remedy)
        else:
            return error
        explained.__traceback__ = error.__traceback__
        self.point(explained)
        return explained
