"""Who may have a server asked, how often, and what is kept of its answers."""

import socket
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.api.layer_requests import Caller, MakeCaller, add_to_map, wms
from tests.api.outgoing.remote_server import respond
from tests.api.wms.answers import WMS, XML, capabilities
from tests.api.wms.conftest import Ask

PLACE = {"bbox": "10,54,12,56", "width": 100, "height": 100, "x": 50, "y": 50}
PATHS = [
    ("capabilities", {}),
    ("feature-info", {"layers": "depth", **PLACE}),
    ("discover-properties", {"layer": "depth"}),
]


@pytest.mark.parametrize("request_", PATHS)
def test_anybody_may_ask_what_they_know_of(
    ask: Ask, remote: WMS, owner: Caller, anonymous: Caller, request_: tuple[str, Any]
) -> None:
    path, values = request_
    refused = ask(path, anonymous, url=remote.url, **values)
    assert (refused.status_code, "WWW-Authenticate" in refused.headers) == (401, True)
    created = owner.post(wms(url=remote.url)).json["id"]  # type: ignore[index]
    assert ask(path, anonymous, url=remote.url, **values).status_code == 401  # a private layer
    owner.patch(created, {"visibility": "public"})
    assert ask(path, anonymous, url=remote.url, **values).status_code == 200
    assert ask(path, anonymous, url=f"{remote.url}/other", **values).status_code == 401


def test_a_layer_on_a_public_map_is_known(
    ask: Ask, remote: WMS, owner: Caller, anonymous: Caller, empty_database: Engine
) -> None:
    created = owner.post(wms(url=f"{remote.url}?")).json["id"]  # type: ignore[index]
    add_to_map(empty_database, owner.id, created, "public")
    assert ask("capabilities", anonymous, url=f"{remote.url}?").status_code == 200


def test_a_wrong_token_asks_nothing(ask: Ask, remote: WMS, app: Flask, owner: Caller) -> None:
    wrong = Caller(owner.id, app.test_client(), {"Authorization": "Bearer samsyn_wrong"})
    assert ask("capabilities", wrong, url=remote.url).status_code == 401
    assert remote.remote.connections == 0


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("capabilities", {}),
        ("capabilities", {"url": ""}),
        ("capabilities", {"url": "ftp://example.org/"}),
        ("capabilities", {"url": "http://user:secret@example.org/"}),
        ("capabilities", {"url": "http://example.org:22/"}),
        ("capabilities", {"url": "http://example.org/" + "a" * 8_000}),
        ("capabilities", {"url": "http://example.org/", "other": "1"}),
        ("feature-info", {"url": "http://example.org/", "layers": "a"}),
        *(
            ("feature-info", {"url": "http://example.org/", "layers": "a", **PLACE, **change})
            for change in (
                {"bbox": "10,54,12"},
                {"bbox": "10,54,nan,56"},
                {"bbox": "10,56,12,54"},
                {"bbox": "10,54,10,56"},
                {"bbox": "10,54,12000,56"},
                {"bbox": "10,54,12,91"},
                {"width": "0"},
                {"width": "1.5"},
                {"height": "²"},
                {"x": "101"},
                {"y": "-1"},
                {"layers": " "},
                {"layers": "a" * 2_001},
                {"version": "1.0.0"},
                {"time": "a" * 201},
                {"cql_filter": "a" * 4_001},
            )
        ),
        ("discover-properties", {"url": "http://example.org/"}),
        ("discover-properties", {"url": "http://example.org/", "layer": "a", "bounds": "1"}),
    ],
    ids=range(26),
)
def test_what_is_malformed(ask: Ask, path: str, values: Any) -> None:
    assert ask(path, **values).status_code == 400


def test_the_rate_of_a_caller(empty_database: Engine, remote: WMS, owner: Caller) -> None:
    settings = Settings(
        _env_file=None, outgoing_allow=(remote.remote.server,), outgoing_per_minute=2
    )
    client = create_app(settings, empty_database).test_client()

    def send(number: int) -> int:
        query = {"url": f"{remote.url}/{number}"}
        return client.get(
            "/api/v1/wms/capabilities", query_string=query, headers=owner.headers
        ).status_code

    assert [send(number) for number in (1, 1, 2, 3, 1)] == [200, 200, 200, 429, 200]
    assert len(remote.remote.requests) == 2


def test_outgoing_is_off(empty_database: Engine, owner: Caller) -> None:
    client = create_app(Settings(_env_file=None, outgoing=False), empty_database).test_client()
    query = {"url": "https://example.org/wms"}
    response = client.get("/api/v1/wms/capabilities", query_string=query, headers=owner.headers)
    assert response.status_code == 503


def test_an_answer_has_an_entity_tag(ask: Ask, remote: WMS, owner: Caller) -> None:
    for path, values in PATHS:
        response = ask(path, url=remote.url, **values)
        headers = {**owner.headers, "If-None-Match": response.headers["ETag"]}
        again = owner.client.get(
            f"/api/v1/wms/{path}", query_string={"url": remote.url, **values}, headers=headers
        )
        assert (again.status_code, again.data) == (304, b"")


def test_answers_are_kept_for_all_workers(
    ask: Ask, remote: WMS, owner: Caller, empty_database: Engine
) -> None:
    values = {"url": remote.url, "layers": "depth", **PLACE}
    first = ask("feature-info", **values)
    settings = Settings(_env_file=None, outgoing_allow=(remote.remote.server,))
    other = create_app(settings, empty_database).test_client()
    path = "/api/v1/wms/feature-info"
    assert other.get(path, query_string=values, headers=owner.headers).data == first.data
    assert [request["REQUEST"] for request in remote.asked] == ["GetCapabilities", "GetFeatureInfo"]


def _age(engine: Engine, interval: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE kept_responses SET fresh_until = now() - {interval}"))


def test_capabilities_that_have_not_changed(ask: Ask, remote: WMS, empty_database: Engine) -> None:
    tag = 'ETag: "v1"'
    remote.document = respond(
        capabilities(), XML, tag, "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT"
    )
    first = ask("capabilities", url=remote.url)

    def unchanged(client: socket.socket, head: str) -> None:
        assert 'If-None-Match: "v1"' in head
        assert "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT" in head
        respond(b"", status="304 Not Modified")(client, head)

    _age(empty_database, "interval '1 hour'")
    remote.document = unchanged
    assert ask("capabilities", url=remote.url).data == first.data
    assert ask("capabilities", url=remote.url).data == first.data
    assert len(remote.remote.requests) == 2


def test_a_server_that_fails_later(ask: Ask, remote: WMS, empty_database: Engine) -> None:
    first = ask("capabilities", url=remote.url)
    _age(empty_database, "interval '1 hour'")
    remote.document = respond(b"", status="500 Internal Server Error")
    for _ in range(2):  # the second without asking again
        assert ask("capabilities", url=remote.url).data == first.data
    assert len(remote.remote.requests) == 3


def test_capabilities_that_cannot_be_read_are_no_obstacle_to_a_click(ask: Ask, remote: WMS) -> None:
    remote.document = respond(b"", status="403 Forbidden")
    remote.info = respond(b'{"features": [{"properties": {"a": 1}}]}')
    found: Any = ask("feature-info", url=remote.url, layers="depth", **PLACE).json
    assert found["features"][0]["properties"] == {"a": 1}


def test_the_second_format_where_the_first_is_refused(ask: Ask, remote: WMS) -> None:
    formats = ("text/plain", "text/html", "application/json", "text/xml; subtype=gml/3.1.1")
    remote.document = respond(capabilities(formats=formats), XML)

    def answer(client: socket.socket, head: str) -> None:
        if "json" in head:
            respond(
                b"<ServiceExceptionReport><ServiceException code='InvalidFormat'/>"
                b"</ServiceExceptionReport>",
                XML,
            )(client, head)
        else:
            respond(b"<a><b_feature><c>1</c></b_feature></a>", XML)(client, head)

    remote.info = answer
    found: Any = ask("feature-info", url=remote.url, layers="depth", **PLACE).json
    assert found["features"][0]["properties"] == {"c": "1"}
    asked = [request.get("INFO_FORMAT") for request in remote.asked]
    assert asked == [None, "application/json", "text/xml; subtype=gml/3.1.1"]


def test_what_is_kept_is_for_all_callers(ask: Ask, remote: WMS, make_caller: MakeCaller) -> None:
    """What one caller has asked for is kept for the next: it is public."""
    ask("capabilities", url=remote.url)
    assert ask("capabilities", make_caller("other"), url=remote.url).status_code == 200
    assert len(remote.remote.requests) == 1
