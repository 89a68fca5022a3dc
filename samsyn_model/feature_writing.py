"""Features written to a layer, in the caller's transaction."""

import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from samsyn_model.database import run
from samsyn_model.errors import Fault, InvalidBodyError
from samsyn_model.feature_geometry import geometry_faults
from samsyn_model.property_validation import property_faults

MAX_FAULTS = 100

_INSERT = """
INSERT INTO layer_features (layer_id, geom, properties, created_by, updated_by)
SELECT %(layer)s, ST_SetSRID(ST_GeomFromGeoJSON(nullif(feature -> 'geometry', 'null')), 4326),
    coalesce(nullif(feature -> 'properties', 'null'), '{}'), %(user)s, %(user)s
FROM jsonb_array_elements(%(features)s::jsonb) WITH ORDINALITY AS given (feature, place)
ORDER BY place
RETURNING id"""


def feature_collection_faults(
    collection: Any, *, pointer: str, geometry_type: str | None, property_schema: str | None
) -> tuple[Fault, ...]:
    """Return what is wrong with a GeoJSON feature collection for a layer, at most a hundred."""
    found = []
    for fault in _faults(collection, pointer, geometry_type, property_schema):
        found.append(fault)
        if len(found) == MAX_FAULTS:
            break
    return tuple(found)


def _faults(
    collection: Any, pointer: str, geometry_type: str | None, property_schema: str | None
) -> Iterator[Fault]:
    if not isinstance(collection, dict) or collection.get("type") != "FeatureCollection":
        yield Fault(pointer, "This is a GeoJSON FeatureCollection.")
        return
    features = collection.get("features")
    if not isinstance(features, list):
        yield Fault(f"{pointer}/features", "This is an array of features.")
        return
    for number, feature in enumerate(features):
        place = f"{pointer}/features/{number}"
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            yield Fault(place, "This is a GeoJSON Feature.")
            continue
        yield from geometry_faults(feature.get("geometry"), f"{place}/geometry", geometry_type)
        yield from property_faults(
            feature.get("properties"), property_schema, f"{place}/properties"
        )


def insert_features(
    connection: Connection,
    layer_id: uuid.UUID,
    features: Sequence[dict[str, Any]],
    user_id: uuid.UUID,
) -> list[int]:
    """Insert GeoJSON features, which have no faults, in one statement; return their ids in order.

    Raises InvalidBodyError when the database cannot take a geometry after all.
    """
    values = {"layer": layer_id, "user": user_id, "features": json.dumps(features)}
    try:
        return list(run(connection, _INSERT, values).scalars())
    except UnicodeEncodeError as error:
        raise InvalidBodyError("A text of a feature is broken Unicode.") from error
