"""Who a Clerk session stands for: users found, made, linked and never raised from the dead."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from samsyn_model.database.transactions import writing
from samsyn_model.errors import CredentialsError
from samsyn_model.identity.accounts import close_account
from samsyn_model.identity.api_tokens import find_or_create_user
from samsyn_model.permissions.principal import Principal
from tests.clerk_instance import session_token
from tests.model.identity.authentication import DELETE_USER, principal, rows, statements

pytestmark = pytest.mark.usefixtures("empty_database")


def test_first_sight_makes_a_user_and_the_second_finds_it(engine: Engine) -> None:
    first = principal(engine, session_token(sub="user_new"))
    assert first.user_id is not None
    assert (first.is_admin, first.scope) == (False, "write")
    with statements() as seen:
        assert principal(engine, session_token(sub="user_new")) == first
    assert len(seen) == 1
    assert rows(engine, "SELECT id, clerk_id, email FROM users") == [
        (first.user_id, "user_new", None)
    ]


def test_many_requests_at_first_sight_make_one_user(engine: Engine) -> None:
    rows(engine, "INSERT INTO users (email) VALUES ('anna@example.org')")
    plain = session_token(sub="user_new")
    verified = session_token(sub="user_new", email="anna@example.org", email_verified=True)
    for tokens in ([plain], [verified], [plain, verified]):
        rows(engine, "UPDATE users SET clerk_id = NULL WHERE email IS NOT NULL")
        rows(engine, "DELETE FROM users WHERE email IS NULL")
        with ThreadPoolExecutor(5) as threads:
            found = set(threads.map(lambda token: principal(engine, token), tokens * 10))
        assert len(found) == 1


def test_a_deleted_user_is_not_raised_again(engine: Engine) -> None:
    token = session_token(email="anna@example.org", email_verified=True)
    made = principal(engine, token)
    rows(engine, DELETE_USER)
    for _ in range(2):
        with pytest.raises(CredentialsError, match="has been deleted"):
            principal(engine, token)
    [user] = rows(engine, "SELECT * FROM users")
    assert user.id == made.user_id
    assert user.deleted_at is not None
    assert user.email is None


def test_a_session_begun_after_the_deletion_is_a_new_account(engine: Engine) -> None:
    """One begun before is nobody's, however often its JWT was renewed since (`fva`)."""
    verified: dict[str, Any] = {"email": "anna@example.org", "email_verified": True}
    now = int(datetime.now(UTC).timestamp())
    former = principal(engine, session_token(**verified, iat=now - 900))
    with writing(engine) as connection:
        assert former.user_id is not None
        close_account(connection, former.user_id)
    rows(engine, "UPDATE users SET deleted_at = now() - interval '10 minutes'")
    before = [{"iat": now - 700}, {"fva": [11, -1]}, {"fva": [60, 1]}]
    for claims in before:
        with pytest.raises(CredentialsError, match="has been deleted"):
            principal(engine, session_token(**verified, **claims))
    tokens = [session_token(**verified, fva=fva) for fva in ([9, -1], [-1, -1], "old", [])]
    with ThreadPoolExecutor(5) as threads:
        found = set(threads.map(lambda token: principal(engine, token), tokens * 3))
    assert len(found) == 1
    (account,) = found
    assert account.user_id != former.user_id
    assert account.is_admin is False
    for claims in before:
        with pytest.raises(CredentialsError, match="has been deleted"):
            principal(engine, session_token(**verified, **claims))
    users = rows(engine, "SELECT id, clerk_id, email FROM users ORDER BY created_at")
    assert users == [
        (former.user_id, None, None),
        (account.user_id, "user_anna", "anna@example.org"),
    ]
    # It can be deleted and begun once more.
    with writing(engine) as connection:
        assert account.user_id is not None
        close_account(connection, account.user_id)
    with pytest.raises(CredentialsError, match="has been deleted"):
        principal(engine, session_token(**verified))
    third = principal(engine, session_token(**verified, iat=now + 4))
    assert third.user_id not in {former.user_id, account.user_id}


@pytest.mark.parametrize("is_linked", [True, False])
def test_the_next_account_and_the_email_of_another(engine: Engine, is_linked: bool) -> None:
    verified: dict[str, Any] = {"email": "anna@example.org", "email_verified": True}
    principal(engine, session_token(**verified))
    rows(engine, DELETE_USER)
    rows(engine, "UPDATE users SET deleted_at = now() - interval '10 minutes'")
    with writing(engine) as connection:
        other = find_or_create_user(connection, "Anna@example.org")
    if not is_linked:
        rows(engine, "UPDATE users SET clerk_id = 'user_other' WHERE id = :id", id=other)
    user = principal(engine, session_token(**verified)).user_id
    assert (user == other) is is_linked
    [found] = rows(engine, "SELECT clerk_id, email FROM users WHERE id = :id", id=user)
    assert found == ("user_anna", "Anna@example.org" if is_linked else None)


def test_a_deleted_user_cannot_become_administrator(engine: Engine) -> None:
    principal(engine, session_token())
    rows(engine, DELETE_USER)
    with pytest.raises(CredentialsError):
        principal(engine, session_token(public_metadata={"isAdmin": True}))
    assert rows(engine, "SELECT is_admin FROM users") == [(False,)]


def test_an_invalid_session_makes_nobody(engine: Engine) -> None:
    with pytest.raises(CredentialsError), statements() as seen:
        principal(engine, session_token(kid="other"))
    assert seen == []
    assert rows(engine, "SELECT FROM users") == []


def admin_session(is_admin: bool, **claims: Any) -> str:
    return session_token(public_metadata={"isAdmin": is_admin}, **claims)


def stored_admin(engine: Engine) -> bool:
    [user] = rows(engine, "SELECT is_admin FROM users")
    return bool(user.is_admin)


def test_administrator_is_what_was_set_last(engine: Engine) -> None:
    assert principal(engine, admin_session(True)).is_admin
    assert stored_admin(engine)
    assert principal(engine, session_token()).is_admin, "a token that says nothing changes nothing"
    assert not principal(engine, admin_session(False)).is_admin
    assert not stored_admin(engine)
    rows(engine, "UPDATE users SET is_admin = true")
    assert principal(engine, session_token()).is_admin
    assert not principal(engine, admin_session(False)).is_admin


def test_an_older_session_does_not_undo_the_webhook(engine: Engine) -> None:
    now = datetime.now(UTC)
    principal(engine, session_token())
    rows(engine, "UPDATE users SET clerk_updated_at = :now", now=now)
    before, after = int(now.timestamp()) - 20, int(now.timestamp())
    assert not principal(engine, admin_session(True, iat=before)).is_admin
    assert not stored_admin(engine)
    assert principal(engine, admin_session(True, iat=after)).is_admin
    assert stored_admin(engine)


def signed_in(engine: Engine, **claims: Any) -> uuid.UUID:
    found = principal(engine, session_token(**{"sub": "user_anna"} | claims)).user_id
    assert found is not None
    return found


@pytest.fixture
def anna(engine: Engine) -> uuid.UUID:
    with writing(engine) as connection:
        return find_or_create_user(connection, "Anna@Example.org")


def test_the_same_verified_email_is_the_same_user(engine: Engine, anna: uuid.UUID) -> None:
    rows(engine, "UPDATE users SET is_admin = true")
    session = session_token(email="anna@example.ORG", email_verified=True)
    assert principal(engine, session) == Principal(anna, is_admin=True)
    assert signed_in(engine) == anna, "known by the clerk_id from now on"
    assert len(rows(engine, "SELECT FROM users")) == 1


@pytest.mark.parametrize("claims", [{}, {"email_verified": False}, {"email_verified": "true"}])
def test_an_unverified_email_is_nobody(
    engine: Engine, anna: uuid.UUID, claims: dict[str, Any]
) -> None:
    other = signed_in(engine, email="anna@example.org", **claims)
    assert other != anna
    assert rows(engine, "SELECT email FROM users WHERE id = :id", id=other) == [(None,)]


def test_an_email_of_another_clerk_user_stays_with_it(engine: Engine, anna: uuid.UUID) -> None:
    verified = {"email": "anna@example.org", "email_verified": True}
    assert signed_in(engine, **verified) == anna
    other = signed_in(engine, sub="user_other", **verified)
    assert other != anna
    assert rows(engine, "SELECT clerk_id, email FROM users ORDER BY clerk_id") == [
        ("user_anna", "Anna@Example.org"),
        ("user_other", None),
    ]


def test_a_tombstone_is_not_linked(engine: Engine, anna: uuid.UUID) -> None:
    rows(engine, "UPDATE users SET deleted_at = now()")  # even where the email was left behind
    assert signed_in(engine, email="anna@example.org", email_verified=True) != anna
