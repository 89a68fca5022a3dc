"""Sessions of browsers: what they may do, and everything that ends them."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from samsyn_model.database.transactions import writing
from samsyn_model.errors import CredentialsError
from samsyn_model.identity.accounts import close_account, merge_accounts
from samsyn_model.identity.api_tokens import create_token, find_or_create_user, set_admin
from samsyn_model.identity.browser_sessions import (
    SESSION_HOURS,
    begin_session,
    end_session,
    find_session,
)
from samsyn_model.permissions.principal import Principal
from tests.clerk_instance import session_token
from tests.model.identity.authentication import DELETE_USER, rows, statements

NAME = "UPDATE users SET first_name = 'Maja', last_name = 'Lind'"


def begin(engine: Engine, scope: Any = "write", **options: Any) -> tuple[uuid.UUID, str, datetime]:
    """Begin a session by a new token; return its user, its id and when it expires."""
    with writing(engine) as connection:
        user = find_or_create_user(connection, "maja@example.org")
        token = create_token(connection, user, name="browser", scope=scope, **options)
        return (user, *begin_session(connection, user, token))


def begin_by_clerk(engine: Engine) -> tuple[uuid.UUID, str, datetime]:
    with writing(engine) as connection:
        user = find_or_create_user(connection, "maja@example.org")
        return (user, *begin_session(connection, user, session_token()))


@pytest.mark.parametrize("make", [begin, begin_by_clerk], ids=["token", "Clerk"])
@pytest.mark.parametrize("is_admin", [False, True])
def test_a_session_only_reads(
    empty_database: Engine, make: Callable[..., Any], *, is_admin: bool
) -> None:
    user, session_id, _ = make(empty_database)
    if is_admin:
        with writing(empty_database) as connection:
            set_admin(connection, "maja@example.org")
    session = find_session(empty_database, session_id)
    assert session
    assert session.principal == Principal(user_id=user, is_admin=is_admin, scope="read")


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT", "maja@example.org"),
        ("UPDATE users SET username = 'maja'", "maja"),
        ("UPDATE users SET username = 'maja', first_name = 'Maja'", "Maja"),
        (NAME, "Maja Lind"),
        ("UPDATE users SET first_name = ' ', last_name = ''", "maja@example.org"),
        ("UPDATE users SET email = NULL", "Signed in"),
    ],
)
def test_a_session_has_the_persons_name(empty_database: Engine, sql: str, name: str) -> None:
    _, session_id, _ = begin(empty_database)
    rows(empty_database, sql)
    session = find_session(empty_database, session_id)
    assert session
    assert session.name == name


def test_only_the_hash_is_stored(empty_database: Engine) -> None:
    _, session_id, _ = begin(empty_database)
    ((stored,),) = rows(empty_database, "SELECT s::text FROM browser_sessions s")
    assert session_id not in stored
    assert session_id.encode().hex() not in stored
    assert len(session_id) == 43


def test_a_session_is_looked_up_in_one_statement(empty_database: Engine) -> None:
    _, session_id, _ = begin(empty_database)
    find_session(empty_database, session_id)  # notes the use of the token
    with statements() as sent:
        assert find_session(empty_database, session_id)
    assert len(sent) == 1, sent


def test_a_session_uses_its_token(empty_database: Engine) -> None:
    _, session_id, _ = begin(empty_database)
    find_session(empty_database, session_id)
    ((used,),) = rows(empty_database, "SELECT last_used_at FROM api_tokens")
    assert datetime.now(UTC) - used < timedelta(minutes=1)


@pytest.mark.parametrize(
    "session_id", ["", "x", "A" * 43, "A" * 44, "å" * 43, "A" * 42 + "\x00", "A" * 10_000]
)
def test_other_ids_are_none(empty_database: Engine, session_id: str) -> None:
    begin(empty_database)
    assert find_session(empty_database, session_id) is None
    with writing(empty_database) as connection:
        end_session(connection, session_id)
    assert rows(empty_database, "SELECT FROM browser_sessions")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE browser_sessions SET expires_at = now()",
        "UPDATE api_tokens SET revoked_at = now()",
        "UPDATE api_tokens SET expires_at = now()",
        "DELETE FROM api_tokens",
        DELETE_USER,
    ],
)
def test_what_ends_a_session_of_a_token(empty_database: Engine, sql: str) -> None:
    _, session_id, _ = begin(empty_database)
    assert find_session(empty_database, session_id)
    rows(empty_database, sql)
    assert find_session(empty_database, session_id) is None


@pytest.mark.parametrize("make", [begin, begin_by_clerk], ids=["token", "Clerk"])
def test_closing_the_account_removes_its_sessions(
    empty_database: Engine, make: Callable[..., Any]
) -> None:
    user, session_id, _ = make(empty_database)
    with writing(empty_database) as connection:
        other = find_or_create_user(connection, "olle@example.org")
        others_id, _ = begin_session(connection, other, session_token())
        close_account(connection, user)
    assert find_session(empty_database, session_id) is None
    assert rows(empty_database, "SELECT user_id FROM browser_sessions") == [(other,)]
    assert find_session(empty_database, others_id)


def test_signing_out_ends_one_session(empty_database: Engine) -> None:
    _, first, _ = begin(empty_database)
    _, second, _ = begin(empty_database)
    with writing(empty_database) as connection:
        end_session(connection, first)
    assert find_session(empty_database, first) is None
    assert find_session(empty_database, second)


def test_a_session_moves_with_its_account(empty_database: Engine) -> None:
    """Two accounts of one person that become one: the token and its sessions stay valid."""
    user, session_id, _ = begin(empty_database)
    with writing(empty_database) as connection:
        target = find_or_create_user(connection, "maja.lind@example.org")
        merge_accounts(connection, target=target, source=user)
    session = find_session(empty_database, session_id)
    assert session
    assert session.principal.user_id == target


def test_the_life_of_a_session_is_bounded(empty_database: Engine) -> None:
    now = datetime.now(UTC)
    life = timedelta(hours=SESSION_HOURS)
    soon, late = now + timedelta(hours=1), now + timedelta(days=30)
    for expiry, expected in ((None, now + life), (late, now + life), (soon, soon)):
        _, _, expires_at = begin(empty_database, expires_at=expiry)
        assert abs(expires_at - expected) < timedelta(minutes=1)
    _, _, expires_at = begin_by_clerk(empty_database)
    assert abs(expires_at - now - life) < timedelta(minutes=1)


def test_expired_sessions_are_removed_when_others_begin(empty_database: Engine) -> None:
    user, _, _ = begin(empty_database)
    rows(
        empty_database,
        "INSERT INTO browser_sessions (session_hash, user_id, expires_at)"
        " SELECT sha256(number::text::bytea), :user, now() - interval '1 hour'"
        " FROM generate_series(1, 150) AS number",
        user=user,
    )
    for remaining in (52, 3, 4):  # a hundred at once, and none that is valid
        begin_by_clerk(empty_database)
        assert len(rows(empty_database, "SELECT FROM browser_sessions")) == remaining


@pytest.mark.parametrize(
    "sql", [DELETE_USER, "UPDATE api_tokens SET user_id = (SELECT id FROM users WHERE email = 'o')"]
)
def test_no_session_begins_by_what_has_changed_meanwhile(empty_database: Engine, sql: str) -> None:
    with writing(empty_database) as connection:
        user = find_or_create_user(connection, "maja@example.org")
        token = create_token(connection, user, name="browser")
    rows(empty_database, "INSERT INTO users (email) VALUES ('o')")
    rows(empty_database, sql)
    with pytest.raises(CredentialsError), writing(empty_database) as connection:
        begin_session(connection, user, token)
    assert rows(empty_database, "SELECT FROM browser_sessions") == []
