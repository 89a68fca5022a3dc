"""A resolver of names under .example, and the public server that one of them has.

Everything but those names is resolved as it is on this machine. The public address is that of a
server here once it is connected to: no test leaves the machine.
"""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Any

import pytest

from tests.api.outgoing.remote_server import Remote, remote_server, respond

PUBLIC_NAME = "public.example"
_PUBLIC = "93.184.216.34"
_TLD = ".example"
NAMES: dict[str, tuple[str, ...]] = {
    "loopback.example": ("127.0.0.1",),
    "loopback-6.example": ("::1",),
    "loopback.example.": ("127.0.0.1",),
    "127.0.0.1.nip.example": ("127.0.0.1",),
    "unspecified.example": ("0.0.0.0",),
    "private.example": ("10.0.0.1",),
    "private-6.example": ("fd00::1",),
    "metadata.example": ("169.254.169.254",),
    "carrier.example": ("100.64.0.1",),
    "multicast.example": ("224.0.0.1",),
    "link.example": ("fe80::1%1",),
    "mapped.example": ("::ffff:127.0.0.1",),
    "nat64.example": ("64:ff9b::7f00:1",),
    "six-to-four.example": ("2002:7f00:1::",),
    "mixed.example": (_PUBLIC, "127.0.0.1"),
    "mixed-first.example": ("127.0.0.1", _PUBLIC),
    "mixed-6.example": (_PUBLIC, "::1"),
    "mixed-late.example": (*(_PUBLIC,) * 30, "10.0.0.1"),
    "xn--bcher-kva.example": ("127.0.0.1",),
    "nobody.example": (),
}
REBINDING: dict[str, tuple[tuple[str, ...], ...]] = {
    "rebinding.example": ((_PUBLIC,), ("127.0.0.1",)),
    "rebinding-6.example": ((_PUBLIC,), ("::1",)),
    "rebinding-back.example": (("127.0.0.1",), (_PUBLIC,)),
    "rebinding-mixed.example": ((_PUBLIC,), (_PUBLIC, "127.0.0.1")),
}
"""What these are, lookup by lookup."""


_CAPABILITIES = b"""<?xml version="1.0"?>
<WMS_Capabilities version="1.3.0" xmlns="http://www.opengis.net/wms">
  <Service><Name>WMS</Name><Title>Sea</Title></Service>
  <Capability>
    <Request><GetMap><Format>image/png</Format></GetMap></Request>
    <Layer><Title>All</Title><Layer><Name>depth</Name><Title>Depth</Title></Layer></Layer>
  </Capability>
</WMS_Capabilities>"""


class Resolver:
    """Stands in for `socket.getaddrinfo`; `lookups` counts how often a name was asked for."""

    def __init__(self, public: Remote) -> None:
        self._public = public
        self._system = socket.getaddrinfo
        self.lookups: Counter[str] = Counter()
        self.moved: dict[str, tuple[str, ...]] = {}
        """The addresses of names that have others now."""

    def __call__(self, host: Any, port: Any, *arguments: Any, **options: Any) -> list[Any]:
        if host == _PUBLIC:  # on its way to be connected to
            return _entries(("127.0.0.1",), self._public.port)
        if not str(host).rstrip(".").endswith(_TLD):
            found = list(self._system(host, port, *arguments, **options))
            if any(ip_address(str(entry[4][0])).is_global for entry in found):
                raise socket.gaierror(socket.EAI_NONAME, "Not on this machine")
            return found
        turn = self.lookups[host]
        self.lookups[host] += 1
        if host in self.moved:
            return _entries(self.moved[host], port)
        if host in REBINDING:
            turns = REBINDING[host]
            return _entries(turns[turn % len(turns)], port)
        known = (_PUBLIC,) if host == PUBLIC_NAME else NAMES.get(host, ())
        if not known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return _entries(known, port)


def _entries(addresses: tuple[str, ...], port: int) -> list[Any]:
    entries: list[Any] = []
    for address in addresses:
        if ":" in address:
            place: tuple[Any, ...] = (address, port, 0, 0)
            entries.append((socket.AF_INET6, socket.SOCK_STREAM, 6, "", place))
        else:
            entries.append((socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)))
    return entries


@contextmanager
def public_server() -> Iterator[Remote]:
    """Run the server that redirects wherever its path says, has the capabilities of a WMS at
    `/capabilities`, and else sends a page."""
    with remote_server(_respond) as running:
        yield running


def _respond(client: socket.socket, head: str) -> None:
    path = head.split(" ")[1].partition("?")[0].split("/")
    status, target = 0, b""
    with suppress(ValueError, IndexError):
        status, target = int(path[path.index("redirect") + 1]), bytes.fromhex(path[3])
    if path[1:] == ["capabilities"]:
        respond(_CAPABILITIES, "Content-Type: text/xml")(client, head)
        return
    if not status:
        page = b"<html><meta http-equiv=refresh content='0;url=http://127.0.0.1/'></html>"
        respond(page, "Content-Type: text/html", "Refresh: 0;url=http://127.0.0.1/")(client, head)
        return
    location = f"Location: {target.decode().encode().decode('latin-1')}"
    respond(b"", location, status=f"{status} Elsewhere")(client, head)


@contextmanager
def resolving(monkeypatch: pytest.MonkeyPatch, public: Remote) -> Iterator[Resolver]:
    """Resolve names by the stand-in until the block ends."""
    resolver = Resolver(public)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolver)
        yield resolver
