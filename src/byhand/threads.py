"""What Python keeps once for all threads and byhand uses: the reader of syntax trees, the filters of warnings.

Derivations share nothing that changes but interned nodes (`expr.nodes`) and caches, where the same question has the same answer.
"""

from __future__ import annotations

import ast
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from threading import RLock
from typing import Any, Literal

_reading = RLock()  # `ast` counts how deep it is in one place for all threads, `inspect` and `linecache` keep one cache
_raised: ContextVar[tuple[type[Warning], ...]] = ContextVar("raised", default=())


def syntax_tree(text: str, mode: Literal["exec", "eval"] = "exec") -> Any:
    """The tree of `ast.parse`, for one thread after the other.

    Raises: what `ast.parse` raises.
    """
    with _reading:
        return ast.parse(text, mode=mode)


def source_of(function: Callable[..., Any]) -> str:
    """The text of a function, for one thread after the other.

    Raises: what `inspect.getsource` raises.
    """
    with _reading:
        return inspect.getsource(function)


class Shared:
    """A state of the process that is changed when the first thread comes in and changed back when the last one leaves.

    A context manager that saves and restores by itself would leave behind what another thread had changed meanwhile.
    No lock is held inside, where a user's functions run.
    """

    def __init__(self, change: Callable[[], AbstractContextManager[object]]) -> None:
        self.change = change
        self.lock = RLock()
        self.inside = 0
        self.current: AbstractContextManager[object] | None = None

    def __enter__(self) -> None:
        with self.lock:
            if not self.inside:
                current = self.change()
                current.__enter__()
                self.current = current
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside and self.current is not None:
                self.current.__exit__(None, None, None)
                self.current = None


@contextmanager
def _ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = _seen
        yield


def _seen(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Nothing is shown; what the thread that warns wants as an error is raised where it warns."""
    if issubclass(category, _raised.get()):
        raise message if isinstance(message, Warning) else category(message)


_quiet = Shared(_ignored)


@contextmanager
def quiet_warnings(*errors: type[Warning]) -> Iterator[None]:
    """No warnings of libraries inside.

    Args:
        errors: kinds of warnings that are raised instead, in this thread.
    """
    with _quiet:
        token = _raised.set(errors)
        try:
            yield
        finally:
            _raised.reset(token)


__all__ = ["Shared", "quiet_warnings", "source_of", "syntax_tree"]
