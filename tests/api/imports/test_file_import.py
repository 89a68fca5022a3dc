"""Importing files of every format: the stored layers and features."""

import uuid
import zipfile
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyogrio
import pytest
import shapely
from pyproj import CRS, Transformer
from sqlalchemy import Engine, text

from tests.source_files import (
    Remarks,
    add_user,
    collection,
    feature,
    features_of,
    field_types,
    layer_row,
    load,
    square,
    table,
    write_ogr,
    write_parquet,
)

SQUARES = [square(10, 55), square(11, 56)]
COLUMNS = {
    "name": pa.array(["Fladen", "Lilla Middelgrund"]),
    "code": pa.array([2**53 + 1, None], pa.int64()),
    "depth": pa.array([0.1, float("nan")]),
    "open": pa.array([True, False]),
}
PROPERTIES = [
    {"name": "Fladen", "code": 2**53 + 1, "depth": 0.1, "open": True},
    {"name": "Lilla Middelgrund", "code": None, "depth": None, "open": False},
]
TYPES = {"name": "string", "code": "integer", "depth": "number", "open": "boolean"}


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    return add_user(empty_database)


@pytest.mark.parametrize(
    ("suffix", "driver"), [("gpkg", "GPKG"), ("fgb", "FlatGeobuf"), ("shp", "ESRI Shapefile")]
)
def test_formats_of_gdal(
    engine: Engine, owner: uuid.UUID, tmp_path: Path, suffix: str, driver: str
) -> None:
    path = write_ogr(tmp_path / f"banks.{suffix}", table(SQUARES, COLUMNS), driver)
    [layer] = load(engine, owner, path)
    assert (layer.name, layer.feature_count, layer.geometry_type) == ("banks", 2, "Polygon")
    features = features_of(engine, layer.layer_id)
    # FlatGeobuf sorts features along a curve.
    by_name = {properties["name"]: (wkt, properties) for wkt, properties in features}
    for shape, properties in zip(SQUARES, PROPERTIES, strict=True):
        wkt, stored = by_name[properties["name"]]
        assert stored == properties
        assert (
            shapely.from_wkt(str(wkt).removeprefix("SRID=4326;")).normalize() == shape.normalize()
        )
    assert field_types(engine, layer.layer_id) == TYPES
    row = layer_row(engine, layer.layer_id)
    assert (row.created_by, row.visibility, row.is_global) == (owner, "private", False)
    assert row.source_type == "vector"


def test_geometries_arrive_exactly(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    polygons = [square(10, 55), shapely.Polygon([(1, 2, 3.5), (2, 2, 4), (2, 3, 5), (1, 2, 3.5)])]
    path = write_ogr(tmp_path / "z.gpkg", table(polygons), "GPKG", geometry_type="Polygon Z")
    [layer] = load(engine, owner, path)
    with engine.connect() as connection:
        stored = connection.execute(
            text("SELECT ST_AsBinary(geom) FROM layer_features ORDER BY id")
        )
        for expected, (wkb,) in zip(polygons, stored, strict=True):
            assert shapely.equals_exact(shapely.from_wkb(bytes(wkb)), expected)
            assert shapely.has_z(shapely.from_wkb(bytes(wkb))) == shapely.has_z(expected)
    assert layer.geometry_type == "Polygon"


def test_geoparquet(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    columns = {
        **COLUMNS,
        "seen": pa.array(
            [datetime(2024, 5, 1, 10, tzinfo=UTC), None], pa.timestamp("ns", "+02:00")
        ),
        "day": pa.array([date(2024, 5, 1), None]),
        "at": pa.array([time(10, 30), None]),
        "price": pa.array([Decimal("1.50"), None]),
        "tags": pa.array([["a", None], []]),
        "box": pa.array([{"low": 1.5, "when": date(2024, 1, 2)}, None]),
        "kind": pa.array(["sand", "mud"]).dictionary_encode(),
        "raw": pa.array([b"\x00\xff", None]),
        "single": pa.array([0.1, 2.5], pa.float32()),
    }
    path = write_parquet(tmp_path / "banks.parquet", table(SQUARES, columns), row_group_size=1)
    [layer] = load(engine, owner, path)
    (_, first), (_, second) = features_of(engine, layer.layer_id)
    assert first == {
        **PROPERTIES[0],
        **{"seen": "2024-05-01T10:00:00Z", "day": "2024-05-01", "at": "10:30:00", "price": 1.5},
        **{"tags": ["a", None], "box": {"low": 1.5, "when": "2024-01-02"}, "kind": "sand"},
        **{"raw": "AP8=", "single": 0.1},
    }
    assert second["tags"] == []
    assert second["box"] is None
    assert field_types(engine, layer.layer_id) == {
        **TYPES,
        **{"seen": "date-time", "day": "date", "at": "time", "price": "number", "tags": "array"},
        **{"box": "object", "kind": "string", "raw": "string", "single": "number"},
    }


def test_geoparquet_in_another_crs(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    content = table([shapely.Point(500000, 6500000, 7)])
    crs = CRS("EPSG:3006").to_json_dict()
    [layer] = load(engine, owner, write_parquet(tmp_path / "a.parquet", content, {"crs": crs}))
    [(point, _)] = features_of(engine, layer.layer_id)
    x, y, z = shapely.get_coordinates(
        shapely.from_wkt(str(point).removeprefix("SRID=4326;")), include_z=True
    )[0]
    assert (x, y, z) == (pytest.approx(15), pytest.approx(58.6402969413606), 7)


@pytest.mark.parametrize(
    ("crs", "added"),
    [("EPSG:3006", [3006]), ("EPSG:3857", []), ("EPSG:4326", []), ("EPSG:4258", [4258])],
)
def test_axes_and_reprojection(
    engine: Engine, owner: uuid.UUID, tmp_path: Path, crs: str, added: list[int]
) -> None:
    x, y = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(12.5, 57.25)
    content = table([shapely.Point(x, y)])
    path = write_ogr(tmp_path / "p.gpkg", content, "GPKG", geometry_type="Point", crs=crs)
    [layer] = load(engine, owner, path)
    with engine.connect() as connection:
        point = connection.execute(text("SELECT ST_X(geom), ST_Y(geom) FROM layer_features")).one()
    assert tuple(point) == (pytest.approx(12.5, abs=1e-8), pytest.approx(57.25, abs=1e-8))
    assert layer.geometry_type == "Point"
    assert layer_row(engine, layer.layer_id).additional_crs == added


def test_values_of_geopackage(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    moments = [datetime(2024, 5, 1, 10, 0, 0, 123000, UTC), datetime(2024, 5, 1, 10, tzinfo=UTC)]
    columns = {
        "seen": pa.array(moments, pa.timestamp("ms", "UTC")),
        "naive": pa.array([moment.replace(tzinfo=None) for moment in moments], pa.timestamp("ms")),
        "day": pa.array([date(2024, 5, 1), None]),
        "raw": pa.array([b"\x00\xff", None]),
        "id": pa.array([7, 8]),
        "number": pa.array([1, 2], pa.int32()),
    }
    path = write_ogr(tmp_path / "values.gpkg", table(SQUARES, columns), "GPKG")
    [layer] = load(engine, owner, path, time_field="seen")
    assert [properties for _, properties in features_of(engine, layer.layer_id)] == [
        {"seen": "2024-05-01T10:00:00.123Z", "naive": "2024-05-01T10:00:00.123Z"}
        | {"day": "2024-05-01", "raw": "AP8=", "id": 7, "number": 1},
        {"seen": "2024-05-01T10:00:00Z", "naive": "2024-05-01T10:00:00Z"}
        | {"day": None, "raw": None, "id": 8, "number": 2},
    ]
    assert layer_row(engine, layer.layer_id).time_field == "seen"


def test_zip_of_several_shapefiles(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    for name in ("one", "two"):
        columns = {"namn": pa.array([f"Öresund {name}", "Kattegatt"])}
        write_ogr(
            tmp_path / f"{name}.shp", table(SQUARES, columns), "ESRI Shapefile", encoding="latin1"
        )
    path = tmp_path / "both of them.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for part in sorted(tmp_path.glob("*.*")):
            if part.suffix != ".zip" and not (part.stem == "two" and part.suffix == ".cpg"):
                archive.write(part, f"data åäö/{part.name}")
        archive.writestr("__MACOSX/._one.shp", b"junk")
    layers = load(engine, owner, path, name="Sweden")
    assert [layer.name for layer in layers] == ["Sweden: one", "Sweden: two"]
    names = [features_of(engine, layer.layer_id)[0][1]["namn"] for layer in layers]
    assert names == ["Öresund one", "Öresund two"]


def test_kml(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    placemark = (
        "<Placemark><name>Vinga</name><ExtendedData><Data name='height'><value>29</value></Data>"
        "</ExtendedData><Point><coordinates>11.6,57.63,5</coordinates></Point></Placemark>"
    )
    kml = (
        '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2">'
        f"<Document><name>Lights</name>{placemark}</Document></kml>"
    )
    (tmp_path / "lights.kml").write_text(kml)
    with zipfile.ZipFile(tmp_path / "lights.kmz", "w") as archive:
        archive.writestr("doc.kml", kml)
    for name in ("lights.kml", "lights.kmz"):
        [layer] = load(engine, owner, tmp_path / name)
        [(point, properties)] = features_of(engine, layer.layer_id)
        assert point == "SRID=4326;POINT(11.6 57.63 5)"
        assert properties == {"name": "Vinga", "height": 29}


def test_several_layers_and_a_table(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = tmp_path / "plan.gpkg"
    write_ogr(path, table(SQUARES, COLUMNS), "GPKG", layer="areas")
    points = table([shapely.Point(1, 2)], {"a": pa.array([1])})
    write_ogr(path, points, "GPKG", layer="points", geometry_type="Point", append=True)
    pyogrio.write_arrow(
        pa.table({"key": ["a", "b", "c"]}), path, driver="GPKG", layer="codes", append=True
    )
    remarks = Remarks()
    layers = load(engine, owner, path, progress=remarks, is_public=True)
    assert [(layer.name, layer.feature_count) for layer in layers] == [("areas", 2), ("points", 1)]
    assert any("'codes' has no geometries" in text for text in remarks.texts)
    assert (remarks.started, remarks.advanced) == ([("areas", 2), ("points", 1)], 3)
    assert layer_row(engine, layers[0].layer_id).visibility == "public"
    [codes] = load(engine, owner, path, source_layer="codes", is_global=True)
    assert [properties for _, properties in features_of(engine, codes.layer_id)] == [
        {"key": "a"},
        {"key": "b"},
        {"key": "c"},
    ]
    assert layer_row(engine, codes.layer_id).is_global


def test_shapefile_with_a_deleted_row(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = write_ogr(tmp_path / "a.shp", table(SQUARES, {"a": pa.array([1, 2])}), "ESRI Shapefile")
    dbf = bytearray((tmp_path / "a.dbf").read_bytes())
    dbf[int.from_bytes(dbf[8:10], "little")] = ord("*")
    (tmp_path / "a.dbf").write_bytes(dbf)
    [layer] = load(engine, owner, path)
    assert [properties for _, properties in features_of(engine, layer.layer_id)] == [{"a": 2}]


def test_names_that_software_likes(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    names = ["id", "fid_1", "geometry", "wkb_geometry", "layer_id", "properties", "a b", "å"]
    path = tmp_path / "names.geojson"
    path.write_text(collection(feature(dict.fromkeys(names, "x"))))
    copy = write_ogr(
        tmp_path / "names.fgb",
        table(SQUARES[:1], {name: pa.array(["x"]) for name in names if name != "geometry"}),
        "FlatGeobuf",
    )
    for file, expected in ((path, names), (copy, [name for name in names if name != "geometry"])):
        [layer] = load(engine, owner, file)
        assert features_of(engine, layer.layer_id)[0][1] == dict.fromkeys(expected, "x")
        assert list(field_types(engine, layer.layer_id)) == expected


@pytest.mark.parametrize("suffix", ["gpkg", "parquet", "geojson", "csv"])
def test_an_empty_file_keeps_its_fields(
    engine: Engine, owner: uuid.UUID, tmp_path: Path, suffix: str
) -> None:
    content = table(SQUARES, COLUMNS).slice(0, 0)
    path = tmp_path / f"empty.{suffix}"
    if suffix == "gpkg":
        write_ogr(path, content, "GPKG", geometry_type="MultiPolygon")
    elif suffix == "parquet":
        write_parquet(path, content, {"geometry_types": ["MultiPolygon"]})
    else:
        path.write_text(collection() if suffix == "geojson" else "a,lon,lat\n")
    [layer] = load(engine, owner, path)
    assert layer.feature_count == 0
    if suffix in {"gpkg", "parquet"}:
        assert layer.geometry_type == "MultiPolygon"
        assert field_types(engine, layer.layer_id) == TYPES


def test_shared_geopackage(engine: Engine, owner: uuid.UUID, shared: Path) -> None:
    path = shared / "cql2" / "ne110m4cql2.gpkg"
    if not path.is_file():
        pytest.skip(f"no {path}")
    layers = load(engine, owner, path)
    expected = {
        str(name): pyogrio.read_info(path, layer=name) for name, _ in pyogrio.list_layers(path)
    }
    assert {layer.name: layer.feature_count for layer in layers} == {
        name: info["features"] for name, info in expected.items()
    }
    for layer in layers:
        info = expected[layer.name]
        assert list(field_types(engine, layer.layer_id)) == list(info["fields"])
        meta, content = pyogrio.read_arrow(path, layer=layer.name, datetime_as_string=True)
        names = content.drop_columns([meta["geometry_name"]]).to_pylist()
        for (_, properties), row in zip(features_of(engine, layer.layer_id), names, strict=True):
            for name, value in row.items():
                if isinstance(value, str | int | float | None) and name not in {"start", "end"}:
                    assert properties[name] == value
