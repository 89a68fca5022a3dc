"""Tiles of a raster beside stock TiTiler, which reads the file as it was uploaded; in the same run
the same tiles again, and vector tiles again.

`python -m bench.rasters`. The raster has 4000 x 4000 float32 of EPSG:25832 with noise, the map is
panned over four zoom levels: each tile is asked for once, then all of them for some seconds.
"""

import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import click
import morecantile
import numpy
import rasterio
from rasterio.transform import from_origin
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles
from sqlalchemy import text

from bench.databases import database_server, scratch_database, written
from bench.load import CONNECTIONS, Client, measure, request_times
from bench.peers import WORKERS
from bench.processes import Launch, Running, free_port, serving
from bench.subject import launch, run_samsyn
from samsyn_model.database.engine import open_engine
from samsyn_model.database.transactions import reading, writing
from samsyn_model.identity.tickets import expiry, make_ticket
from samsyn_model.permissions.principal import ANONYMOUS

_SIZE = 4000
_PIXEL = 100  # metres
_LEVELS = (7, 8, 9, 10)
_TILES = 60  # of a level at most
_SECONDS = 3
_AT_ONCE = 8
_COLORMAPS = ("viridis", "plasma", "inferno", "magma", "terrain", "coolwarm", "spectral")
_DRAWING = {"rescale": "-12,12"}
_STOCK = """
from fastapi import FastAPI
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.core.factory import TilerFactory

app = FastAPI()
app.include_router(TilerFactory().router)
app.get("/healthz")(lambda: {})
add_exception_handlers(app, DEFAULT_STATUS_CODES)
"""


def write_raster(path: Path) -> None:
    """Write the raster as GDAL does by default: strips, without overviews, not compressed."""
    rows, columns = numpy.mgrid[0:_SIZE, 0:_SIZE]
    noise = numpy.random.default_rng(1).normal(scale=0.5, size=rows.shape)
    values = (numpy.sin(columns / 300) * numpy.cos(rows / 200) * 10 + noise).astype("float32")
    profile = {
        "driver": "GTiff",
        "width": _SIZE,
        "height": _SIZE,
        "count": 1,
        "dtype": "float32",
        "nodata": -9999,
        "crs": "EPSG:25832",
        "transform": from_origin(400_000, 6_500_000, _PIXEL, _PIXEL),
    }
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(values, 1)


def convert(plain: Path, cog: Path) -> None:
    """Make the file that an import stores."""
    grid = morecantile.tms.get("WebMercatorQuad")
    profile = {**cog_profiles["zstd"], "predictor": 3}
    cog_translate(plain, cog, profile, tms=grid, quiet=True, overview_resampling="average")


def tiles() -> list[tuple[int, int, int]]:
    """Return the tiles that a map of the raster's middle shows, coarse ones first."""
    grid = morecantile.tms.get("WebMercatorQuad")
    found = []
    for level in _LEVELS:
        level_tiles = [*grid.tiles(8.5, 55.5, 13.0, 58.2, [level])]
        step = max(1, len(level_tiles) // _TILES)
        found += [(tile.z, tile.x, tile.y) for tile in level_tiles[::step]]
    return found


def each_once(url: str, paths: Sequence[str]) -> float:
    """Return the responses per second where each path is asked for once, over four connections."""
    begun = os.times().elapsed
    for thread in _senders(url, [*reversed(paths)], CONNECTIONS):
        thread.join()
    return len(paths) / (os.times().elapsed - begun)


def _senders(url: str, waiting: list[str], connections: int) -> list[threading.Thread]:
    """Return threads that ask for the paths that wait, the last one first, until none does."""

    def send() -> None:
        client = Client(url)
        while waiting:
            client.get(waiting.pop())
        client.close()

    threads = [threading.Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    return threads


def stock(folder: Path, port: int) -> Launch:
    """Return the launch of TiTiler as its factory makes it, with as many workers as SamSyn has."""
    (folder / "stock.py").write_text(_STOCK)
    command = [sys.executable, "-W", "ignore", "-m", "uvicorn", "stock:app", "--no-access-log"]
    command += ["--port", str(port), "--workers", str(WORKERS), "--log-level", "error"]
    return Launch(command, {}, folder, "/healthz")


def store(database: Any, folder: Path) -> tuple[str, str]:
    """Store the file as a public layer; return its id, and a ticket for it."""
    engine = open_engine(written(database))
    key = f"rasters/{uuid.uuid4()}/cog.tif"
    path = folder / "storage" / key
    path.parent.mkdir(parents=True)
    (folder / "cog.tif").rename(path)
    with writing(engine) as connection:
        layer = connection.execute(
            text(
                "INSERT INTO layers (name, source_type, visibility, created_by) SELECT"
                " 'Raster', 'geotiff', 'public', id FROM users LIMIT 1 RETURNING id"
            )
        ).scalar_one()
        connection.execute(
            text(
                "INSERT INTO raster_files (layer_id, name, key, original_key, size, info)"
                " VALUES (:layer, 'cog.tif', :key, 'none', 1, '{}')"
            ),
            {"layer": layer, "key": key},
        )
    with reading(engine) as connection:
        ticket = make_ticket(connection, ANONYMOUS, "raster", layer, expiry())
    engine.dispose()
    return str(layer), ticket


@click.command()
@click.option("--rounds", default=3, show_default=True)
def main(rounds: int) -> None:
    """Print the tiles per second of both servers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        write_raster(folder / "plain.tif")
        convert(folder / "plain.tif", folder / "cog.tif")
        server = stack.enter_context(database_server(None))
        database = stack.enter_context(scratch_database(server, "rasters"))
        run_samsyn(database, "demo")
        layer, ticket = store(database, folder)
        port, stock_port = free_port(), free_port()
        started = launch(database, port)
        environment = {**started.environment, "STORAGE_DIR": str(folder / "storage")}
        samsyn = stack.enter_context(
            serving(
                Launch(started.command, environment, started.folder, started.ready),
                *(port, folder / "samsyn.log"),
            )
        )
        titiler = stack.enter_context(
            serving(stock(folder, stock_port), stock_port, folder / "stock.log")
        )
        address = f"{samsyn.url}/api/v1/layers/{layer}/file?ticket={ticket}"
        _compare(samsyn, titiler, address, folder / "plain.tif", rounds)
        _isolation(samsyn, address)
        process = _tiler_of(samsyn)
        click.echo(f"memory of the tiler      {_largest(process):8.0f} MiB at most")
        os.kill(process, signal.SIGKILL)
        seconds = request_times(samsyn.url, [_paths(address, "bwr")[-1]], 1)[0]
        click.echo(f"a tile after kill -9     {seconds:8.1f} s")


def _compare(samsyn: Running, titiler: Running, address: str, plain: Path, rounds: int) -> None:
    places = tiles()
    vector = _vector_tiles(samsyn)
    first: dict[str, list[float]] = {"samsyn": [], "titiler": []}
    again: dict[str, list[float]] = {"samsyn again": [], "vector tiles again": []}
    for number in range(rounds + 1):  # the first one fills caches of the system
        drawing = {**_DRAWING, "colormap": _COLORMAPS[number % len(_COLORMAPS)]}
        ours = _paths(address, drawing["colormap"])
        named = {**_DRAWING, "colormap_name": drawing["colormap"], "url": str(plain)}
        theirs = [
            f"/tiles/WebMercatorQuad/{z}/{x}/{y}.png?{urlencode(named)}" for z, x, y in places
        ]
        first["samsyn"].append(each_once(samsyn.url, ours))
        first["titiler"].append(each_once(titiler.url, theirs))
        again["samsyn again"].append(measure(samsyn.url, ours, _SECONDS).rate)
        again["vector tiles again"].append(measure(samsyn.url, vector, _SECONDS).rate)
    click.echo(f"{len(places)} tiles of levels {_LEVELS}, each once, {rounds} rounds; again")
    for name, values in {**first, **again}.items():
        rate = statistics.median(values[1:])
        click.echo(f"{name:24} {rate:8.0f}/s   {[round(value) for value in values]}")
    pairs = zip(first["samsyn"][1:], first["titiler"][1:], strict=True)
    click.echo(
        f"ratio of first ones      {statistics.median(one / two for one, two in pairs):8.1f}"
    )


def _paths(address: str, colormap: str) -> list[str]:
    drawn = urlencode({"url": address, **_DRAWING, "colormap": colormap})
    return [f"/api/v1/titiler/tiles/{z}/{x}/{y}?{drawn}" for z, x, y in tiles()]


def _isolation(samsyn: Running, address: str) -> None:
    """Print the times of other requests, alone and beside eight tiles that are being made."""
    others = {"health": ["/api/health"], "a vector tile again": _vector_tiles(samsyn)[:1]}
    alone = {name: sorted(request_times(samsyn.url, paths, 60)) for name, paths in others.items()}
    waiting = [path for name in ("reds", "blues", "greens") for path in _paths(address, name)]
    threads = _senders(samsyn.url, waiting, _AT_ONCE)
    for name, paths in others.items():
        beside = sorted(request_times(samsyn.url, paths, 60))
        shown = [
            f"{times[30] * 1000:.1f} ({times[56] * 1000:.1f})" for times in (alone[name], beside)
        ]
        click.echo(
            f"{name:24} {shown[0]} ms alone, {shown[1]} beside {_AT_ONCE} tiles: median (95 %)"
        )
    waiting.clear()
    for thread in threads:
        thread.join()


def _vector_tiles(samsyn: Running) -> list[str]:
    """Return the paths of vector tiles of the demo plan that are not empty."""
    client = Client(samsyn.url)
    collections = json.loads(client.body("/ogc/collections?f=json"))["collections"]
    paths = [
        f"/ogc/collections/{quote(entry['id'])}/tiles/WebMercatorQuad/8/{row}/{column}"
        for entry in collections
        for row in (77, 78)
        for column in (135, 136)
    ]
    full = [path for path in paths if client.body(path)]
    client.close()
    return full


def _tiler_of(samsyn: Running) -> int:
    """Return the process of the server's tiler."""
    children = Path(f"/proc/{samsyn.process.pid}/task").glob("*/children")
    processes = [int(number) for file in children for number in file.read_text().split()]
    commands = {number: Path(f"/proc/{number}/cmdline").read_text() for number in processes}
    return next(number for number, command in commands.items() if "tiler" in command)


def _largest(process: int) -> float:
    """Return the maximum resident size of a process in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
