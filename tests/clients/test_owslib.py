"""OWSLib reads what was imported, anonymously and with a token."""

import json
from collections.abc import Iterator
from typing import Any

import owslib.ogcapi  # type: ignore[import-untyped]
import pytest
from owslib.ogcapi.features import Features  # type: ignore[import-untyped]
from owslib.util import Authentication, http_get  # type: ignore[import-untyped]

from tests.clients import plan_layers
from tests.clients.samsyn_server import Server


@pytest.fixture(autouse=True)
def _own_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """OWSLib adds a client's headers to those of all clients, also of later, anonymous ones."""
    monkeypatch.setattr(owslib.ogcapi, "REQUEST_HEADERS", dict(owslib.ogcapi.REQUEST_HEADERS))


def pages(client: Features, collection: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    """Yield a collection's pages, by the links to the next."""
    page = client.collection_items(collection, **parameters)
    while True:
        yield page
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        if not following:
            return
        page = http_get(following[0], headers=client.headers, auth=client.auth).json()


def read(client: Features, collection: str, **parameters: Any) -> list[plan_layers.Feature]:
    found = [f for page in pages(client, collection, **parameters) for f in page["features"]]
    return plan_layers.read_geojson(found)


def test_finds_the_documents(server: Server, areas: str) -> None:
    client = Features(server.ogc)
    assert client.api()["openapi"].startswith("3.0")
    classes = client.conformance()["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in classes
    assert client.collection(areas)["title"] == "Områden"
    columns = set(plan_layers.SCHEMA.names)
    assert columns <= set(client.collection_queryables(areas)["properties"])
    assert columns <= set(client.collection_schema(areas)["properties"])


def test_lists_public_layers_only(server: Server, areas: str, moorings: str) -> None:
    listed = Features(server.ogc).feature_collections()
    assert areas in listed
    assert moorings not in listed


def test_reads_a_whole_layer_page_by_page(server: Server, areas: str) -> None:
    client = Features(server.ogc)
    assert client.collection_items(areas, limit=1)["numberMatched"] == len(plan_layers.AREAS)
    assert sum(1 for _ in pages(client, areas, limit=250)) == 5
    plan_layers.assert_same(read(client, areas, limit=250), plan_layers.AREAS)


def test_reads_by_offset(server: Server, areas: str) -> None:
    client = Features(server.ogc)
    found = [
        feature
        for offset in range(0, len(plan_layers.AREAS), 500)
        for feature in client.collection_items(areas, limit=500, offset=offset)["features"]
    ]
    plan_layers.assert_same(plan_layers.read_geojson(found), plan_layers.AREAS)


def test_filters_by_bbox(server: Server, areas: str) -> None:
    found = read(Features(server.ogc), areas, limit=50, bbox=plan_layers.KATTEGAT)
    plan_layers.assert_same(found, plan_layers.within(plan_layers.AREAS, plan_layers.KATTEGAT))


def test_filters_by_an_attribute_and_sorts(server: Server, areas: str) -> None:
    page = Features(server.ogc).collection_items(
        areas, limit=1000, protected="true", sortby=("number", "desc")
    )
    expected = [f for f in plan_layers.AREAS if f.properties["protected"]]
    found = plan_layers.read_geojson(page["features"])
    plan_layers.assert_same(found, expected)
    numbers = [f.properties["number"] for f in found]
    assert numbers == sorted(numbers, reverse=True)


def test_reads_one_feature(server: Server, areas: str) -> None:
    client = Features(server.ogc)
    first = client.collection_items(areas, limit=1)["features"][0]
    assert client.collection_item(areas, first["id"])["properties"] == first["properties"]


@pytest.mark.parametrize("way", ["bearer", "basic"])
def test_reads_a_private_layer_with_a_token(
    server: Server, moorings: str, token: str, way: str
) -> None:
    if way == "bearer":
        client = Features(server.ogc, headers={"Authorization": f"Bearer {token}"})
    else:
        client = Features(server.ogc, auth=Authentication(username="token", password=token))
    assert moorings in client.feature_collections()
    plan_layers.assert_same(read(client, moorings, limit=40), plan_layers.MOORINGS)


def test_anonymous_client_cannot_read_a_private_layer(server: Server, moorings: str) -> None:
    client = Features(server.ogc)
    with pytest.raises(RuntimeError, match="404"):
        client.collection_items(moorings)


def test_a_wrong_token_is_refused_even_for_a_public_layer(server: Server, areas: str) -> None:
    client = Features(server.ogc, headers={"Authorization": "Bearer wrong"})
    with pytest.raises(RuntimeError, match="401"):
        client.collection_items(areas)


def test_filters_in_cql2(server: Server, areas: str) -> None:
    found = read(Features(server.ogc), areas, limit=100, filter="number > 1100")
    expected = [f for f in plan_layers.AREAS if f.properties["number"] > 1100]
    plan_layers.assert_same(found, expected)


def test_a_feature_lives(server: Server, owner: str) -> None:
    made = server.make_layer(owner, {"name": "Edited by OWSLib", "source_type": "vector"})
    # OWSLib names no type for a body that is text
    headers = {"Authorization": f"Bearer {owner}", "Content-Type": "application/geo+json"}
    client = Features(server.ogc, headers=headers)
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [11.5, 57.5]},
        "properties": {"name": "Mooring"},
    }
    assert client.collection_item_create(made, json.dumps(feature))
    (created,) = client.collection_items(made)["features"]
    assert (created["geometry"], created["properties"]) == (
        feature["geometry"],
        feature["properties"],
    )
    feature["properties"] = {"name": "Buoy"}
    assert client.collection_item_update(made, created["id"], json.dumps(feature))
    assert client.collection_item(made, created["id"])["properties"] == {"name": "Buoy"}
    client.collection_item_delete(made, created["id"])
    assert client.collection_items(made)["features"] == []
