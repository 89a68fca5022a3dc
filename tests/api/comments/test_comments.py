"""`/api/v1/comments`: making, reading, changing and deleting comments."""

import uuid
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.api.comments.comment_requests import (
    COMMENTS,
    add_to_map,
    make_layer,
    make_map,
    read,
    send,
    write,
)
from tests.api.layer_requests import LINE, Caller, MakeCaller, feature, pointers
from tests.crs_members import named
from tests.statements import statements

MEMBERS = {
    *("id", "content", "author_id", "author_name", "author", "map_id", "layer_id", "feature_id"),
    *("feature_version", "feature_version_url", "target_state", "difference", "geometry"),
    *("position", "parent_id", "thread_id", "is_resolved", "resolved_at", "resolved_by"),
    *("mentions", "reply_count", "edited_at", "deleted_at", "created_at", "updated_at"),
}


@pytest.fixture
def other(make_caller: MakeCaller) -> Caller:
    return make_caller("other")


@pytest.fixture
def public_map(owner: Caller, engine: Engine) -> str:
    return make_map(engine, owner.id, "public")


def test_a_comment_is_returned_as_it_was_created(
    owner: Caller, anonymous: Caller, public_map: str, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE users SET first_name = 'Ada', last_name = 'Sea'"))
    layer = make_layer(owner, feature(LINE))
    add_to_map(engine, public_map, layer["id"])
    body = {
        "content": " \n Here: <b>åäö</b> \t",
        "map_id": public_map,
        "layer_id": layer["id"],
        "feature_id": layer["source_config"]["geojson"]["features"][0]["id"],
        "position": {"type": "Point", "coordinates": [-11.123456789012345, 57.5]},
    }
    created = send(owner, "POST", json=body)
    assert created.status_code == 201, created.text
    comment = created.json
    assert comment
    assert set(comment) == MEMBERS
    assert {name: comment[name] for name in body} == {**body, "content": "Here: <b>åäö</b>"}
    assert comment["author_id"] == comment["author"]["id"] == str(owner.id)
    assert comment["author_name"] == "Ada Sea"
    assert set(comment["author"]) == {
        *("id", "username", "first_name", "last_name", "profile_image_url"),
    }
    assert comment["thread_id"] == comment["id"]
    assert comment["is_resolved"] is False
    assert comment["reply_count"] == 0
    unset = ("parent_id", "resolved_at", "resolved_by", "edited_at", "deleted_at")
    assert [comment[name] for name in unset] == [None] * 5
    address = created.headers["Location"]
    assert address.endswith(f"{COMMENTS}/{comment['id']}")
    assert anonymous.client.get(address).json == comment
    assert read(anonymous, "", map_id=public_map) == [comment]


def test_an_author_is_displayed_by_name_and_never_by_email(
    owner: Caller, public_map: str, engine: Engine
) -> None:
    names = [("Ada", None, "ada"), ("", " ", "ada"), (None, "Sea", None), (None, None, None)]
    called = []
    for first, last, username in names:
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE users SET first_name = :first, last_name = :last, username = :user"),
                {"first": first, "last": last, "user": username},
            )
        comment = write(owner, map_id=public_map)
        assert "example.org" not in str(comment)
        called.append(comment["author_name"])
    assert called == ["Ada", "ada", "Sea", None]


def test_bodies_that_break_rules(owner: Caller, public_map: str, engine: Engine) -> None:
    layer = make_layer(owner, feature(LINE))
    elsewhere = make_layer(owner, feature(LINE))
    alien = elsewhere["source_config"]["geojson"]["features"][0]["id"]
    on_map = {"map_id": public_map}
    on_layer = {"layer_id": layer["id"]}
    far = {"type": "Point", "coordinates": [181, 0]}
    line = {"type": "LineString", "coordinates": [[1, 1], [2, 2]]}
    in_mercator = {"type": "Point", "coordinates": [1, 1], "crs": named("EPSG:3857")}
    invalid: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["/map_id"]),
        ({"map_id": None, "layer_id": None}, ["/map_id"]),
        ({**on_map, "content": " \n\u00a0"}, ["/content"]),
        ({**on_map, "content": "x" * 10_001}, ["/content"]),
        ({**on_map, "content": None}, ["/content"]),
        ({**on_map, "content": 5}, ["/content"]),
        ({**on_map, "content": "a\x00b"}, ["/content"]),
        ({**on_map, "content": "a\ud800"}, ["/content"]),
        ({**on_map, "is_resolved": True, "x": 1}, ["/is_resolved", "/x"]),
        ({"map_id": "x", "layer_id": 5}, ["/map_id", "/layer_id"]),
        ({"map_id": public_map.replace("-", "")}, ["/map_id"]),
        ({**on_map, "feature_id": 1}, ["/feature_id"]),
        ({**on_layer, "feature_id": alien}, ["/feature_id"]),
        ({**on_layer, "feature_id": 2**63}, ["/feature_id"]),
        ({**on_layer, "feature_id": 2**63 - 1}, ["/feature_id"]),
        ({**on_layer, "feature_id": "1"}, ["/feature_id"]),
        ({**on_layer, "feature_id": True}, ["/feature_id"]),
        ({**on_layer, "feature_id": -1}, ["/feature_id"]),
        ({**on_map, "position": far}, ["/position/coordinates"]),
        ({**on_map, "position": line}, ["/position/type"]),
        ({**on_map, "position": in_mercator}, ["/position/crs"]),
        ({**on_map, "position": []}, ["/position"]),
        ({**on_map, "position": {"type": ["Point"]}}, ["/position/type"]),
        ({**on_map, "position": {**far, "coordinates": [10**400, 0]}}, ["/position/coordinates"]),
        ({**on_map, "position": {"type": "Point", "coordinates": []}}, ["/position/coordinates"]),
        ({**on_map, "parent_id": str(uuid.uuid4())}, ["/parent_id"]),
        ({**on_map, "parent_id": [1]}, ["/parent_id"]),
        ({**on_map, **on_layer}, ["/layer_id"]),
    ]
    for members, expected in invalid:
        response = send(owner, "POST", json={"content": "Hm.", **members})
        assert pointers(response) == expected, members
    assert pointers(send(owner, "POST", json=[])) == [""]
    malformed = send(owner, "POST", data="{", content_type="application/json")
    assert malformed.status_code == 400
    assert send(owner, "POST", data="{}", content_type="text/plain").status_code == 415
    assert read(owner, "", map_id=public_map) == []
    assert len(write(owner, "å" * 10_000, **on_map)["content"]) == 10_000


def test_entity_tags(owner: Caller, public_map: str) -> None:
    comment = write(owner, map_id=public_map)
    path = f"/{comment['id']}"
    tag = send(owner, "GET", path).headers["ETag"]
    assert send(owner, "GET", path, headers={"If-None-Match": tag}).status_code == 304
    fresh = {"If-Match": tag}
    changed = send(owner, "PUT", path, json={"content": "New"}, headers=fresh)
    assert changed.status_code == 200
    assert changed.headers["ETag"] == send(owner, "GET", path).headers["ETag"] != tag
    assert send(owner, "PUT", path, json={"content": "x"}, headers=fresh).status_code == 412
    assert send(owner, "PUT", f"{path}/resolve", headers=fresh).status_code == 412
    assert send(owner, "DELETE", path, headers=fresh).status_code == 412
    assert read(owner, path) == changed.json
    assert send(owner, "DELETE", path, headers={"If-Match": "*"}).status_code == 204


def test_head_and_options(owner: Caller, public_map: str) -> None:
    path = f"/{write(owner, map_id=public_map)['id']}"
    head = send(owner, "HEAD", path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == send(owner, "GET", path).headers["ETag"]
    for address, methods in (
        ("", {"GET", "HEAD", "POST"}),
        (path, {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        (f"{path}/resolve", {"PUT"}),
        (f"{path}/thread", {"GET", "HEAD"}),
    ):
        response = send(owner, "OPTIONS", address)
        assert response.status_code == 200
        assert methods <= set(response.headers["Allow"].split(", "))
    assert send(owner, "DELETE").status_code == 405


def test_unknown_and_malformed_parameters(owner: Caller, public_map: str) -> None:
    path = f"/{write(owner, map_id=public_map)['id']}"
    for method, address in (
        ("POST", ""),
        ("GET", path),
        ("PUT", path),
        ("DELETE", path),
        ("GET", f"{path}/thread"),
        ("PUT", f"{path}/resolve"),
    ):
        body = None if method == "GET" else {}
        response = send(owner, method, address, query_string={"x": "1"}, json=body)
        assert response.status_code == 400, (method, address)
    for depth in ("-1", "abc", "", "1.5", "101", str(10**30), "9" * 5000, "\x00", "٣"):
        response = send(owner, "GET", f"{path}/thread", query_string={"max_depth": depth})
        assert response.status_code == 400, depth
    for value in ("yes", "", "1", "TRUE"):
        response = send(owner, "PUT", f"{path}/resolve", query_string={"is_resolved": value})
        assert response.status_code == 400, value
    invalid = [{}, {"parent_id": str(uuid.uuid4())}, {"map_id": "x"}, {"map_id": "\x00"}] + [
        {"map_id": public_map, name: value}
        for name, value in (
            *(("layer_id", "x"), ("parent_id", ""), ("author", "ada"), ("include_resolved", "no")),
            *(("feature_id", "-1"), ("feature_id", str(2**63)), ("feature_id", "9" * 5000)),
            *(("limit", "0"), ("limit", "1001"), ("offset", "-1"), ("x", "1")),
        )
    ]
    for query in invalid:
        assert send(owner, "GET", query_string=query).status_code == 400, query
    for query in ({"map_id": str(uuid.uuid4())}, {"layer_id": str(uuid.uuid4())}):
        assert send(owner, "GET", query_string=query).status_code == 404
    assert send(owner, "GET", "/x/thread").status_code == 404


def test_the_number_of_statements_does_not_grow(
    owner: Caller, other: Caller, engine: Engine, public_map: str
) -> None:
    root = write(other, map_id=public_map)
    subject = {"map_id": public_map, "parent_id": root["id"]}
    reply = write(owner, **subject)
    requests: list[tuple[Caller, str, str, Any]] = [
        (owner, "GET", f"?map_id={public_map}", None),
        (owner, "GET", f"/{root['id']}", None),
        (owner, "GET", f"/{root['id']}/thread", None),
        (other, "PUT", f"/{root['id']}", "text"),
        (owner, "POST", "", {"content": "Yes", **subject}),
    ]

    def counts() -> list[int]:
        numbers = []
        for caller, method, path, body in requests:
            sent = {"content": uuid.uuid4().hex} if body == "text" else body
            with statements() as executed:
                assert send(caller, method, path, json=sent).status_code < 300
            numbers.append(len(executed))
        return numbers

    few = counts()
    parent = reply["id"]
    for number in range(50):
        created = write(owner, map_id=public_map, parent_id=parent if number % 2 else root["id"])
        parent = created["id"]
    assert counts() == few == [3, 2, 2, 4, 10]
    with statements() as deleting:
        assert send(owner, "DELETE", f"/{root['id']}").status_code == 204
    assert len(deleting) == 6
