"""The SQL of a collection: its version, number of features, extents, observed properties."""

import uuid
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal_column, or_, select, text

from samsyn_model.database.statement import Statement
from samsyn_provider.geography.bbox import Bbox

FEATURE_COUNT = (
    "(SELECT coalesce(sum(feature_count), 0)::bigint FROM layer_changes WHERE layer_id = %(layer)s)"
)
"""The number of features of the layer with the bound id `layer`, without a scan: for statements on
its features."""

# Functions, as other tables than those of features may be on another server.
LAYER_COUNT = "layer_count({layer})"
"""A layer's number of features in a statement on other tables; `{layer}` is an expression for its
id."""

LAYER_VERSION = "layer_version({layer})"
"""A layer's data version: it grows with every committed write of its features."""

LAYER_TYPES = "layer_types({layer})"
"""The types of a layer's first geometries, null where nothing has a place."""

LAYER_BOUNDS = "layer_extent({layer})"
"""A layer's extent [west, south, east, north] in degrees, nulls when no feature has a geometry.
West is greater than east where it crosses the antimeridian."""

LAYER_TIMES = "layer_times({layer})"
"""A layer's extent in time [first, last]: seconds since 1970, nulls when no feature has a time."""


def in_bounds(bbox: Bbox) -> ColumnElement[bool]:
    """Return the condition on `layers` that a layer's extent intersects a bbox."""
    envelope: ColumnElement[Any] = literal_column(
        "ST_MakeEnvelope(range.west, edges[2], range.east, edges[4], 4326)"
    )
    areas = (envelope.op("&&")(func.ST_GeomFromEWKB(bytes.fromhex(area))) for area in bbox.areas)
    # two ranges of longitudes where the extent crosses the antimeridian
    ranges = text(
        f"{LAYER_BOUNDS.format(layer='layers.id')} AS edges CROSS JOIN LATERAL (VALUES"
        " (edges[1], CASE WHEN edges[1] > edges[3] THEN 180 ELSE edges[3] END),"
        " (-180, CASE WHEN edges[1] > edges[3] THEN edges[3] END)) AS range (west, east)"
    )
    return exists(select(literal_column("1")).select_from(ranges).where(or_(*areas)))


def select_observed_properties(layer_id: uuid.UUID) -> Statement:
    """Return the statement for the properties observed in a layer's first thousand features: `name`
    and `types`."""
    statement = """
SELECT name, array_agg(DISTINCT type) AS types
FROM (
    SELECT entry.key AS name, jsonb_typeof(entry.value) AS type
    FROM (SELECT properties FROM layer_features WHERE layer_id = %(layer)s ORDER BY id LIMIT 1000)
             AS sample,
         jsonb_each(sample.properties) AS entry
) AS observed
WHERE type <> 'null'
GROUP BY name ORDER BY name"""
    return Statement(statement, {"layer": layer_id})
