"""`GET /api/v1/maps` ends early where its maps would exceed the size limit."""

import pytest
from sqlalchemy import Engine

from samsyn_admin.maps import serializer as map_serializer
from tests.api.layer_requests import LINE, Caller, feature, vector
from tests.api.maps.map_requests import (
    MAPS,
    add_layer,
    execute,
    json_of,
    make_map,
    read,
    send,
)

MAKE_MAPS = """
WITH made AS (
    INSERT INTO maps (name, created_by, view_permission)
    SELECT 'A plan', :owner, 'public' FROM generate_series(1, :count) RETURNING id
)
INSERT INTO map_layers (map_id, layer_id, "order") SELECT id, :layer, 0 FROM made"""


def pages(caller: Caller) -> list[list[str]]:
    """Follow the list to its end; return the ids of the maps on each page."""
    all_pages, query = [], ""
    while True:
        response = send(caller, "GET", query)
        listed = json_of(response)
        for entry in (entry for shared in listed for entry in shared["map_layers"]):
            assert len(entry["layer"]["source_config"]["geojson"]["features"]) == 1
        all_pages.append([shared["id"] for shared in listed])
        assert int(response.headers["X-Total-Count"]) == 5
        following = response.headers.get("Link", "").partition('>; rel="next"')
        if not following[1]:
            return all_pages
        query = following[0].rpartition(MAPS)[2]


@pytest.mark.parametrize("sizes", [[1] * 5, [2, 2, 1], [5]], ids=str)
def test_a_layer_counts_on_every_map_that_has_it(
    owner: Caller,
    anonymous: Caller,
    empty_database: Engine,
    monkeypatch: pytest.MonkeyPatch,
    sizes: list[int],
) -> None:
    body = vector(feature(LINE, name="x" * 50_000), visibility="public")
    layer_id = json_of(owner.post(body), 201)["id"]
    execute(empty_database, MAKE_MAPS, owner=owner.id, layer=layer_id, count=5)
    map_ids = [shared["id"] for shared in read(anonymous, "")]
    monkeypatch.setattr(map_serializer, "MAX_LIST", sizes[0] * 60_000)
    listed_pages = pages(anonymous)
    assert [len(page) for page in listed_pages] == sizes
    assert [map_id for page in listed_pages for map_id in page] == map_ids


def test_a_single_map_that_is_too_large_is_returned(
    owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_map(owner)
    add_layer(owner, path, json_of(owner.post(vector(feature(LINE))), 201)["id"])
    monkeypatch.setattr(map_serializer, "MAX_LIST", 1)
    assert [f"/{shared['id']}" for shared in read(owner, "")] == [path]
    assert len(read(owner, path)["map_layers"]) == 1
