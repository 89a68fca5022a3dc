"""People whom Clerk is asked about: who they are, how often, and what happens when it fails."""

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from samsyn_model.database.transactions import writing
from samsyn_model.errors import CredentialsError
from samsyn_model.identity import clerk_api, clerk_users
from samsyn_model.identity.accounts import close_account
from samsyn_model.identity.api_tokens import find_or_create_user
from samsyn_model.identity.authentication import Authenticator
from samsyn_model.identity.clerk_users import ClerkUsers
from tests.clerk_backend import SECRET_KEY, ClerkBackend, clerk_backend
from tests.clerk_deliveries import NOW, clerk_user
from tests.clerk_instance import session_token
from tests.model.identity.authentication import rows, statements

pytestmark = pytest.mark.usefixtures("empty_database")

PERSON = "SELECT id, clerk_id, email, username, first_name, last_name FROM users"
READ = ("GET", "/v1/users/user_anna")


class Clock:
    """The clock of the pauses, moved by hand."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(clerk_users, "monotonic", clock)
    return clock


@pytest.fixture
def backend() -> Iterator[ClerkBackend]:
    with clerk_backend(clerk_user()) as running:
        yield running


def sign_in(authenticator: Authenticator, engine: Engine, **claims: Any) -> uuid.UUID:
    user_id = authenticator.principal(engine, session_token(**claims)).user_id
    assert user_id is not None
    return user_id


def names(engine: Engine) -> list[Any]:
    return [tuple(row)[1:] for row in rows(engine, PERSON + " ORDER BY clerk_id")]


ANNA = ("user_anna", "anna@example.org", None, "Anna", "Sjö")
NOBODY = ("user_anna", None, None, None, None)


def test_an_unknown_person_has_a_name_and_an_email_at_once(
    engine: Engine, backend: ClerkBackend
) -> None:
    authenticator = Authenticator(backend.settings())
    first = sign_in(authenticator, engine)
    assert names(engine) == [ANNA]
    with statements() as seen:
        assert sign_in(authenticator, engine) == first
    assert len(seen) == 1
    assert backend.requests == [READ]


def test_a_person_known_without_a_name_is_completed(engine: Engine, backend: ClerkBackend) -> None:
    without_key = Authenticator(backend.settings(clerk_secret_key=None))
    known = sign_in(without_key, engine)
    assert (names(engine), backend.requests) == ([NOBODY], [])
    assert sign_in(Authenticator(backend.settings()), engine) == known
    assert names(engine) == [ANNA]


@pytest.mark.parametrize(
    ("column", "value", "is_asked"),
    [
        ("email", None, True),
        ("first_name", None, False),
        ("last_name", None, False),
        ("first_name, last_name", None, True),
        ("first_name, last_name", " ", True),
    ],
)
def test_who_is_asked_about(
    engine: Engine, backend: ClerkBackend, column: str, value: str | None, is_asked: bool
) -> None:
    sign_in(Authenticator(backend.settings()), engine)
    for name in column.split(", "):
        rows(engine, f"UPDATE users SET {name} = :value", value=value)
    sign_in(Authenticator(backend.settings()), engine)
    assert (backend.requests == [READ, READ]) is is_asked
    if is_asked:
        assert names(engine) == [ANNA]


@pytest.mark.parametrize(
    "members",
    [
        {"first_name": None, "last_name": None},
        {"email": None},
        {"verified": False},
        {"first_name": "", "last_name": " "},
    ],
)
def test_a_person_without_a_name_or_email_is_asked_about_now_and_then(
    engine: Engine, backend: ClerkBackend, clock: Clock, members: dict[str, Any]
) -> None:
    backend.users["user_anna"] = clerk_user(**members)
    authenticator = Authenticator(backend.settings())
    for _ in range(5):
        sign_in(authenticator, engine)
    assert len(backend.requests) == 1
    backend.users["user_anna"] = clerk_user(at=1)
    clock.ahead = clerk_users.INTERVAL + 1
    sign_in(authenticator, engine)
    assert (len(backend.requests), names(engine)) == (2, [ANNA])


def test_the_user_of_the_command_line_with_the_same_email_is_the_person(
    engine: Engine, backend: ClerkBackend
) -> None:
    with writing(engine) as connection:
        user_id = find_or_create_user(connection, "Anna@Example.org")
    assert sign_in(Authenticator(backend.settings()), engine) == user_id
    assert [row.id for row in rows(engine, PERSON)] == [user_id]


def test_a_session_that_was_stored_before_is_merged(engine: Engine, backend: ClerkBackend) -> None:
    with writing(engine) as connection:
        user_id = find_or_create_user(connection, "anna@example.org")
    former = sign_in(Authenticator(backend.settings(clerk_secret_key=None)), engine)
    assert former != user_id
    assert sign_in(Authenticator(backend.settings()), engine) == user_id
    [live] = rows(engine, PERSON + " WHERE deleted_at IS NULL")
    assert tuple(live)[1:] == ANNA


def test_an_unverified_email_gives_nothing(engine: Engine, backend: ClerkBackend) -> None:
    backend.users["user_anna"] = clerk_user(verified=False)
    with writing(engine) as connection:
        other = find_or_create_user(connection, "anna@example.org")
    assert sign_in(Authenticator(backend.settings()), engine) != other


def test_an_administrator_at_clerk_is_one(engine: Engine, backend: ClerkBackend) -> None:
    backend.users["user_anna"] = clerk_user(public_metadata={"isAdmin": True})
    authenticator = Authenticator(backend.settings())
    assert authenticator.principal(engine, session_token()).is_admin


def test_what_the_webhook_said_later_stays(engine: Engine, backend: ClerkBackend) -> None:
    rows(
        engine,
        "INSERT INTO users (clerk_id, first_name, clerk_updated_at)"
        " VALUES ('user_anna', 'Anni', to_timestamp(:at))",
        at=NOW / 1000 + 5,
    )
    sign_in(Authenticator(backend.settings()), engine)
    assert names(engine) == [("user_anna", None, None, "Anni", None)]


def test_a_deleted_account_is_not_asked_about(engine: Engine, backend: ClerkBackend) -> None:
    authenticator = Authenticator(backend.settings())
    user_id = sign_in(authenticator, engine)
    with writing(engine) as connection:
        close_account(connection, user_id)
    with pytest.raises(CredentialsError, match="has been deleted"):
        sign_in(authenticator, engine)
    assert len(backend.requests) == 1


def test_a_person_who_comes_back_has_a_name(engine: Engine, backend: ClerkBackend) -> None:
    user_id = sign_in(Authenticator(backend.settings()), engine)
    with writing(engine) as connection:
        close_account(connection, user_id)
    rows(engine, "UPDATE users SET deleted_at = now() - interval '10 minutes'")
    sign_in(Authenticator(backend.settings()), engine)
    [live] = rows(engine, PERSON + " WHERE deleted_at IS NULL")
    assert tuple(live)[1:] == ANNA


def misbehave(backend: ClerkBackend, kind: str) -> None:
    """Have the backend fail in one of many ways."""
    if kind.isdigit():
        backend.status = int(kind)
    if kind == "302":
        backend.headers = {"Location": f"{backend.url}/v1/users/user_anna"}
    if kind == "cut off":
        backend.is_cut_off = True
    if kind == "slow":
        backend.delay = 30
    if kind == "endless headers":
        backend.drips = True
    if kind == "another key":
        backend.users = {}
        backend.status = 401
    bodies = {
        "huge": b'{"id": "user_anna", "first_name": "' + b"x" * clerk_api.MAX_RESPONSE + b'"}',
        "page": b"<html>Sign in to the network</html>",
        "empty": b"",
        "deep": b"[" * 100_000,
        "bytes": b"\xff\xfe\x00",
    }
    if kind in bodies:
        backend.body = bodies[kind]
        backend.content_type = "text/html"


OUTAGES = ("401", "403", "429", "500", "502", "another key", "cut off", "slow", "endless headers")
"""What concerns every user."""
FAULTS = ("302", "400", "422", "huge", "page", "empty", "deep", "bytes")
"""What may concern one user alone."""


@pytest.mark.parametrize("kind", [*OUTAGES, *FAULTS])
def test_without_an_answer_the_session_works(
    engine: Engine,
    backend: ClerkBackend,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    monkeypatch.setattr(clerk_users, "WAIT", 0.3)
    monkeypatch.setattr(clerk_api, "API_TIMEOUT", 0.6)
    people = [f"user_{number}" for number in range(20)]
    backend.users = {sub: clerk_user(sub) for sub in people}
    misbehave(backend, kind)
    authenticator = Authenticator(backend.settings())
    began = time.monotonic()
    for sub in people:
        assert sign_in(authenticator, engine, sub=sub)
    assert time.monotonic() - began < 5
    assert len(backend.requests) <= (20 if kind in FAULTS else clerk_users.AT_ONCE)
    assert {name[1:] for name in names(engine)} == {(None, None, None, None)}
    if kind != "endless headers":
        told = "Clerk does not tell of user_" if kind in FAULTS else "Clerk cannot be asked"
        until(lambda: told in caplog.text)
    assert SECRET_KEY not in caplog.text


@pytest.mark.parametrize("kind", FAULTS)
def test_one_users_fault_leaves_the_others_alone(
    engine: Engine, backend: ClerkBackend, clock: Clock, kind: str
) -> None:
    backend.users["user_berit"] = clerk_user("user_berit", email="berit@example.org")
    authenticator = Authenticator(backend.settings())
    misbehave(backend, kind)
    for _ in range(3):
        sign_in(authenticator, engine)
    assert len(backend.requests) == 1
    backend.status, backend.headers, backend.body = None, {}, None
    sign_in(authenticator, engine, sub="user_berit")
    assert backend.requests[1:] == [("GET", "/v1/users/user_berit")]
    assert [name[1] for name in names(engine)] == [None, "berit@example.org"]
    clock.ahead = clerk_users.INTERVAL + 1
    sign_in(authenticator, engine)
    assert [name[1] for name in names(engine)] == ["anna@example.org", "berit@example.org"]


def test_no_log_line_is_personal(
    engine: Engine, backend: ClerkBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """PostgreSQL names the values of a row that it refuses."""
    with writing(engine) as connection:
        other = find_or_create_user(connection, "other@example.org")
    rows(engine, "UPDATE users SET clerk_id = 'user_other' WHERE id = :id", id=other)
    refuse = "ALTER TABLE users ADD CONSTRAINT refuse CHECK (first_name IS NULL)"
    with caplog.at_level(logging.DEBUG):
        rows(engine, refuse)
        try:
            sign_in(Authenticator(backend.settings()), engine)
        finally:
            rows(engine, "ALTER TABLE users DROP CONSTRAINT refuse")
    assert "What Clerk knows of user_anna cannot be stored" in caplog.text
    for text in ("anna@example.org", "Sjö", "Anna", "Failing row"):
        assert text not in caplog.text


def test_deletions_are_bounded(
    backend: ClerkBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clerk_users, "WAIT", 0.05)
    monkeypatch.setattr(clerk_api, "API_TIMEOUT", 2.0)
    backend.delay = 30
    users = ClerkUsers(backend.settings())
    before = threading.active_count()
    people = [f"user_{number}" for number in range(3 * clerk_users.AT_ONCE)]
    for sub in people:
        users.delete(sub)
    under_way = {thread for thread in threading.enumerate() if thread.name == "Clerk"}
    assert len(under_way) == clerk_users.AT_ONCE
    assert threading.active_count() <= before + 2 * clerk_users.AT_ONCE, "the backend's too"
    for sub in people[clerk_users.AT_ONCE :]:
        assert f"{sub} is not deleted at Clerk" in caplog.text
    assert len(backend.requests) == clerk_users.AT_ONCE
    for thread in under_way:
        thread.join(10)
    for sub in people:
        assert caplog.text.count(f"{sub} is not deleted at Clerk") == 1
    backend.delay = 0
    backend.users["user_late"] = clerk_user("user_late")
    monkeypatch.setattr(clerk_users, "WAIT", 5.0)
    users.delete("user_late")
    assert "user_late" not in backend.users, "there is room again"


def until(condition: Any) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    "user",
    [
        clerk_user("user_berit"),
        {"id": "user_anna"},
        clerk_user(updated_at="today"),
        clerk_user(first_name={"a": 1}),
        clerk_user(first_name="a\x00"),
        clerk_user(email_addresses=7),
        ["user_anna"],
        None,
    ],
)
def test_a_user_of_another_shape_is_left_as_it_is(
    engine: Engine, backend: ClerkBackend, caplog: pytest.LogCaptureFixture, user: Any
) -> None:
    backend.users["user_anna"] = user
    authenticator = Authenticator(backend.settings())
    for _ in range(3):
        sign_in(authenticator, engine)
    assert names(engine) == [NOBODY]
    assert len(backend.requests) == 1
    assert "Sjö" not in caplog.text


def test_an_unknown_user_is_asked_about_once(engine: Engine, backend: ClerkBackend) -> None:
    backend.users.clear()
    authenticator = Authenticator(backend.settings())
    for sub in ("user_anna", "user_berit", "user_anna", "user_berit"):
        sign_in(authenticator, engine, sub=sub)
    assert len(backend.requests) == 2, "of each, since Clerk itself responds"


@pytest.mark.parametrize("is_date", [False, True])
def test_a_limit_is_waited_for(
    engine: Engine, backend: ClerkBackend, clock: Clock, is_date: bool
) -> None:
    backend.status = 429
    backend.headers = {"Retry-After": formatdate(time.time() + 1000) if is_date else "1000"}
    authenticator = Authenticator(backend.settings())
    for later in (0, 500, 990):
        clock.ahead = later
        sign_in(authenticator, engine)
    assert len(backend.requests) == 1
    backend.status = None
    clock.ahead = 1001
    sign_in(authenticator, engine)
    assert (len(backend.requests), names(engine)) == (2, [ANNA])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("", 0), ("7", 7), (" 7 ", 7), ("-7", 0), ("soon", 0), ("1e9", 0), ("9" * 400, 0)),
        *(("999999999", clerk_api.MAX_RETRY_AFTER), ("Mon, 01 Jan 2001 00:00:00 GMT", 0)),
        *(("Mon, 99 Jan 2001 00:00:00 GMT", 0), ("٧", 0)),
    ],
)
def test_retry_after(text: str, seconds: float) -> None:
    assert clerk_api._seconds(text) == seconds


def test_pauses_get_longer_and_end(engine: Engine, backend: ClerkBackend, clock: Clock) -> None:
    backend.status = 500
    authenticator = Authenticator(backend.settings())
    for _ in range(3600):
        sign_in(authenticator, engine)
        clock.ahead += 1
        if clock.ahead > 40 and len(backend.requests) > 3:
            break
    assert 40 < clock.ahead < 200
    for _ in range(20):
        clock.ahead += clerk_users.LONGEST_PAUSE + 1
        before = len(backend.requests)
        sign_in(authenticator, engine)
        assert len(backend.requests) == before + 1
    backend.status = None
    clock.ahead += clerk_users.LONGEST_PAUSE + 1
    sign_in(authenticator, engine)
    assert names(engine) == [ANNA]


def test_a_late_answer_is_stored(
    engine: Engine, backend: ClerkBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clerk_users, "WAIT", 0.2)
    backend.delay = 1
    user_id = sign_in(Authenticator(backend.settings()), engine)
    assert names(engine) == [NOBODY]
    until(lambda: names(engine) == [ANNA])
    assert [row.id for row in rows(engine, PERSON)] == [user_id]


def test_no_connection_is_held_meanwhile(
    engine: Engine, backend: ClerkBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.delay = 0.7
    authenticator = Authenticator(backend.settings())
    thread = threading.Thread(target=lambda: sign_in(authenticator, engine))
    before = engine.pool.checkedout()  # type: ignore[attr-defined]
    thread.start()
    until(lambda: backend.requests)
    assert engine.pool.checkedout() == before  # type: ignore[attr-defined]
    thread.join()


def test_many_requests_at_first_sight_ask_once(engine: Engine, backend: ClerkBackend) -> None:
    authenticator = Authenticator(backend.settings())
    backend.delay = 0.1
    with ThreadPoolExecutor(6) as threads:
        found = set(threads.map(lambda _: sign_in(authenticator, engine), range(12)))
    assert len(found) == 1
    assert backend.requests == [READ]
    assert names(engine) == [ANNA]


def test_what_is_remembered_is_bounded(
    engine: Engine, backend: ClerkBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clerk_users, "MAX_REMEMBERED", 2)
    backend.users.clear()
    authenticator = Authenticator(backend.settings())
    for sub in ("user_a", "user_b", "user_c", "user_c", "user_a"):
        sign_in(authenticator, engine, sub=sub)
    assert len(backend.requests) == 4


def test_no_redirect_takes_the_key_elsewhere(engine: Engine, backend: ClerkBackend) -> None:
    with clerk_backend() as elsewhere:
        backend.status, backend.headers = 307, {"Location": f"{elsewhere.url}/v1/users/user_anna"}
        sign_in(Authenticator(backend.settings()), engine)
        assert elsewhere.requests == []


def test_an_id_is_one_segment_of_the_path(engine: Engine, backend: ClerkBackend) -> None:
    sign_in(Authenticator(backend.settings()), engine, sub="../organizations?x=#y")
    assert backend.requests == [("GET", "/v1/users/..%2Forganizations%3Fx%3D%23y")]


@pytest.mark.parametrize("key", ["sk_", "pk_test_x", "sk_live_a\nb", "sk_live_a b", "sk_live_é"])
def test_a_key_that_is_none_is_refused_at_start(backend: ClerkBackend, key: str) -> None:
    with pytest.raises(ValueError, match="CLERK_SECRET_KEY") as refused:
        Authenticator(backend.settings(clerk_secret_key=SecretStr(key)))
    assert key not in str(refused.value) or key == "sk_"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.clerk.example",
        "file:///etc/passwd",
        "api.clerk.com",
        "https://",
        "https://a?b=c",
    ],
)
def test_the_key_is_sent_over_https_alone(backend: ClerkBackend, url: str) -> None:
    with pytest.raises(ValueError, match="CLERK_API_URL"):
        Authenticator(backend.settings(clerk_api_url=url))


def test_the_standard_address_needs_no_setting() -> None:
    key = SecretStr(SECRET_KEY)
    assert ClerkBackend().settings(clerk_secret_key=key).clerk_secret_key == key
    Authenticator(ClerkBackend().settings(clerk_api_url="https://api.clerk.com"))


def test_a_database_that_stores_nothing_stops_nobody(
    engine: Engine, backend: ClerkBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(Authenticator(backend.settings(clerk_secret_key=None)), engine)
    rows(engine, "ALTER TABLE users ADD CONSTRAINT none_named CHECK (first_name IS NULL)")
    try:
        assert sign_in(Authenticator(backend.settings()), engine)
    finally:
        rows(engine, "ALTER TABLE users DROP CONSTRAINT none_named")
    assert names(engine) == [NOBODY]
