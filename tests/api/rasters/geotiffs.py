"""GeoTIFFs for tests, and a server on this machine that has them: with parts, or without."""

import re
import socket
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import morecantile
import numpy
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import from_bounds
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles

from tests.api.outgoing.remote_server import Remote, remote_server

BOUNDS = (10.0, 56.0, 12.0, 58.0)
"""West, south, east, north in degrees."""
_SPAN = re.compile(r"\r\nrange: bytes=(\d+)-(\d+)", re.IGNORECASE)
NODATA = -9999.0


def write_geotiff(path: Path, values: Any, crs: str = "EPSG:4326", **options: Any) -> Path:
    """Write bands (band, row, column) over BOUNDS, as GDAL writes them by default."""
    count, height, width = values.shape
    profile = {
        "driver": "GTiff",
        "count": count,
        "height": height,
        "width": width,
        "dtype": values.dtype,
        "crs": crs,
        "transform": from_bounds(*BOUNDS, width, height),
        **options,
    }
    tags = profile.pop("domains", {})
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(values)
        for domain, members in tags.items():
            dataset.update_tags(ns=domain, **members)
    return path


def ramp(size: int = 256, *, hole: bool = True) -> Any:
    """Return a band that grows from 0 in the west to 30 in the east, with a hole in its middle."""
    values = numpy.tile(numpy.linspace(0, 30, size, dtype="float32"), (size, 1))
    if hole:
        middle = slice(size * 3 // 8, size * 5 // 8)
        values[middle, middle] = NODATA
    return values[None]


def cog(path: Path, size: int = 1024) -> Path:
    """Write a cloud-optimised GeoTIFF of `ramp`, as imports do."""
    plain = write_geotiff(path.with_suffix(".plain.tif"), ramp(size), nodata=NODATA)
    cog_translate(
        plain,
        path,
        cog_profiles["zstd"],
        tms=morecantile.tms.get("WebMercatorQuad"),
        quiet=True,
        overview_resampling=Resampling.nearest.name,
    )
    return path


@contextmanager
def file_server(files: Mapping[str, bytes]) -> Iterator[Remote]:
    """Serve files by name until the block ends: in parts, but for those below `whole/`.

    What is below `redirect/` redirects there.
    """

    def answer(client: socket.socket, head: str) -> None:
        name = head.split(" ", 2)[1].lstrip("/").partition("?")[0]
        if name.startswith("redirect/"):
            lines = ["HTTP/1.1 302 Found", f"Location: {name.removeprefix('redirect/')}"]
            client.sendall("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())
            return
        content = files.get(name)
        if content is None:
            client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        span = None if name.startswith("whole/") else _SPAN.search(head)
        status, lines = "200 OK", [f'ETag: "{zlib.crc32(content)}"']
        if span:
            first, last = int(span[1]), min(int(span[2]), len(content) - 1)
            lines.append(f"Content-Range: bytes {first}-{last}/{len(content)}")
            content, status = content[first : last + 1], "206 Partial Content"
        lines.append(f"Content-Length: {len(content)}")
        text = "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""])
        client.sendall(text.encode() + content)

    with remote_server(answer) as remote:
        yield remote
