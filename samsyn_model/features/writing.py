"""Features written to a layer, in the caller's transaction."""

import json
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.errors import Fault
from samsyn_model.features.geometry import geometry_faults
from samsyn_model.properties.json_schema import validation_deadline
from samsyn_model.properties.validation import MAX_FAULTS, property_faults
from samsyn_model.sharding.writing import begin_writing

# PostGIS reads a geometry's own `crs` and fails at some, which RFC 7946 has done away with. Stored
# exterior rings are counter-clockwise (RFC 7946, 3.1.6).
_INSERT = """
INSERT INTO layer_features (layer_id, geom, properties, created_by, updated_by)
SELECT %(layer)s,
    oriented_rings(
        ST_SetSRID(ST_GeomFromGeoJSON(nullif(feature -> 'geometry', 'null') - 'crs'), 4326)
    ),
    coalesce(nullif(feature -> 'properties', 'null'), '{}'), %(user)s, %(user)s
FROM jsonb_array_elements(%(features)s::jsonb) WITH ORDINALITY AS given (feature, prefix)
ORDER BY prefix
RETURNING id"""


_UPDATE = """
UPDATE layer_features SET
    geom = CASE WHEN feature ? 'geometry'
        THEN oriented_rings(
            ST_SetSRID(ST_GeomFromGeoJSON(nullif(feature -> 'geometry', 'null') - 'crs'), 4326)
        )
        ELSE geom END,
    properties = coalesce(nullif(feature -> 'properties', 'null'), layer_features.properties),
    updated_by = %(user)s
FROM jsonb_array_elements(%(features)s::jsonb) AS given (feature)
WHERE layer_id = %(layer)s AND id = (feature ->> 'id')::bigint
RETURNING id"""

_DELETE = """
DELETE FROM layer_features WHERE layer_id = %(layer)s AND id = ANY(%(ids)s) RETURNING id"""


def feature_collection_faults(
    collection: Any, prefix: str, geometry_type: str | None, property_schema: str | None
) -> list[Fault]:
    """Return what is wrong with a GeoJSON feature collection for a layer, at most MAX_FAULTS.

    `prefix` is the JSON pointer to it, `property_schema` the layer's as JSON text. Raises
    TooLargeError when checking takes too long.
    """
    faults = _faults(collection, prefix, geometry_type, property_schema)
    with validation_deadline():
        return list(islice(faults, MAX_FAULTS))


def feature_faults(
    feature: Any, prefix: str, geometry_type: str | None, property_schema: str | None
) -> Iterator[Fault]:
    """Yield what is wrong with a GeoJSON feature for a layer; members unknown to it do no harm."""
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        yield Fault(prefix, "This is no GeoJSON Feature.")
        return
    yield from geometry_faults(feature.get("geometry"), f"{prefix}/geometry", geometry_type)
    yield from property_faults(feature.get("properties"), property_schema, f"{prefix}/properties")


def _faults(
    collection: Any, prefix: str, geometry_type: str | None, property_schema: str | None
) -> Iterator[Fault]:
    if not isinstance(collection, dict) or collection.get("type") != "FeatureCollection":
        yield Fault(prefix, "This is no GeoJSON FeatureCollection.")
        return
    features = collection.get("features")
    if not isinstance(features, list):
        yield Fault(f"{prefix}/features", "This is no array of features.")
        return
    for number, feature in enumerate(features):
        yield from feature_faults(
            feature, f"{prefix}/features/{number}", geometry_type, property_schema
        )


def insert_features(
    connection: Connection,
    layer_id: uuid.UUID,
    features: Sequence[dict[str, Any]],
    user_id: uuid.UUID,
) -> list[int]:
    """Insert GeoJSON features, which have no faults, in one statement; return their ids in order.

    Ids that the features bring are not theirs here.
    """
    begin_writing(connection, layer_id)
    values = {"layer": layer_id, "user": user_id, "features": json.dumps(features)}
    return run(connection, _INSERT, values).scalars()


def update_features(
    connection: Connection,
    layer_id: uuid.UUID,
    changes: Sequence[dict[str, Any]],
    user_id: uuid.UUID,
) -> list[int]:
    """Change features in one statement; return the ids of those that there are.

    A change has the feature's `id`, and `geometry` (GeoJSON or null) or `properties` (all of them)
    or both; what is not named stays.
    """
    if not changes:
        return []
    begin_writing(connection, layer_id)
    values = {"layer": layer_id, "user": user_id, "features": json.dumps(changes)}
    return run(connection, _UPDATE, values).scalars()


def delete_features(
    connection: Connection, layer_id: uuid.UUID, feature_ids: Sequence[int]
) -> list[int]:
    """Delete features in one statement; return the ids of those that there were."""
    if not feature_ids:
        return []
    begin_writing(connection, layer_id)
    values = {"layer": layer_id, "ids": list(feature_ids)}
    return run(connection, _DELETE, values).scalars()
