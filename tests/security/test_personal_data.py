"""Who sees whose email and Clerk id, in which place, as a table; no other place has any."""

import logging

import pytest

from tests.security.disclosure import (
    CLERK_IDS,
    EMAILS,
    READERS,
    disclosed_by,
    send_operation,
    send_request,
)
from tests.security.permission_matrix import OPERATIONS, SAFE
from tests.security.permission_rules import Caller
from tests.security.permission_world import (
    ADMINISTRATOR,
    CREATOR,
    DELETED,
    EDITOR,
    NEWCOMER,
    OUTSIDER,
    OWNER,
    SHOWN_MAP,
    STRANGER,
    USERS,
    VIEWER,
    email_of,
    former_email_of,
    id_of,
)
from tests.security.world_database import World

MAP = f"/api/v1/maps/{id_of(SHOWN_MAP)}"
WRITERS = {
    str(caller.user or "anonymous"): caller
    for caller in READERS
    if caller.scope == "write" and not caller.is_browser
}
"""By their role on a public map, on which the viewer was invited by email, the editor by id, and
the creator, an editor too, by a former email."""
INVITERS = {OWNER, EDITOR, CREATOR}

PLACES = {
    "map": MAP,
    "maps": "/api/v1/maps",
    "collaborators": f"{MAP}/collaborators",
    **{
        f"collaborator: {user}": f"{MAP}/collaborators/{id_of(user)}"
        for user in (VIEWER, EDITOR, CREATOR)
    },
    "layers on the map": f"{MAP}/layers",
    "layers": "/api/v1/layers",
    **{f"user by email: {user}": f"/api/v1/users?email={email_of(user)}" for user in USERS},
    "user by former email": f"/api/v1/users?email={former_email_of(CREATOR)}",
    "oneself": "/api/v1/users/me",
    "blocked users": "/api/v1/users/me/blocked-users",
    "comments": f"/api/v1/comments?map_id={id_of(SHOWN_MAP)}",
    "tokens": "/api/v1/tokens",
    "start page": "/",
    "collections": "/ogc/collections",
    "map tiles": f"/ogc/maps/{id_of(SHOWN_MAP)}/tiles",
}

LAYERS_ON_MAP = {user: {user} for user in (OWNER, CREATOR, OUTSIDER)}
"""A map has its owner, its collaborators, and those who have made its layers."""

EMAIL_IS_SEEN = {
    "map": {VIEWER: {VIEWER, *INVITERS}, EDITOR: {EDITOR}, **LAYERS_ON_MAP},
    "maps": {VIEWER: {VIEWER, *INVITERS}, EDITOR: {EDITOR}, **LAYERS_ON_MAP},
    "collaborators": {VIEWER: {VIEWER, *INVITERS}, EDITOR: {EDITOR}, CREATOR: {CREATOR}},
    "collaborator: viewer": {VIEWER: {VIEWER, *INVITERS}},
    "collaborator: editor": {EDITOR: {EDITOR}},
    "collaborator: creator": {CREATOR: {CREATOR}},
    "layers on the map": LAYERS_ON_MAP,
    "layers": {
        user: {user} for user in (OWNER, CREATOR, OUTSIDER, ADMINISTRATOR)
    },  # of those who have made layers
    **{
        f"user by email: {user}": {user: {user}}
        for user in (OWNER, EDITOR, CREATOR, OUTSIDER, STRANGER, ADMINISTRATOR)
    },
    "user by email: viewer": {VIEWER: {VIEWER, *INVITERS}},
    "oneself": {
        user: {user} for user in (OWNER, VIEWER, EDITOR, CREATOR, OUTSIDER, STRANGER, ADMINISTRATOR)
    },
}
"""By place and user: the callers who see the user's email. In all other places nobody does."""


def _seen(world: World, place: str, words: dict[str, str]) -> dict[str, set[str]]:
    """Return who sees the words of which users in a place: of users, a set of callers."""
    seen: dict[str, set[str]] = {}
    for name, caller in WRITERS.items():
        response = send_request(world, caller, PLACES[place])
        assert response.status_code == 200 or name == "anonymous"
        for word in disclosed_by(response) & words.keys():
            seen.setdefault(words[word], set()).add(name)
    return seen


@pytest.mark.parametrize("place", PLACES)
def test_an_email_is_seen_by_oneself_and_by_those_who_invite_by_it(
    world: World, place: str
) -> None:
    assert _seen(world, place, EMAILS) == EMAIL_IS_SEEN.get(place, {})


@pytest.mark.parametrize("place", PLACES)
def test_a_clerk_id_is_seen_by_oneself(world: World, place: str) -> None:
    """In the places where a person sees their own email: those with user objects."""
    expected = {user: {user} for user in EMAIL_IS_SEEN.get(place, {})}
    assert _seen(world, place, CLERK_IDS) == expected


def test_the_table_has_every_role() -> None:
    assert set(WRITERS) == {*USERS, "anonymous"} - {DELETED, NEWCOMER}


@pytest.mark.parametrize("invitation", ["id", "email"])
def test_who_is_invited_by_id_keeps_their_email(world: World, invitation: str) -> None:
    by_id, by_email = {"user_id": str(id_of(NEWCOMER))}, {"email": email_of(NEWCOMER)}
    with world.rolled_back():
        body = by_id if invitation == "id" else by_email
        added = send_request(world, WRITERS[OWNER], f"{MAP}/collaborators", "POST", json=body)
        assert added.status_code == 201
        assert NEWCOMER not in {CLERK_IDS.get(word) for word in disclosed_by(added)}
        seen = _seen(world, "collaborators", EMAILS).get(NEWCOMER, set())
    assert seen == (INVITERS if invitation == "email" else set())


USER_OBJECTS = {
    *("GET /api/v1/maps", "GET /api/v1/maps/{}", "GET /api/v1/maps/{}/collaborators"),
    *("GET /api/v1/maps/{}/collaborators/{}", "GET /api/v1/maps/{}/layers"),
    *("GET /api/v1/maps/{}/layers/{}", "GET /api/v1/layers", "GET /api/v1/layers/{}"),
    *("GET /api/v1/users", "GET /api/v1/users/me"),
}
"""Where users are described; blocked users would be, had one blocked oneself."""


def test_no_other_place_has_any(world: World) -> None:
    routes: dict[str, set[str]] = {"email": set(), "clerk id": set()}
    for operation in OPERATIONS:
        if operation.method != "GET":
            continue
        for target in operation.objects[::4]:
            for caller in WRITERS.values():
                disclosed = disclosed_by(send_operation(world, caller, operation, target))
                for kind, words in (("email", EMAILS), ("clerk id", CLERK_IDS)):
                    if disclosed & words.keys():
                        routes[kind].add(operation.route)
    assert routes == {"email": USER_OBJECTS, "clerk id": USER_OBJECTS}


def test_the_log_has_none(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "samsyn_model"), caplog.at_level(logging.DEBUG, "samsyn"):
        for operation in OPERATIONS:
            if operation.method in SAFE and operation.method != "GET":
                continue
            for caller in (WRITERS[OWNER], WRITERS["anonymous"], *_refused(world)):
                with world.rolled_back():
                    send_operation(world, caller, operation, operation.objects[0]).close()
    logged = caplog.text.lower()
    assert not [user for word, user in {**EMAILS, **CLERK_IDS}.items() if word in logged]


def _refused(world: World) -> list[Caller]:
    return [caller for caller in world.headers if caller.is_refused]
