"""A rank of the tests: fits a network to the digits, and writes its weights.

`worker.py FOLDER '{"settings": ..., "fit": ..., "kill": [rank, epoch], "differ": rank}'`; XLA_FLAGS says how many devices.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import byhand


def main(folder: Path, asked: dict[str, Any]) -> None:
    """One rank."""
    world = byhand.distributed.start()
    X, y = load_digits(return_X_y=True)
    X, y = X[:500], y[:500]
    if asked.get("differ") == world.rank:
        X = X + 1

    def killed(epoch: int, history: object) -> bool:
        """The end of a rank without a word, once."""
        rank, when = asked["kill"]
        if (world.rank, epoch) == (rank, when) and not (folder / "killed").exists():
            (folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return asked.get("stop") == [world.rank, epoch]

    asked.setdefault("kill", [-1, -1])
    settings = {"max_epochs": 4, "batch_size": 64, "random_state": 3, "engine": "jax"} | asked["settings"]
    model = byhand.MLPClassifier((16, 8), callbacks=[killed], **settings).fit(X, y, **asked.get("fit", {}))
    weights = np.concatenate([a.ravel() for a in model.parameters_.values()])
    np.save(folder / f"{world.size}-{world.rank}.npy", np.append(weights, model.loss_curve_))
    if world.first:
        print(json.dumps({"epochs": model.n_iter_, "launcher": world.launcher, "size": world.size}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
