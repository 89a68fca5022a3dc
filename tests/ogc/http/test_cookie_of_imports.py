"""The cookie counts for what the script of the page of imports requests, and for nothing else."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_model.database.transactions import writing
from samsyn_model.identity.browser_sessions import begin_session
from samsyn_provider.http.browser_session import COOKIE, IMPORTS_PAGE, PAGE_HEADER
from tests.ogc.conftest import Person

OWN = {PAGE_HEADER: IMPORTS_PAGE, "Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
BODY = {"name": "a.geojson", "size": 10}


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client(use_cookies=False)


@pytest.fixture
def cookie(empty_database: Engine, person: Callable[[str], Person]) -> dict[str, str]:
    owner = person("owner")
    token = owner.headers["Authorization"].removeprefix("Bearer ")
    with writing(empty_database) as connection:
        session_id, _ = begin_session(connection, owner.id, token)
    return {"Cookie": f"{COOKIE}={session_id}"}


@pytest.mark.parametrize("path", ["/api/v1/imports", "/api/v1/jobs"])
def test_the_page_reads(client: FlaskClient, cookie: dict[str, str], path: str) -> None:
    headers = {PAGE_HEADER: IMPORTS_PAGE, **cookie}
    for own in ({}, OWN):
        assert client.get(path, headers={**headers, **own}).status_code == 200
    evil = {**headers, "Origin": "https://evil.example.org"}
    for other in (cookie, evil, {**headers, "Sec-Fetch-Site": "cross-site"}):
        assert client.get(path, headers=other).status_code == 401


def test_the_page_lists_layers(
    client: FlaskClient, cookie: dict[str, str], layer: Callable[..., str]
) -> None:
    layer([("POINT(1 2)", {})], visibility="private")
    path = "/api/v1/layers?mine=true"
    assert len(client.get(path, headers={**cookie, **OWN}).json) == 1  # type: ignore[arg-type]
    for other in (cookie, {**cookie, **OWN, "Origin": "https://evil.example.org"}):
        assert client.get(path, headers=other).json == []


def test_the_page_writes(client: FlaskClient, cookie: dict[str, str]) -> None:
    response = client.post("/api/v1/imports", json=BODY, headers={**cookie, **OWN})
    assert response.status_code == 201, response.text


@pytest.mark.parametrize(
    "changed",
    [
        {PAGE_HEADER: ""},
        {PAGE_HEADER: "/ogc"},
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_nobody_else_writes_by_the_cookie(
    client: FlaskClient, cookie: dict[str, str], changed: dict[str, str]
) -> None:
    headers = {name: value for name, value in {**OWN, **changed}.items() if value}
    response = client.post("/api/v1/imports", json=BODY, headers={**cookie, **headers})
    assert response.status_code in {401, 403}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/maps"),
        ("POST", "/api/v1/layers"),
        ("GET", "/api/v1/users/me"),
        ("GET", "/api/v1/tokens"),
        ("POST", "/api/v1/tokens"),
        ("POST", "/api/v1/importsx"),
    ],
)
def test_nothing_else_counts(
    client: FlaskClient, cookie: dict[str, str], method: str, path: str
) -> None:
    response = client.open(path, method=method, json={"name": "a"}, headers={**cookie, **OWN})
    assert response.status_code in {401, 404}


def test_a_token_that_may_only_read_imports_nothing(
    client: FlaskClient, cookie: dict[str, str], empty_database: Engine
) -> None:
    with writing(empty_database) as connection:
        connection.execute(text("UPDATE api_tokens SET scope = 'read'"))
    headers = {**cookie, **OWN}
    assert client.get("/api/v1/imports", headers=headers).status_code == 200
    assert client.post("/api/v1/imports", json=BODY, headers=headers).status_code == 403


def test_a_page_without_a_session(client: FlaskClient, cookie: dict[str, str]) -> None:
    page = client.get("/imports", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "/ogc/sign-in?next=/imports" in page.text
    assert "upload-form" not in page.text
    signed_in = client.get("/imports", headers={"Accept": "text/html", **cookie})
    assert "upload-form" in signed_in.text
    assert signed_in.headers["Cache-Control"] == "private, no-store"
