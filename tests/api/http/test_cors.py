"""Which pages of other origins may use the server from a browser."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_admin.http.cors import origin_of
from samsyn_model.database.engine import open_engine
from tests.api.layer_requests import LINE, Person, feature, vector
from tests.clerk_instance import settings

FRONTEND = "https://app.example.org"
OTHER = "https://elsewhere.example.org"
LAYERS = "/api/v1/layers"
ITEMS = "/ogc/collections/9dd3dfbe-1dd1-4d3c-9c9c-2a8f5b0a6a10/items"


@pytest.fixture
def nowhere() -> FlaskClient:
    """A client of an app without a database: whatever needs one answers 503."""
    engine = open_engine("postgresql://127.0.0.1:1/nowhere")
    return create_app(settings(frontend_url=f"{FRONTEND}/map/"), engine).test_client()


def preflight(client: FlaskClient, path: str, method: str, origin: str = FRONTEND) -> Any:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return client.options(path, headers=asked)


def words(answer: Any, name: str) -> set[str]:
    return {word.strip() for word in answer.headers.get(name, "").split(",")} - {""}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (LAYERS, {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/v1/users/me", {"GET", "HEAD", "OPTIONS", "DELETE"}),
        ("/api/v1/tokens", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/v1/nothing", {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}),
    ],
)
def test_the_frontend_may_send_what_the_route_takes(
    nowhere: FlaskClient, path: str, methods: set[str]
) -> None:
    answer = preflight(nowhere, path, "GET")
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert methods - {"GET"} <= words(answer, "Access-Control-Allow-Methods")
    if path != LAYERS:
        assert words(answer, "Access-Control-Allow-Methods") == methods
    assert words(answer, "Access-Control-Allow-Headers") >= {
        *("Authorization", "Content-Type", "If-Match", "If-None-Match", "Prefer", "Content-Crs")
    }
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Origin" in words(answer, "Vary")


@pytest.mark.parametrize(
    "origin",
    [
        *(OTHER, "null", "http://app.example.org", f"{FRONTEND}:8443", f"{FRONTEND}.evil.org"),
        *("https://example.org", f"{FRONTEND}/", ""),
    ],
)
def test_other_origins_are_told_nothing_on_the_api(nowhere: FlaskClient, origin: str) -> None:
    answers = [
        preflight(nowhere, LAYERS, "GET", origin),
        nowhere.get("/api/health", headers={"Origin": origin}),
        nowhere.get("/api/v1/users/me", headers={"Origin": origin}),
        nowhere.get("/api/v1/nothing", headers={"Origin": origin}),
    ]
    for answer in answers:
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert "Origin" in words(answer, "Vary")
    assert "Origin" in words(nowhere.get("/api/health"), "Vary")


def test_errors_can_be_read_too(nowhere: FlaskClient) -> None:
    def fails() -> None:
        raise RuntimeError

    nowhere.application.view_functions["users.find_users"] = fails
    found = {}
    for path, method in (
        ("/api/v1/users/me", "GET"),
        ("/api/v1/nothing", "GET"),
        ("/api/health", "POST"),
        ("/api/health", "GET"),
        ("/api/v1/users", "GET"),
        ("/ogc/nothing", "GET"),
    ):
        answer = nowhere.open(path, method=method, headers={"Origin": FRONTEND})
        found[f"{method} {path}"] = answer.status_code
        assert answer.headers["Access-Control-Allow-Origin"] == FRONTEND
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert set(found.values()) == {401, 404, 405, 503, 500}


def test_a_refused_body_can_be_read(empty_database: Engine, owner: Person) -> None:
    client = create_app(settings(frontend_url=FRONTEND), empty_database).test_client()
    headers = {**owner.headers, "Origin": FRONTEND}
    refused = client.post("/api/v1/tokens", json={}, headers=headers)
    assert refused.status_code == 422
    assert refused.headers["Access-Control-Allow-Origin"] == FRONTEND
    made = client.post(LAYERS, json=vector(feature(LINE)), headers=headers)
    assert made.status_code == 201
    assert words(made, "Vary") == {"Authorization", "Origin"}
    assert words(made, "Access-Control-Expose-Headers") >= {
        *("ETag", "Location", "Link", "X-Total-Count", "Content-Crs", "OGC-NumberMatched"),
        *("OGC-NumberReturned", "Retry-After", "WWW-Authenticate"),
    }
    unchanged = {**headers, "If-None-Match": made.headers["ETag"]}
    answer = client.get(f"{LAYERS}/{(made.json or {})['id']}", headers=unchanged)
    assert answer.status_code == 304
    assert answer.headers["Access-Control-Allow-Origin"] == FRONTEND


def test_a_preflight_needs_no_credentials_and_no_database(nowhere: FlaskClient) -> None:
    headers = {"Authorization": "Bearer nobody", "Origin": FRONTEND}
    asked = {**headers, "Access-Control-Request-Method": "DELETE"}
    for path in (f"{LAYERS}/x", ITEMS, "/api/v1/users/me"):
        assert nowhere.options(path, headers=asked).status_code == 204
    refused = nowhere.options("/api/v1/users/me", headers=headers)
    assert refused.status_code == 401, "this is a question of its own, not a browser's preflight"
    assert refused.headers["Access-Control-Allow-Origin"] == FRONTEND


def test_anybody_reads_the_ogc_side(nowhere: FlaskClient) -> None:
    for origin in ({"Origin": OTHER}, {"Origin": "null"}, {}):
        answer = nowhere.get("/ogc/conformance", headers=origin)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "ETag" in words(answer, "Access-Control-Expose-Headers")
    for method in ("GET", "POST", "DELETE"):
        answer = preflight(nowhere, ITEMS, method, OTHER)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert words(answer, "Access-Control-Allow-Methods") == {"GET", "HEAD", "OPTIONS"}
        assert "Authorization" in words(answer, "Access-Control-Allow-Headers")


def test_the_frontend_writes_on_the_ogc_side(nowhere: FlaskClient) -> None:
    def taken() -> str:
        return "taken"

    rule = "/ogc/taken"
    nowhere.application.add_url_rule(rule, "taken", taken, methods=["POST", "PUT", "DELETE"])
    answer = preflight(nowhere, rule, "PUT")
    assert answer.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    allowed = words(answer, "Access-Control-Allow-Methods")
    assert allowed == {"OPTIONS", "POST", "PUT", "DELETE"}
    assert words(preflight(nowhere, rule, "PUT", OTHER), "Access-Control-Allow-Methods") == {
        "OPTIONS"
    }
    read = nowhere.get("/ogc/conformance", headers={"Origin": FRONTEND})
    assert read.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert "Origin" in words(read, "Vary")


def test_only_the_two_sides_are_shared(nowhere: FlaskClient) -> None:
    for path in ("/", "/apiary", "/ogcx"):
        answer = nowhere.get(path, headers={"Origin": FRONTEND})
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_without_a_frontend_nobody_has_the_api(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/api/health", headers={"Origin": FRONTEND})
    assert "Access-Control-Allow-Origin" not in answer.headers
    read = client.get("/ogc/conformance", headers={"Origin": FRONTEND})
    assert read.headers["Access-Control-Allow-Origin"] == "*"
    assert "Origin" not in words(read, "Vary"), "one answer for all, to be cached"


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
def test_a_frontend_that_is_no_address_stops_the_start(url: str, engine: Engine) -> None:
    with pytest.raises(ValueError, match="FRONTEND_URL"):
        create_app(settings(frontend_url=url), engine)
