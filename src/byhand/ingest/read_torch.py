"""`from_torch`: the graph of `torch.export` before decomposition, operation by operation, as an expression."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from byhand.errors import ByhandError, ParseError
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr
from byhand.expr.parse import Assumptions, Shapes, declare
from byhand.ingest.builder import Builder, Reading, Value, is_symbolic, names_of
from byhand.ingest.constants import constant_node
from byhand.ingest.libraries import library
from byhand.ingest.meaning import stopped
from byhand.ingest.modules import Subject, run_with, sized
from byhand.ingest.places import Place
from byhand.ingest.proof import prove
from byhand.ingest.sizes import Sizes, read_shapes
from byhand.ingest.torch_rows import OPERATIONS, Call
from byhand.threads import Shared, quiet_warnings

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_VIEWS = frozenset({
    "view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "transpose", "permute", "t", "numpy_T", "select", "slice",
    "narrow", "expand", "split", "chunk", "unbind", "alias", "detach", "view_as", "swapaxes", "movedim", "diagonal",
    "split_with_sizes",
})  # fmt: skip
_IGNORED = frozenset({"_assert_async", "_assert_scalar", "_assert_tensor_metadata", "sym_constrain_range_for_size"})


def from_torch(
    module: Any,
    shapes: Shapes,
    loss: Callable[..., Any] | str | None = None,
    assume: Assumptions | None = None,
    *,
    strict: bool = True,
) -> Expression:
    """Read a module of PyTorch.

    The module is run once, with tensors that have shapes and no values, and once at other sizes to prove what was read. In
    training mode dropout's masks are inputs.

    Args:
        module: an `nn.Module`, or a function of tensors.
        shapes: argument of `forward` -> its dimensions, as in `byhand.parse`: names, or the integers that weights fix.
        loss: of the module's result and of further inputs in `shapes`, in their order: a function of PyTorch, or the name of
            one in `torch.nn.functional`; None: the result as it is.
        assume: input -> declared properties; one used as labels is `labels`, declared or not.
        strict: whether an operation without a row is an error.
    Returns: the expression. Parameters and buffers are symbols, dots in their names underscores; local variables of the source
        are its intermediates, `.sources` says where they stand.
    Raises: MissingRuleError: an operation has no row; the message names it and its line. ParseError: the module cannot be
        exported, or what was read is not the module.
    """
    torch = library("torch")
    if not isinstance(shapes, Mapping):
        raise ParseError("shapes is a dict: {'x': 'N D'}")
    declare(shapes, {} if assume is None else assume)
    subject = Subject(torch, module, loss, read_shapes(shapes), {} if assume is None else dict(assume))
    with quiet_warnings():
        found = sized(subject, lambda s, d, which: _exported(torch, subject, s, d, which, strict))
        first, fixed, declared = found

        def run(values: Mapping[str, Any]) -> Any:
            return run_with(subject, values, fixed, first.masks)

        return prove(first, run, lambda: _exported(torch, subject, fixed, declared, 1, strict), "the module")


@contextmanager
def _with_lines() -> Iterator[None]:
    """Nodes remember the innermost line that is not PyTorch's, in helper functions too, not that of `forward` alone."""
    tracer = import_module("torch.fx.proxy").TracerBase
    before = getattr(tracer, "_filter_traceback_frames", None)
    if before is None:  # an older PyTorch remembers all frames
        yield
        return

    def innermost(self: Any, frames: Any) -> Any:
        kept = [f for f in frames if not _is_library(f.filename)]
        return type(frames).from_list(kept[-1:])

    tracer._filter_traceback_frames = innermost
    try:
        yield
    finally:
        tracer._filter_traceback_frames = before


_lines = Shared(_with_lines)


def _exported(
    torch: Any, subject: Subject, fixed: Mapping[str, int], assume: Assumptions, which: int, strict: bool
) -> Reading:
    """The reading of the module where some names have the size that its weights fix."""
    shapes = subject.shapes if not subject.unnamed(fixed) else subject.with_numbers(fixed)
    symbols = declare({n: s for n, s in shapes.items()}, assume)
    sizes = Sizes(shapes, None, which)
    module = subject.resized({fixed[n]: sizes.of[n] for n in fixed if n in sizes.of})
    with torch._subclasses.FakeTensorMode():  # tensors without memory
        given = [
            torch.zeros(sizes.concrete(s.shape), dtype=torch.int64 if "labels" in s.assumptions else torch.float64)
            for s in symbols.values()
        ]
    positional, keywords = subject.arguments(given)
    with _lines:
        program = torch.export.export(subject.wrapped(module), positional, keywords, strict=False)
    builder = Builder("PyTorch", sizes, dict(symbols), strict=strict)
    reader = _Reader(torch, builder, program, subject, module)
    root = reader.run()
    return builder.reading(root)


class _Reader:
    """The reading of one exported program."""

    def __init__(self, torch: Any, builder: Builder, program: Any, subject: Subject, module: Any) -> None:
        self.torch, self.builder, self.program, self.subject = torch, builder, program, subject
        self.parameters = subject.names_of(module)
        self.env: dict[Any, Value] = {}
        self.eps = subject.eps

    def run(self) -> Value:
        """The value of the program."""
        signature = self.program.graph_signature
        state = {**self.program.state_dict, **self.program.constants}
        kinds = {s.arg.name: (s.kind.name, s.target) for s in signature.input_specs}
        users = iter(list(self.builder.inputs.values()))
        nodes = list(self.program.graph.nodes)
        self.env = {}
        calls = [n for n in nodes if n.op == "call_function"]
        outputs = [s.arg.name for s in signature.output_specs if s.kind.name in ("USER_OUTPUT", "LOSS_OUTPUT")]
        for n in nodes:
            if n.op == "placeholder":
                kind, target = kinds[n.name]
                if kind == "USER_INPUT":
                    self.env[n] = next(users)
                elif kind in ("PARAMETER", "BUFFER"):
                    self.env[n] = self._parameter(target, n, state.get(target), kind)
                else:
                    self.env[n] = state[target].detach().numpy() if hasattr(state.get(target), "detach") else None
        self._calls(calls)
        (result,) = [n for n in nodes if n.op == "output"]
        found = [
            a
            for a in self.torch.fx.node.map_arg(result.args, lambda a: a)[0]
            if getattr(a, "name", a) in outputs or not outputs
        ]
        if len(found) != 1:
            raise ParseError(
                f"the module returns {len(found)} tensors", "wrap it so that it returns one, or give a loss"
            )
        return self.env[found[0]] if found[0] in self.env else found[0]

    def _calls(self, calls: Sequence[Any]) -> None:
        frames = [self._place(n) for n in calls]
        kinds = [(str(n.target), re.sub(r"\d+", "#", self._path(n))) for n in calls]
        names = names_of(frames, kinds)
        for n, place, name in zip(calls, frames, names, strict=True):
            self.builder.place = place
            value = self._call(n)
            if not isinstance(value, list):
                path = self._path(n)
                value = self.builder.bind(name or (path if path and self._ends(n, path) else None), value)
            self.env[n] = value
            if str(n.target).split(".")[1:2] and self._name(n).endswith("_") and not self._name(n).endswith("__"):
                self._write(n, value)

    def _ends(self, n: Any, path: str) -> bool:
        """Whether a node is what its submodule returns: something outside of it uses it."""
        return any(self._path(u) != path for u in n.users)

    def _place(self, n: Any) -> Place | None:
        """Where a node stands in the user's source: the innermost frame that is not PyTorch's."""
        frames = [f for f in _FRAME.findall(n.meta.get("stack_trace") or "") if not _is_library(f[0])]
        return Place(frames[-1][0], int(frames[-1][1])) if frames else None

    def _path(self, n: Any) -> str:
        stack = list((n.meta.get("nn_module_stack") or {}).values())
        path = re.sub(r"^L\['self'\]\.?|^L__self___?", "", stack[-1][0]) if stack else ""
        return self.subject.path(re.sub(r"\W+", "_", path).strip("_"))

    def _name(self, n: Any) -> str:
        text = str(n.target)
        return text.split(".")[1] if text.startswith("aten.") else getattr(n.target, "__name__", text)

    def _parameter(self, target: str, n: Any, tensor: Any, kind: str) -> Value:
        shape = self.builder.sizes.shape(n.meta["val"].shape)
        name = self.parameters.get(target, target).replace(".", "_")
        floating = n.meta["val"].dtype.is_floating_point
        if kind == "BUFFER" and not floating and tensor is not None:
            array = tensor.detach().numpy()
            try:
                constant_node(array, self.builder.sizes)
                return array
            except ByhandError:
                return self.builder.input(name, shape, ["01"] if array.dtype == bool else ["labels"])
        return self.builder.input(name, shape, ["constant"] if kind == "BUFFER" else [])

    # ---- one call

    def _value(self, a: Any) -> Value:
        if isinstance(a, self.torch.fx.Node):
            return self.env[a]
        if isinstance(a, (list, tuple)):
            return [self._value(v) for v in a]
        return a

    def _call(self, n: Any) -> Value:
        if n.target is operator.getitem:
            container, k = self._value(n.args[0]), n.args[1]
            return container[k]
        name = self._name(n)
        if name in _IGNORED:
            return None
        if not hasattr(n.target, "_schema"):
            return self._higher(n, name)
        arguments = self._arguments(n)
        values = [v for a in arguments.values() for v in (a if isinstance(a, list) else [a])]
        value = n.meta.get("val")
        sizes = [tuple(v.shape) for v in (value if isinstance(value, (list, tuple)) else [value])]
        if not any(map(is_symbolic, values)) and not name.startswith("dropout"):
            return self._computed(n)
        base = name.rstrip("_") if name not in OPERATIONS else name
        if base not in OPERATIONS:
            return self._unread(name, "the operation has no row", sizes, values)
        call = Call(self.builder, base, arguments, sizes, self._path(n), self.eps)
        found = self.builder.read(name, lambda: OPERATIONS[base](call), sizes, values)
        return found if isinstance(value, (list, tuple)) else found[0]

    def _unread(self, name: str, why: str, sizes: Sequence[tuple[int, ...]], inputs: Sequence[Value] = ()) -> Value:
        error = self.builder.unread(name, why)
        found = [self.builder.stand_in(error, self.builder.sizes.shape(s), inputs) for s in sizes]
        return found if len(found) > 1 else found[0]

    def _arguments(self, n: Any) -> dict[str, Value]:
        """The arguments by the names of the schema, defaults filled in."""
        schema = n.target._schema.arguments
        given = dict(zip([a.name for a in schema], n.args, strict=False)) | dict(n.kwargs)
        return {a.name: self._value(given[a.name]) if a.name in given else a.default_value for a in schema}

    def _computed(self, n: Any) -> Value:
        """What only constants go into."""
        torch = self.torch

        def tensor(v: Any) -> Any:
            if isinstance(v, (list, tuple)):
                return [tensor(u) for u in v]
            return torch.from_numpy(np.array(v)) if isinstance(v, (np.ndarray, np.generic)) else v

        args = [tensor(self._value(a)) for a in n.args]
        keywords = {k: tensor(self._value(v)) for k, v in n.kwargs.items() if k != "device"}
        result = n.target(*args, **keywords)
        if isinstance(result, (list, tuple)):
            return [r.detach().numpy() for r in result]
        return result.detach().numpy() if hasattr(result, "detach") else result

    def _higher(self, n: Any, name: str) -> Value:
        """torch.no_grad() around a part of the graph."""
        inside = (
            getattr(self.program.graph_module, str(n.args[1].target), None)
            if name == "wrap_with_set_grad_enabled" and len(n.args) > 1
            else None
        )
        if inside is None:
            value = n.meta.get("val")
            shapes = [
                tuple(v.shape) for v in (value if isinstance(value, (list, tuple)) else [value]) if hasattr(v, "shape")
            ]
            return self._unread(name, "the operation has no row", shapes)
        outside = dict(self.env)
        for p, a in zip([m for m in inside.graph.nodes if m.op == "placeholder"], n.args[2:], strict=True):
            self.env[p] = outside[a]
        self._calls([m for m in inside.graph.nodes if m.op == "call_function"])
        (result,) = [m for m in inside.graph.nodes if m.op == "output"]
        values = [self._value(a) for a in result.args[0]]
        return values if n.args[0] else [stopped(self.builder, v) for v in values]

    # ---- in place

    def _write(self, n: Any, value: Value) -> None:
        """An operation in place: the tensor that it changes has the new value from here on.

        A view of a tensor that is changed, or that changes it, is refused where it is used afterwards.
        """
        target = n.args[0]
        if not isinstance(target, self.torch.fx.Node):
            return
        self.env[target] = value
        order = {m: k for k, m in enumerate(n.graph.nodes)}
        for other in _aliases(target, self._name):
            if other is not target and any(order[u] > order[n] for u in other.users):
                error = self.builder.unread(
                    self._name(n), "a tensor is changed in place, and a view of it is used afterwards"
                )
                shape = self.env[other].shape
                if isinstance(self.env.get(other), Expr):
                    self.env[other] = self.builder.stand_in(error, shape)


def _aliases(n: Any, name: Callable[[Any], str]) -> list[Any]:
    """The tensors that share memory with one: what it is a view of, and the views of that."""
    base = n
    while base.op == "call_function" and name(base) in _VIEWS and base.args and hasattr(base.args[0], "op"):
        base = base.args[0]
    found, todo = [], [base]
    while todo:
        m = todo.pop()
        found.append(m)
        todo += [u for u in m.users if u.op == "call_function" and name(u) in _VIEWS and u.args and u.args[0] is m]
    return found


def _is_library(file: str) -> bool:
    path = file.replace("\\", "/")
    return "/torch/" in path or "/byhand/ingest/" in path or path.startswith("<")
