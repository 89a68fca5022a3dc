"""`GET /api/v1/layers`: filters, order, pages, and the number of statements."""

import json
import uuid
from typing import Any

import pytest
from sqlalchemy import Engine

from samsyn_admin.layers import inline_features
from tests.api.layer_requests import (
    LINE,
    Caller,
    MakeCaller,
    add_to_map,
    feature,
    geotiff,
    vector,
    wms,
)
from tests.statements import statements


def names_of(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [layer["name"] for layer in response.json]


@pytest.fixture
def stranger(make_caller: MakeCaller) -> Caller:
    return make_caller("stranger")


@pytest.fixture
def library(owner: Caller, make_caller: MakeCaller, empty_database: Engine) -> Caller:
    """The owner's private, public and drawn layers, and a global one of an administrator."""
    owner.post(vector(feature(LINE), name="private cables", category="Cables"))
    owner.post({**wms(), "name": "public depth", "visibility": "public", "category": "Depth"})
    owner.post(
        vector(
            name="drawn",
            creation_source="layer_creator",
            description="Ålgräs och kablar",
            visibility="public",
        )
    )
    admin = make_caller("admin", admin=True)
    body = {**geotiff(url="https://example.org/a.tif", bounds=[10, 54, 13, 58]), "name": "global"}
    assert admin.post({**body, "is_global": True}).status_code == 201
    return owner


def test_newest_first_and_only_listed_layers(
    library: Caller, stranger: Caller, anonymous: Caller
) -> None:
    assert names_of(library.list()) == ["global", "drawn", "public depth", "private cables"]
    for other in (stranger, anonymous):
        assert names_of(other.list()) == ["global", "drawn", "public depth"]
        assert other.list().headers["X-Total-Count"] == "3"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("source_type=vector", ["drawn", "private cables"]),
        ("source_type=wms", ["public depth"]),
        ("category=Cables", ["private cables"]),
        ("is_global=true", ["global"]),
        ("is_global=false", ["drawn", "public depth", "private cables"]),
        ("visibility=private", ["global", "private cables"]),
        ("search=ålgräs", ["drawn"]),
        ("q=KABLAR%20ålgräs", ["drawn"]),
        ("q=cables", ["private cables"]),
        ("q=100%25", []),
        ("q=_", []),
        ("search=", ["global", "drawn", "public depth", "private cables"]),
        ("bbox=11,56,12,58", ["global", "private cables"]),
        ("bbox=0,0,1,1", []),
        ("mine=true", ["drawn", "public depth", "private cables"]),
        ("mine=false", ["global", "drawn", "public depth", "private cables"]),
        ("include_my_layers=true", ["drawn"]),
        ("limit=1", ["global"]),
        ("limit=2&offset=1", ["drawn", "public depth"]),
        ("offset=9", []),
        ("category=Cables&source_type=wms", []),
    ],
)
def test_filters(library: Caller, query: str, expected: list[str]) -> None:
    assert names_of(library.list(f"?{query}")) == expected


def test_anonymous_callers_own_no_layers(library: Caller, anonymous: Caller) -> None:
    for query in ("mine=true", "include_my_layers=true"):
        assert names_of(anonymous.list(f"?{query}")) == []


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=1001", "limit=x", "limit=", "offset=-1", "offset=1e3", "colour=red"),
        *("is_global=yes", "source_type=csv", "visibility=secret", "bbox=1,2,3", "map_id=7"),
        *("mine=1", "inline=maybe", "limit=1&limit=2", "q=%00", "q=" + "a" * 256),
    ],
)
def test_malformed_parameters(owner: Caller, query: str) -> None:
    assert owner.list(f"?{query}").status_code == 400


def test_pages_lead_to_one_another(library: Caller) -> None:
    response = library.list("?limit=2")
    assert response.headers["X-Total-Count"] == "4"
    assert 'offset=2>; rel="next"' in response.headers["Link"]
    response = library.list("?limit=2&offset=2")
    assert names_of(response) == ["public depth", "private cables"]
    assert 'rel="next"' not in response.headers["Link"]
    assert 'offset=0>; rel="prev"' in response.headers["Link"]
    assert library.list("?offset=9").headers["X-Total-Count"] == "4"


def test_a_map_includes_its_layers(
    library: Caller, make_caller: MakeCaller, stranger: Caller, empty_database: Engine
) -> None:
    (hidden,) = (
        layer
        for layer in library.list().json
        if layer["visibility"] == "private" and not layer["is_global"]
    )
    map_id = add_to_map(empty_database, library.id, hidden["id"], "public")
    assert names_of(stranger.list(f"?map_id={map_id}")) == [
        *("global", "drawn", "public depth", "private cables")
    ]
    unread = add_to_map(empty_database, library.id, hidden["id"], "private")
    for missing in (unread, uuid.uuid4()):
        assert stranger.list(f"?map_id={missing}").status_code == 404


def test_entries_are_complete_layers(library: Caller) -> None:
    for layer in library.list().json:
        alone = library.get(layer["id"]).json
        assert layer == alone
        bare = library.get(layer["id"], query_string={"inline": "false"}).json
        assert "geojson" not in bare["source_config"]
    without = library.list("?inline=false").json
    assert not any("geojson" in layer["source_config"] for layer in without)


def test_further_layers_of_a_list_are_generalised(
    owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        owner.post(vector(feature(LINE, text="x" * 1000), name=str(number)))
    whole = owner.list().json
    size = len(json.dumps(whole[0]["source_config"]["geojson"]))
    monkeypatch.setattr(inline_features, "INLINE_BUDGET", int(size * 2.5))
    response = owner.list()
    assert names_of(response) == ["2", "1", "0"]
    assert "Link" not in response.headers
    assert response.json[:2] == whole[:2]
    config = response.json[2]["source_config"]
    assert config["geojson_generalized"] is True
    (member,) = config["geojson"]["features"]
    assert member["geometry"]["type"] == "MultiLineString"
    assert "id" not in member
    assert owner.get(whole[2]["id"]).json == whole[2]


def test_the_number_of_statements_does_not_grow(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    counts = []
    owner.list()  # a token's first use is noted
    for size in (1, 50):
        for number in range(size):
            layer = owner.post(vector(feature(LINE), name=str(number))).json
            add_to_map(empty_database, make_caller(f"p{number}").id, layer["id"], "public")
        with statements() as executed:
            assert len(owner.list().json) >= size
        counts.append(len(executed))
    assert counts == [4, 4]


@pytest.mark.parametrize(
    ("kinds", "expected_type"),
    [
        (["Point"], "Point"),
        (["Polygon", "MultiPolygon"], "MultiPolygon"),
        (["Point", "Polygon"], "GeometryCollection"),
        ([], "Polygon"),
    ],
)
def test_the_geometry_type_is_that_of_the_features(
    owner: Caller, kinds: list[str], expected_type: str
) -> None:
    ring = [[11, 57], [12, 57], [12, 58], [11, 57]]
    coordinates = {"Point": [11, 57], "Polygon": [ring], "MultiPolygon": [[ring]]}
    features = [feature({"type": kind, "coordinates": coordinates[kind]}) for kind in kinds]
    layer = owner.post(vector(*features)).json
    assert layer["source_config"]["geometryType"] == expected_type
