"""The list of web map servers: who keeps it, what it tells, how it is renewed."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from tests.api.layer_requests import Caller, MakeCaller, wms
from tests.api.outgoing.remote_server import respond
from tests.api.wms.answers import WMS, XML, capabilities
from tests.api.wms.conftest import Ask

SERVERS = "/api/v1/wms-servers"

type Add = Callable[..., dict[str, Any]]


def send(caller: Caller, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    headers = {"Content-Type": "application/json", **caller.headers, **renamed}
    options = {} if body is None else {"json": body}
    return caller.client.open(f"{SERVERS}{path}", method=method, headers=headers, **options)


@pytest.fixture
def add(admin: Caller, remote: WMS) -> Add:
    def create(path: str = "", **members: Any) -> dict[str, Any]:
        body = {"name": "Charts", "base_url": f"{remote.url}{path}", **members}
        response = send(admin, "POST", "", body)
        assert response.status_code == 201, response.text
        document: dict[str, Any] = response.json  # type: ignore[assignment]
        assert response.headers["Location"].endswith(f"{SERVERS}/{document['id']}")
        return document

    return create


def test_a_server_is_added(add: Add, remote: WMS, anonymous: Caller, admin: Caller) -> None:
    base_url = f"{remote.url}?map=sea&SERVICE=WMS&request=GetCapabilities&version=1.1.1&"
    added = add(base_url=base_url, description="Of the office")
    assert added["base_url"] == f"{remote.url}?map=sea&"
    assert added["created_by"] == str(admin.id)
    assert added["service_title"] == "Sea"
    assert (added["version"], added["layer_count"]) == ("1.3.0", 1)
    assert added["capabilities_cache"]["layers"][0]["name"] == "depth"
    read = send(anonymous, "GET", f"/{added['id']}")
    assert read.json == added
    (listed,) = send(anonymous, "GET", "").json  # type: ignore[misc]
    assert listed == {name: added[name] for name in added if name != "capabilities_cache"}


def test_the_list_is_newest_first(add: Add, anonymous: Caller) -> None:
    ids = [add(f"/{number}")["id"] for number in range(3)]
    response = send(anonymous, "GET", "?limit=2")
    assert [entry["id"] for entry in response.json] == [ids[2], ids[1]]  # type: ignore[union-attr]
    assert response.headers["X-Total-Count"] == "3"
    assert 'rel="next"' in response.headers["Link"]


def test_only_administrators_write(
    add: Add, remote: WMS, owner: Caller, anonymous: Caller, make_caller: MakeCaller
) -> None:
    path = f"/{add()['id']}"
    body = {"name": "Mine", "base_url": f"{remote.url}/mine"}
    asked = len(remote.remote.requests)
    reader = make_caller("reader", "read", admin=True)
    for caller, status in ((anonymous, 401), (owner, 403), (reader, 403)):
        assert send(caller, "POST", "", body).status_code == status
        assert send(caller, "PUT", path, {"name": "Mine"}).status_code == status
        assert send(caller, "PATCH", path, {"name": "Mine"}).status_code == status
        assert send(caller, "DELETE", path).status_code == status
    assert send(anonymous, "POST", f"{path}/refresh").status_code == 401
    assert send(owner, "PUT", "/6f6d1e0e-0000-4000-8000-000000000000", {}).status_code == 404
    assert len(remote.remote.requests) == asked


def test_an_address_is_there_once(add: Add, admin: Caller, remote: WMS) -> None:
    add()
    asked = len(remote.remote.requests)
    for base_url in (remote.url, f"{remote.url}?", f"{remote.url}?SERVICE=WMS&REQUEST=x"):
        response = send(admin, "POST", "", {"name": "Again", "base_url": base_url})
        assert response.status_code == 409
    assert len(remote.remote.requests) == asked


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "", "base_url": "https://example.org"}, 422),
        ({"name": "a" * 256, "base_url": "https://example.org"}, 422),
        ({"name": "a"}, 422),
        ({"name": "a", "base_url": "https://example.org", "version": "1.1.1"}, 422),
        ({"name": "a", "base_url": "not an address"}, 400),
        ({"name": "a", "base_url": "http://127.0.0.1/"}, 400),
        ({"name": "a", "base_url": "http://[fd00::1]/"}, 400),
        ([], 422),
    ],
    ids=range(8),
)
def test_what_cannot_be_added(admin: Caller, body: Any, status: int) -> None:
    assert send(admin, "POST", "", body).status_code == status


def test_a_fetch_that_fails(admin: Caller, remote: WMS) -> None:
    remote.document = respond(b"", status="404 Not Found")
    response = send(admin, "POST", "", {"name": "a", "base_url": remote.url})
    assert response.status_code == 400
    assert response.json["detail"] == (  # type: ignore[index]
        f"{remote.remote.server} responded with the status 404."
    )
    assert send(admin, "GET", "").json == []


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_server_is_renamed(add: Add, admin: Caller, method: str) -> None:
    added = add(description="Old")
    path = f"/{added['id']}"
    tag = send(admin, "GET", path).headers["ETag"]
    # what was read can be sent back
    response = send(admin, method, path, {**added, "name": "New"}, If_Match=tag)
    assert response.status_code == 200
    changed: Any = response.json
    assert (changed["name"], changed["description"]) == ("New", "Old")
    assert send(admin, method, path, {"name": "Late"}, If_Match=tag).status_code == 412
    assert send(admin, method, path, {"description": None}).json["description"] is None  # type: ignore[index]
    assert send(admin, method, path, {"name": ""}).status_code == 422
    assert send(admin, method, path, {"name": None}).status_code == 422
    assert send(admin, method, path, {"colour": "blue"}).status_code == 422


def test_a_server_is_removed_and_layers_stay(
    add: Add, admin: Caller, owner: Caller, remote: WMS
) -> None:
    path = f"/{add()['id']}"
    layer = owner.post(wms(url=remote.url)).json["id"]  # type: ignore[index]
    assert send(admin, "DELETE", path, If_Match='"other"').status_code == 412
    assert send(admin, "DELETE", path).status_code == 204
    assert send(admin, "GET", path).status_code == 404
    assert owner.get(layer).status_code == 200


def test_a_stored_server_may_be_asked_by_anybody(
    add: Add, ask: Ask, anonymous: Caller, remote: WMS
) -> None:
    add()
    assert ask("capabilities", anonymous, url=remote.url).status_code == 200


def test_a_refresh(add: Add, owner: Caller, remote: WMS) -> None:
    added = add()
    path = f"/{added['id']}/refresh"
    remote.document = respond(
        capabilities("<Layer><Name>a</Name></Layer><Layer><Name>b</Name></Layer>"), XML
    )
    response = send(owner, "POST", path)  # without a body
    assert response.status_code == 200
    assert response.json["layer_count"] == 2  # type: ignore[index]
    assert response.json["cached_at"] > added["cached_at"]  # type: ignore[index]
    remote.document = respond(b"", status="500 Internal Server Error")
    assert send(owner, "POST", path).status_code == 400
    assert send(owner, "GET", f"/{added['id']}").json == response.json


def _grow_old(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE wms_servers SET cached_at = now() - interval '25 hours'"))


@pytest.mark.parametrize("path", ["", "/layers"])
def test_old_capabilities_are_renewed_on_use(
    add: Add, anonymous: Caller, remote: WMS, empty_database: Engine, path: str
) -> None:
    added = add()
    remote.document = respond(capabilities("<Layer><Name>new</Name></Layer>"), XML)
    _grow_old(empty_database)
    assert "new" in send(anonymous, "GET", f"/{added['id']}{path}").text
    assert "new" in send(anonymous, "GET", f"/{added['id']}{path}").text
    assert len(remote.remote.requests) == 2


def test_old_ones_are_sent_where_no_new_ones_can_be_had(
    add: Add, anonymous: Caller, remote: WMS, empty_database: Engine
) -> None:
    added = add()
    remote.document = respond(b"", status="500 Internal Server Error")
    _grow_old(empty_database)
    for _ in range(2):  # the second without asking again
        found: Any = send(anonymous, "GET", f"/{added['id']}/layers").json
        assert [layer["name"] for layer in found["layers"]] == ["depth"]
    assert len(remote.remote.requests) == 3


def test_layers_are_searched(add: Add, anonymous: Caller, remote: WMS) -> None:
    layers = "".join(
        f"<Layer><Name>l{n}</Name><Title>Layer {'é%' if n % 2 else '_'} {n}</Title></Layer>"
        for n in range(1_200)
    )
    remote.document = respond(capabilities(layers), XML)
    path = f"/{add()['id']}/layers"
    whole = send(anonymous, "GET", path)
    found: Any = whole.json
    assert len(found["layers"]) == 1_200  # the web app searches by itself
    assert (found["server_name"], found["version"]) == ("Charts", "1.3.0")
    again = send(anonymous, "GET", path, If_None_Match=whole.headers["ETag"])
    assert again.status_code == 304
    response = send(anonymous, "GET", f"{path}?q=LAYER+é%25&limit=2&offset=1")
    found = response.json
    assert [layer["name"] for layer in found["layers"]] == ["l3", "l5"]
    assert response.headers["X-Total-Count"] == "600"
    assert "offset=3" in response.headers["Link"]
    assert send(anonymous, "GET", f"{path}?q=nothing").json["layers"] == []  # type: ignore[index]
    for query in ("limit=0", "limit=1001", f"q={'a' * 256}", "colour=blue"):
        assert send(anonymous, "GET", f"{path}?{query}").status_code == 400


def test_unknown_servers(admin: Caller) -> None:
    for path in ("/6f6d1e0e-0000-4000-8000-000000000000", "/1"):
        assert send(admin, "GET", path).status_code == 404
        assert send(admin, "GET", f"{path}/layers").status_code == 404
        assert send(admin, "PUT", path, {"name": "a"}).status_code == 404
        assert send(admin, "DELETE", path).status_code == 404
        assert send(admin, "POST", f"{path}/refresh").status_code == 404
