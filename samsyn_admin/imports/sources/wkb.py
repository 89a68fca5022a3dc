"""WKB as geometries, but none within geometries so deep that GEOS would end the process."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from struct import error, unpack_from
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from samsyn_admin.imports.sources.layer import object_array
from samsyn_admin.imports.sources.wkb_shapes import MAX_DEPTH, UnreadableWKBError, shape_of_wkb
from samsyn_model.errors import UnstorableFeatureError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.faults import FaultLog

__all__ = ["MAX_DEPTH", "geometries_of_wkb", "readable_geometries", "refuse_unreadable"]
_SMALL = 9 * 1000  # bytes: at most a thousand levels, which GEOS reads
_COLLECTION = shapely.GeometryType.GEOMETRYCOLLECTION
_POINT = 1
_LINES = {2, 8}
_POLYGONS = {3, 17}


def readable_geometries(
    wkb: Sequence[bytes | None],
    batch: FeatureBatch,
    faults: FaultLog,
    note: Callable[[str], None],
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the geometries of WKB or EWKB, and which of them could be read.

    Curves and surfaces of patches become lines and polygons, nested collections are flattened: each
    is told by `note`. What cannot be read is recorded among the `faults`, named by `batch`; so is a
    geometry with heights at some of its positions only.
    """
    readable = np.ones(len(wkb), dtype=bool)
    try:
        geometries = _parsed(wkb)
        is_simple = not _has_nested(geometries)
    except (shapely.errors.ShapelyError, NotImplementedError):
        is_simple = False
    if not is_simple:
        geometries = object_array([None] * len(wkb))
        for index, value in enumerate(wkb):
            try:
                geometries[index], changes = _one(value)
            except UnreadableWKBError as unreadable:
                faults.record(batch.fault(index, str(unreadable)))
                readable[index] = False
            else:
                for change in sorted(changes):
                    note(change)
    for index in _without_some_heights(geometries):
        z = shapely.get_coordinates(geometries[index], include_z=True)[:, 2]
        if np.isnan(z).all():
            note("Heights that are not numbers were left out.")
            geometries[index] = shapely.force_2d(geometries[index])
        else:
            reason = "Some positions of the geometry have a height, and others have none."
            faults.record(batch.fault(int(index), reason))
            readable[index] = False
    return geometries, readable


def _one(wkb: bytes | None) -> tuple[Any, set[str]]:
    with suppress(shapely.errors.ShapelyError, NotImplementedError):
        parsed = _parsed([wkb])
        if not _has_nested(parsed):
            return parsed[0], set()
    return shape_of_wkb(wkb or b"")


def _has_nested(geometries: NDArray[Any]) -> bool:
    collections = geometries[shapely.get_type_id(geometries) == _COLLECTION]
    members = shapely.get_type_id(shapely.get_parts(collections))
    return bool((members == _COLLECTION).any())


def _without_some_heights(geometries: NDArray[Any]) -> NDArray[np.intp]:
    """Return the indexes of geometries with heights, of which some are not numbers."""
    with_z = np.flatnonzero(shapely.has_z(geometries))
    positions, owners = shapely.get_coordinates(
        geometries[with_z], include_z=True, return_index=True
    )
    return with_z[np.unique(owners[np.isnan(positions[:, 2])])]


def geometries_of_wkb(wkb: Sequence[bytes | None], batch: FeatureBatch) -> NDArray[Any]:
    """Return the geometries of WKB or EWKB; `batch` labels them in errors.

    Raises UnstorableFeatureError for the first that cannot be read, NotImplementedError when the
    only obstacle is that some are curved.
    """
    try:
        return _parsed(wkb)
    except shapely.errors.ShapelyError:
        refuse_unreadable(wkb, batch, shapely.errors.ShapelyError)
        raise


def refuse_unreadable(
    wkb: Sequence[bytes | None],
    batch: FeatureBatch,
    kind: type[Exception] = NotImplementedError,
) -> None:
    """Raise UnstorableFeatureError for the first WKB whose reading raises this kind of error."""
    for index, value in enumerate(wkb):
        with suppress(NotImplementedError):
            try:
                _parsed([value])
            except kind as error:
                reason = str(error) or "it has a curve within a collection"
                raise UnstorableFeatureError(
                    f"{batch.label(index)} has a geometry that cannot be read: {reason}"
                ) from error


def _parsed(wkb: Sequence[bytes | None]) -> NDArray[Any]:
    for value in wkb:
        if value and len(value) > _SMALL and _is_deep(value):
            raise shapely.errors.ShapelyError("it is nested too deeply")
    geometries: NDArray[Any] = shapely.from_wkb(object_array(list(wkb)))
    # Curves within collections are read, but functions on coordinates raise an error.
    shapely.get_coordinates(geometries[shapely.get_type_id(geometries) == _COLLECTION])
    return geometries


def _is_deep(wkb: bytes) -> bool:
    """Return whether geometries are nested beyond MAX_DEPTH, before WKB ends or is not valid."""
    with suppress(error, IndexError):
        order, position, left = "<", 0, [1]
        while left and len(left) <= MAX_DEPTH:
            if not left[-1]:
                left.pop()
                continue
            left[-1] -= 1
            order = {0: ">", 1: "<"}.get(wkb[position], order)
            (code,) = unpack_from(f"{order}I", wkb, position + 1)
            position += 9 if code & 0x20000000 else 5
            plain, size = (code & 0xFFFF) % 1000, 8 * _dimensions(code)
            if plain == _POINT:
                position += size
                continue
            (count,) = unpack_from(f"{order}I", wkb, position)
            position += 4
            if plain in _LINES:
                position += size * count
            elif plain in _POLYGONS:
                for _ in range(count):
                    (length,) = unpack_from(f"{order}I", wkb, position)
                    position += 4 + size * length
            else:
                left.append(count)
        return len(left) > MAX_DEPTH
    return False


def _dimensions(code: int) -> int:
    thousands = (code & 0xFFFF) // 1000
    has_z = bool(code & 0x80000000) or thousands in {1, 3}
    has_m = bool(code & 0x40000000) or thousands in {2, 3}
    return 2 + has_z + has_m
