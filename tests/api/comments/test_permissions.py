"""`/api/v1/comments`: who may read, create, change and delete a comment."""

import uuid

import pytest
from sqlalchemy import Engine

from tests.api.comments.comment_requests import (
    add_to_map,
    ids,
    invite,
    make_layer,
    make_map,
    read,
    send,
    write,
)
from tests.api.layer_requests import Caller, MakeCaller, pointers


@pytest.fixture
def other(make_caller: MakeCaller) -> Caller:
    return make_caller("other")


def test_who_may_comment(
    make_caller: MakeCaller,
    owner: Caller,
    other: Caller,
    anonymous: Caller,
    engine: Engine,
) -> None:
    private, public = make_map(engine, owner.id), make_map(engine, owner.id, "public")
    layer = make_layer(owner)
    foreign = make_layer(other)
    add_to_map(engine, public, foreign["id"])
    body = {"content": "Hello", "map_id": public}
    refused = send(anonymous, "POST", json=body)
    assert refused.status_code == 401
    assert "WWW-Authenticate" in refused.headers
    assert send(make_caller("other", "read"), "POST", json=body).status_code == 403
    write(other, map_id=public)
    for unseen in (
        {"map_id": private},
        {"layer_id": layer["id"]},
        {"map_id": public, "layer_id": layer["id"]},
        {"map_id": str(uuid.uuid4())},
    ):
        response = send(other, "POST", json={"content": "Hello", **unseen})
        assert response.status_code == 404, unseen
    # the map's owner may read a collaborator's layer, the public may not
    write(owner, map_id=public, layer_id=foreign["id"])
    on_it = {"content": "Hello", "map_id": public, "layer_id": foreign["id"]}
    assert send(make_caller("third"), "POST", json=on_it).status_code == 404
    invite(engine, private, other.id)
    write(other, map_id=private)


def test_who_reads_what(
    make_caller: MakeCaller,
    owner: Caller,
    other: Caller,
    anonymous: Caller,
    engine: Engine,
) -> None:
    viewer = make_caller("viewer")
    public, private = make_map(engine, owner.id, "public"), make_map(engine, owner.id)
    open_layer = make_layer(other, visibility="public")["id"]
    hidden_layer = make_layer(other)["id"]
    for map_id in (public, private):
        invite(engine, map_id, viewer.id)
        for layer_id in (open_layer, hidden_layer):
            add_to_map(engine, map_id, layer_id)
    on_public = write(owner, map_id=public)["id"]
    on_hidden = write(owner, map_id=public, layer_id=hidden_layer)["id"]
    on_private = write(owner, map_id=private)["id"]
    on_open_privately = write(owner, map_id=private, layer_id=open_layer)["id"]
    on_open = write(other, layer_id=open_layer)["id"]
    alone = write(other, layer_id=hidden_layer)["id"]
    all_ids = [on_public, on_hidden, on_private, on_open_privately, on_open, alone]
    readable: dict[str, tuple[Caller, set[str]]] = {
        "owner": (owner, set(all_ids)),
        "viewer": (viewer, set(all_ids)),
        "creator": (other, {on_public, on_hidden, on_open, alone}),
        "stranger": (make_caller("stranger"), {on_public, on_open}),
        "anybody": (anonymous, {on_public, on_open}),
        "chief": (make_caller("chief", admin=True), {on_public, on_open}),
    }
    for name, (caller, expected) in readable.items():
        readable_ids = {key for key in all_ids if send(caller, "GET", f"/{key}").status_code == 200}
        assert readable_ids == expected, name
        threads = {
            key for key in all_ids if send(caller, "GET", f"/{key}/thread").status_code == 200
        }
        assert threads == expected, name
        shown = {on_public, on_hidden, on_open, alone}
        assert set(ids(caller, map_id=public)) == expected & shown, name
        assert set(ids(caller, layer_id=open_layer)) == expected & {on_open, on_open_privately}, (
            name
        )
        reads_hidden = alone in expected
        for query, allowed in (
            ({"map_id": private}, on_private in expected),
            ({"layer_id": hidden_layer}, reads_hidden),
            ({"map_id": public, "layer_id": hidden_layer}, reads_hidden),
        ):
            status = send(caller, "GET", query_string=query).status_code
            assert status == (200 if allowed else 404), (name, query)
    assert ids(owner, map_id=public, layer_id=hidden_layer) == [on_hidden]


def test_only_the_author_changes_the_content(
    make_caller: MakeCaller,
    owner: Caller,
    other: Caller,
    anonymous: Caller,
    engine: Engine,
) -> None:
    public_map = make_map(engine, owner.id, "public")
    comment = write(other, map_id=public_map)
    path = f"/{comment['id']}"
    for method in ("PUT", "PATCH"):
        body = {"content": "Changed"}
        assert send(anonymous, method, path, json=body).status_code == 401
        assert send(make_caller("other", "read"), method, path, json=body).status_code == 403
        assert send(owner, method, path, json=body).status_code == 403
        assert send(make_caller("chief", admin=True), method, path, json=body).status_code == 403
        assert send(other, method, f"/{uuid.uuid4()}", json=body).status_code == 404
        assert send(other, method, "/x", json=body).status_code == 404
    assert read(other, path) == comment
    same = send(other, "PUT", path, json=comment)
    assert same.json == comment
    assert send(other, "PUT", path, json={}).json == comment
    changed = send(other, "PUT", path, json={**comment, "content": " New ", "map_id": 7}).json
    assert changed
    assert changed["content"] == "New"
    assert changed["edited_at"] > comment["created_at"]
    assert changed["map_id"] == public_map
    patched = send(
        *(other, "PATCH", path),
        data='{"content": "Newer"}',
        content_type="application/merge-patch+json",
    )
    assert (patched.json or {})["content"] == "Newer"
    for invalid in ({"content": " "}, {"content": None}, {"content": 1}):
        assert pointers(send(other, "PATCH", path, json=invalid)) == ["/content"]
    assert pointers(send(other, "PUT", path, json={"text": "x", "y": 1})) == ["/text", "/y"]
    assert pointers(send(other, "PUT", path, json="x")) == [""]
    assert send(other, "PUT", path, data="x", content_type="text/plain").status_code == 415


def test_who_deletes_a_comment(
    make_caller: MakeCaller,
    owner: Caller,
    other: Caller,
    anonymous: Caller,
    engine: Engine,
) -> None:
    author, chief = make_caller("author"), make_caller("chief", admin=True)
    public, private = make_map(engine, owner.id, "public"), make_map(engine, owner.id)
    layer_id = make_layer(other, visibility="public")["id"]
    add_to_map(engine, public, layer_id)
    subjects: list[tuple[dict[str, str], list[Caller]]] = [
        ({"map_id": public}, [author, owner, chief]),
        ({"layer_id": layer_id}, [author, other, chief]),
        ({"map_id": public, "layer_id": layer_id}, [author, owner, other, chief]),
    ]
    for subject, allowed in subjects:
        for caller in (author, owner, other, chief):
            path = f"/{write(author, **subject)['id']}"
            assert send(anonymous, "DELETE", path).status_code == 401
            assert send(make_caller("stranger"), "DELETE", path).status_code == 403
            assert send(make_caller("author", "read"), "DELETE", path).status_code == 403
            expected = 204 if caller in allowed else 403
            assert send(caller, "DELETE", path).status_code == expected, (
                subject,
                caller.id,
            )
            assert send(author, "GET", path).status_code == (404 if expected == 204 else 200)
    unseen = f"/{write(owner, map_id=private)['id']}"
    assert send(chief, "DELETE", unseen).status_code == 404
    assert send(chief, "PUT", unseen, json={"content": "x"}).status_code == 404
    assert send(chief, "PUT", f"{unseen}/resolve").status_code == 404
    assert send(owner, "DELETE", f"/{uuid.uuid4()}").status_code == 404
