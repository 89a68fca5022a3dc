"""CSV for spreadsheets: `dialect`."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pyogrio.raw
import pytest
import shapely
from flask.testing import FlaskClient

from samsyn_provider.query.items_query import DIALECTS
from tests.gdal_drivers import every_driver

Layer = Callable[..., str]

FEATURES = [
    ("POINT(11.5 57)", {"text": "=1+1", "x": 12.5, "n": -3, "yes": True}),
    ("LINESTRING(0 0,1.5 1)", {"text": 'plain; with, "signs"', "x": -0.25}),
    (None, {"text": None, "x": 3}),
]


def downloaded(client: FlaskClient, layer_id: str, dialect: str, **query: str) -> bytes:
    address = f"/ogc/collections/{layer_id}/items"
    response = client.get(address, query_string={"f": "csv", "dialect": dialect, **query})
    assert response.status_code == 200, response.text
    assert response.content_type == "text/csv"
    return response.data


def rows(content: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    text = content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect(client: FlaskClient, layer: Layer, dialect: str) -> None:
    content = downloaded(client, layer(FEATURES), dialect)
    assert content.startswith(b"\xef\xbb\xbf")
    has_commas = dialect == "excel-semicolon"
    first, second, third = rows(content, ";" if has_commas else ",")
    assert list(first)[-3:] == ["longitude", "latitude", "geometry"]
    assert first["text"] == "'=1+1"
    assert (first["n"], first["yes"]) == ("-3", "true")
    assert second["text"] == 'plain; with, "signs"'
    decimal = "," if has_commas else "."
    assert (first["x"], second["x"]) == (f"12{decimal}5", f"-0{decimal}25")
    assert (first["longitude"], first["latitude"]) == (f"11{decimal}5", "57")
    assert (second["longitude"], second["geometry"]) == ("", "LINESTRING (0 0, 1.5 1)")
    assert first["geometry"] == "POINT (11.5 57)"
    assert third["longitude"] == third["geometry"] == ""


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@a", "\ta", "\ra", "\na", "＝1", "＋1", "－1", "＠a", "'=1", "''-1"]
)
def test_no_text_is_a_formula(client: FlaskClient, layer: Layer, text: str) -> None:
    layer_id = layer([("POINT(1 2)", {"a": text, text: "name"}), ("POINT(1 2)", {"a": "'fine"})])
    for dialect, delimiter in (("excel", ","), ("excel-semicolon", ";")):
        first, second = rows(downloaded(client, layer_id, dialect), delimiter)
        assert first["a"] == f"'{text}"
        assert first[f"'{text}"] == "name"
        assert second["a"] == "'fine"


def test_heights_crs_and_other_columns(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT Z(1 2 3)", {"longitude": "own"}), ("POINT(4 5)", {})])
    first, second = rows(downloaded(client, layer_id, "excel"))
    assert list(first) == ["id", "longitude", "longitude_2", "latitude", "height", "geometry"]
    assert (first["longitude"], first["longitude_2"], first["height"]) == ("own", "1", "3")
    assert second["height"] == ""
    bare = rows(downloaded(client, layer_id, "excel", skipGeometry="true"))
    assert list(bare[0]) == ["id", "longitude"]
    uri = "http://www.opengis.net/def/crs/EPSG/0/3035"
    at_home = layer([("POINT(11 57)", {})])
    (moved,) = rows(downloaded(client, at_home, "excel", crs=uri))
    assert list(moved) == ["id", "x", "y", "geometry"]
    assert moved["geometry"] == f"SRID=3035;POINT ({moved['x']} {moved['y']})"


def test_plain_csv_is_as_it_was(client: FlaskClient, layer: Layer) -> None:
    content = client.get(f"/ogc/collections/{layer(FEATURES)}/items?f=csv").data
    assert not content.startswith(b"\xef\xbb\xbf")
    first, *_ = rows(content)
    assert list(first) == ["id", "n", "text", "x", "yes", "geometry"]
    assert first["text"] == "=1+1"


def test_a_dialect_is_of_csv_alone(client: FlaskClient, layer: Layer) -> None:
    address = f"/ogc/collections/{layer(FEATURES)}/items"
    for query in (
        "dialect=excel",
        "f=json&dialect=excel",
        "f=html&dialect=excel",
        "f=geojson&dialect=excel",
        "f=geojsonseq&dialect=excel",
        "f=xlsx&dialect=excel",
        "f=shp&dialect=excel",
        "f=csv&dialect=lotus",
        "f=csv&dialect=",
        "f=csv&dialect=excel&dialect=excel",
    ):
        response = client.get(f"{address}?{query}")
        assert response.status_code == 400, query
        if "html" not in query:
            assert "dialect" in response.json["detail"], query  # type: ignore[index]
    by_accept = client.get(f"{address}?dialect=excel", headers={"Accept": "text/csv"})
    assert by_accept.status_code == 200
    search = client.post(f"{address.removesuffix('/items')}/search", json={"dialect": "excel"})
    assert search.status_code == 400
    head = client.head(f"{address}?f=csv&dialect=excel")
    assert head.status_code == 200
    tags = {
        client.get(f"{address}?f=csv{query}").headers["ETag"] for query in ("", "&dialect=excel")
    }
    assert len(tags) == 2


@pytest.mark.parametrize("dialect", DIALECTS)
def test_gdal_reads_a_dialect(
    client: FlaskClient, layer: Layer, dialect: str, tmp_path: Path
) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(downloaded(client, layer(FEATURES), dialect))
    with every_driver():
        info, _, geometries, _ = pyogrio.raw.read(path, GEOM_POSSIBLE_NAMES="geometry")
    assert list(info["fields"])[:5] == ["id", "n", "text", "x", "yes"]
    assert shapely.from_wkb(geometries[0]).equals(shapely.Point(11.5, 57))
    assert shapely.from_wkb(geometries[1]).geom_type == "LineString"
