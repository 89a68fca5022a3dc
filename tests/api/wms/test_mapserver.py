"""What MapServer says, in both versions of WMS: its capabilities beside OWSLib, and of places."""

import math
import warnings
from typing import Any

import pytest
from owslib.wms import WebMapService  # type: ignore[import-untyped]

from tests.api.layer_requests import Caller
from tests.api.wms.conftest import Ask
from tests.mapserver import HABITATS, MapServer

VERSIONS = ["1.3.0", "1.1.1"]
PLACE = {"bbox": "9,53,13,57", "width": 200, "height": 200, "x": 100, "y": 100}  # 11 E, 55 N
EELGRASS = {
    "name": "Eelgrass &lt;b&gt;meadow&lt;/b&gt; &amp; more",
    "species": "Zostera",
    "area": "12.5",
}


def northing(latitude: float) -> float:
    return math.asinh(math.tan(math.radians(latitude)))


@pytest.fixture
def allowed(sea: MapServer) -> tuple[str, ...]:
    sea.requests.clear()
    return (sea.server,)


def only(sea: MapServer, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for this version alone."""
    monkeypatch.setattr("samsyn_admin.wms.capabilities.VERSIONS", (version,))


@pytest.mark.parametrize("version", VERSIONS)
def test_capabilities_are_those_that_owslib_reads(
    ask: Ask, sea: MapServer, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(sea, version, monkeypatch)
    response = ask("capabilities", url=sea.url)
    assert response.status_code == 200, response.text
    found: Any = response.json
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = WebMapService(sea.url, version=version)
    assert found["version"] == version
    assert found["service_title"] == theirs.identification.title
    assert found["service_provider"] == theirs.provider.contact.organization
    assert found["service_contact_email"] == "sea@example.org"
    operations = {operation.name: operation for operation in theirs.operations}
    assert found["getmap_formats"] == operations["GetMap"].formatOptions
    assert found["getfeatureinfo_formats"] == operations["GetFeatureInfo"].formatOptions
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers.keys() == theirs.contents.keys()
    for name, layer in theirs.contents.items():
        ours = layers[name]
        assert ours["title"] == layer.title
        assert ours["abstract"] == layer.abstract
        assert ours["queryable"] == bool(layer.queryable)
        assert ours["bounds"] == list(layer.boundingBoxWGS84)
        assert set(ours["crs"]) == set(layer.crsOptions)
        assert {style["name"] for style in ours["styles"]} == layer.styles.keys()
        for style in ours["styles"]:
            assert style["legendUrl"] == layer.styles[style["name"]]["legend"]
        assert ours["keywords"] == (layer.keywords or [])


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_layer_inherits(
    ask: Ask, sea: MapServer, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(sea, version, monkeypatch)
    found: Any = ask("capabilities", url=sea.url).json
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["nature"]["bounds"] == [5, 50, 25, 65]
    assert layers["habitats"]["path"] == ["Sea of <MapServer> & others", "nature"]
    assert layers["stations"]["dimensions"] == [
        {
            "name": "time",
            "extent": "2020-01-01/2021-01-01",
            "units": "ISO8601",
            "default": "2021-01-01",
            "values": ["2020-01-01", "2021-01-01"],
        }
    ]
    assert layers["outline"]["queryable"] is False
    assert layers["outline"]["min_scale"] == pytest.approx(1000, rel=0.3)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("offered", ["application/vnd.ogc.gml", "text/html"])
def test_a_click_is_answered_with_features(
    ask: Ask, sea: MapServer, version: str, offered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "samsyn_admin.wms.feature_info.ranked_formats", lambda formats: [offered] * bool(formats)
    )
    response = ask("feature-info", url=sea.url, layers="habitats", version=version, **PLACE)
    assert response.json == {"features": [{"type": "Feature", "properties": EELGRASS}]}
    sent = sea.requests[-1]
    assert f"VERSION={version}" in sent
    assert ("BBOX=53%2C9%2C57%2C13" if version == "1.3.0" else "BBOX=9%2C53%2C13%2C57") in sent
    beside = {**PLACE, "x": 1}
    nothing = ask("feature-info", url=sea.url, layers="habitats", version=version, **beside)
    assert nothing.json == {"features": []}


def test_plain_text_is_told_as_text(
    ask: Ask, sea: MapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samsyn_admin.wms.feature_info.ranked_formats", lambda _: ["text/plain"])
    response = ask("feature-info", url=sea.url, layers="habitats", **PLACE)
    found: Any = response.json
    assert found["type"] == "text"
    assert "Eelgrass &lt;b&gt;meadow&lt;/b&gt; &amp; more" in found["content"]


def test_a_time_is_passed_on(ask: Ask, sea: MapServer) -> None:
    place = {"bbox": "18,57,19,58", "width": 100, "height": 100, "x": 50, "y": 50}
    for time, names in (("2021-01-01", ["Gotland"]), ("2020-01-01", [])):
        found: Any = ask("feature-info", url=sea.url, layers="stations", time=time, **place).json
        assert [feature["properties"]["name"] for feature in found["features"]] == names


def test_a_click_on_a_map_in_web_mercator(ask: Ask, sea: MapServer) -> None:
    """The web app's map is one of Web Mercator: by degrees, the place would be elsewhere."""
    south, north = 40.0, math.degrees(math.atan(math.sinh(northing(40.0) + math.radians(50))))
    share = (northing(north) - northing(55.5)) / math.radians(50)
    found: Any = ask(
        "feature-info",
        url=sea.url,
        layers="habitats",
        bbox=f"-12,{south},38,{north}",
        width=1000,
        height=1000,
        x=460,  # 11 E
        y=int(share * 1000),
    ).json
    assert "CRS=EPSG%3A3857" in sea.requests[-1]
    assert [feature["properties"]["species"] for feature in found["features"]] == ["Zostera"]


def test_a_click_beyond_the_antimeridian(ask: Ask, sea: MapServer) -> None:
    place = {**PLACE, "bbox": "369,53,373,57"}
    found: Any = ask("feature-info", url=sea.url, layers="habitats", **place).json
    assert [feature["properties"] for feature in found["features"]] == [EELGRASS]


def test_a_large_screen(ask: Ask, sea: MapServer) -> None:
    place = {"bbox": "9,53,13,57", "width": 8000, "height": 8000, "x": 4000, "y": 4000}
    found: Any = ask("feature-info", url=sea.url, layers="habitats", **place).json
    assert [feature["properties"] for feature in found["features"]] == [EELGRASS]


@pytest.mark.parametrize("version", VERSIONS)
def test_properties_are_discovered(ask: Ask, sea: MapServer, version: str) -> None:
    response = ask("discover-properties", url=sea.url, layer="habitats", version=version)
    found: Any = response.json
    types = {entry["name"]: entry["type"] for entry in found["properties"]}
    assert types == {"name": "string", "species": "string", "area": "number"}
    assert found["message"] == "3 properties were found."
    place = {entry["name"]: entry["sampleValue"] for entry in found["properties"]}
    # not escaped: they become part of a filter
    assert (place["name"], place["species"], float(place["area"])) in [row[:3] for row in HABITATS]


def test_a_layer_that_is_none(ask: Ask, sea: MapServer) -> None:
    response = ask("feature-info", url=sea.url, layers="wrecks", **PLACE)
    assert response.status_code == 502
    found: Any = response.json
    assert found["detail"] == (
        f"{sea.server} reports an error: it does not accept the layer, which it does not have."
    )
    found = ask("discover-properties", url=sea.url, layer="wrecks").json
    assert found["properties"] == []
    assert sea.server in found["error"]


def test_an_address_with_a_query_of_its_own(ask: Ask, sea: MapServer, owner: Caller) -> None:
    response = ask("capabilities", url=f"{sea.map_url}&request=GetMap&Version=9")
    assert response.status_code == 200
    assert sea.requests[-1].startswith("map=sea&SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.3.0")
    found: Any = ask("feature-info", url=sea.map_url, layers="habitats", **PLACE).json
    assert found["features"]


def test_capabilities_are_kept(ask: Ask, sea: MapServer) -> None:
    first = ask("capabilities", url=sea.url)
    assert first.headers["Cache-Control"] == "private, max-age=600"
    asked = len(sea.requests)
    again = ask("capabilities", url=sea.url)
    assert again.data == first.data
    assert len(sea.requests) == asked == 1
