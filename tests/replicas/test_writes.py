"""What was written lately is known to all processes: of a machine, and of others by Redis."""

import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from samsyn_model.replicas.positions import reached
from samsyn_model.replicas.redis_positions import RedisPositions
from samsyn_model.replicas.replica import Progress
from samsyn_model.replicas.shared_moments import SharedMoments
from samsyn_model.replicas.writes import Writes
from samsyn_model.settings import Settings
from tests.redis_server import redis_server

NOTE = """
import sys, uuid
from samsyn_model.replicas.shared_moments import SharedMoments
moments, ids = SharedMoments(sys.argv[1]), [uuid.UUID(sys.argv[2])]
for step in sys.argv[3:]:
    getattr(moments, step)(ids)"""


def in_another_process(name: str, id_: uuid.UUID, *steps: str) -> None:
    subprocess.run([sys.executable, "-c", NOTE, name, str(id_), *steps], check=True)


@pytest.fixture
def name() -> str:
    return f"postgresql://{uuid.uuid4().hex}"


def test_another_process_knows_what_was_written(name: str) -> None:
    moments = SharedMoments(name)
    written, other = uuid.uuid4(), uuid.uuid4()
    before = time.monotonic_ns()
    assert moments.are_before([written, other], before)
    in_another_process(name, written, "begin", "end")
    assert not moments.are_before([other, written], before)
    assert moments.are_before([other], before)
    assert moments.are_before([written], time.monotonic_ns())
    assert SharedMoments(f"{name}/other").are_before([written], before)


def test_what_is_being_committed_is_not_before_any_moment(name: str) -> None:
    moments = SharedMoments(name)
    written = uuid.uuid4()
    shares_its_slot = uuid.UUID(int=written.int ^ (1 << 100))
    in_another_process(name, written, "begin")
    assert not moments.are_before([written], time.monotonic_ns())
    moments.begin([shares_its_slot, written])  # two ids, one transaction
    in_another_process(name, written, "end")
    assert not moments.are_before([written], time.monotonic_ns())
    moments.end([shares_its_slot, written])
    assert moments.are_before([written], time.monotonic_ns())


def test_a_commit_whose_end_is_not_heard_of_counts_for_a_while(name: str) -> None:
    moments = SharedMoments(name)
    key = uuid.uuid4()
    slot = key.int % (1 << 16)
    in_another_process(name, key, "begin", "begin")
    for moment in (0, time.monotonic_ns() * 2):  # long ago; of before the machine was started
        moments._begun[slot] = moment
        assert moments.are_before([key], time.monotonic_ns())
    moments.begin([key])
    assert not moments.are_before([key], time.monotonic_ns())
    moments.end([key])
    assert moments.are_before([key], time.monotonic_ns())


def test_moments_of_before_the_machine_was_started_do_not_count(name: str) -> None:
    moments = SharedMoments(name)
    key = uuid.uuid4()
    moments.begin([key])
    moments.end([key])
    moments._written[key.int % (1 << 16)] += 10**15
    assert moments.are_before([key], time.monotonic_ns())


def test_memory_that_others_may_write_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samsyn_model.replicas.shared_moments._MEMORY", tmp_path)
    SharedMoments(name)
    (file,) = tmp_path.iterdir()
    file.chmod(0o666)
    with pytest.raises(PermissionError):
        SharedMoments(name)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        SharedMoments(name)


def test_the_greatest_position_counts_for_all_machines(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        here, there = RedisPositions(server.url, 60), RedisPositions(server.url, 60)
        key, other = uuid.uuid4(), uuid.uuid4()
        assert there.are_before([key, other], 0)
        for _ in range(2):  # sent again, as its answer was late
            here.begin("first", [key, other])
        there.begin("second", [key])
        assert not there.are_before([other], 2**60)
        for _ in range(2):
            here.end("first", [key, other], 2**50 + 5)
        assert not here.are_before([key], 2**60)
        assert here.are_before([other], 2**60)
        there.end("second", [key], 2**50)  # committed before, noted behind
        assert not there.are_before([key], 2**50 + 4)
        assert there.are_before([key, other], 2**50 + 5)
        server.process.kill()
        server.process.wait()
        assert not there.are_before([uuid.uuid4()], 2**60)
        assert there.are_before([], 2**60)
        here.begin("third", [key])
        here.end("third", [key], 7)


def test_a_commit_of_another_machine_counts_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samsyn_model.replicas.redis_positions.PENDING", 2)
    with redis_server(tmp_path) as server:
        positions = RedisPositions(server.url, 60)
        key = uuid.uuid4()
        positions.begin("killed", [key])
        for _ in range(6):
            positions.begin("short", [key])  # of a layer that is written all the time
            positions.end("short", [key], 5)
            time.sleep(0.4)
        positions.begin("short", [key])
        positions.end("short", [key], 5)
        assert positions.are_before([key], 5)


def test_without_redis_nothing_is_taken_for_replayed(tmp_path: Path, name: str) -> None:
    with redis_server(tmp_path) as server:
        settings = Settings(_env_file=None, read_database_url=name, redis_url=server.url)
        writes = Writes(settings)
        key = uuid.uuid4()
        writes.begin("commit", [key])
        assert not writes.are_replayed([key], Progress(10, time.monotonic_ns()))
        writes.end("commit", [key], 10)
        assert not writes.are_replayed([key], Progress(9, time.monotonic_ns()))
        assert not writes.are_replayed([key], Progress(10, time.monotonic_ns() - 10**9))
        assert writes.are_replayed([key], Progress(10, time.monotonic_ns()))
        server.process.kill()
        server.process.wait()
        assert not writes.are_replayed([key], Progress(10, time.monotonic_ns()))


def test_the_header_of_an_empty_page_is_not_waited_for() -> None:
    assert reached(5 * 8192 + 24) == 5 * 8192
    assert reached(5 * 8192 + 40) == 5 * 8192
    assert reached(5 * 8192 + 48) == 5 * 8192 + 48
    assert reached(5 * 8192) == 5 * 8192
