"""Lists, searches and counts have what one may read, and nothing more."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.security import permission_rules as rules
from tests.security.permission_rules import Layer, Who
from tests.security.permission_world import (
    COMMENTS,
    LAYERS,
    MAPS,
    PLACEMENTS,
    PRINCIPALS,
    REPLIES,
    id_of,
    place_of,
    word_of,
)
from tests.security.telling import ADMITTED, ask
from tests.security.world_database import World

SIGNED_IN = tuple(who for who in ADMITTED if who.user is not None)
ASKING = pytest.mark.parametrize("who", ADMITTED, ids=lambda who: who.name)


def _ids(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["id"] for entry in answer.json or []]


def _assert_list(made: World, who: Who, path: str, things: list[Any]) -> None:
    """A list has these things and no more, also where it is counted and paged."""
    expected = {str(id_of(thing)) for thing in things}
    whole = ask(made, who, path)
    assert set(_ids(whole)) == expected
    assert len(_ids(whole)) == len(expected)
    assert whole.headers["X-Total-Count"] == str(len(expected))
    assert "Link" not in whole.headers
    joint = "&" if "?" in path else "?"
    last = ask(made, who, f"{path}{joint}limit=1&offset={max(0, len(expected) - 1)}")
    assert last.headers["X-Total-Count"] == str(len(expected))
    assert 'rel="next"' not in last.headers.get("Link", "")
    behind = ask(made, who, f"{path}{joint}offset={len(expected)}")
    assert _ids(behind) == []
    assert behind.headers["X-Total-Count"] == str(len(expected))


def _library(who: Who) -> list[Layer]:
    return [x for x in LAYERS if x.is_global or x.visibility == "public" or x.creator == who.user]


@ASKING
def test_lists_have_what_one_may_read_and_count_no_more(everything: World, who: Who) -> None:
    readable = [shared for shared in MAPS if rules.may_read_map(who, shared)]
    _assert_list(everything, who, "/api/v1/maps", readable)
    mine = [shared for shared in MAPS if rules.may_own_map(who, shared)]
    _assert_list(everything, who, "/api/v1/maps?mine=true", mine)
    _assert_list(everything, who, "/api/v1/layers", _library(who))
    made = [layer for layer in LAYERS if layer.creator == who.user]
    _assert_list(everything, who, "/api/v1/layers?mine=true", made)
    for shared in readable:
        placed = [p.layer for p in PLACEMENTS if p.map == shared]
        shown = {x for x in placed if rules.may_read_layer(who, x)} | set(_library(who))
        _assert_list(everything, who, f"/api/v1/layers?map_id={id_of(shared)}", list(shown))


@ASKING
def test_comments_are_listed_and_counted_for_their_readers(everything: World, who: Who) -> None:
    said = [x for x in (*COMMENTS, *REPLIES) if rules.may_read_comment(who, x)]
    for shared in MAPS:
        if rules.may_read_map(who, shared):
            found = [comment for comment in said if comment.map == shared]
            _assert_list(everything, who, f"/api/v1/comments?map_id={id_of(shared)}", found)
    for layer in LAYERS:
        if rules.may_read_layer(who, layer):
            found = [comment for comment in said if comment.layer == layer]
            _assert_list(everything, who, f"/api/v1/comments?layer_id={id_of(layer)}", found)
    for first in COMMENTS:
        if first in said:
            answer = ask(everything, who, f"/api/v1/comments/{id_of(first)}")
            replies = [reply for reply in REPLIES if reply.parent == first]
            assert (answer.json or {})["reply_count"] == len(replies)


@pytest.mark.parametrize("who", SIGNED_IN, ids=lambda who: who.name)
def test_tokens_are_listed_to_their_holder(everything: World, who: Who) -> None:
    held = [x for x in PRINCIPALS if x.user == who.user and x.name != "revoked token"]
    _assert_list(everything, who, "/api/v1/tokens", [f"token of {x.name}" for x in held])
    others = [id_of(f"token of {x.name}") for x in PRINCIPALS if x not in held]
    texts = {ask(everything, who, f"/api/v1/tokens/{key}").text for key in others}
    assert texts == {ask(everything, who, f"/api/v1/tokens/{id_of('no token')}").text}


@ASKING
def test_collections_are_the_layers_that_one_may_read(everything: World, who: Who) -> None:
    readable = {str(id_of(layer)) for layer in LAYERS if rules.may_read_features(who, layer)}
    document = ask(everything, who, "/ogc/collections?limit=1000").json or {}
    assert {entry["id"] for entry in document["collections"]} == readable
    assert document.get("numberMatched", len(readable)) == len(readable)
    relations = {link["rel"] for link in document["links"]}
    assert "next" not in relations
    page = ask(everything, who, f"/ogc/collections?limit={len(readable)}").json or {}
    assert "next" not in {link["rel"] for link in page["links"]}


@ASKING
def test_searches_find_no_hidden_layer(everything: World, who: Who) -> None:
    for layer in LAYERS:
        word, (east, north) = word_of(layer), place_of(layer)
        box = f"{east - 0.5},{north - 0.5},{east + 0.5},{north + 0.5}"
        listed = [layer] if layer in _library(who) else []
        for query in (f"search={word}", f"q={word}", f"category={word}"):
            _assert_found(everything, who, f"/api/v1/layers?{query}", listed)
        with_a_place = [layer for layer in listed if layer.source_type == "vector"]
        _assert_found(everything, who, f"/api/v1/layers?bbox={box}", with_a_place)
        shown = [layer] if rules.may_read_features(who, layer) else []
        for query in (f"q={word}", f"bbox={box}"):
            document = ask(everything, who, f"/ogc/collections?{query}").json or {}
            assert [entry["id"] for entry in document["collections"]] == [
                str(id_of(layer)) for layer in shown
            ]


@ASKING
def test_searches_find_no_hidden_map(everything: World, who: Who) -> None:
    for shared in MAPS:
        found = [shared] if rules.may_read_map(who, shared) else []
        _assert_found(everything, who, f"/api/v1/maps?q={word_of(shared)}", found)


def _assert_found(made: World, who: Who, path: str, things: list[Any]) -> None:
    answer = ask(made, who, path)
    assert _ids(answer) == [str(id_of(thing)) for thing in things], path
    assert answer.headers["X-Total-Count"] == str(len(things))


@ASKING
def test_filters_find_no_hidden_comment(everything: World, who: Who) -> None:
    for shared in MAPS:
        if not rules.may_read_map(who, shared):
            continue
        for comment in COMMENTS:
            if rules.may_read_comment(who, comment):
                continue
            filters = f"map_id={id_of(shared)}&parent_id={id_of(comment)}"
            _assert_found(everything, who, f"/api/v1/comments?{filters}", [])
