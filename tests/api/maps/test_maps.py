"""`/api/v1/maps/{id}`: maps created, read, changed, transferred and deleted."""

import re
import uuid
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.api.layer_requests import LINE, Caller, MakeCaller, feature, pointers, vector
from tests.api.maps.map_requests import (
    COLLABORATOR,
    MAP,
    MAP_LAYER,
    MAPS,
    USER,
    add_layer,
    fill,
    invite,
    json_of,
    make_layer,
    make_map,
    read,
    send,
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


def test_a_map_has_the_members_that_were_sent(owner: Caller, anonymous: Caller) -> None:
    response = send(owner, "POST", body=FULL)
    created = json_of(response, 201)
    assert response.headers["Location"].endswith(f"{MAPS}/{created['id']}")
    assert {name: created[name] for name in FULL} == FULL
    assert set(created) == MAP
    assert set(created["creator"]) == USER
    assert created["created_by"] == created["creator"]["id"] == str(owner.id)
    assert created["creator"]["email"] == "owner@example.org"
    assert (created["collaborators"], created["map_layers"], created["user_role"]) == (
        [],
        [],
        "owner",
    )
    for moment in (created["created_at"], created["updated_at"], created["creator"]["created_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", moment)
    again = send(owner, "GET", f"/{created['id']}")
    assert again.json == created
    assert again.headers["ETag"] == response.headers["ETag"]
    creator = {**created["creator"], "email": None}
    assert read(anonymous, f"/{created['id']}") == {
        **created,
        "creator": creator,
        "user_role": None,
    }


def test_a_name_is_the_only_required_member(owner: Caller) -> None:
    created = json_of(send(owner, "POST", body={"name": "x" * 255}), 201)
    assert (created["center_lat"], created["center_lng"], created["zoom"]) == (0, 0, 2)
    assert (created["view_permission"], created["edit_permission"]) == ("private", "private")
    assert (created["description"], created["map_metadata"]) == (None, {})


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
def test_faults_are_reported(owner: Caller, member: str, value: Any) -> None:
    assert pointers(send(owner, "POST", body={"name": "x", member: value})) == [f"/{member}"]
    path = make_map(owner)
    before = send(owner, "GET", path)
    for method in ("PUT", "PATCH"):
        assert pointers(send(owner, method, path, {member: value})) == [f"/{member}"]
    assert send(owner, "GET", path).headers["ETag"] == before.headers["ETag"]


def test_each_invalid_member_is_reported(owner: Caller) -> None:
    body = {"center_lat": 91, "zoom": None, "id": unknown(), "a/b~": 1}
    assert set(pointers(send(owner, "POST", body=body))) == {
        *("/name", "/center_lat", "/zoom", "/id", "/a~1b~0")
    }
    assert pointers(send(owner, "PUT", make_map(owner), {"mine": 1, "layers": []})) == [
        *("/mine", "/layers")
    ]


def test_the_edges_of_ranges(owner: Caller) -> None:
    path = make_map(owner)
    edges: tuple[dict[str, Any], ...] = (
        {"center_lat": 90, "center_lng": 180, "zoom": 22},
        {"center_lat": -90.0, "center_lng": -180.0, "zoom": 0},
        {"name": "x", "description": ""},
        {"name": " ", "description": None, "map_metadata": {}},
    )
    for body in edges:
        assert body.items() <= json_of(send(owner, "PUT", path, body)).items()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_invalid_bodies(owner: Caller, method: str) -> None:
    path = "" if method == "POST" else make_map(owner)
    for value in (b"", b"{", b"{'a': 1}", b'{"zoom": NaN}', b'{"zoom": 1e999}', b"\xff", b"[" * 99):
        options = {"data": value, "content_type": "application/json"}
        assert send(owner, method, path, **options).status_code == 400, value
    for value in (b"[]", b"null", b"1", b'"x"'):
        options = {"data": value, "content_type": "application/json"}
        assert pointers(send(owner, method, path, **options)) == [""]
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/geo+json", ""):
        options = {"data": b'{"name": "x"}', "content_type": kind}
        assert send(owner, method, path, **options).status_code == 415
    merge = {"data": b'{"name": "x"}', "content_type": "application/merge-patch+json"}
    assert send(owner, method, path, **merge).status_code == (200 if method == "PATCH" else 415)


def test_a_response_can_be_sent_back(owner: Caller, make_caller: MakeCaller) -> None:
    path = make_map(owner, **FULL)
    editor = make_caller("editor")
    invite(owner, path, editor, "editor")
    add_layer(owner, path, make_layer(owner), style_override={"a": 1}, opacity=3)
    for caller in (owner, editor):
        for method in ("PUT", "PATCH"):
            got = send(caller, "GET", path)
            same = send(caller, method, path, got.json)
            assert json_of(same) == got.json
            assert same.headers["ETag"] == got.headers["ETag"]


def test_only_what_is_sent_changes(owner: Caller) -> None:
    path = make_map(owner, **FULL)
    got = read(owner, path)
    put = json_of(send(owner, "PUT", path, {"zoom": 3, "map_metadata": {"b": 1}}))
    assert put == {**got, "zoom": 3, "map_metadata": {"b": 1}, "updated_at": put["updated_at"]}
    assert put["updated_at"] > got["updated_at"]
    assert read(owner, path) == put


def test_patch_merges_objects(owner: Caller) -> None:
    path = make_map(owner, map_metadata={"a": {"x": 1, "y": 2}, "b": 1}, description="x")
    body = {"map_metadata": {"a": {"x": None, "z": [None]}, "c": {"d": None}}, "description": None}
    patched = json_of(send(owner, "PATCH", path, body))
    assert patched["map_metadata"] == {"a": {"y": 2, "z": [None]}, "b": 1, "c": {}}
    assert patched["description"] is None
    for null in ("name", "zoom", "map_metadata", "view_permission"):
        assert pointers(send(owner, "PATCH", path, {null: None})) == [f"/{null}"]


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False), (False, 0)])
def test_values_equal_in_python_but_not_in_json(owner: Caller, before: Any, after: Any) -> None:
    path = make_map(owner, map_metadata={"a": [{"b": before}]})
    send(owner, "PUT", path, {"map_metadata": {"a": [{"b": after}]}})
    assert read(owner, path)["map_metadata"]["a"][0]["b"] is after


def test_equal_numbers_in_different_notations_are_equal(owner: Caller) -> None:
    path = make_map(owner, center_lat=1.0, map_metadata={"a": 1.0, "b": [2]})
    before = read(owner, path)
    body = {"center_lat": 1, "map_metadata": {"b": [2.0], "a": 1}}
    assert json_of(send(owner, "PUT", path, body)) == before


def test_entity_tags(owner: Caller) -> None:
    path = make_map(owner)
    tag = send(owner, "GET", path).headers["ETag"]
    unchanged = send(owner, "GET", path, headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    for method, below, body in (
        ("PUT", "", {"name": "y"}),
        ("PATCH", "", {"name": "y"}),
        ("PUT", "/owner", {"user_id": str(owner.id)}),
        ("DELETE", "", None),
    ):
        for stale in ('"x"', 'W/"1-"', '"1-", "2-"'):
            response = send(owner, method, path + below, body, headers={"If-Match": stale})
            assert response.status_code == 412, (method, stale)
    assert read(owner, path)["name"] == "A plan"
    put = send(owner, "PUT", path, {"name": "y"}, headers={"If-Match": f'"x", {tag}'})
    assert put.status_code == 200
    assert send(owner, "GET", path, headers={"If-None-Match": tag}).status_code == 200
    assert send(owner, "PUT", path, {"name": "z"}, headers={"If-Match": tag}).status_code == 412
    assert send(owner, "PUT", path, {"name": "z"}, headers={"If-Match": "*"}).status_code == 200
    now = send(owner, "GET", path).headers["ETag"]
    assert send(owner, "DELETE", path, headers={"If-Match": now}).status_code == 204


def test_parameters_are_validated(owner: Caller) -> None:
    path = make_map(owner)
    assert send(owner, "POST", "?x=1", {"name": "x"}).status_code == 400
    assert send(owner, "PUT", f"{path}/owner?x=1", {"user_id": str(owner.id)}).status_code == 400
    assert send(owner, "DELETE", f"{path}?force=true").status_code == 400
    assert send(owner, "POST", f"{path}/duplicate?x=1").status_code == 400
    for query in ("x=1", "inline=1", "inline=true&inline=true", "inline="):
        assert send(owner, "GET", f"{path}?{query}").status_code == 400
        assert send(owner, "PUT", f"{path}?{query}", {}).status_code == 400


def test_a_layer_has_all_features_or_none(owner: Caller) -> None:
    path = make_map(owner)
    layer = json_of(owner.post(vector(feature(LINE, name="Ferry"))), 201)
    add_layer(owner, path, layer["id"])
    (entry,) = read(owner, path)["map_layers"]
    assert set(entry) == MAP_LAYER
    assert entry["layer"] == owner.get(layer["id"]).json
    assert len(entry["layer"]["source_config"]["geojson"]["features"]) == 1
    for bare in (
        read(owner, path, inline="false"),
        json_of(send(owner, "PUT", f"{path}?inline=false", {})),
    ):
        assert "geojson" not in bare["map_layers"][0]["layer"]["source_config"]


def test_invalid_map_ids(owner: Caller) -> None:
    path = make_map(owner)
    for other in (f"/{unknown()}", "/x", path.replace("-", ""), f"/{{{path[1:]}}}", "/0"):
        for method, body in (("GET", None), ("PUT", {}), ("PATCH", {}), ("DELETE", None)):
            assert send(owner, method, other, body).status_code == 404
        assert send(owner, "POST", f"{other}/duplicate", {}).status_code == 404
        assert send(owner, "PUT", f"{other}/owner", {"email": "a@b"}).status_code == 404


def test_deleting_takes_comments_and_leaves_layers(
    owner: Caller, empty_database: Engine, make_caller: MakeCaller
) -> None:
    path, layer_id = make_map(owner), make_layer(owner)
    add_layer(owner, path, layer_id)
    invite(owner, path, make_caller("viewer"))
    for subject in ({"map_id": path[1:]}, {"map_id": path[1:], "layer_id": layer_id}):
        body = {"content": "Mind the cod.", **subject}
        assert (
            owner.client.post("/api/v1/comments", json=body, headers=owner.headers).status_code
            == 201
        )
    response = send(owner, "DELETE", path)
    assert (response.status_code, response.data) == (204, b"")
    assert send(owner, "GET", path).status_code == 404
    assert json_of(owner.get(layer_id))["map_layers"] == []
    with empty_database.connect() as connection:
        for table in ("maps", "map_layers", "map_collaborators", "comments"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


def test_the_number_of_statements_does_not_depend_on_the_map(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    heir = make_caller("heir")
    new_owner = {"user_id": str(heir.id)}

    def counted(layers: int) -> list[int]:
        path = make_map(owner)
        fill(empty_database, owner, path, layers)
        invite(owner, path, heir)
        copied = make_map(owner)
        fill(empty_database, owner, copied, layers)
        counts = []
        for method, where, body in (
            ("GET", path, None),
            ("PUT", path, {"name": "New"}),
            ("PATCH", path, {"name": "Newer"}),
            ("POST", f"{copied}/duplicate", {}),
            ("DELETE", copied, None),
            ("PUT", f"{path}/owner", new_owner),
        ):
            with statements() as executed:
                assert send(owner, method, where, body).status_code in {200, 201, 204}
            counts.append(len(executed))
        return counts

    assert counted(1) == counted(50)
    path = make_map(owner)
    fill(empty_database, owner, path, 50)
    document = read(owner, path)
    assert len(document["map_layers"]) == len(document["collaborators"]) == 50
    assert all(set(entry) == COLLABORATOR for entry in document["collaborators"])
    assert uuid.UUID(document["id"])
