"""The SQL of a collection: its version, number of features, extents, observed properties."""

import uuid
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, or_

from samsyn_model.database.statement import Statement
from samsyn_provider.geography.bbox import Bbox

LAYER_COUNT = (
    "(SELECT coalesce(sum(feature_count), 0)::bigint FROM layer_changes WHERE layer_id = {layer})"
)
"""A layer's number of features, without a scan; `{layer}` is an expression for its id."""

LAYER_VERSION = (
    "(SELECT coalesce(sum(changes), 0)::bigint FROM layer_changes WHERE layer_id = {layer})"
)
"""A layer's data version: it grows with every committed write of its features."""

LAYER_BOUNDS = "layer_bounds({layer})"
"""A layer's extent [west, south, east, north] in degrees, nulls when no feature has a geometry."""

LAYER_TIMES = "layer_times(layers)"
"""A layer's extent in time [first, last], in a statement on `layers`: seconds since 1970, nulls
when no feature has a time."""


def in_bounds(bbox: Bbox) -> ColumnElement[bool]:
    """Return the condition on `layers` that a layer's extent intersects a bbox."""
    extent: ColumnElement[Any] = literal_column(
        "(SELECT ST_MakeEnvelope(edges[1], edges[2], edges[3], edges[4], 4326)"
        f" FROM {LAYER_BOUNDS.format(layer='layers.id')} AS edges)"
    )
    return or_(*(extent.op("&&")(func.ST_GeomFromEWKB(bytes.fromhex(area))) for area in bbox.areas))


def select_observed_properties(layer_id: uuid.UUID) -> Statement:
    """Return the statement for the properties observed in a layer's first thousand features: `name`
    and `types`."""
    text = """
SELECT name, array_agg(DISTINCT type) AS types
FROM (
    SELECT entry.key AS name, jsonb_typeof(entry.value) AS type
    FROM (SELECT properties FROM layer_features WHERE layer_id = %(layer)s ORDER BY id LIMIT 1000)
             AS sample,
         jsonb_each(sample.properties) AS entry
) AS observed
WHERE type <> 'null'
GROUP BY name ORDER BY name"""
    return Statement(text, {"layer": layer_id})
