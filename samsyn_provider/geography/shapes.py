"""Geometries in a form for which PostGIS returns one result, or any."""

import shapely
from shapely.geometry.base import BaseGeometry

COMPARABLE_GEOMETRY = """CASE
    WHEN GeometryType(geom) = 'GEOMETRYCOLLECTION' THEN ST_UnaryUnion(geom) ELSE geom END"""
"""The SQL of a feature's geometry for comparisons, a collection as the union of its parts: GEOS
raises an error for polygons of a collection that overlap."""


def simplest_form(shape: BaseGeometry) -> BaseGeometry:
    """Return a geometry of a request in the form in which it can be compared.

    A line without a length becomes a point, a polygon without an area a line or a point: what
    PostGIS returns for a line without a length depends on the order of the rows. Parts of a
    collection, and polygons that overlap, are united. Anything else that is not valid stays as it
    is.
    """
    is_collection = shape.geom_type == "GeometryCollection"
    if shapely.is_valid(shape) and not is_collection:
        return shape
    parts: list[BaseGeometry] = [
        shapely.make_valid(part) if _is_collapsed(part) else part
        for part in shapely.get_parts(shape)
    ]
    if not shapely.is_valid(parts).all():
        return shape
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)


def _is_collapsed(part: BaseGeometry) -> bool:
    if shapely.get_dimensions(part) == 2:
        return bool(shapely.area(shapely.convex_hull(part)) == 0)
    return bool(shapely.length(part) == 0) and not shapely.is_valid(part)
