"""Plus signs that clients do not escape: spaces in form encoding, and pluses where none can be."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from samsyn_provider.http.query_string import escape_pluses

Layer = Callable[..., str]

FIELDS = {
    "n": {"type": "integer"},
    "name": {"type": "string"},
    "at": {"type": "string", "format": "date-time"},
}
NAMES = ["a b", "a+b", "a b+c", "x", "y"]
NOON = "TIMESTAMP('2024-05-01T14:00:00+02:00')"
PARAMETERS = [
    # each date-time is one, sent raw
    ("datetime=2024-05-01T14:00:00+02:00", {2}),
    ("datetime=2024-05-01T14%3A00%3A00+02%3A00", {2}),
    ("datetime=2024-05-01t14:00:00.000+02:00", {2}),
    ("datetime=2024-05-01T14:00:00%2B02:00", {2}),
    ("datetime=2024-05-01T13:30:00+02:00/2024-05-01T15:30:00+02:00", {2, 3}),
    ("datetime=../2024-05-01T13:30:00+02:00", {0, 1}),
    (f"filter=at={NOON}", {2}),
    (f"filter=at={NOON}+AND+n<9", {2}),
    (f"filter=at%20=%20{NOON}", {2}),
    (f"filter=T_AFTER(at,{NOON})", {3, 4}),
    ('filter-lang=cql2-json&filter={"op":"=","args":[{"property":"at"},'
     '{"timestamp":"2024-05-01T14:00:00+02:00"}]}', {2}),
    # beside %20 a plus is one
    ("filter=n+1%20>%204", {4}),
    ("filter=n%20+%201=3", {2}),
    ("filter=name%20=%20'a+b'", {1}),
    ("filter=name%20=%20'a%20b+c'", {2}),
    ("name=a%20b+c", {2}),
    # in form encoding it is a space
    ("filter=n+=+3", {3}),
    ("filter=n+%2B+1+=+3", {2}),
    ("filter=name='a+b'", {0}),
    ("name=a+b", {0}),
    ("name=a%2Bb", {1}),
    ("name=a+b%2Bc", {2}),
    # each value by itself
    ("name=a+b&filter=n%20+%201=1", {0}),
    ("sortby=+n&filter=n%20+%201=1", {0}),
]  # fmt: skip


def numbers(response: Any) -> set[int]:
    assert response.status_code == 200, response.text
    return {feature["properties"]["n"] for feature in response.json["features"]}


@pytest.fixture
def layer_id(layer: Layer) -> str:
    features: list[tuple[str, dict[str, Any]]] = [
        ("POINT(10 50)", {"n": n, "name": name, "at": f"2024-05-01T{10 + n}:00:00Z"})
        for n, name in enumerate(NAMES)
    ]
    return layer(features, fields=FIELDS, time_field="at")


@pytest.mark.parametrize(("query", "expected"), PARAMETERS)
def test_what_a_plus_means(
    client: FlaskClient, layer_id: str, query: str, expected: set[int]
) -> None:
    items = f"/ogc/collections/{layer_id}/items"
    assert numbers(client.get(f"{items}?{query}")) == expected
    assert numbers(client.get(f"/api/v1/layers/{layer_id}/features?{query}")) == expected
    form = {"content_type": "application/x-www-form-urlencoded"}
    search = f"/ogc/collections/{layer_id}/search"
    assert numbers(client.post(search, data=query.encode(), **form)) == expected


def test_pages_of_such_an_address(client: FlaskClient, layer_id: str) -> None:
    query = "datetime=2024-05-01T13:30:00+02:00/..&filter=n%20+%201>3&limit=1"
    seen, address = set(), f"/ogc/collections/{layer_id}/items?{query}"
    while address:
        page = client.get(address)
        seen |= numbers(page)
        following = [link["href"] for link in page.json["links"] if link["rel"] == "next"]  # type: ignore[index]
        address = following[0] if following else ""
    assert seen == {3, 4}


def test_tiles(client: FlaskClient, layer_id: str) -> None:
    tile = f"/ogc/collections/{layer_id}/tiles/WebMercatorQuad/0/0/0"
    for query, status in (
        ("datetime=2024-05-01T14:00:00+02:00", 200),
        ("datetime=2024-05-01T14:30:00+02:00", 204),
        ("filter=n%20+%201=3", 200),
        ("filter=n%20+%201=9", 204),
    ):
        assert client.get(f"{tile}?{query}").status_code == status, query


def test_a_form_that_is_no_text(client: FlaskClient, layer_id: str) -> None:
    search = f"/ogc/collections/{layer_id}/search"
    for body in (b"filter=\xff", b"filter=%FF", b"\xff", b"+=%ff&a"):
        refused = client.post(search, data=body, content_type="application/x-www-form-urlencoded")
        assert refused.status_code == 400
        assert refused.json["detail"]  # type: ignore[index]


@pytest.mark.parametrize(
    "text", [b"", b"+", b"a=b+c", b"a=2024-05-01+10:00", b"+&+", b"a=10:00:00+02:00", b"q=%zz+"]
)
def test_other_texts_are_left_alone(text: bytes) -> None:
    assert escape_pluses(text) == text
