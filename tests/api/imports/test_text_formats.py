"""Importing GeoJSON and CSV: the stored features."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import shapely
from sqlalchemy import Engine, text

from samsyn_model.errors import SamsynError
from tests.crs_members import NAMELESS, named
from tests.source_files import (
    add_user,
    collection,
    feature,
    features_of,
    field_types,
    load,
)


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    return add_user(empty_database)


GEOJSON = [
    feature(
        {
            "big": 2**63,
            "mixed": 5,
            "day": "2024-05-01",
            "seen": "2024-05-01T10:00:00.5+02:00",
            "text": "2024-05-01T00:00:00+01:00",
            "object": {"a": [1, None, {"b": 1.1}]},
            "list": [1, "x"],
            "id": "x",
            "geometry": "<q>&\u2028",
            "empty": None,
        },
        id="abc",
    ),
    feature({"mixed": "x", "seen": "2024-05-01T10:00:00", "text": "later", "big": 1.5}, None),
]


@pytest.mark.parametrize("form", ["collection", "lines", "records"])
def test_geojson(engine: Engine, owner: uuid.UUID, tmp_path: Path, form: str) -> None:
    lines = [json.dumps(one) for one in GEOJSON]
    path = tmp_path / "own.geojson"
    content = {
        "collection": collection(*GEOJSON),
        "lines": "\n".join(lines),
        "records": "".join(f"\x1e{line}\n" for line in lines),
    }
    path.write_text("\ufeff" + content[form], encoding="utf-8")
    [layer] = load(engine, owner, path, name="Own")
    (point, first), (nowhere, second) = features_of(engine, layer.layer_id)
    assert (point, nowhere) == ("SRID=4326;POINT(12.5 57.25)", None)
    assert first == {**(GEOJSON[0]["properties"]), "seen": "2024-05-01T08:00:00.500Z"}
    assert second == {**(GEOJSON[1]["properties"]), "seen": "2024-05-01T10:00:00Z"}
    assert (layer.name, layer.null_count, layer.geometry_type) == ("Own", 1, "Point")
    assert field_types(engine, layer.layer_id) == {
        **{"big": "number", "mixed": "any", "day": "date", "seen": "date-time", "text": "string"},
        **{"object": "object", "list": "array", "id": "string", "geometry": "string"},
        "empty": "string",
    }


def test_geojson_larger_than_the_buffer(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    texts = [chr(229) * (7919 * number % 300_000) for number in range(40)]
    path = tmp_path / "large.geojson"
    path.write_text(collection(*(feature({"text": text}) for text in texts)), encoding="utf-8")
    [layer] = load(engine, owner, path)
    assert [properties["text"] for _, properties in features_of(engine, layer.layer_id)] == texts


def test_geojson_geometries(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    expected = [
        *("POINT(1 2)", "POINT EMPTY", "LINESTRING(0 0,1 1)", "MULTIPOINT(0 0,1 1)"),
        *("POLYGON((0 0,4 0,4 4,0 0),(1 0.5,2 1,2 0.5,1 0.5))", "POLYGON EMPTY"),
        *("MULTILINESTRING((0 0,1 1),(2 2,3 3))", "MULTIPOLYGON(((0 0,1 0,1 1,0 0)))"),
        *("POINT(1 2 3)", "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))"),
    ]
    values = [json.loads(shapely.to_geojson(shapely.from_wkt(wkt))) for wkt in expected]
    path = tmp_path / "kinds.geojson"
    path.write_text(collection(*(feature({}, value) for value in values)))
    [layer] = load(engine, owner, path)
    stored = [str(wkt).removeprefix("SRID=4326;") for wkt, _ in features_of(engine, layer.layer_id)]
    assert stored == expected
    assert layer.geometry_type is None


def test_geojson_with_the_old_crs_member(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3006"}}
    path = tmp_path / "sweden.geojson"
    path.write_text(collection(feature({}, (500000, 6500000)), crs=crs))
    [layer] = load(engine, owner, path)
    [(point, _)] = features_of(engine, layer.layer_id)
    assert shapely.get_coordinates(shapely.from_wkt(str(point)[10:]))[0] == pytest.approx(
        [15, 58.6402969413606]
    )


@pytest.mark.parametrize("crs", NAMELESS)
def test_geojson_with_a_crs_member_that_names_none(
    engine: Engine, owner: uuid.UUID, tmp_path: Path, crs: Any
) -> None:
    path = tmp_path / "zones.geojson"
    point = feature({}, (500000, 6500000))
    for document in (
        {"crs": crs, "type": "FeatureCollection", "features": [point]},
        {"type": "FeatureCollection", "features": [point], "crs": crs},
        {"type": "FeatureCollection", "features": [{**point, "crs": crs}]},
        {**point, "crs": crs},
        {**point["geometry"], "crs": crs},
    ):
        path.write_text(json.dumps(document))
        with pytest.raises(SamsynError, match="--crs"):
            load(engine, owner, path)
        [layer] = load(engine, owner, path, crs="EPSG:3006")
        assert len(features_of(engine, layer.layer_id)) == 1


def test_geojson_whose_features_name_their_crs(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    path = tmp_path / "zones.geojson"
    point = feature({}, (500000, 6500000))
    swedish = {"crs": {"type": "EPSG", "properties": {"code": 3006}}}
    for lines in (
        [{**swedish, **point}, {**point, **swedish}],
        [{"type": "FeatureCollection", **swedish, "features": [point, {**swedish, **point}]}],
    ):
        path.write_text("\n".join(map(json.dumps, lines)))
        [layer] = load(engine, owner, path)
        for where, _ in features_of(engine, layer.layer_id):
            assert shapely.get_coordinates(shapely.from_wkt(str(where)[10:]))[0] == pytest.approx(
                [15, 58.6402969413606]
            )
    for lines in (
        [{**swedish, **point}, point],
        [point, {**swedish, **point}],
        [{**swedish, **point}, {"crs": named("EPSG:3857"), **point}],
    ):
        path.write_text("\n".join(map(json.dumps, lines)))
        with pytest.raises(SamsynError, match=r"--crs"):
            load(engine, owner, path)
        [layer] = load(engine, owner, path, crs="EPSG:3006")
        assert len(features_of(engine, layer.layer_id)) == 2


def test_csv(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = tmp_path / "stations.csv"
    path.write_text(
        "code,name,Lon,LAT,depth,day,seen,open\n"
        '007,"Å, yttre",12.5,57.25,3,2024-05-01,2024-05-01 10:00:00+02:00,true\n'
        "010,,,,4.5,,,FALSE\n"
    )
    [layer] = load(engine, owner, path)
    assert features_of(engine, layer.layer_id) == [
        (
            "SRID=4326;POINT(12.5 57.25)",
            {"code": "007", "name": "Å, yttre", "Lon": 12.5, "LAT": 57.25, "depth": 3.0}
            | {"day": "2024-05-01", "seen": "2024-05-01T08:00:00Z", "open": True},
        ),
        (
            None,
            {"code": "010", "name": None, "Lon": None, "LAT": None, "depth": 4.5}
            | {"day": None, "seen": None, "open": False},
        ),
    ]
    assert list(field_types(engine, layer.layer_id).values()) == [
        *("string", "string", "number", "number", "number", "date", "date-time", "boolean")
    ]


def test_csv_of_wkt_and_with_decimal_commas(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    (tmp_path / "wkt.csv").write_text('a,WKT\n1,"POLYGON((0 0,1 0,1 1,0 0))"\n2,\n')
    (tmp_path / "comma.csv").write_text("x;y;a\n500000,5;6500000;1,5\n")
    [wkt] = load(engine, owner, tmp_path / "wkt.csv")
    assert features_of(engine, wkt.layer_id) == [
        ("SRID=4326;POLYGON((0 0,1 0,1 1,0 0))", {"a": 1}),
        (None, {"a": 2}),
    ]
    [comma] = load(engine, owner, tmp_path / "comma.csv", crs="EPSG:3006")
    [(point, properties)] = features_of(engine, comma.layer_id)
    assert str(point).startswith("SRID=4326;POINT(15.0000086")
    assert properties == {"x": 500000.5, "y": 6500000, "a": 1.5}


def test_free_text_that_begins_like_date_times(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    """The copy of the first features is rolled back once a later value is free text."""
    path = tmp_path / "a.geojson"
    texts = ["2024-05-01T10:00:00+02:00"] * 2500 + ["later"]
    path.write_text(collection(*(feature({"when": value}) for value in texts)))
    [layer] = load(engine, owner, path)
    assert [properties["when"] for _, properties in features_of(engine, layer.layer_id)] == texts
    with engine.connect() as connection:
        counted = connection.execute(text("SELECT sum(feature_count) FROM layer_changes"))
        assert counted.scalar_one() == len(texts) == layer.feature_count
