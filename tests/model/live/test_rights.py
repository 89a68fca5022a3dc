"""Who may follow what: many at once, as each by themselves."""

import random
import uuid
from itertools import product

import pytest
from sqlalchemy import Connection, text

from samsyn_model.errors import NotFoundError
from samsyn_model.live.notices import SubjectChange
from samsyn_model.live.rights import Follower, may_end_rights, readable_subjects
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import find_layer, find_map
from samsyn_model.permissions.principal import ANONYMOUS, Principal

_USERS = 4
_RANDOM = random.Random(7)


@pytest.fixture
def world(connection: Connection) -> tuple[list[uuid.UUID], list[uuid.UUID], list[uuid.UUID]]:
    """Users, layers and maps with all kinds of visibility, and layers on maps at random."""
    users = [
        connection.execute(text("INSERT INTO users DEFAULT VALUES RETURNING id")).scalar_one()
        for _ in range(_USERS)
    ]
    layers = [
        connection.execute(
            text(
                "INSERT INTO layers (name, source_type, created_by, visibility, is_global)"
                " VALUES ('x', 'vector', :user, :visibility, :is_global) RETURNING id"
            ),
            {"user": user, "visibility": visibility, "is_global": is_global},
        ).scalar_one()
        for user, visibility, is_global in product(users[:2], ("private", "public"), (False, True))
    ]
    maps = [
        connection.execute(
            text(
                "INSERT INTO maps (name, created_by, view_permission)"
                " VALUES ('x', :user, :view) RETURNING id"
            ),
            {"user": user, "view": view},
        ).scalar_one()
        for user, view in product(users[:2], ("private", "collaborators", "public"))
    ]
    for map_id in maps:
        connection.execute(
            text("INSERT INTO map_collaborators (map_id, user_id) VALUES (:map, :user)"),
            {"map": map_id, "user": users[2]},
        )
        for order, layer in enumerate(_RANDOM.sample(layers, 4)):
            connection.execute(
                text('INSERT INTO map_layers (map_id, layer_id, "order") VALUES (:m, :l, :o)'),
                {"m": map_id, "l": layer, "o": order},
            )
    return users, layers, maps


_IS_MEMBER = text(
    "SELECT EXISTS (SELECT FROM maps WHERE id = :map AND created_by = :user)"
    " OR EXISTS (SELECT FROM map_collaborators WHERE map_id = :map AND user_id = :user)"
)


def test_the_rules_are_those_of_requests(
    connection: Connection, world: tuple[list[uuid.UUID], list[uuid.UUID], list[uuid.UUID]]
) -> None:
    users, layers, maps = world
    callers: list[uuid.UUID | None] = [None, *users]
    followers = [
        *(Follower("layer", key, user) for key, user in product(layers, callers)),
        *(Follower("map", key, user) for key, user in product(maps, callers)),
    ]
    found = readable_subjects(connection, followers)
    for follower in followers:
        principal = ANONYMOUS if follower.user_id is None else Principal(follower.user_id)
        find = find_layer if follower.kind == "layer" else find_map
        action = Action.READ_LAYER if follower.kind == "layer" else Action.READ_MAP
        try:
            find(connection, principal, follower.subject_id, action)
        except NotFoundError:
            assert follower not in found
            continue
        if follower.kind == "layer":
            assert found[follower] == {follower.subject_id}
            continue
        readable = {
            follower.subject_id
            for follower in found
            if follower.kind == "layer" and follower.user_id == principal.user_id
        }
        placed = connection.execute(
            text("SELECT layer_id FROM map_layers WHERE map_id = :map"),
            {"map": follower.subject_id},
        ).scalars()
        assert found[follower] - {follower.subject_id} == readable & {*placed}
        is_member = connection.execute(
            _IS_MEMBER, {"map": follower.subject_id, "user": follower.user_id}
        )
        assert (follower.subject_id in found[follower]) is is_member.scalar_one()
    assert 0 < len(found) < len(followers)


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE users SET deleted_at = now()",
        "UPDATE api_tokens SET revoked_at = now()",
        "UPDATE api_tokens SET expires_at = now()",
        "DELETE FROM api_tokens",
        "UPDATE browser_sessions SET expires_at = now()",
        "DELETE FROM browser_sessions",
    ],
)
def test_credentials_that_end(
    connection: Connection,
    world: tuple[list[uuid.UUID], list[uuid.UUID], list[uuid.UUID]],
    end: str,
) -> None:
    user, layer = world[0][0], world[1][0]
    token = connection.execute(
        text(
            "INSERT INTO api_tokens (user_id, name, token_hash, prefix, scope)"
            " VALUES (:user, 'x', sha256('x'), 'samsyn_xxxxx', 'read') RETURNING id"
        ),
        {"user": user},
    ).scalar_one()
    connection.execute(
        text(
            "INSERT INTO browser_sessions (session_hash, user_id, expires_at)"
            " VALUES (sha256('x'), :user, now() + interval '1 hour')"
        ),
        {"user": user},
    )
    session = connection.execute(text("SELECT sha256('x')")).scalar_one()
    by_token = Follower("layer", layer, user, token)
    by_cookie = Follower("layer", layer, user, None, bytes(session))
    by_session = Follower("layer", layer, user)
    followers = [by_token, by_cookie, by_session, Follower("layer", layer, user, uuid.uuid4())]
    assert set(readable_subjects(connection, followers)) == {by_token, by_cookie, by_session}
    connection.execute(text(end))
    left = {by_token, by_cookie, by_session}
    if "users" in end:
        left = set()
    left -= {by_token} if "tokens" in end else {by_cookie}
    assert set(readable_subjects(connection, followers)) == left


@pytest.mark.parametrize(
    ("kind", "action", "changed", "expected"),
    [
        ("layer", "update", {"description"}, False),
        ("layer", "update", {"visibility"}, True),
        ("layer", "delete", set(), True),
        ("layer", "create", set(), False),
        ("map", "update", {"view_permission", "name"}, True),
        ("map", "update", {"name"}, False),
        ("map_layer", "create", set(), True),
        ("map_layer", "update", {"opacity"}, False),
        ("map_layer", "delete", set(), True),
        ("collaborator", "delete", set(), True),
        ("comment", "create", set(), False),
        ("token", "create", set(), False),
        ("token", "update", {"revoked_at"}, True),
    ],
)
def test_changes_that_may_end_rights(
    kind: str, action: str, changed: set[str], expected: bool
) -> None:
    change = SubjectChange(kind, action, uuid.uuid4(), None, None, frozenset(changed))
    assert may_end_rights(change) is expected
