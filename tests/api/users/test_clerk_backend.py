"""Accounts of a server that may ask Clerk's backend API, and has no webhook."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.identity import clerk_api, clerk_users
from tests.clerk_backend import SECRET_KEY, ClerkBackend, clerk_backend
from tests.clerk_deliveries import SECRET, clerk_user, deliver_user
from tests.clerk_instance import session_token
from tests.documented_responses import validate_responses
from tests.model.identity.authentication import rows

ME = "/api/v1/users/me"
MAPS = "/api/v1/maps"
MAJA = clerk_user("user_maja", email="maja@example.org", first_name="Maja", last_name="Lindqvist")


@pytest.fixture
def backend() -> Iterator[ClerkBackend]:
    with clerk_backend(clerk_user(), MAJA) as running:
        yield running


def client_of(backend: ClerkBackend, engine: Engine, **values: Any) -> FlaskClient:
    app = create_app(backend.settings(**values), engine)
    validate_responses(app)
    return app.test_client()


@pytest.fixture
def client(backend: ClerkBackend, empty_database: Engine) -> FlaskClient:
    return client_of(backend, empty_database, clerk_webhook_secret=SecretStr(SECRET))


def session(**claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {session_token(**claims)}"}


HEADERS = session(exp=int(time.time()) + 3600)
"""Made once: it outlasts the tests that run before."""


def test_people_have_names_and_can_be_invited_without_a_webhook(client: FlaskClient) -> None:
    maja = client.get(ME, headers=session(sub="user_maja")).json or {}
    assert (maja["email"], maja["first_name"]) == ("maja@example.org", "Maja")
    created = client.post(MAPS, json={"name": "Plan"}, headers=HEADERS).json or {}
    assert (created["creator"]["email"], created["creator"]["first_name"]) == (
        "anna@example.org",
        "Anna",
    )
    path = f"{MAPS}/{created['id']}/collaborators"
    invited = client.post(path, json={"email": "Maja@example.org"}, headers=HEADERS)
    assert invited.status_code == 201, invited.text
    collaborator = (invited.json or {})["user"]
    assert (collaborator["last_name"], collaborator["email"]) == ("Lindqvist", "maja@example.org")


@pytest.mark.parametrize("path", [ME, MAPS, "/api/v1/layers", "/ogc/collections"])
def test_no_connection_is_held_while_clerk_is_asked(
    client: FlaskClient, backend: ClerkBackend, engine: Engine, path: str
) -> None:
    held = held_meanwhile(backend, engine)
    assert client.get(path, headers=HEADERS).status_code == 200
    assert client.get(path, headers=HEADERS).status_code == 200
    assert held == [0]


def test_no_connection_is_held_while_somebody_signs_in_or_leaves(
    client: FlaskClient, backend: ClerkBackend, engine: Engine
) -> None:
    held = held_meanwhile(backend, engine)
    client.set_cookie("__session", HEADERS["Authorization"].removeprefix("Bearer "))
    signed_in = client.post("/ogc/sign-in", data={"web_app": "true"})
    assert signed_in.status_code == 303
    assert held == [0]
    assert client.delete(ME, headers=HEADERS).status_code == 204
    assert held == [0, 0]


def held_meanwhile(backend: ClerkBackend, engine: Engine) -> list[int]:
    """Return a list to which each request to Clerk adds how many connections are held."""
    held: list[int] = []
    respond = backend.respond

    def noting(method: str, path: str, authorization: str | None) -> tuple[int, Any]:
        held.append(engine.pool.checkedout())  # type: ignore[attr-defined]
        return respond(method, path, authorization)

    backend.respond = noting  # type: ignore[method-assign]
    return held


def test_an_account_is_deleted_at_clerk_too(
    client: FlaskClient, backend: ClerkBackend, engine: Engine
) -> None:
    client.get(ME, headers=HEADERS)
    assert client.delete(ME, headers=HEADERS).status_code == 204
    assert backend.requests[-1] == ("DELETE", "/v1/users/user_anna")
    assert "user_anna" not in backend.users
    before = rows(engine, "SELECT * FROM users")
    deliver_user(client, "deleted", {"id": "user_anna", "object": "user", "deleted": True})
    assert rows(engine, "SELECT * FROM users") == before, "the webhook comes later"
    assert client.get(ME, headers=HEADERS).status_code == 401


@pytest.mark.parametrize("kind", ["401", "404", "429", "500", "slow", "cut off", "dead"])
def test_an_account_is_deleted_whatever_clerk_says(
    client: FlaskClient,
    backend: ClerkBackend,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    monkeypatch.setattr(clerk_users, "WAIT", 0.5)
    monkeypatch.setattr(clerk_api, "API_TIMEOUT", 0.3)
    client.get(ME, headers=HEADERS)
    if kind.isdigit():
        backend.status = int(kind)
    backend.delay = 30 if kind == "slow" else 0
    backend.is_cut_off = kind == "cut off"
    if kind == "dead":
        monkeypatch.setattr(clerk_users.ClerkAPI, "_send", _refused)
    assert client.delete(ME, headers=HEADERS).status_code == 204
    assert client.get(ME, headers=HEADERS).status_code == 401
    assert ("user_anna is not deleted at Clerk" in caplog.text) is (kind not in {"404", "cut off"})
    assert SECRET_KEY not in caplog.text


def _refused(*_: Any) -> None:
    raise clerk_api.ClerkAPIError("ConnectionRefusedError", is_outage=True)


def test_nothing_is_deleted_at_clerk_that_stays_here(
    client: FlaskClient, backend: ClerkBackend
) -> None:
    client.get(ME, headers=HEADERS)
    stale = {**HEADERS, "If-Match": '"0"'}
    assert client.delete(ME, headers=stale).status_code == 412
    read_only = client.post(
        "/api/v1/tokens", json={"name": "QGIS", "scope": "read"}, headers=HEADERS
    ).json
    token = {"Authorization": f"Bearer {(read_only or {})['token']}"}
    assert client.delete(ME, headers=token).status_code == 403
    assert client.delete(ME).status_code == 401
    assert {method for method, _ in backend.requests} == {"GET"}


def test_without_the_key_clerk_is_left_alone(backend: ClerkBackend, empty_database: Engine) -> None:
    client = client_of(backend, empty_database, clerk_secret_key=None)
    client.get(ME, headers=HEADERS)
    assert client.delete(ME, headers=HEADERS).status_code == 204
    assert backend.requests == []


def test_a_user_without_clerk_is_deleted_here_alone(
    client: FlaskClient, backend: ClerkBackend, engine: Engine
) -> None:
    token = (
        client.post("/api/v1/tokens", json={"name": "x", "scope": "write"}, headers=HEADERS).json
        or {}
    )["token"]
    rows(engine, "UPDATE users SET clerk_id = NULL")
    response = client.delete(ME, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 204
    assert {method for method, _ in backend.requests} == {"GET"}
