"""To which addresses the server connects for somebody: public ones, and those of OUTGOING_ALLOW."""

import socket
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import quote, urlsplit

from samsyn_model.errors import InvalidParameterError, RemoteTimeoutError

PORTS = frozenset({80, 443, 8080, 8443})
MAX_URL = 8_000
_DEFAULT_PORTS = {"http": 80, "https": 443}
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# of the registries of special-purpose addresses, which `ipaddress` knows as its Python did
_SPECIAL = (
    *(IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24")),
    *(IPv6Network("2001::/23"), IPv6Network("3fff::/20")),
    IPv4Network("168.63.129.16/32"),  # the host of Azure's machines, for these alone
)
_SAFE = "/?&=+$,;:@!'()*~%[]|{}"
_RESOLVERS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolver")


@dataclass(frozen=True, slots=True)
class Address:
    """An http or https address, with nothing but ASCII in it."""

    scheme: str
    host: str
    """A name (IDNA) or an IP address without brackets, in lower case."""
    port: int
    target: str
    """The path and the query."""

    @property
    def server(self) -> str:
        """The host and the port, as OUTGOING_ALLOW names them."""
        return f"{self._host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as a whole."""
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self._host}{port}{self.target}"

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def parse_address(url: str, allowed: frozenset[str]) -> Address:
    """Return the address of a URL, whose fragment is left out.

    Raises InvalidParameterError where it is no http(s) URL, has a user or a password, or a port
    other than PORTS, unless its server is among the `allowed` ones.
    """
    if len(url) > MAX_URL:
        raise InvalidParameterError(f"An address has at most {MAX_URL:,} characters.")
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in url) or "\\" in url:
        raise InvalidParameterError("An address has no spaces, control characters or backslashes.")
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError as error:
        raise InvalidParameterError("The address is not a valid URL.") from error
    if scheme not in _DEFAULT_PORTS or not host:
        raise InvalidParameterError("The address has to begin with http:// or https:// and a host.")
    if parts.username is not None or parts.password is not None:
        raise InvalidParameterError("The address must not have a user or a password in it.")
    target = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        target += "?" + quote(parts.query, safe=_SAFE)
    port = _DEFAULT_PORTS[scheme] if port is None else port
    address = Address(scheme, _ascii_host(host), port, target)
    if address.port not in PORTS and address.server not in allowed:
        ports = ", ".join(map(str, sorted(PORTS)))
        raise InvalidParameterError(
            f"The address names the port {address.port}; those that are reached are {ports}."
        )
    return address


def _ascii_host(host: str) -> str:
    if "%" in host:  # a zone of IPv6, or an encoded name
        raise InvalidParameterError("The host of the address is not valid.")
    try:
        return host.encode("ascii" if ":" in host else "idna").decode().lower().rstrip(".")
    except UnicodeError as error:
        raise InvalidParameterError("The host of the address is not a valid name.") from error


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to the public internet, also once it is unwrapped: of an IPv4
    address within an IPv6 one (mapped, NAT64, 6to4) the former decides."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST or address.scope_id:
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(host: str, port: int, seconds: float, *, is_allowed: bool) -> list[str]:
    """Return the IP addresses of a host, all of them public unless it is allowed whatever it is.

    Raises InvalidParameterError for a host that does not exist or has an address that is not public
    (which of the two is not told: names of an inner network are nobody's business), and
    RemoteTimeoutError.
    """
    lookup = _RESOLVERS.submit(socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
    try:
        found: list[Any] = lookup.result(timeout=max(seconds, 0.001))
    except FutureTimeoutError as error:
        lookup.cancel()
        raise RemoteTimeoutError(f"The name {host} was not resolved in time.") from error
    except (OSError, UnicodeError) as error:
        raise _unreachable(host) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise _unreachable(host)
    if not is_allowed and not all(is_public(ip_address(text)) for text in addresses):
        raise _unreachable(host)
    return addresses


def _unreachable(host: str) -> InvalidParameterError:
    return InvalidParameterError(f"{host} is not a public server on the internet.")
