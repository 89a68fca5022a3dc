"""A layer of a file to import, of any format."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from samsyn_admin.imports.sources.counts import counted
from samsyn_model.errors import InvalidParameterError, TooLargeError, UnreadableFileError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.faults import FaultLog
from samsyn_model.properties.schema import Kind
from samsyn_provider.geography.transformation import ToDegrees

BATCH_FEATURES = 1000
BATCH_BYTES = 4 * 1024 * 1024
CRS84 = CRS("OGC:CRS84")
_GRIDS = re.compile(r'PARAMETERFILE\["[^"]*","([^"]*)"')


class SourceLayer(ABC):
    """Features to import, read as a stream any number of times.

    `crs` is the CRS that the file names or its format implies (`crs_is_implied`), or None; x of the
    geometries is east (longitude) whatever the CRS's own order of axes. `geometry_type` is the
    declared one as in `layers.geometry_type`, or None; `has_geometry` is false for a table of
    attributes; `feature_count` the declared number or None. `notes` describes what was left
    out. With `crs_is_given` the coordinates are in another CRS than the file may name. A layer
    with a `refusal` is not read, and has a name only.

    `format` is the name of the file's format for people, `crs_origin` and `encoding_origin` how the
    CRS and the `encoding` of its texts were found out (`the .cpg file`, say). `faults` holds what
    was wrong with features of the last reading: a reader leaves a feature out that it cannot read,
    or reads a value as null, records the fault, and goes on; whether the import then fails is not
    its decision. `missing_crs` says why there is no `crs`, where more is known than that;
    `columns` which columns of a table have the coordinates (`x` and `y`, or `wkt`), and their sign
    `decimal`. `style` is what the file says of its drawing, as in `layers.style_config`;
    `source_file` the name of the layer's file in an archive.
    """

    name: str
    crs: CRS | None = None
    crs_is_implied: bool = False
    crs_is_given: bool = False
    geometry_type: str | None = None
    has_geometry: bool = True
    feature_count: int | None = None
    refusal: str | None = None
    format: str = ""
    crs_origin: str = ""
    missing_crs: str = ""
    columns: Mapping[str, str | None] | None = None
    encoding: str | None = None
    encoding_origin: str = ""
    style: Mapping[str, Any] | None = None
    source_file: str | None = None

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.faults = FaultLog()
        self.tallies: Counter[str] = Counter()
        """How often something was changed that is no fault, by a text of what it was."""
        self.free_texts: set[str] = set()
        """Fields whose values are stored unchanged, even when they look like date-times."""

    @abstractmethod
    def batches(self) -> Iterator[FeatureBatch]:
        """Read the features, in the file's CRS and order.

        Raises UnreadableFileError and UnstorableFeatureError, also when the file is truncated, and
        NotDateTimesError as ObservedKinds does.
        """

    @property
    @abstractmethod
    def kinds(self) -> Mapping[str, Kind | None]:
        """The kinds of the fields in the file's order; final only once all batches are read."""

    @property
    def has_xy_columns(self) -> bool:
        """Whether x and y are columns of a table, which can be chosen."""
        return self.columns is not None and self.columns["x"] is not None

    def note(self, text: str) -> None:
        """Record a note for the user, once."""
        if text not in self.notes:
            self.notes.append(text)

    def tally(self, text: str, count: int = 1) -> None:
        """Count what is to be told with a number: a text as `counted` takes it."""
        self.tallies[text] += count

    def restart(self) -> None:
        """Forget the faults and tallies of the last reading."""
        self.faults.clear()
        self.tallies.clear()

    def all_notes(self) -> list[str]:
        """Return the notes, and the tallies with their numbers."""
        return [*self.notes, *(counted(text, n) for text, n in self.tallies.items() if n)]


def parse_crs(definition: str) -> CRS:
    """Return the CRS that a user or a file names; raises InvalidParameterError."""
    try:
        return CRS.from_user_input(definition)
    except (CRSError, UnicodeEncodeError) as error:
        raise InvalidParameterError(f"{definition[:100]!r} is not a known CRS.") from error


def file_crs(definition: str) -> CRS:
    """Return the CRS that a file names; raises InvalidParameterError, also for a definition that
    would read other files: of PROJ, or of grids."""
    if "+init=" not in definition:
        crs = parse_crs(definition)
        if not any(grid != "@null" for grid in _GRIDS.findall(crs.to_wkt())):
            return crs
    raise InvalidParameterError(
        f"The CRS {definition[:100]!r} is defined by other files: use --crs."
    )


def source_crs(source: SourceLayer, path: Path, override: str | None) -> CRS:
    """Return the CRS of a source's coordinates: `override`, or the one that the file names.

    Raises UnreadableFileError when the file names none, InvalidParameterError.
    """
    if override is not None:
        crs = parse_crs(override)
        source.crs_is_given = True
        if source.crs is not None and source.crs != crs and not source.crs_is_implied:
            source.note(f"Read as {crs.name}, although the file names {source.crs.name}.")
        return crs
    if source.crs is None:
        if not source.has_geometry:
            return parse_crs("OGC:CRS84")
        reason = f" ({source.missing_crs})" if source.missing_crs else ""
        raise UnreadableFileError(
            f"{path} names no known CRS of {source.name!r}{reason}: specify it with --crs, such as"
            " --crs EPSG:3006."
        )
    return source.crs


def until(deadline: float, batches: Iterable[FeatureBatch]) -> Iterator[FeatureBatch]:
    """Yield the batches; raise TooLargeError once `monotonic` has passed the deadline."""
    for batch in batches:
        if monotonic() > deadline:
            raise TooLargeError("The import takes longer than the limit (IMPORT_TIMEOUT).")
        yield batch


def in_crs84(batches: Iterable[FeatureBatch], crs: CRS) -> Iterator[FeatureBatch]:
    """Yield the batches in longitude and latitude (CRS84); heights are unchanged.

    A position outside the area of the CRS becomes infinite, which is refused later.
    """
    flat = _two_dimensional(crs)
    if flat.equals(CRS84, ignore_axis_order=True) or flat.to_epsg() == 4326:
        yield from batches
        return
    transformation = ToDegrees(flat)
    for batch in batches:
        yield replace(batch, geometries=_transformed(batch.geometries, transformation), wkb=None)


def _two_dimensional(crs: CRS) -> CRS:
    flat = crs.sub_crs_list[0] if crs.is_compound else crs
    flat = flat.to_2d()
    if not (flat.is_geographic or flat.is_projected or flat.is_bound):
        raise UnreadableFileError(
            f"Data in the CRS {crs.name!r} cannot be transformed to longitude and latitude."
        )
    return flat


def _transformed(geometries: NDArray[Any], transformation: ToDegrees) -> NDArray[Any]:
    result = geometries.copy()
    with_z = shapely.has_z(geometries)
    for rows, has_z in ((~with_z, False), (with_z, True)):
        positions = shapely.get_coordinates(geometries[rows], include_z=has_z)
        if len(positions):
            positions[:, 0], positions[:, 1] = transformation.transform(
                positions[:, 0], positions[:, 1]
            )
            result[rows] = shapely.set_coordinates(geometries[rows].copy(), positions)
    return result


def without_m(geometries: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Return the geometries without M values, and whether there were any."""
    with_m = shapely.has_m(geometries)
    if not with_m.any():
        return geometries, False
    result = geometries.copy()
    with_z = with_m & shapely.has_z(geometries)
    result[with_m & ~with_z] = shapely.force_2d(geometries[with_m & ~with_z])
    result[with_z] = shapely.from_wkb(shapely.to_wkb(geometries[with_z], output_dimension=3))
    return result, True


def object_array(values: list[Any]) -> NDArray[Any]:
    """Return the values as a one-dimensional array of objects."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
