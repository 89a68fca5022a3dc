"""Another server that does not respond holds up no requests but those that need it."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.api.gfw.test_tiles import PATH, QUERY
from tests.api.outgoing.remote_server import remote_server
from tests.clients.samsyn_server import serve
from tests.databases import migrated_database

WAITING = 16


def test_a_silent_gateway_holds_no_thread(server_url: str, tmp_path: Path) -> None:
    with (
        remote_server(lambda *_: time.sleep(8)) as remote,
        migrated_database(server_url) as database,
        serve(
            database,
            tmp_path / "log",
            workers=1,
            GFW_API_TOKEN="token",
            GFW_API_URL=remote.url,
            OUTGOING_ALLOW=remote.server,
        ) as server,
        ThreadPoolExecutor(WAITING) as pool,
    ):
        for column in range(WAITING):
            path = PATH.replace("/3/4/2", f"/5/{column}/2")
            pool.submit(requests.get, server.url + path + QUERY, timeout=60)
        while not remote.connections:
            time.sleep(0.01)
        for path in ("/ogc/collections?f=json", "/api/health", "/ogc/conformance"):
            start = time.monotonic()
            assert requests.get(server.url + path, timeout=10).ok
            assert time.monotonic() - start < 2
