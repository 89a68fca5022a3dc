"""Attributes in the order of the layer's schema, in every representation."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from flask.testing import FlaskClient

from samsyn_provider.features import provider
from tests.ogc.conftest import Person
from tests.ogc.tiles.decoding import decode

Layer = Callable[..., str]

NAMES = [
    *("zone", "a", "Ünlü", "", "b", 'quo"te', "per%cent", "%(layer)s", "{}", "back\\slash"),
    *("line\nbreak", "it's", "<b>", "id", "name", "yes", "long_name_of_a_property", "$1", "ab"),
]
"""In no order that a database would give them."""
MANY = [f"p{number * 37 % 211}" for number in range(211)]
VALUES = [1, "x", None, True, [1, {"b": 2, "a": 1}], {"b": 1, "a": [None]}, 1.50, '"\\<>%', ""]


def _fields(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    return {name: {"x-ogc-propertySeq": number} for number, name in enumerate(names, 1)}


def _features(names: list[str]) -> list[tuple[str | None, dict[str, Any]]]:
    """Return one feature with all properties, one with every second, one with none, and one with
    others as well."""
    values = {name: VALUES[number % len(VALUES)] for number, name in enumerate(names)}
    half = {name: values[name] for name in names[1::2]}
    return [
        ("POINT(1 1)", values),
        ("POINT(2 2)", half),
        (None, {}),
        ("POINT(3 3)", {"zzz": {"a": 1}, "y": "}", **half}),
        ("POINT(4 4)", {"y": None}),
    ]


def _expected(names: list[str]) -> list[list[tuple[str, Any]]]:
    order = [*names, "y", "zzz"]
    return [
        sorted(properties.items(), key=lambda item: order.index(item[0]))
        for _, properties in _features(names)
    ]


def _pairs(features: list[dict[str, Any]]) -> list[list[tuple[str, Any]]]:
    return [list(feature["properties"].items()) for feature in features]


@pytest.mark.parametrize("names", [NAMES, NAMES[:1], MANY, MANY[:32], MANY[:33]], ids=len)
@pytest.mark.parametrize("buffered", [0, 500], ids=["streamed", "buffered"])
def test_pages_items_and_texts(
    client: FlaskClient,
    layer: Layer,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    buffered: int,
) -> None:
    monkeypatch.setattr(provider, "MAX_BUFFERED_LIMIT", buffered)
    layer_id = layer(_features(names), fields=_fields(names))
    url = f"/ogc/collections/{layer_id}/items"
    expected = _expected(names)
    for query in (
        "",
        "?limit=3",
        "?offset=1",
        f"?sortby={MANY[0]}" if names is MANY else "?f=json",
    ):
        page = json.loads(client.get(url + query).text)
        ids = [feature["id"] - 1 for feature in page["features"]]
        first = min(json.loads(client.get(url).text)["features"], key=lambda f: f["id"])["id"]
        assert _pairs(page["features"]) == [expected[number - first + 1] for number in ids]
    boxed = json.loads(client.get(f"{url}?bbox=0,0,9,9").text)
    assert _pairs(boxed["features"]) == [*expected[:2], *expected[3:]]
    for feature, pairs in zip(boxed["features"], [*expected[:2], *expected[3:]], strict=True):
        item = json.loads(client.get(f"{url}/{feature['id']}").text)
        assert list(item["properties"].items()) == pairs
    sequence = client.get(f"{url}?f=geojsonseq").text.split("\x1e")[1:]
    assert _pairs([json.loads(text) for text in sequence]) == expected
    json_fg = json.loads(client.get(f"{url}?f=jsonfg").text)
    assert _pairs(json_fg["features"]) == expected


def test_some_properties_are_in_the_order_of_the_schema(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(_features(NAMES), fields=_fields(NAMES))
    for names in ("name,zone,b", "b,name,zone", ""):
        page = client.get(
            f"/ogc/collections/{layer_id}/items", query_string={"properties": names}
        ).text
        expected = [
            [(name, value) for name, value in pairs if name in names.split(",") and name]
            for pairs in _expected(NAMES)
        ]
        assert _pairs(json.loads(page)["features"]) == expected


def test_what_is_written_is_returned_in_order(
    client: FlaskClient, layer: Layer, person: Callable[[str], Any]
) -> None:
    owner = person("writer")
    fields = _fields(["zone", "a", "name"])
    layer_id = layer(fields=fields, created_by=owner.id)
    url = f"/ogc/collections/{layer_id}/items"
    feature = {"type": "Feature", "geometry": None, "properties": {"name": 1, "a": 2, "zone": 3}}
    headers = {**owner.headers, "Content-Type": "application/geo+json"}
    made = client.post(url, data=json.dumps(feature), headers=headers)
    assert made.status_code == 201, made.text
    assert list(json.loads(made.text)["properties"]) == ["zone", "a", "name"]
    several = {"type": "FeatureCollection", "features": [feature, feature]}
    made = client.post(url, data=json.dumps(several), headers=headers)
    assert made.status_code == 201, made.text
    for written in json.loads(made.text)["features"]:
        assert list(written["properties"]) == ["zone", "a", "name"]


def test_without_a_schema_the_order_is_the_databases(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT(1 1)", {"long": 1, "b": 2, "a": 3})])
    url = f"/ogc/collections/{layer_id}/items"
    for query in ("", "?a=3", "?properties=long,b,a"):
        (feature,) = json.loads(client.get(url + query).text)["features"]
        assert list(feature["properties"]) == ["a", "b", "long"]


def test_pages_downloads_and_tiles(client: FlaskClient, layer: Layer) -> None:
    names = ["zone", "a", "name", "category", "b"]
    features = [(f"POINT({n} 1)", dict.fromkeys(names[n % 2 :], f"v{n}")) for n in (1, 2)]
    layer_id = layer(features, fields=_fields(names))
    url = f"/ogc/collections/{layer_id}"
    page = client.get(f"{url}/items?f=html").text
    headings = re.findall(r'<th scope="col">(?:<a [^>]*>)?<bdi class="text">(.*?)</bdi>', page)
    assert headings == names
    item_id = json.loads(client.get(f"{url}/items").text)["features"][1]["id"]
    page = client.get(f"{url}/items/{item_id}?f=html").text
    assert re.findall(r'<th scope="row"><bdi class="text">(.*?)</bdi>', page) == names
    heading = next(csv.reader(io.StringIO(client.get(f"{url}/items?f=csv").text)))
    assert heading == ["id", *names, "geometry"]
    tilejson = json.loads(client.get(f"{url}/tiles/WebMercatorQuad?f=tilejson").text)
    assert list(tilejson["vector_layers"][0]["fields"]) == names
    tileset = json.loads(client.get(f"{url}/tiles/WebMercatorQuad?f=json").text)
    assert list(tileset["layers"][0]["propertiesSchema"]["properties"]) == names
    schema = json.loads(client.get(f"{url}/schema").text)["properties"]
    assert list(schema) == ["id", "geometry", *names, "updated"]
    assert schema["id"]["x-ogc-propertySeq"] == 0


@pytest.mark.parametrize("names", [NAMES, MANY, MANY[:33], ["a", "bb", "ccc"]], ids=len)
@pytest.mark.parametrize("level", [0, 8])
def test_attributes_of_tiles(
    client: FlaskClient, layer: Layer, names: list[str], level: int
) -> None:
    values = {name: f"v{number}" for number, name in enumerate(names)}
    features = [
        ("POINT(1 1)", values),
        ("POINT(1.01 1.01)", {name: values[name] for name in names[1::2]}),
        ("POINT(1.02 1.02)", {"zzz": "1", "y": "2", **values}),
        ("POINT(1.03 1.03)", {}),
    ]
    layer_id = layer(features, fields=_fields(names))
    tile = "0/0/0" if level == 0 else "8/127/128"
    tiles = f"/ogc/collections/{layer_id}/tiles/WebMercatorQuad/{tile}"
    drawn = decode(client.get(tiles).data)[layer_id]
    shown = [list(feature["properties"].items()) for feature in drawn]
    assert shown[0] == list(values.items())
    assert shown[1] == [(name, values[name]) for name in names[1::2]]
    if len(names) > 3:  # in an order that the database has anyway, others are among them
        assert shown[2] == [*values.items(), ("y", "2"), ("zzz", "1")]
    assert shown[3] == []
    some = [names[-1], names[0]]
    query = {"properties": ",".join(some)}
    if all(name and "," not in name for name in some):
        drawn = decode(client.get(tiles, query_string=query).data)[layer_id]
        assert list(drawn[0]["properties"]) == some[::-1]


def test_a_schema_keeps_the_order_of_its_request(
    client: FlaskClient, person: Callable[[str], Person]
) -> None:
    headers, names = person("owner").headers, ["zone", "area", "b", "a"]
    schema = {"properties": {name: {"type": "integer"} for name in names}}
    body = {"name": "L", "source_type": "vector", "property_schema": schema}
    layer = client.post("/api/v1/layers", json=body, headers=headers).json
    address, items = f"/api/v1/layers/{layer['id']}", f"/ogc/collections/{layer['id']}/items"

    def order() -> list[str]:
        feature = {
            "type": "Feature",
            "geometry": None,
            "properties": dict.fromkeys(sorted(names), 1),
        }
        created = client.post(items, json=feature, headers=headers)
        assert created.status_code == 201, created.text
        return list(json.loads(created.text)["properties"])

    assert order() == names
    back = client.put(address, json=layer, headers=headers)
    assert back.json["property_schema"] == layer["property_schema"]
    names.append("0")
    added = {"property_schema": {"properties": {"0": {"type": "integer"}}}}
    assert client.patch(address, json=added, headers=headers).status_code == 200
    assert order() == names
