"""Requests to other servers: where they may go, and how long, how much, how often."""

import socket
import threading
import time
from typing import Any

import pytest

from samsyn_admin.outgoing.requests import MAX_PER_CALLER, Outgoing
from samsyn_model.errors import (
    InvalidParameterError,
    NotConfiguredError,
    RemoteServerError,
    RemoteTimeoutError,
    TooManyRequestsError,
)
from samsyn_model.settings import Settings
from tests.api.outgoing.remote_server import Answer, remote_server, respond


def outgoing(*allowed: str, **values: Any) -> Outgoing:
    return Outgoing(Settings(_env_file=None, outgoing_allow=allowed, **values))  # type: ignore[call-arg]


def fetch(door: Outgoing, url: str, max_bytes: int = 1000, seconds: float = 5) -> Any:
    return door.get(url, caller="somebody", max_bytes=max_bytes, seconds=seconds)


def test_a_response() -> None:
    with remote_server(respond(b"sea", "X-Depth: 12")) as remote:
        response = fetch(outgoing(remote.server), f"{remote.url}/a?b=c")
    assert (response.status, response.body, response.headers["x-depth"]) == (200, b"sea", "12")
    head = remote.requests[0].lower()
    assert head.startswith("get /a?b=c http/1.1\r\n")
    assert "accept-encoding: identity" in head
    assert f"host: {remote.server}" in head


LOCAL = (
    *("127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "0", "0.0.0.0"),
    *("127.0.0.2", "[::1]", "[::ffff:127.0.0.1]", "[::]", "LOCALHOST", "localhost.", "ⓛocalhost"),
    *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "①27.0.0.1"),
)


@pytest.mark.parametrize("host", LOCAL)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_this_machine_is_never_connected_to(
    scheme: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with remote_server(respond(b"secret")) as remote:
        monkeypatch.setattr(
            "samsyn_admin.outgoing.addresses.PORTS", frozenset({remote.port, 80, 443})
        )
        with pytest.raises(InvalidParameterError):
            fetch(outgoing(), f"{scheme}://{host}:{remote.port}/")
        time.sleep(0.02)
        assert remote.connections == 0


def test_a_redirect_is_checked_like_any_address() -> None:
    with remote_server(respond(b"secret")) as inner:
        redirect = respond(b"", f"Location: {inner.url}/", status="302 Found")
        with (
            remote_server(redirect) as remote,
            pytest.raises(RemoteServerError, match="redirects to an address that is not asked"),
        ):
            fetch(outgoing(remote.server), remote.url)
        assert inner.connections == 0


def test_headers_are_for_one_server_alone() -> None:
    with remote_server(respond(b"sea")) as other:
        redirect = respond(b"", f"Location: {other.url}/", status="307 Temporary Redirect")
        with remote_server(redirect) as remote:
            door = outgoing(remote.server, other.server)
            secret = {"Authorization": "Bearer secret"}
            door.get(remote.url, caller="a", max_bytes=100, seconds=5, headers=secret)
    assert "Bearer secret" in remote.requests[0]
    assert "secret" not in other.requests[0]


def test_redirects_are_followed_three_times() -> None:
    def count(client: socket.socket, head: str) -> None:
        number = int(head.split()[1].strip("/") or 0)
        respond(b"", f"Location: /{number + 1}", status="302 Found")(client, head)

    with remote_server(count) as remote, pytest.raises(RemoteServerError, match="more than 3"):
        fetch(outgoing(remote.server), remote.url)
    assert len(remote.requests) == 4


@pytest.mark.parametrize("addresses", [["127.0.0.1", "1.1.1.1"], ["1.1.1.1", "127.0.0.1"]])
def test_one_address_that_is_not_public_refuses_a_name(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only the one that is connected to."""

    def lookup(_: str, port: int, *__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(InvalidParameterError, match="not a public server"):
        fetch(outgoing(), "http://example.org/")


def test_a_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second lookup could lead elsewhere (DNS rebinding)."""
    lookups = []
    original = socket.getaddrinfo

    def lookup(host: str, *rest: Any) -> Any:
        lookups.append(host)
        return original("127.0.0.1", *rest)

    with remote_server(respond(b"sea")) as remote:
        door = outgoing(f"remote.example:{remote.port}")
        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        assert fetch(door, f"http://remote.example:{remote.port}/").body == b"sea"
    assert [host for host in lookups if host == "remote.example"] == ["remote.example"]


def drip(part: bytes) -> Answer:
    def answer(client: socket.socket, _: str) -> None:
        client.sendall(part)
        while True:
            time.sleep(0.05)
            client.sendall(b"x")

    return answer


@pytest.mark.parametrize(
    "part", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"]
)
def test_a_server_that_drips(part: bytes) -> None:
    with remote_server(drip(part)) as remote:
        start = time.monotonic()
        with pytest.raises(RemoteServerError):
            fetch(outgoing(remote.server), remote.url, seconds=0.5)
        assert time.monotonic() - start < 2


def test_a_server_that_is_silent() -> None:
    with (
        remote_server(lambda *_: time.sleep(5)) as remote,
        pytest.raises(RemoteTimeoutError, match="did not respond in time"),
    ):
        fetch(outgoing(remote.server), remote.url, seconds=0.3)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (respond(b"x" * 1001), "larger than 1,000"),
        (respond(b"x", "Content-Encoding: gzip"), "compressed"),
        (lambda client, _: client.sendall(b"SSH-2.0-x\r\n\r\n"), "not valid HTTP"),
        (lambda client, _: client.close(), "not valid HTTP|broke off"),
        (
            lambda client, _: client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
            "not valid HTTP|broke off",
        ),
    ],
)
def test_responses_that_are_refused(answer: Answer, reason: str) -> None:
    with remote_server(answer) as remote, pytest.raises(RemoteServerError, match=reason):
        fetch(outgoing(remote.server), remote.url)


def test_a_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(RemoteServerError, match="cannot be connected to"):
        fetch(outgoing(f"127.0.0.1:{port}"), f"http://127.0.0.1:{port}/")


def test_outgoing_is_off() -> None:
    with remote_server(respond(b"sea")) as remote, pytest.raises(NotConfiguredError):
        fetch(outgoing(remote.server, outgoing=False), remote.url)
    assert remote.connections == 0


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with remote_server(respond(b"proxy")) as proxy, remote_server(respond(b"sea")) as remote:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert fetch(outgoing(remote.server), remote.url).body == b"sea"
        assert proxy.connections == 0


def test_the_requests_of_a_caller_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samsyn_admin.outgoing.requests._WAIT_SECONDS", 0.2)
    over = threading.Event()

    def wait(client: socket.socket, head: str) -> None:
        over.wait(10)
        respond(b"sea")(client, head)

    with remote_server(wait) as remote:
        door = outgoing(remote.server)
        threads = [
            threading.Thread(target=fetch, args=(door, remote.url)) for _ in range(MAX_PER_CALLER)
        ]
        for thread in threads:
            thread.start()
        while remote.connections < MAX_PER_CALLER:
            time.sleep(0.01)
        with pytest.raises(TooManyRequestsError):
            fetch(door, remote.url)
        over.set()
        for thread in threads:
            thread.join()
        assert fetch(door, remote.url).body == b"sea"
