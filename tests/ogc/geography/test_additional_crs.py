"""A layer's additional CRSs: for reading, writing and filtering, in their axis order."""

from collections.abc import Callable
from typing import Any

import pyproj
import pytest
from flask.testing import FlaskClient

from tests.ogc.conftest import Person

Layer = Callable[..., str]

POSITION = (18.0, 59.0)
URI = "http://www.opengis.net/def/crs/EPSG/0/{}"
# northing first, easting first, polar, degrees with latitude first
CODES = [3006, 32633, 3995, 4258]


def moved(code: int, longitude: float, latitude: float) -> tuple[float, float]:
    """A position in the axis order of the EPSG register."""
    transformer = pyproj.Transformer.from_crs("OGC:CRS84", f"EPSG:{code}")
    first, second = transformer.transform(longitude, latitude)
    return first, second


@pytest.fixture
def made(client: FlaskClient, person: Callable[[str], Person]) -> tuple[str, dict[str, str]]:
    """A layer that adds all CODES, with a feature at POSITION; and its owner's credentials."""
    headers = person("owner").headers
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": POSITION},
        "properties": {},
    }
    body = {
        "name": "Baltic",
        "source_type": "vector",
        "visibility": "public",
        "additional_crs": CODES,
        "source_config": {"geojson": {"type": "FeatureCollection", "features": [feature]}},
    }
    response = client.post("/api/v1/layers", json=body, headers=headers)
    assert response.status_code == 201, response.text
    assert response.json is not None
    assert response.json["additional_crs"] == CODES
    return f"/ogc/collections/{response.json['id']}", headers


def coordinates(response: Any) -> list[float]:
    assert response.status_code == 200, response.text
    return list(response.json["features"][0]["geometry"]["coordinates"])


@pytest.mark.parametrize("code", CODES)
def test_reading_and_filtering(
    client: FlaskClient, made: tuple[str, dict[str, str]], code: int
) -> None:
    address, _ = made
    uri = URI.format(code)
    assert uri in client.get(address).json["crs"]  # type: ignore[index]
    response = client.get(f"{address}/items", query_string={"crs": uri})
    assert response.headers["Content-Crs"] == f"<{uri}>"
    expected = moved(code, *POSITION)
    assert coordinates(response) == pytest.approx(expected, abs=1e-3)
    feature_id = response.json["features"][0]["id"]  # type: ignore[index]
    item = client.get(f"{address}/items/{feature_id}", query_string={"crs": uri}).json
    assert item["geometry"]["coordinates"] == pytest.approx(expected, abs=1e-3)  # type: ignore[index]
    span = 0.01 if code == 4258 else 1000.0
    box = ",".join(str(edge + change) for change in (-span, span) for edge in expected)
    in_box = {"bbox": box, "bbox-crs": uri}
    assert client.get(f"{address}/items", query_string=in_box).json["numberMatched"] == 1  # type: ignore[index]
    x, y = expected
    ring = f"{x - span} {y - span}, {x + span} {y - span}, {x + span} {y + span}, {x - span} {y + span}, {x - span} {y - span}"  # fmt: skip  # noqa: E501
    within = {"filter": f"S_WITHIN(geometry, POLYGON(({ring})))", "filter-crs": uri}
    assert client.get(f"{address}/items", query_string=within).json["numberMatched"] == 1  # type: ignore[index]


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
    ("codes", "pointer"),
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
def test_codes_that_cannot_be_added(
    client: FlaskClient, person: Callable[[str], Person], codes: Any, pointer: str
) -> None:
    body = {"name": "x", "source_type": "vector", "additional_crs": codes}
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
