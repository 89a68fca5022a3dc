"""The door through which requests leave leads to no inner server, whatever the address."""

import socket
from ipaddress import ip_address

import pytest

from samsyn_admin.outgoing.requests import Outgoing, RemoteResponse
from samsyn_model.errors import InvalidParameterError, RemoteServerError
from samsyn_model.settings import Settings
from tests.security.outgoing.conftest import Net
from tests.security.outgoing.hostile_addresses import hostile_addresses
from tests.security.outgoing.inner_server import SECRET


@pytest.fixture
def door(net: Net) -> Outgoing:
    return Outgoing(Settings(_env_file=None))  # type: ignore[call-arg]


def fetch(door: Outgoing, url: str) -> RemoteResponse | Exception:
    try:
        return door.get(url, caller="somebody", max_bytes=10_000, seconds=0.5)
    except (InvalidParameterError, RemoteServerError) as error:
        return error


def test_there_are_many_addresses() -> None:
    assert len(hostile_addresses(8080)) > 350


def test_no_address_leads_in(net: Net, door: Outgoing) -> None:
    """A response is only ever that of the public server, whose requests have no other headers."""
    for url in hostile_addresses(net.inner.port):
        response = fetch(door, url)
        assert net.inner.connections == [], repr(url)
        if isinstance(response, RemoteResponse):
            assert SECRET not in response.body
            assert url.startswith(("http://public.example", "http://rebinding")), repr(url)
    assert net.public.requests
    assert not [head for head in net.public.requests if "\r\nx-injected" in head.lower()]


def test_a_name_is_resolved_once(net: Net, door: Outgoing) -> None:
    url = f"http://rebinding.example:{net.inner.port}/"
    first, second = fetch(door, url), fetch(door, url)
    assert isinstance(first, RemoteResponse)
    assert isinstance(second, InvalidParameterError)
    assert net.resolver.lookups["rebinding.example"] == 2
    assert net.inner.connections == []


def test_what_the_addresses_do_to_others(
    net: Net, door: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its check the door does reach the inner server: the tests above can fail."""
    monkeypatch.setattr("samsyn_admin.outgoing.addresses.is_public", lambda _: True)
    for url in hostile_addresses(net.inner.port):
        if "127" in url or "example" in url or "localhost" in url:
            fetch(door, url)
    assert len(net.inner.connections) > 60


def test_the_inner_server_counts(net: Net) -> None:
    for place in net.inner.places:
        with socket.create_connection(place, timeout=5) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert SECRET in client.recv(4096)
    assert net.inner.connections == net.inner.places
    assert all(not ip_address(host).is_global for host, _ in net.inner.places)
