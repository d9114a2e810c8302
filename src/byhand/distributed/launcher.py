"""Which launcher started this process, and what it said: torchrun's variables, Slurm, Open MPI, Kubernetes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from byhand.errors import DataError

PORT_AFTER = 1  # torchrun's own store listens on MASTER_PORT


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a process among those that were started together.

    Attributes:
        rank, world: None where JAX finds them out.
        address: "host:port" of the coordinator; None where JAX finds it out.
        local: which of the processes of this machine it is; None where JAX finds it out.
        launcher: who said so.
    """

    rank: int | None
    world: int | None
    address: str | None
    local: int | None
    launcher: str


ALONE = Place(0, 1, None, None, "")


def place(
    rank: int | None = None,
    world: int | None = None,
    address: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Place:
    """Where this process stands: as given, else as torchrun's variables say, else as JAX will find out.

    Raises: DataError: a part of it is missing or is no number.
    """
    if (rank, world, address) != (None, None, None):
        return _given(rank, world, address)
    if "WORLD_SIZE" in environ and "RANK" in environ:
        return _of_torchrun(environ)
    for launcher, size in (
        ("srun", environ.get("SLURM_NTASKS") if "SLURM_PROCID" in environ and "SLURM_STEP_ID" in environ else None),
        ("mpirun", environ.get("OMPI_COMM_WORLD_SIZE")),
        ("Kubernetes", "many" if {"KUBERNETES_SERVICE_HOST", "JOB_COMPLETION_INDEX"} <= set(environ) else None),
    ):
        if size not in (None, "1"):
            return Place(None, None, None, None, launcher)
    return ALONE


def _given(rank: int | None, world: int | None, address: str | None) -> Place:
    wrong = [n for n, v in (("rank", rank), ("world", world)) if v is None or isinstance(v, bool)]
    if wrong:
        raise DataError(
            f"start(rank={rank}, world={world}, address={address!r}) has no {wrong[0]}",
            "all three, or none: then the launcher's variables are read",
        )
    assert rank is not None and world is not None
    if not 0 <= rank < world:
        raise DataError(f"rank is {rank}, world is {world}: ranks go from 0 to world - 1")
    if world > 1:
        checked(address)
    return Place(rank, world, address, None, "start(rank, world, address)")


def checked(address: str | None) -> str:
    """The address.

    Raises: DataError: none, or one without a port.
    """
    if not address:
        raise DataError("the address of rank 0 is missing", "address='host:port' with a free port of rank 0's machine")
    host, sign, port = address.rpartition(":")
    if not (host and sign and port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise DataError(f"the address is {address[:60]!r}: host:port is needed, such as 10.0.0.1:29400")
    return address


def _of_torchrun(environ: Mapping[str, str]) -> Place:
    """RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT: the coordinator listens beside torchrun's own port.

    A restarted group takes the next port, since the one before may not be free yet.
    """
    rank, world = _number(environ, "RANK"), _number(environ, "WORLD_SIZE")
    if not 0 <= rank < world:
        raise DataError(f"RANK is {rank}, WORLD_SIZE is {world}: ranks go from 0 to WORLD_SIZE - 1")
    if world == 1:
        return ALONE
    host, port = environ.get("MASTER_ADDR"), environ.get("MASTER_PORT")
    if not host or not port:
        name = "MASTER_PORT" if host else "MASTER_ADDR"
        raise DataError(
            f"WORLD_SIZE is {world} and {name} is not set: the address of rank 0 is missing",
            "torchrun sets it; else MASTER_ADDR and MASTER_PORT of rank 0's machine",
        )
    chosen = _number(environ, "MASTER_PORT") + PORT_AFTER + _number(environ, "TORCHELASTIC_RESTART_COUNT", 0)
    local = _number(environ, "LOCAL_RANK") if "LOCAL_RANK" in environ else None
    return Place(rank, world, checked(f"{host}:{chosen}"), local, "torchrun")


def _number(environ: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environ.get(name)
    if text is None and default is not None:
        return default
    if text is None or not (text.isascii() and text.isdigit()):
        raise DataError(f"the variable {name} is {text!r}: a number is needed")
    return int(text)


__all__ = ["ALONE", "Place", "checked", "place"]
