"""Making API tokens, and users for them."""

import hashlib
import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, text

from samsyn_model.errors import InvalidBodyError
from samsyn_model.identity.api_tokens import (
    create_token,
    find_or_create_user,
    hash_token,
    set_admin,
)


def test_only_a_hash_of_the_token_is_kept(connection: Connection) -> None:
    user_id = find_or_create_user(connection, "anna@example.org")
    token = create_token(connection, user_id, name="QGIS", scope="write")
    assert re.fullmatch(r"samsyn_[A-Za-z0-9_-]{43}", token)
    [row] = connection.execute(text("SELECT * FROM api_tokens")).all()
    assert bytes(row.token_hash) == hashlib.sha256(token.encode()).digest() == hash_token(token)
    assert (row.user_id, row.name, row.scope, row.expires_at) == (user_id, "QGIS", "write", None)
    assert row.prefix == token[:12]
    assert token[12:] not in repr(row)


def test_tokens_differ_and_read_only_by_default(connection: Connection) -> None:
    user_id = find_or_create_user(connection, "anna@example.org")
    made = {create_token(connection, user_id, name="QGIS") for _ in range(20)}
    assert len(made) == 20
    assert set(connection.scalars(text("SELECT scope FROM api_tokens"))) == {"read"}


@pytest.mark.parametrize("name", ["", "x" * 256, "a\x00b", "a\nb", "\ud800"])
def test_a_token_needs_a_name(connection: Connection, name: str) -> None:
    with pytest.raises(InvalidBodyError) as raised:
        create_token(connection, uuid.uuid4(), name=name)
    assert raised.value.faults[0].pointer == "/name"


def test_a_user_is_found_whatever_the_case_of_its_email(connection: Connection) -> None:
    made = find_or_create_user(connection, " Anna@Example.org ")
    assert find_or_create_user(connection, "anna@example.ORG") == made
    assert connection.scalar(text("SELECT email FROM users")) == "Anna@Example.org"


def test_a_deleted_user_is_not_found(connection: Connection) -> None:
    made = find_or_create_user(connection, "anna@example.org")
    connection.execute(text("UPDATE users SET deleted_at = now()"))
    assert find_or_create_user(connection, "anna@example.org") != made


@pytest.mark.parametrize(
    "email",
    [
        "",
        "anna",
        "@",
        "anna@",
        "@example.org",
        "a b@example.org",
        "a@b@c",
        "a\n@example.org",
        "a\x00@example.org",
        "a\u200b@example.org",
        "a@\ud800.org",
        "a@" + "x" * 320,
    ],
)
def test_an_email_is_minimally_valid(connection: Connection, email: str) -> None:
    with pytest.raises(InvalidBodyError) as raised:
        find_or_create_user(connection, email)
    assert raised.value.faults[0].pointer == "/email"


def test_callers_at_once_get_the_same_user(empty_database: Engine) -> None:
    together = threading.Barrier(5)

    def make(email: str) -> uuid.UUID:
        with empty_database.begin() as connection:
            connection.execute(text("SELECT 1"))
            together.wait()
            return find_or_create_user(connection, email)

    for i in range(5):
        with ThreadPoolExecutor(5) as threads:
            found = set(
                threads.map(
                    make,
                    [f"anna{i}@example.org", f"ANNA{i}@example.org"] * 2 + [f"Anna{i}@example.org"],
                )
            )
        assert len(found) == 1


def test_set_admin(connection: Connection) -> None:
    set_admin(connection, "anna@example.org")
    find_or_create_user(connection, "bo@example.org")
    rows = connection.execute(text("SELECT email, is_admin FROM users ORDER BY email")).all()
    assert rows == [("anna@example.org", True), ("bo@example.org", False)]
    set_admin(connection, "BO@example.org")
    assert connection.scalar(text("SELECT count(*) FROM users WHERE is_admin")) == 2
