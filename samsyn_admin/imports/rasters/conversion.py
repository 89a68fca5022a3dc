"""Rasters as cloud-optimised GeoTIFFs whose blocks are those of web maps (WebMercatorQuad)."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
import rasterio
from pyproj import CRS
from rasterio import Affine
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.utils import get_web_optimized_params

from samsyn_admin.imports.rasters.reading.gdal import opened
from samsyn_admin.imports.rasters.reading.sources import RasterSource, Step, rasterio_crs
from samsyn_model.errors import UnreadableFileError

BLOCK = 512
_TILES = morecantile.tms.get("WebMercatorQuad")
_LEVEL = 3  # of ZSTD: slower ones make files of measured values hardly smaller
_ROWS = 4_000_000  # values of a part that is copied
_INTERVAL = 0.5  # seconds between two looks at the files that grow
_WRITTEN = 1.34 * 1.6  # times the size of the values: with overviews, then once more compressed


def convert(  # noqa: PLR0913 - what a raster is converted to
    source: RasterSource,
    step: Step,
    crs: CRS,
    target: Path,
    *,
    is_categorical: bool,
    nodata: float | None,
    report: Callable[[float], None],
) -> dict[str, Any]:
    """Write the bands of a time of a raster as a cloud-optimised GeoTIFF; return what it is.

    Its CRS is EPSG:3857, its blocks those of tiles of 512 pixels of the zoom that suits the raster
    best. Pixels are the nearest ones of classes, else between four. Values that the file scales are
    scaled; where nothing lies is `nodata`, or masked. Memory is bounded, whatever the raster's
    size; the files beside `target` need about three times the size of its values. `report` is told
    the share that is done. Raises UnreadableFileError.
    """
    shown = source.file.name
    with opened(source.dataset, source.file.driver, shown) as dataset, ExitStack() as stack:
        prepared, bands = dataset, step.bands
        is_beyond = crs.is_geographic and source.longitudes()[1] > 180
        if source.is_scaled or is_beyond or _has_lost_mask(source):
            path = target.with_name("prepared.tif")
            stack.callback(path.unlink, missing_ok=True)
            _prepare(source, step, dataset, crs, path, nodata)
            prepared = stack.enter_context(rasterio.open(path))
            bands = tuple(range(1, len(bands) + 1))
            nodata = None
        dtype = prepared.dtypes[0].replace("float64", "float32")
        empty = prepared.nodatavals[bands[0] - 1] if nodata is None else nodata
        has_alpha = ColorInterp.alpha in prepared.colorinterp
        is_of_floats = dtype.startswith("float") and not has_alpha
        is_masked = has_alpha or (not is_of_floats and empty is None)
        if not is_masked:
            nodata = math.nan if is_of_floats and not _fits(empty) else empty
        warped = _in_crs(stack, prepared, rasterio_crs(crs), empty, nodata, is_masked, has_alpha)
        grid = get_web_optimized_params(warped, tms=_TILES)
        size = grid["width"] * grid["height"] * len(bands) * np.dtype(dtype).itemsize
        stack.enter_context(_watched(target, size * _WRITTEN, report))
        cog_translate(
            warped,
            target,
            _profile(dtype),
            indexes=tuple(bands),
            nodata=None if is_masked else nodata,
            dtype=dtype,
            add_mask=is_masked,
            tms=_TILES,
            overview_level=max(0, (max(grid["width"], grid["height"]) - 1).bit_length() - 9),
            resampling="nearest" if is_categorical else "bilinear",
            overview_resampling="nearest" if is_categorical else "average",
            colormap=source.colours,
            in_memory=False,
            quiet=True,
        )
    return _described(target)


def _in_crs(  # noqa: PLR0913, PLR0917 - what `convert` has found out
    stack: ExitStack,
    dataset: Any,
    crs: Any,
    empty: float | None,
    nodata: float | None,
    is_masked: bool,
    has_alpha: bool,
) -> Any:
    """Return a dataset in the CRS that is chosen, with a mask or the `nodata` in place of `empty`:
    itself where it is so already, since each step in between costs as much as the conversion."""
    options: dict[str, Any] = {}
    if is_masked and not has_alpha:
        options = {"add_alpha": True}
    elif empty is not None and not _fits(empty) and not math.isnan(empty):
        options = {"nodata": nodata, "src_nodata": empty}
    if not options and dataset.crs == crs:
        return dataset
    return stack.enter_context(WarpedVRT(dataset, src_crs=crs, crs=crs, **options))


def _fits(number: float | None) -> bool:
    """Return whether 32 bits hold a number: a nodata value of 64 may be beyond."""
    return number is not None and abs(number) <= float(np.finfo("float32").max)


def _profile(dtype: str) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "interleave": "pixel",
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "ZSTD",
        "zstd_level": _LEVEL,
        "predictor": 3 if dtype.startswith("float") else 2,
        "bigtiff": "IF_SAFER",
    }


def _described(path: Path) -> dict[str, Any]:
    with rasterio.open(path, driver="GTiff") as cog:
        maxzoom = _TILES.zoom_for_res(cog.res[0])
        return {
            "width": cog.width,
            "height": cog.height,
            "minzoom": max(0, maxzoom - len(cog.overviews(1)) - 1),
            "maxzoom": maxzoom,
            "dtype": cog.dtypes[0],
            "nodata": cog.nodata if cog.nodata is not None and np.isfinite(cog.nodata) else None,
        }


def _prepare(  # noqa: PLR0913, PLR0917 - what `convert` has
    source: RasterSource, step: Step, dataset: Any, crs: CRS, path: Path, nodata: float | None
) -> None:
    """Write the bands of a step with their values scaled, and longitudes up to 180 degrees."""
    moved = _moved_columns(source, crs)
    width = max(target + count for _, target, count in moved)
    first = source.longitudes()[0] + moved[0][0] * source.resolution[0]
    is_moved = crs.is_geographic and first >= 180 - source.resolution[0] / 2
    place = dataset.transform
    # between its two ends is nothing, not zero
    has_gap = source.nodata is None and len(moved) > 1 and not source.colours
    is_float = source.is_scaled or has_gap or _has_lost_mask(source)
    dtype = "float32" if is_float and not source.dtype.startswith("float") else source.dtype
    empty = math.nan if dtype.startswith("float") else source.nodata
    profile = {
        "driver": "GTiff",
        "width": width,
        "height": source.height,
        "count": len(step.bands),
        "dtype": dtype,
        "nodata": empty,
        "crs": rasterio_crs(crs),
        "transform": Affine(place.a, place.b, first - 360, place.d, place.e, place.f)
        if is_moved
        else place,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "bigtiff": "IF_SAFER",
        "sparse_ok": True,
    }
    rows = max(1, min(source.height, _ROWS // source.width))
    with rasterio.open(path, "w", **profile) as target_dataset:
        for row in range(0, source.height, rows):
            count = min(rows, source.height - row)
            for number, (band, scaling) in enumerate(
                zip(step.bands, source.scaling, strict=True), 1
            ):
                for start, to, columns in moved:
                    window = Window(start, row, columns, count)
                    values = dataset.read(band, window=window, masked=True)
                    if nodata is not None:
                        values = np.ma.masked_equal(values, nodata)
                    if source.is_scaled:
                        values = values.astype("float32") * scaling[0] + scaling[1]
                    if empty is not None:
                        values = values.astype(dtype).filled(empty)
                    target_dataset.write(values, number, window=Window(to, row, columns, count))


def _has_lost_mask(source: RasterSource) -> bool:
    """Return whether GDAL would forget which values are missing: its alpha bands are of these types
    alone."""
    return source.has_mask and source.dtype not in {"uint8", "uint16"}


def _moved_columns(source: RasterSource, crs: CRS) -> list[tuple[int, int, int]]:
    """Return parts of the columns: the first, where it goes, and how many; those beyond 180 degrees
    go to the west."""
    west, east = source.longitudes()
    if not crs.is_geographic or east <= 180:
        return [(0, 0, source.width)]
    size = source.resolution[0]
    first = min(source.width, max(0, round((180 - west) / size)))
    if first == 0:
        return [(0, 0, source.width)]
    whole = round(360 / size)
    beyond = min(source.width - first, whole - first)
    return [(first, 0, beyond), (0, max(beyond, whole - first), first)]


@contextmanager
def _watched(target: Path, size: float, report: Callable[[float], None]) -> Iterator[None]:
    """Report how large the files in the folder of the target have become, until the block ends."""
    is_over, failures = threading.Event(), []

    def watch() -> None:
        while not is_over.wait(_INTERVAL):
            written = 0
            for file in target.parent.iterdir():
                with suppress(FileNotFoundError):
                    written += file.stat().st_blocks * 512
            try:
                report(min(0.99, written / max(size, 1)))
            except Exception as error:
                failures.append(error)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    except RasterioError as error:
        raise UnreadableFileError(
            "The raster cannot be converted: it does not lie where its CRS is used, or is damaged."
        ) from error
    finally:
        is_over.set()
        thread.join()
    if failures:
        raise failures[0]
