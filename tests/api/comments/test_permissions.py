"""`/api/v1/comments`: who may read, make, change and delete a comment."""

import uuid
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tests.api.comments.comment_requests import (
    ask,
    ids,
    invite,
    make_layer,
    make_map,
    place,
    read,
    write,
)
from tests.api.layer_requests import Person, pointers


@pytest.fixture
def other(person: Callable[..., Person]) -> Person:
    return person("other")


def test_who_may_comment(
    person: Callable[..., Person], owner: Person, other: Person, anybody: Person, engine: Engine
) -> None:
    private, public = make_map(engine, owner.id), make_map(engine, owner.id, "public")
    layer = make_layer(owner)
    foreign = make_layer(other)
    place(engine, public, foreign["id"])
    body = {"content": "Hello", "map_id": public}
    refused = ask(anybody, "POST", json=body)
    assert refused.status_code == 401
    assert "WWW-Authenticate" in refused.headers
    assert ask(person("other", "read"), "POST", json=body).status_code == 403
    write(other, map_id=public)
    for unseen in (
        {"map_id": private},
        {"layer_id": layer["id"]},
        {"map_id": public, "layer_id": layer["id"]},
        {"map_id": str(uuid.uuid4())},
    ):
        answer = ask(other, "POST", json={"content": "Hello", **unseen})
        assert answer.status_code == 404, unseen
    # the map's owner sees a collaborator's layer, the map's public does not
    write(owner, map_id=public, layer_id=foreign["id"])
    on_it = {"content": "Hello", "map_id": public, "layer_id": foreign["id"]}
    assert ask(person("third"), "POST", json=on_it).status_code == 404
    invite(engine, private, other.id)
    write(other, map_id=private)


def test_who_reads_what(
    person: Callable[..., Person], owner: Person, other: Person, anybody: Person, engine: Engine
) -> None:
    viewer = person("viewer")
    public, private = make_map(engine, owner.id, "public"), make_map(engine, owner.id)
    open_layer = make_layer(other, visibility="public")["id"]
    hidden_layer = make_layer(other)["id"]
    for map_id in (public, private):
        invite(engine, map_id, viewer.id)
        for layer_id in (open_layer, hidden_layer):
            place(engine, map_id, layer_id)
    on_public = write(owner, map_id=public)["id"]
    on_hidden = write(owner, map_id=public, layer_id=hidden_layer)["id"]
    on_private = write(owner, map_id=private)["id"]
    on_open_privately = write(owner, map_id=private, layer_id=open_layer)["id"]
    on_open = write(other, layer_id=open_layer)["id"]
    alone = write(other, layer_id=hidden_layer)["id"]
    everything = [on_public, on_hidden, on_private, on_open_privately, on_open, alone]
    readable: dict[str, tuple[Person, set[str]]] = {
        "owner": (owner, set(everything)),
        "viewer": (viewer, set(everything)),
        "creator": (other, {on_public, on_hidden, on_open, alone}),
        "stranger": (person("stranger"), {on_public, on_open}),
        "anybody": (anybody, {on_public, on_open}),
        "chief": (person("chief", admin=True), {on_public, on_open}),
    }
    for name, (caller, seen) in readable.items():
        found = {key for key in everything if ask(caller, "GET", f"/{key}").status_code == 200}
        assert found == seen, name
        threads = {
            key for key in everything if ask(caller, "GET", f"/{key}/thread").status_code == 200
        }
        assert threads == seen, name
        assert set(ids(caller, map_id=public)) == seen & {on_public, on_hidden}, name
        assert set(ids(caller, layer_id=open_layer)) == seen & {on_open, on_open_privately}, name
        sees_hidden = alone in seen
        for query, allowed in (
            ({"map_id": private}, on_private in seen),
            ({"layer_id": hidden_layer}, sees_hidden),
            ({"map_id": public, "layer_id": hidden_layer}, sees_hidden),
        ):
            status = ask(caller, "GET", query_string=query).status_code
            assert status == (200 if allowed else 404), (name, query)
    assert ids(owner, map_id=public, layer_id=hidden_layer) == [on_hidden]


def test_only_the_author_changes_the_content(
    person: Callable[..., Person], owner: Person, other: Person, anybody: Person, engine: Engine
) -> None:
    public_map = make_map(engine, owner.id, "public")
    comment = write(other, map_id=public_map)
    path = f"/{comment['id']}"
    for method in ("PUT", "PATCH"):
        body = {"content": "Changed"}
        assert ask(anybody, method, path, json=body).status_code == 401
        assert ask(person("other", "read"), method, path, json=body).status_code == 403
        assert ask(owner, method, path, json=body).status_code == 403
        assert ask(person("chief", admin=True), method, path, json=body).status_code == 403
        assert ask(other, method, f"/{uuid.uuid4()}", json=body).status_code == 404
        assert ask(other, method, "/x", json=body).status_code == 404
    assert read(other, path) == comment
    same = ask(other, "PUT", path, json=comment)
    assert same.json == comment
    assert ask(other, "PUT", path, json={}).json == comment
    changed = ask(other, "PUT", path, json={**comment, "content": " New ", "map_id": 7}).json
    assert changed
    assert changed["content"] == "New"
    assert changed["edited_at"] > comment["created_at"]
    assert changed["map_id"] == public_map
    patched = ask(
        *(other, "PATCH", path),
        data='{"content": "Newer"}',
        content_type="application/merge-patch+json",
    )
    assert (patched.json or {})["content"] == "Newer"
    for wrong in ({"content": " "}, {"content": None}, {"content": 1}):
        assert pointers(ask(other, "PATCH", path, json=wrong)) == ["/content"]
    assert pointers(ask(other, "PUT", path, json={"text": "x", "y": 1})) == ["/text", "/y"]
    assert pointers(ask(other, "PUT", path, json="x")) == [""]
    assert ask(other, "PUT", path, data="x", content_type="text/plain").status_code == 415


def test_who_deletes_a_comment(
    person: Callable[..., Person], owner: Person, other: Person, anybody: Person, engine: Engine
) -> None:
    author, chief = person("author"), person("chief", admin=True)
    public, private = make_map(engine, owner.id, "public"), make_map(engine, owner.id)
    layer_id = make_layer(other, visibility="public")["id"]
    place(engine, public, layer_id)
    subjects: list[tuple[dict[str, str], list[Person]]] = [
        ({"map_id": public}, [author, owner, chief]),
        ({"layer_id": layer_id}, [author, other, chief]),
        ({"map_id": public, "layer_id": layer_id}, [author, owner, other, chief]),
    ]
    for subject, allowed in subjects:
        for caller in (author, owner, other, chief):
            path = f"/{write(author, **subject)['id']}"
            assert ask(anybody, "DELETE", path).status_code == 401
            assert ask(person("stranger"), "DELETE", path).status_code == 403
            assert ask(person("author", "read"), "DELETE", path).status_code == 403
            expected = 204 if caller in allowed else 403
            assert ask(caller, "DELETE", path).status_code == expected, (subject, caller.id)
            assert ask(author, "GET", path).status_code == (404 if expected == 204 else 200)
    unseen = f"/{write(owner, map_id=private)['id']}"
    assert ask(chief, "DELETE", unseen).status_code == 404
    assert ask(chief, "PUT", unseen, json={"content": "x"}).status_code == 404
    assert ask(chief, "PUT", f"{unseen}/resolve").status_code == 404
    assert ask(owner, "DELETE", f"/{uuid.uuid4()}").status_code == 404
