"""Tiles of Global Fishing Watch, by a server on this machine that stands for it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.api.outgoing.remote_server import Answer, Remote, remote_server, respond
from tests.documented_responses import validate_responses
from tests.redis_server import redis_server

TOKEN = "secret-of-the-server"
TILE = b"\x1a\x06x\x02\x0a\x04main"
QUERY = (
    "?format=MVT&interval=MONTH&datasets[0]=public-global-fishing-effort:latest"
    "&date-range=2024-01-01,2024-12-31"
)
PATH = "/api/v1/gfw/v3/4wings/tile/heatmap/3/4/2"
MVT = "Content-Type: application/vnd.mapbox-vector-tile"

type Client = Callable[..., FlaskClient]


class Gateway:
    """The double: `answer` is what it says; `remote` what it was asked."""

    remote: Remote
    answer: Answer = staticmethod(respond(TILE, MVT))


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    double = Gateway()

    def answer(client: socket.socket, head: str) -> None:
        double.answer(client, head)

    with remote_server(answer) as double.remote:
        yield double


@pytest.fixture(params=["database", "redis"])
def make_client(
    request: Any, empty_database: Engine, gateway: Gateway, tmp_path: Path
) -> Iterator[Client]:
    with ExitStack() as stack:
        redis_url = None
        if request.param == "redis":
            redis_url = stack.enter_context(redis_server(tmp_path)).url

        def make(**values: Any) -> FlaskClient:
            settings = {
                "gfw_api_token": TOKEN,
                "gfw_api_url": gateway.remote.url,
                "outgoing_allow": (gateway.remote.server,),
                "redis_url": redis_url,
            }
            app = create_app(Settings(_env_file=None, **(settings | values)), empty_database)
            validate_responses(app)
            return app.test_client()

        yield make


def test_a_tile_is_fetched_once(make_client: Client, gateway: Gateway) -> None:
    for client in (make_client(), make_client()):  # two workers
        response = client.get(PATH + QUERY)
        assert (response.status_code, response.data) == (200, TILE)
        assert response.content_type == "application/vnd.mapbox-vector-tile"
        assert response.headers["Cache-Control"] == "public, max-age=86400"
        again = client.get(PATH + QUERY, headers={"If-None-Match": response.headers["ETag"]})
        assert again.status_code == 304
    assert len(gateway.remote.requests) == 1
    head = gateway.remote.requests[0]
    assert head.startswith("GET /v3/4wings/tile/heatmap/3/4/2?format=MVT&interval=MONTH&")
    assert f"Authorization: Bearer {TOKEN}" in head


@pytest.mark.parametrize("status", ["404 Not Found", "204 No Content"])
def test_an_empty_tile(make_client: Client, gateway: Gateway, status: str) -> None:
    gateway.answer = respond(b"", status=status)
    client = make_client()
    assert [client.get(PATH + QUERY).status_code for _ in range(2)] == [204, 204]
    assert len(gateway.remote.requests) == 1


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (respond(b"no", status="401 Unauthorized"), 502),
        (respond(b"no", status="500 Internal Server Error"), 502),
        (respond(b"<html>secret", "Content-Type: text/html"), 502),
        (respond(b"", status="429 Too Many Requests"), 429),
        (respond(b"", "Location: http://127.0.0.1/", status="302 Found"), 502),
    ],
)
def test_what_the_gateway_says_is_not_passed_on(
    make_client: Client, gateway: Gateway, answer: Answer, status: int
) -> None:
    gateway.answer = answer
    response = make_client().get(PATH + QUERY)
    assert response.status_code == status
    assert b"secret" not in response.data


def test_an_old_tile_rather_than_none(
    make_client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    monkeypatch.setattr("samsyn_admin.gfw.heatmap.Heatmap.lifetime", timedelta(0))
    assert client.get(PATH + QUERY).status_code == 200
    gateway.answer = respond(b"", status="500 Internal Server Error")
    response = client.get(PATH + QUERY)
    assert (response.status_code, response.data) == (200, TILE)
    assert len(gateway.remote.requests) == 2


def test_the_calls_of_a_day(make_client: Client, gateway: Gateway) -> None:
    client = make_client(gfw_daily_calls=1)
    other = PATH.replace("/3/4/2", "/3/4/3")
    assert client.get(PATH + QUERY).status_code == 200
    assert client.get(other + QUERY).status_code == 429
    assert client.get(PATH + QUERY).status_code == 200
    assert len(gateway.remote.requests) == 1


def test_one_request_for_one_tile_at_a_time(make_client: Client, gateway: Gateway) -> None:
    over = threading.Event()

    def wait(client: socket.socket, head: str) -> None:
        over.wait(10)
        respond(TILE, MVT)(client, head)

    gateway.answer = wait
    app = make_client().application
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(lambda: app.test_client().get(PATH + QUERY)) for _ in range(8)]
        while not gateway.remote.requests:
            time.sleep(0.01)
        over.set()
        assert [future.result().status_code for future in sent] == [200] * 8
    assert len(gateway.remote.requests) == 1


def test_without_a_token(make_client: Client, gateway: Gateway) -> None:
    client = make_client(gfw_api_token=None)
    response = client.get(PATH + QUERY)
    assert response.status_code == 503
    assert "GFW_API_TOKEN" in response.json["detail"]  # type: ignore[index]
    assert client.get("/api/v1/gfw/health").json == {
        "status": "not_configured",
        "configured": False,
    }
    assert make_client().get("/api/v1/gfw/health").json == {"status": "ok", "configured": True}
    assert gateway.remote.connections == 0


@pytest.mark.parametrize("path", [PATH.replace("/3/4/2", "/13/0/0"), PATH + QUERY + "&token=x"])
def test_what_is_not_asked(make_client: Client, gateway: Gateway, path: str) -> None:
    path = path if "?" in path else path + QUERY
    assert make_client().get(path).status_code in {400, 404}
    assert gateway.remote.connections == 0


def test_the_database_has_so_many_and_no_more(
    empty_database: Engine, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samsyn_admin.outgoing.kept_responses.MAX_KEPT", 3)
    monkeypatch.setattr("samsyn_admin.outgoing.kept_responses._TIDY", 1)
    settings = Settings(
        _env_file=None,
        gfw_api_token=TOKEN,
        gfw_api_url=gateway.remote.url,
        outgoing_allow=(gateway.remote.server,),
    )
    client = create_app(settings, empty_database).test_client()
    for column in range(6):
        assert client.get(PATH.replace("/4/2", f"/{column}/2") + QUERY).status_code == 200
    with empty_database.connect() as connection:
        kept = connection.execute(text("SELECT count(*) FROM kept_responses")).scalar()
    assert kept == 3
