"""Signing in and out on the pages."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.database.transactions import writing
from samsyn_model.identity import api_tokens
from samsyn_model.identity.accounts import close_account
from samsyn_model.settings import Settings
from samsyn_provider.http.browser_session import COOKIE
from tests.clerk_instance import ISSUER, public_pem, session_token, settings
from tests.documented_responses import validate_responses
from tests.ogc.conftest import Person

Layer = Callable[..., str]
SIGN_IN, SIGN_OUT = "/ogc/sign-in", "/ogc/sign-out"
HOST = "http://localhost"
HTML = {"Accept": "text/html"}
BROWSER = {**HTML, "Origin": HOST, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def owner(person: Callable[[str], Person]) -> Person:
    return person("owner")


def token_of(holder: Person) -> str:
    return holder.headers["Authorization"].removeprefix("Bearer ")


def sign_in(client: FlaskClient, token: str, **fields: str) -> TestResponse:
    return client.post(SIGN_IN, data={"token": token, **fields}, headers=BROWSER)


def attributes_of(response: TestResponse) -> dict[str, str]:
    """Return the parts of the only `Set-Cookie`, by name in lower case."""
    (cookie,) = response.headers.getlist("Set-Cookie")
    parts = (part.strip().partition("=") for part in cookie.split(";"))
    return {name.lower(): value for name, _, value in parts}


def count(engine: Engine) -> int:
    with engine.begin() as connection:
        return int(connection.execute(text("SELECT count(*) FROM browser_sessions")).scalar_one())


def test_a_private_layer_from_the_404_to_the_404(
    client: FlaskClient, layer: Layer, owner: Person
) -> None:
    """Without a credential a private layer is 404; its page leads to the form, and that back."""
    layer_id = layer([("POINT(1 2)", {"name": "Secret"})], visibility="private", name="Mine")
    address = f"/ogc/collections/{layer_id}/items?f=html&limit=5"
    refused = client.get(address, headers=HTML)
    assert refused.status_code == 404
    (link,) = set(re.findall(r'href="http://localhost(/ogc/sign-in[^"]*)"', refused.text))
    form = client.get(link, headers=HTML)
    assert form.status_code == 200
    (following,) = set(re.findall(r'name="next" value="([^"]*)"', form.text))
    assert following.replace("&amp;", "&") == address
    signed_in = sign_in(client, token_of(owner), next=following.replace("&amp;", "&"))
    assert (signed_in.status_code, signed_in.headers["Location"]) == (303, f"{HOST}{address}")
    page = client.get(address, headers=HTML)
    assert page.status_code == 200
    assert "Secret" in page.text
    assert "owner@example.org" in page.text
    for path in ("", "/schema", "/items", "/items?f=csv", "/items?f=gpkg", "/tiles",
                 "/tiles/WebMercatorQuad", "/tiles/WebMercatorQuad/0/0/0"):  # fmt: skip
        assert client.get(f"/ogc/collections/{layer_id}{path}").status_code == 200, path
        assert client.head(f"/ogc/collections/{layer_id}{path}").status_code == 200, path
    assert layer_id in client.get("/").text
    assert layer_id in client.get("/ogc/collections").text
    signed_out = client.post(SIGN_OUT, headers=BROWSER)
    assert (signed_out.status_code, signed_out.headers["Location"]) == (303, f"{HOST}/")
    assert client.get_cookie(COOKIE) is None
    again = client.get(address, headers=HTML)
    assert (again.status_code, again.data) == (404, refused.data)
    assert layer_id not in client.get("/").text


def test_the_page_of_a_private_layer_is_that_of_a_missing_one(
    client: FlaskClient, layer: Layer
) -> None:
    layer_id = layer(visibility="private")
    missing = layer_id[:-4] + ("0000" if layer_id[-4:] != "0000" else "1111")
    for path in ("", "/items", "/schema", "/tiles/WebMercatorQuad/0/0/0"):
        texts = [
            (response.status_code, response.text.replace(key, ""), response.headers)
            for key in (layer_id, missing)
            for response in [client.get(f"/ogc/collections/{key}{path}", headers=HTML)]
        ]
        assert texts[0] == texts[1]
        assert "/ogc/sign-in?next=" in texts[0][1]


def test_the_cookie(client: FlaskClient, owner: Person) -> None:
    cookie = attributes_of(sign_in(client, token_of(owner)))
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie[COOKIE])
    assert cookie.keys() == {COOKIE, "expires", "max-age", "httponly", "path", "samesite"}
    assert (cookie["path"], cookie["samesite"]) == ("/", "Lax")
    assert 11 * 3600 < int(cookie["max-age"]) <= 12 * 3600
    gone = attributes_of(client.post(SIGN_OUT, headers=BROWSER))
    assert (gone[COOKIE], gone["max-age"], gone["path"]) == ("", "0", "/")


@pytest.mark.parametrize(
    ("public_url", "path", "is_secure"),
    [
        ("https://plan.example.org", "/", True),
        ("https://plan.example.org/sea/plan", "/sea/plan", True),
        ("http://plan.example.org:8000/sea", "/sea", False),
    ],
)
def test_the_cookie_behind_a_proxy(
    empty_database: Engine, owner: Person, public_url: str, path: str, *, is_secure: bool
) -> None:
    app = create_app(Settings(_env_file=None, public_url=public_url), empty_database)
    parts = urlsplit(public_url)
    client = app.test_client(use_cookies=False)
    following = "/ogc/collections?f=html"
    response = client.post(
        SIGN_IN,
        data={"token": token_of(owner), "next": following},
        headers={"Origin": f"{parts.scheme}://{parts.netloc}"},
    )
    assert response.headers["Location"] == f"{public_url}{following}"
    cookie = attributes_of(response)
    assert cookie["path"] == path
    assert ("secure" in cookie) == is_secure
    page = client.get("/ogc/collections?f=html", base_url=public_url).text
    assert f'href="{public_url}/ogc/sign-in?next=/ogc/collections%3Ff%3Dhtml"' in page
    session = {"Cookie": f"{COOKIE}={cookie[COOKIE]}"}
    assert f'action="{public_url}/ogc/sign-out"' in client.get("/ogc/?f=html", headers=session).text
    response = client.post(SIGN_OUT, headers=session)
    assert response.headers["Location"] == f"{public_url}/"
    assert attributes_of(response)["path"] == path


def test_a_prefix_of_a_trusted_proxy(empty_database: Engine, owner: Person) -> None:
    app = create_app(Settings(_env_file=None, trusted_proxies=1), empty_database)
    forwarded = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "plan.example.org",
        "X-Forwarded-Prefix": "/sea",
    }
    response = app.test_client().post(
        SIGN_IN,
        data={"token": token_of(owner), "next": "/ogc/"},
        headers={**forwarded, "Origin": "https://plan.example.org"},
    )
    assert response.headers["Location"] == "https://plan.example.org/sea/ogc/"
    cookie = attributes_of(response)
    assert cookie["path"] == "/sea"
    assert "secure" in cookie


def test_the_cookie_lives_no_longer_than_its_token(
    client: FlaskClient, owner: Person, empty_database: Engine
) -> None:
    with writing(empty_database) as connection:
        token = api_tokens.create_token(
            connection, owner.id, name="short", expires_at=datetime.now(UTC) + timedelta(minutes=5)
        )
    assert 200 < int(attributes_of(sign_in(client, token))["max-age"]) <= 300


INVALID = {
    "none": "",
    "spaces": "   ",
    "unknown": "samsyn_" + "A" * 43,
    "half": "samsyn_abc",
    "garbage": "garbage",
    "not ASCII": "samsyn_å",
    "NUL": "samsyn_\x00",
    "a forged session": session_token(),  # this server knows no Clerk instance
    "markup": "<script>alert(1)</script>",
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_token_is_told_on_the_form(
    client: FlaskClient, empty_database: Engine, name: str
) -> None:
    following = "/ogc/collections?f=html&limit=2"
    page = sign_in(client, INVALID[name], next=following)
    assert page.status_code == 422
    assert page.mimetype == "text/html"
    assert 'role="alert"' in page.text
    assert "/ogc/collections?f=html&amp;limit=2" in page.text
    assert "Set-Cookie" not in page.headers
    assert "WWW-Authenticate" not in page.headers, "the browser would open its own dialog"
    assert page.headers["Cache-Control"] == "no-store"
    if INVALID[name].strip():
        assert INVALID[name] not in page.text
    problem = client.post(SIGN_IN, data={"token": INVALID[name]})
    assert problem.status_code == 422
    assert problem.json
    assert problem.json["errors"] == [{"pointer": "/token", "detail": problem.json["detail"]}]
    assert count(empty_database) == 0


def test_revoked_tokens_and_closed_accounts_do_not_sign_in(
    client: FlaskClient, owner: Person, empty_database: Engine
) -> None:
    with writing(empty_database) as connection:
        token = api_tokens.create_token(connection, owner.id, name="other")
        connection.execute(text("UPDATE api_tokens SET revoked_at = now() WHERE name = 'other'"))
    assert "revoked" in sign_in(client, token).text
    with writing(empty_database) as connection:
        close_account(connection, owner.id)
    assert sign_in(client, token_of(owner)).status_code == 422
    assert count(empty_database) == 0


BODIES: list[tuple[dict[str, Any], int, str | None]] = [
    ({"json": {"token": "x"}}, 415, None),
    ({"data": b"token=x"}, 415, None),
    ({"data": b"token=x", "content_type": "text/plain"}, 415, None),
    ({"data": {"token": "x", "scope": "write"}}, 422, "/scope"),
    ({"data": {"token": ["x", "y"]}}, 422, "/token"),
    ({"data": {"token": "x", "a/b": ""}}, 422, "/a~1b"),
    ({"data": {"token": "x", "next": "https://evil.example.org/"}}, 422, "/next"),
    ({"data": {"token": "A" * 20_000}}, 413, None),
    (
        {"data": b"token=%FF", "content_type": "application/x-www-form-urlencoded"},
        400,
        None,
    ),
    ({"data": {}}, 415, None),
    ({"data": b"", "content_type": "application/x-www-form-urlencoded"}, 422, "/token"),
    ({"data": {"token": "x"}, "query_string": {"token": "y"}}, 400, None),
]


@pytest.mark.parametrize(("options", "status", "pointer"), BODIES)
def test_malformed_bodies(
    client: FlaskClient, options: dict[str, Any], status: int, pointer: str | None
) -> None:
    response = client.post(SIGN_IN, **options)
    assert response.status_code == status
    assert response.json
    errors = response.json.get("errors", [])
    assert [error["pointer"] for error in errors] == ([pointer] if pointer else [])
    page = client.post(SIGN_IN, headers=HTML, **options)
    assert (page.status_code, page.mimetype) == (status, "text/html")


ELSEWHERE = [
    "https://evil.example.org/",
    "//evil.example.org/",
    "/\\evil.example.org/",
    "\\\\evil.example.org",
    "/%2F/evil.example.org",
    "@evil.example.org/",
    ".evil.example.org/",
    ":80@evil.example.org/",
    "javascript:alert(1)",
    "/ogc\r\nSet-Cookie: a=b",
    "/ogc/\x00",
    "/ogc/å",
    "/ogc.evil/",
    "/ogcevil",
    "/api/v1/tokens",
    "ogc/collections",
    "",
    " /ogc/",
    "/ogc/" + "a" * 3000,
]


@pytest.mark.parametrize("following", ELSEWHERE)
def test_signing_in_leads_nowhere_else(
    client: FlaskClient, owner: Person, empty_database: Engine, following: str
) -> None:
    assert client.get(SIGN_IN, query_string={"next": following}).status_code == 400
    response = sign_in(client, token_of(owner), next=following)
    assert response.status_code == 422
    assert "Location" not in response.headers
    assert count(empty_database) == 0


@pytest.mark.parametrize(
    "following",
    ["/", "/?a=b", "/ogc", "/ogc/", "/ogc?f=html", "/ogc//evil.example.org",
     "/ogc/collections/x/items?filter=name%20%3D%20%27%2B%27&f=html", "/ogc/\\\"<'>&"],
)  # fmt: skip
def test_signing_in_leads_to_a_page_of_the_server(
    client: FlaskClient, owner: Person, following: str
) -> None:
    form = client.get(SIGN_IN, query_string={"next": following})
    assert form.status_code == 200
    response = sign_in(client, token_of(owner), next=following)
    assert response.status_code == 303
    assert response.headers["Location"].startswith(HOST + following.split("\\", maxsplit=1)[0])


def test_long_addresses_lead_back_to_their_path(client: FlaskClient) -> None:
    page = client.get(f"/ogc/collections?f=html&q={'a' * 250}", headers=HTML).text
    assert "q%3Daaaa" in page
    page = client.get(f"/ogc/collections?f=html&q={'a' * 3000}", headers=HTML).text
    assert '/ogc/sign-in?next=/ogc/collections"' in page


@pytest.mark.parametrize(
    "path", ["/ogc/collections/%C3%A5/items", "/ogc/x%22%3E%3Cb%3E", "/ogc/%0D%0A"]
)
def test_links_to_sign_in_are_quoted(client: FlaskClient, path: str) -> None:
    page = client.get(path, headers=HTML)
    assert page.status_code == 404
    (link,) = set(re.findall(r'"(http://localhost/ogc/sign-in[^"]*)"', page.text))
    following = parse_qs(urlsplit(link).query).get("next", ["/"])
    assert client.get(link).status_code == 200
    assert following in ([path], ["/"])


OTHER_PAGES: list[dict[str, str]] = [
    {"Origin": "https://evil.example.org"},
    {"Origin": "null"},
    {"Origin": "http://localhost:5173"},
    {"Origin": "https://localhost"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", OTHER_PAGES)
@pytest.mark.parametrize("frontend", [None, "http://localhost:5173"])
def test_pages_of_others_neither_sign_in_nor_out(
    empty_database: Engine, owner: Person, headers: dict[str, str], frontend: str | None
) -> None:
    app = create_app(Settings(_env_file=None, frontend_url=frontend), empty_database)
    validate_responses(app)
    client = app.test_client()
    response = client.post(SIGN_IN, data={"token": token_of(owner)}, headers=headers)
    assert response.status_code == 403
    assert "Set-Cookie" not in response.headers
    assert count(empty_database) == 0
    sign_in(client, token_of(owner))
    response = client.post(SIGN_OUT, headers=headers)
    assert response.status_code == 403
    assert "Set-Cookie" not in response.headers
    assert count(empty_database) == 1


def test_programs_sign_in_without_an_origin(client: FlaskClient, owner: Person) -> None:
    assert client.post(SIGN_IN, data={"token": token_of(owner)}).status_code == 303
    assert client.post(SIGN_OUT).status_code == 303


def test_each_method_has_its_path(client: FlaskClient) -> None:
    """A link or an image signs nobody in or out."""
    assert client.get(SIGN_OUT).status_code == 405
    for method in ("PUT", "PATCH", "DELETE"):
        assert client.open(SIGN_IN, method=method).status_code == 405
        assert client.open(SIGN_OUT, method=method).status_code == 405


def test_signing_in_again_replaces_the_session(
    client: FlaskClient, owner: Person, empty_database: Engine
) -> None:
    first = attributes_of(sign_in(client, token_of(owner)))[COOKIE]
    second = attributes_of(sign_in(client, token_of(owner)))[COOKIE]
    assert first != second
    assert count(empty_database) == 1
    assert sign_in(client, "garbage").status_code == 422
    assert count(empty_database) == 1


def test_signing_out_without_a_session(client: FlaskClient) -> None:
    for cookie in (None, "garbage", "A" * 43):
        if cookie:
            client.set_cookie(COOKIE, cookie)
        assert client.post(SIGN_OUT).status_code == 303
        assert client.get_cookie(COOKIE) is None


# The web app's session: Clerk's cookie `__session`, where both stand on one host.


@pytest.fixture
def clerk_client(empty_database: Engine) -> FlaskClient:
    values: dict[str, Any] = {
        "clerk_jwt_key": public_pem(),
        "clerk_issuer": ISSUER,
        "clerk_authorized_parties": ("http://localhost",),
    }
    app: Flask = create_app(settings(trusted_proxies=0, **values), empty_database)
    validate_responses(app)
    return app.test_client()


def jwt(**claims: Any) -> str:
    return session_token(azp="http://localhost", **claims)


def test_the_session_of_the_web_app_signs_in(
    clerk_client: FlaskClient, empty_database: Engine
) -> None:
    clerk_client.set_cookie("__session", jwt(email="anna@example.org", email_verified=True))
    assert 'name="web_app"' in clerk_client.get(SIGN_IN).text
    response = clerk_client.post(SIGN_IN, data={"web_app": "true", "next": "/"}, headers=BROWSER)
    assert (response.status_code, response.headers["Location"]) == (303, f"{HOST}/")
    clerk_client.delete_cookie("__session")
    assert "anna@example.org" in clerk_client.get("/ogc/?f=html").text
    with empty_database.begin() as connection:
        user_id = connection.execute(text("SELECT user_id FROM browser_sessions")).scalar_one()
    with writing(empty_database) as connection:
        close_account(connection, user_id)
    assert "anna@example.org" not in clerk_client.get("/ogc/?f=html").text
    assert clerk_client.get_cookie(COOKIE) is None


@pytest.mark.parametrize(
    "cookie",
    [
        None,
        "garbage",
        session_token(azp="https://evil.example.org"),
        jwt(exp=1_000_000_000),
        jwt(sts="pending"),
        jwt(kid="second"),
        "samsyn_" + "A" * 43,
    ],
    ids=["none", "garbage", "another app", "expired", "pending", "forged", "unknown token"],
)
def test_other_sessions_do_not_sign_in(
    clerk_client: FlaskClient, empty_database: Engine, cookie: str | None
) -> None:
    if cookie:
        clerk_client.set_cookie("__session", cookie)
    page = clerk_client.post(SIGN_IN, data={"web_app": "true"}, headers=BROWSER)
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    problem = clerk_client.post(SIGN_IN, data={"web_app": "true"})
    assert problem.json
    assert [error["pointer"] for error in problem.json["errors"]] == ["/web_app"]
    assert count(empty_database) == 0


def test_a_deleted_persons_session_signs_in_no_more(
    clerk_client: FlaskClient, empty_database: Engine
) -> None:
    clerk_client.set_cookie("__session", jwt())
    assert clerk_client.post(SIGN_IN, data={"web_app": "true"}).status_code == 303
    with writing(empty_database) as connection:
        user_id = connection.execute(text("SELECT id FROM users")).scalar_one()
        close_account(connection, user_id)
    assert clerk_client.post(SIGN_IN, data={"web_app": "true"}).status_code == 422
    assert count(empty_database) == 0


def test_the_web_app_is_offered_where_it_can_be(
    client: FlaskClient, clerk_client: FlaskClient
) -> None:
    assert 'name="web_app"' not in clerk_client.get(SIGN_IN).text
    client.set_cookie("__session", jwt())
    assert 'name="web_app"' not in client.get(SIGN_IN).text, "no Clerk instance is known"


def test_a_session_in_place_of_a_token(clerk_client: FlaskClient) -> None:
    assert sign_in(clerk_client, jwt()).status_code == 303
