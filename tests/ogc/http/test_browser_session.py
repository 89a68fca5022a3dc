"""The cookie of a signed-in browser: where it counts, what is cached, what it costs."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.database.engine import open_engine
from samsyn_model.database.transactions import writing
from samsyn_model.identity.accounts import close_account
from samsyn_model.identity.browser_sessions import begin_session
from samsyn_model.settings import Settings
from samsyn_provider.http.browser_session import COOKIE
from tests.ogc.conftest import Person
from tests.statements import statements

Layer = Callable[..., str]
Browse = Callable[..., TestResponse]
HTML = {"Accept": "text/html"}
TILE = "/tiles/WebMercatorQuad/0/0/0"
RESOURCES = ("", "/schema", "/queryables", "/sortables", "/items", "/items?f=csv", "/items?f=kml",
             "/tiles", "/tiles/WebMercatorQuad", TILE)  # fmt: skip


@pytest.fixture
def owner(person: Callable[[str], Person]) -> Person:
    return person("owner")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client(use_cookies=False)


@pytest.fixture
def session(empty_database: Engine, owner: Person) -> dict[str, str]:
    """The header with the cookie of the owner, who signed in by a token that may write."""
    token = owner.headers["Authorization"].removeprefix("Bearer ")
    with writing(empty_database) as connection:
        connection.execute(text("UPDATE api_tokens SET last_used_at = now()"))
        session_id, _ = begin_session(connection, owner.id, token)
    return {"Cookie": f"other=1; {COOKIE}={session_id}"}


@pytest.fixture
def private(layer: Layer) -> str:
    """The address of a private collection of the owner."""
    return f"/ogc/collections/{layer([('POINT(1 2)', {'a': 1})], visibility='private')}"


def vary_of(response: TestResponse) -> set[str]:
    return {value.strip() for value in response.headers.get("Vary", "").split(",")}


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_private_layer_is_read_by_the_cookie(
    client: FlaskClient, session: dict[str, str], private: str, resource: str, method: str
) -> None:
    response = client.open(private + resource, method=method, headers=session)
    assert response.status_code == 200
    assert "Cookie" in vary_of(response)
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert "Set-Cookie" not in response.headers
    assert client.open(private + resource, method=method).status_code == 404


@pytest.mark.parametrize("path", ["/", "/ogc/", "/ogc/conformance", "/ogc/openapi",
                                  "/ogc/collections", "{}", "{}/items", "{}/schema", "{}/none",
                                  "/ogc/sign-in"])  # fmt: skip
def test_pages_name_the_person_and_are_not_stored(
    client: FlaskClient, session: dict[str, str], private: str, path: str
) -> None:
    page = client.get(path.format(private), headers={**session, **HTML})
    assert "owner@example.org" in page.text
    assert "/ogc/sign-out" in page.text
    assert 'href="http://localhost/ogc/sign-in' not in page.text
    assert page.headers["Cache-Control"] == "private, no-store"
    assert "Cookie" in vary_of(page)
    anonymous = client.get(path.format(private), headers=HTML)
    assert "owner@example.org" not in anonymous.text
    assert 'href="http://localhost/ogc/sign-in' in anonymous.text
    assert "/ogc/sign-out" not in anonymous.text


def test_the_page_of_the_management_api_knows_no_session(
    client: FlaskClient, session: dict[str, str]
) -> None:
    for headers in ({}, session):
        page = client.get("/api/docs", headers=headers)
        assert page.status_code == 200
        assert "/sign-" not in page.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer garbage"},
        {"Authorization": "Bearer samsyn_" + "A" * 43},
        {"Authorization": ""},
    ],
)
def test_invalid_credentials_are_refused_beside_the_cookie(
    client: FlaskClient, session: dict[str, str], private: str, headers: dict[str, str]
) -> None:
    for resource in RESOURCES:
        assert client.get(private + resource, headers={**session, **headers}).status_code == 401


def test_a_header_counts_and_not_the_cookie(
    client: FlaskClient, session: dict[str, str], private: str, person: Callable[[str], Person]
) -> None:
    headers = {**session, **person("stranger").headers}
    for resource in RESOURCES:
        assert client.get(private + resource, headers=headers).status_code == 404
    assert client.get("/api/v1/users/me", headers=headers).json["email"] == "stranger@example.org"  # type: ignore[index]
    page = client.get("/", headers={**headers, **HTML}).text
    assert "owner@example.org" not in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Origin": "http://localhost:5173"},
        {"Origin": "https://localhost"},
    ],
)
@pytest.mark.parametrize("frontend", [None, "http://localhost:5173"])
def test_pages_of_other_origins_do_not_read_by_the_cookie(
    empty_database: Engine,
    session: dict[str, str],
    private: str,
    headers: dict[str, str],
    frontend: str | None,
) -> None:
    app = create_app(Settings(_env_file=None, frontend_url=frontend), empty_database)
    client = app.test_client(use_cookies=False)
    for resource in RESOURCES:
        assert client.get(private + resource, headers={**session, **headers}).status_code == 404
    own = {**session, "Origin": "http://localhost"}
    response = client.get(private, headers=own)
    assert response.status_code == 200
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_searches_are_not_by_the_cookie(
    client: FlaskClient, session: dict[str, str], private: str
) -> None:
    """A POST never counts, so that no form of another page does anything by the cookie."""
    assert client.post(f"{private}/search", json={}, headers=session).status_code == 404


def test_methods_that_are_permitted_are_not_by_the_cookie(
    client: FlaskClient, session: dict[str, str], layer: Layer
) -> None:
    public = f"/ogc/collections/{layer()}/items"
    response = client.options(public, headers=session)
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


ENDED = {
    "unknown": "SELECT",
    "expired": "UPDATE browser_sessions SET expires_at = now()",
    "of a revoked token": "UPDATE api_tokens SET revoked_at = now()",
    "of an expired token": "UPDATE api_tokens SET expires_at = now()",
    "of a deleted user": "UPDATE users SET deleted_at = now()",
}


@pytest.mark.parametrize("name", ENDED)
def test_a_cookie_that_is_not_valid_is_deleted(
    client: FlaskClient,
    *,
    session: dict[str, str],
    private: str,
    layer: Layer,
    empty_database: Engine,
    name: str,
) -> None:
    public = f"/ogc/collections/{layer([('POINT(1 2)', {})])}"
    with empty_database.begin() as connection:
        connection.execute(text(ENDED[name]))
    if name == "unknown":
        session = {"Cookie": f"{COOKIE}={'A' * 43}"}
    for resource in RESOURCES:
        response = client.get(public + resource, headers=session)
        assert response.status_code == 200
        assert response.data == client.get(public + resource).data or "items" in resource
        assert re.match(rf"{COOKIE}=; .*Max-Age=0", response.headers["Set-Cookie"])
        assert response.headers["Cache-Control"] == "private, no-cache", "others would lose theirs"
        refused = client.get(private + resource, headers=session)
        assert refused.status_code == 404
        assert "Set-Cookie" in refused.headers
    page = client.get("/", headers={**session, **HTML})
    assert "owner@example.org" not in page.text
    assert "Set-Cookie" in page.headers


@pytest.mark.parametrize(
    "cookie", ["", COOKIE, f"{COOKIE}=", f'{COOKIE}="', f"{COOKIE}=å", f"{COOKIE}={'A' * 5000}",
               f"{COOKIE}=\\377", ";;;=", f"{COOKIE}=a; {COOKIE}=b", f"{COOKIE}='; DROP"]
)  # fmt: skip
def test_malformed_cookies_are_none(client: FlaskClient, private: str, cookie: str) -> None:
    assert client.get("/ogc/collections", headers={"Cookie": cookie}).status_code == 200
    assert client.get(private, headers={"Cookie": cookie}).status_code == 404
    assert client.post("/ogc/sign-out", headers={"Cookie": cookie}).status_code == 303


def test_closing_the_account_ends_the_session(
    client: FlaskClient,
    session: dict[str, str],
    private: str,
    owner: Person,
    empty_database: Engine,
) -> None:
    assert client.get(private, headers=session).status_code == 200
    with writing(empty_database) as connection:
        close_account(connection, owner.id)
    response = client.get(private, headers=session)
    assert response.status_code == 404
    assert "Set-Cookie" in response.headers


def test_an_administrator_reads_no_private_layer_by_it(
    client: FlaskClient,
    session: dict[str, str],
    empty_database: Engine,
    layer: Layer,
    person: Callable[[str], Person],
) -> None:
    stranger = person("stranger")
    other = f"/ogc/collections/{layer(visibility='private', created_by=stranger.id)}"
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE users SET is_admin = true"))
    assert client.get(other, headers=session).status_code == 404


@pytest.mark.parametrize("resource", ["/items", TILE, "", "/schema"])
def test_conditional_requests(
    client: FlaskClient, session: dict[str, str], private: str, resource: str
) -> None:
    tag = client.get(private + resource, headers=session).headers["ETag"]
    known = client.get(private + resource, headers={**session, "If-None-Match": tag})
    assert (known.status_code, known.data) == (304, b"")
    assert known.headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" in vary_of(known)
    assert client.get(private + resource, headers={"If-None-Match": tag}).status_code == 404


def test_cached_responses_are_not_for_others(
    client: FlaskClient, session: dict[str, str], private: str, layer: Layer
) -> None:
    """The cache of the worker has neither what one may read, nor whose cookie is deleted."""
    for _ in range(2):
        for resource in ("/items", "/items/1", TILE):
            client.get(private + resource, headers=session)
            assert client.get(private + resource).status_code == 404
    public = f"/ogc/collections/{layer([('POINT(1 2)', {})])}/items"
    assert "Set-Cookie" in client.get(public, headers={"Cookie": f"{COOKIE}=x"}).headers
    response = client.get(public)
    assert "Set-Cookie" not in response.headers
    assert response.headers["Cache-Control"] == "no-cache"


def test_tiles_of_anonymous_requests_are_for_shared_caches(
    client: FlaskClient,
    *,
    session: dict[str, str],
    private: str,
    layer: Layer,
    owner: Person,
    empty_database: Engine,
) -> None:
    """A layer's tile is the same for all of its readers; a map's depends on who asks."""
    public_id = layer([("POINT(1 2)", {})])
    with empty_database.begin() as connection:
        map_id = connection.execute(
            text(
                "INSERT INTO maps (name, created_by, view_permission)"
                " VALUES ('Plan', :owner, 'public') RETURNING id"
            ),
            {"owner": owner.id},
        ).scalar_one()
        connection.execute(
            text('INSERT INTO map_layers (map_id, layer_id, "order") VALUES (:map, :layer, 0)'),
            {"map": map_id, "layer": public_id},
        )
    tile = f"/ogc/collections/{public_id}{TILE}"
    for headers in ({}, {"Cookie": "other=1"}):
        anonymous = client.get(tile, headers=headers)
        assert anonymous.headers["Cache-Control"] == "public, max-age=60"
        assert "Cookie" not in vary_of(anonymous)
        map_tile = client.get(f"/ogc/maps/{map_id}{TILE}", headers=headers)
        assert map_tile.headers["Cache-Control"] == "public, max-age=60"
        assert "Cookie" in vary_of(map_tile)
    own = client.get(tile, headers=session)
    assert own.data == anonymous.data
    assert own.headers["Cache-Control"] == "private, no-cache"
    for path in ("/ogc/collections", f"/ogc/collections/{public_id}", "/", "/ogc/"):
        assert "Cookie" in vary_of(client.get(path)), path
        assert client.get(path).headers["Cache-Control"] == "no-cache"


def _count(client: FlaskClient, path: str, headers: dict[str, str]) -> int:
    client.get(path, headers=headers).close()
    with statements() as sent, client.get(path, headers=headers) as response:
        assert response.status_code == 200
    return len(sent)


PUBLIC = ("/ogc/", "/ogc/conformance", "/ogc/openapi", "/ogc/tileMatrixSets",
          "/ogc/static/samsyn.css")  # fmt: skip


@pytest.mark.parametrize("resource", ["", "/items", "/items/{}", "/schema", TILE, "/items?f=csv"])
def test_one_statement_more_with_the_cookie_and_none_without(
    client: FlaskClient,
    *,
    session: dict[str, str],
    layer: Layer,
    owner: Person,
    resource: str,
    empty_database: Engine,
) -> None:
    layer_id = layer([("POINT(1 2)", {"a": 1})])
    with empty_database.begin() as connection:
        feature_id = connection.execute(text("SELECT id FROM layer_features")).scalar_one()
    path = f"/ogc/collections/{layer_id}{resource.format(feature_id)}"
    by_token = _count(client, path, owner.headers)
    assert _count(client, path, {}) == by_token
    assert _count(client, path, {"Cookie": "other=1"}) == by_token
    assert _count(client, path, session) == by_token + 1
    assert _count(client, path, {**session, **owner.headers}) == by_token


@pytest.mark.parametrize("path", PUBLIC)
def test_public_documents_need_no_statement(
    client: FlaskClient, session: dict[str, str], path: str
) -> None:
    assert _count(client, path, session) == 0
    if "static" not in path and "tile" not in path:
        assert _count(client, path, {**session, **HTML}) == 1
        assert _count(client, path, HTML) == 0


@pytest.fixture
def client_without_database() -> Iterator[FlaskClient]:
    engine = open_engine("postgresql://127.0.0.1:1/nowhere")
    app = create_app(Settings(_env_file=None), engine)
    yield app.test_client(use_cookies=False)
    engine.dispose()


def test_pages_without_a_database(client_without_database: FlaskClient) -> None:
    """What needs no database is served without one, with a cookie too, which is kept."""
    headers: dict[str, Any] = {**HTML, "Cookie": f"{COOKIE}={'A' * 43}"}
    statuses = {"/": 200, "/ogc/": 200, "/ogc/sign-in": 200, "/ogc/none": 404,
                "/ogc/collections": 503}  # fmt: skip
    for path, status in statuses.items():
        response = client_without_database.get(path, headers=headers)
        assert response.status_code == status, path
        assert response.mimetype == "text/html"
        assert "Set-Cookie" not in response.headers
    for path in ("/ogc/sign-in", "/ogc/sign-out"):
        response = client_without_database.post(
            path, data={"token": "samsyn_" + "A" * 43} if "in" in path else None, headers=headers
        )
        assert response.status_code == 503
        assert "Set-Cookie" not in response.headers
