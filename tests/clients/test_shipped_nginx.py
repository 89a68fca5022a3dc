"""deploy/nginx as it is shipped, in front of a real server."""

import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.api.live.event_streams import Person
from tests.clients.nginx_server import ShippedNginx, shipped_nginx
from tests.clients.samsyn_server import OWNER, Server, free_port, make_token, serve
from tests.faults.database_server import wait_until

TILE = "/ogc/collections/{}/tiles/WebMercatorQuad/0/0/0"
KEYED = {"accept", "accept-encoding", "authorization", "cookie", "origin"}
"""What the key of the cache has, or what keeps a request from it."""


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frontend")
    (folder / "index.html").write_text("<!doctype html><title>Plan</title>")
    (folder / "assets").mkdir()
    (folder / "assets" / "index-1.js").write_text("'use strict';" * 1000)
    return folder


@pytest.fixture(scope="module")
def behind(clients_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that trusts one proxy."""
    log = tmp_path_factory.mktemp("behind") / "log"
    with serve(clients_database, log, workers=1, TRUSTED_PROXIES="1") as server:
        yield server


@pytest.fixture(scope="module")
def owner(behind: Server) -> Person:
    return Person(behind, make_token(behind.database, OWNER))


@pytest.fixture
def nginx(behind: Server, frontend: Path, tmp_path: Path) -> Iterator[ShippedNginx]:
    with shipped_nginx(behind.url, tmp_path, frontend) as running:
        yield running


def get(nginx: ShippedNginx, path: str, **headers: str) -> requests.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(
        nginx.url + path,
        headers=sent,
        verify=nginx.certificate,
        timeout=60,
        allow_redirects=False,
    )


def filled_layer(owner: Person, visibility: str) -> str:
    layer = owner.layer(visibility=visibility)
    owner.insert(layer, n=1)
    return layer


def cached(nginx: ShippedNginx) -> bytes:
    """Return all that nginx has stored, with the keys."""
    return b"".join(file.read_bytes() for file in nginx.cache.rglob("*") if file.is_file())


def problem_of(response: requests.Response, status: int) -> Any:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    document = response.json()
    assert document["status"] == status
    assert {"type", "title", "detail"} <= set(document)
    return document


def test_a_public_tile_is_asked_for_once(nginx: ShippedNginx, owner: Person) -> None:
    path = TILE.format(filled_layer(owner, "public"))
    first, second = get(nginx, path), get(nginx, path)
    assert [one.headers["X-Cache"] for one in (first, second)] == ["MISS", "HIT"]
    assert first.content == second.content != b""
    assert owner.server.requests().count(f"GET {path}") == 1
    assert {name.strip().lower() for name in first.headers["Vary"].split(",")} <= KEYED
    assert "public" in first.headers["Cache-Control"]
    tag = first.headers["ETag"]
    assert get(nginx, path, If_None_Match=tag).status_code == 304
    assert owner.server.requests().count(f"GET {path}") == 1


def test_browsers_share_a_tile_by_its_coding(nginx: ShippedNginx, owner: Person) -> None:
    path = TILE.format(filled_layer(owner, "public"))
    codings = ["gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.8, *;q=0.1", "deflate, gzip", "gzip"]
    codings += ["gzip, br;q=0", "identity", ""]
    states = [get(nginx, path, Accept_Encoding=coding).headers["X-Cache"] for coding in codings]
    assert states == ["MISS", "HIT", "MISS", "HIT", "HIT", "MISS", "HIT"]


def test_what_is_private_is_never_stored(nginx: ShippedNginx, owner: Person) -> None:
    layer = filled_layer(owner, "private")
    bearer = f"Bearer {owner.token}"
    for path in (TILE.format(layer), f"/ogc/collections/{layer}/items", f"/api/v1/layers/{layer}"):
        for _ in range(2):
            response = get(nginx, path, Authorization=bearer)
            assert response.status_code == 200, response.text
            assert "X-Cache" not in response.headers
        for _ in range(2):
            assert get(nginx, path).status_code == 404
    assert layer.encode() not in cached(nginx)


def test_what_is_not_stored_is_not_waited_for_in_turn(nginx: ShippedNginx, owner: Person) -> None:
    path = TILE.format(filled_layer(owner, "private"))
    begun = time.monotonic()
    with ThreadPoolExecutor(16) as threads:
        statuses = set(threads.map(lambda _: get(nginx, path).status_code, range(16)))
    assert statuses == {404}
    assert time.monotonic() - begun < 5  # one after the other they look every half second


@pytest.mark.parametrize(
    ("name", "value"),
    [("Authorization", "Bearer {}"), ("Cookie", "samsyn_session=x"), ("Cookie", "a=b")],
)
def test_credentials_go_around_the_cache(
    nginx: ShippedNginx, owner: Person, name: str, value: str
) -> None:
    path = TILE.format(filled_layer(owner, "public"))
    sent = {name: value.format(owner.token)}
    assert "X-Cache" not in get(nginx, path, **sent).headers
    assert path.encode() not in cached(nginx)
    assert [get(nginx, path).headers["X-Cache"] for _ in range(2)] == ["MISS", "HIT"]
    before = owner.server.requests().count(f"GET {path}")
    assert "X-Cache" not in get(nginx, path, **sent).headers
    # a line of the log may come after the response
    wait_until(lambda: owner.server.requests().count(f"GET {path}") > before, 10, "its line")
    assert owner.server.requests().count(f"GET {path}") == before + 1


def test_a_document_that_may_change_is_not_stored(nginx: ShippedNginx, owner: Person) -> None:
    path = f"/ogc/collections/{filled_layer(owner, 'public')}/items"
    page = get(nginx, path)
    assert "X-Cache" not in page.headers
    tag = page.headers["ETag"]
    revalidated = get(nginx, path, If_None_Match=tag)
    assert revalidated.status_code == 304


def test_a_tile_whose_layer_becomes_private(nginx: ShippedNginx, owner: Person) -> None:
    """It is there for as long as the server has said, and for nobody else's credentials."""
    layer = filled_layer(owner, "public")
    path = TILE.format(layer)
    get(nginx, path)
    owner.send("PATCH", f"/api/v1/layers/{layer}", {"visibility": "private"})
    kept = get(nginx, path)
    assert (kept.headers["X-Cache"], kept.headers["Cache-Control"]) == ("HIT", "public, max-age=60")
    stranger = make_token(owner.server.database, "stranger@example.org")
    assert get(nginx, path, Authorization=f"Bearer {stranger}").status_code == 404


def versioned(nginx: ShippedNginx, layer: str) -> str:
    """Return the path of a tile as TileJSON has it."""
    tilejson = get(nginx, f"/ogc/collections/{layer}/tiles/WebMercatorQuad?f=tilejson").json()
    address: str = tilejson["tiles"][0].replace("{z}/{y}/{x}", "0/0/0")
    assert address.startswith(nginx.url)
    return address.removeprefix(nginx.url)


def test_a_version_of_a_tile_is_for_browsers_to_keep(nginx: ShippedNginx, owner: Person) -> None:
    """nginx itself keeps it for half a minute, and each version for itself."""
    layer = filled_layer(owner, "public")
    first = versioned(nginx, layer)
    kept = [get(nginx, first) for _ in range(2)]
    assert [one.headers["X-Cache"] for one in kept] == ["MISS", "HIT"]
    limits = "public, max-age=31536000, immutable, s-maxage=30, stale-while-revalidate=30"
    assert {one.headers["Cache-Control"] for one in kept} == {limits}
    owner.insert(layer, n=2)
    second = versioned(nginx, layer)
    assert second != first
    newer = get(nginx, second)
    assert (newer.headers["X-Cache"], newer.headers["Cache-Control"]) == ("MISS", limits)
    assert newer.content != kept[0].content
    assert get(nginx, TILE.format(layer)).headers["Cache-Control"] == "public, max-age=60"


def test_a_version_that_is_not_made_again(
    clients_database: str, owner: Person, frontend: Path, tmp_path: Path
) -> None:
    """After its time nginx asks whether it is the same, and meanwhile goes on with what it has."""
    (tmp_path / "nginx").mkdir()
    limit = 4
    settings = {"PUBLIC_MAX_AGE": str(limit), "TRUSTED_PROXIES": "1"}
    with (
        serve(clients_database, tmp_path / "log", workers=1, **settings) as server,
        shipped_nginx(server.url, tmp_path / "nginx", frontend) as nginx,
    ):
        path = versioned(nginx, layer := filled_layer(owner, "public"))
        tile = get(nginx, path)
        seen = {"MISS": tile.content}

        def state() -> str:
            answer = get(nginx, path)
            seen[answer.headers["X-Cache"]] = answer.content
            return answer.headers["X-Cache"]

        wait_until(lambda: state() == "STALE", 10, "stale")
        wait_until(lambda: state() == "HIT", 10, "renewed")
        assert {*seen.values()} == {tile.content}
        assert re.findall(rf"{re.escape(path)} HTTP/1.1\" (\d+)", server.log.read_text()) == [
            "200",
            "304",
        ]
        owner.send("PATCH", f"/api/v1/layers/{layer}", {"visibility": "private"})
        time.sleep(limit + 1)  # nginx counts whole seconds
        for _ in range(2):
            gone = get(nginx, path)
            assert (gone.status_code, gone.headers["X-Cache"]) == (404, "EXPIRED")


def test_events_come_at_once(nginx: ShippedNginx, owner: Person) -> None:
    layer = filled_layer(owner, "public")
    stream = requests.get(
        f"{nginx.url}/api/v1/layers/{layer}/events",
        verify=nginx.certificate,
        stream=True,
        timeout=20,
    )
    with stream:
        assert stream.status_code == 200
        assert "X-Cache" not in stream.headers
        lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
        assert next(line for line in lines if line == "event: ready")
        begun = time.monotonic()
        owner.insert(layer, n=2)
        assert next(line for line in lines if '"n":2' in line.replace(" ", ""))
        assert time.monotonic() - begun < 15


def test_a_large_body_is_refused_before_it_is_sent(nginx: ShippedNginx, owner: Person) -> None:
    layer = owner.layer()
    assert _answer_to_head(nginx, "/api/v1/layers", 16 * 1024**2 + 1)[0] == 413
    status, document = _answer_to_head(nginx, f"/ogc/collections/{layer}/items", 2**30)
    assert status == 413
    assert document["title"] == "Request Entity Too Large"
    for path, refusal in (("/api/v1/imports", 401), (f"/api/v1/layers/{layer}/features/bulk", 404)):
        assert _answer_to_head(nginx, path, 20 * 1024**2)[0] == refusal  # the server's own
    assert _answer_to_head(nginx, "/api/v1/imports", 2**31 + 1)[0] == 413


def _answer_to_head(nginx: ShippedNginx, path: str, length: int) -> tuple[int, Any]:
    """Return the status of the response to the head of a POST, and its problem document."""
    port = int(nginx.url.rsplit(":", 1)[1])
    context = ssl.create_default_context(cafile=str(nginx.certificate))
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n"
    with (
        socket.create_connection(("127.0.0.1", port), 30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
    ):
        client.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode())
        received = b""
        while not (answer := re.match(rb"HTTP/1.1 (\d+).*?\r\n\r\n(.*\})", received, re.DOTALL)):
            data = client.recv(65536)
            assert data, received
            received += data
    return int(answer[1]), json.loads(answer[2])


def test_too_many_requests(nginx: ShippedNginx, owner: Person) -> None:
    path = TILE.format(filled_layer(owner, "public"))
    get(nginx, path)
    with ThreadPoolExecutor(8) as threads:
        answers = [*threads.map(lambda _: _many(nginx, path, 100), range(8))]
    statuses = [one.status_code for part in answers for one in part]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 200
    refused = next(one for part in answers for one in part if one.status_code == 429)
    problem_of(refused, 429)
    assert int(refused.headers["Retry-After"]) > 0
    other = get(nginx, path, Authorization=f"Bearer {owner.token}")
    assert other.status_code == 200  # counted apart from those without credentials


def _many(nginx: ShippedNginx, path: str, count: int) -> list[requests.Response]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(nginx.certificate)
        return [session.get(nginx.url + path, timeout=60) for _ in range(count)]


def test_links_lead_to_nginx(nginx: ShippedNginx) -> None:
    sent = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    sent |= {"X-Forwarded-Port": "99", "X-Forwarded-Prefix": "/evil"}
    page = requests.get(
        f"{nginx.url}/ogc/collections?f=json", headers=sent, verify=nginx.certificate, timeout=60
    )
    hrefs = [link["href"] for link in page.json()["links"]]
    assert hrefs
    assert [href for href in hrefs if not href.startswith(nginx.url)] == []


def test_http_2_and_the_way_to_tls(nginx: ShippedNginx) -> None:
    version = subprocess.run(
        [
            *("curl", "-s", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--http2"),
            *("--cacert", nginx.certificate, f"{nginx.url}/ogc/"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert version == "2 200"
    led = requests.get(f"{nginx.plain_url}/ogc/?f=json", timeout=60, allow_redirects=False)
    assert led.status_code == 301
    assert led.headers["Location"] == "https://127.0.0.1/ogc/?f=json"


def test_the_frontend_is_beside_the_server(nginx: ShippedNginx) -> None:
    for path in ("/", "/maps/1"):
        page = get(nginx, path)
        assert (page.status_code, page.text[:15]) == (200, "<!doctype html>")
        assert page.headers["Cache-Control"] == "no-cache"
        assert "https://clerk.example.org" in page.headers["Content-Security-Policy"]
    script = get(nginx, "/assets/index-1.js", Accept_Encoding="gzip")
    assert script.headers["Cache-Control"] == "max-age=31536000"
    assert script.headers["Content-Encoding"] == "gzip"
    assert get(nginx, "/api/health").json()["status"] == "ok"


def test_without_a_frontend_there_is_the_start_page(behind: Server, tmp_path: Path) -> None:
    (tmp_path / "nginx").mkdir()
    with shipped_nginx(behind.url, tmp_path / "nginx", tmp_path / "none") as nginx:
        page = get(nginx, "/")
        assert page.status_code == 200
        assert "/ogc/collections" in page.text
        assert page.headers["Content-Security-Policy"].count("default-src") == 1


def test_a_server_that_is_away_is_a_problem_document(frontend: Path, tmp_path: Path) -> None:
    with shipped_nginx(f"http://127.0.0.1:{free_port()}", tmp_path, frontend) as nginx:
        problem_of(get(nginx, "/ogc/"), 503)
        away = get(nginx, "/api/v1/layers", Authorization="Bearer x")
        problem_of(away, 503)
        assert int(away.headers["Retry-After"]) > 0


def test_the_log_has_no_queries(nginx: ShippedNginx) -> None:
    get(nginx, "/ogc/collections?q=secret-words", Referer="https://secret-page.example/")
    wait_until(lambda: "GET /ogc/collections 200" in nginx.log.read_text(), 10, "its line")
    line = nginx.log.read_text()
    assert "GET /ogc/collections 200" in line
    assert "secret" not in line
