"""Nested objects and their counts are those that the caller may read."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.security import permission_rules as rules
from tests.security.disclosure import ACCEPTED, send_request
from tests.security.permission_rules import Caller, Layer, Map
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
from tests.security.world_database import World

BY_CALLER = pytest.mark.parametrize("caller", ACCEPTED, ids=lambda caller: caller.name)
NOTHING = "00000000-0000-4000-8000-000000000000"


def _readable_layers(caller: Caller, shared: Map) -> list[str]:
    """Return the ids of the readable layers on a map, in their order."""
    layers = [placement.layer for placement in PLACEMENTS if placement.map == shared]
    return [str(id_of(layer)) for layer in layers if rules.may_read_layer(caller, layer)]


def _assert_layer(caller: Caller, response: dict[str, Any], layer: Layer) -> None:
    may_write = rules.may_write_layer(caller, layer) and caller.scope == "write"
    assert response["can_edit"] == may_write
    expected = []
    if layer.on_map is not None and rules.may_read_map(caller, layer.on_map):
        expected = [
            (str(id_of(layer.on_map)), _readable_layers(caller, layer.on_map).index(response["id"]))
        ]
    assert [(entry["map_id"], entry["order"]) for entry in response["map_layers"]] == expected


@BY_CALLER
def test_maps_have_the_readable_layers(world: World, caller: Caller) -> None:
    layers = {str(id_of(layer)): layer for layer in LAYERS}
    for shared in MAPS:
        if not rules.may_read_map(caller, shared):
            continue
        path = f"/api/v1/maps/{id_of(shared)}"
        document = send_request(world, caller, path).json or {}
        listed = send_request(world, caller, f"{path}/layers")
        assert listed.headers["X-Total-Count"] == str(len(_readable_layers(caller, shared)))
        for map_layers in (document["map_layers"], listed.json or []):
            assert [entry["layer_id"] for entry in map_layers] == _readable_layers(caller, shared)
            assert [entry["order"] for entry in map_layers] == list(range(len(map_layers)))
            for entry in map_layers:
                _assert_layer(caller, entry["layer"], layers[entry["layer_id"]])
        role = (
            "owner" if caller.user == shared.owner else shared.collaborators.get(caller.user or "")
        )
        assert document["user_role"] == role


@BY_CALLER
def test_layers_have_the_readable_maps(world: World, caller: Caller) -> None:
    for layer in LAYERS:
        if rules.may_read_layer(caller, layer):
            response = send_request(world, caller, f"/api/v1/layers/{id_of(layer)}").json or {}
            _assert_layer(caller, response, layer)


def _users(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a document that is a user."""
    if isinstance(value, list):
        for entry in value:
            yield from _users(entry)
    if isinstance(value, dict):
        if "profile_image_url" in value and "clerk_id" in value:
            yield value
        for member in value.values():
            yield from _users(member)


@BY_CALLER
def test_emails_are_for_those_who_invite_by_them(world: World, caller: Caller) -> None:
    names = {str(id_of(user)): user for user in USERS}
    paths = ["/api/v1/maps", "/api/v1/layers"]
    paths += [
        f"/api/v1/maps/{id_of(shared)}/collaborators"
        for shared in MAPS
        if rules.may_read_map(caller, shared)
    ]
    if caller.user is not None:
        paths += [f"/api/v1/users?email={email_of(user)}" for user in USERS]
        paths.append("/api/v1/users/me")
    user_objects = [
        user_object
        for path in paths
        for user_object in _users(send_request(world, caller, path).json)
    ]
    assert {names[user_object["id"]] for user_object in user_objects} > {OWNER}
    for user_object in user_objects:
        user = names[user_object["id"]]
        is_visible = rules.may_see_email(caller, user, MAPS)
        assert user_object["email"] == (email_of(user) if is_visible else None), user
        is_visible = rules.may_see_clerk_id(caller, user)
        assert user_object["clerk_id"] == (clerk_id_of(user) if is_visible else None), user


@BY_CALLER
def test_a_hidden_comment_is_no_parent(world: World, caller: Caller) -> None:
    if caller.user is None or caller.scope == "read":
        return
    for comment in COMMENTS:
        if rules.may_read_comment(caller, comment):
            continue
        responses = []
        for parent in (str(id_of(comment)), NOTHING):
            body = {"content": "Yes.", "map_id": str(id_of(OPEN_MAP)), "parent_id": parent}
            with world.rolled_back():
                response = send_request(world, caller, "/api/v1/comments", "POST", json=body)
            responses.append((response.status_code, response.text))
        assert responses[0][0] == 422
        assert responses[0] == responses[1], comment.name


@BY_CALLER
def test_a_hidden_layer_cannot_be_ordered(world: World, caller: Caller) -> None:
    if not rules.may_change_map(caller, OPEN_MAP) or caller.scope == "read":
        return
    layers = [placement.layer for placement in PLACEMENTS if placement.map == OPEN_MAP]
    for hidden in layers:
        if rules.may_read_layer(caller, hidden):
            continue
        responses = []
        for layer in (str(id_of(hidden)), NOTHING):
            body = {"layer_orders": [{"layer_id": layer, "order": 0}]}
            path = f"/api/v1/maps/{id_of(OPEN_MAP)}/layers/reorder"
            with world.rolled_back():
                response = send_request(world, caller, path, "PUT", json=body)
            responses.append((response.status_code, response.text))
        assert responses[0][0] == 422
        assert responses[0] == responses[1], hidden.name
