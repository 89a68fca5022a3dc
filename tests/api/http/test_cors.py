"""Which pages of other origins may use the server from a browser."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_admin.http.cors import origin_of
from samsyn_model.database.engine import open_engine
from tests.api.layer_requests import LINE, Caller, feature, vector
from tests.clerk_instance import settings

FRONTEND = "https://app.example.org"
OTHER = "https://elsewhere.example.org"
LAYERS = "/api/v1/layers"
ITEMS = "/ogc/collections/9dd3dfbe-1dd1-4d3c-9c9c-2a8f5b0a6a10/items"
SEARCH = "/ogc/collections/9dd3dfbe-1dd1-4d3c-9c9c-2a8f5b0a6a10/search"


@pytest.fixture
def client_without_database() -> FlaskClient:
    """A client of an app without a database: views that need one return 503."""
    engine = open_engine("postgresql://127.0.0.1:1/nowhere")
    return create_app(settings(frontend_url=f"{FRONTEND}/map/"), engine).test_client()


def preflight(client: FlaskClient, path: str, method: str, origin: str = FRONTEND) -> Any:
    headers_of_preflight = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return client.options(path, headers=headers_of_preflight)


def values_of(response: Any, name: str) -> set[str]:
    return {value.strip() for value in response.headers.get(name, "").split(",")} - {""}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (LAYERS, {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/v1/users/me", {"GET", "HEAD", "OPTIONS", "DELETE"}),
        ("/api/v1/tokens", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/v1/nothing", {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}),
    ],
)
def test_the_frontend_may_use_the_methods_of_the_route(
    client_without_database: FlaskClient, path: str, methods: set[str]
) -> None:
    response = preflight(client_without_database, path, "GET")
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert methods - {"GET"} <= values_of(response, "Access-Control-Allow-Methods")
    if path != LAYERS:
        assert values_of(response, "Access-Control-Allow-Methods") == methods
    assert values_of(response, "Access-Control-Allow-Headers") >= {
        *("Authorization", "Content-Type", "If-Match", "If-None-Match", "Prefer", "Content-Crs")
    }
    assert int(response.headers["Access-Control-Max-Age"]) > 0
    assert "Origin" in values_of(response, "Vary")


@pytest.mark.parametrize(
    "origin",
    [
        *(OTHER, "null", "http://app.example.org", f"{FRONTEND}:8443", f"{FRONTEND}.evil.org"),
        *("https://example.org", f"{FRONTEND}/", ""),
    ],
)
def test_other_origins_get_no_headers_on_the_api(
    client_without_database: FlaskClient, origin: str
) -> None:
    responses = [
        preflight(client_without_database, LAYERS, "GET", origin),
        client_without_database.get("/api/health", headers={"Origin": origin}),
        client_without_database.get("/api/v1/users/me", headers={"Origin": origin}),
        client_without_database.get("/api/v1/nothing", headers={"Origin": origin}),
    ]
    for response in responses:
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
        assert "Origin" in values_of(response, "Vary")
    assert "Origin" in values_of(client_without_database.get("/api/health"), "Vary")


def test_errors_can_be_read_too(client_without_database: FlaskClient) -> None:
    def fails() -> None:
        raise RuntimeError

    client_without_database.application.view_functions["users.find_users"] = fails
    statuses = {}
    for path, method in (
        ("/api/v1/users/me", "GET"),
        ("/api/v1/nothing", "GET"),
        ("/api/health", "POST"),
        ("/api/health", "GET"),
        ("/api/v1/users", "GET"),
        ("/ogc/nothing", "GET"),
    ):
        response = client_without_database.open(path, method=method, headers={"Origin": FRONTEND})
        statuses[f"{method} {path}"] = response.status_code
        assert response.headers["Access-Control-Allow-Origin"] == FRONTEND
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert set(statuses.values()) == {401, 404, 405, 503, 500}


def test_a_refused_body_can_be_read(empty_database: Engine, owner: Caller) -> None:
    client = create_app(settings(frontend_url=FRONTEND), empty_database).test_client()
    headers = {**owner.headers, "Origin": FRONTEND}
    refused = client.post("/api/v1/tokens", json={}, headers=headers)
    assert refused.status_code == 422
    assert refused.headers["Access-Control-Allow-Origin"] == FRONTEND
    created = client.post(LAYERS, json=vector(feature(LINE)), headers=headers)
    assert created.status_code == 201
    assert values_of(created, "Vary") == {"Authorization", "Origin"}
    assert values_of(created, "Access-Control-Expose-Headers") >= {
        *("ETag", "Location", "Link", "X-Total-Count", "Content-Crs", "OGC-NumberMatched"),
        *("OGC-NumberReturned", "Retry-After", "WWW-Authenticate", "Memento-Datetime"),
    }
    unchanged = {**headers, "If-None-Match": created.headers["ETag"]}
    response = client.get(f"{LAYERS}/{(created.json or {})['id']}", headers=unchanged)
    assert response.status_code == 304
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND


def test_a_preflight_needs_no_credentials_and_no_database(
    client_without_database: FlaskClient,
) -> None:
    headers = {"Authorization": "Bearer nobody", "Origin": FRONTEND}
    headers_of_preflight = {**headers, "Access-Control-Request-Method": "DELETE"}
    for path in (f"{LAYERS}/x", ITEMS, "/api/v1/users/me"):
        assert (
            client_without_database.options(path, headers=headers_of_preflight).status_code == 204
        )
    refused = client_without_database.options("/api/v1/users/me", headers=headers)
    assert refused.status_code == 401, "this is a question of its own, not a browser's preflight"
    assert refused.headers["Access-Control-Allow-Origin"] == FRONTEND


def test_any_origin_reads_the_ogc_api(client_without_database: FlaskClient) -> None:
    for origin in ({"Origin": OTHER}, {"Origin": "null"}, {}):
        response = client_without_database.get("/ogc/conformance", headers=origin)
        assert response.status_code == 200
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert "ETag" in values_of(response, "Access-Control-Expose-Headers")
    for method in ("GET", "POST", "DELETE"):
        response = preflight(client_without_database, ITEMS, method, OTHER)
        assert response.status_code == 204
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert values_of(response, "Access-Control-Allow-Methods") == {"GET", "HEAD", "OPTIONS"}
        assert "Authorization" in values_of(response, "Access-Control-Allow-Headers")


def test_the_frontend_writes_on_the_ogc_api(client_without_database: FlaskClient) -> None:
    def writable() -> str:
        return "taken"

    rule = "/ogc/taken"
    client_without_database.application.add_url_rule(
        rule, "taken", writable, methods=["POST", "PUT", "DELETE"]
    )
    response = preflight(client_without_database, rule, "PUT")
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    allowed = values_of(response, "Access-Control-Allow-Methods")
    assert allowed == {"OPTIONS", "POST", "PUT", "DELETE"}
    assert values_of(
        preflight(client_without_database, rule, "PUT", OTHER), "Access-Control-Allow-Methods"
    ) == {"OPTIONS"}
    read = client_without_database.get("/ogc/conformance", headers={"Origin": FRONTEND})
    assert read.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert "Origin" in values_of(read, "Vary")


WRITINGS = [
    ("POST", ITEMS),
    ("POST", f"{ITEMS}?f=json"),
    ("PUT", f"{ITEMS}/1"),
    ("PATCH", f"{ITEMS}/1"),
    ("DELETE", f"{ITEMS}/1"),
    ("POST", "/ogc/conformance"),
    ("POST", "/ogc/nothing/search"),
    ("PUT", SEARCH),
]


@pytest.mark.parametrize(("method", "path"), WRITINGS)
@pytest.mark.parametrize(
    "origin",
    [
        *(OTHER, "null", "", "x", "http://[", f"{FRONTEND}:8443", f"{FRONTEND}/"),
        *("http://app.example.org", "https://localhost", "http://localhost:8000"),
    ],
)
def test_no_other_origin_writes_on_the_ogc_api(
    client_without_database: FlaskClient, method: str, path: str, origin: str
) -> None:
    """Browsers send such requests without a preflight, where they are those of a form."""
    headers = {"Origin": origin, "Authorization": "Bearer nobody", "Content-Type": "text/plain"}
    response = client_without_database.open(path, method=method, headers=headers, data="{}")
    assert response.status_code == 403
    document = response.json
    assert document is not None
    assert document["status"] == 403
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
    assert "Origin" in values_of(response, "Vary")


@pytest.mark.parametrize(("method", "path"), WRITINGS)
@pytest.mark.parametrize("origin", [None, FRONTEND, "http://localhost"])
def test_the_frontend_the_server_and_programs_are_not_refused(
    client_without_database: FlaskClient, method: str, path: str, origin: str | None
) -> None:
    headers = {"Content-Type": "text/plain", **({"Origin": origin} if origin else {})}
    response = client_without_database.open(path, method=method, headers=headers, data="{}")
    assert response.status_code not in {403, 500}
    allowed = FRONTEND if origin == FRONTEND else "*"
    assert response.headers["Access-Control-Allow-Origin"] == allowed


def test_the_origin_of_the_server_is_its_public_one(empty_database: Engine) -> None:
    public = settings(public_url="https://plan.example.org/samsyn")
    client = create_app(public, empty_database).test_client()
    for origin, status in (
        ("https://plan.example.org", 401),
        ("http://plan.example.org", 403),
        ("http://localhost", 403),
        (FRONTEND, 403),
    ):
        headers = {"Origin": origin, "Authorization": "Bearer nobody"}
        assert client.post(ITEMS, json={}, headers=headers).status_code == status, origin


def test_nothing_is_written_from_another_origin(empty_database: Engine, owner: Caller) -> None:
    client = create_app(settings(frontend_url=FRONTEND), empty_database).test_client()
    created = client.post(LAYERS, json=vector(feature(LINE)), headers=owner.headers)
    layer_id = (created.json or {})["id"]
    items, search = (f"/ogc/collections/{layer_id}/{name}" for name in ("items", "search"))
    body, headers = feature(LINE), {**owner.headers, "Origin": OTHER}
    assert client.post(items, json=body, headers=headers).status_code == 403
    assert client.get(items, headers=headers).json["numberMatched"] == 1  # type: ignore[index]
    found = client.post(search, json={}, headers=headers)
    assert found.json["numberReturned"] == 1  # type: ignore[index]
    assert found.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in found.headers
    form = {"data": b"limit=1", "content_type": "application/x-www-form-urlencoded"}
    assert client.post(search, headers=headers, **form).status_code == 200
    assert client.post(items, json=body, headers=owner.headers).status_code == 201
    frontend = {**owner.headers, "Origin": FRONTEND}
    assert client.post(items, json=body, headers=frontend).status_code == 201
    assert client.get(items, headers=headers).json["numberMatched"] == 3  # type: ignore[index]


def test_any_origin_searches(client_without_database: FlaskClient) -> None:
    for method in ("POST", "GET"):
        response = preflight(client_without_database, SEARCH, method, OTHER)
        assert response.status_code == 204
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert values_of(response, "Access-Control-Allow-Methods") == {"OPTIONS", "POST"}
        assert "Content-Type" in values_of(response, "Access-Control-Allow-Headers")


@pytest.mark.parametrize("host", ["[", "a:b:c", "a b", "<>", "x" * 5_000, "", "localhost:99999"])
def test_a_malformed_host(client_without_database: FlaskClient, host: str) -> None:
    headers = {"Origin": OTHER, "Host": host}
    for method in ("POST", "GET", "OPTIONS"):
        response = client_without_database.open(ITEMS, method=method, headers=headers)
        assert response.status_code in {400, 403, 503}


def test_the_api_has_its_own_rule(client_without_database: FlaskClient) -> None:
    headers = {"Origin": OTHER, "Authorization": "Bearer nobody"}
    for path in (LAYERS, f"{LAYERS}/9dd3dfbe-1dd1-4d3c-9c9c-2a8f5b0a6a10/features"):
        response = client_without_database.post(path, json={}, headers=headers)
        assert response.status_code in {401, 503}
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("path", ["/api/v1/maps/9dd3dfbe-1dd1-4d3c-9c9c-2a8f5b0a6a10/duplicate"])
def test_a_password_that_the_browser_sends_is_of_no_use_to_other_origins(
    client_without_database: FlaskClient, path: str
) -> None:
    """Browsers send HTTP Basic without a preflight with the forms of any page."""
    for origin, refused in ((OTHER, True), ("null", True), (FRONTEND, False), (None, False)):
        for scheme, is_password in (
            ("Basic eDp5", True),
            ("basic \u00fd", True),
            ("Bearer nobody", False),
        ):
            headers = {"Authorization": scheme, **({"Origin": origin} if origin else {})}
            response = client_without_database.post(path, headers=headers)
            assert (response.status_code == 403) == (refused and is_password), (origin, scheme)
    read = client_without_database.get(
        LAYERS, headers={"Origin": OTHER, "Authorization": "Basic eDp5"}
    )
    assert read.status_code in {401, 503}


def test_only_the_two_sides_are_shared(client_without_database: FlaskClient) -> None:
    for path in ("/", "/apiary", "/ogcx"):
        response = client_without_database.get(path, headers={"Origin": FRONTEND})
        assert "Access-Control-Allow-Origin" not in response.headers


def test_without_a_frontend_no_origin_may_use_the_api(app: Flask) -> None:
    client = app.test_client()
    response = client.get("/api/health", headers={"Origin": FRONTEND})
    assert "Access-Control-Allow-Origin" not in response.headers
    read = client.get("/ogc/conformance", headers={"Origin": FRONTEND})
    assert read.headers["Access-Control-Allow-Origin"] == "*"
    assert "Origin" not in values_of(read, "Vary"), "one answer for all, to be cached"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://App.Example.org/", "https://app.example.org"),
        ("https://app.example.org:443/map?x#y", "https://app.example.org"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://åland.example.org", "https://xn--land-poa.example.org"),
    ],
)
def test_origins_are_compared(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url", ["app.example.org", "ftp://x", "https://", "http://x:y", "http://["]
)
def test_an_invalid_frontend_url_stops_the_start(url: str, engine: Engine) -> None:
    with pytest.raises(ValueError, match="FRONTEND_URL"):
        create_app(settings(frontend_url=url), engine)
