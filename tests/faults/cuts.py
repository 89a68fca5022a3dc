"""Requests whose connection is cut after each of their bytes, to the server and to the database."""

import json
import socket
import struct
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.database.engine import open_engine
from samsyn_model.settings import Settings
from tests.clients.samsyn_server import Server
from tests.faults.database_server import DatabaseServer, wait_until
from tests.faults.load import Layer, stored
from tests.faults.tcp_proxy import TcpProxy

_ABORT = struct.pack("ii", 1, 0)  # closing sends a reset
_FEATURES = 5


@dataclass
class Cuts:
    """How many connections were cut, and what does not hold afterwards."""

    count: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def _feature(name: str) -> dict[str, object]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [11.5, 57.5]},
        "properties": {"name": name},
    }


def _one(layer: Layer, name: str) -> tuple[str, dict[str, str], bytes]:
    path = f"/api/v1/layers/{layer.id}/features"
    return path, {"Content-Type": "application/geo+json"}, json.dumps(_feature(name)).encode()


def _many(layer: Layer, name: str) -> tuple[str, dict[str, str], bytes]:
    lines = "\n".join(json.dumps(_feature(name)) for _ in range(_FEATURES))
    path = f"/api/v1/layers/{layer.id}/features/bulk"
    return path, {"Content-Type": "application/x-ndjson"}, lines.encode()


def _with_length(path: str, headers: dict[str, str], body: bytes) -> bytes:
    return _head(path, headers | {"Content-Length": str(len(body))}) + body


def _chunked(path: str, headers: dict[str, str], body: bytes) -> bytes:
    parts = [body[start : start + 100] for start in range(0, len(body), 100)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])
    return _head(path, headers | {"Transfer-Encoding": "chunked"}) + chunks


def _head(path: str, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


REQUESTS = {
    "a feature": (_one, _with_length, 1),
    "features as lines": (_many, _with_length, _FEATURES),
    "features in chunks": (_many, _chunked, _FEATURES),
}


def cut_clients(
    server: Server, database: DatabaseServer, layer: Layer, kind: str, step: int
) -> Cuts:
    """Cut a request after every so many bytes of it, then of its response.

    A request that has not arrived as a whole may change nothing, one that has may not change half.
    """
    make, encode, size = REQUESTS[kind]
    cuts, partial, whole = Cuts(), set(), set()
    position = 0
    while True:
        name = uuid.uuid4().hex
        path, headers, body = make(layer, name)
        request = encode(path, layer.headers | headers, body)
        received = _exchange(server, request[:position], position - len(request))
        (partial if position < len(request) else whole).add(name)
        cuts.count += 1
        if position > len(request) and len(received) < position - len(request):
            break  # all of the response
        position += step
    wait_until(lambda: _all_are_stored(database, layer, whole), 10, "what has arrived is stored")
    time.sleep(0.5)
    found = stored(database, layer)
    cuts.faults += [f"stored of a part: {name}" for name in partial if name in found]
    cuts.faults += [f"stored in part: {name}" for name in whole if found.get(name) != size]
    return cuts


def _all_are_stored(database: DatabaseServer, layer: Layer, names: set[str]) -> bool:
    return names <= set(stored(database, layer))


def _exchange(server: Server, request: bytes, most: int) -> bytes:
    """Send bytes, then read at most so many, then cut the connection."""
    address = urlsplit(server.url)
    received = b""
    with socket.create_connection((address.hostname or "", address.port or 0), 30) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        client.sendall(request)
        while len(received) < most and (data := client.recv(most - len(received))):
            received += data
        if most >= 0 and not received:
            client.recv(1)  # a reset would overtake the request
    return received


def cut_database(database: DatabaseServer, network: TcpProxy, layer: Layer, step: int) -> Cuts:
    """Cut the connection of a write, of a bulk import and of a page after every so many bytes."""
    engine = open_engine(database.over_tcp(network.port), statement_timeout=30, prepares=True)
    client = create_app(Settings(_env_file=None), engine).test_client()  # type: ignore[call-arg]

    def post(make: Callable[[Layer, str], tuple[str, dict[str, str], bytes]]) -> Request:
        def send(name: str) -> TestResponse:
            path, headers, body = make(layer, name)
            return client.post(path, data=body, headers=layer.headers | headers)

        return send

    def read(_: str) -> TestResponse:
        query = {"limit": 3, "offset": 0, "name": uuid.uuid4().hex}
        path = f"/ogc/collections/{layer.id}/items"
        return client.get(path, query_string=query, headers=layer.headers)

    cuts = Cuts()
    tasks: tuple[tuple[Request, int], ...] = ((post(_one), 1), (post(_many), _FEATURES), (read, 0))
    for send, size in tasks:
        for direction in ("to_server", "to_client"):
            engine.dispose()
            before = network.forwarded[direction]
            assert send(uuid.uuid4().hex).status_code in {200, 201}
            length = network.forwarded[direction] - before
            sent = {}
            for position in range(0, length + step, step):
                engine.dispose()
                network.cut_after = {direction: position}
                name = uuid.uuid4().hex
                sent[name] = send(name).status_code
                network.cut_after = {}
            cuts.count += len(sent)
            cuts.statuses += Counter(str(status) for status in sent.values())
            cuts.faults += [f"{status}" for status in sent.values() if status not in _EXPECTED]
            if size:
                _check(stored(database, layer), sent, size, cuts)
    engine.dispose()
    return cuts


type Request = Callable[[str], TestResponse]
_EXPECTED = {200, 201, 503}


def _check(found: dict[str, int], sent: dict[str, int], size: int, cuts: Cuts) -> None:
    for name, status in sent.items():
        count = found.get(name, 0)
        if count not in ({size} if status == 201 else {0, size}):
            cuts.faults.append(f"{status}: {count} of {size}")
