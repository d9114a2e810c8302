"""How the processes of a run find each other: first by connections of their own, then by JAX.

Rank 0 listens at the address that all know. Once all are there it says where JAX's coordinator listens, which ends a process
with a stack of C++ where a rank does not come. Where only JAX can find out who takes part (Slurm, Open MPI, Kubernetes),
JAX comes first, and tells where rank 0 listens.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from inspect import signature
from typing import Any

from byhand.distributed.hub import Hub, free_port
from byhand.distributed.launcher import Place, place
from byhand.distributed.link import Link
from byhand.distributed.world import World, began, current
from byhand.errors import ByhandError, DataError

HEARTBEAT = 30.0  # seconds
CONNECTING = 120.0  # seconds until all ranks have to be there
NEVER = 10 * 24 * 3600  # seconds: rank 0 may judge and draw while the others wait for the end
_NAME = 64  # bytes of a host's name, a port and a token, as JAX sends them to all ranks


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
    here = place(rank, world, address)
    if current().link is not None:
        raise ByhandError("distributed.start was called before", "once a process")
    if here.world == 1:
        return began(World(0, 1, here.launcher))
    seconds = _heartbeat(heartbeat)
    _need_jax()
    link = _join_by_jax(here, seconds) if here.address is None else _join_by_address(here, seconds)
    with _without_output():
        from jax.experimental.multihost_utils import sync_global_devices

        sync_global_devices("byhand")
    return began(World(link.rank, link.world, here.launcher, link))


def _heartbeat(given: float | None) -> float:
    text = os.environ.get("BYHAND_HEARTBEAT", str(HEARTBEAT)) if given is None else str(given)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 2 <= seconds <= 3600:
        raise DataError(f"the heartbeat is {text[:20]!r}: seconds, from 2 to 3600")
    return seconds


def _need_jax() -> None:
    if find_spec("jax") is None:
        raise ByhandError("several processes need JAX, which is not installed", "pip install 'byhand[jax]'")


def _join_by_address(here: Place, heartbeat: float) -> Link:
    """All ranks connected at the address, and then by JAX.

    Raises: DataError: the port is in use, or not all ranks came.
    """
    assert here.address is not None and here.rank is not None and here.world is not None
    host, _, port = here.address.rpartition(":")
    host, token = host.strip("[]"), os.environ.get("TORCHELASTIC_RUN_ID", "")
    if here.rank == 0:
        try:
            Hub(host if _is_loopback(host) else "", int(port), here.world, token, heartbeat)
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise DataError(
                f"rank 0 cannot listen on {here.address}: {words}", "another port, the same on all ranks"
            ) from None
    link = Link(host, int(port), token, here.rank, here.world, heartbeat, within=CONNECTING)
    found = link.together(free_port() if here.rank == 0 else 0, within=CONNECTING)
    _initialize(f"{host}:{found[0]}", here, heartbeat)
    return link


def _join_by_jax(here: Place, heartbeat: float) -> Link:
    """All ranks by JAX, which tells where rank 0 listens."""
    _initialize(None, here, heartbeat)
    import jax
    import numpy as np
    from jax.experimental.multihost_utils import broadcast_one_to_all

    rank, size = jax.process_index(), jax.process_count()
    said = np.zeros(3 * _NAME, np.uint8)
    if rank == 0:
        token, host = secrets.token_hex(16), socket.gethostbyname(socket.gethostname())
        hub = Hub(host if _is_loopback(host) else "", 0, size, token, heartbeat)
        for k, text in enumerate((host, str(hub.port), token)):
            said[k * _NAME : k * _NAME + len(text)] = np.frombuffer(text.encode()[:_NAME], np.uint8)
    with _without_output():
        heard = np.asarray(broadcast_one_to_all(said), np.uint8)
    host, port, token = (bytes(heard[k * _NAME : (k + 1) * _NAME]).rstrip(b"\0").decode() for k in range(3))
    return Link(host, int(port), token, rank, size, heartbeat, within=CONNECTING)


def _initialize(address: str | None, here: Place, heartbeat: float) -> None:
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # it would catch the launcher's SIGTERM
    options: dict[str, Any] = {
        "initialization_timeout": int(CONNECTING),
        "heartbeat_timeout_seconds": int(2 * heartbeat + 60),
        "shutdown_timeout_seconds": NEVER,
    }
    known = signature(jax.distributed.initialize).parameters  # the last two came with 0.7 and later
    options = {name: value for name, value in options.items() if name in known}
    if here.local is not None and _has_gpus():
        options["local_device_ids"] = [here.local]
    if address is not None:
        options["cluster_detection_method"] = "deactivate"
        if _is_loopback(address.rpartition(":")[0]):
            options["coordinator_bind_address"] = address
    try:
        jax.distributed.initialize(address, here.world, here.rank, **options)
    except RuntimeError as error:
        if "must be called before" in str(error):
            raise ByhandError("JAX was used before distributed.start", "start first, right after the imports") from None
        raise DataError(
            f"the ranks could not join by JAX at {address or 'the address that it found'}: {str(error).splitlines()[0][:160]}",
            "ports above 1024 of rank 0's machine that all ranks can reach",
        ) from None
    except ValueError as error:
        raise DataError(f"{here.launcher} does not say what JAX needs: {error}") from None


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _has_gpus() -> bool:
    return os.path.exists("/dev/nvidia0") or os.path.exists("/dev/kfd")


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


__all__ = ["start"]
