"""Wrong credentials: after some from an address none is looked up, but for those known as valid."""

import base64
import secrets
import time
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.database.engine import open_engine
from samsyn_model.identity import authentication
from samsyn_model.settings import Settings
from samsyn_provider.http.browser_session import COOKIE
from samsyn_provider.rates import credentials
from samsyn_provider.rates.credentials import CredentialLimit
from samsyn_provider.rates.rate_limits import RateLimits
from tests.clerk_instance import ISSUER, public_pem, session_token, settings
from tests.documented_responses import validate_responses
from tests.ogc.conftest import Person
from tests.statements import statements

Layer = Callable[..., str]
ME = "/api/v1/users/me"
BOUND = 5


@pytest.fixture
def make_client(empty_database: Engine, redis_url: str | None) -> Callable[[], FlaskClient]:
    """Make a client of another process of one server."""

    def make() -> FlaskClient:
        values = settings(
            clerk_jwt_key=public_pem(),
            clerk_issuer=ISSUER,
            redis_url=redis_url,
            wrong_credentials_per_minute=BOUND,
        )
        app = create_app(values, empty_database)
        validate_responses(app)
        return app.test_client()

    return make


@pytest.fixture
def client(make_client: Callable[[], FlaskClient]) -> FlaskClient:
    return make_client()


def wrong_token() -> str:
    return f"samsyn_{secrets.token_urlsafe(32)}"


def ask(
    client: FlaskClient, credential: str, path: str = ME, address: str = "192.0.2.1"
) -> TestResponse:
    return client.get(
        path,
        headers={"Authorization": f"Bearer {credential}"},
        environ_overrides={"REMOTE_ADDR": address},
    )


def token_of(person: Person) -> str:
    return person.headers["Authorization"].removeprefix("Bearer ")


def exhaust(client: FlaskClient, path: str = ME, address: str = "192.0.2.1") -> None:
    statuses = [ask(client, wrong_token(), path, address).status_code for _ in range(BOUND)]
    assert statuses == [401] * BOUND


def test_after_the_bound_nothing_is_looked_up(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    exhaust(client)

    def hash_token(_: str) -> bytes:
        raise AssertionError("The token is hashed.")

    monkeypatch.setattr(authentication, "hash_token", hash_token)
    with statements() as seen:
        refused = ask(client, wrong_token())
    assert seen == []
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60 / BOUND
    assert "WWW-Authenticate" not in refused.headers
    monkeypatch.undo()
    assert ask(client, wrong_token(), address="192.0.2.2").status_code == 401


def test_tokens_that_are_looked_up_with_their_layer_are_counted_too(
    client: FlaskClient, layer: Layer
) -> None:
    path = f"/ogc/collections/{layer(visibility='public')}/items"
    exhaust(client, path)
    with statements() as seen:
        assert ask(client, wrong_token(), path).status_code == 429
    assert seen == []
    assert client.get(path, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200


def test_health_does_not_look_up_more(client: FlaskClient, person: Callable[[str], Person]) -> None:
    """It is for all, and says more to administrators: it would tell which tokens are theirs."""
    health = "/api/health"
    with statements() as anonymous:
        assert client.get(health).status_code == 200
    for _ in range(BOUND):
        assert ask(client, wrong_token(), health).status_code == 200
    with statements() as seen:
        assert ask(client, wrong_token(), health).status_code == 200
    assert seen == anonymous
    assert ask(client, wrong_token()).status_code == 429


def test_basic_credentials_are_counted_as_bearer_ones(client: FlaskClient) -> None:
    def basic() -> TestResponse:
        value = base64.b64encode(f"me:{wrong_token()}".encode()).decode()
        return client.get(ME, headers={"Authorization": f"Basic {value}"})

    assert [basic().status_code for _ in range(BOUND + 1)] == [401] * BOUND + [429]


def test_what_was_valid_before_still_is(
    client: FlaskClient, person: Callable[[str], Person]
) -> None:
    """One person's wrong token does not keep out who shares the address."""
    known, unknown = token_of(person("known")), token_of(person("unknown"))
    assert ask(client, known).status_code == 200
    exhaust(client)
    assert ask(client, known).status_code == 200
    assert ask(client, unknown).status_code == 429
    assert ask(client, unknown, address="192.0.2.2").status_code == 200
    assert ask(client, unknown).status_code == 200


def test_a_revoked_token_is_wrong_and_no_longer_known(
    client: FlaskClient, person: Callable[[str], Person], empty_database: Engine
) -> None:
    token = token_of(person("owner"))
    assert ask(client, token).status_code == 200
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE api_tokens SET revoked_at = now()"))
    statuses = [ask(client, token).status_code for _ in range(BOUND + 2)]
    assert statuses == [401] * BOUND + [429] * 2


def test_sessions_are_counted_apart_from_tokens(client: FlaskClient) -> None:
    """Those of the web app change every minute: a program with a wrong token keeps nobody out."""
    exhaust(client)
    assert ask(client, session_token()).status_code == 200
    header, payload, _ = session_token().split(".")
    forged = [ask(client, f"{header}.{payload}.{secrets.token_urlsafe(256)}") for _ in range(6)]
    assert [each.status_code for each in forged] == [401] * BOUND + [429]


def test_sessions_that_have_expired_are_not_counted(client: FlaskClient) -> None:
    """Each computer that wakes up sends some."""
    old = int(time.time()) - 3_600
    expired = session_token(iat=old, nbf=old, exp=old + 60)
    for _ in range(BOUND + 2):
        response = ask(client, expired)
        assert response.status_code == 401
        assert response.json is not None
        assert "expired" in response.json["detail"]
        assert client.post("/ogc/sign-in", data={"token": expired}).status_code == 422
    assert ask(client, session_token()).status_code == 200
    header, payload, _ = expired.split(".")
    forged = [ask(client, f"{header}.{payload}.{secrets.token_urlsafe(256)}") for _ in range(6)]
    assert [each.status_code for each in forged] == [401] * BOUND + [429]


def test_requests_without_credentials_are_not_counted(client: FlaskClient) -> None:
    for _ in range(2 * BOUND):
        assert client.get(ME, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}).status_code == 401
    assert ask(client, wrong_token()).status_code == 401


def test_cookies_are_counted(client: FlaskClient, layer: Layer) -> None:
    path = f"/ogc/collections/{layer()}"

    def with_cookie() -> TestResponse:
        client.set_cookie(COOKIE, secrets.token_urlsafe(32))
        return client.get(path)

    assert [with_cookie().status_code for _ in range(BOUND)] == [200] * BOUND
    with statements() as seen:
        assert with_cookie().status_code == 429
    assert seen == []


def test_signing_in_is_counted(client: FlaskClient, person: Callable[[str], Person]) -> None:
    def sign_in(token: str) -> TestResponse:
        return client.post("/ogc/sign-in", data={"token": token})

    wrong = [sign_in(wrong_token()).status_code for _ in range(BOUND)]
    assert wrong == [422] * BOUND
    with statements() as seen:
        assert sign_in(wrong_token()).status_code == 429
    assert seen == []
    assert sign_in("").status_code == 422
    other = client.post(
        "/ogc/sign-in",
        data={"token": token_of(person("owner"))},
        environ_overrides={"REMOTE_ADDR": "192.0.2.2"},
    )
    assert other.status_code == 303


@pytest.mark.parametrize("redis_url", ["redis"], indirect=True)
def test_processes_share_the_bound_in_redis(make_client: Callable[[], FlaskClient]) -> None:
    """A process learns of it by the next wrong credential."""
    exhaust(make_client())
    other = make_client()
    assert [ask(other, wrong_token()).status_code for _ in range(3)] == [401, 429, 429]


def test_the_memory_of_valid_credentials_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "MAX_ACCEPTED", 10)
    limit = CredentialLimit(RateLimits(Settings(_env_file=None, wrong_credentials_per_minute=1)))
    for number in range(95):
        limit.accept(str(number))
    assert len(limit._accepted) == 5


def test_while_the_database_is_away_no_credential_is_taken_for_valid(
    empty_database: Engine, person: Callable[[str], Person]
) -> None:
    away = open_engine("postgresql://127.0.0.1:1/nothing")
    app = create_app(Settings(_env_file=None, wrong_credentials_per_minute=1), away)
    assert ask(app.test_client(), token_of(person("owner"))).status_code == 503
    assert app.extensions["samsyn"].credential_limit._accepted == {}
