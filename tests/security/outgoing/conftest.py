"""A small internet on this machine: an inner server, a public one, and names for them."""

import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Thread

import pytest
import uvicorn

from samsyn_admin.outgoing import addresses
from samsyn_admin.tiler.app import create_app
from samsyn_admin.tiler.opening import Rasters
from samsyn_model.settings import Settings
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


@pytest.fixture
def tiler(net: Net) -> Iterator[dict[str, str]]:
    """The settings of a raster tiler that runs in a thread of this process, and so has the names
    and ports of `net`."""
    secret = secrets.token_hex()
    application = create_app(Rasters(Settings(_env_file=None)), secret)  # type: ignore[call-arg]
    server = uvicorn.Server(uvicorn.Config(application, log_level="critical"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        port = listener.getsockname()[1]
        yield {"titiler_url": f"http://127.0.0.1:{port}", "titiler_secret": secret}
        server.should_exit = True
        thread.join()
