"""Tickets: for what they hold, and everything that ends them."""

import base64
import secrets
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from samsyn_model.database.engine import open_engine
from samsyn_model.database.transactions import reading, writing
from samsyn_model.identity.accounts import close_account
from samsyn_model.identity.api_tokens import create_token, find_or_create_user, set_admin
from samsyn_model.identity.authentication import Authenticator
from samsyn_model.identity.tickets import expiry, make_ticket, ticket_holder
from samsyn_model.permissions.principal import ANONYMOUS, Principal
from samsyn_model.settings import Settings
from tests.model.identity.authentication import rows, statements

LAYER = uuid.uuid4()
LATER = datetime.now(UTC) + timedelta(hours=1)


def token_principal(engine: Engine) -> Principal:
    with writing(engine) as connection:
        user = find_or_create_user(connection, "maja@example.org")
        token = create_token(connection, user, name="desktop", scope="write")
    return Authenticator(Settings(_env_file=None)).principal(engine, token)


def make(engine: Engine, principal: Principal, *, expires_at: datetime = LATER) -> str:
    with reading(engine) as connection:
        return make_ticket(connection, principal, "raster", LAYER, expires_at)


def holder(
    engine: Engine, ticket: str, action: str = "raster", subject: uuid.UUID = LAYER
) -> Principal | None:
    with reading(engine) as connection:
        return ticket_holder(connection, ticket, action, subject)


def test_its_holder_is_its_maker_who_only_reads(empty_database: Engine) -> None:
    maker = token_principal(empty_database)
    assert maker.token_id is not None
    found = holder(empty_database, make(empty_database, maker))
    assert found == Principal(maker.user_id, is_admin=False, scope="read")
    assert found.token_id == maker.token_id


def test_without_signing_in_its_holder_is_anonymous(empty_database: Engine) -> None:
    ticket = make(empty_database, ANONYMOUS)
    with statements() as seen:
        assert holder(empty_database, ticket) == ANONYMOUS
    assert not seen


def test_it_has_what_its_maker_has_now(empty_database: Engine) -> None:
    maker = token_principal(empty_database)
    ticket = make(empty_database, maker)
    with writing(empty_database) as connection:
        set_admin(connection, "maja@example.org")
    found = holder(empty_database, ticket)
    assert found
    assert found.is_admin


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE api_tokens SET revoked_at = now()",
        "UPDATE api_tokens SET expires_at = now()",
        "DELETE FROM api_tokens",
        "UPDATE users SET deleted_at = now()",
    ],
)
def test_it_ends_with_the_token_and_the_account(empty_database: Engine, end: str) -> None:
    ticket = make(empty_database, token_principal(empty_database))
    assert holder(empty_database, ticket)
    with empty_database.begin() as connection:
        connection.exec_driver_sql(end)
    assert holder(empty_database, ticket) is None


def test_one_of_a_session_ends_with_the_account(empty_database: Engine) -> None:
    user_id = token_principal(empty_database).user_id
    ticket = make(empty_database, Principal(user_id))
    rows(empty_database, "UPDATE api_tokens SET revoked_at = now() RETURNING id")
    assert holder(empty_database, ticket) == Principal(user_id, scope="read")
    with writing(empty_database) as connection:
        assert user_id
        close_account(connection, user_id)
    assert holder(empty_database, ticket) is None


def test_it_is_for_one_action_on_one_thing_for_a_time(empty_database: Engine) -> None:
    maker = token_principal(empty_database)
    ticket = make(empty_database, maker)
    assert holder(empty_database, ticket)
    assert holder(empty_database, ticket, action="events") is None
    assert holder(empty_database, ticket, subject=uuid.uuid4()) is None
    over = make(empty_database, maker, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert holder(empty_database, over) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda ticket: "",
        lambda ticket: ticket[:-1],
        lambda ticket: ticket + "A",
        lambda ticket: ticket + "=",
        lambda ticket: ticket.replace(ticket[:4], "åäö!"),
        lambda ticket: "A" * len(ticket),
        lambda ticket: " " + ticket[1:],
        lambda ticket: secrets.token_urlsafe(90),
    ],
)
def test_a_malformed_one_is_none(empty_database: Engine, change: Callable[[str], str]) -> None:
    ticket = make(empty_database, ANONYMOUS)
    assert holder(empty_database, change(ticket)) is None


def test_every_byte_of_it_is_signed(empty_database: Engine) -> None:
    content = base64.urlsafe_b64decode(make(empty_database, ANONYMOUS))
    for place in range(len(content)):
        forged = bytearray(content)
        forged[place] ^= 1
        assert holder(empty_database, base64.urlsafe_b64encode(forged).decode()) is None


def test_servers_share_one_key_that_the_first_makes(
    empty_database: Engine, test_database_url: str
) -> None:
    with empty_database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM deployment_keys")
    engines = [open_engine(test_database_url) for _ in range(4)]
    try:
        with ThreadPoolExecutor(4) as pool:
            tickets = [*pool.map(lambda engine: make(engine, ANONYMOUS), engines)]
        assert len(set(tickets)) == 1
        assert all(holder(engine, tickets[0]) == ANONYMOUS for engine in engines)
    finally:
        for engine in engines:
            engine.dispose()
        with empty_database.begin() as connection:  # which the suite's engine does not know
            connection.exec_driver_sql("DELETE FROM deployment_keys")


def test_the_key_outlives_a_transaction_that_is_rolled_back(
    empty_database: Engine, test_database_url: str
) -> None:
    engine = open_engine(test_database_url)
    try:
        with engine.connect() as connection, connection.begin() as transaction:
            ticket = make_ticket(connection, ANONYMOUS, "raster", LAYER, LATER)
            transaction.rollback()
        other = open_engine(test_database_url)
        assert holder(other, ticket) == ANONYMOUS
        other.dispose()
    finally:
        engine.dispose()


def test_addresses_stay_the_same_for_hours() -> None:
    life, step = timedelta(days=1), timedelta(hours=6)
    first = expiry(life, step)
    assert life - step <= first - datetime.now(UTC) <= life
    assert first == expiry(life, step) or first + step == expiry(life, step)
