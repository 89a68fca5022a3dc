"""Downloads: their parameters, and layers that are hard to write to a file."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyogrio
import pytest
from flask.testing import FlaskClient

from samsyn_provider.downloads import responses as download_responses
from samsyn_provider.http.formats import FORMATS
from tests.ogc.downloads.test_downloads import READERS

Layer = Callable[..., str]


def numbers(client: FlaskClient, address: str, code: str, folder: Path, **query: str) -> list[Any]:
    response = client.get(address, query_string={"f": code, **query})
    assert response.status_code == 200, response.text
    rows = READERS[code](response.data, folder / f"{code}-{len(list(folder.iterdir()))}.{code}")
    return [int(row[2]["n"]) for row in rows]


@pytest.fixture
def address(layer: Layer) -> str:
    features = [(f"POINT({n} {n / 2})", {"n": n, "odd": n % 2 == 1}) for n in range(30)]
    fields = {"n": {"type": "integer"}, "odd": {"type": "boolean"}}
    return f"/ogc/collections/{layer(features, fields=fields)}/items"


@pytest.mark.parametrize("code", sorted(FORMATS))
def test_the_parameters_of_items(
    client: FlaskClient, address: str, code: str, tmp_path: Path
) -> None:
    assert numbers(client, address, code, tmp_path) == list(range(30))
    assert numbers(client, address, code, tmp_path, limit="4", offset="2") == [2, 3, 4, 5]
    assert numbers(client, address, code, tmp_path, odd="true", bbox="4,0,10,9") == [5, 7, 9]
    sorted_down = numbers(client, address, code, tmp_path, filter="n > 26", sortby="-n")
    # the rows of a GeoPackage have no order but that of their ids
    assert sorted_down == ([27, 28, 29] if code == "gpkg" else [29, 28, 27])
    only = client.get(address, query_string={"f": code, "properties": "n"})
    rows = READERS[code](only.data, tmp_path / f"only.{code}")
    assert all("odd" not in row[2] for row in rows)


@pytest.mark.parametrize("code", ["csv", "geojsonseq", "parquet"])
def test_pages_have_next_links(
    client: FlaskClient, address: str, code: str, tmp_path: Path
) -> None:
    seen: list[int] = []
    path = f"{address}?f={code}&limit=12&sortby=-n"
    while path:
        response = client.get(path)
        seen += [int(row[2]["n"]) for row in READERS[code](response.data, tmp_path / "page")]
        following = [
            link.split(">")[0].lstrip(" <")
            for link in response.headers.get("Link", "").split(",")
            if 'rel="next"' in link
        ]
        path = following[0] if following else ""
    assert seen == list(range(29, -1, -1))


def test_requests_that_are_refused(client: FlaskClient, address: str) -> None:
    wrong = client.get(f"{address}?f=dxf")
    assert wrong.status_code == 400
    assert all(code in wrong.json["detail"] for code in FORMATS)  # type: ignore[index]
    assert client.get(address, headers={"Accept": "application/x-shp"}).status_code == 406
    for query in (
        "f=kml&crs=http://www.opengis.net/def/crs/EPSG/0/3035",
        "f=geojsonseq&crs=http://www.opengis.net/def/crs/EPSG/0/4326",
        "f=kml&skipGeometry=true",
        "f=fgb&skipGeometry=true",
        "f=csv&resulttype=hits",
        "f=csv&limit=0",
        "f=csv&colour=red",
        "f=gpkg&bbox=1,2,3",
    ):
        refused = client.get(f"{address}?{query}")
        assert refused.status_code == 400, query
        assert refused.json["detail"]  # type: ignore[index]
    item = client.get(address).json["features"][0]["id"]  # type: ignore[index]
    assert client.get(f"{address}/{item}?f=csv").status_code == 400


def test_links_to_every_format(client: FlaskClient, address: str) -> None:
    collection = client.get(address.removesuffix("/items")).json
    items = client.get(address).json
    for document, rel in (
        (collection, "items"),
        (collection, "enclosure"),
        (items, "alternate"),
    ):
        offered = {
            link["type"]: link["href"]
            for link in document["links"]  # type: ignore[index]
            if link["rel"] == rel
        }
        for code, form in FORMATS.items():
            if rel == "enclosure" or code != "geojson":  # of a media type that pages have
                assert offered[form.media_type].endswith(f"?f={code}"), rel
    page = client.get(f"{address}?f=html&limit=3").text
    assert f"{address}?f=gpkg" in page
    page = client.get(f"{address.removesuffix('/items')}?f=html").text
    for code, form in FORMATS.items():
        assert f'{address}?f={code}">{form.title}</a>' in page


def test_unchanged_is_not_sent_again(client: FlaskClient, address: str) -> None:
    first = client.get(f"{address}?f=csv")
    tag = first.headers["ETag"]
    assert client.get(f"{address}?f=csv", headers={"If-None-Match": tag}).status_code == 304
    by_accept = client.get(address, headers={"Accept": "text/csv"}).headers["ETag"]
    assert client.get(address, headers={"If-None-Match": by_accept}).status_code == 200


@pytest.mark.parametrize("code", sorted(FORMATS))
def test_an_empty_layer_has_its_fields(
    client: FlaskClient, layer: Layer, code: str, tmp_path: Path
) -> None:
    fields = {"name": {"type": "string"}, "on": {"type": "string", "format": "date"}}
    layer_id = layer(fields=fields, geometry_type="LineString")
    response = client.get(f"/ogc/collections/{layer_id}/items?f={code}")
    assert response.status_code == 200, response.text
    if code == "geojsonseq":
        assert response.data == b""
        return
    path = tmp_path / f"empty.{code}"
    assert READERS[code](response.data, path) == []
    if code in {"gpkg", "fgb"}:
        info = pyogrio.read_info(path, layer=0)
        assert info["geometry_type"] == "LineString"
        assert {"name", "on"} <= set(info["fields"])


@pytest.mark.parametrize("code", sorted(FORMATS))
def test_a_layer_of_mixed_types(
    client: FlaskClient, layer: Layer, code: str, tmp_path: Path
) -> None:
    """No schema; values of several types, names that collide, mixed geometries, heights."""
    features = [
        ("POINT Z(1 2 3)", {"a": 1, "A": "x", "id": "own", "fid": 2.5, "geometry": "round"}),
        ("LINESTRING(1 2, 3 4)", {"a": "one", "big": 2**70, "when": "2024-01-01"}),
        ("GEOMETRYCOLLECTION(POINT(1 2))", {"a": [1], "when": "soon"}),
        ("POLYGON EMPTY", {"a": True}),
        (None, {}),
    ]
    layer_id = layer(features, name="../../etc/passwd\r\n\"'")
    response = client.get(f"/ogc/collections/{layer_id}/items?f={code}")
    assert response.status_code == 200, response.text
    assert "\r" not in response.headers["Content-Disposition"]
    rows = READERS[code](response.data, tmp_path / f"mixed.{code}")
    assert len(rows) == 5
    if code in {"csv", "parquet"}:
        columns = [row[2] for row in rows]
        assert [row["a_2"] or None for row in columns] == ["1", "one", "[1]", "true", None]
        assert columns[0]["A"] == "x"
        assert columns[0]["id"] == "own"
        assert float(columns[0]["fid"]) == 2.5
        assert columns[0]["geometry"] == "round"
        assert float(columns[1]["big"]) == 2.0**70
        assert columns[2]["when"] == "soon"


def test_no_more_files_at_once_than_slots(
    client: FlaskClient, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get(f"{address}?f=csv").status_code == 200
    acquired = [download_responses.FILE_SLOTS.acquire(blocking=False) for _ in range(2)]
    try:
        assert acquired == [True, True], "finished downloads release their slots"
        busy = client.get(f"{address}?f=csv")
        assert busy.status_code == 503
        assert "Retry-After" in busy.headers
        assert client.get(f"{address}?f=geojsonseq").status_code == 200
    finally:
        for _ in acquired:
            download_responses.FILE_SLOTS.release()
    refused = client.get(f"{address}?f=gpkg&filter=n/0 > 1")
    assert refused.status_code in {200, 400}
    assert client.get(f"{address}?f=csv").status_code == 200


def test_gdal_reads_the_geopackage(client: FlaskClient, address: str, tmp_path: Path) -> None:
    path = tmp_path / "download.gpkg"
    path.write_bytes(client.get(f"{address}?f=gpkg").data)
    copy = tmp_path / "copy.geojson"
    program = shutil.which("ogr2ogr")
    if program is None:
        pytest.skip("ogr2ogr (Debian's gdal-bin) is not installed")
    subprocess.run([program, "-f", "GeoJSON", copy, path, "A_layer"], check=True)
    features = json.loads(copy.read_text())["features"]
    assert [feature["properties"]["n"] for feature in features] == list(range(30))
