"""Dates and date-times: in whatever form they are sent, stored in one, and sorted as moments."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.ogc.conftest import Person

Layer = Callable[..., str]
FIELDS = {
    "day": {"type": "string", "format": "date"},
    "at": {"type": ["string", "null"], "format": "date-time"},
    "text": {"type": "string"},
}
STORED = [
    ("at", "2024-05-01T10:00:00", "2024-05-01T10:00:00Z"),
    ("at", "2024-05-01T10:00:00.000", "2024-05-01T10:00:00Z"),
    ("at", "2024-05-01T10:00:00.25", "2024-05-01T10:00:00.250Z"),
    ("at", "2024-05-01t10:00:00z", "2024-05-01T10:00:00Z"),
    ("at", "2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00Z"),
    ("at", "2024-05-01T00:30:00+02:00", "2024-04-30T22:30:00Z"),
    ("at", "2024-05-01T00:00:00", "2024-05-01T00:00:00Z"),
    ("day", "2024-05-01", "2024-05-01"),
    ("day", "2024-05-01T00:00:00", "2024-05-01"),
    ("day", "2024-05-01T00:00:00Z", "2024-05-01"),
    ("day", "2024-05-01T00:00:00.000+02:00", "2024-05-01"),
    ("text", "2024-05-01T10:00:00", "2024-05-01T10:00:00"),
]


@pytest.fixture
def headers(person: Callable[[str], Person]) -> dict[str, str]:
    return person("owner").headers


def _feature(**properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": None, "properties": properties}


@pytest.mark.parametrize("case", STORED)
def test_one_form_is_stored(
    client: FlaskClient, layer: Layer, headers: dict[str, str], case: tuple[str, str, str]
) -> None:
    name, sent, stored = case
    layer_id = layer(fields=FIELDS)
    items = f"/ogc/collections/{layer_id}/items"
    feature = _feature(**{name: sent})
    collection = {"type": "FeatureCollection", "features": [feature]}
    created = client.post(items, json=feature, headers=headers)
    assert created.status_code == 201, created.text
    address = created.headers["Location"]
    assert client.post(items, json=collection, headers=headers).status_code == 201
    bulk = f"/api/v1/layers/{layer_id}/features/bulk"
    assert client.post(bulk, json=collection, headers=headers).status_code == 201
    found = [member["properties"] for member in client.get(items).json["features"]]
    assert found == [{name: stored}] * 3
    for method, body in (("PUT", feature), ("PATCH", {"properties": {name: sent}})):
        empty = client.put(address, json=_feature(), headers=headers)
        assert empty.json["properties"] == {}
        response = client.open(address, method=method, json=body, headers=headers)
        assert response.json["properties"] == {name: stored}


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("day", "2024-05-01T10:00:00"),
        ("day", "2024-05-01T00:00:00.5Z"),
        ("at", "2024-05-01"),
        ("at", "2024-05-01T25:00:00"),
        ("at", "2024-02-30T10:00:00"),
        ("at", "10:00:00"),
        ("at", 5),
    ],
)
def test_what_is_none_is_refused(
    client: FlaskClient, layer: Layer, headers: dict[str, str], name: str, sent: Any
) -> None:
    items = f"/ogc/collections/{layer(fields=FIELDS)}/items"
    response = client.post(items, json=_feature(**{name: sent}), headers=headers)
    assert response.status_code == 422, response.text
    assert response.json["errors"][0]["pointer"] == f"/properties/{name}"


def test_a_patch_leaves_other_values_as_they_are(
    client: FlaskClient, layer: Layer, headers: dict[str, str]
) -> None:
    before = {"at": "2024-05-01T10:00:00+02:00", "text": "a"}
    items = f"/ogc/collections/{layer([(None, before)], fields=FIELDS)}/items"
    address = f"{items}/{client.get(items).json['features'][0]['id']}"
    patched = client.patch(address, json={"properties": {"text": "b"}}, headers=headers)
    assert patched.json["properties"] == {**before, "text": "b"}


@pytest.mark.parametrize("direction", ["", "-"])
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_date_times_are_sorted_as_moments(
    client: FlaskClient, layer: Layer, direction: str, limit: int
) -> None:
    moments = [
        "2024-05-01T12:30:00+05:00",
        "2024-05-01T08:00:00Z",
        "2024-05-01T08:00:00.500Z",
        "2024-05-01T11:00:00+02:00",
        "2024-05-01T09:00:00Z",
        "2024-05-01T02:00:00-10:00",
    ]
    order = [0, 1, 2, 3, 4, 5]
    shuffled = [3, 5, 1, 0, 4, 2]
    features = [(None, {"at": moments[place], "text": str(place)}) for place in shuffled]
    features += [(None, {"text": "none"}), (None, {"at": "soon", "text": "no moment"})]
    items = f"/ogc/collections/{layer(features, fields=FIELDS)}/items"
    address: str | None = f"{items}?limit={limit}&sortby={direction}at"
    found: list[str] = []
    while address:
        page = client.get(address).json
        found += [feature["properties"]["text"] for feature in page["features"]]
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    if direction:
        order = [5, 3, 4, 2, 1, 0]  # ties by id, whichever the direction
    assert found == [*map(str, order), "none", "no moment"]


@pytest.mark.parametrize("after", ["WyJ4Iiw1XQ", "WzUsNV0", "W3t9LDVd"])
def test_a_position_that_is_no_moment_is_refused(
    client: FlaskClient, layer: Layer, after: str
) -> None:
    items = f"/ogc/collections/{layer([(None, {})], fields=FIELDS)}/items"
    assert client.get(f"{items}?sortby=at&after={after}").status_code == 400


MOMENTS = ["2024-05-01T10:00:00Z", "2024-05-01T12:00:00+02:00", "2024-05-01T10:00:00.000Z",
           "2024-05-01T10:00:00.5Z", "2024-05-01T12:00:00Z", "soon"]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "indexes"),
    [
        ("2024-05-01T10:00:00Z", [0, 1, 2]),
        ("2024-05-01T12:00:00+02:00", [0, 1, 2]),
        ("2024-05-01t08:00:00.0-02:00", [0, 1, 2]),
        ("2024-05-01T10:00:00", [0, 1, 2]),
        ("2024-05-01T12:00:00", [4]),
        ("2024-05-01T10:00:00.500Z", [3]),
        ("2024-05-01T10:00:00.25Z", []),
    ],
)
@pytest.mark.parametrize("indexed", [[], ["at"]])
def test_an_equality_by_name_compares_moments(
    client: FlaskClient, layer: Layer, value: str, indexes: list[int], indexed: list[str]
) -> None:
    features = [(f"POINT({n} 1)", {"at": text, "text": str(n)}) for n, text in enumerate(MOMENTS)]
    layer_id = layer(features, fields=FIELDS, indexed_properties=indexed)
    items = f"/ogc/collections/{layer_id}/items"
    for query in (
        {"at": value},
        {"at": value, "filter": "text <> '9'"},
        {"at": value, "bbox": "-1,0,9,2"},
        {"at": value, "limit": 600},
    ):
        page = client.get(items, query_string=query).json
        assert page is not None
        assert [int(one["properties"]["text"]) for one in page["features"]] == indexes
        assert page["numberMatched"] == len(indexes)
        hits = client.get(items, query_string={**query, "resulttype": "hits"}).json
        assert hits is not None
        assert hits["numberMatched"] == len(indexes)
    plain = client.get(f"{items}?at={value}").json  # with a plus sign that is not escaped
    assert plain is not None
    assert plain["numberMatched"] == len(indexes)
    search = client.post(f"/ogc/collections/{layer_id}/search", json={"at": value}).json
    assert search is not None
    assert search["numberMatched"] == len(indexes)


@pytest.mark.parametrize(
    "value", ["", "soon", "2024-05-01", "2024-02-30T00:00:00Z", "2024-05-01T25:00:00Z",
              "2024-05-01T10:00Z", "2024-05-01T10:00:00+25:00", "0001-01-01T00:00:00+01:00",
              "9999-12-31T23:59:59-01:00", "20240501T100000Z", "1714557600", "now"],
)  # fmt: skip
def test_what_is_no_date_time_is_an_error_of_its_parameter(
    client: FlaskClient, layer: Layer, value: str
) -> None:
    layer_id = layer(fields=FIELDS)
    response = client.get(f"/ogc/collections/{layer_id}/items", query_string={"at": value})
    assert response.status_code == 400, response.text
    assert response.json is not None
    assert response.json["detail"].startswith("at is a date-time")


@pytest.mark.parametrize(
    "member",
    [
        {"$ref": "#/$defs/moment"},
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
        {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/moment"}]},
    ],
)
def test_a_schema_says_it_in_other_words(
    client: FlaskClient, person: Callable[[str], Person], member: dict[str, Any]
) -> None:
    """A definition, and an `anyOf` with null, as programs write them."""
    headers = person("owner").headers
    schema = {
        "properties": {"at": member, "n": {"$ref": "#/$defs/count"}},
        "$defs": {
            "moment": {"type": "string", "format": "date-time"},
            "count": {"type": "integer", "minimum": 0},
        },
    }
    body = {"name": "L", "source_type": "vector", "property_schema": schema, "time_field": "at"}
    created = client.post("/api/v1/layers", json=body, headers=headers)
    assert created.status_code == 201, created.text
    collection = f"/ogc/collections/{created.json['id']}"
    feature = _feature(at="2024-05-01T10:00:00", n=3)
    stored = client.post(f"{collection}/items", json=feature, headers=headers)
    assert stored.status_code == 201, stored.text
    assert stored.json["properties"] == {"at": "2024-05-01T10:00:00Z", "n": 3}
    for query in (
        {"at": "2024-05-01T12:00:00+02:00"},
        {"n": "3"},
        {"filter": "n > 2 AND at = TIMESTAMP('2024-05-01T10:00:00Z')"},
        {"datetime": "2024-05-01"},
    ):
        found = client.get(f"{collection}/items", query_string=query, headers=headers)
        assert found.json["numberMatched"] == 1, query
    for name in ("schema", "queryables", "sortables"):
        properties = client.get(f"{collection}/{name}", headers=headers).json["properties"]
        assert properties["at"]["format"] == "date-time"
        assert properties["n"]["type"] == "integer"
        assert "$ref" not in str(properties)
        assert "anyOf" not in str(properties)
