"""The ranks that train together: who they are, what they agree about, how they end."""

from __future__ import annotations

import atexit
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from byhand.distributed.launcher import Place, place
from byhand.distributed.link import LOST, Link, leave
from byhand.errors import ByhandError, DataError

HEARTBEAT = 30.0  # seconds
CONNECTING = 120  # seconds until all ranks have to be there
NEVER = 10 * 24 * 3600  # seconds: rank 0 may judge and draw while the others wait for the end
_NAME = 64  # bytes of a host's name, a port and a token, as they are sent to all ranks


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
        import time

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


def start(
    rank: int | None = None, world: int | None = None, address: str | None = None, heartbeat: float | None = None
) -> World:
    """Join the other processes: before any other use of JAX, on every rank.

    Without arguments the launcher's variables are read: torchrun's (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT), else JAX
    finds out what Slurm, Open MPI or Kubernetes say. A process alone is a world of one.

    Args:
        rank: of this process, from 0.
        world: how many processes there are.
        address: "host:port", where rank 0 listens. The port is not authenticated: private networks only.
        heartbeat: seconds of silence after which a rank counts as lost; None is BYHAND_HEARTBEAT, or 30.
    Returns: the ranks; from now on a rank that is lost ends the others within two seconds with exit code 75.
    Raises: DataError: a part of the place is missing or wrong, the port is in use, or not all ranks came.
        ByhandError: JAX is not installed, or was used before.
    """
    global _current
    here = place(rank, world, address)
    if _current.link is not None:
        raise ByhandError("distributed.start was called before", "once a process")
    if here.world == 1:
        _current = World(0, 1, here.launcher)
        return _current
    seconds = _heartbeat(heartbeat)
    _connect(here, seconds)
    _current = _linked(here, seconds)
    _leave_with_the_others(_current)
    return _current


def _heartbeat(given: float | None) -> float:
    text = os.environ.get("BYHAND_HEARTBEAT", str(HEARTBEAT)) if given is None else str(given)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 2 <= seconds <= 3600:
        raise DataError(f"the heartbeat is {text[:20]!r}: seconds, from 2 to 3600")
    return seconds


def _connect(here: Place, heartbeat: float) -> None:
    try:
        import jax
    except ImportError:
        raise ByhandError("several processes need JAX, which is not installed", "pip install 'byhand[jax]'") from None
    if here.rank == 0 and here.address:
        _need_free(here.address)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # it would catch the launcher's SIGTERM
    options: dict[str, Any] = {}
    if here.local is not None and _has_gpus():
        options["local_device_ids"] = [here.local]
    if here.address is not None:
        options["cluster_detection_method"] = "deactivate"
    try:
        jax.distributed.initialize(
            here.address, here.world, here.rank,
            initialization_timeout=CONNECTING, heartbeat_timeout_seconds=int(2 * heartbeat + 60),
            shutdown_timeout_seconds=NEVER, **options,
        )  # fmt: skip
    except RuntimeError as error:
        if "must be called before" in str(error):
            raise ByhandError("JAX was used before distributed.start", "start first, right after the imports") from None
        where = here.address or "the address that JAX found"
        raise DataError(
            f"rank {here.rank} could not join the others at {where}: {str(error).splitlines()[0][:160]}",
            "the same address on all ranks, and a port that they can reach",
        ) from None
    except ValueError as error:
        raise DataError(f"{here.launcher} does not say what JAX needs: {error}") from None


def _has_gpus() -> bool:
    return os.path.exists("/dev/nvidia0") or os.path.exists("/dev/kfd")


def _need_free(address: str) -> None:
    """Raises: DataError: the port is in use."""
    try:
        with socket.create_server(("", int(address.rpartition(":")[2]))):
            pass
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise DataError(f"rank 0 cannot listen on {address}: {words}", "another port, the same on all ranks") from None


def _linked(here: Place, heartbeat: float) -> World:
    """The connection beside JAX's: rank 0's hub tells all where it listens, once, by JAX itself."""
    import jax
    import numpy as np
    from jax.experimental import multihost_utils

    from byhand.distributed.hub import Hub

    rank, size = jax.process_index(), jax.process_count()
    host = here.address.rpartition(":")[0].strip("[]") if here.address else socket.gethostbyname(socket.gethostname())
    loopback = host in ("localhost", "::1") or host.startswith("127.")
    said = np.zeros(3 * _NAME, np.uint8)
    if rank == 0:
        token = secrets.token_hex(16)
        hub = Hub(host if loopback else "", size, token, heartbeat)
        for k, text in enumerate((host, str(hub.port), token)):
            said[k * _NAME : k * _NAME + len(text)] = np.frombuffer(text.encode()[:_NAME], np.uint8)
    with _without_output():
        heard = np.asarray(multihost_utils.broadcast_one_to_all(said), np.uint8)
    host, port, token = (bytes(heard[k * _NAME : (k + 1) * _NAME]).rstrip(b"\0").decode() for k in range(3))
    return World(rank, size, here.launcher, Link(host, int(port), token, rank, size, heartbeat))


@contextmanager
def _without_output() -> Iterator[None]:
    """Standard output closed to C++: gloo prints there how many ranks it is connected to."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _leave_with_the_others(world: World) -> None:
    """At the end wait for all; an error that nobody caught ends the others too."""
    shown = sys.excepthook

    def failed(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        shown(kind, error, trace)
        code = 130 if issubclass(kind, KeyboardInterrupt) else 1
        world.fail(code, f"byhand: rank {world.rank} ended with {kind.__name__}: {str(error)[:400]}")

    sys.excepthook = failed
    atexit.register(world.finish)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


__all__ = ["World", "current", "start"]
