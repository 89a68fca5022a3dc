"""Servers of others on this machine, which speak the protocols that they really do."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.api.outgoing.remote_server import Remote
from tests.clients.fishing_watch import TOKEN, fishing_watch
from tests.cog_server import CogServer, cog_server, write_depths
from tests.mapserver import MapServer, mapserver


@dataclass(frozen=True)
class Services:
    """What SamSyn is told of them in its settings, and the ports of those that pages ask."""

    settings: dict[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class OtherServers:
    """A WMS, a server with the cloud-optimised GeoTIFF `depths.tif`, and the gateway of Global
    Fishing Watch."""

    wms: MapServer
    files: CogServer
    gateway: Remote

    @property
    def services(self) -> Services:
        """What SamSyn and the browser have to know of them: pages draw a WMS themselves."""
        allowed = (self.wms.server, self.files.server, self.gateway.server)
        settings = {
            "OUTGOING_ALLOW": ",".join(allowed),
            "GFW_API_URL": self.gateway.url,
            "GFW_API_TOKEN": TOKEN,
        }
        return Services(settings, (self.wms.port,))


@contextmanager
def other_servers(folder: Path) -> Iterator[OtherServers]:
    """Run them until the block ends; the test is skipped where MapServer is not installed."""
    write_depths(folder / "depths.tif")
    with ExitStack() as stack:
        enter = stack.enter_context
        yield OtherServers(enter(mapserver()), enter(cog_server(folder)), enter(fishing_watch()))
