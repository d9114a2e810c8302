"""A module as a subject: its parameters by name, the sizes that its weights fix, the same module with other sizes, its values."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any, TypeVar

import numpy as np

from byhand.errors import ByhandError, ParseError
from byhand.expr.dims import Shape, dim_names, dim_value
from byhand.expr.parse import Assumptions, declare

MOST_TRIALS = 600
SMALLEST = 2  # sizes that a module may fix
R = TypeVar("R")


class Subject:
    """A module, its inputs, and what follows it.

    Args:
        torch: the library.
        module: the module, or a function.
        loss: what is applied to its result.
        shapes: of the inputs, those of the loss last.
        assume: their properties.
    """

    def __init__(self, torch: Any, module: Any, loss: Any, shapes: Mapping[str, Shape], assume: Assumptions) -> None:
        self.torch, self.shapes, self.assume = torch, dict(shapes), assume
        self.loss: Any = getattr(torch.nn.functional, loss, loss) if isinstance(loss, str) else loss
        if self.loss is not None and not callable(self.loss):
            raise ParseError(
                f"torch.nn.functional has no {loss}"
                if isinstance(loss, str)
                else f"the loss is a {type(loss).__name__}, no function"
            )
        self.is_module = isinstance(module, torch.nn.Module)
        if not self.is_module and not callable(module):
            raise ParseError(f"from_torch needs a module of PyTorch, not a {type(module).__name__}")
        floats = [p.dtype for p in module.parameters() if p.dtype.is_floating_point] if self.is_module else []
        self.eps = float(torch.finfo(floats[0] if floats else torch.float64).eps)
        self.module = copy.deepcopy(module).double() if self.is_module else _as_module(torch, module)
        for part in self.module.modules():  # eps=None is the precision of the module's own type, not of float64
            if type(part).__name__ == "RMSNorm" and getattr(part, "eps", 0.0) is None:
                part.eps = self.eps
        self.names = list(shapes)
        self.own = self._own()

    def _own(self) -> int:
        """How many of the inputs are the module's; the rest are those of the loss."""
        target = self.module.function if not self.is_module else self.module.forward
        try:
            parameters = list(inspect.signature(target).parameters.values())
        except (TypeError, ValueError):
            return len(self.names)
        kinds = {p.kind for p in parameters}
        if self.loss is None or kinds & {inspect.Parameter.VAR_POSITIONAL}:
            return len(self.names) if self.loss is None else 1
        return min(len(parameters), len(self.names))

    # ---- calls

    def arguments(self, given: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Tensors as the module takes them: by name where they are its names, else in order."""
        if self.loss is None and self.is_module:
            known = list(inspect.signature(self.module.forward).parameters)
            if all(n in known for n in self.names) and known[: len(self.names)] != self.names:
                return (), dict(zip(self.names, given, strict=True))
        return tuple(given), {}

    def wrapped(self, module: Any) -> Any:
        """The module with the loss after it."""
        return module if self.loss is None else _with_loss(self.torch, module, self.loss, self.own)

    def path(self, path: str) -> str:
        """A path in the wrapped module as one in the module."""
        return path.removeprefix("inner_").removeprefix("inner") if self.loss is not None else path

    def names_of(self, module: Any) -> dict[str, str]:
        """What the exported program calls a parameter -> its first name in the module."""
        first = {id(p): n for n, p in reversed([*module.named_parameters(), *module.named_buffers()])}
        prefix = "inner." if self.loss is not None else ""
        everything = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
        return {prefix + n: first[id(p)] for n, p in everything}

    # ---- sizes

    def unnamed(self, fixed: Mapping[str, int]) -> list[str]:
        """Names of fixed sizes that cannot be kept: the module cannot be made with another size."""
        return [n for n in fixed if n not in self.generic]

    generic: frozenset[str] = frozenset()

    def with_numbers(self, fixed: Mapping[str, int]) -> dict[str, Shape]:
        """The shapes with numbers in place of names that cannot be kept."""
        gone = {n: fixed[n] for n in self.unnamed(fixed)}
        return {name: tuple(_numbered(d, gone) for d in shape) for name, shape in self.shapes.items()}

    def resized(self, sizes: Mapping[int, int]) -> Any:
        """The module with other sizes: of its parameters and buffers, and where its attributes say them."""
        if not sizes:
            return self.module
        torch = self.torch
        module = copy.deepcopy(self.module)
        made: dict[int, Any] = {}
        for part in module.modules():
            for table in (part._parameters, part._buffers):
                for name, p in table.items():
                    if p is None:
                        continue
                    if id(p) not in made:
                        made[id(p)] = _resized_tensor(torch, p, sizes)
                    table[name] = made[id(p)]
            for name, value in list(vars(part).items()):
                if not name.startswith("_"):
                    new = _resized_value(value, sizes)
                    if new is not value:
                        setattr(part, name, new)
        return module


def _resized_tensor(torch: Any, p: Any, sizes: Mapping[int, int]) -> Any:
    shape = tuple(sizes.get(int(n), int(n)) for n in p.shape)
    if shape == tuple(p.shape):
        return p
    new = torch.zeros(shape, dtype=p.dtype)
    return torch.nn.Parameter(new) if isinstance(p, torch.nn.Parameter) else new


def _resized_value(value: Any, sizes: Mapping[int, int]) -> Any:
    if type(value) is int and value in sizes:
        return sizes[value]
    if isinstance(value, tuple) and any(type(v) is int and v in sizes for v in value):
        return type(value)(sizes.get(v, v) if type(v) is int else v for v in value)
    return value


def _numbered(d: Any, gone: Mapping[str, int]) -> Any:
    if not dim_names(d) & set(gone):
        return d
    if dim_names(d) <= set(gone):
        return dim_value(d, gone)
    raise ParseError(
        f"dimension {d}: the module fixes {', '.join(f'{n} = {k}' for n, k in gone.items())}", "write the number"
    )


def _as_module(torch: Any, function: Callable[..., Any]) -> Any:
    class Call(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.function = function

        def forward(self, *tensors: Any) -> Any:
            return self.function(*tensors)

    return Call()


def _with_loss(torch: Any, module: Any, loss: Callable[..., Any], own: int) -> Any:
    class Loss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *tensors: Any) -> Any:
            return loss(self.inner(*tensors[:own]), *tensors[own:])

    return Loss()


# ---- which sizes the weights fix, and which inputs are integers


def sized(
    subject: Subject, read: Callable[[dict[str, int], Assumptions, int], R]
) -> tuple[R, dict[str, int], Assumptions]:
    """What `read` makes of the module, the names whose sizes its weights fix, and the properties of the inputs.

    Args:
        read: (sizes of names, properties, which primes) -> a reading; raises what PyTorch raises where they do not fit.
    Raises: ParseError: no sizes fit.
    """
    for fixed, integers in _trials(subject):
        assume = {**subject.assume, **dict.fromkeys(integers, "labels")}
        if not _runs(subject, fixed, assume, subject.module):
            continue
        subject.generic = frozenset(fixed) if len({*fixed.values()}) == len(fixed) else frozenset()
        if subject.generic:
            try:
                return read(fixed, assume, 0), fixed, assume
            except ByhandError:
                raise
            except Exception:
                subject.generic = frozenset()
        return read(fixed, assume, 0), fixed, assume
    try:  # what does not run without values may still be exported
        return read({}, subject.assume, 0), {}, subject.assume
    except ByhandError:
        raise
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        told = f"{type(error).__name__}: {(lines or [''])[0][:200]}"
        raise ParseError(f"the module does not run with these shapes: {told}") from error


def _trials(subject: Subject) -> Iterator[tuple[dict[str, int], tuple[str, ...]]]:
    """Sizes for some of the names, and integers for some of the inputs: the fewest first."""
    names = list(dict.fromkeys(n for s in subject.shapes.values() for d in s for n in sorted(dim_names(d))))
    known = sorted(
        {int(n) for p in (*subject.module.parameters(), *subject.module.buffers()) for n in p.shape if n >= SMALLEST},
        reverse=True,
    )
    for part in subject.module.modules():
        known += sorted(
            {v for k, v in vars(part).items() if type(v) is int and v >= SMALLEST and not k.startswith("_")} - {*known}
        )
    free = [n for n in subject.shapes if n not in subject.assume]
    choices = [(k, m) for k in range(len(names) + 1) for m in range(min(len(free), 2) + 1)]
    tried = 0
    for k, m in sorted(choices, key=sum):
        for chosen in combinations(names, k):
            for values in product(known, repeat=k):
                for integers in combinations(free, m):
                    tried += 1
                    if tried > MOST_TRIALS:
                        return
                    yield dict(zip(chosen, values, strict=True)), integers


def _runs(subject: Subject, fixed: Mapping[str, int], assume: Assumptions, module: Any) -> bool:
    """Whether the module runs at these sizes, with tensors that have no values."""
    from byhand.ingest.sizes import Sizes

    torch = subject.torch
    sizes = Sizes(subject.shapes, fixed)
    try:
        symbols = declare(subject.shapes, assume)
        on_meta = copy.deepcopy(subject.wrapped(module)).to("meta")
        given = [
            torch.zeros(
                sizes.concrete(s.shape),
                dtype=torch.int64 if "labels" in s.assumptions else torch.float64,
                device="meta",
            )
            for s in symbols.values()
        ]
        positional, keywords = subject.arguments(given)
        with torch.no_grad():
            on_meta(*positional, **keywords)
    except Exception:
        return False
    return True


# ---- values


def run_with(subject: Subject, values: Mapping[str, Any], fixed: Mapping[str, int], masks: Sequence[str]) -> Any:
    """The module's value for arrays of inputs, parameters and masks."""
    torch = subject.torch
    shapes = {n: np.shape(values[n]) for n in subject.shapes}
    sizes = _sizes_of(subject, shapes, fixed)
    module = subject.resized(sizes)
    tensors = {n: torch.as_tensor(np.asarray(v)) for n, v in values.items()}
    names = {n: n.replace(".", "_") for n, _ in (*module.named_parameters(), *module.named_buffers())}
    state = {n: tensors[flat] for n, flat in names.items() if flat in tensors}
    given = [tensors[n] for n in subject.shapes]
    positional, keywords = subject.arguments(given)
    whole = subject.wrapped(module)
    prefix = "inner." if subject.loss is not None else ""
    with torch.no_grad(), _given_masks(torch, [tensors[m] for m in masks]):
        result = torch.func.functional_call(
            copy.deepcopy(whole), {prefix + n: v for n, v in state.items()}, positional, keywords, strict=False
        )
    return result.detach().numpy()


def _sizes_of(subject: Subject, shapes: Mapping[str, tuple[int, ...]], fixed: Mapping[str, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for name, shape in subject.shapes.items():
        for d, n in zip(shape, shapes[name], strict=True):
            word = str(d)
            if word in fixed and word in subject.generic and n != fixed[word]:
                found[fixed[word]] = int(n)
    return found


def _given_masks(torch: Any, masks: Sequence[Any]) -> Any:
    """Dropout draws these masks, one after the other."""
    from contextlib import nullcontext

    if not masks:
        return nullcontext()
    left = iter(masks)

    class Given(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if getattr(function, "__name__", "") in ("dropout", "dropout1d", "dropout2d", "dropout3d"):
                x = args[0] if args else kwargs["input"]
                given = {**dict(zip(("input", "p", "training"), args, strict=False)), **(kwargs or {})}
                p = given.get("p", given.get("train", 0.5))
                if given.get("training", given.get("train", True)) and p:
                    return x * next(left).reshape(x.shape) / (1 - p)
                return x
            return function(*args, **(kwargs or {}))

    return Given()
