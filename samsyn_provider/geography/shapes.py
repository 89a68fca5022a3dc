"""Geometries in requests, in a form for which PostGIS returns one result."""

import shapely
from shapely.geometry.base import BaseGeometry


def simplest_form(shape: BaseGeometry) -> BaseGeometry:
    """Return a geometry whose collapsed parts are replaced by what they have collapsed to.

    A line without a length becomes a point, a polygon without an area a line or a point: what
    PostGIS returns for a line without a length depends on the order of the rows. Anything else
    that is not valid stays as it is.
    """
    if shapely.is_valid(shape):
        return shape
    parts = shapely.get_parts(shape)
    if not any(map(_is_collapsed, parts)):
        return shape
    simple: list[BaseGeometry] = [
        shapely.make_valid(part) if _is_collapsed(part) else part for part in parts
    ]
    return simple[0] if len(simple) == 1 else shapely.GeometryCollection(simple)


def _is_collapsed(part: BaseGeometry) -> bool:
    if shapely.get_dimensions(part) == 2:
        return bool(shapely.area(shapely.convex_hull(part)) == 0)
    return bool(shapely.length(part) == 0) and not shapely.is_valid(part)
