"""A process is killed in the middle of a job: the job itself, its worker, the server, the
database."""

import os
from collections.abc import Iterator

import pytest

from samsyn_model.cluster.installations import find_installations
from tests.faults.job_kills import VICTIMS, Scene, kill_in_mid_job, scene, worker_of


@pytest.fixture(scope="module")
def at() -> Iterator[Scene]:
    if not find_installations():
        pytest.skip("no PostgreSQL with PostGIS is installed on this machine")
    with scene() as made:
        yield made


@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", VICTIMS)
def test_nothing_is_half_done_or_stuck(at: Scene, victim: str) -> None:
    ends = kill_in_mid_job(victim, at, 2)
    assert ends.total() == 2


def test_a_server_stops_its_worker(at: Scene) -> None:
    number = worker_of(at.server)
    at.servers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
