"""Reference systems that a layer adds: read, written and asked about in their own axis order."""

from collections.abc import Callable
from typing import Any

import pyproj
import pytest
from flask.testing import FlaskClient

from tests.ogc.conftest import Person

Layer = Callable[..., str]

PLACE = (18.0, 59.0)
URI = "http://www.opengis.net/def/crs/EPSG/0/{}"
# northing first, easting first, polar, degrees with latitude first
CODES = [3006, 32633, 3995, 4258]


def moved(code: int, longitude: float, latitude: float) -> tuple[float, float]:
    """A place in the axis order of the EPSG register."""
    transformer = pyproj.Transformer.from_crs("OGC:CRS84", f"EPSG:{code}")
    first, second = transformer.transform(longitude, latitude)
    return first, second


@pytest.fixture
def made(client: FlaskClient, person: Callable[[str], Person]) -> tuple[str, dict[str, str]]:
    """A layer that adds all CODES, with a feature at PLACE; and its owner's credentials."""
    headers = person("owner").headers
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": PLACE},
        "properties": {},
    }
    body = {
        "name": "Baltic",
        "source_type": "vector",
        "visibility": "public",
        "additional_crs": CODES,
        "source_config": {"geojson": {"type": "FeatureCollection", "features": [feature]}},
    }
    answer = client.post("/api/v1/layers", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    assert answer.json["additional_crs"] == CODES
    return f"/ogc/collections/{answer.json['id']}", headers


def coordinates(answer: Any) -> list[float]:
    assert answer.status_code == 200, answer.text
    return list(answer.json["features"][0]["geometry"]["coordinates"])


@pytest.mark.parametrize("code", CODES)
def test_reading_and_asking(
    client: FlaskClient, made: tuple[str, dict[str, str]], code: int
) -> None:
    address, _ = made
    uri = URI.format(code)
    assert uri in client.get(address).json["crs"]  # type: ignore[index]
    answer = client.get(f"{address}/items", query_string={"crs": uri})
    assert answer.headers["Content-Crs"] == f"<{uri}>"
    expected = moved(code, *PLACE)
    assert coordinates(answer) == pytest.approx(expected, abs=1e-3)
    feature_id = answer.json["features"][0]["id"]  # type: ignore[index]
    item = client.get(f"{address}/items/{feature_id}", query_string={"crs": uri}).json
    assert item["geometry"]["coordinates"] == pytest.approx(expected, abs=1e-3)  # type: ignore[index]
    span = 0.01 if code == 4258 else 1000.0
    box = ",".join(str(edge + change) for change in (-span, span) for edge in expected)
    near = {"bbox": box, "bbox-crs": uri}
    assert client.get(f"{address}/items", query_string=near).json["numberMatched"] == 1  # type: ignore[index]
    x, y = expected
    ring = f"{x - span} {y - span}, {x + span} {y - span}, {x + span} {y + span}, {x - span} {y + span}, {x - span} {y - span}"  # fmt: skip  # noqa: E501
    at = {"filter": f"S_WITHIN(geometry, POLYGON(({ring})))", "filter-crs": uri}
    assert client.get(f"{address}/items", query_string=at).json["numberMatched"] == 1  # type: ignore[index]


@pytest.mark.parametrize("code", CODES)
def test_writing(client: FlaskClient, made: tuple[str, dict[str, str]], code: int) -> None:
    address, headers = made
    uri = URI.format(code)
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": moved(code, 19.5, 60.25)},
        "properties": {},
    }
    created = client.post(
        f"{address}/items", json=feature, headers={**headers, "Content-Crs": f"<{uri}>"}
    )
    assert created.status_code == 201, created.text
    read = client.get(created.headers["Location"]).json
    assert read["geometry"]["coordinates"] == pytest.approx([19.5, 60.25], abs=1e-8)  # type: ignore[index]


def test_other_layers_do_not_have_it(client: FlaskClient, layer: Layer) -> None:
    address = f"/ogc/collections/{layer([('POINT(18 59)', {})])}"
    assert URI.format(3006) not in client.get(address).json["crs"]  # type: ignore[index]
    for name in ("crs", "bbox-crs"):
        query = {name: URI.format(3006), "bbox": "1,2,3,4"}
        refused = client.get(f"{address}/items", query_string=query)
        assert refused.status_code == 400
        assert "3006" in refused.json["detail"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ([4979], "/additional_crs/0"),  # three dimensions
        ([5973], "/additional_crs/0"),  # a compound
        ([3006, 32767], "/additional_crs/1"),  # none
        ([3035], "/additional_crs/0"),  # offered anyway
        ([3006, 3006], "/additional_crs/1"),
        (["3006"], "/additional_crs/0"),
        (list(range(32601, 32618)), "/additional_crs"),
        ("3006", "/additional_crs"),
    ],
)
def test_what_cannot_be_added(
    client: FlaskClient, person: Callable[[str], Person], given: Any, pointer: str
) -> None:
    body = {"name": "x", "source_type": "vector", "additional_crs": given}
    refused = client.post("/api/v1/layers", json=body, headers=person("owner").headers)
    assert refused.status_code == 422, refused.text
    assert refused.json["errors"][0]["pointer"] == pointer  # type: ignore[index]


def test_added_and_taken_away_later(client: FlaskClient, made: tuple[str, dict[str, str]]) -> None:
    address, headers = made
    path = address.replace("/ogc/collections", "/api/v1/layers")
    changed = client.patch(path, json={"additional_crs": [2193]}, headers=headers)
    assert changed.status_code == 200, changed.text
    offered = client.get(address).json["crs"]  # type: ignore[index]
    assert URI.format(2193) in offered
    assert URI.format(3006) not in offered
    refused = client.patch(path, json={"additional_crs": [32767]}, headers=headers)
    assert refused.status_code == 422
    raster = {"name": "x", "source_type": "wms", "additional_crs": [3006],
              "source_config": {"url": "https://example.org/wms", "layers": "a"}}  # fmt: skip
    assert client.post("/api/v1/layers", json=raster, headers=headers).status_code == 422
