"""Requests that cost are counted, and refused beyond their rate; cached responses never are."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from samsyn_provider.rates.rate_limits import Rate
from samsyn_provider.tiles import routes as tile_routes
from tests.documented_responses import validate_responses
from tests.ogc.conftest import Person
from tests.statements import statements

Layer = Callable[..., str]
MakeClient = Callable[..., FlaskClient]
POINT = {"type": "Feature", "geometry": None, "properties": {}}


@pytest.fixture
def make_client(empty_database: Engine, redis_url: str | None) -> MakeClient:
    """Make a client of another process of one server, with these settings."""

    def make(**values: Any) -> FlaskClient:
        app = create_app(Settings(_env_file=None, redis_url=redis_url, **values), empty_database)
        validate_responses(app)
        return app.test_client()

    return make


@pytest.fixture
def open_layer(layer: Layer) -> str:
    features = [(f"POINT({number} 50)", {"number": number}) for number in range(20)]
    return layer(features, fields={"number": {"type": "integer"}}, editable="everyone")


def from_address(address: str, **headers: str) -> dict[str, Any]:
    return {"environ_overrides": {"REMOTE_ADDR": address}, "headers": headers}


def assert_refused(response: TestResponse, name: str, allowance: int) -> None:
    assert response.status_code == 429
    wait = int(response.headers["Retry-After"])
    assert 1 <= wait <= 60
    assert response.json is not None
    assert f"try again in {wait} second" in response.json["detail"]
    assert response.headers["RateLimit-Policy"] == f'"{name}";q={allowance};w=60'
    assert response.headers["RateLimit"] == f'"{name}";r=0;t={wait}'
    assert response.headers["Cache-Control"] == "no-store"


def test_writes_are_counted_by_who_writes(
    make_client: MakeClient, open_layer: str, person: Callable[[str], Person]
) -> None:
    one, other = person("one"), person("other")
    path = f"/ogc/collections/{open_layer}/items"
    client = make_client(writes_per_minute=3)

    def write(who: Person, address: str) -> TestResponse:
        return client.post(path, json=POINT, **from_address(address, **who.headers))

    assert [write(one, f"192.0.2.{n}").status_code for n in range(3)] == [201] * 3
    assert_refused(write(one, "192.0.2.9"), "writes", 3)
    assert write(other, "192.0.2.0").status_code == 201
    with statements() as seen:
        refused = client.put(f"{path}/1", json=POINT, headers=one.headers)
    assert refused.status_code == 429
    assert len(seen) == 1  # that looks up the token
    for reading in (path, f"{path}/1"):
        assert client.get(reading, headers=one.headers).status_code in {200, 404}
        assert client.options(reading, headers=one.headers).status_code == 204


def test_writes_are_counted_in_the_management_api(
    make_client: MakeClient, person: Callable[[str], Person]
) -> None:
    owner = person("owner")
    client = make_client(writes_per_minute=2)
    created = [
        client.post("/api/v1/maps", json={"name": "x"}, headers=owner.headers) for _ in range(2)
    ]
    assert [each.status_code for each in created] == [201, 201]
    again = client.delete(f"/api/v1/maps/{created[0].json['id']}", headers=owner.headers)  # type: ignore[index]
    assert_refused(again, "writes", 2)


def test_bulk_imports_are_counted(
    make_client: MakeClient, open_layer: str, person: Callable[[str], Person]
) -> None:
    headers, client = person("owner").headers, make_client(uploads_per_minute=2)
    path = f"/api/v1/layers/{open_layer}/features/bulk"
    body = json.dumps({"type": "FeatureCollection", "features": [POINT]})
    responses = [
        client.post(path, data=body, content_type="application/geo+json", headers=headers)
        for _ in range(3)
    ]
    assert [each.status_code for each in responses] == [201, 201, 429]
    assert_refused(responses[2], "uploads", 2)


def test_downloads_are_counted_by_address_or_user(
    make_client: MakeClient, open_layer: str, person: Callable[[str], Person]
) -> None:
    client = make_client(downloads_per_minute=2)
    path = f"/ogc/collections/{open_layer}/items?f=csv"
    tag = client.get(path, **from_address("192.0.2.1")).headers["ETag"]
    assert client.get(path, **from_address("192.0.2.1")).status_code == 200
    assert_refused(client.get(path, **from_address("192.0.2.1")), "downloads", 2)
    for free in (
        client.head(path, **from_address("192.0.2.1")),
        client.get(path, **from_address("192.0.2.2")),
        client.get(path, **from_address("192.0.2.1", **person("owner").headers)),
        client.get(path.partition("?")[0], **from_address("192.0.2.1")),
    ):
        assert free.status_code == 200
    unchanged = client.get(path, **from_address("192.0.2.1", **{"If-None-Match": tag}))
    assert unchanged.status_code == 304


@pytest.mark.parametrize(
    "query",
    [
        *("filter=number<{}", "number={}", "sortby=number&offset={}"),
        *("f=html&number={}", "offset=2000{}"),
    ],
)
def test_anonymous_filters_are_counted_unless_the_response_is_cached(
    make_client: MakeClient, open_layer: str, person: Callable[[str], Person], query: str
) -> None:
    client = make_client(searches_per_minute=2)
    path = f"/ogc/collections/{open_layer}/items?{query}"
    asked = from_address("192.0.2.1")
    first = client.get(path.format(1), **asked)
    second = client.get(path.format(2), **asked)
    assert (first.status_code, second.status_code) == (200, 200)
    refused = client.get(path.format(3), **asked)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"]
    if "html" not in query:
        for _ in range(5):
            assert client.get(path.format(1), **asked).data == first.data
        known = from_address("192.0.2.1", **{"If-None-Match": first.headers["ETag"]})
        assert client.get(path.format(1), **known).status_code == 304
    signed_in = from_address("192.0.2.1", **person("owner").headers)
    for number in range(3, 9):
        assert client.get(path.format(number), **signed_in).status_code == 200
    plain = f"/ogc/collections/{open_layer}/items?bbox=0,0,60,60"
    for offset in range(9):
        assert client.get(f"{plain}&offset={offset}", **asked).status_code == 200


def test_searches_are_counted(make_client: MakeClient, open_layer: str) -> None:
    client = make_client(searches_per_minute=5)
    asked = from_address("192.0.2.1")
    items = f"/ogc/collections/{open_layer}"
    for send in (
        lambda: client.post(f"{items}/search", json={"filter": "number = 1"}, **asked),
        lambda: client.get("/ogc/collections?q=layer", **asked),
        lambda: client.get("/api/v1/layers?search=layer", **asked),
        lambda: client.get("/api/v1/maps?q=map", **asked),
        lambda: client.get("/?q=map", **asked),
    ):
        assert send().status_code == 200
    for path in ("/ogc/collections?q=x", "/api/v1/layers?search=x", "/api/v1/maps?q=x", "/?q=x"):
        assert client.get(path, **asked).status_code == 429
    assert_refused(client.post(f"{items}/search", json={}, **asked), "searches", 5)
    for path in ("/ogc/collections", "/api/v1/layers", "/api/v1/maps", "/"):
        assert client.get(path, **asked).status_code == 200


def test_tiles_that_are_made_are_counted_and_cached_ones_are_not(
    make_client: MakeClient, open_layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tile_routes, "_SHARED_CACHE_THRESHOLD", 0)
    one = make_client(tiles_per_minute=2)
    asked = from_address("192.0.2.1")
    path = f"/ogc/collections/{open_layer}/tiles/WebMercatorQuad"
    first = one.get(f"{path}/2/1/2", **asked)
    assert (first.status_code, one.get(f"{path}/3/2/4", **asked).status_code) == (200, 200)
    assert_refused(one.get(f"{path}/4/5/8", **asked), "tiles", 2)
    for _ in range(5):
        assert one.get(f"{path}/2/1/2", **asked).data == first.data
    known = from_address("192.0.2.1", **{"If-None-Match": first.headers["ETag"]})
    assert one.get(f"{path}/2/1/2", **known).status_code == 304
    # another process has neither of the two in its own cache
    other = make_client(tiles_per_minute=1)
    for _ in range(3):
        assert other.get(f"{path}/3/2/4", **from_address("192.0.2.2")).status_code == 200
    other.get(f"{path}/4/5/8", **from_address("192.0.2.2"))
    assert_refused(other.get(f"{path}/5/10/16", **from_address("192.0.2.2")), "tiles", 1)
    assert other.get(f"{path}/2/1/2", **from_address("192.0.2.2")).data == first.data
    assert other.get(f"{path}/5/10/16", **from_address("192.0.2.3")).status_code == 200


def test_people_are_not_looked_for_in_bulk(
    make_client: MakeClient, person: Callable[[str], Person]
) -> None:
    headers, client = person("owner").headers, make_client(lookups_per_minute=3)
    created = client.post("/api/v1/maps", json={"name": "x"}, headers=headers)
    assert created.json is not None
    path = f"/api/v1/maps/{created.json['id']}/collaborators"
    for _ in range(2):
        found = client.get("/api/v1/users?email=nobody@example.org", headers=headers)
        assert found.status_code == 200
    invitation = {"email": "nobody@example.org"}
    assert client.post(path, json=invitation, headers=headers).status_code == 404
    assert_refused(client.post(path, json=invitation, headers=headers), "lookups", 3)
    refused = client.get("/api/v1/users?email=owner@example.org", headers=headers)
    assert_refused(refused, "lookups", 3)
    assert client.get("/api/v1/users/me", headers=headers).status_code == 200


@pytest.mark.parametrize("redis_url", ["local"], indirect=True)
def test_what_is_refused_comes_back(
    make_client: MakeClient, open_layer: str, person: Callable[[str], Person]
) -> None:
    """The retry after the time in Retry-After is granted, whatever was refused meanwhile."""
    headers, client = person("owner").headers, make_client(writes_per_minute=2)
    rates = client.application.extensions["samsyn"].rate_limits
    now = [1_000.0]
    rates._local._clock = lambda: now[0]
    path = f"/ogc/collections/{open_layer}/items"

    def write() -> TestResponse:
        return client.post(path, json=POINT, headers=headers)

    statuses = [write().status_code for _ in range(5)]
    assert statuses == [201, 201, 429, 429, 429]
    now[0] += int(write().headers["Retry-After"])
    assert [write().status_code for _ in range(2)] == [201, 429]


@pytest.mark.parametrize("rate", Rate)
def test_every_rate_can_be_left_out(make_client: MakeClient, rate: Rate) -> None:
    limits = make_client(**{rate.value: 0}).application.extensions["samsyn"].rate_limits
    for _ in range(10_000):
        limits.spend(rate, "a")
