"""A cloud-optimised GeoTIFF, and a server on this machine that answers range requests for it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy
import rasterio
from rasterio.transform import from_bounds
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles

from tests.http_server import LocalServer, local_server, served

BOUNDS = (9.0, 55.0, 13.0, 59.0)
"""West, south, east and north of the file of `write_depths`."""
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def write_depths(file: Path, side: int = 1024) -> None:
    """Write a COG of float32 in EPSG:4326: 0 in the west to 200 in the east, but no data in the
    south-west, a sixteenth of it."""
    row = numpy.linspace(0, 200, side, dtype="float32")
    depths = numpy.tile(row, (side, 1))
    depths[-side // 4 :, : side // 4] = -9999
    source = file.with_suffix(".source.tif")
    profile = {
        "driver": "GTiff",
        "width": side,
        "height": side,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:4326",
        "transform": from_bounds(*BOUNDS, side, side),
        "nodata": -9999,
    }
    with rasterio.open(source, "w", **profile) as written:
        written.write(depths, 1)
    cog_translate(source, file, cog_profiles.get("deflate"), quiet=True, in_memory=True)
    source.unlink()


@dataclass
class CogServer(LocalServer):
    """A server of the files of a folder."""

    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """The path and the range of each request."""

    @property
    def url(self) -> str:
        """The address of the folder, without a slash."""
        return self.root


@contextmanager
def cog_server(folder: Path) -> Iterator[CogServer]:
    """Serve the files of a folder by range requests until the block ends."""
    server = local_server(_Handler)
    running = CogServer(server.server_port)
    server.folder, server.running = folder, running  # type: ignore[attr-defined]
    with served(server):
        yield running


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.running.requests.append((self.path, wanted))
        file = self.server.folder / self.path.partition("?")[0].rpartition("/")[2]
        if not file.is_file():
            self.send_error(404)
            return
        content = file.read_bytes()
        parts = _RANGE.fullmatch(wanted or "")
        first = int(parts[1]) if parts else 0
        last = min(int(parts[2]) if parts and parts[2] else len(content), len(content) - 1)
        if first > last:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if parts else 200)
        if parts:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Type", "image/tiff")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{len(content)}-{file.stat().st_mtime_ns}"')
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[first : last + 1])

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Print nothing."""
