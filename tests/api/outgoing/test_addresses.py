"""Addresses that somebody names: those that are connected to, and those that never are."""

from ipaddress import ip_address

import pytest

from samsyn_admin.outgoing.addresses import is_public, parse_address
from samsyn_model.errors import InvalidParameterError

PUBLIC = (
    *("1.1.1.1", "130.235.52.5", "2001:4860:4860::8888", "::ffff:1.1.1.1"),
    *("64:ff9b::101:101", "2002:101:101::1"),
)
OTHERS = (
    *("0.0.0.0", "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
    *("100.64.0.1", "169.254.169.254", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("192.0.0.8", "192.0.0.192", "168.63.129.16", "3fff::1"),
    *("192.88.99.1", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a00:1::"),
    *("fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1"),
    *("2001::1", "2001:10::1", "4000::1"),
)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", OTHERS)
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://example.org/",
            "file:///etc/passwd",
            "gopher://example.org/",
            "/wms",
            "",
            "http://",
        ),
        *("//example.org/", "http:example.org", "javascript:alert(1)", "data:text/plain,x"),
        *("http://user@example.org/", "http://user:word@example.org/", "http://:@example.org/"),
        *("http://example.org:22/", "http://example.org:6379/", "http://example.org:0/"),
        *(
            "http://example.org:99999/",
            "http://example.org:x/",
            "http://[::1/",
            "http://[fe80::1%25eth0]/",
        ),
        *("http://exam ple.org/", "http://example.org/\r\nHost: a", "http://example.org/\tb"),
        *("http://example.org\\@127.0.0.1/", "http://exa%6dple.org/", "http://..../"),
        *("http://" + "a" * 64 + ".org/", "http://example.org/" + "a" * 8_000),
        *("/vsicurl/http://example.org", "vrt://http://example.org", "WMTS:http://example.org"),
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(InvalidParameterError):
        parse_address(url, frozenset())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("https://example.org:443/wms?map=a", "https://example.org/wms?map=a"),
        ("http://example.org:8080/a?b=c#d", "http://example.org:8080/a?b=c"),
        ("http://räksmörgås.se/å", "http://xn--rksmrgs-5wao1o.se/%C3%A5"),
        ("http://[2001:4860:4860::8888]/", "http://[2001:4860:4860::8888]/"),
        ("http://example.org./", "http://example.org/"),
    ],
)
def test_addresses_that_are_taken(url: str, expected: str) -> None:
    assert parse_address(url, frozenset()).url == expected


def test_other_ports_of_servers_that_are_allowed() -> None:
    address = parse_address("http://127.0.0.1:5432/", frozenset({"127.0.0.1:5432"}))
    assert address.server == "127.0.0.1:5432"
