"""Bodies of requests that create a layer."""

import json
import uuid
from typing import Any

import pytest

from tests.api.layer_requests import LAYERS, Caller, feature, geotiff, pointers, vector, wms


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Fishing", "source_type": "vector", "source_config": {
            "gfw4wings": {"dataset": "effort", "interval": "YEAR",
                          "dateRange": {"start": "2023-01-01", "end": "2023-12-31"}},
            "geometryType": "Polygon", "featureCount": 0}},
        wms(version="1.3.0", format="image/png", transparent=True, queryable=False, temporal=True,
            timeDimension={"extent": "2011-01-01/2024-09-01/P1M", "default": "2024-09-01"}),
        geotiff(delivery="direct", url="https://x.example.org/a.tif", bounds=[10, 54, 13, 58],
                processing={"colormap": "viridis", "rescale": "0,40", "bidx": "1"}),
        {"name": "Empty", "source_type": "vector",
         "source_config": {"geometryType": "Polygon", "featureCount": 0}},
    ],
)  # fmt: skip
def test_members_of_the_frontend_are_stored(owner: Caller, body: dict[str, Any]) -> None:
    created = owner.post(body)
    assert created.status_code == 201, created.text
    assert created.json
    returned = created.json["source_config"]
    for name, value in body["source_config"].items():
        assert returned[name] == value


def test_a_wms_layer_gets_its_defaults_and_keeps_unknown_members(owner: Caller) -> None:
    layer = owner.post(wms(attribution={"title": "SMHI"})).json
    assert layer
    config = layer["source_config"]
    assert config["version"] == "1.3.0"
    assert config["format"] == "image/png"
    assert config["transparent"] is True
    assert config["attribution"] == {"title": "SMHI"}
    assert [link["rel"] for link in layer["links"]] == ["comments", "hub"]
    assert layer["bounds"] is None


def test_a_geotiff_layer_links_to_its_tiles(owner: Caller) -> None:
    layer = owner.post(
        geotiff(
            url="https://x.example.org/a b.tif".replace(" ", "%20"),
            bounds=[10, 54, 13, 58],
            processing={"colormap": "viridis", "rescale": "0,40"},
        )
    ).json
    assert layer
    assert layer["bounds"] == [10, 54, 13, 58]
    links = {link["rel"]: link["href"] for link in layer["links"]}
    assert links.keys() == {
        "tiles",
        "tilejson",
        "wmts",
        "comments",
        "hub",
    }  # there is no file of it here
    place = f"http://localhost/api/v1/layers/{layer['id']}"
    assert links["tiles"].startswith(f"{place}/raster/tiles/{{z}}/{{x}}/{{y}}?ticket=")
    assert links["wmts"] == f"{place}/wmts.xml"
    assert "cogUrl" not in layer["source_config"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([], [""]),
        ({}, ["/name", "/source_type"]),
        (vector(name=""), ["/name"]),
        (vector(name="x" * 256), ["/name"]),
        (vector(name=7), ["/name"]),
        (vector(name="a\0b"), ["/name"]),
        (vector(name="\ud800"), ["/name"]),
        (vector(style_config={"a/b": ["\0"]}), ["/style_config/a~1b/0"]),
        (vector(feature(None, name="\0")),
         ["/source_config/geojson/features/0/properties/name"]),
        (vector(colour="red"), ["/colour"]),
        (vector(id=str(uuid.uuid4())), ["/id"]),
        (vector(category="x" * 101), ["/category"]),
        (vector(is_global="true"), ["/is_global"]),
        (vector(visibility="secret"), ["/visibility"]),
        (vector(style_config={"a": "x" * 1_100_000}), ["/style_config"]),
        (vector(metadata={"a": 1}, layer_metadata={"a": 2}), [""]),
        (vector(geometry_type="Circle"), ["/geometry_type"]),
        (vector(source_type="shapefile"), ["/source_type"]),
        (wms(url=None), ["/source_config/url"]),
        (wms(url="ftp://example.org/"), ["/source_config/url"]),
        (wms(url="https://a:b@example.org/"), ["/source_config/url"]),
        (wms(url="https://"), ["/source_config/url"]),
        (wms(url="https://example.org/\nX: y"), ["/source_config/url"]),
        (wms(url="https://[::1/"), ["/source_config/url"]),
        (wms(url="javascript:alert(1)"), ["/source_config/url"]),
        (wms(layers=""), ["/source_config/layers"]),
        (wms(timeDimension={}), ["/source_config/timeDimension/extent"]),
        (wms(geojson={}), ["/source_config/geojson"]),
        ({**wms(), "time_field": "when"}, ["/time_field"]),
        (geotiff(), ["/source_config"]),
        (geotiff(cogUrl="https://x.example.org/a.tif", bounds=[1, 2]), ["/source_config/bounds"]),
        (geotiff(url="https://x.example.org/a.tif", delivery="mail"), ["/source_config/delivery"]),
    ],
)  # fmt: skip
def test_each_fault_is_reported(owner: Caller, body: Any, expected: list[str]) -> None:
    assert pointers(owner.post(body)) == expected


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", None, 415),
        (b"{}", "application/json; charset=utf-8", 422),
        (b"", "application/json", 400),
        (b'{"name":', "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b'{"name": -Infinity}', "application/json", 400),
        (b'{"name": 1e999}', "application/json", 400),
        (b'{"name": ' + b"9" * 400 + b".5}", "application/json", 400),
        (b'{"name": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b'{"name": "\xff"}', "application/json", 400),
        (b'{"name": "\x00"}', "application/json", 400),
        (b"[" * 100_000 + b"]" * 100_000, "application/json", 400),
        (b'{"name": ' + b"[" * 80 + b"]" * 80 + b"}", "application/json", 400),
    ],
)
def test_a_body_that_cannot_be_read(
    owner: Caller, data: bytes, content_type: str | None, status: int
) -> None:
    response = owner.client.post(
        LAYERS, data=data, content_type=content_type, headers=owner.headers
    )
    assert response.status_code == status, response.text
    assert response.json
    assert response.json["detail"]


def test_errors_are_problem_documents(owner: Caller) -> None:
    accepting = {**owner.headers, "Accept": "application/problem+json, application/json"}
    response = owner.client.post(LAYERS, data=json.dumps({}), headers=accepting)
    assert response.mimetype == "application/problem+json"
    assert set(response.json or {}) == {"type", "title", "status", "detail"}
