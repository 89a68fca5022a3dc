"""`/api/v1/maps/{id}`: maps made, read, changed, given away and deleted."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.api.layer_requests import LINE, Person, feature, pointers, vector
from tests.api.maps.map_requests import (
    COLLABORATOR,
    MAP,
    MAP_LAYER,
    MAPS,
    USER,
    ask,
    done,
    fill,
    invite,
    make_layer,
    make_map,
    put_on,
    read,
    unknown,
)
from tests.statements import statements

FULL: dict[str, Any] = {
    "name": "Åland's plan <1>",
    "description": "Where & why",
    "center_lat": 59.5,
    "center_lng": -19.25,
    "zoom": 7.5,
    "view_permission": "public",
    "edit_permission": "collaborators",
    "map_metadata": {"author": "A. Sea", "n": [1, 2.5, None, {"a": "</script>"}]},
}


def test_a_map_says_what_was_said_and_nothing_else(owner: Person, anybody: Person) -> None:
    answer = ask(owner, "POST", body=FULL)
    made = done(answer, 201)
    assert answer.headers["Location"].endswith(f"{MAPS}/{made['id']}")
    assert {name: made[name] for name in FULL} == FULL
    assert set(made) == MAP
    assert set(made["creator"]) == USER
    assert made["created_by"] == made["creator"]["id"] == str(owner.id)
    assert made["creator"]["email"] == "owner@example.org"
    assert (made["collaborators"], made["map_layers"], made["user_role"]) == ([], [], "owner")
    for moment in (made["created_at"], made["updated_at"], made["creator"]["created_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", moment)
    again = ask(owner, "GET", f"/{made['id']}")
    assert again.json == made
    assert again.headers["ETag"] == answer.headers["ETag"]
    creator = {**made["creator"], "email": None}
    assert read(anybody, f"/{made['id']}") == {**made, "creator": creator, "user_role": None}


def test_a_name_is_all_it_takes(owner: Person) -> None:
    made = done(ask(owner, "POST", body={"name": "x" * 255}), 201)
    assert (made["center_lat"], made["center_lng"], made["zoom"]) == (0, 0, 2)
    assert (made["view_permission"], made["edit_permission"]) == ("private", "private")
    assert (made["description"], made["map_metadata"]) == (None, {})


@pytest.mark.parametrize(
    ("member", "value"),
    [
        *(("name", value) for value in ("", "x" * 256, None, 1, ["x"], "a\u0000b", "\ud800")),
        *(("description", value) for value in (1, "x" * 100_001, "\u0000")),
        *(("center_lat", value) for value in (90.1, -90.1, "1", True, None, 10**400)),
        *(("center_lng", value) for value in (180.1, -180.1, "1", False, None, -(10**30))),
        *(("zoom", value) for value in (-0.1, 22.1, "2", True, None)),
        *(("view_permission", value) for value in ("everyone", "", None, 1)),
        *(("edit_permission", value) for value in ("Public", "", None, True)),
        *(("map_metadata", value) for value in (None, "x", {"a": "x" * 263_000})),
        ("map_metadata", []),
        ("map_layers_", []),
    ],
)
def test_what_breaks_a_rule_is_named(owner: Person, member: str, value: Any) -> None:
    assert pointers(ask(owner, "POST", body={"name": "x", member: value})) == [f"/{member}"]
    path = make_map(owner)
    before = ask(owner, "GET", path)
    for method in ("PUT", "PATCH"):
        assert pointers(ask(owner, method, path, {member: value})) == [f"/{member}"]
    assert ask(owner, "GET", path).headers["ETag"] == before.headers["ETag"]


def test_every_member_that_breaks_a_rule_is_named(owner: Person) -> None:
    body = {"center_lat": 91, "zoom": None, "id": unknown(), "a/b~": 1}
    assert set(pointers(ask(owner, "POST", body=body))) == {
        *("/name", "/center_lat", "/zoom", "/id", "/a~1b~0"),
    }
    assert pointers(ask(owner, "PUT", make_map(owner), {"mine": 1, "layers": []})) == [
        *("/mine", "/layers"),
    ]


def test_the_edges_of_ranges(owner: Person) -> None:
    path = make_map(owner)
    edges: tuple[dict[str, Any], ...] = (
        {"center_lat": 90, "center_lng": 180, "zoom": 22},
        {"center_lat": -90.0, "center_lng": -180.0, "zoom": 0},
        {"name": "x", "description": ""},
        {"name": " ", "description": None, "map_metadata": {}},
    )
    for body in edges:
        assert body.items() <= done(ask(owner, "PUT", path, body)).items()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_bodies_that_are_none(owner: Person, method: str) -> None:
    path = "" if method == "POST" else make_map(owner)
    for value in (b"", b"{", b"{'a': 1}", b'{"zoom": NaN}', b'{"zoom": 1e999}', b"\xff", b"[" * 99):
        more = {"data": value, "content_type": "application/json"}
        assert ask(owner, method, path, **more).status_code == 400, value
    for value in (b"[]", b"null", b"1", b'"x"'):
        more = {"data": value, "content_type": "application/json"}
        assert pointers(ask(owner, method, path, **more)) == [""]
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/geo+json", ""):
        more = {"data": b'{"name": "x"}', "content_type": kind}
        assert ask(owner, method, path, **more).status_code == 415
    merge = {"data": b'{"name": "x"}', "content_type": "application/merge-patch+json"}
    assert ask(owner, method, path, **merge).status_code == (200 if method == "PATCH" else 415)


def test_what_one_got_one_can_put_back(owner: Person, person: Callable[..., Person]) -> None:
    path = make_map(owner, **FULL)
    editor = person("editor")
    invite(owner, path, editor, "editor")
    put_on(owner, path, make_layer(owner), style_override={"a": 1}, opacity=3)
    for caller in (owner, editor):
        for method in ("PUT", "PATCH"):
            got = ask(caller, "GET", path)
            same = ask(caller, method, path, got.json)
            assert done(same) == got.json
            assert same.headers["ETag"] == got.headers["ETag"]


def test_only_what_is_sent_changes(owner: Person) -> None:
    path = make_map(owner, **FULL)
    got = read(owner, path)
    put = done(ask(owner, "PUT", path, {"zoom": 3, "map_metadata": {"b": 1}}))
    assert put == {
        **got,
        "zoom": 3,
        "map_metadata": {"b": 1},
        "updated_at": put["updated_at"],
    }
    assert put["updated_at"] > got["updated_at"]
    assert read(owner, path) == put


def test_patch_merges_objects(owner: Person) -> None:
    path = make_map(owner, map_metadata={"a": {"x": 1, "y": 2}, "b": 1}, description="x")
    body = {"map_metadata": {"a": {"x": None, "z": [None]}, "c": {"d": None}}, "description": None}
    patched = done(ask(owner, "PATCH", path, body))
    assert patched["map_metadata"] == {"a": {"y": 2, "z": [None]}, "b": 1, "c": {}}
    assert patched["description"] is None
    for null in ("name", "zoom", "map_metadata", "view_permission"):
        assert pointers(ask(owner, "PATCH", path, {null: None})) == [f"/{null}"]


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False), (False, 0)])
def test_values_that_python_takes_for_equal_are_not(owner: Person, before: Any, after: Any) -> None:
    path = make_map(owner, map_metadata={"a": [{"b": before}]})
    ask(owner, "PUT", path, {"map_metadata": {"a": [{"b": after}]}})
    assert read(owner, path)["map_metadata"]["a"][0]["b"] is after


def test_a_number_is_the_same_however_it_is_written(owner: Person) -> None:
    path = make_map(owner, center_lat=1.0, map_metadata={"a": 1.0, "b": [2]})
    before = read(owner, path)
    body = {"center_lat": 1, "map_metadata": {"b": [2.0], "a": 1}}
    assert done(ask(owner, "PUT", path, body)) == before


def test_entity_tags(owner: Person) -> None:
    path = make_map(owner)
    tag = ask(owner, "GET", path).headers["ETag"]
    unchanged = ask(owner, "GET", path, headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    for method, below, body in (
        ("PUT", "", {"name": "y"}),
        ("PATCH", "", {"name": "y"}),
        ("PUT", "/owner", {"user_id": str(owner.id)}),
        ("DELETE", "", None),
    ):
        for stale in ('"x"', 'W/"1-"', '"1-", "2-"'):
            answer = ask(owner, method, path + below, body, headers={"If-Match": stale})
            assert answer.status_code == 412, (method, stale)
    assert read(owner, path)["name"] == "A plan"
    put = ask(owner, "PUT", path, {"name": "y"}, headers={"If-Match": f'"x", {tag}'})
    assert put.status_code == 200
    assert ask(owner, "GET", path, headers={"If-None-Match": tag}).status_code == 200
    assert ask(owner, "PUT", path, {"name": "z"}, headers={"If-Match": tag}).status_code == 412
    assert ask(owner, "PUT", path, {"name": "z"}, headers={"If-Match": "*"}).status_code == 200
    now = ask(owner, "GET", path).headers["ETag"]
    assert ask(owner, "DELETE", path, headers={"If-Match": now}).status_code == 204


def test_parameters_are_known_and_right(owner: Person) -> None:
    path = make_map(owner)
    assert ask(owner, "POST", "?x=1", {"name": "x"}).status_code == 400
    assert ask(owner, "PUT", f"{path}/owner?x=1", {"user_id": str(owner.id)}).status_code == 400
    assert ask(owner, "DELETE", f"{path}?force=true").status_code == 400
    assert ask(owner, "POST", f"{path}/duplicate?x=1").status_code == 400
    for query in ("x=1", "inline=1", "inline=true&inline=true", "inline="):
        assert ask(owner, "GET", f"{path}?{query}").status_code == 400
        assert ask(owner, "PUT", f"{path}?{query}", {}).status_code == 400


def test_a_layer_is_whole_or_without_its_features(owner: Person) -> None:
    path = make_map(owner)
    layer = done(owner.post(vector(feature(LINE, name="Ferry"))), 201)
    put_on(owner, path, layer["id"])
    (entry,) = read(owner, path)["map_layers"]
    assert set(entry) == MAP_LAYER
    assert entry["layer"] == owner.get(layer["id"]).json
    assert len(entry["layer"]["source_config"]["geojson"]["features"]) == 1
    for bare in (
        read(owner, path, inline="false"),
        done(ask(owner, "PUT", f"{path}?inline=false", {})),
    ):
        assert "geojson" not in bare["map_layers"][0]["layer"]["source_config"]


def test_what_is_no_map(owner: Person) -> None:
    path = make_map(owner)
    for other in (f"/{unknown()}", "/x", path.replace("-", ""), f"/{{{path[1:]}}}", "/0"):
        for method, body in (("GET", None), ("PUT", {}), ("PATCH", {}), ("DELETE", None)):
            assert ask(owner, method, other, body).status_code == 404
        assert ask(owner, "POST", f"{other}/duplicate", {}).status_code == 404
        assert ask(owner, "PUT", f"{other}/owner", {"email": "a@b"}).status_code == 404


def test_deleting_takes_comments_and_leaves_layers(
    owner: Person, empty_database: Engine, person: Callable[..., Person]
) -> None:
    path, layer_id = make_map(owner), make_layer(owner)
    put_on(owner, path, layer_id)
    invite(owner, path, person("viewer"))
    for subject in ({"map_id": path[1:]}, {"map_id": path[1:], "layer_id": layer_id}):
        body = {"content": "Mind the cod.", **subject}
        assert (
            owner.client.post("/api/v1/comments", json=body, headers=owner.headers).status_code
            == 201
        )
    answer = ask(owner, "DELETE", path)
    assert (answer.status_code, answer.data) == (204, b"")
    assert ask(owner, "GET", path).status_code == 404
    assert done(owner.get(layer_id))["map_layers"] == []
    with empty_database.connect() as connection:
        for table in ("maps", "map_layers", "map_collaborators", "comments"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


def test_the_statements_do_not_depend_on_what_is_on_the_map(
    owner: Person, person: Callable[..., Person], empty_database: Engine
) -> None:
    heir = {"user_id": str(person("heir").id)}

    def counted(layers: int) -> list[int]:
        path = make_map(owner)
        fill(empty_database, owner, path, layers)
        copied = make_map(owner)
        fill(empty_database, owner, copied, layers)
        counts = []
        for method, where, body in (
            ("GET", path, None),
            ("PUT", path, {"name": "New"}),
            ("PATCH", path, {"name": "Newer"}),
            ("POST", f"{copied}/duplicate", {}),
            ("DELETE", copied, None),
            ("PUT", f"{path}/owner", heir),
        ):
            with statements() as seen:
                assert ask(owner, method, where, body).status_code in {200, 201, 204}
            counts.append(len(seen))
        return counts

    assert counted(1) == counted(50)
    path = make_map(owner)
    fill(empty_database, owner, path, 50)
    found = read(owner, path)
    assert len(found["map_layers"]) == len(found["collaborators"]) == 50
    assert all(set(entry) == COLLABORATOR for entry in found["collaborators"])
    assert uuid.UUID(found["id"])
