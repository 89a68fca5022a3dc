"""Deliveries of Clerk, sessions and commands that come at the same time."""

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import Engine

from samsyn_model.errors import CredentialsError
from tests.api.users.test_clerk_accounts import command_line_user, live_users
from tests.api.users.test_webhooks import client_of
from tests.clerk_deliveries import clerk_user, deliver, event, new_id
from tests.clerk_instance import session_token
from tests.model.identity.authentication import principal, rows


def run_concurrently(actions: Sequence[Callable[[], object]]) -> list[object]:
    together = threading.Barrier(len(actions))

    def act(action: Callable[[], object]) -> object:
        together.wait()
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(act, actions))


def sending(engine: Engine, kind: str, data: object, svix_id: str) -> Callable[[], object]:
    client, body = client_of(engine), event(f"user.{kind}", data)
    return lambda: deliver(client, body, svix_id).status_code


@pytest.mark.parametrize("same_id", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_deliveries_at_once_make_one_user(
    empty_database: Engine, same_id: bool, known: bool
) -> None:
    for number in range(5):
        clerk_id, email, first = f"user_{number}", f"{number}@example.org", new_id()
        if known:
            command_line_user(empty_database, email)
        data = clerk_user(clerk_id, email=email)
        sent = [
            sending(empty_database, "created", data, first if same_id else new_id())
            for _ in range(4)
        ]
        assert run_concurrently(sent) == [204] * 4
        stored = rows(
            empty_database, "SELECT email FROM users WHERE clerk_id = :clerk_id", clerk_id=clerk_id
        )
        assert stored == [(email,)]
    assert len(rows(empty_database, "SELECT FROM users")) == 5
    assert len(rows(empty_database, "SELECT FROM webhook_events")) == (5 if same_id else 20)


def test_the_newest_delivery_counts_in_any_order(empty_database: Engine) -> None:
    for number in range(5):
        clerk_id = f"user_{number}"
        sent = [
            sending(
                empty_database,
                "updated",
                clerk_user(clerk_id, at=at, email=f"{number}.{at}@example.org"),
                new_id(),
            )
            for at in range(4)
        ]
        random.Random(number).shuffle(sent)
        assert run_concurrently(sent) == [204] * 4
    assert {user.email for user in live_users(empty_database)} == {
        f"{number}.3@example.org" for number in range(5)
    }


def test_a_first_session_a_command_and_a_delivery_at_once(empty_database: Engine) -> None:
    for number in range(8):
        clerk_id, email = f"user_{number}", f"{number}@example.org"
        plain = session_token(sub=clerk_id)
        verified = session_token(sub=clerk_id, email=email, email_verified=True)
        sent = [
            sending(empty_database, "created", clerk_user(clerk_id, email=email), new_id()),
            lambda token=plain: principal(empty_database, token),
            lambda token=verified: principal(empty_database, token),
            lambda email=email: command_line_user(empty_database, email),
        ]
        random.Random(number).shuffle(sent)
        assert 204 in run_concurrently(sent)
        stored = [user for user in live_users(empty_database) if user.clerk_id == clerk_id]
        assert [user.email for user in stored] == [email]
    assert len(live_users(empty_database)) == 8


def test_two_users_who_claim_one_email_at_once(empty_database: Engine) -> None:
    for number in range(5):
        email = f"{number}@example.org"
        sent = [
            sending(
                empty_database,
                "created",
                clerk_user(f"user_{number}_{at}", at=at, email=email),
                new_id(),
            )
            for at in range(3)
        ]
        assert run_concurrently(sent) == [204] * 3
    assert {user.clerk_id: user.email for user in live_users(empty_database) if user.email} == {
        f"user_{number}_2": f"{number}@example.org" for number in range(5)
    }
    assert len(live_users(empty_database)) == 15


def test_concurrent_creation_and_deletion_end_in_a_tombstone(empty_database: Engine) -> None:
    for number in range(5):
        clerk_id = f"user_{number}"
        sent = [
            sending(empty_database, "created", clerk_user(clerk_id), new_id()),
            sending(empty_database, "deleted", {"id": clerk_id}, new_id()),
            lambda clerk_id=clerk_id: _session(empty_database, clerk_id),
        ]
        assert run_concurrently(sent)[:2] == [204, 204]
    assert live_users(empty_database) == []
    assert len(rows(empty_database, "SELECT FROM users")) == 5


def _session(engine: Engine, clerk_id: str) -> None:
    with suppress(CredentialsError):
        for _ in range(20):
            principal(engine, session_token(sub=clerk_id))
