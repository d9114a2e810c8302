"""The ranks that train together: who they are, what they agree about, how they end."""

from __future__ import annotations

import atexit
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from byhand.distributed.link import LOST, Link, leave
from byhand.errors import DataError


class World:
    """All ranks of a run.

    Attributes:
        rank: of this process, from 0.
        size: how many there are.
        launcher: what started them; "" for a process alone.
    """

    def __init__(self, rank: int = 0, size: int = 1, launcher: str = "", link: Link | None = None) -> None:
        self.rank, self.size, self.launcher, self.link = rank, size, launcher, link
        self._interrupted = False

    def __repr__(self) -> str:
        return f"World(rank={self.rank}, size={self.size})"

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which prints and writes."""
        return self.rank == 0

    def together(self, value: Any) -> list[Any]:
        """What every rank says here, by rank; all of them have to call it. Plain data, at most 16 kB."""
        return [value] if self.link is None else self.link.together(value)

    def any(self, flag: bool) -> bool:
        """Whether a rank says yes."""
        return any(self.together(bool(flag)))

    def of_first(self, value: Any) -> Any:
        """What rank 0 says."""
        return self.together(value)[0]

    def same(self, facts: dict[str, Any]) -> None:
        """That all ranks have the same facts.

        Raises: DataError: one that differs, on all ranks alike.
        """
        said = self.together(facts)
        for name, value in said[0].items():
            for rank, other in enumerate(said):
                if other.get(name) != value:
                    raise DataError(
                        f"the ranks differ: {name} of rank {rank} is {_short(other.get(name))}, of rank 0 {_short(value)}",
                        "the same command, files and installation on every machine",
                    )

    # ---- where a run stands

    def doing(self, what: str) -> None:
        """For the sentence about a lost rank: "in epoch 3"."""
        if self.link is not None:
            self.link.doing = what

    def kept(self, what: str) -> None:
        """What remains when all ends: "the checkpoint runs/a"."""
        if self.link is not None:
            self.link.kept = what

    # ---- interruptions

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within it Ctrl-C on any rank is only noted, for all to agree about; a second one ends this rank."""
        if self.link is None:
            yield
            return

        def noted(number: int, frame: Any) -> None:
            if self._interrupted:
                leave(130, "Interrupted.")
            self._interrupted = True

        try:
            before = signal.signal(signal.SIGINT, noted)
        except ValueError:  # not in the main thread, which alone has signals
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed on some rank; all of them have to call it."""
        return self.any(self._interrupted)

    # ---- the end

    @contextmanager
    def computing(self) -> Iterator[None]:
        """A computation of all ranks: when it fails because another rank is lost, that is said, not how it failed."""
        if self.link is None:
            yield
            return
        from jax.errors import JaxRuntimeError

        try:
            yield
        except JaxRuntimeError as error:
            time.sleep(1.5)  # whoever listens to the hub knows who is lost by then, and ends the process
            self.fail(LOST, f"byhand: a computation of all ranks failed: {str(error).splitlines()[0][:200]}")

    def fail(self, code: int, sentence: str) -> None:
        """End this rank with a sentence that is already said or still to be, and the others with it."""
        if self.link is not None:
            self.link.fail(code, sentence)
            leave(code, sentence)

    def finish(self) -> None:
        """The end that all ranks reach: waits for them."""
        global _current
        if self.link is not None:
            import jax

            self.link.doing = "at the end"
            self.link.together("end")
            self.link.close()
            self.link = None
            jax.distributed.shutdown()
        _current = World()


_current = World()


def current() -> World:
    """The ranks that take part; a process alone is a world of one."""
    return _current


def began(world: World) -> World:
    """The ranks that take part from now on; at their end they wait for each other, and an error nobody caught ends all."""
    global _current
    _current = world
    if world.link is None:
        return world
    shown = sys.excepthook

    def failed(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        shown(kind, error, trace)
        code = 130 if issubclass(kind, KeyboardInterrupt) else 1
        world.fail(code, f"byhand: rank {world.rank} ended with {kind.__name__}: {str(error)[:400]}")

    sys.excepthook = failed
    atexit.register(world.finish)
    return world


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


__all__ = ["World", "began", "current"]
