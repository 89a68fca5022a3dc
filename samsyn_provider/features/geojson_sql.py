"""SQL expressions for features as GeoJSON, in any CRS."""

from typing import Any

from samsyn_provider.geography.crs import (
    CRS84,
    MERCATOR,
    MERCATOR_LATITUDE,
    ReferenceSystem,
)
from samsyn_provider.query.items_query import ItemsQuery

_DECIMALS = 9


def feature_expression(query: ItemsQuery, values: dict[str, Any], extra_members: str = "") -> str:
    """Return the expression for a feature as GeoJSON text.

    `extra_members` is an expression for JSON-FG's members, inserted before the properties: with it,
    a geometry in another CRS than CRS84 is the member `place`.
    """
    geometry = geometry_expression(query.crs)
    properties = "properties::text"
    if query.properties is not None:
        values["properties"] = list(query.properties)
        properties = (
            "coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(properties)"
            " WHERE key = ANY(%(properties)s)), '{}')::text"
        )
    if query.skip_geometry:
        geometry_text = "'null'"
    else:
        geometry_text = f"coalesce(ST_AsGeoJSON({geometry}, {_DECIMALS}, 0), 'null')"
    member = "place" if extra_members and query.crs.uri != CRS84 else "geometry"
    return (
        f"""'{{"type":"Feature","id":' || id || ',"{member}":' || {geometry_text}"""
        f"""{extra_members} || ',"properties":' || {properties} || '}}'"""
    )


def geometry_expression(crs: ReferenceSystem) -> str:
    """Return the expression for a feature's geometry in a CRS, in its axis order."""
    geometry = "geom"
    if crs.srid == MERCATOR:
        edge = MERCATOR_LATITUDE
        geometry = (
            f"CASE WHEN ST_YMin(geom) < -{edge} OR ST_YMax(geom) > {edge}"
            " THEN oriented_rings("
            f"ST_ClipByBox2D(geom, ST_MakeEnvelope(-180, -{edge}, 180, {edge}, 4326)))"
            " ELSE geom END"
        )
    if crs.srid != 4326:
        geometry = f"ST_Transform({geometry}, {crs.srid})"
    return f"ST_FlipCoordinates({geometry})" if crs.y_first else geometry
