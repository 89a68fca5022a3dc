"""Streams that break off and go on: nothing is lost, or the client is told to load anew."""

import os
import signal
import time
from contextlib import closing
from threading import Thread

from sqlalchemy import Engine, text

from tests.api.live.event_streams import POINT, EventStream, Person, companion_of, unread_socket

_MANY = 1_100  # change sets, more than are told later


def test_what_was_missed_is_told(owner: Person) -> None:
    layer = owner.layer()
    path = f"/api/v1/layers/{layer}/events"
    with closing(owner.follow(path)) as stream:
        owner.insert(layer, n=0)
        (first,) = stream.take(1)
    items = [owner.insert(layer, n=n) for n in range(1, 4)]
    owner.send("DELETE", f"/ogc/collections/{layer}/items/{items[0]}")
    told = [*items, items[0]]
    by_header = owner.open(path, Last_Event_ID=first.id)
    by_parameter = owner.open(f"{path}?last-event-id={first.id}")
    for stream in (by_header, by_parameter):
        missed = stream.take(4)
        assert [x.data["subject"].rpartition("/")[2] for x in missed] == [*map(str, told)]
    last = owner.insert(layer, n=9)
    for stream in (by_header, by_parameter):
        assert stream.take(1)[0].data["subject"].endswith(f"/{last}")
        stream.close()


def test_a_client_that_comes_back_has_missed_nothing_where_nothing_happened(owner: Person) -> None:
    layer = owner.layer()
    path = f"/api/v1/layers/{layer}/events"
    with closing(owner.follow(path)) as stream:
        last = stream.last_id
    with closing(owner.open(path, Last_Event_ID=last)) as stream:
        assert [*stream.events(2)] == []
        owner.insert(layer, n=1)
        assert len(stream.take(1)) == 1


def test_more_than_is_told_later(owner: Person, empty_database: Engine) -> None:
    layer = owner.layer()
    path = f"/api/v1/layers/{layer}/events"
    with closing(owner.follow(path)) as stream:
        last = stream.last_id
    item = owner.insert(layer, n=1)
    with empty_database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for number in range(_MANY):
            connection.execute(
                text(
                    "UPDATE layer_features SET properties = jsonb_build_object('n', :n ::int)"
                    " WHERE id = :id"
                ),
                {"n": number, "id": item},
            )
    for known in (last, "999999999999"):
        with closing(owner.open(path, Last_Event_ID=known)) as stream:
            (reset,) = stream.take(1)
            assert reset.event == "reset"
            assert int(reset.id) > int(last)
            owner.insert(layer, n=2)
            assert stream.take(1)[0].data["type"] == "org.ogc.api.collection.item.create"


def test_nothing_is_lost_when_the_companion_is_killed(owner: Person) -> None:
    layer = owner.layer()
    path = f"/api/v1/layers/{layer}/events"
    streams = [owner.follow(path) for _ in range(3)]
    made: list[int] = []

    def edit() -> None:
        made.extend(owner.insert(layer, n=n) for n in range(60))

    editing = Thread(target=edit)
    editing.start()
    seen: list[list[str]] = [[], [], []]
    _read_some(streams, seen, 10)
    os.kill(companion_of(owner.server), signal.SIGKILL)
    for number, stream in enumerate(streams):
        for received in stream.events(5):
            seen[number].append(received.data["subject"])
        assert stream.has_ended
        streams[number] = owner.open(path, Last_Event_ID=stream.last_id)
    editing.join()
    for number, stream in enumerate(streams):
        rest = stream.take(len(made) - len(seen[number]))
        seen[number] += [received.data["subject"] for received in rest]
        stream.close()
    assert seen == [[f"{owner.server.ogc}/collections/{layer}/items/{item}" for item in made]] * 3


def _read_some(streams: list[EventStream], seen: list[list[str]], count: int) -> None:
    for number, stream in enumerate(streams):
        seen[number] += [received.data["subject"] for received in stream.take(count)]


def test_streams_survive_a_loss_of_the_database_connections(
    owner: Person, empty_database: Engine
) -> None:
    layer = owner.layer()
    with closing(owner.follow(f"/api/v1/layers/{layer}/events")) as stream:
        for number in range(3):
            with empty_database.begin() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            time.sleep(1.5)  # what was used a second ago is tried before it is used
            owner.insert(layer, n=number)
            assert stream.take(1)[0].data["data"]["properties"] == {"n": number}


def test_a_client_that_takes_nothing_is_dropped(owner: Person) -> None:
    layer = owner.layer(visibility="public")
    path = f"/api/v1/layers/{layer}/events"
    with (
        closing(owner.follow(path)) as other,
        unread_socket(owner.server, path, 4096) as client,
    ):
        time.sleep(1)
        text_ = "x" * 60_000
        for number in range(25):
            owner.insert(layer, n=number, text=text_)
            other.take(1)
        got = b""
        while part := client.recv(65536):
            got += part
    # what the kernel and the companion keep is less than was sent, and the stream has no end
    assert len(got) < 20 * 60_000
    assert not got.endswith(b"0\r\n\r\n")


def test_heartbeats(owner: Person) -> None:
    layer = owner.layer()
    with closing(owner.follow(f"/api/v1/layers/{layer}/events")) as stream:
        assert [*stream.events(21.5)] == []
        assert stream.comments >= 1
        assert owner.insert(layer, geometry=POINT)
        assert len(stream.take(1)) == 1
