"""The permission matrix through nginx as it is shipped: what it keeps is what anybody may have.

Every caller reads one object of every route. Then the same addresses are asked for without
credentials: nginx answers as the server itself does.
"""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from samsyn_model.database.engine import open_engine
from samsyn_model.database.transactions import writing
from tests.clerk_instance import ISSUER, public_pem
from tests.clients.nginx_server import ShippedNginx, shipped_nginx
from tests.clients.samsyn_server import Server, serve
from tests.databases import migrated_database
from tests.security.disclosure import SECRETS
from tests.security.operations import Operation
from tests.security.permission_matrix import OPERATIONS
from tests.security.permission_rules import ANONYMOUS, Caller
from tests.security.permission_world import BROWSERS, PRINCIPALS, headers_of
from tests.security.world_database import populate, store_rasters

LIMIT = 4
"""PUBLIC_MAX_AGE: seconds after which nothing is left of what is private now."""
TILE = re.compile(r"/(ogc/(collections|maps)/[^/]+/tiles|api/v1/layers/[^/]+/raster)/")
OF_A_HOP = {"connection", "date", "keep-alive", "server", "transfer-encoding", "x-request-id"}
"""Headers that each server sets for itself."""
WITHDRAWN = (
    "UPDATE layers SET visibility = 'private', is_global = false",
    "UPDATE maps SET view_permission = 'private', edit_permission = 'private'",
)


class _FromAddress(HTTPAdapter):
    """Sends from an address of its own, as another client does: nginx limits each of them."""

    def __init__(self, number: int) -> None:
        self._source = (f"127.0.1.{number + 1}", 0)
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> Any:
        return super().init_poolmanager(*arguments, source_address=self._source, **options)


@dataclass
class Front:
    """nginx before a server that has the world, and the sessions of its clients."""

    nginx: ShippedNginx
    server: Server
    sessions: dict[int, requests.Session] = field(default_factory=dict)

    def session(self, number: int) -> requests.Session:
        if number not in self.sessions:
            session = self.sessions[number] = requests.Session()
            session.trust_env = False
            session.verify = str(self.nginx.certificate)
            session.mount("https://", _FromAddress(number))
        return self.sessions[number]

    def get(self, path: str, number: int, headers: dict[str, str] | None = None) -> Any:
        """Ask nginx as a client without cookies of its own."""
        session = self.session(number)
        session.cookies.clear()
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        response = session.get(
            self.nginx.url + path, headers=sent, timeout=60, allow_redirects=False
        )
        assert response.status_code != 429, path
        return response

    def get_directly(self, path: str, number: int) -> Any:
        """Ask the server without nginx, in the words that nginx asks in."""
        host = self.nginx.url.partition("//")[2]
        forwarded = {"For": f"127.0.1.{number + 1}", "Host": host, "Proto": "https"}
        sent = {f"X-Forwarded-{name}": value for name, value in forwarded.items()}
        sent |= {"Host": host, "Accept-Encoding": "identity"}
        return requests.get(self.server.url + path, headers=sent, timeout=60, allow_redirects=False)


@pytest.fixture
def front(server_url: str, tmp_path: Path) -> Iterator[Front]:
    for name in ("storage", "nginx"):
        (tmp_path / name).mkdir()
    store_rasters(tmp_path / "storage")
    settings = {
        "CLERK_JWT_KEY": public_pem(),
        "CLERK_ISSUER": ISSUER,
        "CLERK_AUTHORIZED_PARTIES": "",
        "STORAGE_DIR": str(tmp_path / "storage"),
        "OUTGOING": "false",
        "TITILER_URL": "off",
        "LIVE_SOCKET": "off",
        "TRUSTED_PROXIES": "1",
        "PUBLIC_MAX_AGE": str(LIMIT),
    }
    with migrated_database(server_url) as database:
        engine = open_engine(database)
        with writing(engine) as connection:
            populate(connection)
        engine.dispose()
        with (
            serve(database, tmp_path / "log", workers=1, **settings) as server,
            shipped_nginx(server.url, tmp_path / "nginx", tmp_path / "none") as nginx,
        ):
            running = Front(nginx, server)
            yield running
            for session in running.sessions.values():
                session.close()


def _operations() -> list[Operation]:
    """Return one operation of each route that reads, without a query where there is such a one."""
    reading = [operation for operation in OPERATIONS if operation.method == "GET"]
    reading.sort(key=lambda operation: "?" in operation.path)
    return list({operation.route: operation for operation in reversed(reading)}.values())


def _targets(operation: Operation) -> list[Any]:
    """Return an object that somebody may read and not anybody; of what may be kept by caches, and
    where there is none, one that anybody may read."""
    hidden, shown = None, None
    for target in operation.objects:
        if operation.expected_status(ANONYMOUS, target) < 400:
            shown = shown or target
        elif any(operation.expected_status(caller, target) < 400 for caller in PRINCIPALS):
            hidden = hidden or target
    may_be_kept = TILE.search(operation.path) is not None
    found = [hidden, shown if may_be_kept or hidden is None else None]
    return [target for target in found if target is not None] or [operation.objects[0]]


ADDRESSES = [
    operation.address(target) for operation in _operations() for target in _targets(operation)
]


def _read_as(front: Front, number: int, caller: Caller) -> set[str]:
    """Read every address as a caller, and the tiles of each TileJSON; return their addresses.

    Callers that are refused, or signed out, read some: the response does not depend on it.
    """
    headers, more = headers_of(caller), set()

    def read(address: str) -> Any:
        response = front.get(address, number, headers)
        if TILE.search(address):  # at once, while it would be fresh
            direct = _seen(front.get_directly(address, number))
            assert _seen(front.get(address, number)) == direct, (caller.name, address)
        return response

    for address in ADDRESSES[:: 8 if caller.is_refused or caller.has_ended else 1]:
        read(address)
        if address.endswith("/tiles/WebMercatorQuad"):
            tilejson = front.get(f"{address}?f=tilejson", number, headers)
            if tilejson.status_code == 200:
                (template,) = tilejson.json()["tiles"]
                tile = template.replace("{z}/{y}/{x}", "0/0/0").removeprefix(front.nginx.url)
                assert read(tile).status_code in {200, 204}
                more.add(tile)
    return more


def _seen(response: Any) -> tuple[Any, ...]:
    headers = {
        name.lower(): value
        for name, value in response.headers.items()
        if name.lower() not in {*OF_A_HOP, "x-cache"}
    }
    body = re.sub(rb'"timeStamp":"[^"]*"', b"", response.content)
    if len(body) != len(response.content):
        headers.pop("etag", None)
        headers.pop("content-length", None)
    return response.status_code, headers, body


def _replay(front: Front, addresses: list[str]) -> tuple[set[str], dict[str, int]]:
    """Ask for each address twice without credentials, through nginx and directly.

    Return the states of the cache, and the status of each address.
    """
    states, differing, statuses = set(), [], {}
    for index, address in enumerate(addresses):
        number = 100 + index % 20
        direct = _seen(front.get_directly(address, number))
        statuses[address] = direct[0]
        for _ in range(2):
            response = front.get(address, number)
            states.add(response.headers.get("X-Cache"))
            if _seen(response) != direct:
                differing.append(f"{address}:\n  {_seen(response)}\n  {direct}")
    assert not differing, "\n".join(differing)
    return states, statuses


def _kept(front: Front) -> bytes:
    files = front.nginx.cache.rglob("*")
    return b"\n".join(file.read_bytes() for file in files if file.is_file())


def test_nothing_private_is_ever_kept(front: Front) -> None:
    callers = (*PRINCIPALS, *BROWSERS)
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda pair: _read_as(front, *pair), enumerate(callers))
        addresses = sorted({*ADDRESSES}.union(*found))
    assert len(addresses) > len(ADDRESSES)  # of tiles, in the versions that each caller sees
    states, before = _replay(front, addresses)
    assert {"MISS", "HIT"} <= states
    kept = _kept(front)
    words = {word for word in SECRETS if word.encode() in kept}
    assert words, "tiles of public layers"
    assert sorted(SECRETS[word][0] for word in words if not SECRETS[word][1](ANONYMOUS)) == []

    engine = open_engine(front.server.database)
    with writing(engine) as connection:
        for statement in WITHDRAWN:
            connection.exec_driver_sql(statement)
    engine.dispose()
    time.sleep(LIMIT + 1)  # nginx counts whole seconds
    states, after = _replay(front, addresses)
    assert "HIT" not in states
    withdrawn = [address for address in addresses if before[address] != after[address]]
    assert len([address for address in withdrawn if TILE.search(address)]) > 5
    assert {after[address] for address in withdrawn} <= {401, 404}
