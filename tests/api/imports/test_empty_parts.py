"""Parts of a geometry without positions: the same shape is stored by every way in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shapely
from sqlalchemy import Engine

from samsyn_model.errors import UnstorableFeatureError
from tests.api.layer_requests import LINE, RING, Caller, collection, feature, vector
from tests.source_files import features_of, load, table, write_ogr, write_parquet

SHAPE = [RING]
SQUARE = "((11 57,11.4 57,11.4 57.3,11 57))"
LINES = [LINE["coordinates"]]

SINGLE = [("Point", [], "POINT EMPTY"), ("LineString", [], "LINESTRING EMPTY")]
"""GeoJSON as OGC API Features has it needs positions here: requests are refused."""
GEOMETRIES = [
    ("Polygon", [], "POLYGON EMPTY"),
    ("Polygon", [[]], "POLYGON EMPTY"),
    ("Polygon", [RING, []], f"POLYGON{SQUARE}"),
    ("MultiPoint", [], "MULTIPOINT EMPTY"),
    ("MultiPoint", [[]], "MULTIPOINT EMPTY"),
    ("MultiPoint", [[], [1, 2]], "MULTIPOINT(1 2)"),
    ("MultiLineString", [], "MULTILINESTRING EMPTY"),
    ("MultiLineString", [[]], "MULTILINESTRING EMPTY"),
    ("MultiLineString", [[], *LINES], "MULTILINESTRING((11.5 57.5,11.9 57.1))"),
    ("MultiPolygon", [], "MULTIPOLYGON EMPTY"),
    ("MultiPolygon", [[]], "MULTIPOLYGON EMPTY"),
    ("MultiPolygon", [[[]]], "MULTIPOLYGON EMPTY"),
    ("MultiPolygon", [[], SHAPE], f"MULTIPOLYGON({SQUARE})"),
    ("MultiPolygon", [[RING, []], [[]]], f"MULTIPOLYGON({SQUARE})"),
]


def geojson(kind: str, coordinates: Any) -> dict[str, Any]:
    return {"type": kind, "coordinates": coordinates}


VALUES = [
    *((geojson(kind, coordinates), wkt) for kind, coordinates, wkt in GEOMETRIES),
    ({"type": "GeometryCollection", "geometries": []}, "GEOMETRYCOLLECTION EMPTY"),
    *(
        (
            {"type": "GeometryCollection", "geometries": [geojson(kind, coordinates), LINE]},
            "GEOMETRYCOLLECTION("
            + ("" if wkt.endswith("EMPTY") else f"{wkt},")
            + "LINESTRING(11.5 57.5,11.9 57.1))",
        )
        for kind, coordinates, wkt in (*SINGLE, *GEOMETRIES)
    ),
]

EXPECTED = [f"SRID=4326;{wkt}" for _, wkt in VALUES]
FEATURES = [feature(geometry) for geometry, _ in VALUES]

Way = Callable[[Caller, str], None]


def in_a_layer(owner: Caller, layer: str) -> None:
    response = owner.put(layer, {**vector(*FEATURES), "name": "Empty"})
    assert response.status_code == 200, response.text


def in_bulk(owner: Caller, layer: str) -> None:
    response = owner.send("POST", f"{layer}/features/bulk", collection(*FEATURES))
    assert response.status_code == 201, response.text


def one_by_one(owner: Caller, layer: str) -> None:
    for each in FEATURES:
        response = owner.send("POST", f"{layer}/features", each)
        assert response.status_code == 201, response.text


def replaced(owner: Caller, layer: str) -> None:
    for each in FEATURES:
        made = owner.send("POST", f"{layer}/features", feature(LINE)).json
        response = owner.put(f"{layer}/features/{made['id']}", each)
        assert response.status_code in {200, 204}, response.text


def patched(owner: Caller, layer: str) -> None:
    for each in FEATURES:
        made = owner.send("POST", f"{layer}/features", feature(LINE)).json
        change = {"geometry": each["geometry"]}
        response = owner.patch(f"{layer}/features/{made['id']}", change)
        assert response.status_code in {200, 204}, response.text


def test_single_geometries_need_positions(owner: Caller) -> None:
    layer = owner.post(vector()).json
    assert layer
    for kind, coordinates, _ in SINGLE:
        body = feature(geojson(kind, coordinates))
        for way, sent in (("features", body), ("features/bulk", collection(body))):
            assert owner.send("POST", f"{layer['id']}/{way}", sent).status_code == 422


@pytest.mark.parametrize("way", [in_a_layer, in_bulk, one_by_one, replaced, patched])
def test_by_request(owner: Caller, engine: Engine, way: Way) -> None:
    layer = owner.post(vector()).json
    assert layer
    way(owner, layer["id"])
    assert [wkt for wkt, _ in features_of(engine, layer["id"])] == EXPECTED


def geojson_file(folder: Path) -> Path:
    path = folder / "a.geojson"
    path.write_text(json.dumps(collection(*FEATURES)))
    return path


def parquet(folder: Path) -> Path:
    return write_parquet(folder / "a.parquet", table(shapes()))


def geopackage(folder: Path) -> Path:
    return write_ogr(folder / "a.gpkg", table(shapes()), "GPKG", geometry_type="Unknown")


def csv(folder: Path) -> Path:
    path = folder / "a.csv"
    lines = "".join(f'"{shape.wkt}"\n' for shape in shapes())
    path.write_text(f"wkt\n{lines}")
    return path


def shapes() -> list[Any]:
    """The geometries with their empty parts, as GEOS has them."""
    return [shapely.from_wkt(wkt_of(geometry)) for geometry, _ in VALUES]


def wkt_of(geometry: dict[str, Any]) -> str:
    name = geometry["type"].upper()
    if "geometries" in geometry:
        members = ", ".join(map(wkt_of, geometry["geometries"]))
        return f"{name} ({members})" if members else f"{name} EMPTY"
    return f"{name} {text_of(geometry['coordinates'])}"


def text_of(coordinates: Any) -> str:
    if not coordinates:
        return "EMPTY"
    if isinstance(coordinates[0], float | int):
        return "(" + " ".join(map(str, coordinates)) + ")"
    parts = [text_of(part) for part in coordinates]
    if coordinates[0] and isinstance(coordinates[0][0], float | int):
        parts = [part.strip("()") for part in parts]
    return f"({', '.join(parts)})"


@pytest.mark.parametrize("write", [geojson_file, parquet, geopackage, csv])
def test_in_a_file(
    owner: Caller, engine: Engine, tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    [layer] = load(engine, owner.id, write(tmp_path))
    assert [wkt for wkt, _ in features_of(engine, layer.layer_id)] == EXPECTED


def test_a_polygon_needs_its_exterior_ring(owner: Caller, engine: Engine, tmp_path: Path) -> None:
    for coordinates in ([[], RING], [[], RING, []]):
        path = tmp_path / "a.geojson"
        path.write_text(json.dumps(collection(feature(geojson("Polygon", coordinates)))))
        with pytest.raises(UnstorableFeatureError, match="exterior ring"):
            load(engine, owner.id, path)
