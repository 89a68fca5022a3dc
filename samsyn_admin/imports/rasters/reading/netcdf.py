"""The variables of NetCDF files that are grids, and the times of their axes."""

import logging
import math
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import h5py

from samsyn_admin.imports.rasters.reading.files import RasterFile
from samsyn_admin.imports.rasters.reading.gdal import opened
from samsyn_admin.imports.rasters.reading.sources import RasterSource, Step, described
from samsyn_admin.imports.rasters.reading.times import times_of_axis
from samsyn_model.errors import UnreadableFileError

LOGGER = logging.getLogger(__name__)

_VARIABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*(/[A-Za-z0-9_][A-Za-z0-9_.@+-]*)*", re.ASCII)
_HDF5 = b"\x89HDF"
# what names and numbers of all kinds raise that are not what they should be
_DAMAGE = (OSError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError)
_MAX_VARIABLES = 50
_MAX_OBJECTS = 10_000
_TIME_AXES = {"time", "t", "valid_time", "time_counter", "date"}
_NOT_GRIDS = re.compile(r"(.*_)?(bnds|bounds|crs|spatial_ref|lat|lon|latitude|longitude)", re.I)


def netcdf_sources(file: RasterFile) -> list[RasterSource]:
    """Return the variables of a file that are grids of values.

    Raises UnreadableFileError, also for a file of HDF5 whose values are in other files.
    """
    try:
        return _grids(file)
    except _DAMAGE as error:
        LOGGER.warning("a NetCDF file cannot be read: %r", error)
        raise UnreadableFileError(f"{file.name} is damaged. Was it uploaded as a whole?") from error


def _grids(file: RasterFile) -> list[RasterSource]:
    _refuse_other_files(file)
    names = _variables(file)
    if not names:
        raise UnreadableFileError(f"{file.name} has no variable that is a grid.")
    if len(names) > _MAX_VARIABLES:
        raise UnreadableFileError(
            f"{file.name} has {len(names):,} variables: at most {_MAX_VARIABLES} are read."
        )
    return [_variable(file, name, is_alone=len(names) == 1) for name in names]


def _variables(file: RasterFile) -> list[str]:
    with opened(str(file.path), "netCDF", file.name) as dataset:
        if dataset.count:
            name = dataset.tags(1).get("NETCDF_VARNAME", "")
            return [name] if _VARIABLE.fullmatch(name) else []
        found = [name.rsplit('":', 1)[-1].strip("/") for name in dataset.subdatasets]
    return [name for name in found if _VARIABLE.fullmatch(name) and not _NOT_GRIDS.fullmatch(name)]


def _variable(file: RasterFile, name: str, *, is_alone: bool) -> RasterSource:
    dataset_name = f'NETCDF:"{file.path}":{name}'
    shown = f"{file.name}: {name}"
    with opened(dataset_name, "netCDF", shown) as dataset:
        steps, notes = _steps(dataset)
        tags = dataset.tags(1) | {
            key.partition("#")[2]: value
            for key, value in dataset.tags().items()
            if key.startswith(f"{name}#")
        }
        source = described(
            dataset,
            file,
            name=file.stem if is_alone else f"{file.stem}: {tags.get('long_name', name)[:200]}",
            dataset_name=dataset_name,
            format_name="NetCDF",
            steps=steps,
        )
        source.notes += notes
        source.unit = tags.get("units") or None
        if source.crs is None and _is_in_degrees(dataset):
            source.take_crs("OGC:CRS84", "its axes of longitude and latitude")
    return source


def _steps(dataset: Any) -> tuple[list[Step], list[str]]:
    """Return the bands by time: of other axes, such as depth, the first value alone."""
    tags = dataset.tags()
    axes = [name for name in tags.get("NETCDF_DIM_EXTRA", "").strip("{}").split(",") if name]
    bands = {index: dataset.tags(index) for index in dataset.indexes}
    notes = []
    time_axis = next((axis for axis in axes if _is_time(axis, tags)), None)
    for axis in axes:
        if axis == time_axis:
            continue
        values = list(dict.fromkeys(band.get(f"NETCDF_DIM_{axis}") for band in bands.values()))
        if len(values) > 1:
            notes.append(f"Of {len(values):,} values of the axis {axis!r} the first is read.")
        bands = {i: b for i, b in bands.items() if b.get(f"NETCDF_DIM_{axis}") == values[0]}
    if time_axis is None:
        return [Step(None, (next(iter(bands)),))], notes
    moments = _moments(bands.values(), time_axis, tags)
    if moments is None:
        if len(bands) > 1:
            notes.append(f"The times of the axis {time_axis!r} are not known: the first is read.")
        return [Step(None, (next(iter(bands)),))], notes
    times: dict[datetime, int] = {}
    for index, moment in zip(bands, moments, strict=True):
        times.setdefault(moment, index)
    return [Step(moment, (index,)) for moment, index in sorted(times.items())], notes


def _moments(bands: Any, axis: str, tags: dict[str, str]) -> Sequence[datetime] | None:
    values = [band.get(f"NETCDF_DIM_{axis}", "") for band in bands]
    return times_of_axis(values, tags.get(f"{axis}#units", ""), tags.get(f"{axis}#calendar", ""))


def _is_time(axis: str, tags: dict[str, str]) -> bool:
    return (
        axis.lower() in _TIME_AXES
        or tags.get(f"{axis}#standard_name") == "time"
        or " since " in tags.get(f"{axis}#units", "")
    )


def _is_in_degrees(dataset: Any) -> bool:
    units = {value for key, value in dataset.tags().items() if key.endswith("#units")}
    west, south, east, north = dataset.bounds
    return (
        any(unit.startswith("degree") and unit.endswith(("_north", "_N", "N")) for unit in units)
        and all(map(math.isfinite, dataset.bounds))
        and -180.5 <= west <= east <= 360.5
        and -90.5 <= south <= north <= 90.5
    )


def _refuse_other_files(file: RasterFile) -> None:
    """Raise UnreadableFileError for a file of HDF5 that would read others of this machine."""
    with file.path.open("rb") as start:
        if start.read(4) != _HDF5:
            return
    with h5py.File(file.path, "r") as content:
        for found in _outside(content):
            raise UnreadableFileError(
                f"{file.name} has values in another file ({found[:100]!r}): write it as one."
            )


def _outside(content: h5py.File) -> Iterator[str]:
    """Yield the names of what is not in the file itself."""
    found: list[str] = []
    count = 0

    def visit_link(name: str | bytes) -> str | None:
        nonlocal count
        count += 1
        link = content.get(name, getlink=True)
        if count > _MAX_OBJECTS or isinstance(link, h5py.ExternalLink):
            return str(name)
        return None

    def visit(name: str | bytes, item: Any) -> str | None:
        if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            return str(name)
        return None

    for outside in (content.visit_links(visit_link), content.visititems(visit)):
        if outside is not None:
            found.append(outside)
    yield from found
