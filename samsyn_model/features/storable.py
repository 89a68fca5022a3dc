"""Which features of a batch can be stored, and in which form; `geometry.py` does the same to one
in GeoJSON."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from shapely import GeometryType

from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.faults import FaultLog
from samsyn_model.settings import get_settings

_TOLERANCE = 1e-9
_LIMITS = np.array([180.0, 90.0])
_MULTI = (
    *(GeometryType.MULTIPOINT, GeometryType.MULTILINESTRING, GeometryType.MULTIPOLYGON),
    GeometryType.GEOMETRYCOLLECTION,
)
TYPE_NAMES = np.array(
    [
        *("Point", "LineString", "LineString", "Polygon"),
        *("MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"),
    ]
)
"""By the number of the type in GEOS; what types geometries have."""


def storable(
    batch: FeatureBatch, faults: FaultLog, geometry_type: str | None = None
) -> FeatureBatch:
    """Return the batch without the features that cannot be stored, whose faults are recorded.

    The others are as they are stored: without empty parts, within the limits of the globe, exterior
    rings counter-clockwise (RFC 7946, 3.1.6), properties as an Arrow array. Where a layer's
    `geometry_type` is a single one, a multi geometry with one part becomes that part. `wkb` is None
    where it is no longer that of the geometries.
    """
    geometries = without_empty_parts(batch.geometries)
    if geometry_type is not None:
        geometries = _with_single_parts(geometries, geometry_type)
    reasons = _reasons(geometries, geometry_type)
    texts, text_reasons = _texts(batch.properties)
    for index, reason in text_reasons.items():
        reasons.setdefault(index, reason)
    wkb = batch.wkb if geometries is batch.geometries else None
    batch = replace(batch, geometries=geometries, properties=texts, wkb=wkb)
    batch = _without(batch, reasons, faults)
    geometries = _oriented(_clipped(batch.geometries))
    is_same = geometries is batch.geometries
    return replace(batch, geometries=geometries, wkb=batch.wkb if is_same else None)


def with_storable_texts(batch: FeatureBatch, faults: FaultLog) -> FeatureBatch:
    """Return the batch without the features whose properties cannot be stored, whose faults are
    recorded; their geometries may be in any CRS."""
    texts, reasons = _texts(batch.properties)
    return _without(replace(batch, properties=texts), reasons, faults)


def _without(batch: FeatureBatch, reasons: dict[int, str], faults: FaultLog) -> FeatureBatch:
    if not reasons:
        return batch
    for index in sorted(reasons):
        faults.record(batch.fault(index, reasons[index]))
    return batch.only(~np.isin(np.arange(len(batch.geometries)), list(reasons)))


def type_names(geometries: NDArray[Any]) -> NDArray[np.str_]:
    """Return the types of geometries, of which none is missing, as GeoJSON calls them."""
    names: NDArray[np.str_] = TYPE_NAMES[shapely.get_type_id(geometries)]
    return names


def _with_single_parts(geometries: NDArray[Any], geometry_type: str) -> NDArray[Any]:
    is_one = np.isin(shapely.get_type_id(geometries), _MULTI[:3])
    is_one &= shapely.get_num_geometries(geometries) == 1
    if geometry_type not in {"Point", "LineString", "Polygon"} or not is_one.any():
        return geometries
    result = geometries.copy()
    result[is_one] = shapely.get_geometry(geometries[is_one], 0)
    return result


def _reasons(geometries: NDArray[Any], geometry_type: str | None) -> dict[int, str]:
    """Return why geometries cannot be stored, by their place."""
    found: dict[int, str] = {}

    def against(rows: NDArray[Any], reason: Callable[[Any], str]) -> None:
        for row in rows.tolist():
            if row not in found:
                found[row] = reason(geometries[row])

    rows = np.flatnonzero(shapely.get_type_id(geometries) == GeometryType.GEOMETRYCOLLECTION)
    if len(rows):
        members, row_of = shapely.get_parts(geometries[rows], return_index=True)
        is_nested = shapely.get_type_id(members) == GeometryType.GEOMETRYCOLLECTION
        against(np.unique(rows[row_of[is_nested]]), _nested)
    most = get_settings().max_vertices
    against(np.flatnonzero(shapely.get_num_coordinates(geometries) > most), _too_large)
    with_z = np.flatnonzero(shapely.has_z(geometries))
    heights = shapely.get_coordinates(geometries[with_z], include_z=True)
    if not np.isfinite(heights).all():
        _, row_of = shapely.get_coordinates(geometries[with_z], return_index=True)
        bad = ~np.isfinite(heights).all(axis=1)
        against(np.unique(with_z[row_of[bad]]), _not_finite)
    positions = shapely.get_coordinates(geometries)
    is_out = ~(np.abs(positions) <= _LIMITS + _TOLERANCE).all(axis=1)
    if is_out.any():
        _, row_of = shapely.get_coordinates(geometries, return_index=True)
        against(np.unique(row_of[is_out]), _out_of_range)
    if geometry_type is not None:
        admitted = [geometry_type, geometry_type.removeprefix("Multi")]
        present = np.flatnonzero(~shapely.is_missing(geometries))
        is_other = ~np.isin(type_names(geometries[present]), admitted)
        reason = f"it is a {{}}, and the layer takes geometries of type {geometry_type}."
        against(
            present[is_other],
            lambda geometry: reason.format(TYPE_NAMES[shapely.get_type_id(geometry)]),
        )
    return found


def _clipped(geometries: NDArray[Any]) -> NDArray[Any]:
    """Return the geometries with what rounding has brought past the globe's limits put on them."""
    if (np.abs(shapely.get_coordinates(geometries)) <= _LIMITS).all():
        return geometries
    with_z = shapely.has_z(geometries)
    clipped = shapely.transform(geometries[:], lambda xy: np.clip(xy, -_LIMITS, _LIMITS))
    clipped[with_z] = shapely.transform(
        geometries[with_z],
        lambda xyz: np.c_[np.clip(xyz[:, :2], -_LIMITS, _LIMITS), xyz[:, 2]],
        include_z=True,
    )
    return clipped


def _oriented(geometries: NDArray[Any]) -> NDArray[Any]:
    """Return the geometries with their rings oriented: the same array where they are already."""
    oriented = shapely.orient_polygons(geometries)
    before, after = shapely.get_coordinates(geometries), shapely.get_coordinates(oriented)
    return geometries if np.array_equal(before, after) else oriented


def _nested(_: Any) -> str:
    return "it is a collection of geometries that holds another collection."


def _too_large(_: Any) -> str:
    return f"it has more than {get_settings().max_vertices:,} positions."


def _not_finite(_: Any) -> str:
    return (
        "it has a coordinate that is not a finite number, or lies outside of the area of its CRS."
    )


def _out_of_range(geometry: Any) -> str:
    for longitude, latitude in shapely.get_coordinates(geometry):
        if not np.isfinite([longitude, latitude]).all():
            break
        if abs(latitude) > 90 + _TOLERANCE:
            return (
                f"the latitude {latitude:.10g} is outside -90..90"
                " (if the data are in another CRS, choose that)."
            )
        if abs(longitude) > 180 + _TOLERANCE:
            return (
                f"the longitude {longitude:.10g} is outside -180..180"
                " (`ogr2ogr -wrapdateline` brings a file within)."
            )
    return _not_finite(geometry)


def _texts(texts: Any) -> tuple[pa.LargeStringArray, dict[int, str]]:
    """Return properties as Arrow has them, and why some cannot be stored, by their place."""
    reasons = {}
    if not isinstance(texts, pa.Array):
        try:
            texts = pa.array(texts, pa.large_string())
        except UnicodeEncodeError:
            reasons = _refused(texts, _is_broken, "it has half a surrogate pair for text.")
            texts = ["{}" if index in reasons else text for index, text in enumerate(texts)]
            texts = pa.array(texts, pa.large_string())
    if pc.any(pc.match_substring(texts, "\\u0000")).as_py():
        reasons |= _refused(texts.to_pylist(), _has_nul, "it has a NUL character in a text.")
    return texts, reasons


def _refused(
    texts: Sequence[str], is_refused: Callable[[str], bool], reason: str
) -> dict[int, str]:
    return {index: reason for index, text in enumerate(texts) if is_refused(text)}


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _has_nul(json_text: str) -> bool:
    return re.search(r"(?<!\\)(\\\\)*\\u0000", json_text) is not None


def without_empty_parts(geometries: NDArray[Any]) -> NDArray[Any]:
    """Return shapely geometries without the parts, rings and members that have no positions.

    The same array is returned where there are none. A geometry that is empty as a whole remains.
    """
    rows = np.flatnonzero(_has_empty_parts(geometries))
    if not len(rows):
        return geometries
    result = geometries.copy()
    for row in rows:
        result[row] = _rebuilt(geometries[row])
    return result


def _has_empty_parts(geometries: NDArray[Any]) -> NDArray[np.bool_]:
    found = np.zeros(len(geometries), dtype=bool)
    parts, row_of = geometries, np.arange(len(geometries))
    for _ in range(3):  # the parts of a collection's members have rings
        holed = np.flatnonzero(shapely.get_num_interior_rings(parts) > 0)
        rings, polygon_of = shapely.get_rings(parts[holed], return_index=True)
        found[row_of[holed[polygon_of[shapely.is_empty(rings)]]]] = True
        is_multi = np.isin(shapely.get_type_id(parts), _MULTI)
        parts, multi_of = shapely.get_parts(parts[is_multi], return_index=True)
        row_of = row_of[is_multi][multi_of]
        found[row_of[shapely.is_empty(parts)]] = True
    return found


def _rebuilt(geometry: Any) -> Any:
    kind = shapely.get_type_id(geometry)
    if kind == GeometryType.POLYGON and not geometry.is_empty:
        return shapely.Polygon(
            geometry.exterior, [ring for ring in geometry.interiors if not ring.is_empty]
        )
    if kind not in _MULTI:
        return geometry
    parts = [_rebuilt(part) for part in geometry.geoms]
    parts = [part for part in parts if not part.is_empty]
    return type(geometry)(parts)
