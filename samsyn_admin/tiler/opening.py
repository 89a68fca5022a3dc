"""Rasters opened by GDAL: files of ours by their path or key, those of others through the door.

GDAL never opens an address, nor a path that a user could have chosen.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from time import monotonic
from typing import Any

import numpy
import rasterio
from rasterio.abc import FileContainer
from rasterio.enums import Interleaving
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from samsyn_admin.outgoing.requests import Outgoing
from samsyn_admin.storage.storage import Storage, open_storage
from samsyn_admin.tiler.blocks import Allowance, BlockCache, BlockReader, DistantFile, Reading
from samsyn_admin.tiler.remote_files import RemoteFiles
from samsyn_admin.tiler.sources import Source
from samsyn_model.errors import NotFoundError, UnusableRasterError
from samsyn_model.settings import Settings

SECONDS = 20.0
"""What may be spent on reading one raster for one response."""
_MAX_BARE = 4096  # pixels of a side, without tiles and overviews
_MAX_STEP = 16  # times that one overview is larger than the next
_MAX_BLOCK = 64 * 1024 * 1024  # bytes
_MAX_BANDS = 1000
_NAME = "raster/file.tif"  # of the one file that GDAL finds
_OTHER_FILES = frozenset({"OVERVIEWS", "GEOLOCATION", "SUBDATASETS"})
"""Domains of metadata by which a raster can name other files."""
_NOT_READABLE = "The file cannot be read as a GeoTIFF."


type Open = Callable[..., DatasetReader]


@dataclass(frozen=True, slots=True)
class Opened:
    """A raster that is open, and what tells its content from that of all others."""

    dataset: DatasetReader
    identity: str
    reopened: Open
    """Opens it again with GDAL's options, until the raster is closed."""

    def overview(self, factor: float) -> DatasetReader:
        """Return the raster with pixels so many times as large, or the next smaller ones."""
        levels = self.dataset.overviews(1)
        usable = [number for number, level in enumerate(levels) if level <= factor]
        return self.reopened(overview_level=usable[-1]) if usable else self.dataset


class Rasters:
    """What opens rasters: one a process; thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._storage = open_storage(settings)
        self._remote = RemoteFiles(Outgoing(settings))
        self._blocks = BlockCache()

    @contextmanager
    def opened(self, source: Source) -> Iterator[Opened]:
        """Open a raster until the block ends.

        Raises NotFoundError, UnusableRasterError where it is no GeoTIFF that can be drawn (also in
        the block), RemoteServerError and the like for one of another server.
        """
        path = self._storage.local_path(source.key) if source.key else None
        with ExitStack() as stack:
            if path is not None:
                if not path.is_file():
                    raise NotFoundError("The file of this layer is not there any more.")
                reopened = partial(_open, stack, str(path))
                identity = f"{source.key} {path.stat().st_mtime_ns}"
                yield Opened(checked(reopened()), identity, reopened)
                return
            allowance = Allowance(deadline=monotonic() + SECONDS)
            if source.url:
                file: DistantFile = self._remote.get(source.url, allowance)
            else:
                file = _StoredFile(self._storage, source.key or "")
            reading = Reading(file, self._blocks, allowance)
            try:
                reopened = partial(_open, stack, _NAME, opener=_OneFile(reading))
                dataset = checked(reopened())
                if source.url:
                    refuse_bare(dataset)
                reading.is_checked = True
                yield Opened(dataset, file.identity, reopened)
            except (RasterioError, UnusableRasterError) as error:
                if reading.failure is None:
                    raise
                self._remote.forget(source.url or "")
                raise reading.failure from error
            if reading.failure is not None:
                self._remote.forget(source.url or "")
                raise reading.failure


def _open(stack: ExitStack, path: str, **options: Any) -> DatasetReader:
    try:
        return stack.enter_context(rasterio.open(path, driver="GTiff", **options))
    except RasterioError as error:
        raise UnusableRasterError(_NOT_READABLE) from error


def checked(dataset: DatasetReader) -> DatasetReader:
    """Return a raster that has a place on earth, and neither names files nor takes all memory.

    Raises UnusableRasterError.
    """
    if _OTHER_FILES.intersection(map(str.upper, dataset.tag_namespaces())):
        raise UnusableRasterError("The GeoTIFF refers to other files, which are not read.")
    if dataset.crs is None or dataset.transform.is_identity or dataset.gcps[0]:
        raise UnusableRasterError("The GeoTIFF does not say where on earth it is.")
    if any(name.startswith("complex") for name in dataset.dtypes):
        raise UnusableRasterError("The values of the GeoTIFF are complex numbers.")
    if dataset.count > _MAX_BANDS:
        raise UnusableRasterError(f"The GeoTIFF has more than {_MAX_BANDS} bands.")
    height, width = dataset.block_shapes[0]
    depth = dataset.count if dataset.interleaving == Interleaving.pixel else 1
    if height * width * depth * numpy.dtype(dataset.dtypes[0]).itemsize > _MAX_BLOCK:
        raise UnusableRasterError(
            f"The tiles of the GeoTIFF are too large: {width} x {height} pixels."
        )
    return dataset


def refuse_bare(dataset: DatasetReader) -> None:
    """Raise UnusableRasterError for a large raster without tiles, or overviews of every size."""
    size = max(dataset.width, dataset.height)
    if size <= _MAX_BARE:
        return
    levels = [1, *sorted(dataset.overviews(1))]
    is_tiled = dataset.block_shapes[0][1] < dataset.width
    steps = pairwise(levels)
    has_all = size / levels[-1] <= _MAX_BARE and all(b <= a * _MAX_STEP for a, b in steps)
    if not is_tiled or not has_all:
        raise UnusableRasterError(
            f"This is not a cloud-optimised GeoTIFF: one of {dataset.width} x {dataset.height}"
            " pixels needs tiles and overviews."
        )


class _StoredFile(DistantFile):
    """A file of the storage that is in a bucket; its key is never given to another content."""

    def __init__(self, storage: Storage, key: str) -> None:
        self._storage, self._key = storage, key
        self.identity, self.size = f"{key} stored", storage.size(key)

    def span(self, start: int, end: int, allowance: Allowance) -> bytes:  # noqa: ARG002
        """Return the bytes from `start` until before `end`; raises the errors of Storage."""
        return b"".join(self._storage.read(self._key, start, end - start))


class _OneFile(FileContainer):  # type: ignore[misc]
    """The files that GDAL finds: one, which is only read."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def open(self, path: str, mode: str = "r", **_: object) -> BlockReader:
        """Return the file; raises FileNotFoundError for another."""
        if path != _NAME or mode not in {"r", "rb"}:
            raise FileNotFoundError(path)
        return BlockReader(self._reading)

    def isfile(self, path: str) -> bool:
        """Return whether this is the file."""
        return path == _NAME

    def isdir(self, path: str) -> bool:  # noqa: ARG002 - rasterio's
        """Return False."""
        return False

    def ls(self, path: str) -> list[str]:  # noqa: ARG002
        """Return nothing: no sidecars."""
        return []

    def mtime(self, path: str) -> int:  # noqa: ARG002
        """Return 0."""
        return 0

    def rm(self, path: str) -> None:
        """Refuse."""
        raise FileNotFoundError(path)

    def size(self, path: str) -> int:
        """Return the bytes of the file; raises FileNotFoundError for another."""
        if path != _NAME:
            raise FileNotFoundError(path)
        return self._reading.file.size
