"""What an import refuses, with the reason, without storing anything."""

import uuid
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import shapely
from sqlalchemy import Engine

from samsyn_model.errors import (
    InvalidParameterError,
    UnreadableFileError,
    UnstorableFeatureError,
)
from tests.source_files import (
    add_user,
    collection,
    edit_geopackage,
    feature,
    features_of,
    grid,
    load,
    refused,
    square,
    table,
    write_ogr,
    write_parquet,
)


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    return add_user(empty_database)


@pytest.mark.parametrize("share", [0.999, 0.6, 0.1])
@pytest.mark.parametrize(
    "name",
    *[["a.gpkg", "a.fgb", "flat.fgb", "a.zip", "a.parquet", "a.kml", "a.geojson", "a.geojsonl"]],
)
def test_a_truncated_file(
    engine: Engine, owner: uuid.UUID, tmp_path: Path, name: str, share: float
) -> None:
    path = tmp_path / name
    if name == "a.parquet":
        write_parquet(path, grid(3000))
    elif name == "a.zip":
        write_ogr(tmp_path / "a.shp", grid(3000), "ESRI Shapefile")
        with zipfile.ZipFile(path, "w") as archive:
            for part in tmp_path.glob("a.[sdp]*"):
                archive.write(part, part.name)
    else:
        drivers = {".gpkg": "GPKG", ".fgb": "FlatGeobuf", ".kml": "LIBKML", ".geojson": "GeoJSON"}
        options = {"SPATIAL_INDEX": "NO"} if name == "flat.fgb" else {}
        write_ogr(path, grid(3000), drivers.get(path.suffix, "GeoJSONSeq"), **options)
    [layer] = load(engine, owner, path)
    assert layer.feature_count == 3000
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(engine, owner, path, UnreadableFileError)


@pytest.mark.parametrize("part", ["shp", "dbf", "shx"])
def test_a_shapefile_with_a_truncated_part(
    engine: Engine, owner: uuid.UUID, tmp_path: Path, part: str
) -> None:
    path = write_ogr(tmp_path / "a.shp", grid(100), "ESRI Shapefile")
    cut = tmp_path / f"a.{part}"
    cut.write_bytes(cut.read_bytes()[:-40])
    assert "is truncated" in refused(engine, owner, path, UnreadableFileError)


def test_a_geopackage_with_damaged_pages(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = write_ogr(tmp_path / "a.gpkg", grid(5000), "GPKG")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40960] = bytes(40960)
    path.write_bytes(content)
    assert "damaged" in refused(engine, owner, path, UnreadableFileError)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.geojson", "", "is empty"),
        ("a.geojson", " \n", "is empty"),
        ("a.geojson", "[]", "is not GeoJSON"),
        ("a.json", '{"a": 1}', "is not GeoJSON"),
        ("a.geojson", collection(feature()) + "}", "not valid JSON"),
        ("a.geojson", '{"type": "Collection", "features": [{}]}', "'Collection'"),
        ("a.geojson", collection(feature()).replace(":", "=", 1), "not valid JSON"),
        (
            "a.geojson",
            '{"type":"Feature","geometry":null,"properties":{"å":"\udce5"}}',
            "--encoding",
        ),
        ("a.geojson", '{"a":' + "[" * 100_000, "nested too deep"),
        ("a.csv", "a,b\n1,2\n", "no columns of coordinates"),
        ("a.csv", "a,lon,lat\n1,2,3\n1,2", "line 3 has 2 values"),
        ("a.csv", 'a,lon,lat\n"1,2,3\n', "not valid CSV"),
        ("a.png", "\x89PNG\r\n", "cannot be imported"),
        ("a.zip", "PK\x03\x04", "not a valid zip file"),
        ("a.gpkg", "SQLite format 3\0" + "x" * 500, "is damaged"),
        ("a.fgb", "fgb\x03fgb\0" + "\0" * 40, "a.fgb"),
        ("a.parquet", "PAR1PAR1", "cannot be read"),
        ("a.kml", "<kml><Document>", "not valid XML"),
        ("a.kml", '<?xml version="1.0" encoding="x-sea"?><kml/>', "not valid XML"),
    ],
)
def test_a_file_of_another_format_than_its_suffix(
    engine: Engine, owner: uuid.UUID, *, tmp_path: Path, name: str, content: str, reason: str
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    assert reason in refused(engine, owner, path, UnreadableFileError)


def test_no_file(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    assert "is not a file" in refused(engine, owner, tmp_path, UnreadableFileError)
    assert "not exist" in refused(engine, owner, tmp_path / "no.csv", UnreadableFileError)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    detail = refused(engine, owner, tmp_path / "a.zip", UnreadableFileError)
    assert "readme.txt in" in detail
    assert "no columns of coordinates" in detail
    write_parquet(tmp_path / "b.parquet", grid(2), {"encoding": "polygon"})
    assert "WKB" in refused(engine, owner, tmp_path / "b.parquet", UnreadableFileError)


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        ((180.5, 1), "the longitude 180.5 is outside"),
        ((1, 90.1), "the latitude 90.1 is outside"),
        ((1, "x"), "a coordinate is not a number"),
        ((1, None), "a coordinate is not a number"),
        ((1,), "have two or all have three numbers"),
        ({"type": "Circle", "coordinates": [1, 2]}, "not a geometry type"),
        ({"type": ["Point"], "coordinates": [1, 2]}, "not a geometry type"),
        ({"type": "Point"}, "no member 'coordinates'"),
        (
            {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
            "fewer than four positions",
        ),
        ({"type": "Polygon", "coordinates": [[0, 0], [1, 1]]}, "not an array of numbers"),
        (
            {"type": "LineString", "coordinates": [[0, 0], [1, 1, 1]]},
            "have two or all have three numbers",
        ),
        ({"type": "GeometryCollection", "geometries": [None]}, "array of geometries"),
        ("POINT(1 2)", "not a geometry type"),
    ],
)
def test_a_geometry_that_cannot_be_stored(
    engine: Engine, owner: uuid.UUID, tmp_path: Path, geometry: Any, reason: str
) -> None:
    path = tmp_path / "a.geojson"
    good = [feature({"number": number}) for number in range(1500)]
    path.write_text(collection(*good, feature({}, geometry, id="odd"), *good))
    detail = refused(engine, owner, path, UnstorableFeatureError)
    assert detail.startswith("Feature 1501 (id odd)")
    assert reason.casefold() in detail.casefold()


@pytest.mark.parametrize("replaced", [b"a_long_name", b"CREATE TABLE"])
def test_a_geopackage_with_texts_that_are_none(
    engine: Engine, owner: uuid.UUID, tmp_path: Path, replaced: bytes
) -> None:
    """SQLite repeats them in its messages."""
    path = write_ogr(tmp_path / "a.gpkg", grid(2), "GPKG", layer="a_long_name")
    path.write_bytes(path.read_bytes().replace(replaced, replaced[:-1] + b"\xff"))
    assert "UTF-8" in refused(engine, owner, path, UnreadableFileError)


def test_a_nul_in_a_text(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(collection(feature({"a": "\\u0000 is \\ fine"}), feature({"a": ["x\0y"]})))
    detail = refused(engine, owner, path, UnstorableFeatureError)
    assert detail.startswith("Feature 2 ")
    assert "NUL" in detail
    column = {"a": pa.array(["fine", "x\0y"])}
    path = write_parquet(tmp_path / "a.parquet", table([square(1, 1)] * 2, column))
    assert refused(engine, owner, path, UnstorableFeatureError).startswith("Feature 2 ")
    path = write_ogr(tmp_path / "a.gpkg", table([square(1, 1)] * 2, column), "GPKG")
    edit_geopackage(path, ("UPDATE a SET a = ? WHERE fid = 2", ["x\0y"]))
    assert "(fid 2)" in refused(engine, owner, path, UnstorableFeatureError)


def test_a_file_without_a_crs(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    content = table([shapely.Point(500000, 6500000)])
    path = write_ogr(tmp_path / "a.shp", content, "ESRI Shapefile", crs=None, geometry_type="Point")
    assert "--crs" in refused(engine, owner, path, UnreadableFileError)
    assert "known CRS" in refused(engine, owner, path, InvalidParameterError, crs="EPSG:1")
    [layer] = load(engine, owner, path, crs="EPSG:3006")
    assert str(features_of(engine, layer.layer_id)[0][0]).startswith("SRID=4326;POINT(14.99999")
    path = write_parquet(tmp_path / "a.parquet", content, {"crs": None})
    assert "--crs" in refused(engine, owner, path, UnreadableFileError)
    path = tmp_path / "a.geojson"
    path.write_text(collection(feature({}, (500000, 6500000))))
    assert "probably projected" in refused(engine, owner, path, UnreadableFileError)


@pytest.mark.parametrize(("driver", "suffix"), [("FlatGeobuf", "fgb"), ("GPKG", "gpkg")])
def test_a_name_that_is_not_text(
    engine: Engine, owner: uuid.UUID, tmp_path: Path, driver: str, suffix: str
) -> None:
    path = write_ogr(tmp_path / f"a.{suffix}", table([square(1, 1)], {"quartz": [1]}), driver)
    path.write_bytes(path.read_bytes().replace(b"quartz", b"q\x8cartz"))
    refused(engine, owner, path, UnreadableFileError)


def test_a_column_of_geoparquet_that_is_not_text(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    content = table([square(1, 1)], {"quartz": pa.array([1])})
    path = write_parquet(tmp_path / "a.parquet", content, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"quartz", b"q\x8cartz"))
    refused(engine, owner, path, UnreadableFileError)
