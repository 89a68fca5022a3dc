"""The same of the real server and the raster tiler that it starts, which are other processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.clients.samsyn_server import Server, make_token, run_samsyn, serve
from tests.databases import migrated_database
from tests.security.outgoing.hostile_addresses import hostile_addresses
from tests.security.outgoing.inner_server import Inner, inner_server
from tests.security.outgoing.names import public_server
from tests.security.outgoing.parameters import (
    ADDRESSES_OF_LAYERS,
    TITILER,
    WMS,
    Headers,
    Parameter,
    is_refusal,
    layer_of,
)

_ADMITTED = (8080, 8443, 80, 443)


@pytest.fixture
def inner() -> Iterator[tuple[Inner, int]]:
    """The inner server, and one of its ports that addresses may name."""
    with inner_server() as running:
        ports = [port for port in _ADMITTED if ("127.0.0.1", port) in running.places]
        if not ports:
            pytest.skip("other programs of this machine have all the ports that may be asked")
        yield running, ports[0]


@pytest.fixture
def tried(
    inner: tuple[Inner, int], server_url: str, tmp_path: Path
) -> Iterator[tuple[Server, list[str]]]:
    """A server that may ask the public one, and the addresses, which public layers hold."""
    with ExitStack() as stack:
        public = stack.enter_context(public_server())
        database = stack.enter_context(migrated_database(server_url))
        allow = {"OUTGOING_ALLOW": public.server}
        server = stack.enter_context(serve(database, tmp_path / "log", **allow))
        yield server, hostile_addresses(inner[1], public.server)


def send(server: Server, parameter: Parameter, headers: Headers, url: str) -> tuple[int, bytes]:
    request = parameter.request(url)
    request["url"] = server.url + request.pop("path")
    response = requests.request(**request, headers=headers, timeout=60)
    return response.status_code, response.content


def test_no_address_leads_in(inner: tuple[Inner, int], tried: tuple[Server, list[str]]) -> None:
    (within, _), (server, addresses) = inner, tried
    callers: dict[str, Headers] = {"nobody": {}}
    for name in ("user", "administrator"):
        email = f"{name}@example.org"
        token = make_token(server.database, email)
        callers[name] = {"Authorization": f"Bearer {token}"}
    run_samsyn(server.database, "user", "admin", "administrator@example.org")

    def store(place: tuple[str, str, str]) -> int:
        layers = f"{server.url}/api/v1/layers"
        body = layer_of(*place)
        response = requests.post(layers, json=body, headers=callers["user"], timeout=60)
        assert response.status_code == 201 or is_refusal(response.status_code, response.content)
        return response.status_code

    def ask(place: tuple[Parameter, str, str]) -> str:
        parameter, name, url = place
        status, content = send(server, parameter, callers[name], url)
        assert within.connections == []
        return "" if is_refusal(status, content) else f"{place}: {status} {content[:200]!r}"

    with ThreadPoolExecutor(6) as pool:
        layers = [(*source, url) for source in ADDRESSES_OF_LAYERS[:3] for url in addresses]
        assert list(pool.map(store, layers)).count(201) > 600
        # all on each are tried in one process (`test_parameters.py`): here each on one of them
        parameters = (*WMS, *TITILER)
        tries = [
            (parameter, name, url)
            for number, parameter in enumerate(parameters)
            for turn, name in enumerate(callers)
            for url in addresses[number :: len(parameters)][turn :: len(callers)]
        ]
        wrong = [found for found in pool.map(ask, tries) if found]
    assert wrong == []
    assert within.connections == []
    assert "Traceback" not in server.log.read_text()
