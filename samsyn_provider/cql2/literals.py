"""Literals of CQL2 that JSON has no type for: dates, timestamps, boxes, geometries."""

import json
import math
import re
from datetime import UTC, date
from typing import Any

import numpy as np
import shapely

from samsyn_model.errors import InvalidParameterError
from samsyn_model.features.geometry import geometry_faults
from samsyn_model.properties.date_times import parsed_date_time, rfc3339
from samsyn_provider.cql2.expressions import OPEN, Kind, Literal
from samsyn_provider.geography.bbox import parse_bbox
from samsyn_provider.geography.crs import WGS84, ReferenceSystem, in_degrees
from samsyn_provider.geography.crs_member import names_another
from samsyn_provider.geography.shapes import simplest_form
from samsyn_provider.geography.transformation import epsg_to_degrees

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.IGNORECASE,
)
_SEGMENTS = 64


def date_literal(text: Any) -> Literal:
    """Return the literal of DATE('…'); raises InvalidParameterError for an invalid date."""
    try:
        if not isinstance(text, str) or not _DATE.fullmatch(text):
            raise ValueError
        date.fromisoformat(text)
    except ValueError:
        raise InvalidParameterError(
            f"filter: {text!r} is not a date, such as DATE('2026-05-01')."
        ) from None
    return Literal(Kind.DATE, text)


def timestamp_literal(text: Any) -> Literal:
    """Return the literal of TIMESTAMP('…') in UTC.

    Raises InvalidParameterError for an invalid timestamp.
    """
    try:
        if not isinstance(text, str) or not _TIMESTAMP.fullmatch(text):
            raise ValueError
        moment = parsed_date_time(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidParameterError(
            f"filter: {text!r} is not a timestamp, such as TIMESTAMP('2026-05-01T12:00:00Z')."
        ) from None
    return Literal(Kind.TIMESTAMP, rfc3339(moment))


def bound_literal(text: str) -> Literal:
    """Return a bound of an interval: a date, a timestamp, or OPEN of kind INTERVAL."""
    if text == OPEN:
        return Literal(Kind.INTERVAL, OPEN)
    return date_literal(text) if len(text) == 10 else timestamp_literal(text)


def bbox_literal(numbers: Any, crs: ReferenceSystem) -> Literal:
    """Return the area of a BBOX in `crs`; one across the antimeridian has two parts.

    Spatial functions are two-dimensional: the heights of six numbers are ignored.
    Raises InvalidParameterError as `parse_bbox` does.
    """
    if not isinstance(numbers, list) or len(numbers) not in {4, 6}:
        raise InvalidParameterError("filter: a BBOX has four or six numbers.")
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    if not all(_is_finite(number) for number in numbers):
        raise InvalidParameterError("filter: a BBOX has four or six numbers.")
    area = parse_bbox(",".join(repr(float(number)) for number in numbers), crs)
    parts = [shapely.from_wkb(ewkb) for ewkb in area.areas]
    return _geometry(parts[0] if len(parts) == 1 else shapely.union_all(parts))


def geometry_literal(geometry: dict[str, Any], crs: ReferenceSystem) -> Literal:
    """Return the literal of a GeoJSON geometry in `crs`, in its axis order.

    Lines in a projected CRS are segmentized, so that they stay straight there. Raises
    InvalidParameterError when it is not a geometry, is not valid (a ring that crosses itself) or
    lies outside the area of the CRS.
    """
    fault = next(geometry_faults(in_degrees(geometry, crs)), None)
    if fault:
        raise InvalidParameterError(f"filter: a geometry is not valid. {fault.detail}")
    if names_another(geometry, crs):
        raise InvalidParameterError("filter: the CRS of geometries is that of filter-crs.")
    shape = simplest_form(shapely.force_2d(shapely.from_geojson(json.dumps(geometry))))
    if shape.is_empty:
        raise InvalidParameterError("filter: a geometry has no positions.")
    if not shapely.is_valid(shape):
        raise InvalidParameterError(f"filter: {shapely.is_valid_reason(shape)}.")
    return _geometry(_in_crs84(shape, crs))


def _in_crs84(shape: shapely.Geometry, crs: ReferenceSystem) -> shapely.Geometry:
    if not crs.is_geographic:
        west, south, east, north = shapely.bounds(shape)
        size = max(east - west, north - south)
        shape = shapely.segmentize(shape, size / _SEGMENTS) if size else shape

    def to_degrees(positions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        x, y = positions[:, ::-1].T if crs.y_first else positions.T
        if crs.srid != WGS84:
            x, y = epsg_to_degrees(crs.srid).transform(x, y)
        return np.column_stack((x, y))

    return shapely.transform(shape, to_degrees)


def _is_finite(number: Any) -> bool:
    # unlike float(), accepts integers of any length
    return type(number) in {int, float} and abs(number) <= 1e300 and not math.isnan(number)


def _geometry(shape: shapely.Geometry) -> Literal:
    ewkb: str = shapely.to_wkb(shapely.set_srid(shape, 4326), hex=True, include_srid=True)
    return Literal(Kind.GEOMETRY, ewkb)
