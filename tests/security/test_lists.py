"""Lists, searches and counts include what the caller may read, and nothing else."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.security import permission_rules as rules
from tests.security.disclosure import ACCEPTED, READERS, send_request
from tests.security.permission_rules import Caller, Layer
from tests.security.permission_world import (
    COMMENTS,
    LAYERS,
    MAPS,
    PLACEMENTS,
    PRINCIPALS,
    REPLIES,
    id_of,
    position_of,
    word_of,
)
from tests.security.world_database import World

SIGNED_IN = tuple(caller for caller in ACCEPTED if caller.user is not None)
BY_CALLER = pytest.mark.parametrize("caller", ACCEPTED, ids=lambda caller: caller.name)


def _ids(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.text
    return [entry["id"] for entry in response.json or []]


def _assert_list(world: World, caller: Caller, path: str, objects: list[Any]) -> None:
    """Assert that a list, its count and its pages have exactly these objects."""
    expected = {str(id_of(target)) for target in objects}
    listed = send_request(world, caller, path)
    assert set(_ids(listed)) == expected
    assert len(_ids(listed)) == len(expected)
    assert listed.headers["X-Total-Count"] == str(len(expected))
    assert "Link" not in listed.headers
    separator = "&" if "?" in path else "?"
    last = send_request(
        world, caller, f"{path}{separator}limit=1&offset={max(0, len(expected) - 1)}"
    )
    assert last.headers["X-Total-Count"] == str(len(expected))
    assert 'rel="next"' not in last.headers.get("Link", "")
    behind = send_request(world, caller, f"{path}{separator}offset={len(expected)}")
    assert _ids(behind) == []
    assert behind.headers["X-Total-Count"] == str(len(expected))


def _library(caller: Caller) -> list[Layer]:
    return [
        x for x in LAYERS if x.is_global or x.visibility == "public" or x.creator == caller.user
    ]


@BY_CALLER
def test_lists_and_counts_have_only_readable_objects(world: World, caller: Caller) -> None:
    readable = [shared for shared in MAPS if rules.may_read_map(caller, shared)]
    _assert_list(world, caller, "/api/v1/maps", readable)
    mine = [shared for shared in MAPS if rules.may_own_map(caller, shared)]
    _assert_list(world, caller, "/api/v1/maps?mine=true", mine)
    _assert_list(world, caller, "/api/v1/layers", _library(caller))
    created = [layer for layer in LAYERS if layer.creator == caller.user]
    _assert_list(world, caller, "/api/v1/layers?mine=true", created)
    for shared in readable:
        layers = [p.layer for p in PLACEMENTS if p.map == shared]
        expected = {x for x in layers if rules.may_read_layer(caller, x)} | set(_library(caller))
        _assert_list(world, caller, f"/api/v1/layers?map_id={id_of(shared)}", list(expected))


@BY_CALLER
def test_comments_are_listed_and_counted_for_their_readers(world: World, caller: Caller) -> None:
    readable = [x for x in (*COMMENTS, *REPLIES) if rules.may_read_comment(caller, x)]
    for shared in MAPS:
        if rules.may_read_map(caller, shared):
            layers = {placement.layer for placement in PLACEMENTS if placement.map == shared}
            expected = [
                comment
                for comment in readable
                if comment.map == shared or (comment.map is None and comment.layer in layers)
            ]
            _assert_list(world, caller, f"/api/v1/comments?map_id={id_of(shared)}", expected)
    for layer in LAYERS:
        if rules.may_read_layer(caller, layer):
            expected = [comment for comment in readable if comment.layer == layer]
            _assert_list(world, caller, f"/api/v1/comments?layer_id={id_of(layer)}", expected)
    for first in COMMENTS:
        if first in readable:
            response = send_request(world, caller, f"/api/v1/comments/{id_of(first)}")
            replies = [reply for reply in REPLIES if reply.parent == first]
            assert (response.json or {})["reply_count"] == len(replies)


@pytest.mark.parametrize("caller", SIGNED_IN, ids=lambda caller: caller.name)
def test_tokens_are_listed_to_their_holder(world: World, caller: Caller) -> None:
    active = [x for x in PRINCIPALS if x.user == caller.user and x.name != "revoked token"]
    _assert_list(world, caller, "/api/v1/tokens", [f"token of {x.name}" for x in active])
    others = [id_of(f"token of {x.name}") for x in PRINCIPALS if x not in active]
    texts = {send_request(world, caller, f"/api/v1/tokens/{key}").text for key in others}
    assert texts == {send_request(world, caller, f"/api/v1/tokens/{id_of('no token')}").text}


@pytest.mark.parametrize("caller", READERS, ids=lambda caller: caller.name)
def test_collections_are_the_readable_layers(world: World, caller: Caller) -> None:
    """And the comments on the caller's own maps."""
    readable = {str(id_of(layer)) for layer in LAYERS if rules.may_read_features(caller, layer)}
    own = [shared for shared in MAPS if rules.is_on(caller, shared)]
    readable |= {f"comments-of-map-{id_of(shared)}" for shared in own}
    document = send_request(world, caller, "/ogc/collections?limit=1000").json or {}
    assert {entry["id"] for entry in document["collections"]} == readable
    assert document.get("numberMatched", len(readable)) == len(readable)
    relations = {link["rel"] for link in document["links"]}
    assert "next" not in relations
    page = send_request(world, caller, f"/ogc/collections?limit={len(readable)}").json or {}
    assert "next" not in {link["rel"] for link in page["links"]}


@BY_CALLER
def test_searches_find_no_hidden_layer(world: World, caller: Caller) -> None:
    for layer in LAYERS:
        word, (east, north) = word_of(layer), position_of(layer)
        box = f"{east - 0.5},{north - 0.5},{east + 0.5},{north + 0.5}"
        listed = [layer] if layer in _library(caller) else []
        for query in (f"search={word}", f"q={word}", f"category={word}"):
            _assert_listed(world, caller, f"/api/v1/layers?{query}", listed)
        located = [layer for layer in listed if layer.source_type == "vector"]
        _assert_listed(world, caller, f"/api/v1/layers?bbox={box}", located)
        readable = [layer] if rules.may_read_features(caller, layer) else []
        for query in (f"q={word}", f"bbox={box}"):
            document = send_request(world, caller, f"/ogc/collections?{query}").json or {}
            assert [entry["id"] for entry in document["collections"]] == [
                str(id_of(layer)) for layer in readable
            ]


@BY_CALLER
def test_searches_find_no_hidden_map(world: World, caller: Caller) -> None:
    for shared in MAPS:
        expected = [shared] if rules.may_read_map(caller, shared) else []
        _assert_listed(world, caller, f"/api/v1/maps?q={word_of(shared)}", expected)


def _assert_listed(world: World, caller: Caller, path: str, objects: list[Any]) -> None:
    response = send_request(world, caller, path)
    assert _ids(response) == [str(id_of(target)) for target in objects], path
    assert response.headers["X-Total-Count"] == str(len(objects))


@BY_CALLER
def test_filters_find_no_hidden_comment(world: World, caller: Caller) -> None:
    for shared in MAPS:
        if not rules.may_read_map(caller, shared):
            continue
        for comment in COMMENTS:
            if rules.may_read_comment(caller, comment):
                continue
            filters = f"map_id={id_of(shared)}&parent_id={id_of(comment)}"
            _assert_listed(world, caller, f"/api/v1/comments?{filters}", [])
