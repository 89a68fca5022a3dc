"""A web map server that says what a test wants, over real sockets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

from tests.api.outgoing.remote_server import Answer, Remote, remote_server, respond

LAYERS = """
<Layer><Title>All</Title><CRS>EPSG:4326</CRS>
<EX_GeographicBoundingBox><westBoundLongitude>10</westBoundLongitude>
<eastBoundLongitude>14</eastBoundLongitude><southBoundLatitude>54</southBoundLatitude>
<northBoundLatitude>58</northBoundLatitude></EX_GeographicBoundingBox>
<Layer queryable="1"><Name>depth</Name></Layer></Layer>"""
XML = "Content-Type: text/xml"


def capabilities(
    layers: str = LAYERS, formats: tuple[str, ...] = ("application/json",), doctype: str = ""
) -> bytes:
    """Return a document of WMS 1.3.0."""
    offered = "".join(f"<Format>{name}</Format>" for name in formats)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{doctype}<WMS_Capabilities version="1.3.0"'
        ' xmlns="http://www.opengis.net/wms"><Service><Title>Sea</Title></Service><Capability>'
        f"<Request><GetFeatureInfo>{offered}</GetFeatureInfo></Request>{layers}"
        "</Capability></WMS_Capabilities>"
    ).encode()


class WMS:
    """`document` answers GetCapabilities, `info` GetFeatureInfo."""

    remote: Remote

    def __init__(self) -> None:
        self.document: Answer = respond(capabilities(), XML)
        self.info: Answer = respond(b"{}", "Content-Type: application/json")

    @property
    def url(self) -> str:
        return f"{self.remote.url}/wms"

    @property
    def asked(self) -> list[dict[str, str]]:
        """The parameters of each request."""
        lines = [head.split()[1] for head in self.remote.requests]
        return [{k: v[0] for k, v in parse_qs(line.partition("?")[2]).items()} for line in lines]


@contextmanager
def wms() -> Iterator[WMS]:
    """Run it until the block ends."""
    running = WMS()

    def answer(client: object, head: str) -> None:
        is_info = "REQUEST=GetFeatureInfo" in head
        chosen: Callable[..., None] = running.info if is_info else running.document
        chosen(client, head)

    with remote_server(answer) as running.remote:
        yield running
