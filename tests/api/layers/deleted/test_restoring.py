"""Layers that their creators delete and bring back."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.api.layer_requests import (
    LAYERS,
    LINE,
    Caller,
    MakeCaller,
    add_to_map,
    collection,
    feature,
    vector,
)

POINT = {"type": "Point", "coordinates": [11.5, 57.5, -20]}


def created(owner: Caller, *features: Any, **members: Any) -> str:
    response = owner.post(vector(*features, **members))
    assert response.status_code == 201, response.text
    return str(response.json["id"])


def restore(caller: Caller, layer: str, query: str = "") -> TestResponse:
    path = f"{LAYERS}/{layer}/restore{query}"
    return caller.client.post(path, headers=caller.headers)


def items_of(caller: Caller, layer: str) -> Any:
    return caller.get(f"{layer}/features?limit=100").json["features"]


def test_it_comes_back_as_it_was(owner: Caller, empty_database: Engine) -> None:
    members = {
        "description": "Deep",
        "category": "Sites",
        "visibility": "public",
        "editable": "everyone",
        "style_config": {"color": "#ff0000"},
        "property_schema": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    layer = created(owner, feature(LINE, name="a"), feature(POINT, name="b"), **members)
    owner.put(f"{layer}/indexes", {"properties": ["name"]})
    first = items_of(owner, layer)[0]["id"]
    owner.patch(f"{layer}/features/{first}", {"properties": {"name": "changed"}})
    before, items = owner.get(layer), items_of(owner, layer)
    assert owner.delete(layer).status_code == 204
    assert owner.get(layer).status_code == 404

    (listed,) = owner.get("deleted").json
    assert listed["id"] == layer
    assert listed["feature_count"] == 2
    assert listed["deleted_at"] < listed["restorable_until"]

    restored = restore(owner, layer)
    assert restored.status_code == 201, restored.text
    assert restored.headers["Location"].endswith(f"{LAYERS}/{layer}")
    changing = {"updated_at", "links"}
    assert {k: v for k, v in restored.json.items() if k not in changing} == {
        k: v for k, v in before.json.items() if k not in changing
    }
    assert items_of(owner, layer) == items
    tags = [owner.get(f"{layer}/features/{item['id']}").headers["ETag"] for item in items]
    assert tags == ['"3"', '"2"'], "being back is a new version of each"
    assert owner.get(f"{layer}/features?name=changed").json["numberMatched"] == 1
    assert owner.get("deleted").json == []
    assert restore(owner, layer).status_code == 404
    with empty_database.connect() as connection:
        via = connection.execute(
            text("SELECT array_agg(via ORDER BY id) FROM change_sets WHERE user_id = :user"),
            {"user": owner.id},
        ).scalar_one()
    assert via[-2:] == ["web", "restore"]


def test_it_is_the_next_version_of_its_data(owner: Caller) -> None:
    """Tiles and pages are cached by this version: none of before the deletion may be served."""
    layer = created(owner, feature(LINE, name="a"), visibility="public")
    for name in "bcd":
        owner.put(layer, {"source_config": {"geojson": collection(feature(LINE, name=name))}})
    tags = {owner.get(layer).headers["ETag"].split(".")[1]}
    for _ in range(3):
        assert owner.delete(layer).status_code == 204
        tag = restore(owner, layer).headers["ETag"].split(".")[1]
        assert tag not in tags
        tags.add(tag)


def test_nobody_else_brings_it_back(
    owner: Caller, make_caller: MakeCaller, anonymous: Caller
) -> None:
    layer = created(owner, feature(LINE), visibility="public", editable="everyone")
    editor, administrator = make_caller("editor"), make_caller("admin", admin=True)
    reader = make_caller("owner", "read")
    owner.delete(layer)
    for caller in (editor, administrator):
        assert caller.get("deleted").json == []
        assert restore(caller, layer).status_code == 404
    assert anonymous.get("deleted").status_code == 401
    assert restore(anonymous, layer).status_code == 401
    assert reader.get("deleted").json[0]["id"] == layer
    assert restore(reader, layer).status_code == 403
    for unknown in ("x", "9a3f8a52-4b5e-4c89-8d0e-1f0a4f5b7c20"):
        assert restore(owner, unknown).status_code == 404
    assert restore(owner, layer).status_code == 201


def test_one_of_the_library_comes_back_outside_of_it(
    owner: Caller, make_caller: MakeCaller
) -> None:
    administrator = make_caller("admin", admin=True)
    layer = created(owner, feature(LINE))
    assert owner.put(layer, {"visibility": "public"}).status_code == 200
    assert administrator.patch(layer, {"is_global": True}).status_code == 200
    assert administrator.delete(layer).status_code == 204
    restored = restore(owner, layer)
    assert restored.status_code == 201
    assert restored.json["is_global"] is False


def test_it_leaves_its_maps(owner: Caller, empty_database: Engine) -> None:
    layer = created(owner, feature(LINE))
    add_to_map(empty_database, owner.id, layer)
    owner.delete(layer)
    assert restore(owner, layer).json["map_layers"] == []


def test_after_a_while_it_is_gone(owner: Caller, empty_database: Engine) -> None:
    layer = created(owner, feature(LINE))
    owner.delete(layer)
    with empty_database.begin() as connection:
        connection.execute(
            text("UPDATE deleted_layers SET deleted_at = now() - interval '91 days'")
        )
    assert owner.get("deleted").json == []
    assert restore(owner, layer).status_code == 404


@pytest.mark.parametrize("limit", [{"max_layers_per_user": 1}, {"max_features_per_user": 3}])
def test_quotas_hold(empty_database: Engine, owner: Caller, limit: dict[str, int]) -> None:
    layer = created(owner, feature(LINE), feature(POINT))
    owner.delete(layer)
    created(owner, feature(LINE), feature(POINT))
    app: Flask = create_app(Settings(_env_file=None, **limit), empty_database)
    limited = Caller(owner.id, app.test_client(), owner.headers)
    refused = restore(limited, layer)
    assert refused.status_code == 422, refused.text
    assert limited.get("deleted").json[0]["id"] == layer
    assert restore(owner, layer).status_code == 201


def test_pages_of_the_list(owner: Caller) -> None:
    layers = [created(owner, feature(LINE), name=f"Layer {number}") for number in range(3)]
    for layer in layers:
        owner.delete(layer)
    page = owner.get("deleted?limit=2")
    assert [entry["name"] for entry in page.json] == ["Layer 2", "Layer 1"]
    assert page.headers["X-Total-Count"] == "3"
    assert owner.get("deleted?limit=0").status_code == 400
    assert owner.get("deleted?q=x").status_code == 400
    assert restore(owner, layers[0], "?force=true").status_code == 400
