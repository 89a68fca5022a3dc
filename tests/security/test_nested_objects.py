"""What is nested in an answer is what its reader may see, counted as they see it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.security import permission_rules as rules
from tests.security.permission_rules import Layer, Map, Who
from tests.security.permission_world import (
    COMMENTS,
    LAYERS,
    MAPS,
    OPEN_MAP,
    OWNER,
    PLACEMENTS,
    USERS,
    clerk_id_of,
    email_of,
    id_of,
)
from tests.security.telling import ADMITTED, ask
from tests.security.world_database import World

ASKING = pytest.mark.parametrize("who", ADMITTED, ids=lambda who: who.name)
NOTHING = "00000000-0000-4000-8000-000000000000"


def _seen(who: Who, shared: Map) -> list[str]:
    """The ids of the layers on a map that somebody sees, in their order."""
    placed = [place.layer for place in PLACEMENTS if place.map == shared]
    return [str(id_of(layer)) for layer in placed if rules.may_read_layer(who, layer)]


def _assert_layer(who: Who, answer: dict[str, Any], layer: Layer) -> None:
    may_write = rules.may_write_layer(who, layer) and who.scope == "write"
    assert answer["can_edit"] == may_write
    shown = []
    if layer.on_map is not None and rules.may_read_map(who, layer.on_map):
        shown = [(str(id_of(layer.on_map)), _seen(who, layer.on_map).index(answer["id"]))]
    assert [(entry["map_id"], entry["order"]) for entry in answer["map_layers"]] == shown


@ASKING
def test_maps_have_the_layers_that_one_may_read(everything: World, who: Who) -> None:
    layers = {str(id_of(layer)): layer for layer in LAYERS}
    for shared in MAPS:
        if not rules.may_read_map(who, shared):
            continue
        path = f"/api/v1/maps/{id_of(shared)}"
        whole = ask(everything, who, path).json or {}
        alone = ask(everything, who, f"{path}/layers")
        assert alone.headers["X-Total-Count"] == str(len(_seen(who, shared)))
        for placed in (whole["map_layers"], alone.json or []):
            assert [entry["layer_id"] for entry in placed] == _seen(who, shared)
            assert [entry["order"] for entry in placed] == list(range(len(placed)))
            for entry in placed:
                _assert_layer(who, entry["layer"], layers[entry["layer_id"]])
        role = "owner" if who.user == shared.owner else shared.collaborators.get(who.user or "")
        assert whole["user_role"] == role


@ASKING
def test_layers_tell_the_maps_that_one_may_read(everything: World, who: Who) -> None:
    for layer in LAYERS:
        if rules.may_read_layer(who, layer):
            answer = ask(everything, who, f"/api/v1/layers/{id_of(layer)}").json or {}
            _assert_layer(who, answer, layer)


def _people(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document that is a user."""
    if isinstance(value, list):
        for entry in value:
            yield from _people(entry)
    if isinstance(value, dict):
        if "profile_image_url" in value and "clerk_id" in value:
            yield value
        for member in value.values():
            yield from _people(member)


@ASKING
def test_emails_are_for_those_who_share_a_map(everything: World, who: Who) -> None:
    names = {str(id_of(user)): user for user in USERS}
    paths = ["/api/v1/maps", "/api/v1/layers"]
    paths += [
        f"/api/v1/maps/{id_of(shared)}/collaborators"
        for shared in MAPS
        if rules.may_read_map(who, shared)
    ]
    if who.user is not None:
        paths += [f"/api/v1/users?email={email_of(user)}" for user in USERS]
        paths.append("/api/v1/users/me")
    found = [person for path in paths for person in _people(ask(everything, who, path).json)]
    assert {names[person["id"]] for person in found} > {OWNER}
    for person in found:
        user = names[person["id"]]
        known = rules.share_a_map(who, user, MAPS)
        assert person["email"] == (email_of(user) if known else None), user
        assert person["clerk_id"] == (clerk_id_of(user) if known else None), user


@ASKING
def test_a_hidden_comment_is_no_parent(everything: World, who: Who) -> None:
    if who.user is None or who.scope == "read":
        return
    for comment in COMMENTS:
        if rules.may_read_comment(who, comment):
            continue
        answers = []
        for parent in (str(id_of(comment)), NOTHING):
            body = {"content": "Yes.", "map_id": str(id_of(OPEN_MAP)), "parent_id": parent}
            with everything.taken_back():
                answer = ask(everything, who, "/api/v1/comments", "POST", json=body)
            answers.append((answer.status_code, answer.text))
        assert answers[0][0] == 422
        assert answers[0] == answers[1], comment.name


@ASKING
def test_a_hidden_layer_cannot_be_ordered(everything: World, who: Who) -> None:
    if not rules.may_change_map(who, OPEN_MAP) or who.scope == "read":
        return
    placed = [place.layer for place in PLACEMENTS if place.map == OPEN_MAP]
    for hidden in placed:
        if rules.may_read_layer(who, hidden):
            continue
        answers = []
        for layer in (str(id_of(hidden)), NOTHING):
            body = {"layer_orders": [{"layer_id": layer, "order": 0}]}
            path = f"/api/v1/maps/{id_of(OPEN_MAP)}/layers/reorder"
            with everything.taken_back():
                answer = ask(everything, who, path, "PUT", json=body)
            answers.append((answer.status_code, answer.text))
        assert answers[0][0] == 422
        assert answers[0] == answers[1], hidden.name
