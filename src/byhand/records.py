"""`dataclass` as the standard library's, but that frozen classes with slots are made ten times as fast.

The package has about a hundred of them, and the standard library compiles six methods for each: more than half of the
time of an import. Here one is compiled, `__init__`; the others are shared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        """A data class; see `dataclasses.dataclass`."""

        def wrap(cls: type) -> type:
            if options == {"frozen": True, "slots": True}:
                return _frozen_with_slots(cls)
            return dataclasses.dataclass(**options)(cls)

        return wrap if cls is None else wrap(cls)


_FROM_BASE = object()


def _frozen_with_slots(cls: type) -> type:
    own = set(vars(cls))
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    fields = dataclasses.fields(made)
    if any(f.kw_only or not f.init or not f.compare or not f.repr for f in fields):
        raise TypeError(f"{cls.__name__}: fields with options are for dataclasses.dataclass")
    names = tuple(f.name for f in fields)
    shared: dict[str, Any] = {
        "__init__": _init(made, fields),
        "__eq__": _eq(_values(names)),
        "__hash__": _hash(_values(names)),
        "__reduce__": _reduce(_values(names)),
        "__repr__": _repr,
        "__setattr__": _refused,
        "__delattr__": _refused,
    }
    for name, method in shared.items():
        if name not in own:
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def _init(made: Any, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    """The one method that is compiled: `__init__`, which sets each slot by its descriptor."""
    scope: dict[str, Any] = {"_missing": _FROM_BASE}
    arguments, body = ["self"], []
    for f in fields:
        scope[f"_set_{f.name}"] = getattr(made, f.name).__set__
        value = f.name
        if f.default is not dataclasses.MISSING:
            scope[f"_default_{f.name}"] = f.default
            arguments.append(f"{f.name}=_default_{f.name}")
        elif f.default_factory is not dataclasses.MISSING:
            scope[f"_make_{f.name}"] = f.default_factory
            arguments.append(f"{f.name}=_missing")
            value = f"_make_{f.name}() if {f.name} is _missing else {f.name}"
        else:
            arguments.append(f.name)
        body.append(f"_set_{f.name}(self, {value})")
    body += ["self.__post_init__()"] if hasattr(made, "__post_init__") else []
    exec(f"def __init__({', '.join(arguments)}):\n " + "\n ".join(body or ["pass"]), scope)
    method: Callable[..., None] = scope["__init__"]
    method.__qualname__ = f"{made.__qualname__}.__init__"
    return method


def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return (lambda self: (getattr(self, names[0]),)) if names else (lambda self: ())


def _eq(values: Callable[[Any], tuple[Any, ...]]) -> Any:
    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self is other or values(self) == values(other)

    return __eq__


def _hash(values: Callable[[Any], tuple[Any, ...]]) -> Any:
    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return __hash__


def _reduce(values: Callable[[Any], tuple[Any, ...]]) -> Any:
    def __reduce__(self: Any) -> Any:  # noqa: N807
        return self.__class__, values(self)

    return __reduce__


def _repr(self: Any) -> str:
    shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self))
    return f"{self.__class__.__qualname__}({shown})"


def _refused(self: Any, name: str, *value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot {'assign to' if value else 'delete'} field {name!r}")


__all__ = ["dataclass"]
