"""`X-Forwarded-*`: they count from as many proxies as are trusted, and from nobody else."""

import itertools
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.clients.samsyn_server import Server, serve

Headers = list[tuple[str, str]]

SPOOFED: list[Headers] = [
    [("X-Forwarded-Proto", "https")],
    [("X-Forwarded-Protocol", "ssl")],
    [("X-Forwarded-Ssl", "on")],
    [("X-Forwarded-Host", "evil.example.org")],
    [("X-Forwarded-Port", "444")],
    [("X-Forwarded-Prefix", "/evil")],
    [("Forwarded", "proto=https;host=evil.example.org")],
    [("X-Forwarded-Proto", "https"), ("X-Forwarded-Ssl", "off")],
    [("X-Forwarded-Proto", "http"), ("X-Forwarded-Proto", "https")],
    [("SCRIPT_NAME", "/ogc")],
    [("SCRIPT_NAME", "/evil")],
    [("PATH_INFO", "/api/health")],
    [("X_Forwarded_Proto", "https"), ("X_Forwarded_Host", "evil.example.org")],
]


@pytest.fixture(scope="module", params=[0, 1, 2])
def trusting(
    request: pytest.FixtureRequest,
    test_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Server, int]]:
    """A server, and how many proxies it trusts."""
    log = tmp_path_factory.mktemp("forwarded") / "log"
    hops = str(request.param)
    with serve(test_database_url, log, workers=1, TRUSTED_PROXIES=hops) as server:
        yield server, request.param


def landing_page(server: Server, headers: Headers) -> tuple[int, str]:
    """Return the status of the landing page, requested from this machine, and its text."""
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.putrequest("GET", "/ogc/")
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def base(server: Server, headers: Headers) -> str:
    """Return what the links of the landing page start with."""
    status, text = landing_page(server, headers)
    assert status == 200, text
    return text.partition('"href":"')[2].partition("/ogc")[0]


def test_the_trusted_hop_counts(trusting: tuple[Server, int]) -> None:
    server, hops = trusting
    own = server.url
    host = own.removeprefix("http://")
    chains = {
        "https": ("https", None),
        "https, http": ("http", "https"),
        "http, https": ("https", "http"),
        "ftp, https, http": ("http", "https"),
        "https,http,http": ("http", "http"),
    }
    for chain, schemes in chains.items():
        scheme = "http" if hops == 0 else schemes[hops - 1] or "http"
        assert base(server, [("X-Forwarded-Proto", chain)]) == f"{scheme}://{host}", chain
        repeated = [("X-Forwarded-Proto", part.strip()) for part in chain.split(",")]
        assert base(server, repeated) == f"{scheme}://{host}", chain
    hosts = [("X-Forwarded-Host", "evil.org, first.org, second.org")]
    assert base(server, hosts) == (own, "http://second.org", "http://first.org")[hops]
    prefixes = [("X-Forwarded-Prefix", "/evil, /first, /second")]
    assert base(server, prefixes) == f"{own}{('', '/second', '/first')[hops]}"


def test_other_headers_never_count(trusting: tuple[Server, int]) -> None:
    server, hops = trusting
    counting = {"X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix"}
    for headers in SPOOFED:
        if hops == 0 or not counting & {name for name, _ in headers}:
            assert base(server, headers) == server.url, headers


def test_malformed_headers(trusting: tuple[Server, int]) -> None:
    server, _ = trusting
    values = (
        "",
        ",",
        "a b",
        "<>\"'",
        "javascript",
        "[",
        "a:b:c",
        "-1",
        "99999999",
        "//evil.org",
        "x" * 5_000,
    )
    names = ("For", "Proto", "Host", "Port", "Prefix")
    for name, value in itertools.product(names, values):
        status, text = landing_page(server, [(f"X-Forwarded-{name}", value)])
        assert status in {200, 400}, f"{name}: {value} {text}"
        if name in {"Proto", "Prefix"}:
            assert f'"href":"{server.url}/ogc' in text, f"{name}: {value}"
    assert "Traceback" not in server.log.read_text()
