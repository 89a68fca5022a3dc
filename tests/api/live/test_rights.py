"""Who is admitted, and who loses a stream: within five seconds of losing the right."""

import re
import time
from contextlib import closing

import pytest
import requests
from sqlalchemy import Engine, text

from tests.api.live.event_streams import EventStream, Person

_SOON = 5.0  # seconds


def _ends_soon(stream: EventStream) -> None:
    assert stream.seconds_until_end(8) < _SOON


def test_who_may_not_read_is_not_admitted(owner: Person, reader: Person, anonymous: Person) -> None:
    layer, map_id = owner.layer(), owner.map()
    for path in (f"/api/v1/layers/{layer}/events", f"/api/v1/maps/{map_id}/events"):
        for other in (reader, anonymous):
            assert other.status(path) == 404
            ticket = requests.post(
                f"{other.server.url}{path}/ticket", headers=other.headers, timeout=30
            )
            assert ticket.status_code == 404
        assert Person(owner.server, "samsyn_" + "x" * 43).status(path) == 401
        assert owner.status(f"{path}?profile=other") == 400
        assert owner.status(f"{path}?f=json") == 400
        assert owner.status(f"{path}?last-event-id=x") == 400
        assert owner.status(f"{path}?last-event-id=x", Last_Event_ID="1") == 400
    assert owner.status(f"/api/v1/maps/{map_id}/events?profile=origo") == 400


def test_a_ticket_admits_to_its_thing_alone(owner: Person, anonymous: Person) -> None:
    layer, other = owner.layer(), owner.layer()
    map_id = owner.map(layer)
    path = f"/api/v1/layers/{layer}/events"
    ticket = owner.ticket(path)
    with closing(anonymous.follow(f"{path}?ticket={ticket}")) as stream:
        owner.insert(layer, n=1)
        assert len(stream.take(1)) == 1
    for elsewhere in (f"/api/v1/layers/{other}/events", f"/api/v1/maps/{map_id}/events"):
        assert anonymous.status(f"{elsewhere}?ticket={ticket}") == 401
    for wrong in (ticket[:-1] + ("A" if ticket[-1] != "A" else "B"), "x", ""):
        assert anonymous.status(f"{path}?ticket={wrong}") == 401
    log = owner.server.log.read_text()
    assert ticket not in log
    assert "ticket=***" in log


def test_a_token_that_reads_makes_tickets(owner: Person, empty_database: Engine) -> None:
    layer = owner.layer()
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE api_tokens SET scope = 'read'"))
    assert owner.ticket(f"/api/v1/layers/{layer}/events")


def test_a_layer_that_becomes_private(owner: Person, reader: Person, anonymous: Person) -> None:
    layer = owner.layer(visibility="public")
    path = f"/api/v1/layers/{layer}/events"
    streams = [person.follow(path) for person in (owner, reader, anonymous)]
    owner.send("PATCH", f"/api/v1/layers/{layer}", {"visibility": "private"})
    owner.insert(layer, n="secret")
    for stream in streams[1:]:
        begun = time.monotonic()
        assert [*stream.events(8)] == []  # not even that it has become private
        assert stream.has_ended
        assert time.monotonic() - begun < _SOON
    assert len(streams[0].take(2)) == 2


def test_a_collaborator_who_is_removed(owner: Person, reader: Person) -> None:
    layer = owner.layer()
    map_id = owner.map(layer, view_permission="collaborators")
    path = f"/api/v1/maps/{map_id}"
    invited = owner.send(
        "POST", f"{path}/collaborators", {"email": "reader@example.org", "role": "viewer"}
    )
    ticket = reader.ticket(f"{path}/events")
    streams = [
        reader.follow(f"{path}/events"),
        reader.follow(f"/api/v1/layers/{layer}/events"),
        Person(owner.server, None).follow(f"{path}/events?ticket={ticket}"),
    ]
    owner.send("DELETE", f"{path}/collaborators/{invited['user_id']}")
    for stream in streams:
        _ends_soon(stream)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE api_tokens SET revoked_at = now()",
        "UPDATE api_tokens SET expires_at = now()",
        "DELETE FROM api_tokens",
        "UPDATE users SET deleted_at = now(), email = NULL",
    ],
)
def test_a_credential_that_ends(owner: Person, empty_database: Engine, statement: str) -> None:
    layer = owner.layer(visibility="public")
    path = f"/api/v1/layers/{layer}/events"
    ticket = owner.ticket(path)
    anonymous = Person(owner.server, None)
    streams = [owner.follow(path), anonymous.follow(f"{path}?ticket={ticket}")]
    with empty_database.begin() as connection:
        connection.execute(text(statement))
    for stream in streams:
        _ends_soon(stream)
    assert anonymous.status(f"{path}?ticket={ticket}") == 401


def test_the_cookie_of_the_pages_until_signing_out(owner: Person) -> None:
    layer = owner.layer()
    path = f"/api/v1/layers/{layer}/events"
    with requests.Session() as browser:
        browser.post(f"{owner.server.ogc}/sign-in", data={"token": owner.token}, timeout=30)
        session = browser.cookies["samsyn_session"]
        anonymous = Person(owner.server, None)
        cookie = {"Cookie": f"samsyn_session={session}"}
        with closing(anonymous.follow(path, **cookie)) as stream:
            owner.insert(layer, n=1)
            assert len(stream.take(1)) == 1
            elsewhere = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
            for headers in ({**cookie, **elsewhere}, {**cookie, "Sec-Fetch-Site": "same-site"}):
                refused = requests.get(owner.server.url + path, headers=headers, timeout=30)
                assert refused.status_code == 404
            browser.post(f"{owner.server.ogc}/sign-out", timeout=30)
            _ends_soon(stream)


def test_what_is_deleted_says_goodbye(owner: Person) -> None:
    layer = owner.layer()
    map_id = owner.map(layer)
    on_layer = owner.follow(f"/api/v1/layers/{layer}/events")
    on_map = owner.follow(f"/api/v1/maps/{map_id}/events")
    owner.send("DELETE", f"/api/v1/layers/{layer}")
    kinds = [received.data["type"] for received in on_layer.events(8)]
    assert "org.ogc.api.collection.delete" in kinds
    assert on_layer.has_ended
    assert {received.data["type"] for received in on_map.take(2)} == {
        "org.ogc.api.collection.delete",
        "org.samsyn.map.layer.delete",
    }
    owner.send("DELETE", f"/api/v1/maps/{map_id}")
    kinds = [x.data["type"] for x in on_map.events(8) if x.event == "message"]
    assert kinds[-1] == "org.samsyn.map.delete"
    assert on_map.has_ended


def test_a_layer_of_a_map_that_becomes_private(owner: Person, anonymous: Person) -> None:
    layer, other = owner.layer(visibility="public"), owner.layer(visibility="public")
    map_id = anonymous_map = owner.map(other, view_permission="public")
    helper = owner  # the map's owner made the layers: all its readers may read them
    helper.send("POST", f"/api/v1/maps/{map_id}/layers", {"layer_id": layer})
    with closing(anonymous.follow(f"/api/v1/maps/{anonymous_map}/events")) as stream:
        owner.insert(layer, n=1)
        stream.take(1)
        owner.send("DELETE", f"/api/v1/maps/{map_id}/layers/{layer}")
        owner.insert(layer, n=2)
        owner.insert(other, n=3)
        subjects = [received.data["subject"] for received in stream.take(2)]
    assert re.search(f"/layers/{layer}$", subjects[0])
    assert f"/collections/{other}/" in subjects[1]


def test_too_many_streams_of_one_caller(owner: Person) -> None:
    layer = owner.layer(visibility="public")
    path = f"/api/v1/layers/{layer}/events"
    streams = [owner.open(path) for _ in range(100)]
    for stream in streams:
        stream.begin()
    with closing(owner.open(path)) as one_too_many:
        assert one_too_many.seconds_until_end(8) < _SOON
    streams.pop().close()
    time.sleep(4)
    owner.follow(path)
