"""The guard: which credentials give access to which views."""

import base64
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, jsonify
from flask.testing import FlaskClient
from sqlalchemy import Engine

from samsyn_model.database.engine import open_engine
from samsyn_model.database.transactions import writing
from samsyn_model.errors import CredentialsError
from samsyn_model.identity.api_tokens import create_token, find_or_create_user
from samsyn_model.identity.authentication import Authenticator
from samsyn_model.permissions.actions import READING_BY_POST, WRITING, Action
from samsyn_provider.cache.count_cache import CountCache
from samsyn_provider.cache.response_cache import ResponseCache
from samsyn_provider.cache.tile_cache import TileCache
from samsyn_provider.http import guard, problems
from samsyn_provider.http.deployment import Deployment
from samsyn_provider.http.guard import declared_action, parse_authorization, principal, requires
from samsyn_provider.rates.credentials import CredentialLimit
from samsyn_provider.rates.rate_limits import RateLimits
from tests.clerk_instance import ISSUER, public_pem, session_token, settings
from tests.statements import statements

OPEN = sorted(guard.UNGUARDED, key=lambda action: action.name)
GUARDED = sorted(set(Action) - guard.UNGUARDED, key=lambda action: action.name)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def make_app(engine: Engine) -> Flask:
    """Return an app with one view for each action, which returns the caller."""
    app = Flask(__name__, static_folder=None)
    values = settings(clerk_jwt_key=public_pem(), clerk_issuer=ISSUER)
    response_cache, rate_limits = ResponseCache(), RateLimits(values)
    app.extensions["samsyn"] = Deployment(
        *(values, engine, Authenticator(values)),
        *(response_cache, CountCache(), TileCache(None, response_cache)),
        *(rate_limits, CredentialLimit(rate_limits)),
    )
    problems.install(app)
    guard.install(app)
    for action in Action:

        @requires(action)
        def view() -> Any:
            caller = principal()
            return jsonify(user=caller.user_id and str(caller.user_id), scope=caller.scope)

        app.add_url_rule(f"/{action.name}", action.name, view, methods=METHODS)
    app.add_url_rule("/undeclared", "undeclared", lambda: "secret")
    return app


@pytest.fixture
def client(engine: Engine) -> FlaskClient:
    return make_app(engine).test_client()


@pytest.fixture
def client_without_database() -> Iterator[FlaskClient]:
    """A client of an app whose database does not exist: a statement would fail the request."""
    engine = open_engine("postgresql://127.0.0.1:1/nowhere")
    yield make_app(engine).test_client()
    engine.dispose()


@pytest.fixture
def tokens(empty_database: Engine) -> dict[str, str]:
    with writing(empty_database) as connection:
        user_id = find_or_create_user(connection, "anna@example.org")
        return {
            "user": str(user_id),
            "read": create_token(connection, user_id, name="reading", scope="read"),
            "write": create_token(connection, user_id, name="writing", scope="write"),
        }


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(password: str, user: str = "anybody") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def encoded(value: bytes) -> str:
    return "Basic " + base64.b64encode(value).decode()


INVALID = {
    "unknown token": "Bearer samsyn_" + "A" * 43,
    "garbage": "Bearer garbage",
    "null": "Bearer null",
    "no token": "Bearer",
    "empty": "",
    "spaces": "   ",
    "two tokens": "Bearer a b",
    "two headers": "Bearer a,Bearer b",
    "other scheme": "Digest username=x",
    "token alone": "samsyn_" + "A" * 43,
    "oversized": "Bearer " + "A" * 9000,
    "not ASCII": "Bearer å",
    "basic unknown": encoded(b"anybody:samsyn_" + b"A" * 43),
    "basic no base64": "Basic !!!",
    "basic no colon": encoded(b"samsyn_" + b"A" * 43),
    "basic no password": encoded(b"anybody:"),
    "basic bytes": encoded(b"a:\xff\xfe\x00"),
    "basic oversized": encoded(b"a:" + b"A" * 20000),
}


@pytest.mark.parametrize("name", INVALID)
@pytest.mark.parametrize("action", GUARDED)
def test_invalid_credentials_are_refused(client: FlaskClient, action: Action, name: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
        response = client.open(
            f"/{action.name}", method=method, headers={"Authorization": INVALID[name]}
        )
        assert response.status_code == 401, method
        schemes = response.headers.getlist("WWW-Authenticate")
        assert [scheme.split()[0] for scheme in schemes] == ["Bearer", "Basic"]
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", INVALID)
@pytest.mark.parametrize("action", OPEN)
def test_open_views_ignore_credentials(
    client_without_database: FlaskClient, action: Action, name: str
) -> None:
    response = client_without_database.get(
        f"/{action.name}", headers={"Authorization": INVALID[name]}
    )
    assert response.status_code == 200
    assert response.json == {"user": None, "scope": "write"}


@pytest.mark.parametrize("action", [*OPEN, *(a for a in GUARDED if a is not Action.SIGNED_IN)])
def test_anonymous_requests_need_no_database(
    client_without_database: FlaskClient, action: Action
) -> None:
    response = client_without_database.get(f"/{action.name}")
    assert response.status_code == 200
    assert response.json["user"] is None


@pytest.mark.parametrize("action", GUARDED)
def test_valid_credentials_name_the_user(
    client: FlaskClient, tokens: dict[str, str], action: Action
) -> None:
    for headers in (
        bearer(tokens["write"]),
        {"Authorization": f"bearer   {tokens['write']} "},
        basic(tokens["write"]),
        basic(tokens["write"], user=""),
        basic(tokens["write"], user="åsa"),
    ):
        response = client.get(f"/{action.name}", headers=headers)
        assert response.json == {"user": tokens["user"], "scope": "write"}
    for headers in (bearer(session_token()), basic(session_token())):
        assert client.get(f"/{action.name}", headers=headers).json["user"] is not None


def test_the_principal_is_not_shared_between_requests(
    client: FlaskClient, tokens: dict[str, str]
) -> None:
    assert client.get("/READ_MAP", headers=bearer(tokens["read"])).json["user"] == tokens["user"]
    assert client.get("/READ_MAP").json["user"] is None


def test_signed_in_needs_credentials(client: FlaskClient, tokens: dict[str, str]) -> None:
    for method in ("GET", "HEAD", *METHODS):
        response = client.open("/SIGNED_IN", method=method)
        assert response.status_code == 401, method
        assert "WWW-Authenticate" in response.headers
    assert client.get("/SIGNED_IN", headers=bearer(tokens["read"])).status_code == 200


def test_a_preflight_needs_no_credentials(client_without_database: FlaskClient) -> None:
    response = client_without_database.options(
        "/SIGNED_IN", headers={"Origin": "https://app.example.org"}
    )
    assert response.status_code == 200
    assert set(METHODS) < set(response.allow)


@pytest.mark.parametrize(
    "action", sorted(set(GUARDED) - WRITING - READING_BY_POST, key=lambda action: action.name)
)
def test_a_reading_token_writes_nothing(
    client: FlaskClient, tokens: dict[str, str], action: Action
) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for scope, status in (("read", 403), ("write", 200)):
            response = client.open(f"/{action.name}", method=method, headers=bearer(tokens[scope]))
            assert response.status_code == status, (method, scope)
    assert client.get(f"/{action.name}", headers=bearer(tokens["read"])).status_code == 200


def test_an_undeclared_view_is_never_served(
    client: FlaskClient, tokens: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    for headers in ({}, bearer(tokens["write"])):
        for method in ("GET", "HEAD", "OPTIONS"):
            with caplog.at_level(logging.ERROR):
                response = client.open("/undeclared", method=method, headers=headers)
            assert response.status_code == 500
            assert b"secret" not in response.data
    assert "undeclared" in caplog.text


def test_unknown_routes_are_404_and_methods_405(client_without_database: FlaskClient) -> None:
    for headers in ({}, bearer("garbage")):
        assert client_without_database.get("/nothing", headers=headers).status_code == 404
        response = client_without_database.post("/undeclared", headers=headers)
        assert response.status_code == 405
        assert "GET" in response.headers["Allow"]


def test_static_files_are_open(client_without_database: FlaskClient, tmp_path: Any) -> None:
    (tmp_path / "style.css").write_text("body {}")
    app = Flask(__name__, static_folder=str(tmp_path), static_url_path="/static")
    app.extensions["samsyn"] = client_without_database.application.extensions["samsyn"]
    problems.install(app)
    guard.install(app)
    parted = Blueprint("parted", __name__, url_prefix="/parted", static_folder=str(tmp_path))
    parted.static_url_path = "/files"
    plain = Blueprint("plain", __name__, url_prefix="/plain")
    plain.add_url_rule("/static", "static", lambda: "secret")
    parted.register_blueprint(plain)
    app.register_blueprint(parted)
    client = app.test_client()
    for path in ("/static/style.css", "/parted/files/style.css"):
        with client.get(path, headers=bearer("garbage")) as response:
            assert response.text == "body {}"
    assert declared_action(app, "static") is Action.READ_PUBLIC
    assert declared_action(app, "parted.static") is Action.READ_PUBLIC
    assert declared_action(app, "parted.plain.static") is None
    assert client.get("/parted/plain/static").status_code == 500


def test_one_statement_a_request(
    empty_database: Engine, client: FlaskClient, tokens: dict[str, str]
) -> None:
    client.get("/READ_LAYER", headers=bearer(tokens["read"]))
    with statements() as executed:
        client.get("/READ_LAYER", headers=bearer(tokens["read"]))
    assert len(executed) == 1


def test_responses_do_not_contain_the_credentials(client: FlaskClient) -> None:
    secret = "samsyn_" + "B" * 43
    for headers in (bearer(secret), basic(secret), {"Authorization": f"Token {secret}"}):
        assert secret not in client.get("/READ_MAP", headers=headers).text


@pytest.mark.parametrize(
    "name", sorted(set(INVALID) - {"unknown token", "garbage", "null", "basic unknown"})
)
def test_malformed_headers_are_refused_without_a_database(name: str) -> None:
    with pytest.raises(CredentialsError):
        parse_authorization(INVALID[name])
