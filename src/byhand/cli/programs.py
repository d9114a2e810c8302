"""`FILE.py:NAME` on the command line: somebody's file is run as Python, and what it defines is taken."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from byhand.cli.output import Failure, note

if TYPE_CHECKING:
    from byhand.derive.derivation import Derivation
    from byhand.expr.expression import Expression
    from byhand.notation.blocks import Document, Section

_PROGRAM = re.compile(r"[^\n]+\.py:[^\W\d]\w*")


def is_program(text: str | None) -> bool:
    """Whether a text names something in a file of Python, and is no expression."""
    return text is not None and _PROGRAM.fullmatch(text.strip()) is not None


def load(place: str) -> Any:
    """What `FILE.py:NAME` names.

    Raises: click.UsageError: no such file or name, or the file does not run.
    """
    file, _, name = place.rpartition(":")
    path = Path(file)
    if not file or not name:
        raise click.UsageError(f"{place}: write FILE.py:NAME")
    if path.is_dir():
        raise click.UsageError(f"cannot read {path}: it is a folder")
    if not path.is_file():
        raise click.UsageError(f"cannot read {path}: no such file")
    from byhand.check.subject import place_of

    key = f"byhand_checked_{abs(hash(path.resolve()))}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, path)
        if spec is None or spec.loader is None:
            raise click.UsageError(f"{path} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[key] = module
        sys.path.insert(0, str(path.resolve().parent))
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[key]
            at = place_of(error)
            raise click.UsageError(
                f"{path} does not run: {type(error).__name__}: {error}{f'  ({at})' if at else ''}"
            ) from error
        finally:
            sys.path.remove(str(path.resolve().parent))
    if not hasattr(sys.modules[key], name):
        from byhand.errors import nearest

        raise click.UsageError(
            f"{path} has no {name}{nearest(name, [n for n in vars(sys.modules[key]) if not n.startswith('_')])}"
        )
    return getattr(sys.modules[key], name)


def expression_of(place: str, shapes: Mapping[str, str], assume: Mapping[str, str]) -> Expression:
    """A module of PyTorch, a function of JAX, PyTorch or NumPy, or an expression of byhand, as a scalar function.

    A result that is no scalar is paired with an input `upstream` of its shape.

    Raises: click.UsageError: what is named is none of these. ByhandError: it cannot be read.
    """
    note(f"Note: {place.rpartition(':')[0]} is run as Python.")
    found = load(place)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(found, type) and issubclass(found, torch.nn.Module):
        try:
            found = found()
        except TypeError as error:
            name = place.rpartition(":")[2]
            raise click.UsageError(f"{name}() cannot be made: {error}; name a variable: net = {name}(...)") from error
    return scalar(_read(found, place, shapes, assume))


def _read(found: Any, place: str, shapes: Mapping[str, str], assume: Mapping[str, str]) -> Expression:
    from byhand.expr.expression import Expression

    inner = found if isinstance(found, Expression) else getattr(found, "expression", None)
    if isinstance(inner, Expression):
        return inner
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(found, torch.nn.Module):
        return _from_torch(found, shapes, assume)
    if not callable(found) or isinstance(found, type):
        kinds = "a module of PyTorch, a function or an expression"
        raise click.UsageError(f"{place} is a {type(found).__name__}: {kinds} is needed")
    used = _libraries(found)
    if "torch" in used:
        return _from_torch(found, shapes, assume)
    if "jax" in used:
        from byhand.ingest.read_jax import from_jax

        return from_jax(found, shapes, assume=assume)
    from byhand.expr.trace import trace

    return trace(found, shapes, assume)


def _from_torch(found: Any, shapes: Mapping[str, str], assume: Mapping[str, str]) -> Expression:
    from byhand.ingest.read_torch import from_torch

    return from_torch(found, shapes, assume=assume)


def _libraries(function: Any) -> set[str]:
    """The libraries that a function's file has imported, those that it names itself first."""
    if type(function).__module__.partition(".")[0] in ("jax", "jaxlib"):
        return {"jax"}
    function = getattr(function, "__wrapped__", function)
    names: Mapping[str, Any] = getattr(function, "__globals__", {})
    code = getattr(function, "__code__", None)
    own = {n: names[n] for n in getattr(code, "co_names", ()) if n in names}
    for scope in (own, names):
        roots = {
            (v.__name__ if isinstance(v, ModuleType) else getattr(v, "__module__", "") or "").partition(".")[0]
            for v in scope.values()
        } & {"torch", "jax"}
        if roots:
            return roots
    return set()


def scalar(f: Expression) -> Expression:
    """The function itself, or ⟨upstream, f⟩ where its value has axes."""
    if f.shape == ():
        return f
    from dataclasses import replace

    from byhand.expr.arrays import sum_
    from byhand.expr.nodes import named, symbol
    from byhand.expr.surface import multiply
    from byhand.expr.trace import deserves_a_name

    taken = {*f.symbols, *f.intermediates, *f.dimension_names}
    name = "upstream"
    while name in taken:
        name += "_"
    u = symbol(name, f.shape, ["constant"])
    result = "result" if f.name == "f" else f.name
    root = named(result, f.root) if result not in taken and deserves_a_name(f.root) else f.root
    said = f"The result is paired with {name}, the gradient of what follows it."
    sources = {**f.sources, **({result: f.sources[f.name]} if f.name in f.sources else {})}
    return replace(
        f, root=sum_(multiply(u, root)), inputs=(*f.inputs, u), name="f", notes=(*f.notes, said), sources=sources
    )


# ---- the source beside the derivation


def beside_source(d: Derivation, document: Document) -> tuple[Section, ...]:
    """Each line of the source with what was derived from it.

    Raises: Failure: the function was not read from a program.
    """
    from byhand.ingest.places import Place
    from byhand.notation.blocks import Section

    if not d.f.sources:
        raise Failure("--source goes with FILE.py:NAME: this function was not read from a program", 2)
    by_place: dict[tuple[str, int], list[str]] = {}
    for name, (file, line) in d.f.sources.items():
        by_place.setdefault((file, line), []).append(name)
    found = []
    for (file, line), names in sorted(by_place.items()):
        lines = [e for s in document.sections for e in s.lines if e.unit in names and e.kind != "result"]
        if lines:
            title = f"{Path(file).name}:{line}   {Place(file, line).text}"
            found.append(Section(title, tuple(dict.fromkeys(lines))))
    return tuple(found)
