"""Addresses of requests to a WMS: OGC 06-042 and 01-068r3, 6.2.1 and 6.8."""

from collections.abc import Mapping
from urllib.parse import unquote_plus, urlencode

_OF_REQUEST = frozenset({"SERVICE", "REQUEST", "VERSION"})


def base_address(url: str) -> str:
    """Return the address of a WMS as it is stored: without what names one request; a query of its
    own (`map=…`) stays, and ends in `&`."""
    path, own = _parts(url, _OF_REQUEST)
    # the web app adds "?SERVICE=WMS&…" to whatever address, which must not end its last value
    return f"{path}?{own}&" if own else path


def request_address(url: str, parameters: Mapping[str, str]) -> str:
    """Return the address of a request; its parameters replace those of the address, whose names
    are in any case."""
    path, own = _parts(url, _OF_REQUEST | {name.upper() for name in parameters})
    query = urlencode(parameters)
    return f"{path}?{own}&{query}" if own else f"{path}?{query}"


def _parts(url: str, without: frozenset[str]) -> tuple[str, str]:
    """Return an address without query and fragment, and its query without these names."""
    path, _, query = url.strip().partition("#")[0].partition("?")
    pairs = [pair.strip("?") for pair in query.split("&")]
    own = [pair for pair in pairs if pair and _name(pair) not in without]
    return path, "&".join(own)


def _name(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0]).upper()
