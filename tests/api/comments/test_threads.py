"""`/api/v1/comments`: replies, threads, tombstones, resolving and lists."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.api.comments.comment_requests import add_to_map, ids, invite, make_map, read, send, write
from tests.api.layer_requests import LINE, Caller, MakeCaller, feature, pointers, vector


@pytest.fixture
def map_id(owner: Caller, engine: Engine) -> str:
    return make_map(engine, owner.id, "public")


@pytest.fixture
def other(make_caller: MakeCaller) -> Caller:
    return make_caller("other")


def shape(comment: Any) -> Any:
    return [comment["content"], *(shape(reply) for reply in comment["replies"])]


def stored(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM comments")).scalar_one())


def test_a_thread_nests_its_replies(owner: Caller, anonymous: Caller, map_id: str) -> None:
    root = write(owner, "root", map_id=map_id)
    first = write(owner, "first", map_id=map_id, parent_id=root["id"])
    second = write(owner, "second", map_id=map_id, parent_id=root["id"])
    deep = write(owner, "deep", map_id=map_id, parent_id=first["id"])
    deeper = write(owner, "deeper", map_id=map_id, parent_id=deep["id"])
    write(owner, "elsewhere", map_id=map_id)
    created = (root, first, second, deep, deeper)
    assert {comment["thread_id"] for comment in created} == {root["id"]}
    path = f"/{root['id']}/thread"
    thread = read(anonymous, path)
    assert shape(thread) == ["root", ["first", ["deep", ["deeper"]]], ["second"]]
    listed = {comment["id"]: comment for comment in read(anonymous, "", map_id=map_id)}
    assert {**thread, "replies": None} == {**listed[root["id"]], "replies": None}
    assert thread["reply_count"] == 2
    assert listed[deep["id"]]["reply_count"] == 1
    assert {listed[comment["id"]]["thread_id"] for comment in created} == {root["id"]}
    assert shape(read(anonymous, path, max_depth=0)) == ["root"]
    assert shape(read(anonymous, path, max_depth=1)) == ["root", ["first"], ["second"]]
    assert shape(read(anonymous, path, max_depth=100)) == shape(thread)
    below = read(anonymous, f"/{first['id']}/thread", max_depth=1)
    assert shape(below) == ["first", ["deep"]]
    assert below["replies"][0]["thread_id"] == root["id"]
    one = read(anonymous, f"/{deeper['id']}")
    assert one == {**deeper, "thread_id": root["id"], "parent_id": deep["id"]}


def test_a_reply_has_the_subject_of_its_thread(owner: Caller, map_id: str, engine: Engine) -> None:
    """Whichever of the thread's map and layer it names; one that names neither is refused."""
    layer, other = (owner.post(vector(feature(LINE))).json for _ in range(2))
    assert layer
    assert other
    add_to_map(engine, map_id, layer["id"])
    on_map = {"map_id": map_id}
    on_layer = {"layer_id": layer["id"]}
    elsewhere = {"map_id": make_map(engine, owner.id)}
    add_to_map(engine, elsewhere["map_id"], layer["id"])
    subjects: dict[str, dict[str, str]] = {
        "map": on_map,
        "layer": on_layer,
        "both": {**on_map, **on_layer},
        "other map": elsewhere,
    }
    named = {
        **subjects,
        "other layer": {"layer_id": other["id"]},
        "layer on other map": {**elsewhere, **on_layer},
        "both others": {**elsewhere, "layer_id": other["id"]},
    }
    accepted = {
        "map": {"map", "both"},
        "layer": {"layer", "both", "layer on other map"},
        "both": {"map", "layer", "both"},
        "other map": {"other map", "layer on other map", "both others"},
    }
    for name, subject in subjects.items():
        root = write(owner, **subject)
        for sent, members in named.items():
            body = {"content": "Yes", **members, "parent_id": root["id"]}
            response = send(owner, "POST", json=body)
            if sent in accepted[name]:
                assert response.status_code == 201, (name, sent, response.text)
                reply = response.json or {}
                assert reply["thread_id"] == root["id"]
                assert [reply[key] for key in ("map_id", "layer_id")] == [
                    root[key] for key in ("map_id", "layer_id")
                ]
            else:
                assert pointers(response) == ["/parent_id"], (name, sent)
        neither = {"content": "Yes", "parent_id": root["id"]}
        assert pointers(send(owner, "POST", json=neither)) == ["/map_id"]


def test_a_reply_about_a_feature_needs_a_thread_on_its_layer(
    owner: Caller, map_id: str, engine: Engine
) -> None:
    layer = owner.post(vector(feature(LINE))).json
    assert layer
    add_to_map(engine, map_id, layer["id"])
    about = {
        "layer_id": layer["id"],
        "feature_id": layer["source_config"]["geojson"]["features"][0]["id"],
    }
    on_map = write(owner, map_id=map_id)
    body = {"content": "Yes", "map_id": map_id, **about, "parent_id": on_map["id"]}
    assert pointers(send(owner, "POST", json=body)) == ["/feature_id"]
    on_layer = write(owner, map_id=map_id, layer_id=layer["id"])
    reply = write(owner, **about, parent_id=on_layer["id"])
    assert (reply["map_id"], reply["feature_id"]) == (map_id, about["feature_id"])


def test_a_thread_that_one_may_not_read_takes_no_reply(
    owner: Caller, other: Caller, engine: Engine
) -> None:
    layer = owner.post(vector(feature(LINE), visibility="public")).json
    assert layer
    private = make_map(engine, owner.id)
    add_to_map(engine, private, layer["id"])
    root = write(owner, map_id=private, layer_id=layer["id"])
    body = {"content": "Yes", "layer_id": layer["id"], "parent_id": root["id"]}
    assert pointers(send(other, "POST", json=body)) == ["/parent_id"]
    assert send(owner, "POST", json=body).status_code == 201


def test_a_thread_goes_on_when_its_layer_is_taken_off_the_map(
    owner: Caller, map_id: str, engine: Engine
) -> None:
    layer = owner.post(vector(feature(LINE))).json
    assert layer
    add_to_map(engine, map_id, layer["id"])
    root = write(owner, map_id=map_id, layer_id=layer["id"])
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM map_layers"))
    assert write(owner, layer_id=layer["id"], parent_id=root["id"])["map_id"] == map_id
    new = {"content": "New", "map_id": map_id, "layer_id": layer["id"]}
    assert pointers(send(owner, "POST", json=new)) == ["/layer_id"]


def test_a_map_lists_the_comments_on_its_layers(
    owner: Caller, other: Caller, map_id: str, engine: Engine
) -> None:
    """Those in its context and those outside of any map, as far as the caller may read them."""
    public, private, absent = (
        (owner.post(vector(feature(LINE), visibility=how)).json or {})["id"]
        for how in ("public", "private", "public")
    )
    elsewhere = make_map(engine, other.id, "public")
    for layer in (public, private):
        add_to_map(engine, map_id, layer)
    add_to_map(engine, elsewhere, public)
    add_to_map(engine, elsewhere, private)
    first = write(owner, layer_id=public)["id"]
    hidden = write(owner, layer_id=private)["id"]
    inside = write(owner, layer_id=public, map_id=map_id)["id"]
    reply = write(other, layer_id=public, parent_id=first)["id"]
    write(owner, layer_id=absent)
    other_map = write(owner, layer_id=public, map_id=elsewhere)["id"]
    assert ids(owner, map_id=map_id) == [first, hidden, inside, reply]
    assert ids(owner, map_id=elsewhere) == [first, hidden, reply, other_map]
    # A private layer is seen on a map of its creator, but not on that of another.
    assert ids(other, map_id=map_id) == [first, hidden, inside, reply]
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM map_layers WHERE map_id = :map"), {"map": map_id})
    assert ids(owner, map_id=map_id) == [inside]
    passer_by = Caller(uuid.uuid4(), owner.client)
    assert ids(passer_by, map_id=elsewhere) == [first, reply, other_map]


def test_a_deleted_comment_remains_until_its_replies_are_deleted(
    owner: Caller, other: Caller, anonymous: Caller, map_id: str, engine: Engine
) -> None:
    root = write(other, "root", map_id=map_id)
    middle = write(other, "middle", map_id=map_id, parent_id=root["id"])
    leaf = write(owner, "leaf", map_id=map_id, parent_id=middle["id"])
    sibling = write(owner, "sibling", map_id=map_id, parent_id=root["id"])
    for comment in (root, middle):
        assert send(other, "DELETE", f"/{comment['id']}").status_code == 204
    tombstone = read(anonymous, f"/{root['id']}")
    assert tombstone["content"] == tombstone["author_name"] == "[deleted]"
    assert [tombstone[name] for name in ("author_id", "author")] == [None] * 2
    assert tombstone["deleted_at"] > root["created_at"]
    assert tombstone["reply_count"] == 1
    assert str(other.id) not in str(tombstone)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT content FROM comments WHERE deleted_at IS NOT NULL"))
        assert list(rows.scalars()) == ["", ""]
    thread = read(anonymous, f"/{root['id']}/thread")
    assert shape(thread) == ["[deleted]", ["[deleted]", ["leaf"]], ["sibling"]]
    assert ids(anonymous, map_id=map_id, author=str(other.id)) == []
    path = f"/{root['id']}"
    for caller in (owner, other):
        assert send(caller, "PUT", path, json={"content": "x"}).status_code == 409
        assert send(caller, "PUT", f"{path}/resolve", json={}).status_code == 409
        assert send(caller, "DELETE", path).status_code == 409
    reply = {"content": "late", "map_id": map_id, "parent_id": root["id"]}
    assert pointers(send(owner, "POST", json=reply)) == ["/parent_id"]
    assert send(owner, "DELETE", f"/{leaf['id']}").status_code == 204
    assert send(anonymous, "GET", f"/{middle['id']}").status_code == 404
    assert ids(anonymous, map_id=map_id) == [root["id"], sibling["id"]]
    assert send(owner, "DELETE", f"/{sibling['id']}").status_code == 204
    assert read(anonymous, "", map_id=map_id) == []
    assert stored(engine) == 0


def test_resolving_a_thread(
    make_caller: MakeCaller, owner: Caller, other: Caller, anonymous: Caller, engine: Engine
) -> None:
    map_id = make_map(engine, owner.id, "public", "collaborators")
    editor, viewer = make_caller("editor"), make_caller("viewer")
    invite(engine, map_id, editor.id, "editor")
    invite(engine, map_id, viewer.id)
    root = write(other, map_id=map_id)
    reply = write(viewer, map_id=map_id, parent_id=root["id"])
    path = f"/{root['id']}/resolve"
    assert send(anonymous, "PUT", path).status_code == 401
    assert send(make_caller("other", "read"), "PUT", path).status_code == 403
    for stranger in (viewer, make_caller("stranger"), make_caller("chief", admin=True)):
        assert send(stranger, "PUT", path).status_code == 403
    for caller in (other, owner, editor):
        resolved = send(caller, "PUT", path, json={}).json
        assert resolved
        assert resolved["is_resolved"] is True
        assert resolved["resolved_by"] == str(caller.id)
        assert resolved["resolved_at"] > root["created_at"]
        assert resolved["edited_at"] is None
        again = send(owner, "PUT", path, query_string={"is_resolved": "true"})
        assert again.json == resolved
        opened = send(caller, "PUT", path, query_string={"is_resolved": "false"}, json={}).json
        assert opened
        assert (opened["is_resolved"], opened["resolved_at"], opened["resolved_by"]) == (
            False,
            None,
            None,
        )
    refused = send(owner, "PUT", f"/{reply['id']}/resolve")
    assert refused.status_code == 409
    assert "reply" in (refused.json or {})["detail"]
    assert pointers(send(owner, "PUT", path, json={"is_resolved": False})) == ["/is_resolved"]
    assert send(owner, "PUT", path, data="x", content_type="text/plain").status_code == 415
    assert send(owner, "PUT", f"/{uuid.uuid4()}/resolve").status_code == 404


def test_who_resolves_threads_on_layers(
    make_caller: MakeCaller, owner: Caller, other: Caller, engine: Engine
) -> None:
    layer = other.post(vector(visibility="public")).json
    assert layer
    map_id = make_map(engine, owner.id, "public")
    add_to_map(engine, map_id, layer["id"])
    author = make_caller("author")
    alone = write(author, layer_id=layer["id"])["id"]
    on_map = write(author, layer_id=layer["id"], map_id=map_id)["id"]
    allowed = {
        (name, key)
        for name, caller in (("author", author), ("owner", owner), ("creator", other))
        for key in (alone, on_map)
        if send(caller, "PUT", f"/{key}/resolve").status_code == 200
    }
    assert allowed == {
        *(("author", alone), ("author", on_map), ("owner", on_map), ("creator", alone))
    }


def test_resolved_threads_are_left_out(owner: Caller, anonymous: Caller, map_id: str) -> None:
    closed = write(owner, map_id=map_id)
    reply = write(owner, map_id=map_id, parent_id=closed["id"])
    deep = write(owner, map_id=map_id, parent_id=reply["id"])
    still = write(owner, map_id=map_id)
    assert send(owner, "PUT", f"/{closed['id']}/resolve").status_code == 200
    all_ids = [closed["id"], reply["id"], deep["id"], still["id"]]
    assert ids(anonymous, map_id=map_id) == all_ids
    assert ids(anonymous, map_id=map_id, include_resolved="true") == all_ids
    assert ids(anonymous, map_id=map_id, include_resolved="false") == [still["id"]]
    states = {c["id"]: c["is_resolved"] for c in read(anonymous, "", map_id=map_id)}
    assert states == {closed["id"]: True, reply["id"]: False, deep["id"]: False, still["id"]: False}


def test_lists(owner: Caller, other: Caller, map_id: str, engine: Engine) -> None:
    layer = owner.post(vector(feature(LINE), visibility="public")).json
    assert layer
    feature_id = layer["source_config"]["geojson"]["features"][0]["id"]
    add_to_map(engine, map_id, layer["id"])
    on_layer = {"layer_id": layer["id"]}
    first = write(owner, map_id=map_id)["id"]
    second = write(other, map_id=map_id, **on_layer, feature_id=feature_id)["id"]
    third = write(other, map_id=map_id, parent_id=first)["id"]
    outside = write(other, **on_layer)["id"]
    assert ids(owner, map_id=map_id) == [first, second, third, outside]
    assert ids(owner, **on_layer) == [second, outside]
    assert ids(owner, map_id=map_id, **on_layer) == [second]
    assert ids(owner, map_id=map_id, parent_id=first) == [third]
    assert ids(owner, map_id=map_id, parent_id=str(uuid.uuid4())) == []
    assert ids(owner, map_id=map_id, author=str(other.id)) == [second, third, outside]
    assert ids(owner, **on_layer, feature_id=feature_id) == [second]
    assert ids(owner, **on_layer, feature_id=2**63 - 1) == []
    page = send(owner, "GET", query_string={"map_id": map_id, "limit": "2"})
    assert [comment["id"] for comment in page.json or []] == [first, second]
    assert page.headers["X-Total-Count"] == "4"
    assert 'rel="next"' in page.headers["Link"]
    assert ids(owner, map_id=map_id, limit=2, offset=2) == [third, outside]
    behind = send(owner, "GET", query_string={"map_id": map_id, "offset": "9"})
    assert (behind.json, behind.headers["X-Total-Count"]) == ([], "4")
    with engine.begin() as connection:
        connection.execute(text("UPDATE comments SET created_at = now()"))
    assert ids(owner, map_id=map_id) == sorted([first, second, third, outside])


@contextmanager
def locked(engine: Engine, table: str, key: str) -> Iterator[None]:
    """Lock a row for the block."""
    with engine.connect() as connection:
        connection.execute(text(f"SELECT FROM {table} WHERE id = :key FOR UPDATE"), {"key": key})
        yield
        connection.rollback()


def in_background(caller: Caller, statuses: list[int], *request: Any) -> threading.Thread:
    """Send a request from a thread that records the response's status."""

    def run() -> None:
        client = caller.client.application.test_client()
        method, path, body = request
        response = send(Caller(caller.id, client, caller.headers), method, path, json=body)
        statuses.append(response.status_code)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("first", ["deletion", "reply"])
def test_a_reply_meets_the_deletion_of_its_parent(
    owner: Caller, map_id: str, engine: Engine, first: str
) -> None:
    """The second transaction sees the changes of the first: a tombstone, or nothing."""
    root = write(owner, map_id=map_id)
    body = {"content": "Yes", "map_id": map_id, "parent_id": root["id"]}
    order = [("DELETE", f"/{root['id']}", None), ("POST", "", body)]
    if first == "reply":
        order.reverse()
    statuses: list[int] = []
    with locked(engine, "comments", root["id"]):
        threads = []
        for request in order:
            threads.append(in_background(owner, statuses, *request))
            wait_for_locks(engine, len(threads))
    for thread in threads:
        thread.join(20)
    if first == "reply":
        assert sorted(statuses) == [201, 204]
        assert read(owner, f"/{root['id']}")["deleted_at"] is not None
        assert stored(engine) == 2
    else:
        assert sorted(statuses) == [204, 422]
        assert stored(engine) == 0


def test_the_last_replies_deleted_at_once_leave_nothing(
    owner: Caller, map_id: str, engine: Engine
) -> None:
    for _ in range(5):
        root = write(owner, map_id=map_id)
        replies = [write(owner, map_id=map_id, parent_id=root["id"])["id"] for _ in range(3)]
        assert send(owner, "DELETE", f"/{root['id']}").status_code == 204
        statuses: list[int] = []
        with locked(engine, "maps", map_id):
            threads = [in_background(owner, statuses, "DELETE", f"/{key}", None) for key in replies]
            wait_for_locks(engine, len(threads))
        for thread in threads:
            thread.join(20)
        assert statuses == [204] * 3
        assert stored(engine) == 0


def wait_for_locks(engine: Engine, number: int) -> None:
    """Return once so many connections wait for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(500):
        with engine.connect() as connection:
            if connection.execute(waiting).scalar_one() >= number:
                return
        time.sleep(0.02)
    raise AssertionError(f"fewer than {number} connections wait")
