"""By what callers without an account are counted: their address."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

_IPV6_NETWORK = 64  # bits: who has one address of such a network has all of them
_MAX_LENGTH = 64  # characters of what is no address


@lru_cache(maxsize=4096)
def address_key(address: str) -> str:
    """Return what the requests from an address are counted by: IPv6 addresses by their /64.

    Other text, as proxies may send it, is its own key.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:_MAX_LENGTH]
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> _IPV6_NETWORK << _IPV6_NETWORK)}/{_IPV6_NETWORK}"


def is_loopback(address: str) -> bool:
    """Return whether an address is one of this machine."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
