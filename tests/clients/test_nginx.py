"""nginx in front, with its default sizes of buffers: what it cannot hold it refuses."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from samsyn_provider.http.formats import FORMATS
from tests.clients.plan_layers import quoted_filter
from tests.clients.samsyn_server import Server

START_SECONDS = 10
_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {upstream};
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def nginx(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an nginx in front of the server."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx (Debian's nginx-light) is not installed")
    with _running(program, server.url, tmp_path_factory.mktemp("nginx")) as url:
        yield url


@contextmanager
def _running(program: str, upstream: str, folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration, log = folder / "nginx.conf", folder / "log"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, upstream=upstream))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "-p", folder, "-e", "stderr", "-c", configuration],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nginx does not listen; its log:\n{log.read_text()}")


@pytest.mark.parametrize("length", [350, 1_000, 2_500, 6_000])
@pytest.mark.parametrize("form", ["json", "html", *sorted(FORMATS)])
def test_long_filters(nginx: str, areas: str, length: int, form: str) -> None:
    address = (
        f"{nginx}/ogc/collections/{areas}/items?f={form}&limit=3&filter={quoted_filter(length)}"
    )
    response = requests.get(address, timeout=60)
    assert response.status_code == 200, response.text
    assert response.content
    head = requests.head(address, timeout=60)
    assert head.status_code == 200


@pytest.mark.parametrize("length", [350, 6_000])
def test_the_pages_of_a_long_filter(nginx: str, areas: str, length: int) -> None:
    address = f"{nginx}/ogc/collections/{areas}/items?limit=500&filter={quoted_filter(length)}"
    numbers, seen = [], set()
    while address:
        page = requests.get(address, timeout=60).json()
        numbers.append(page["numberReturned"])
        seen |= {feature["id"] for feature in page["features"]}
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        address = following[0] if following else ""
        assert not address or address.startswith(nginx)
    assert numbers == [500, 500, 234]
    assert len(seen) == 1234


def test_items_tiles_and_documents(nginx: str, areas: str) -> None:
    collection = f"{nginx}/ogc/collections/{areas}"
    page = requests.get(f"{collection}/items?limit=1", timeout=60).json()
    for path in (f"items/{page['features'][0]['id']}", "queryables", "tiles", ""):
        assert requests.get(f"{collection}/{path}".rstrip("/"), timeout=60).status_code == 200
    tile = f"{collection}/tiles/WebMercatorQuad/0/0/0?filter={quoted_filter(6_000)}"
    assert requests.get(tile, timeout=60).status_code == 200


def test_a_longer_filter_is_sent_as_a_search(nginx: str, areas: str) -> None:
    search = f"{nginx}/ogc/collections/{areas}/search"
    body = {"filter": f"name <> '{'x' * 20_000}'", "limit": 5}
    assert requests.post(search, json=body, timeout=60).json()["numberReturned"] == 5
