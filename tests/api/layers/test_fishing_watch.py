"""Layers of Global Fishing Watch, and library layers that administrators delete."""

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import (
    LINE,
    Caller,
    MakeCaller,
    add_to_map,
    feature,
    pointers,
    vector,
)

FISHING = {
    "name": "Global Fishing Effort",
    "source_type": "vector",
    "visibility": "public",
    "is_global": True,
    "source_config": {
        "gfw4wings": {
            "dataset": "public-global-fishing-effort:latest",
            "interval": "YEAR",
            "dateRange": {"start": "2023-01-01", "end": "2023-12-31"},
        },
        "geometryType": "Polygon",
        "featureCount": 0,
    },
}


def test_everybody_adds_a_layer_of_their_own(make_caller: MakeCaller, owner: Caller) -> None:
    created = owner.post(FISHING)
    assert created.status_code == 201, created.text
    layer = created.json
    assert layer
    assert layer["is_global"] is False
    assert layer["created_by"] == str(owner.id)
    assert layer["source_config"]["gfw4wings"] == FISHING["source_config"]["gfw4wings"]
    assert "geojson" not in layer["source_config"]
    changed = owner.put(layer["id"], {**FISHING, "name": "Effort"})
    assert changed.status_code == 200, changed.text
    assert (changed.json["name"], changed.json["is_global"]) == ("Effort", False)
    assert owner.post({**FISHING, "source_config": {"gfw4wings": None}}).status_code == 403
    chief = make_caller("chief", admin=True)
    in_library = chief.post(FISHING).json
    assert in_library
    assert in_library["is_global"] is True
    assert owner.put(in_library["id"], {"is_global": False}).status_code == 403


@pytest.mark.parametrize("gfw", [FISHING["source_config"]["gfw4wings"], {}])
def test_it_is_no_collection(
    owner: Caller, anonymous: Caller, empty_database: Engine, gfw: Any
) -> None:
    layer = owner.post({**FISHING, "source_config": {"gfw4wings": gfw}}).json
    assert layer
    assert [link["rel"] for link in layer["links"]] == ["comments", "hub"]
    map_id = add_to_map(empty_database, owner.id, layer["id"], "public")
    assert anonymous.client.get("/ogc/collections").json["collections"] == []
    for below in ("", "/items", "/schema", "/queryables", "/tiles"):
        response = owner.client.get(f"/ogc/collections/{layer['id']}{below}", headers=owner.headers)
        assert response.status_code == 404, below
    for path, body in (
        ("features", feature(LINE)),
        ("features/bulk", {"type": "FeatureCollection", "features": [feature(LINE)]}),
    ):
        response = owner.send("POST", f"{layer['id']}/{path}", body)
        assert response.status_code == 404, response.text
    tiles = anonymous.client.get(f"/ogc/maps/{map_id}/tiles/WebMercatorQuad/tilejson?f=json")
    assert layer["id"] not in tiles.text
    with_features = vector(feature(LINE))
    with_features["source_config"]["gfw4wings"] = gfw
    assert pointers(owner.post(with_features)) == ["/source_config/geojson"]


def test_features_are_hidden_not_deleted(owner: Caller) -> None:
    layer = owner.post(vector(feature(LINE))).json
    assert layer
    items = f"/ogc/collections/{layer['id']}/items"
    owner.put(layer["id"], {"source_config": FISHING["source_config"]})
    assert owner.client.get(items, headers=owner.headers).status_code == 404
    owner.put(layer["id"], {"source_config": {}})
    assert owner.client.get(items, headers=owner.headers).json["numberMatched"] == 1


def test_an_administrator_deletes_a_library_layer_without_force(
    make_caller: MakeCaller, owner: Caller, empty_database: Engine
) -> None:
    chief, other = make_caller("chief", admin=True), make_caller("other")
    own, library = (
        chief.post(vector(is_global=is_global, visibility="public")).json or {}
        for is_global in (False, True)
    )
    for layer in (own, library):
        add_to_map(empty_database, owner.id, layer["id"], "public")
    refused = chief.delete(own["id"])
    assert refused.status_code == 409
    assert "force=true" in (refused.json or {})["detail"]
    assert other.delete(library["id"]).status_code == 403
    assert chief.delete(library["id"]).status_code == 204
    assert owner.get(library["id"]).status_code == 404
