"""`GET /api/v1/maps` ends early where its maps would be too much to answer at once."""

import pytest
from sqlalchemy import Engine

from samsyn_admin.maps import serializer as map_serializer
from tests.api.layer_requests import LINE, Person, feature, vector
from tests.api.maps.map_requests import MAPS, ask, done, execute, make_map, put_on, read

MAKE_MAPS = """
WITH made AS (
    INSERT INTO maps (name, created_by, view_permission)
    SELECT 'A plan', :owner, 'public' FROM generate_series(1, :count) RETURNING id
)
INSERT INTO map_layers (map_id, layer_id, "order") SELECT id, :layer, 0 FROM made"""


def pages(caller: Person) -> list[list[str]]:
    """Follow the list to its end; return the ids of the maps on each page."""
    found, query = [], ""
    while True:
        answer = ask(caller, "GET", query)
        listed = done(answer)
        for entry in (entry for shared in listed for entry in shared["map_layers"]):
            assert len(entry["layer"]["source_config"]["geojson"]["features"]) == 1
        found.append([shared["id"] for shared in listed])
        assert int(answer.headers["X-Total-Count"]) == 5
        following = answer.headers.get("Link", "").partition('>; rel="next"')
        if not following[1]:
            return found
        query = following[0].rpartition(MAPS)[2]


@pytest.mark.parametrize("sizes", [[1] * 5, [2, 2, 1], [5]], ids=str)
def test_a_layer_counts_on_every_map_that_has_it(
    owner: Person,
    anybody: Person,
    empty_database: Engine,
    monkeypatch: pytest.MonkeyPatch,
    sizes: list[int],
) -> None:
    body = vector(feature(LINE, name="x" * 50_000), visibility="public")
    layer_id = done(owner.post(body), 201)["id"]
    execute(empty_database, MAKE_MAPS, owner=owner.id, layer=layer_id, count=5)
    whole = [shared["id"] for shared in read(anybody, "")]
    monkeypatch.setattr(map_serializer, "MAX_LIST", sizes[0] * 60_000)
    shown = pages(anybody)
    assert [len(page) for page in shown] == sizes
    assert [map_id for page in shown for map_id in page] == whole


def test_a_map_that_is_too_large_alone_is_answered(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_map(owner)
    put_on(owner, path, done(owner.post(vector(feature(LINE))), 201)["id"])
    monkeypatch.setattr(map_serializer, "MAX_LIST", 1)
    assert [f"/{shared['id']}" for shared in read(owner, "")] == [path]
    assert len(read(owner, path)["map_layers"]) == 1
