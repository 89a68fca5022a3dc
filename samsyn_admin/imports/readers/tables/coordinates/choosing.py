"""Where the geometry of a table is, and in which CRS: by the headings, and a sample of the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS

from samsyn_admin.imports.readers.tables.coordinates.geometries import (
    GeometryTexts,
    is_geometry,
    is_wkt,
    srid_of,
)
from samsyn_admin.imports.readers.tables.coordinates.headings import (
    Candidates,
    Pair,
    chosen_pair,
    find_candidates,
    has_minutes_apart,
)
from samsyn_admin.imports.readers.tables.coordinates.hemispheres import (
    Hemisphere,
    find_hemispheres,
    hemisphere_notes,
)
from samsyn_admin.imports.readers.tables.coordinates.numbers import Cell
from samsyn_admin.imports.readers.tables.coordinates.positions import PositionReader
from samsyn_admin.imports.sources.layer import CRS84, file_crs
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import InvalidParameterError

type Sample = Sequence[Sequence[Cell]]

_MOST_NAMES = 30
_LIMITS = np.array([180.0, 90.0])
_NOT_FOUND = (
    "has no columns of coordinates: name them lon and lat (or longitude and latitude, or x and y),"
    " or provide the geometry as WKT in a column named wkt, or choose the columns (--x and --y, or"
    " --wkt)."
)


@dataclass(frozen=True, slots=True)
class Geometry:
    """The column with the texts of the geometries, and their SRID; or two with the coordinates,
    and the hemispheres of x and y."""

    wkt: int | None = None
    pair: Pair | None = None
    hemispheres: tuple[Hemisphere, ...] = ()
    srid: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundCRS:
    """The CRS of a table and how it was found; or, without one, why it is not known."""

    crs: CRS | None
    is_implied: bool
    origin: str = ""
    question: str = ""


def choose_geometry(header: Sequence[str], sample: Sample, options: ReadOptions) -> Geometry | str:
    """Return where the geometry is, or what is to be asked: `has no columns of coordinates …`.

    Raises InvalidParameterError where only one of x and y was chosen.
    """
    if (options.x is None) != (options.y is None):
        raise InvalidParameterError("Choose both columns of coordinates, x and y.")
    if options.wkt is not None or (options.x is not None and options.y is not None):
        return _chosen(header, sample, options)
    candidates = find_candidates(header)
    wkt = _with_geometries(header, sample, candidates)
    if len(wkt) > 1:
        return f"has several columns of geometries, {_names(header, wkt)}: choose one (--wkt)."
    if wkt:
        return _texts(wkt[0], sample)
    if len(candidates.pairs) > 1:
        pairs = "; ".join(_names(header, (pair.x, pair.y)) for pair in candidates.pairs[:8])
        return f"has several pairs of columns of coordinates ({pairs}): choose one (--x and --y)."
    if not candidates.pairs:
        return f"{_NOT_FOUND} Its columns are {_names(header, range(len(header)))}."
    pair = candidates.pairs[0]
    if has_minutes_apart(header, pair):
        return (
            f"has degrees in {_names(header, (pair.x, pair.y))} and minutes in other columns, which"
            " are not read: put them into one column (57 41.5), or choose columns (--x and --y)."
        )
    return _coordinate_columns(header, sample, pair, is_chosen=False)


def _coordinate_columns(
    header: Sequence[str], sample: Sample, pair: Pair, *, is_chosen: bool
) -> Geometry | str:
    hemispheres = find_hemispheres(
        header,
        sample,
        (pair.x, pair.y),
        is_in_degrees=pair.family == "degrees",
        is_chosen=is_chosen,
    )
    if isinstance(hemispheres, str):
        return hemispheres
    notes = hemisphere_notes(header, (pair.x, pair.y), hemispheres)
    if pair.is_ambiguous:
        note = f"{header[pair.x]!r} was read as longitude, {header[pair.y]!r} as latitude."
        notes = (note, *notes)
    return Geometry(pair=pair, hemispheres=hemispheres, notes=notes)


def _chosen(header: Sequence[str], sample: Sample, options: ReadOptions) -> Geometry | str:
    indexes = []
    for name in (options.x, options.y) if options.wkt is None else (options.wkt,):
        index = _index(header, name or "")
        if index is None:
            return f"has no column {name!r}; its columns are {_names(header, range(len(header)))}."
        indexes.append(index)
    if options.wkt is not None:
        return _texts(indexes[0], sample)
    if indexes[0] == indexes[1]:
        return "has x and y in different columns: choose two (--x and --y)."
    return _coordinate_columns(header, sample, chosen_pair(header, *indexes), is_chosen=True)


def _index(header: Sequence[str], name: str) -> int | None:
    for form in (str, str.casefold):
        names = [form(heading) for heading in header]
        if names.count(form(name.strip())):
            return names.index(form(name.strip()))
    return None


def _names(header: Sequence[str], indexes: Sequence[int] | range) -> str:
    names = [repr(header[index]) for index in indexes]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _values(sample: Sample, index: int) -> list[str]:
    return [str(cells[index]) for cells in sample if str(cells[index]).strip()]


def _with_geometries(
    header: Sequence[str], sample: Sample, candidates: Candidates
) -> tuple[int, ...]:
    """Return the columns with texts of geometries: those named so, else those of WKT alone."""
    named = candidates.wkt
    if named:
        values = {index: _values(sample, index) for index in named}
        filled = tuple(
            index for index in named if not values[index] or any(map(is_geometry, values[index]))
        )
        return filled if filled or candidates.pairs or len(named) > 1 else named
    if candidates.pairs:
        return ()
    return tuple(
        index
        for index in range(len(header))
        if (texts := _values(sample, index)) and all(map(is_wkt, texts))
    )


def _texts(index: int, sample: Sample) -> Geometry:
    srids = [srid_of(text) for text in _values(sample, index)]
    return Geometry(wkt=index, srid=srids[0] if srids else None)


def sampled_crs(
    geometry: Geometry, sample: Sample, positions: PositionReader, header: Sequence[str]
) -> FoundCRS:
    """Return the CRS of a table: the one that its texts or headings name, else longitude and
    latitude where the positions can be that."""
    pair = geometry.pair
    if geometry.srid:
        try:
            crs = file_crs(f"EPSG:{geometry.srid}")
        except InvalidParameterError:
            question = f"its geometries have the SRID {geometry.srid}, which is no known CRS"
            return FoundCRS(None, is_implied=False, question=question)
        return FoundCRS(crs, is_implied=False, origin="the SRID of its geometries")
    if pair is not None and pair.system:
        crs = file_crs(f"EPSG:{pair.system}")
        return FoundCRS(crs, is_implied=False, origin="the headings of its columns")
    names = _names(header, (pair.x, pair.y)) if pair else ""
    if pair is not None and pair.family == "projected" and not positions.is_in_degrees:
        question = f"the columns {names} are projected coordinates"
        return FoundCRS(None, is_implied=False, question=question)
    found = _coordinates(geometry, sample, positions)
    outside = (np.abs(found) > _LIMITS).any(axis=1)
    if 2 * outside.sum() <= len(found):
        return FoundCRS(CRS84, is_implied=True, origin="assumed: longitude and latitude")
    x, y = found[outside][0]
    question = f"its coordinates, such as {x:.10g} and {y:.10g}, are not longitudes and latitudes"
    if (np.abs(found[:, ::-1]) <= _LIMITS).all():
        question = (
            f"the latitudes in {names or 'its geometries'} are beyond 90 degrees, such as {y:.10g}:"
            " x and y may be interchanged"
        )
    return FoundCRS(None, is_implied=False, question=question)


def _coordinates(
    geometry: Geometry, sample: Sample, positions: PositionReader
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return positions of the sample: x and y, one of each geometry."""
    if geometry.wkt is not None:
        shapes, _ = GeometryTexts(geometry.srid).read(_values(sample, geometry.wkt)[:100])
        first = [shapely.get_coordinates(shape)[:1] for shape in shapes if shape is not None]
        return np.concatenate([np.empty((0, 2)), *first])
    read = [positions.read(cells) for cells in sample]
    found = [position for position in read if isinstance(position, tuple)]
    return np.array(found, dtype=float).reshape(-1, 2)
