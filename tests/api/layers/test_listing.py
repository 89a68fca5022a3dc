"""`GET /api/v1/layers`: which layers, in which order, and how many statements that takes."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from samsyn_admin.layers import serializer as layer_serializer
from tests.api.layer_requests import (
    LINE,
    Person,
    feature,
    geotiff,
    place_on_map,
    vector,
    wms,
)
from tests.statements import statements


def named(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [layer["name"] for layer in answer.json]


@pytest.fixture
def stranger(person: Callable[..., Person]) -> Person:
    return person("stranger")


@pytest.fixture
def library(owner: Person, person: Callable[..., Person], empty_database: Engine) -> Person:
    """The owner's private, public, and drawn layers, and a global one of an administrator's."""
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
    admin = person("admin", admin=True)
    body = {**geotiff(url="https://example.org/a.tif", bounds=[10, 54, 13, 58]), "name": "global"}
    assert admin.post({**body, "is_global": True}).status_code == 201
    return owner


def test_newest_first_and_only_what_one_may_find(
    library: Person, stranger: Person, anybody: Person
) -> None:
    assert named(library.list()) == ["global", "drawn", "public depth", "private cables"]
    for other in (stranger, anybody):
        assert named(other.list()) == ["global", "drawn", "public depth"]
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
def test_filters(library: Person, query: str, expected: list[str]) -> None:
    assert named(library.list(f"?{query}")) == expected


def test_nothing_is_anybodys(library: Person, anybody: Person) -> None:
    for query in ("mine=true", "include_my_layers=true"):
        assert named(anybody.list(f"?{query}")) == []


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=1001", "limit=x", "limit=", "offset=-1", "offset=1e3", "colour=red"),
        *("is_global=yes", "source_type=csv", "visibility=secret", "bbox=1,2,3", "map_id=7"),
        *("mine=1", "inline=maybe", "limit=1&limit=2", "q=%00", "q=" + "a" * 256),
    ],
)
def test_malformed_parameters(owner: Person, query: str) -> None:
    assert owner.list(f"?{query}").status_code == 400


def test_pages_lead_to_one_another(library: Person) -> None:
    answer = library.list("?limit=2")
    assert answer.headers["X-Total-Count"] == "4"
    assert 'offset=2>; rel="next"' in answer.headers["Link"]
    answer = library.list("?limit=2&offset=2")
    assert named(answer) == ["public depth", "private cables"]
    assert 'rel="next"' not in answer.headers["Link"]
    assert 'offset=0>; rel="prev"' in answer.headers["Link"]
    assert library.list("?offset=9").headers["X-Total-Count"] == "4"


def test_a_map_brings_its_layers(
    library: Person, person: Callable[..., Person], stranger: Person, empty_database: Engine
) -> None:
    (hidden,) = (
        layer
        for layer in library.list().json
        if layer["visibility"] == "private" and not layer["is_global"]
    )
    map_id = place_on_map(empty_database, library.id, hidden["id"], "public")
    assert named(stranger.list(f"?map_id={map_id}")) == [
        *("global", "drawn", "public depth", "private cables")
    ]
    unread = place_on_map(empty_database, library.id, hidden["id"], "private")
    for missing in (unread, uuid.uuid4()):
        assert stranger.list(f"?map_id={missing}").status_code == 404


def test_entries_are_whole_layers(library: Person) -> None:
    for layer in library.list().json:
        alone = library.get(layer["id"]).json
        assert layer == alone
        bare = library.get(layer["id"], query_string={"inline": "false"}).json
        assert "geojson" not in bare["source_config"]
    without = library.list("?inline=false").json
    assert not any("geojson" in layer["source_config"] for layer in without)


def test_a_list_ends_where_its_features_would_be_too_many(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer is never answered without features that it could have been answered with."""
    for number in range(3):
        owner.post(vector(feature(LINE, text="x" * 1000), name=str(number)))
    size = len(json.dumps(owner.list("?limit=1").json[0]["source_config"]["geojson"]))
    monkeypatch.setattr(layer_serializer, "INLINE_BUDGET", int(size * 2.5))
    answer = owner.list()
    assert named(answer) == ["2", "1"]
    assert answer.headers["X-Total-Count"] == "3"
    assert 'offset=2>; rel="next"' in answer.headers["Link"]
    assert named(owner.list("?inline=false")) == ["2", "1", "0"]
    monkeypatch.setattr(layer_serializer, "INLINE_BUDGET", 10)
    assert named(owner.list()) == ["2"]


def test_the_number_of_statements_does_not_grow(
    owner: Person, person: Callable[..., Person], empty_database: Engine
) -> None:
    taken = []
    owner.list()  # a token's first use is noted
    for size in (1, 50):
        for number in range(size):
            layer = owner.post(vector(feature(LINE), name=str(number))).json
            place_on_map(empty_database, person(f"p{number}").id, layer["id"], "public")
        with statements() as seen:
            assert len(owner.list().json) >= size
        taken.append(len(seen))
    assert taken == [4, 4]


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (["Point"], "Point"),
        (["Polygon", "MultiPolygon"], "MultiPolygon"),
        (["Point", "Polygon"], "GeometryCollection"),
        ([], "Polygon"),
    ],
)
def test_the_type_of_geometry_is_what_the_features_have(
    owner: Person, kinds: list[str], told: str
) -> None:
    ring = [[11, 57], [12, 57], [12, 58], [11, 57]]
    coordinates = {"Point": [11, 57], "Polygon": [ring], "MultiPolygon": [[ring]]}
    features = [feature({"type": kind, "coordinates": coordinates[kind]}) for kind in kinds]
    layer = owner.post(vector(*features)).json
    assert layer["source_config"]["geometryType"] == told
