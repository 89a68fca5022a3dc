"""The features that a layer is created with: their geometry, and the schema of their properties."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.api.layer_requests import LINE, RING, Caller, feature, pointers, vector

HIGH = {"type": "Point", "coordinates": [11.5, 57.5, 3]}
_DAY = {"type": "string", "format": "date"}


@pytest.mark.parametrize(
    ("geometry", "at"),
    [
        ("POINT(1 2)", ""),
        ({"type": "Circle", "coordinates": [1, 2]}, "/type"),
        ({"type": ["Point"], "coordinates": [1, 2]}, "/type"),
        ({"type": "Point"}, "/coordinates"),
        ({"type": "Point", "coordinates": [181, 2]}, "/coordinates"),
        ({"type": "Point", "coordinates": [1, -90.5]}, "/coordinates"),
        ({"type": "Point", "coordinates": [1, 2, 10**400]}, "/coordinates"),
        ({"type": "Point", "coordinates": [True, 2]}, "/coordinates"),
        ({"type": "Point", "coordinates": [1, 2, 3, 4]}, "/coordinates"),
        ({"type": "LineString", "coordinates": [[1, 2]]}, "/coordinates"),
        ({"type": "Polygon", "coordinates": [RING[:3]]}, "/coordinates/0"),
        ({"type": "Polygon", "coordinates": [[*RING[:3], [11.1, 57]]]}, "/coordinates/0"),
        ({"type": "MultiPolygon", "coordinates": [[RING, [["a", 1]]]]}, "/coordinates/0/1/0"),
        ({"type": "GeometryCollection", "geometries": [LINE, None]}, "/geometries/1"),
        ({"type": "LineString", "coordinates": [[1, 2, 3], [2, 3]]}, ""),
        ({"type": "GeometryCollection", "geometries": [LINE, HIGH]}, ""),
        ({"type": "Polygon", "coordinates": [[], RING]}, "/coordinates/0"),
    ],
)
def test_a_broken_geometry_is_refused_and_nothing_is_stored(
    owner: Caller, engine: Engine, geometry: Any, at: str
) -> None:
    returned = pointers(owner.post(vector(feature(LINE), feature(geometry))))
    assert returned[0] == f"/source_config/geojson/features/1/geometry{at}"
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM layers")).scalar_one() == 0


def test_every_geometry_type_is_accepted(owner: Caller) -> None:
    crs = {"type": "name", "properties": {"name": "OGC:CRS84"}}
    with_crs = {"type": "Point", "coordinates": [1, 2], "crs": crs}
    sound = [
        {"type": "MultiPoint", "coordinates": [[1, 2, 3], [1, 2, 4]]},
        {"type": "MultiLineString", "coordinates": [LINE["coordinates"]]},
        {"type": "MultiPolygon", "coordinates": [[RING], [RING]]},
        {"type": "GeometryCollection", "geometries": [LINE]},
        None,
    ]
    created = owner.post(vector(*map(feature, [*sound, with_crs])))
    assert created.status_code == 201, created.text
    assert created.json
    features = created.json["source_config"]["geojson"]["features"]
    assert [f["geometry"] for f in features[: len(sound)]] == sound
    assert features[-1]["geometry"] == {"type": "Point", "coordinates": [1, 2]}


def test_a_layers_geometry_type_binds(owner: Caller) -> None:
    point = {"type": "Point", "coordinates": [1, 2]}
    assert owner.post(vector(feature(point), geometry_type="MultiPoint")).status_code == 201
    assert pointers(owner.post(vector(feature(point), geometry_type="Polygon"))) == [
        "/source_config/geojson/features/0/geometry/type"
    ]


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": ["year"]}


def test_features_are_checked_against_the_layers_schema(owner: Caller) -> None:
    rules = schema(
        year={"type": "integer", "minimum": 1900},
        seen={"type": "string", "format": "date-time"},
        day={"$ref": "#/$defs/day"},
    )
    rules["$defs"] = {"day": {"type": "string", "format": "date"}}
    good = feature(LINE, year=2024, seen="2024-02-29T10:00:00.5+02:00", day="2024-02-29")
    created = owner.post(vector(good, property_schema=rules, time_field="seen"))
    assert created.status_code == 201, created.text
    assert created.json
    for number, member in enumerate(rules["properties"].values(), 1):
        member["x-ogc-propertySeq"] = number
    assert created.json["property_schema"] == rules
    bad = [
        feature(LINE),
        feature(LINE, year=1, seen="2024-02-30T10:00:00Z", day="2024-W01-1"),
        {"type": "Feature", "geometry": None, "properties": []},
    ]
    returned = pointers(owner.post(vector(*bad, property_schema=rules)))
    pointer = "/source_config/geojson/features"
    assert sorted(returned) == [
        f"{pointer}/0/properties",
        f"{pointer}/1/properties/day",
        f"{pointer}/1/properties/seen",
        f"{pointer}/1/properties/year",
        f"{pointer}/2/properties",
    ]


@pytest.mark.parametrize(
    ("rules", "at"),
    [
        ({"type": "array"}, "/type"),
        ({"type": "thing"}, "/type"),
        ({"properties": {"a": {"minimum": "1"}}}, "/properties/a/minimum"),
        ({"properties": {"a": {"pattern": "("}}}, "/properties/a/pattern"),
        ({"properties": {"a": True}}, "/properties/a"),
        ({"properties": {"a": {"x-ogc-propertySeq": "1"}}}, "/properties/a/x-ogc-propertySeq"),
        ({"properties": {"a": {"x-ogc-role": 1}}}, "/properties/a/x-ogc-role"),
        ({"properties": {"a": {"x-ogc-role": "id"}}}, "/properties/a/x-ogc-role"),
        ({"properties": {"a": {"x-ogc-role": "type"}}}, "/properties/a/x-ogc-role"),
        ({"properties": {"a": {"x-ogc-role": "primary-instant"}}}, "/properties/a/x-ogc-role"),
        (
            {"properties": {name: _DAY | {"x-ogc-role": "primary-instant"} for name in "ab"}},
            "/properties/b/x-ogc-role",
        ),
        (
            {
                "properties": {
                    "a": _DAY | {"x-ogc-role": "primary-instant"},
                    "b": _DAY | {"x-ogc-role": "primary-interval-end"},
                }
            },
            "/properties",
        ),
        (
            {
                "properties": {
                    "a": _DAY | {"x-ogc-role": "primary-interval-start"},
                    "b": {**_DAY, "format": "date-time", "x-ogc-role": "primary-interval-end"},
                }
            },
            "/properties",
        ),
        ({"properties": {"a": {"$ref": "https://example.org/a"}}}, "/properties/a/$ref"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "/properties/a/$ref"),
        ({"allOf": [{"$ref": "#"}]}, "/allOf/0/$ref"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}}, "/$defs/a/$ref"),
        ({"properties": {"a": {"$id": "https://example.org/"}}}, "/properties/a/$id"),
        ({"description": "x" * 300_000}, ""),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(
    owner: Caller, rules: dict[str, Any], at: str
) -> None:
    assert pointers(owner.post(vector(property_schema=rules)))[0] == f"/property_schema{at}"


@pytest.mark.parametrize("field", [None, {"type": "string"}])
def test_a_time_field_is_a_date_of_the_schema(owner: Caller, field: Any) -> None:
    rules = {"type": "object", "properties": {"when": field} if field else {}}
    assert pointers(owner.post(vector(property_schema=rules, time_field="when"))) == ["/time_field"]
    assert pointers(owner.post(vector(time_field="when"))) == ["/time_field"]
