"""A small internet on this machine: an inner server, a public one, and names for them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from samsyn_admin.outgoing import addresses
from tests.api.outgoing.remote_server import Remote
from tests.security.outgoing.inner_server import Inner, inner_server
from tests.security.outgoing.names import Resolver, public_server, resolving


@dataclass
class Net:
    """The inner server, which is never to be reached, the public one, and the names' resolver."""

    inner: Inner
    public: Remote
    resolver: Resolver


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[Net]:
    """The inner server's port is one that may be asked: its address alone must keep it safe."""
    with inner_server() as inner, public_server() as public:
        monkeypatch.setattr(addresses, "PORTS", addresses.PORTS | {inner.port})
        with resolving(monkeypatch, public) as resolver:
            yield Net(inner, public, resolver)
