"""What comments are about: the version of a feature, and what has become of it; areas."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from samsyn_model.audit.pruning import Pruning, prune
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
from tests.api.layer_requests import LINE, Caller, MakeCaller, feature, pointers
from tests.statements import statements

AREA = {"type": "Polygon", "coordinates": [[[11, 57], [12.123456789012, 57], [12, 58], [11, 57]]]}
OTHER_LINE = {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}


@pytest.fixture
def other(make_caller: MakeCaller) -> Caller:
    return make_caller("other")


@pytest.fixture
def layer(owner: Caller) -> dict[str, Any]:
    return make_layer(owner, feature(LINE, name="cable", depth=10), visibility="public")


def feature_id(layer: dict[str, Any]) -> int:
    return int(layer["source_config"]["geojson"]["features"][0]["id"])


def change(caller: Caller, layer: dict[str, Any], **members: Any) -> None:
    response = caller.patch(f"{layer['id']}/features/{feature_id(layer)}", members)
    assert response.status_code == 200, response.text


def on_feature(caller: Caller, layer: dict[str, Any], **members: Any) -> dict[str, Any]:
    return write(caller, layer_id=layer["id"], feature_id=feature_id(layer), **members)


def test_a_comment_keeps_the_version_that_it_is_about(
    owner: Caller, anonymous: Caller, layer: dict[str, Any]
) -> None:
    comment = on_feature(owner, layer)
    assert (comment["target_state"], comment["feature_version"]) == ("current", 1)
    assert comment["difference"] is None
    change(owner, layer, properties={"depth": 12, "name": None, "kind": "power"})
    changed = read(anonymous, f"/{comment['id']}")
    assert (changed["target_state"], changed["feature_version"]) == ("changed", 1)
    assert changed["difference"] == {
        "geometry": False,
        "properties": {
            "depth": {"former": 10, "present": 12},
            "kind": {"former": None, "present": "power"},
            "name": {"former": "cable", "present": None},
        },
        "is_complete": True,
    }
    later = on_feature(owner, layer)
    assert (later["target_state"], later["feature_version"]) == ("current", 2)
    former = anonymous.client.get(changed["feature_version_url"]).json
    assert former
    assert former["properties"] == {"name": "cable", "depth": 10}
    change(owner, layer, geometry=OTHER_LINE)
    assert read(anonymous, f"/{comment['id']}")["difference"]["geometry"] is True
    assert read(anonymous, f"/{later['id']}")["difference"] == {
        **{"geometry": True, "properties": {}, "is_complete": True}
    }


def test_a_feature_that_is_as_it_was_again_is_current(owner: Caller, layer: dict[str, Any]) -> None:
    comment = on_feature(owner, layer)
    change(owner, layer, properties={"depth": 12})
    assert read(owner, f"/{comment['id']}")["target_state"] == "changed"
    change(owner, layer, properties={"depth": 10})
    assert read(owner, f"/{comment['id']}")["target_state"] == "current"


def test_a_client_may_name_the_version_that_it_has_seen(
    owner: Caller, layer: dict[str, Any]
) -> None:
    change(owner, layer, properties={"depth": 12})
    comment = on_feature(owner, layer, feature_version=1)
    assert (comment["target_state"], comment["feature_version"]) == ("changed", 1)
    assert on_feature(owner, layer, feature_version=2)["target_state"] == "current"
    body = {"content": "x", "layer_id": layer["id"], "feature_id": feature_id(layer)}
    response = send(owner, "POST", json={**body, "feature_version": 3})
    assert (response.status_code, pointers(response)) == (422, ["/feature_version"])
    del body["feature_id"]
    response = send(owner, "POST", json={**body, "feature_version": 1})
    assert (response.status_code, pointers(response)) == (422, ["/feature_version"])


def test_a_comment_outlives_its_feature(owner: Caller, layer: dict[str, Any]) -> None:
    comment = on_feature(owner, layer)
    path = f"{layer['id']}/features/{feature_id(layer)}"
    assert owner.client.delete(f"/api/v1/layers/{path}", headers=owner.headers).status_code == 204
    gone = read(owner, f"/{comment['id']}")
    assert (gone["target_state"], gone["difference"]) == ("gone", None)
    assert (gone["feature_id"], gone["feature_version"]) == (feature_id(layer), 1)
    assert owner.client.get(gone["feature_version_url"], headers=owner.headers).status_code == 200
    reply = on_feature(owner, layer, parent_id=comment["id"])
    assert (reply["target_state"], reply["feature_version"]) == ("gone", 1)
    body = {"content": "x", "layer_id": layer["id"], "feature_id": feature_id(layer)}
    assert pointers(send(owner, "POST", json=body)) == ["/feature_id"]


def test_a_reply_is_about_what_its_thread_is_about(owner: Caller, layer: dict[str, Any]) -> None:
    comment = on_feature(owner, layer)
    reply = write(owner, layer_id=layer["id"], parent_id=comment["id"])
    assert (reply["feature_id"], reply["target_state"]) == (None, "current")
    change(owner, layer, properties={"depth": 12})
    thread = read(owner, f"/{comment['id']}/thread")
    assert thread["target_state"] == thread["replies"][0]["target_state"] == "changed"
    assert thread["replies"][0]["feature_version"] == 1


def test_comments_come_back_with_their_layer(
    owner: Caller, anonymous: Caller, other: Caller, layer: dict[str, Any]
) -> None:
    comment = on_feature(other, layer)
    whole = write(owner, layer_id=layer["id"])
    assert owner.delete(layer["id"]).status_code == 204
    for caller, readable in ((owner, {comment["id"], whole["id"]}), (other, {comment["id"]})):
        for key in (comment["id"], whole["id"]):
            expected = 200 if key in readable else 404
            assert send(caller, "GET", f"/{key}").status_code == expected
    assert send(anonymous, "GET", f"/{comment['id']}").status_code == 404
    gone = read(other, f"/{comment['id']}")
    assert (gone["target_state"], gone["layer_id"]) == ("gone", layer["id"])
    restored = owner.client.post(f"/api/v1/layers/{layer['id']}/restore", headers=owner.headers)
    assert restored.status_code == 201, restored.text
    assert ids(anonymous, layer_id=layer["id"]) == [comment["id"], whole["id"]]
    back = read(anonymous, f"/{comment['id']}")
    assert (back["target_state"], back["feature_version"]) == ("current", 1)


def test_a_map_keeps_the_discussion_of_a_deleted_layer(
    owner: Caller, other: Caller, anonymous: Caller, make_caller: MakeCaller, engine: Engine
) -> None:
    """Those read it who could read the layer on the map."""
    guest = make_caller("guest")
    private = make_layer(other, feature(LINE), visibility="private")
    open_layer = make_layer(other, feature(LINE), visibility="public")
    map_id = make_map(engine, owner.id, "public")
    invite(engine, map_id, other.id)
    add_to_map(engine, map_id, private["id"])
    add_to_map(engine, map_id, open_layer["id"])
    hidden = write(other, "hidden", map_id=map_id, layer_id=private["id"])
    shown = write(other, "shown", map_id=map_id, layer_id=open_layer["id"])
    assert ids(guest, map_id=map_id) == [shown["id"]]
    for layer in (private, open_layer):
        assert other.delete(layer["id"], "?force=true").status_code == 204
    assert ids(guest, map_id=map_id) == ids(anonymous, map_id=map_id) == [shown["id"]]
    assert ids(owner, map_id=map_id) == [hidden["id"], shown["id"]]
    assert read(guest, f"/{shown['id']}")["target_state"] == "gone"
    reply = write(guest, "Why?", map_id=map_id, parent_id=shown["id"])
    assert reply["layer_id"] == open_layer["id"]
    assert send(owner, "PUT", f"/{shown['id']}/resolve").status_code == 200
    assert send(guest, "DELETE", f"/{reply['id']}").status_code == 204
    with engine.connect() as connection:
        told = connection.execute(
            text(
                "SELECT action FROM subject_changes WHERE kind = 'comment' AND subject_id = :id"
                " ORDER BY id"
            ),
            {"id": reply["id"]},
        )
        assert [row.action for row in told] == ["create", "delete"]


def test_a_layer_that_was_not_on_the_map_any_more_stays_hidden(
    owner: Caller, other: Caller, engine: Engine
) -> None:
    private = make_layer(other, feature(LINE), visibility="private")
    map_id = make_map(engine, owner.id, "private")
    invite(engine, map_id, other.id)
    add_to_map(engine, map_id, private["id"])
    comment = write(other, map_id=map_id, layer_id=private["id"])
    assert ids(owner, map_id=map_id) == [comment["id"]]
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM map_layers"))
    assert ids(owner, map_id=map_id) == []
    assert other.delete(private["id"]).status_code == 204
    assert ids(owner, map_id=map_id) == []
    assert ids(other, map_id=map_id) == [comment["id"]]


def test_a_difference_is_bounded(owner: Caller, layer: dict[str, Any]) -> None:
    comment = on_feature(owner, layer)
    change(owner, layer, properties={f"a{number:02}": number for number in range(20)})
    difference = read(owner, f"/{comment['id']}")["difference"]
    assert list(difference["properties"]) == [f"a{number:02}" for number in range(10)]
    assert difference["is_complete"] is False
    long = on_feature(owner, layer)
    change(owner, layer, properties={"name": "x" * 300, "depth": 1})
    difference = read(owner, f"/{long['id']}")["difference"]
    assert difference["properties"] == {"depth": {"former": 10, "present": 1}}
    assert difference["is_complete"] is False
    huge = on_feature(owner, layer)
    change(owner, layer, properties={"name": "".join(map(chr, range(0x4E00, 0x9FFF))) * 2})
    difference = read(owner, f"/{huge['id']}")["difference"]
    assert difference == {"geometry": False, "properties": {}, "is_complete": False}


def test_what_is_not_known_is_told_by_what_is_there(
    owner: Caller, layer: dict[str, Any], engine: Engine
) -> None:
    comment = on_feature(owner, layer)
    with engine.begin() as connection:
        connection.execute(text("UPDATE comments SET feature_change = NULL"))
    change(owner, layer, properties={"depth": 12})
    unknown = read(owner, f"/{comment['id']}")
    assert unknown["target_state"] == "current"
    assert unknown["feature_version"] is unknown["feature_version_url"] is None
    path = f"/api/v1/layers/{layer['id']}/features/{feature_id(layer)}"
    assert owner.client.delete(path, headers=owner.headers).status_code == 204
    assert read(owner, f"/{comment['id']}")["target_state"] == "gone"


@pytest.mark.usefixtures("prunes_at_once")
def test_of_a_version_that_was_pruned_it_is_known_that_it_has_changed(
    owner: Caller, layer: dict[str, Any], engine: Engine
) -> None:
    comment = on_feature(owner, layer)
    change(owner, layer, properties={"depth": 12})
    assert [batch.versions for batch in prune(engine, Pruning(datetime.now(UTC), 90))] == [1]
    told = read(owner, f"/{comment['id']}")
    assert told["target_state"] == "changed"
    assert told["difference"] is told["feature_version"] is told["feature_version_url"] is None


def test_lists_compare_in_one_statement(owner: Caller, layer: dict[str, Any]) -> None:
    counts = list[int]()
    for _ in range(2):
        for _ in range(5):
            on_feature(owner, layer)
            change(owner, layer, properties={"depth": len(counts) + 100})
        with statements() as seen:
            states = [c["target_state"] for c in read(owner, "", layer_id=layer["id"])]
        assert states[0] == "changed"
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_a_comment_is_on_an_area(owner: Caller, layer: dict[str, Any]) -> None:
    comment = write(owner, layer_id=layer["id"], geometry=AREA)
    assert (comment["geometry"], comment["position"]) == (AREA, None)
    high = {"type": "MultiPolygon", "coordinates": [[[[*xy, 5] for xy in AREA["coordinates"][0]]]]}
    flat = write(owner, layer_id=layer["id"], geometry=high)["geometry"]
    assert flat == {"type": "MultiPolygon", "coordinates": [AREA["coordinates"]]}
    assert [c["geometry"] for c in read(owner, "", layer_id=layer["id"])] == [AREA, flat]


_MANY = [[x / 1000, y] for y in (0, 1) for x in (range(600) if not y else range(599, -1, -1))]


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"geometry": LINE}, "/geometry/type"),
        ({"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}}, None),
        ({"geometry": {"type": "Polygon", "coordinates": []}}, None),
        ({"geometry": {"type": "Polygon", "coordinates": [[*_MANY, _MANY[0]]]}}, "/geometry"),
        (
            {
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]],
                }
            },
            "/geometry",
        ),
        (
            {"geometry": {**AREA, "crs": {"type": "name", "properties": {"name": "EPSG:3857"}}}},
            "/geometry/crs",
        ),
        ({"geometry": AREA, "position": {"type": "Point", "coordinates": [1, 2]}}, "/geometry"),
        ({"geometry": "an area"}, "/geometry"),
    ],
)
def test_other_areas_are_refused(
    owner: Caller, layer: dict[str, Any], members: dict[str, Any], pointer: str | None
) -> None:
    response = send(owner, "POST", json={"content": "x", "layer_id": layer["id"], **members})
    assert response.status_code == 422, response.text
    found = pointers(response)
    assert found
    assert all(each.startswith(pointer or "/geometry") for each in found)
