"""`byhand train` on several ranks: started here by --processes, or by the launcher whose variables are set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from byhand.cli.output import Failure, silence
from byhand.errors import ByhandError


def spawned(processes: int | None, engine: str) -> None:
    """Run this command again on so many ranks of this machine, and end as they end; nothing where one is enough.

    Raises: UsageError: a launcher has started several ranks already. Failure: the engine trains in one process.
    """
    from byhand.distributed.launcher import place

    if processes is None:
        return
    if place().world != 1:
        raise click.UsageError("--processes starts ranks, and a launcher has started this one: one of the two")
    if processes > 1:
        _need_jax(engine, processes)
        from byhand.distributed.local import again, run_ranks

        arguments = _without_processes(click.get_current_context().find_root().obj)
        raise click.exceptions.Exit(run_ranks(again(arguments), processes))


def _without_processes(arguments: list[str]) -> list[str]:
    kept, skip = [], False
    for text in arguments:
        if skip or text.startswith("--processes="):
            skip = False
        elif text == "--processes":
            skip = True
        else:
            kept.append(text)
    return kept


def _need_jax(engine: str, count: int | str) -> None:
    if engine not in ("auto", "jax"):
        raise Failure(
            f"--engine {engine} trains in one process, not in {count}: each would train the same model and write the same "
            "file\n  --engine jax trains on all of them",
            2,
        )


@contextmanager
def ranks(engine: str) -> Iterator[Any]:
    """All ranks of the command: those but the first say nothing, and an error of one ends all.

    Raises: Failure: the engine trains in one process.
    """
    from byhand.distributed.launcher import place

    if place().world == 1:
        from byhand.distributed.world import current

        yield current()
        return
    _need_jax(engine, os.environ.get("WORLD_SIZE", "several"))
    from byhand.distributed.joining import start

    world = start()
    if not world.first:
        silence()
    try:
        yield world
    except click.exceptions.Exit:  # all ranks reach it: an interruption they agreed about
        world.finish()
        raise
    except click.ClickException as error:
        world.fail(error.exit_code, f"Error: {error.format_message()}")
    except ByhandError as error:
        world.fail(2, f"Error: {error}")
    except KeyboardInterrupt:
        world.fail(130, "Interrupted.")
    except Exception as error:
        world.fail(3, f"byhand: internal error: {type(error).__name__}: {error}")
    world.finish()


__all__ = ["ranks", "spawned"]
