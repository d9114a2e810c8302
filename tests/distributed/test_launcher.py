"""What launchers say about a process, and what is said where they say too little."""

from __future__ import annotations

import pytest

from byhand.distributed.launcher import ALONE, Place, place
from byhand.errors import DataError

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "3", "LOCAL_RANK": "1", "MASTER_ADDR": "10.0.0.7", "MASTER_PORT": "29500"}


def test_without_a_launcher_a_process_is_alone() -> None:
    assert place(environ={}) == ALONE
    assert place(environ={"WORLD_SIZE": "1", "RANK": "0"}) == ALONE
    assert place(0, 1) == Place(0, 1, None, None, "start(rank, world, address)")


def test_torchrun_and_its_restarts() -> None:
    assert place(environ=TORCHRUN) == Place(1, 3, "10.0.0.7:29501", 1, "torchrun")
    again = place(environ={**TORCHRUN, "TORCHELASTIC_RESTART_COUNT": "2"})
    assert again.address == "10.0.0.7:29503"


@pytest.mark.parametrize(
    ("variables", "launcher"),
    [
        ({"SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "4"}, "srun"),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}, "mpirun"),
        ({"KUBERNETES_SERVICE_HOST": "10.1.0.1", "JOB_COMPLETION_INDEX": "1"}, "Kubernetes"),
    ],
)
def test_what_jax_finds_out_by_itself(variables: dict[str, str], launcher: str) -> None:
    assert place(environ=variables) == Place(None, None, None, None, launcher)


def test_a_batch_job_that_is_no_step_is_one_process() -> None:
    assert place(environ={"SLURM_NTASKS": "4", "SLURM_JOB_ID": "7"}) == ALONE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"MASTER_ADDR": ""}, "MASTER_ADDR is not set"),
        ({"MASTER_PORT": ""}, "MASTER_PORT is not set"),
        ({"MASTER_PORT": "x"}, "MASTER_PORT is 'x'"),
        ({"RANK": "3"}, "RANK is 3, WORLD_SIZE is 3"),
        ({"RANK": "one"}, "RANK is 'one'"),
        ({"WORLD_SIZE": "-2"}, "WORLD_SIZE is '-2'"),
        ({"MASTER_PORT": "65535"}, "host:port"),
    ],
)
def test_wrong_variables_are_named(change: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        place(environ={**TORCHRUN, **change})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0, 2, None), "address of rank 0 is missing"),
        ((0, 2, "here"), "host:port is needed"),
        ((0, None, "a:1"), "has no world"),
        ((None, 2, "a:1"), "has no rank"),
        ((2, 2, "a:1"), "ranks go from 0"),
        ((0, 2, "a:70000"), "host:port is needed"),
    ],
)
def test_wrong_places_are_named(given: tuple[int | None, int | None, str | None], said: str) -> None:
    with pytest.raises(DataError, match=said):
        place(*given, environ={})
