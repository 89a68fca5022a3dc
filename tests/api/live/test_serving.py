"""The companion as operators have it: on its own, switched off, behind nginx, several."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import requests
from sqlalchemy import Engine

from tests.api.live.event_streams import Person, companion_of, eventually, person
from tests.clients.nginx_server import nginx_with, proxy_to
from tests.clients.samsyn_server import SAMSYN, Server, serve


def _listens(path: Path) -> bool | None:
    """Return whether somebody listens at a Unix socket, else None."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe, suppress(OSError):
        probe.connect(str(path))
        return True
    return None


@contextmanager
def _companion(database: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "DATABASE_URL": database, "LIVE_SOCKET": str(path)}
    process = subprocess.Popen([SAMSYN, "live"], env=environment)
    try:
        eventually(lambda: _listens(path))
        yield process
    finally:
        process.terminate()
        process.wait(20)


def test_a_companion_of_its_own(
    empty_database: Engine, test_database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "live.sock"
    with serve(test_database_url, tmp_path / "log", workers=1, LIVE_SOCKET=str(path)) as server:
        owner = person(server, "owner")
        layer = owner.layer()
        events = f"/api/v1/layers/{layer}/events"
        refused = requests.get(server.url + events, headers=owner.headers, timeout=30)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        with _companion(test_database_url, path):
            assert path.stat().st_mode & 0o077 == 0  # nobody else connects to it
            stream = owner.follow(events)
            owner.insert(layer, n=1)
            (first,) = stream.take(1)
        assert stream.seconds_until_end(5) < 5  # told to end, it ends its streams
        owner.insert(layer, n=2)
        with (
            _companion(test_database_url, path),
            closing(owner.open(events, Last_Event_ID=first.id)) as stream,
        ):
            assert stream.take(1)[0].data["data"]["properties"] == {"n": 2}


def test_events_switched_off(
    empty_database: Engine, test_database_url: str, tmp_path: Path
) -> None:
    with serve(test_database_url, tmp_path / "log", workers=1, LIVE_SOCKET="off") as server:
        owner = person(server, "owner")
        layer = owner.layer()
        map_id = owner.map(layer)
        for path in (f"/api/v1/layers/{layer}/events", f"/api/v1/maps/{map_id}/events"):
            for person_asking, status in ((owner, 503), (Person(server, None), 404)):
                assert person_asking.status(path) == status
                ticket = requests.post(
                    f"{server.url}{path}/ticket", headers=person_asking.headers, timeout=30
                )
                assert ticket.status_code == status
        for path in (
            f"/api/v1/maps/{map_id}",
            f"/api/v1/layers/{layer}",
            f"/ogc/collections/{layer}",
            f"/ogc/collections/{layer}?f=html",
            f"/ogc/collections/{layer}/items?f=html",
        ):
            response = requests.get(server.url + path, headers=owner.headers, timeout=30)
            assert response.status_code == 200
            assert "/events" not in response.text + response.headers.get("Link", ""), path


def test_a_client_goes_on_at_another_server_and_behind_nginx(owner: Person, tmp_path: Path) -> None:
    layer = owner.layer(visibility="public")
    path = f"/api/v1/layers/{layer}/events"
    (tmp_path / "nginx").mkdir()
    with serve(owner.server.database, tmp_path / "log", workers=1) as second:
        here, there = owner.follow(path), Person(second, owner.token).follow(path)
        item = owner.insert(layer, n=1)
        seen = [stream.take(1)[0] for stream in (here, there)]
        assert seen[0].id == seen[1].id
        assert {received.data["subject"].rpartition("/")[2] for received in seen} == {str(item)}
        owner.insert(layer, n=2)
        with closing(Person(second, owner.token).open(path, Last_Event_ID=seen[0].id)) as stream:
            assert stream.take(1)[0].data["data"]["properties"] == {"n": 2}
        with nginx_with(proxy_to(second.url), tmp_path / "nginx") as port:
            proxied = Server(f"http://127.0.0.1:{port}", second.database, second.log)
            with closing(Person(proxied, None).follow(path)) as stream:
                owner.insert(layer, n=3)
                assert stream.take(1)[0].data["data"]["properties"] == {"n": 3}


def test_many_streams_hold_no_thread(owner: Person) -> None:
    """A worker has four threads; its responses are as soon as without streams."""
    layer = owner.layer(visibility="public")
    streams = [owner.open(f"/api/v1/layers/{layer}/events") for _ in range(50)]
    streams[-1].begin()
    for _ in range(5):
        assert requests.get(f"{owner.server.url}/ogc/conformance", timeout=5).ok
    owner.insert(layer, n=1)
    for stream in streams:
        assert len(stream.take(1)) == 1


def test_a_companion_that_was_killed_is_begun_by_the_next_client(owner: Person) -> None:
    layer = owner.layer()
    path = f"/api/v1/layers/{layer}/events"
    owner.follow(path)
    former = companion_of(owner.server)
    os.kill(former, signal.SIGKILL)
    stream = owner.follow(path)
    assert companion_of(owner.server) != former
    owner.insert(layer, n=1)
    assert len(stream.take(1)) == 1
