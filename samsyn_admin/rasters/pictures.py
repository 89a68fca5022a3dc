"""Pictures and documents of rasters: kept ones, or new ones of the tiler."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from samsyn_admin.outgoing.slots import Slots
from samsyn_admin.outgoing.under_way import UnderWay
from samsyn_admin.rasters.admission import Raster
from samsyn_admin.rasters.parameters import Drawing
from samsyn_admin.rasters.tiler import Tiler
from samsyn_model.database.transactions import reading
from samsyn_model.errors import NotFoundError, TilerUnavailableError, UnusableRasterError
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import spend
from samsyn_provider.rates.rate_limits import Rate

STATISTICS = "/statistics"
"""The path of statistics of bands."""
MAX_OF_SERVER = 4
"""Requests of a worker at the same time for files of one other server."""
MAX_OF_OTHERS = 6
"""The same of all other servers: a slow one does not keep anybody from files of ours."""
_PATIENCE = 1.0  # seconds
_GRID = "WebMercatorQuad"
_VERSION = "2"  # of how rasters are drawn: another one is another tag
_SHARED = 0.05  # seconds: what took as long is kept for all processes

type Make = Callable[[], bytes]


def entity_tag(raster: Raster, *asked: object) -> str:
    """Return the entity tag of a response: another one for each other raster and request."""
    text = "\n".join(map(str, (_VERSION, raster.version, *asked)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Pictures:
    """What the tiler makes for one process; thread-safe.

    All methods raise the errors of Tiler, and TooManyRequestsError where the caller has had many
    made.
    """

    def __init__(self, tiler: Tiler) -> None:
        self._tiler = tiler
        self._under_way = UnderWay()
        self._of_servers = Slots(MAX_OF_SERVER)
        self._of_all = Slots(MAX_OF_OTHERS)

    def tile(self, raster: Raster, drawing: Drawing, tile: tuple[int, int, int], tag: str) -> bytes:
        """Return a tile (z, x, y) as PNG; nothing where there is nothing of the raster."""
        path = f"/tiles/{_GRID}/{'/'.join(map(str, tile))}"
        query = f"{drawing.query}&tilesize=256"
        return self._kept(raster, tag, lambda: self._tiler.picture(raster.source, path, query))

    def preview(self, raster: Raster, drawing: Drawing, size: tuple[int, int], tag: str) -> bytes:
        """Return the whole raster as a PNG that fits into the size, in its own CRS."""
        query = f"{drawing.query}&width={size[0]}&height={size[1]}"
        return self._kept(
            raster, tag, lambda: self._tiler.picture(raster.source, "/preview", query)
        )

    def document(self, raster: Raster, path: str, query: str, tag: str) -> Any:
        """Return what TiTiler tells: statistics are of the file that was uploaded, where it can be
        read."""

        def make() -> bytes:
            if path == STATISTICS and raster.original is not None:
                with suppress(UnusableRasterError, NotFoundError):
                    return json.dumps(self._tiler.document(raster.original, path, query)).encode()
            return json.dumps(self._tiler.document(raster.source, path, query)).encode()

        return json.loads(self._kept(raster, tag, make))

    def values(self, raster: Raster, longitude: float, latitude: float) -> Any:
        """Return TiTiler's values at a place, of the file that was uploaded where it can be read.

        Nothing of it is kept.
        """
        spend(Rate.TILES)
        path = f"/point/{longitude!r},{latitude!r}"
        if raster.original is not None:
            try:
                return self._tiler.document(raster.original, path)
            except (UnusableRasterError, NotFoundError):
                pass  # as one without a CRS, which the import was told
        with self._turn(raster):
            return self._tiler.document(raster.source, path)

    def _kept(self, raster: Raster, tag: str, make: Make) -> bytes:
        cache = deployment().tile_cache
        content = cache.get(tag)
        if content is not None:
            return content
        with self._under_way.only_one(tag):
            content = cache.get(tag)
            if content is None:
                content = self._shared(raster, tag, make)
                cache.put_local(tag, content)
        return content

    def _shared(self, raster: Raster, tag: str, make: Make) -> bytes:
        """Return what another process has made, or make it: without a connection meanwhile."""
        cache, engine = deployment().tile_cache, deployment().engine
        if cache.is_in_database:
            with reading(engine) as connection:
                content = cache.get_from_database(connection, tag)
            if content is not None:
                return content
        spend(Rate.TILES)
        start = monotonic()
        with self._turn(raster):
            content = make()
        if not raster.is_ours or monotonic() - start >= _SHARED:
            with reading(engine, on_primary=True) as connection:
                cache.put(connection, tag, content)
        return content

    @contextmanager
    def _turn(self, raster: Raster) -> Iterator[None]:
        """Have a turn at files of other servers; raises TilerUnavailableError without one."""
        if raster.source.url is None:
            yield
            return
        server = urlsplit(raster.source.url).netloc
        with (
            self._of_servers.taken(server, _PATIENCE) as has_server,
            self._of_all.taken("", _PATIENCE if has_server else 0.0) as has_turn,
        ):
            if not (has_server and has_turn):
                raise TilerUnavailableError(
                    "Many GeoTIFFs of other servers are being read: try again in some seconds."
                )
            yield
