"""Who an API token stands for, and what a read-only database still does."""

import logging
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text

from samsyn_model.database.engine import database_url, open_engine
from samsyn_model.database.transactions import reading
from samsyn_model.errors import CredentialsError
from samsyn_model.identity.api_tokens import create_token, find_or_create_user
from samsyn_model.identity.authentication import find_token_holder_and_layer
from samsyn_model.identity.browser_sessions import begin_session, find_session
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import layer_statement
from samsyn_model.permissions.principal import ANY_USER, Principal
from tests.clerk_instance import session_token
from tests.model.identity.authentication import DELETE_USER, principal, rows, statements

pytestmark = pytest.mark.usefixtures("empty_database")


def make_token(engine: Engine, email: str = "anna@example.org", **values: Any) -> str:
    with engine.begin() as connection:
        user_id = find_or_create_user(connection, email)
        return create_token(connection, user_id, **{"name": "QGIS", "scope": "write"} | values)


@pytest.mark.parametrize("scope", ["read", "write"])
@pytest.mark.parametrize("is_admin", [True, False])
def test_a_token_stands_for_its_user(engine: Engine, scope: str, is_admin: bool) -> None:
    token = make_token(engine, scope=scope)
    [user] = rows(engine, "UPDATE users SET is_admin = :is_admin RETURNING id", is_admin=is_admin)
    assert principal(engine, token) == Principal(user.id, is_admin=is_admin, scope=scope)  # type: ignore[arg-type]


def test_one_statement_for_a_token(engine: Engine) -> None:
    token = make_token(engine)
    principal(engine, token)
    with statements() as seen:
        principal(engine, token)
    assert len(seen) == 1


REVOKE = "UPDATE api_tokens SET revoked_at = now()"
EXPIRE = "UPDATE api_tokens SET expires_at = now() - interval '1 second'"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (REVOKE, "has been revoked"),
        (EXPIRE, "has expired"),
        (DELETE_USER, "has been revoked"),
        ("DELETE FROM api_tokens", "is not valid"),
    ],
)
def test_a_token_ends_at_once(engine: Engine, change: str, reason: str) -> None:
    token = make_token(engine)
    assert principal(engine, token)
    rows(engine, change)
    with pytest.raises(CredentialsError, match=reason):
        principal(engine, token)


def test_a_token_lives_until_it_expires(engine: Engine) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert principal(engine, make_token(engine, expires_at=soon))
    with pytest.raises(CredentialsError, match="has expired"):
        principal(engine, make_token(engine, expires_at=datetime.now(UTC)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.upper(),
        lambda token: "samsyn_" + "A" * 43,
        lambda token: "samsyn_" + "\x00" * 43,
        lambda token: "samsyn_" + "å" * 43,
        lambda token: "samsyn_",
        lambda token: token[len("samsyn_") :],
        lambda token: token + "\n",
        lambda token: "",
    ],
)
def test_no_other_token_is_valid(engine: Engine, spoil: Callable[[str], str]) -> None:
    with pytest.raises(CredentialsError, match="is not valid"):
        principal(engine, spoil(make_token(engine)))


def last_use(engine: Engine) -> datetime | None:
    [token] = rows(engine, "SELECT last_used_at FROM api_tokens")
    used: datetime | None = token.last_used_at
    return used


def test_use_is_noted_at_most_once_in_five_minutes(engine: Engine) -> None:
    token = make_token(engine)
    assert last_use(engine) is None
    principal(engine, token)
    first = last_use(engine)
    assert first is not None
    principal(engine, token)
    assert last_use(engine) == first
    rows(engine, "UPDATE api_tokens SET last_used_at = now() - interval '4 minutes'")
    before = last_use(engine)
    principal(engine, token)
    assert last_use(engine) == before
    rows(engine, "UPDATE api_tokens SET last_used_at = now() - interval '6 minutes'")
    principal(engine, token)
    assert last_use(engine) >= first  # type: ignore[operator]


def test_refused_tokens_are_not_used(engine: Engine) -> None:
    token = make_token(engine)
    rows(engine, REVOKE)
    with pytest.raises(CredentialsError):
        principal(engine, token)
    assert last_use(engine) is None


def test_noting_use_waits_for_nobody(
    engine: Engine, test_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = make_token(engine)
    hasty = open_engine(test_database_url, statement_timeout=5)
    with engine.begin() as other:
        other.execute(text("UPDATE api_tokens SET name = 'locked'"))
        with caplog.at_level(logging.WARNING):
            assert principal(hasty, token)
    hasty.dispose()
    assert not caplog.records, "it would say so had it waited"
    assert last_use(engine) is None


def test_use_that_cannot_be_noted_fails_nothing(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    token = make_token(engine)
    rows(engine, "ALTER TABLE api_tokens ADD CONSTRAINT frozen CHECK (last_used_at IS NULL)")
    try:
        with caplog.at_level(logging.WARNING):
            assert principal(engine, token)
        assert "cannot be recorded" in caplog.text
    finally:
        rows(engine, "ALTER TABLE api_tokens DROP CONSTRAINT frozen")


@pytest.fixture
def single(test_database_url: str) -> Iterator[Engine]:
    """An engine with one connection, for which nobody waits for long."""
    engine = create_engine(
        database_url(test_database_url),
        isolation_level="AUTOCOMMIT",
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.2,
    )
    yield engine
    engine.dispose()


def test_noting_use_takes_no_second_connection(
    engine: Engine, single: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    token = make_token(engine)
    lookup = layer_statement(
        *(ANY_USER, Action.READ_LAYER, lambda _: ()), all_columns=False, lock=None
    )
    with caplog.at_level(logging.WARNING), reading(single) as connection:
        holder, layer = find_token_holder_and_layer(
            connection, token, lookup, {"key": uuid.uuid4()}
        )
    assert (holder.scope, layer) == ("write", None)
    assert not caplog.records
    assert last_use(engine) is not None


def test_noting_the_use_of_a_session_takes_no_second_connection(
    engine: Engine, single: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    token = make_token(engine)
    with engine.begin() as connection:
        [user] = connection.execute(text("SELECT id FROM users")).scalars()
        session_id, _ = begin_session(connection, user, token)
    with caplog.at_level(logging.WARNING):
        assert find_session(single, session_id)
    assert not caplog.records
    assert last_use(engine) is not None


@pytest.fixture
def read_only(engine: Engine, test_database_url: str) -> Iterator[Engine]:
    """An engine on the same database, where every transaction is read only."""
    frozen = open_engine(test_database_url)

    def freeze(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.execute("SET default_transaction_read_only = on")

    event.listen(frozen, "connect", freeze)
    frozen.connect().close()
    yield frozen
    frozen.dispose()


def test_a_read_only_database_knows_its_tokens(
    engine: Engine, read_only: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    token = make_token(engine)
    with caplog.at_level(logging.WARNING), statements() as seen:
        assert principal(read_only, token)
    assert len(seen) == 1
    assert not caplog.records
    assert last_use(engine) is None


def test_a_read_only_database_knows_its_users(engine: Engine, read_only: Engine) -> None:
    made = principal(engine, session_token())
    assert principal(read_only, session_token()) == made
    assert principal(read_only, session_token(public_metadata={"isAdmin": True})).is_admin
    assert rows(engine, "SELECT is_admin FROM users") == [(False,)]
