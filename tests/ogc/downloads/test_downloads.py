"""Downloads: each format is read back and compared with the features of the layer."""

import csv
import io
import json
import math
import sqlite3
import warnings
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow.parquet as pq
import pyogrio
import pyogrio.raw
import pyproj
import pytest
import shapely
from flask.testing import FlaskClient
from shapely.geometry.base import BaseGeometry

from samsyn_provider.http.formats import FORMATS
from tests.ogc.conftest import Person

Layer = Callable[..., str]
Row = tuple[int, BaseGeometry | None, dict[str, Any]]

FIELDS = {
    "name": {"type": "string", "x-ogc-propertySeq": 1},
    "count": {"type": "integer", "x-ogc-propertySeq": 2},
    "depth": {"type": "number", "x-ogc-propertySeq": 3},
    "open": {"type": "boolean", "x-ogc-propertySeq": 4},
    "since": {"type": "string", "format": "date", "x-ogc-propertySeq": 5},
    "seen": {"type": "string", "format": "date-time", "x-ogc-propertySeq": 6},
    "tags": {"type": "array", "x-ogc-propertySeq": 7},
    "more": {"type": "object", "x-ogc-propertySeq": 8},
}
FEATURES: list[tuple[str | None, dict[str, Any]]] = [
    (
        "POLYGON((11 57, 12 57, 12 58, 11 57))",
        {
            "name": 'Læsø "north", <b>\n& more',
            "count": 2**53 + 1,
            "depth": 12.25,
            "open": True,
            "since": "2024-02-29",
            "seen": "2024-05-01T12:00:00.5+02:00",
            "tags": ["a", "ø"],
            "more": {"x": 1},
        },
    ),
    ("MULTIPOLYGON(((13 55, 14 55, 14 56, 13 55)))", {"name": "", "count": -1, "open": False}),
    (None, {"name": "=1+1", "depth": 3}),
]
GEOMETRIES = [geometry and shapely.from_wkt(geometry) for geometry, _ in FEATURES]


@pytest.fixture
def address(layer: Layer) -> str:
    layer_id = layer(FEATURES, fields=FIELDS, name="Öar & skär", time_field="since")
    return f"/ogc/collections/{layer_id}/items"


def read_csv(content: bytes, _: Path) -> list[Row]:
    rows = []
    for row in csv.DictReader(io.StringIO(content.decode(), newline="")):
        geometry = row.pop(list(row)[-1]).rpartition(";")[2]
        shape = shapely.from_wkt(geometry) if geometry else None
        rows.append((pop_id(row), shape, row))
    return rows


def pop_id(row: dict[str, Any]) -> int:
    """Remove our id from the columns: it has the first of these names that no property has."""
    return int(row.pop(next(name for name in ("feature_id", "fid", "id") if name in row)))


def read_parquet(content: bytes, _: Path) -> list[Row]:
    table = pq.read_table(io.BytesIO(content))
    geo = json.loads(pq.read_metadata(io.BytesIO(content)).metadata[b"geo"])
    name = geo["primary_column"]
    return [(pop_id(row), _from_wkb(row.pop(name)), row) for row in table.to_pylist()]


def read_ogr(content: bytes, path: Path) -> list[Row]:
    path.write_bytes(content)
    return read_ogr_layer(path, has_fids=path.suffix == ".gpkg")


def read_ogr_layer(path: Path | str, *, has_fids: bool) -> list[Row]:
    """The features of a file's layer; with `has_fids` their ids are those of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pyogrio's use of numpy
        info, fids, geometries, columns = pyogrio.raw.read(path, layer=0, return_fids=True)
    rows = []
    for number, fid in enumerate(fids):
        row = {
            name: _plain(values[number], str(values.dtype))
            for name, values in zip(info["fields"], columns, strict=True)
        }
        row_id = fid if has_fids else pop_id(row)
        rows.append((int(row_id), _from_wkb(geometries[number]), row))
    return rows


def _plain(value: Any, kind: str) -> Any:
    """A value as a Python object; NaN and NaT are None."""
    if kind.startswith("datetime64"):
        return None if np.isnat(value) else value.astype("datetime64[us]").item()
    if isinstance(value, float) and math.isnan(value):
        return None
    return value.item() if hasattr(value, "item") else value


def read_sequence(content: bytes, _: Path) -> list[Row]:
    assert content[:1] == b"\x1e"
    return [_from_geojson(json.loads(text)) for text in content[1:].split(b"\x1e")]


def read_json_fg(content: bytes, _: Path) -> list[Row]:
    document = json.loads(content)
    assert document["type"] == "FeatureCollection"
    assert document["conformsTo"] == ["http://www.opengis.net/spec/json-fg-1/1.0/conf/core"]
    return [_from_geojson(feature) for feature in document["features"]]


def read_geojson(content: bytes, _: Path) -> list[Row]:
    document = json.loads(content)
    assert document["type"] == "FeatureCollection"
    assert document["numberReturned"] == len(document["features"])
    return [_from_geojson(feature) for feature in document["features"]]


def read_shapefiles(content: bytes, path: Path) -> list[Row]:
    """The records of all shapefiles in the archive, those of several by id."""
    path = path.with_suffix(".shp.zip")
    path.write_bytes(content)
    rows = []
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if name.endswith(".shp")]
        assert "README.txt" in archive.namelist()
    for name in names:
        rows += read_ogr_layer(f"/vsizip/{{{path}}}/{name}", has_fids=False)
    return sorted(rows, key=lambda row: row[0]) if len(names) > 1 else rows


def read_workbook(content: bytes, _: Path) -> list[Row]:
    workbook = openpyxl.load_workbook(io.BytesIO(content))
    assert workbook.sheetnames == ["Features", "Notes"]
    names, *lines = workbook["Features"].iter_rows(values_only=True)
    rows = []
    for line in lines:
        row = dict(zip(names, line, strict=True))
        wkt = row.pop("wkt" if "wkt" in row else "geometry", None)
        x, y, z = (row.pop(name, None) for name in ("longitude", "latitude", "height"))
        if x is not None:
            wkt = f"POINT({x} {y})" if z is None else f"POINT Z ({x} {y} {z})"
        rows.append((pop_id(row), wkt and shapely.from_wkt(str(wkt)), row))
    return rows


def _from_geojson(feature: dict[str, Any]) -> Row:
    geometry = feature["geometry"] and shapely.from_geojson(json.dumps(feature["geometry"]))
    return feature["id"], geometry, feature["properties"]


def _from_wkb(content: bytes | None) -> BaseGeometry | None:
    return None if content is None else shapely.from_wkb(content)


READERS: dict[str, Callable[[bytes, Path], list[Row]]] = {
    "csv": read_csv,
    "fgb": read_ogr,
    "geojson": read_geojson,
    "geojsonseq": read_sequence,
    "gpkg": read_ogr,
    "jsonfg": read_json_fg,
    "kml": read_ogr,
    "parquet": read_parquet,
    "shp": read_shapefiles,
    "xlsx": read_workbook,
}


def assert_same_geometries(rows: list[Row], expected: list[BaseGeometry | None]) -> None:
    assert len(rows) == len(expected)
    for (_, actual, _), geometry in zip(rows, expected, strict=True):
        if geometry is None:
            assert actual is None or actual.is_empty
        else:
            assert actual is not None
            assert actual.hausdorff_distance(geometry) < 1e-7


@pytest.mark.parametrize("code", sorted(FORMATS))
def test_a_download_has_every_feature(
    client: FlaskClient, address: str, code: str, tmp_path: Path
) -> None:
    response = client.get(address, query_string={"f": code})
    assert response.status_code == 200, response.text
    assert response.content_type == FORMATS[code].media_type
    name = response.headers["Content-Disposition"]
    assert f'filename="Oar___skar.{FORMATS[code].extension}"' in name
    assert "filename*=UTF-8''%C3%96ar%20%26%20sk%C3%A4r" in name
    rows = READERS[code](response.data, tmp_path / f"file.{FORMATS[code].extension}")
    assert_same_geometries(rows, GEOMETRIES)
    items = client.get(address).json
    assert items is not None
    assert [row[0] for row in rows] == [feature["id"] for feature in items["features"]]
    by_accept = client.get(address, headers={"Accept": FORMATS[code].media_type})
    assert by_accept.content_type == FORMATS[code].media_type
    head = client.head(address, query_string={"f": code})
    assert (head.status_code, head.data) == (200, b"")
    assert head.content_type == response.content_type


def test_typed_values(client: FlaskClient, address: str, tmp_path: Path) -> None:
    for code in ("parquet", "gpkg", "fgb"):
        response = client.get(address, query_string={"f": code})
        rows = READERS[code](response.data, tmp_path / f"typed.{code}")
        first, second, third = (row[2] for row in rows)
        assert first["name"] == FEATURES[0][1]["name"]
        # the reader takes integers with gaps for floats
        assert first["count"] == (2**53 + 1 if code == "parquet" else 2.0**53)
        assert first["depth"] == 12.25
        assert first["open"] in (True, 1)
        assert first["since"].isoformat()[:10] == "2024-02-29"
        assert first["seen"].isoformat()[:21] == "2024-05-01T10:00:00.5"
        assert json.loads(first["tags"]) == ["a", "ø"]
        assert json.loads(first["more"]) == {"x": 1}
        assert second["name"] == ""
        assert second["open"] in (False, 0)
        assert second["depth"] is second["since"] is second["tags"] is None
        assert (third["name"], third["depth"], third["count"]) == ("=1+1", 3, None)


def test_whole_numbers_stay_whole(client: FlaskClient, address: str, tmp_path: Path) -> None:
    path = tmp_path / "whole.gpkg"
    path.write_bytes(client.get(address, query_string={"f": "gpkg"}).data)
    with closing(sqlite3.connect(path)) as package:
        counts = package.execute('SELECT fid, count FROM "Öar___skär" ORDER BY fid').fetchall()
    assert [count for _, count in counts] == [2**53 + 1, -1, None]


def test_csv_has_the_stored_values(client: FlaskClient, address: str) -> None:
    text = client.get(address, query_string={"f": "csv"}).text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == ["id", *FIELDS, "geometry"]
    assert rows[0]["name"] == FEATURES[0][1]["name"]
    assert rows[0]["seen"] == "2024-05-01T12:00:00.5+02:00"
    assert rows[0]["since"] == "2024-02-29"
    assert (rows[0]["open"], rows[1]["open"], rows[2]["open"]) == ("true", "false", "")
    assert rows[0]["count"] == str(2**53 + 1)
    without = client.get(address, query_string={"f": "csv", "skipGeometry": "true"}).text
    assert "geometry" not in without.splitlines()[0]


def test_json_fg_has_time_and_place(client: FlaskClient, address: str) -> None:
    document = client.get(address, query_string={"f": "jsonfg"}).json
    assert document is not None
    assert document["featureType"] == "Öar & skär"
    first, second, _ = document["features"]
    assert first["time"] == {"date": "2024-02-29"}
    assert second["time"] is None
    assert first["place"] is None
    uri = "http://www.opengis.net/def/crs/EPSG/0/3035"
    moved = client.get(address, query_string={"f": "jsonfg", "crs": uri}).json
    assert moved is not None
    assert moved["coordRefSys"] == uri
    first = moved["features"][0]
    assert first["geometry"] is None
    expected = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3035").transform(11, 57)
    assert first["place"]["coordinates"][0][0] == pytest.approx(expected, abs=1e-3)
    assert moved["features"][2]["place"] is None


def test_json_fg_of_features_with_an_interval(client: FlaskClient, layer: Layer) -> None:
    fields = {
        name: {"type": "string", "format": form, "x-ogc-role": f"primary-interval-{role}"}
        for name, form, role in (("a", "date-time", "start"), ("b", "date-time", "end"))
    }
    features = [
        ("POINT(1 1)", {"a": "2026-01-01T00:00:00+01:00", "b": "2026-02-01T00:00:00Z"}),
        ("POINT(1 1)", {"a": "2026-01-01T00:00:00Z"}),
        ("POINT(1 1)", {}),
    ]
    address = f"/ogc/collections/{layer(features, fields=fields)}/items?f=jsonfg"
    times = [feature["time"] for feature in client.get(address).json["features"]]  # type: ignore[index]
    assert times == [
        {"interval": ["2025-12-31T23:00:00.000000Z", "2026-02-01T00:00:00.000000Z"]},
        {"interval": ["2026-01-01T00:00:00.000000Z", ".."]},
        None,
    ]


@pytest.mark.parametrize("code", ["csv", "fgb", "gpkg", "parquet"])
def test_another_crs_has_x_before_y(
    client: FlaskClient, address: str, code: str, tmp_path: Path
) -> None:
    uri = "http://www.opengis.net/def/crs/EPSG/0/3035"
    response = client.get(address, query_string={"f": code, "crs": uri})
    assert response.headers["Content-Crs"] == f"<{uri}>"
    rows = READERS[code](response.data, tmp_path / f"moved.{code}")
    transformer = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3035", always_xy=True)
    for (_, actual, _), geometry in zip(rows, GEOMETRIES, strict=True):
        if geometry is not None:
            moved = shapely.transform(geometry, transformer.transform, interleaved=False)
            assert actual is not None
            assert actual.hausdorff_distance(moved) < 1e-3
    if code in {"fgb", "gpkg"}:
        assert pyogrio.read_info(tmp_path / f"moved.{code}", layer=0)["crs"] == "EPSG:3035"
    if code == "parquet":
        geo = json.loads(pq.read_metadata(io.BytesIO(response.data)).metadata[b"geo"])
        assert geo["columns"]["geometry"]["crs"]["id"] == {"authority": "EPSG", "code": 3035}


def test_geoparquet_describes_itself(client: FlaskClient, address: str) -> None:
    content = client.get(address, query_string={"f": "parquet"}).data
    geo = json.loads(pq.read_metadata(io.BytesIO(content)).metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    assert geo["version"] == "1.1.0"
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["MultiPolygon"]
    assert column["bbox"] == [11, 55, 14, 58]
    assert "crs" not in column  # longitude and latitude is what an absent one means


def test_private_layers(client: FlaskClient, layer: Layer, person: Callable[[str], Person]) -> None:
    secret = layer([("POINT(1 1)", {})], visibility="private")
    for code in FORMATS:
        address = f"/ogc/collections/{secret}/items?f={code}"
        assert client.get(address).status_code == 404
        assert client.get(address, headers=person("stranger").headers).status_code == 404
        assert client.get(address, headers={"Authorization": "Bearer no"}).status_code == 401
        assert client.get(address, headers=person("owner").headers).status_code == 200
