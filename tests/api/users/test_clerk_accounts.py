"""Deliveries from Clerk about users with another account here."""

import uuid
from collections.abc import Sequence

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, Row

from samsyn_model.database.transactions import writing
from samsyn_model.errors import DatabaseUnavailableError
from samsyn_model.identity import accounts, clerk_events
from samsyn_model.identity.api_tokens import create_token, find_or_create_user
from samsyn_model.tables.metadata import metadata
from tests.api.users.test_webhooks import client_of
from tests.clerk_deliveries import clerk_user, deliver, deliver_user, event, new_id
from tests.clerk_instance import session_token
from tests.model.identity.authentication import principal, rows

EMAIL = "anna@example.org"


@pytest.fixture
def client(empty_database: Engine) -> FlaskClient:
    return client_of(empty_database)


def command_line_user(engine: Engine, email: str = EMAIL) -> uuid.UUID:
    with writing(engine) as connection:
        return find_or_create_user(connection, email)


def live_users(engine: Engine) -> Sequence[Row]:
    return rows(
        engine,
        "SELECT id, clerk_id, email FROM users WHERE deleted_at IS NULL ORDER BY clerk_id",
    )


def test_the_command_lines_user_becomes_the_clerk_user(client: FlaskClient, engine: Engine) -> None:
    user_id = command_line_user(engine, "Anna@Example.org")
    rows(engine, "UPDATE users SET is_admin = true")
    deliver_user(client, "created", clerk_user())
    assert rows(engine, "SELECT id, clerk_id, email, is_admin FROM users") == [
        (user_id, "user_anna", EMAIL, True)
    ]
    deliver_user(client, "updated", clerk_user(at=1, public_metadata={"isAdmin": False}))
    assert rows(engine, "SELECT is_admin FROM users") == [(False,)]


def test_an_unverified_email_links_no_account(client: FlaskClient, engine: Engine) -> None:
    user_id = command_line_user(engine)
    deliver_user(client, "created", clerk_user(verified=False))
    assert {(user.clerk_id, user.email) for user in live_users(engine)} == {
        ("user_anna", None),
        (None, EMAIL),
    }
    deliver_user(client, "updated", clerk_user(at=1))
    assert live_users(engine) == [(user_id, "user_anna", EMAIL)]


FILL = (
    "INSERT INTO users (id, email) VALUES (:other, 'other@example.org') ON CONFLICT DO NOTHING",
    "INSERT INTO maps (id, name, created_by) VALUES (:map, 'Mine', :user)",
    "INSERT INTO layers (id, name, source_type, created_by) VALUES (:layer, 'L', 'vector', :user)",
    "INSERT INTO layer_features (layer_id, created_by) VALUES (:layer, :user)",
    "INSERT INTO comments (map_id, author_id, content, resolved_by, resolved_at)"
    " VALUES (:map, :user, 'Here', :user, now())",
    "INSERT INTO map_collaborators (map_id, user_id, invited_by) VALUES (:map, :other, :user)",
)


def fill(engine: Engine, user: uuid.UUID) -> str:
    """Create one object of each kind of a user; return the token."""
    values = {"user": user, "other": uuid.UUID(int=7), "map": uuid.uuid4(), "layer": uuid.uuid4()}
    for statement in FILL:
        rows(engine, statement, **values)
    with writing(engine) as connection:
        return create_token(connection, user, name="QGIS", scope="write")


@pytest.mark.parametrize("first", ["command line", "session"])
def test_two_accounts_of_one_person_become_one(
    client: FlaskClient, engine: Engine, first: str
) -> None:
    def by_session() -> uuid.UUID:
        stored = principal(engine, session_token()).user_id
        assert stored is not None
        return stored

    if first == "session":
        remaining_id, closed_id = by_session(), command_line_user(engine)
    else:
        remaining_id, closed_id = command_line_user(engine), by_session()
    tokens = [fill(engine, user) for user in (remaining_id, closed_id)]
    rows(engine, "UPDATE users SET is_admin = true WHERE id = :id", id=closed_id)
    features = rows(engine, "SELECT id, version FROM layer_features")
    deliver_user(client, "created", clerk_user())
    [user] = rows(engine, "SELECT * FROM users WHERE id = :id", id=remaining_id)
    assert (user.clerk_id, user.email, user.first_name) == ("user_anna", EMAIL, "Anna")
    assert user.is_admin is True
    assert by_session() == remaining_id
    for token in tokens:
        assert principal(engine, token).user_id == remaining_id
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            if key.column.table.name == "users":
                column = f'"{table.name}"."{key.parent.name}"'
                stored = rows(engine, f"SELECT {column} FROM {table.name}")
                assert closed_id not in {row[0] for row in stored}, column
    counts = [
        len(rows(engine, f"SELECT FROM {table} WHERE {column} = :id", id=remaining_id))
        for table, column in (
            *(("maps", "created_by"), ("layers", "created_by"), ("comments", "author_id")),
            *(("comments", "resolved_by"), ("map_collaborators", "invited_by")),
        )
    ]
    assert counts == [2] * 5
    [stone] = rows(engine, "SELECT * FROM users WHERE id = :id", id=closed_id)
    assert (stone.clerk_id, stone.email, stone.is_admin) == (None, None, False)
    assert stone.deleted_at is not None
    assert rows(engine, "SELECT id, version FROM layer_features") == features
    deliver_user(client, "deleted", {"id": "user_anna", "deleted": True})
    assert [user.email for user in live_users(engine)] == ["other@example.org"]


def test_the_roles_of_merged_accounts_become_one(client: FlaskClient, engine: Engine) -> None:
    remaining_id = command_line_user(engine)
    closed_id = principal(engine, session_token()).user_id
    other = command_line_user(engine, "other@example.org")
    roles = {
        "weaker": (other, "editor", "viewer"),
        "stronger": (other, "viewer", "editor"),
        "new": (other, None, "editor"),
        "old": (other, "viewer", None),
        "invited by oneself": (remaining_id, None, "editor"),
        "inviting oneself": (closed_id, "editor", None),
    }
    for name, (owner, *user_roles) in roles.items():
        map_id = uuid.uuid4()
        rows(
            engine,
            "INSERT INTO maps (id, name, created_by) VALUES (:map, :name, :owner)",
            map=map_id,
            name=name,
            owner=owner,
        )
        for user, role in zip((remaining_id, closed_id), user_roles, strict=True):
            if role:
                rows(
                    engine,
                    "INSERT INTO map_collaborators (map_id, user_id, role)"
                    " VALUES (:map, :user, :role)",
                    map=map_id,
                    user=user,
                    role=role,
                )
    deliver_user(client, "created", clerk_user())
    stored = rows(
        engine,
        "SELECT name, user_id, role FROM map_collaborators c JOIN maps ON maps.id = map_id"
        " ORDER BY name",
    )
    assert stored == [
        ("new", remaining_id, "editor"),
        ("old", remaining_id, "viewer"),
        ("stronger", remaining_id, "editor"),
        ("weaker", remaining_id, "editor"),
    ]


@pytest.mark.parametrize(("at", "holder"), [(9, "user_bo"), (10, "user_anna"), (11, "user_anna")])
def test_the_newest_delivery_gets_the_email(
    client: FlaskClient, engine: Engine, at: int, holder: str
) -> None:
    deliver_user(client, "updated", clerk_user("user_bo", at=10, email="Anna@example.org"))
    deliver_user(client, "created", clerk_user("user_anna", at=at))
    stored = {user.clerk_id: user.email for user in live_users(engine)}
    assert set(stored) == {"user_anna", "user_bo"}
    assert [clerk_id for clerk_id, email in stored.items() if email] == [holder]
    deliver_user(client, "updated", clerk_user("user_bo", at=20, email="bo@example.org"))
    deliver_user(client, "updated", clerk_user("user_anna", at=21))
    assert {user.clerk_id: user.email for user in live_users(engine)} == {
        "user_anna": EMAIL,
        "user_bo": "bo@example.org",
    }


def test_a_newer_delivery_gets_the_email_of_a_session(client: FlaskClient, engine: Engine) -> None:
    principal(engine, session_token(sub="user_bo", email=EMAIL, email_verified=True))
    deliver_user(client, "created", clerk_user("user_anna", at=-10_000_000))
    assert [(user.clerk_id, user.email) for user in live_users(engine)] == [
        ("user_anna", None),
        ("user_bo", EMAIL),
    ]
    deliver_user(client, "updated", clerk_user("user_anna", at=10_000_000))
    assert [(user.clerk_id, user.email) for user in live_users(engine)] == [
        ("user_anna", EMAIL),
        ("user_bo", None),
    ]


def test_the_email_of_a_deleted_user_is_free(client: FlaskClient, engine: Engine) -> None:
    deliver_user(client, "created", clerk_user("user_bo", at=10))
    deliver_user(client, "deleted", {"id": "user_bo", "deleted": True})
    deliver_user(client, "created", clerk_user("user_anna"))
    assert [(user.clerk_id, user.email) for user in live_users(engine)] == [("user_anna", EMAIL)]


def test_a_delivery_that_fails_is_sent_again(
    client: FlaskClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line_user(engine)
    principal(engine, session_token())
    svix_id, body = new_id(), event("user.created", clerk_user())

    def fails(*_: object, **__: object) -> None:
        raise DatabaseUnavailableError("The database cannot be reached.")

    monkeypatch.setattr(accounts, "close_account", fails)
    assert clerk_events.merge_accounts is accounts.merge_accounts
    assert deliver(client, body, svix_id).status_code == 503
    assert rows(engine, "SELECT FROM webhook_events") == []
    assert len(live_users(engine)) == 2
    monkeypatch.undo()
    assert deliver(client, body, svix_id).status_code == 204
    assert [user.email for user in live_users(engine)] == [EMAIL]
