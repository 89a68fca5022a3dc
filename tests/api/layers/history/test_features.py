"""One feature made again what it was."""

from typing import Any

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from tests.api.layer_requests import Caller, pointers
from tests.api.layers.history.edits import EditedLayer
from tests.statements import statements


@pytest.fixture
def layer(owner: Caller, empty_database: Engine) -> EditedLayer:
    return EditedLayer.of(owner, empty_database)


def restore(
    layer: EditedLayer, key: int, as_of: Any, query: str = "", **headers: str
) -> TestResponse:
    path = f"{layer.id}/features/{key}/restore{query}"
    return layer.owner.send("POST", path, {"as_of": as_of, "message": "As agreed"}, **headers)


def tag_of(layer: EditedLayer, key: int) -> str:
    return str(layer.owner.get(f"{layer.id}/features/{key}").headers["ETag"])


def test_a_feature_is_what_it_was(layer: EditedLayer) -> None:
    key, other = layer.insert("a", "b")
    first = layer.change_sets()[-1]
    was = layer.content()[key]
    layer.update(key, n="z")
    layer.update(other, n="y")
    tag = tag_of(layer, key)
    done = restore(layer, key, first, If_Match=tag)
    assert done.status_code == 200, done.text
    assert [done.json[kind] for kind in ("inserted", "updated", "deleted")] == [0, 1, 0]
    assert layer.content()[key] == was
    assert "y" in layer.content()[other][2]
    assert tag_of(layer, key) != tag
    (last,) = layer.owner.client.get(
        f"/ogc/collections/{layer.id}/change-sets?limit=1", headers=layer.owner.headers
    ).json["changeSets"]
    assert (last["id"], last["via"]) == (done.json["change_set"], "restore")
    assert (last["message"], last["person"]["id"]) == ("As agreed", str(layer.owner.id))
    again = restore(layer, key, first).json
    assert again["change_set"] is None


def test_a_deleted_feature_comes_back_with_a_new_tag(layer: EditedLayer) -> None:
    (key,) = layer.insert("a")
    first, tags, was = layer.change_sets()[-1], {tag_of(layer, key)}, layer.content()
    for number in range(3):
        layer.update(key, n=number)
        tags.add(tag_of(layer, key))
        layer.delete(key)
        refused = restore(layer, key, first, If_Match=tag_of_last(tags))
        assert refused.status_code == 412
        done = restore(layer, key, first)
        assert done.json["inserted"] == 1
        assert layer.content() == was
        tag = tag_of(layer, key)
        assert tag not in tags
        tags.add(tag)
        assert layer.counted() == (1, 1)
    versions = layer.owner.get(f"{layer.id}/features/{key}").headers["Link"]
    assert "predecessor-version" in versions


def tag_of_last(tags: set[str]) -> str:
    return max(tags, key=lambda tag: int(tag.strip('"')))


def test_a_stale_tag_and_a_dry_run_change_nothing(layer: EditedLayer) -> None:
    (key,) = layer.insert("a")
    first, tag = layer.change_sets()[-1], tag_of(layer, key)
    layer.update(key, n="b")
    now = layer.content()
    assert restore(layer, key, first, If_Match=tag).status_code == 412
    checked = restore(layer, key, first, "?dry_run=true", If_Match=tag_of(layer, key))
    assert checked.json["updated"] == 1
    assert checked.json["dry_run"] is True
    assert checked.json["change_set"] is None
    assert layer.content() == now
    assert layer.restore(first, "?dry_run=true").json["updated"] == 1
    assert layer.undo(first, "?dry_run=true").status_code == 409
    assert layer.content() == now


def test_what_is_not_there(layer: EditedLayer) -> None:
    (key,) = layer.insert("a")
    first = layer.change_sets()[-1]
    layer.delete(key)
    deleted = layer.change_sets()[-1]
    assert restore(layer, key, deleted).status_code == 404
    assert restore(layer, key + 1, first).status_code == 404
    assert restore(layer, key, 10**15).status_code == 404
    assert layer.undo(10**15).status_code == 404
    assert layer.undo("first").status_code == 404
    assert layer.undo(first, "?on_conflict=never").status_code == 400
    assert layer.undo(first, "?force=true").status_code == 400
    assert layer.restore(first, "?dry_run=1").status_code == 400
    for body in ({}, {"as_of": None}, {"as_of": 1.5}, {"as_of": "soon"}, {"as_of": "../.."}):
        assert all(
            "/as_of" in pointer for pointer in pointers(layer.send("features/restore", body))
        )
    assert pointers(layer.send("features/restore", {"as_of": first, "message": ""})) == ["/message"]
    assert pointers(layer.send(f"change-sets/{first}/undo", {"because": 1})) == ["/because"]


def test_who_may_not_write_does_not_put_back(
    layer: EditedLayer, make_caller: Any, anonymous: Caller
) -> None:
    (key,) = layer.insert("a")
    first = layer.change_sets()[-1]
    layer.update(key, n="b")
    now = layer.content()
    stranger = make_caller("stranger")
    reader = make_caller("owner", scope="read")
    paths = (f"features/{key}/restore", "features/restore", f"change-sets/{first}/undo")
    for path in paths:
        body = {} if path.endswith("undo") else {"as_of": first}
        statuses = [layer.send(path, body, who).status_code for who in (stranger, reader)]
        assert statuses == [404, 403], path
        assert layer.send(path, body, anonymous).status_code == 404
    layer.owner.patch(layer.id, {"visibility": "public"})
    for path in paths:
        body = {} if path.endswith("undo") else {"as_of": first}
        assert layer.send(path, body, stranger).status_code == 403
        assert layer.send(path, {"unknown": 1}, anonymous).status_code == 401
        assert layer.send(path, body, anonymous).status_code == 401
    assert layer.content() == now
    layer.owner.patch(layer.id, {"editable": "everyone"})
    assert layer.restore(first, caller=stranger).json["updated"] == 1


def test_a_statement_a_step_not_a_feature(layer: EditedLayer) -> None:
    keys = layer.insert(*range(60))
    first = layer.change_sets()[-1]
    layer.at_once(
        "UPDATE layer_features SET properties = '{}' WHERE layer_id = :layer AND id % 3 = 0"
    )
    layer.at_once("DELETE FROM layer_features WHERE layer_id = :layer AND id % 3 = 1")
    layer.insert(*range(20))
    with statements() as sent:
        done = layer.restore(first)
    assert done.json["inserted"] + done.json["updated"] + done.json["deleted"] > len(keys) / 2
    assert len(sent) <= 21, sent
    with statements() as sent:
        layer.undo(done.json["change_set"])
    assert len(sent) <= 21, sent
