"""Checkpoints: the whole state of a run in one file, so that a run killed at any moment goes on to the same bits.

The state is that after an epoch: parameters, the optimizer's vectors and count (the damping of Newton's method), the
generator's state, the history, and what early stopping remembers. The file is written whole or not at all; what stood
there stays until then. Written after an epoch when the last writing took less than a tenth of the time since, and after
the last epoch; after so many steps too where that is asked for.

Of several processes rank 0 writes. Where layers are divided over them each writes its share of every vector in a file of
its own, and rank 0 an index of these once all are whole: any number of processes, with any mesh, goes on from them.

The memory of L-BFGS is SciPy's and cannot be put back. With a checkpoint it is begun anew every `STRETCH` iterations,
whether the run is broken or not, and the state is written there: a run that is resumed repeats the iterations of one
stretch at most, to the same bits.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from byhand.distributed.world import current
from byhand.errors import DataError
from byhand.train.digests import digests
from byhand.train.loop import History, Trainer, Underway
from byhand.train.saving import read_arrays, write_arrays

Array = Any
NAME = "checkpoint.safetensors"
FORMAT = 4
EARLIER = (2, 3)  # which are read: they are the same with less in them
WITHOUT_DIGEST = 2
STRETCH = 200  # iterations of L-BFGS from one memory: the loss after 1000 is 0.5 % higher then, with 100 it was 6 %
OFTEN = 10.0  # a checkpoint when the last one took less than this share of the time since
_OPEN_ENDED = ("constant", "step", "exponential")  # schedules that do not depend on the number of epochs


class Checkpoints:
    """The checkpoint of a run: called after each epoch as (trainer, epoch, history).

    Args:
        folder: where it stands; made where it is missing.
        trainer: of the run.
        model: the estimator.
        data: the arrays it is trained on, by name.
        held: the validation data.
        every: the steps after which the state within an epoch is written; None only after epochs.
    Raises: DataError: the folder cannot be made.
    """

    def __init__(
        self, folder: Any, trainer: Trainer, model: Any, data: dict[str, Array], held: Any, every: int | None = None
    ) -> None:
        self.path, self.trainer = Path(folder) / NAME, trainer
        self.world, self.history = current(), History()
        self.shares = self.world.size if trainer.engine.divided else 1
        self._number = 0  # of the shares that were written last
        trainer.stretch, trainer.every, trainer.between = STRETCH, every, lambda: self.write(self.history)
        self.world.kept(f"the last checkpoint in {folder}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"cannot make the folder {folder}: {(error.strerror or str(error)).lower()}") from None
        settings = asdict(trainer.settings)
        del settings["mesh"]  # any other goes on as well
        if settings["schedule"] in _OPEN_ENDED:
            settings["epochs"] = None  # more epochs go on from the same state
        self.run = {
            "kind": type(model).__name__,
            "solver": model.solver,
            "network": repr(trainer.program.net),
            "settings": json.loads(json.dumps(settings)),
            "dtype": str(trainer.parameters.dtype),
            "data": digests([*(data[n] for n in sorted(data)), *(held or ())]),
        }
        self._written, self._cost = -float("inf"), 0.0

    def started(self) -> None:
        """Begin anew: a checkpoint that stands there is of another run from now on, and goes.

        Raises: DataError: it cannot be removed.
        """
        if self.world.first:
            try:
                self.path.unlink(missing_ok=True)
                self._remove_shares()
            except OSError as error:
                raise DataError(f"cannot remove {self.path}: {(error.strerror or str(error)).lower()}") from None
        self.world.together("begun anew")

    def resumed(self) -> History | None:
        """Put the trainer into the state of the file; None where there is no file.

        Raises: DataError: a damaged file, or one of another run: which setting or whether the data differ. Not all ranks
            see the same file.
        """
        there = self.path.exists()
        self.world.same({f"the file {self.path}": zlib.crc32(self.path.read_bytes()) if there else None})
        if not there:
            return None
        arrays, held = read_arrays(self.path, "checkpoint", "checkpoint", WITHOUT_DIGEST)
        if held["format"] not in (*EARLIER, FORMAT):
            raise DataError(f"{self.path} has format {held['format']}, this version of byhand reads {FORMAT}")
        try:
            for name, value in self.run.items():
                if held["run"][name] != value:
                    raise DataError(
                        f"{self.path} is of another run: {_difference(name, held['run'][name], value)}",
                        "leave out --resume (resume=True) to start anew, or name another folder",
                    )
            arrays |= self._joined(held)
            self.history = self._restore(arrays, held)
            return self.history
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{self.path} is not a whole checkpoint: it is damaged, or of another version") from None

    def _restore(self, arrays: dict[str, Array], held: dict[str, Any]) -> History:
        trainer = self.trainer
        trainer.restore(arrays, held["state"])
        trainer.rng.bit_generator.state = held["rng"]
        trainer.underway = Underway(**held["underway"]) if held.get("underway") else None
        trainer.progress.best = float("inf") if held["best"] is None else held["best"]
        trainer.progress.waited = held["waited"]
        trainer.progress.parameters = arrays.get("best")
        if trainer.norms is not None:
            if held.get("gradient_norms"):
                trainer.norms.restore(arrays["gradient_norms"], held["gradient_norms"])
            else:  # nobody recorded them before
                trainer.record(trainer.norms)
        return History(**held["history"])

    def __call__(self, trainer: Trainer, epoch: int, history: History) -> None:
        """Write, unless the last writing is too near, or training cannot go on from here."""
        now, s, self.history = time.perf_counter(), trainer.settings, history
        spent = s.patience is not None and trainer.progress.waited >= s.patience
        last = epoch >= s.epochs or spent or trainer.converged
        due = last or now - self._written >= OFTEN * self._cost
        if self.shares > 1:  # all write, or none
            due = self.world.of_first(due)
        if due and trainer.resumable(epoch):
            self.write(history)
            self._written = time.perf_counter()
            self._cost = self._written - now

    def write(self, history: History) -> None:
        """The state as it stands.

        Raises: DataError: the disk is full or the folder cannot be written to; the file that stood there stays.
        """
        trainer = self.trainer
        if self.shares == 1 and not self.world.first:
            return
        arrays, plain = trainer.state()
        if trainer.progress.parameters is not None:
            arrays["best"] = trainer.progress.parameters
        if trainer.norms is not None:
            arrays["gradient_norms"] = trainer.norms.values
        best = trainer.progress.best
        description = {
            "format": FORMAT,
            "run": self.run,
            "state": plain,
            "rng": trainer.rng.bit_generator.state,
            "underway": None if trainer.underway is None else asdict(trainer.underway),
            "best": best if np.isfinite(best) else None,
            "waited": trainer.progress.waited,
            "history": asdict(history),
            "gradient_norms": None if trainer.norms is None else trainer.norms.state(),
        }
        if self.shares == 1:
            write_arrays(self.path, arrays, description, "checkpoint")
        else:
            self._write_shares(arrays, description)

    # ---- shares

    def _share(self, number: int, rank: int) -> Path:
        return self.path.with_name(f"{self.path.stem}-{number}-{rank:05d}-of-{self.shares:05d}.safetensors")

    def _write_shares(self, arrays: dict[str, Array], description: dict[str, Any]) -> None:
        """This rank's share of each vector; then, when all are whole, rank 0's index of them. Older shares go last."""
        self._number += 1
        vectors = {n: a for n, a in arrays.items() if a.ndim == 1}
        mine = {n: np.array_split(a, self.shares)[self.world.rank] for n, a in vectors.items()}
        about = {"format": FORMAT, "number": self._number, "rank": self.world.rank}
        write_arrays(self._share(self._number, self.world.rank), mine, about, "share")
        self.world.together("written")
        if self.world.first:
            rest = {n: a for n, a in arrays.items() if n not in vectors}
            names = [self._share(self._number, rank).name for rank in range(self.shares)]
            write_arrays(self.path, rest, {**description, "shares": names, "number": self._number}, "checkpoint")
            self._remove_shares(names)

    def _remove_shares(self, but: Sequence[str] = ()) -> None:
        for path in self.path.parent.glob(f"{self.path.stem}-*-of-*.safetensors"):
            if path.name not in but:
                path.unlink(missing_ok=True)

    def _joined(self, held: dict[str, Any]) -> dict[str, Array]:
        """The vectors whose shares stand in files of their own."""
        self._number = held.get("number", 0)
        names = held.get("shares", [])
        parts: dict[str, list[Array]] = {}
        for rank, name in enumerate(names):
            found, about = read_arrays(self.path.parent / Path(name).name, "share", "share of a checkpoint", 0)
            if (about["number"], about["rank"]) != (self._number, rank):
                raise DataError(f"{name} is of another checkpoint than {self.path}")
            for vector, part in found.items():
                parts.setdefault(vector, []).append(part)
        return {vector: np.concatenate(shares) for vector, shares in parts.items()}


def _difference(name: str, there: Any, here: Any) -> str:
    if isinstance(here, dict):
        name, there, here = next((k, there.get(k), v) for k, v in here.items() if there.get(k) != v)
    if name == "data":
        return "its data are not these"
    return f"its {name} is {there}, not {here}"


__all__ = ["Checkpoints"]
