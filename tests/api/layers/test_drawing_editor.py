"""A layer saved in a drawing editor: it shows some of it, sends no ids and adds properties."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.api.layer_requests import LINE, RING, Caller, collection, feature, pointers, vector
from tests.crs_members import NAMELESS

HOLE = [[11.2, 57.05], [11.3, 57.05], [11.3, 57.1], [11.2, 57.05]]
POINT = {"type": "Point", "coordinates": [11.123456789, 57.5]}
AREA = {"type": "Polygon", "coordinates": [RING]}
SHOWN = {"point": POINT, "line": LINE, "area": AREA}
HIDDEN: dict[str, Any] = {
    "points": {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]},
    "lines": {"type": "MultiLineString", "coordinates": [LINE["coordinates"]]},
    "areas": {"type": "MultiPolygon", "coordinates": [[RING]]},
    "collection": {"type": "GeometryCollection", "geometries": [POINT, LINE]},
    "holed": {"type": "Polygon", "coordinates": [RING, HOLE]},
    "high point": {"type": "Point", "coordinates": [1, 2, 3]},
    "high line": {"type": "LineString", "coordinates": [[1, 2, 3], [2, 3, 4]]},
    "high area": {"type": "Polygon", "coordinates": [[[*xy, 5] for xy in RING]]},
}
SHAPES = {"Marker": "Point", "Circle": "Polygon", "Rectangle": "Polygon", "Freehand": "Polygon"}
NEW = {"type": "Point", "coordinates": [12, 58]}


def drawn(geometry: Any, name: str = "", **properties: Any) -> dict[str, Any]:
    """Return a feature as the web frontend sends it."""
    return feature(
        geometry, name=name, **{"description": "", "featureType": geometry["type"], **properties}
    )


def created(owner: Caller, *features: Any, **members: Any) -> str:
    response = owner.post(vector(*features, **members))
    assert response.status_code == 201, response.text
    return str((response.json or {})["id"])


def saved(owner: Caller, layer_id: str, *features: Any, **members: Any) -> Any:
    config = {"geojson": {**collection(*features), **members}}
    return owner.put(layer_id, {"source_config": config})


def stored(engine: Engine, layer_id: str) -> dict[str, Any]:
    """Id, version, geometry and properties of a layer's features by name."""
    statement = text(
        "SELECT id, version, ST_AsText(geom) AS geom, properties FROM layer_features"
        " WHERE layer_id = :layer ORDER BY id"
    )
    with engine.begin() as connection:
        rows = connection.execute(statement, {"layer": layer_id}).all()
    return {row.properties.get("name", row.id): tuple(row) for row in rows}


def everything(owner: Caller, **hidden: Any) -> str:
    kinds = {**SHOWN, **HIDDEN, **hidden}
    return created(owner, *(feature(each, name=name, depth=3) for name, each in kinds.items()))


def test_what_the_editor_cannot_show_stays(owner: Caller, empty_database: Engine) -> None:
    layer = everything(owner)
    before = stored(empty_database, layer)
    features = [drawn(POINT, "renamed"), drawn(LINE, "line"), drawn(NEW, "new")]
    response = saved(owner, layer, *features)
    assert response.status_code == 200, response.text
    after = stored(empty_database, layer)
    assert set(after) == {"renamed", "line", "new", *HIDDEN}
    assert [after[name] for name in ("line", *HIDDEN)] == [
        before[name] for name in ("line", *HIDDEN)
    ]
    point = before["point"]
    assert after["renamed"] == (point[0], 2, point[2], {"name": "renamed", "depth": 3})
    assert response.json["feature_count"] == len(after)


@pytest.mark.parametrize("kind", [*SHOWN, *HIDDEN, "null"])
def test_a_client_that_knows_ids_deletes_every_kind(
    owner: Caller, empty_database: Engine, kind: str
) -> None:
    layer = everything(owner, null=None)
    before = stored(empty_database, layer)
    returned = owner.get(layer).json["source_config"]["geojson"]["features"]
    sent = [member for member in returned if member["properties"]["name"] != kind]
    assert saved(owner, layer, *sent, drawn(NEW, "new")).status_code == 200
    after = stored(empty_database, layer)
    assert after.pop("new")[1] == 1
    del before[kind]
    assert after == before


def test_an_empty_collection_deletes_what_an_editor_shows(
    owner: Caller, empty_database: Engine
) -> None:
    layer = everything(owner, null=None)
    assert saved(owner, layer).status_code == 200
    assert set(stored(empty_database, layer)) == {*HIDDEN, "null"}


def test_a_layer_with_a_null_opens_empty_and_loses_nothing(
    owner: Caller, empty_database: Engine
) -> None:
    layer = everything(owner, null=None)
    before = stored(empty_database, layer)
    assert saved(owner, layer, drawn(NEW, "point")).status_code == 200
    with empty_database.begin() as connection:
        count = "SELECT count(*) FROM layer_features WHERE layer_id = :layer"
        total = connection.execute(text(count), {"layer": layer}).scalar_one()
    assert total == len(before) + 1
    assert {
        name: row for name, row in stored(empty_database, layer).items() if name != "point"
    } == {name: row for name, row in before.items() if name != "point"}
    # A client that has some of the features has seen the layer.
    assert saved(owner, layer, drawn(LINE, "line")).status_code == 200
    assert set(stored(empty_database, layer)) == {"line", *HIDDEN, "null"}


def test_a_name_leads_to_no_feature_that_the_editor_cannot_show(
    owner: Caller, empty_database: Engine
) -> None:
    areas, moved = HIDDEN["areas"], {"type": "Polygon", "coordinates": [HOLE]}
    layer = created(owner, feature(areas, name="Bank"), feature(AREA, name="Bank", depth=9))
    assert saved(owner, layer, drawn(moved, "Bank")).status_code == 200
    returned = owner.get(layer).json["source_config"]["geojson"]["features"]
    assert [member["geometry"] for member in returned] == [areas, moved]
    assert returned[1]["properties"] == {"name": "Bank", "depth": 9}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_shown_as_what_they_are(
    owner: Caller, empty_database: Engine, shape: str
) -> None:
    geometry = POINT if SHAPES[shape] == "Point" else AREA
    layer = created(
        owner,
        drawn(geometry, "drawn", featureType=shape),
        feature(geometry, name="other", featureType="wreck"),
    )
    assert saved(owner, layer, drawn(NEW, "new", featureType=shape)).status_code == 200
    after = stored(empty_database, layer)
    assert set(after) == {"new", "other"}
    assert after["new"][3]["featureType"] == shape


def test_what_the_editor_adds_is_no_difference(owner: Caller, empty_database: Engine) -> None:
    layer = created(
        owner,
        feature(POINT),
        feature(LINE, name=None, description=None, depth=1),
        feature(AREA, name="area", description="kept", icon="anchor", featureType="Circle"),
    )
    before = stored(empty_database, layer)
    features = [
        drawn(POINT, icon="default"),
        drawn(LINE, icon="default"),
        drawn(AREA, "area", description="kept", icon="anchor", featureType="Circle"),
    ]
    assert saved(owner, layer, *features).status_code == 200
    assert stored(empty_database, layer) == before
    features[2]["properties"]["description"] = ""
    features[1]["properties"]["name"] = "named"
    assert saved(owner, layer, *features).status_code == 200
    after = stored(empty_database, layer)
    assert after["area"][1] == 2
    assert after["area"][3]["description"] == ""
    assert after["named"][1] == 2
    assert after["named"][3] == {"name": "named", "description": None, "depth": 1}


def test_the_demo_with_one_feature_renamed(owner: Caller, empty_database: Engine) -> None:
    grounds = Path("demo/fishing-grounds.geojson").read_text(encoding="utf-8")
    features = json.loads(grounds)["features"]
    layer = created(owner, *features, editable="everyone", visibility="public")
    before = stored(empty_database, layer)
    returned = owner.get(layer).json["source_config"]["geojson"]["features"]
    shown = [
        drawn(member["geometry"], member["properties"]["name"])
        for member in returned
        if member["geometry"]["type"] == "Polygon" and len(member["geometry"]["coordinates"]) == 1
    ]
    assert len(shown) < len(features)
    former, shown[0]["properties"]["name"] = shown[0]["properties"]["name"], "Renamed"
    assert saved(owner, layer, *shown).status_code == 200
    after = stored(empty_database, layer)
    assert len(after) == len(features) == 48
    renamed = before.pop(former)
    assert after.pop("Renamed") == (renamed[0], 2, renamed[2], {**renamed[3], "name": "Renamed"})
    assert after == before


@pytest.mark.parametrize(
    "rules",
    [
        {"properties": {"depth": {"type": "integer"}}},
        {"properties": {"depth": {"type": "integer"}}, "additionalProperties": False},
        {"properties": {"depth": {"type": "integer"}}, "additionalProperties": {"type": "integer"}},
        {
            "properties": {"depth": {"type": "integer"}},
            "additionalProperties": False,
            "allOf": [{"required": []}],
        },
    ],
)
def test_a_layer_whose_schema_forbids_other_properties(
    owner: Caller, empty_database: Engine, rules: dict[str, Any]
) -> None:
    layer = created(owner, drawn(POINT, icon="default", depth=3), property_schema=rules)
    (before,) = stored(empty_database, layer).values()
    assert before[3] == {"depth": 3}
    features = [
        drawn(POINT),
        drawn(LINE, featureType="LineString"),
        drawn(NEW, featureType="Marker"),
    ]
    assert saved(owner, layer, *features).status_code == 200
    after = list(stored(empty_database, layer).values())
    assert after[0] == before
    assert [row[3] for row in after[1:]] == [{}, {}]
    # What somebody has written is refused, not dropped.
    pointer = "/source_config/geojson/features/0/properties"
    (fault,) = pointers(saved(owner, layer, drawn(POINT, "named")))
    assert fault == (pointer if "allOf" in rules else f"{pointer}/name")
    described = drawn(NEW, description="deep")
    (fault,) = pointers(owner.post(vector(described, property_schema=rules)))
    assert fault == (pointer if "allOf" in rules else f"{pointer}/description")
    # A client that knows ids is no drawing editor: what it sends, it means.
    with_id = {**drawn(POINT), "id": before[0]}
    assert {pointer, f"{pointer}/featureType"} & set(pointers(saved(owner, layer, with_id)))


def test_what_the_schema_knows_or_allows_is_stored(owner: Caller, empty_database: Engine) -> None:
    known = {"properties": {"featureType": {"type": "string"}}}
    layer = created(owner, drawn(POINT), property_schema=known)
    assert next(iter(stored(empty_database, layer).values()))[3] == {"featureType": "Point"}
    layer = created(
        owner, drawn(POINT, "a"), property_schema={**known, "additionalProperties": True}
    )
    assert stored(empty_database, layer)["a"][3] == drawn(POINT, "a")["properties"]


@pytest.mark.parametrize("crs", NAMELESS)
def test_a_crs_member_that_names_none_is_refused(
    owner: Caller, empty_database: Engine, crs: Any
) -> None:
    layer = created(owner, drawn(POINT, "a"))
    before = stored(empty_database, layer)
    refused = saved(owner, layer, feature(POINT), crs=crs)
    assert (refused.status_code, pointers(refused)) == (422, ["/source_config/geojson/crs"])
    body = vector(feature(POINT))
    body["source_config"]["geojson"]["crs"] = crs
    assert pointers(owner.post(body)) == ["/source_config/geojson/crs"]
    assert stored(empty_database, layer) == before


def test_positions_in_another_crs(owner: Caller, empty_database: Engine) -> None:
    mercator = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    sweref = {"type": "name", "properties": {"name": "EPSG:3006"}}
    there = {"type": "Point", "coordinates": [1224514.3987260093, 7907269.49]}
    body = vector(feature(there, name="a"))
    body["source_config"]["geojson"]["crs"] = mercator
    response = owner.post(body)
    assert response.status_code == 201, response.text
    layer = response.json["id"]
    (member,) = response.json["source_config"]["geojson"]["features"]
    assert member["geometry"]["coordinates"] == pytest.approx([11, 57.75], abs=0.1)
    before = stored(empty_database, layer)
    assert saved(owner, layer, feature(there, name="a"), crs=mercator).status_code == 200
    assert stored(empty_database, layer) == before
    refused = saved(owner, layer, feature(POINT), crs=sweref)
    assert pointers(refused) == ["/source_config/geojson/crs"]
    assert owner.patch(layer, {"additional_crs": [3006]}).status_code == 200
    there["coordinates"] = [340_000.0, 6_400_000.0]
    assert saved(owner, layer, feature(there, name="a"), crs=sweref).status_code == 200
    there["coordinates"] = [1e9, 1e9]
    refused = saved(owner, layer, feature(there), crs=mercator)
    assert pointers(refused) == ["/source_config/geojson/features/0/geometry/coordinates"]


def test_date_times_are_stored_in_one_form(owner: Caller, empty_database: Engine) -> None:
    rules = {
        "properties": {
            "name": {"type": "string"},
            "seen": {"type": "string", "format": "date-time"},
            "day": {"type": "string", "format": "date"},
        }
    }
    sent = {"seen": "2024-05-01T10:00:00+02:00", "day": "2024-05-01T00:00:00"}
    layer = created(owner, feature(POINT, name="a", **sent), property_schema=rules)
    before = stored(empty_database, layer)
    assert before["a"][3] == {"name": "a", "seen": "2024-05-01T08:00:00Z", "day": "2024-05-01"}
    assert saved(owner, layer, drawn(POINT, "a", **sent)).status_code == 200
    assert stored(empty_database, layer) == before
    with empty_database.begin() as connection:
        change = "UPDATE layer_features SET properties = properties || :seen"
        connection.execute(text(change), {"seen": json.dumps({"seen": sent["seen"]})})
    version = stored(empty_database, layer)["a"][1]
    returned = owner.get(layer).json["source_config"]["geojson"]["features"]
    assert saved(owner, layer, *returned).status_code == 200
    assert stored(empty_database, layer)["a"][1] == version
