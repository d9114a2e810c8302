"""Several processes on the loopback: the weights of one, whatever happens to a rank."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tools import needed

from byhand.distributed.local import run_ranks

pytest.importorskip("jax")
pytestmark = pytest.mark.slow
WORKER = Path(__file__).with_name("worker.py")


def _command(folder: Path, **asked: Any) -> list[str]:
    return [sys.executable, str(WORKER), str(folder), json.dumps({"settings": {}, **asked})]


def _weights(folder: Path, size: int, rank: int = 0) -> Any:
    return np.load(folder / f"{size}-{rank}.npy")


def _ranks(command: list[str], count: int, devices: int = 1) -> list[subprocess.CompletedProcess[str]]:
    """So many ranks, each with so many devices, and what each said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    env = {**os.environ, "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port - 1)}
    env["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(command, env={**env, "RANK": str(k)}, stdout=pipe, stderr=pipe, text=True)
        for k in range(count)
    ]
    said = [rank.communicate(timeout=300) for rank in started]
    return [
        subprocess.CompletedProcess(command, rank.returncode, *both) for rank, both in zip(started, said, strict=True)
    ]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of one process by NumPy, and of two."""
    folder = tmp_path_factory.mktemp("unbroken")
    asked = {"dropout": 0.2, "early_stopping": True, "clip_norm": 1.0}
    subprocess.run(_command(folder, settings={**asked, "engine": "numpy"}), check=True)
    ranks = _ranks(_command(folder, settings=asked), 2)
    assert [rank.returncode for rank in ranks] == [0, 0], ranks
    assert json.loads(ranks[0].stdout) == {"epochs": 4, "launcher": "torchrun", "size": 2}
    assert ranks[1].stdout == ""
    return folder


def test_two_processes_give_the_weights_of_one(unbroken: Path) -> None:
    one, first, second = _weights(unbroken, 1), _weights(unbroken, 2), _weights(unbroken, 2, 1)
    assert np.abs(one - first).max() <= 1e-12
    assert np.array_equal(first, second)


def test_after_a_killed_rank_a_second_run_goes_on_within_the_epoch(unbroken: Path, tmp_path: Path) -> None:
    asked = {"dropout": 0.2, "early_stopping": True, "clip_norm": 1.0}
    kept = {"checkpoint": str(tmp_path / "kept"), "resume": True, "checkpoint_every": 3}
    command = _command(tmp_path, settings=asked, fit=kept, kill=[1, 2])
    ranks = _ranks(command, 2)
    assert [rank.returncode for rank in ranks] == [75, -9], ranks
    assert "rank 1 of 2" in ranks[0].stderr and "--resume" in ranks[0].stderr
    again = _ranks(command, 2)
    assert [rank.returncode for rank in again] == [0, 0], again
    assert np.abs(_weights(tmp_path, 2) - _weights(unbroken, 2)).max() <= 1e-12  # a scan of 3 steps, not of 7


def test_shares_of_divided_layers_are_read_by_another_mesh(tmp_path: Path) -> None:
    kept = {"checkpoint": str(tmp_path / "kept"), "resume": True}
    divided = {"mesh": "data=2,model=4", "max_epochs": 2}
    ranks = _ranks(_command(tmp_path, settings=divided, fit=kept), 2, devices=4)
    assert [rank.returncode for rank in ranks] == [0, 0], ranks
    names = sorted(p.name for p in (tmp_path / "kept").iterdir())
    assert len(names) == 3 and names[0].endswith("-00000-of-00002.safetensors")
    before = _weights(tmp_path, 2)
    for mesh, count in (("data=8", 1), ("data=2,model=4", 2)):
        whole = _ranks(
            _command(tmp_path, settings={"mesh": mesh, "max_epochs": 2}, fit=kept), count, devices=8 // count
        )
        assert [rank.returncode for rank in whole] == [0] * count, whole
        assert np.array_equal(_weights(tmp_path, count), before)


def test_a_callback_of_one_rank_stops_all(tmp_path: Path) -> None:
    ranks = _ranks(_command(tmp_path, stop=[1, 2]), 2)
    assert [rank.returncode for rank in ranks] == [0, 0], ranks
    assert json.loads(ranks[0].stdout)["epochs"] == 2


def test_ranks_with_other_data_are_refused_alike(tmp_path: Path) -> None:
    ranks = _ranks(_command(tmp_path, differ=1), 2)
    assert all(rank.returncode for rank in ranks)
    assert all("the ranks differ: the digest of the data of rank 1" in rank.stderr for rank in ranks)


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("", 0)) as listener:
        port = listener.getsockname()[1]
        said = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port - 1)}
        command = [sys.executable, "-m", "byhand.cli.main", "train", "digits", "-o", str(tmp_path / "m")]
        rank = subprocess.run(command, env={**os.environ, **said}, capture_output=True, text=True, check=False)
    assert rank.returncode == 2
    assert f"rank 0 cannot listen on 127.0.0.1:{port}" in rank.stderr and "Traceback" not in rank.stderr


def test_the_command_starts_ranks_and_rank_0_alone_prints(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", np.random.default_rng(0).integers(0, 255, (300, 11)).astype(np.uint8))
    np.save(tmp_path / "y.npy", np.random.default_rng(1).integers(0, 3, 300))
    command = [sys.executable, "-m", "byhand.cli.main", "train", str(tmp_path / "X.npy"), "--json", "--stream"]
    command += ["--target", str(tmp_path / "y.npy"), "--hidden", "7", "--epochs", "2"]
    found = {}
    for name, more in (("one", ["--engine", "numpy"]), ("two", ["--processes", "2"])):
        place = tmp_path / f"{name}.safetensors"
        run = subprocess.run([*command, *more, "-o", str(place)], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run
        found[name] = json.loads(run.stdout)
    assert (found["two"]["engine"], found["one"]["engine"]) == ("jax", "numpy")
    assert abs(found["one"]["loss"] - found["two"]["loss"]) <= 1e-12


def test_other_engines_refuse_to_train_the_same_model_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "byhand.cli.main", "train", "digits", "--engine", "numpy", "--processes", "2"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 2 and "trains in one process, not in 2" in run.stderr
    assert not list(tmp_path.iterdir())


def test_codes_of_ranks_started_here(tmp_path: Path) -> None:
    python = [sys.executable, "-c"]
    assert run_ranks([*python, "pass"], 3) == 0
    assert run_ranks([*python, "import os, sys; sys.exit(2 if os.environ['RANK'] == '1' else 75)"], 3) == 2
    assert run_ranks([*python, "import os; os.kill(os.getpid(), 9) if os.environ['RANK'] == '0' else None"], 2) == 75


def test_under_torchrun_a_killed_rank_is_started_again(unbroken: Path, tmp_path: Path) -> None:
    needed("torch")
    asked = {"dropout": 0.2, "early_stopping": True, "clip_norm": 1.0}
    kept = {"checkpoint": str(tmp_path / "kept"), "resume": True}
    command = _command(tmp_path, settings=asked, fit=kept, kill=[1, 2])[1:]
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=2"]
    found = subprocess.run([*run, *command], capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "killed").exists()
    assert np.array_equal(_weights(tmp_path, 2), _weights(unbroken, 2))


def test_the_generated_module_under_ddp() -> None:
    needed("torch")
    example = Path(__file__).parents[2] / "examples" / "ddp_module.py"
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(example)]
    found = subprocess.run(run, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stderr
    first, second = found.stdout.splitlines()
    assert first.startswith("2 ranks, 60 steps: 0.9")
    assert second.startswith("module.backward: this gradient is of one rank")
