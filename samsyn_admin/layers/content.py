"""A layer's features as the FeatureCollection in its `source_config`."""

import json
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from samsyn_admin.http.request_body import refuse
from samsyn_admin.layers.schemas import LayerCreate
from samsyn_admin.layers.serializer import INLINE_SIZE
from samsyn_model.database.execution import run
from samsyn_model.errors import ConflictError, Fault
from samsyn_model.features.matching import match_features, merged_properties, same_geometry
from samsyn_model.features.writing import (
    delete_features,
    feature_collection_faults,
    insert_features,
    update_features,
)
from samsyn_model.properties.json_schema import validation_deadline
from samsyn_model.properties.validation import MAX_FAULTS, property_faults
from samsyn_provider.features.statements import select_feature_collections
from samsyn_provider.http.deployment import deployment

_POINTER = "/source_config/geojson"

_LOCK_FEATURES = "SELECT id FROM layer_features WHERE layer_id = %(layer)s ORDER BY id FOR UPDATE"
_COUNT = "SELECT sum(feature_count) FROM layer_changes WHERE layer_id = %(layer)s"


def insert_content(
    connection: Connection, layer_id: uuid.UUID, layer: LayerCreate, user_id: uuid.UUID
) -> None:
    """Store the features in a new layer's `source_config`.

    Raises InvalidBodyError where they do not suit the layer.
    """
    collection = layer.source_config.get("geojson")
    if collection is None:
        return
    schema = schema_text(layer)
    refuse(feature_collection_faults(collection, _POINTER, layer.geometry_type, schema))
    insert_features(connection, layer_id, collection["features"], user_id)


def replace_content(
    connection: Connection, layer_id: uuid.UUID, layer: LayerCreate, user_id: uuid.UUID
) -> None:
    """Replace a layer's features by those in its `source_config`, with the fewest changes.

    `layer` has the new values. Matched features that are equal are left alone; matched features
    that differ keep the properties that the new ones lack. Raises InvalidBodyError where a feature
    does not suit the layer, ConflictError where the layer is too large for inline features: the
    client has not read the features that would be deleted.
    """
    collection = layer.source_config["geojson"]
    refuse(feature_collection_faults(collection, _POINTER, layer.geometry_type, None))
    features = collection["features"]
    refuse(_repeated_ids(features))
    matching = match_features(_stored(connection, layer_id), features)
    indexes = {id(feature): index for index, feature in enumerate(features)}
    changes: list[dict[str, Any]] = []
    changed_properties: list[tuple[int, Any]] = []
    for stored, feature in matching.matched:
        change: dict[str, Any] = {}
        if not same_geometry(stored, feature):
            change["geometry"] = feature.get("geometry")
        properties = merged_properties(stored, feature)
        if properties is not None:
            change["properties"] = properties
            changed_properties.append((indexes[id(feature)], properties))
        if change:
            changes.append({"id": stored["id"], **change})
    changed_properties += [
        (indexes[id(feature)], feature.get("properties")) for feature in matching.added
    ]
    refuse(_property_faults(changed_properties, schema_text(layer)))
    delete_features(connection, layer_id, [feature["id"] for feature in matching.missing])
    update_features(connection, layer_id, changes, user_id)
    if matching.added:
        insert_features(connection, layer_id, matching.added, user_id)


def schema_text(layer: LayerCreate) -> str | None:
    """Return a layer's property schema as JSON text."""
    return None if layer.property_schema is None else json.dumps(layer.property_schema)


def _stored(connection: Connection, layer_id: uuid.UUID) -> list[dict[str, Any]]:
    """Return the layer's features as GeoJSON, locked until the transaction ends."""
    max_features = deployment().settings.inline_features
    collection, locked = None, set()
    if (run(connection, _COUNT, {"layer": layer_id}).scalar() or 0) <= max_features:
        locked = set(run(connection, _LOCK_FEATURES, {"layer": layer_id}).scalars())
        statement = select_feature_collections([layer_id], INLINE_SIZE, INLINE_SIZE)
        collection = run(connection, statement.text, statement.values).one().collection
    if collection is None:
        raise ConflictError(
            f"The layer has more than {max_features:,} features or {INLINE_SIZE // 1024} KiB of"
            " them, so responses do not contain them: change them one by one under /features."
        )
    # A feature added since is unknown to the client and must not be deleted.
    return [feature for feature in json.loads(collection)["features"] if feature["id"] in locked]


def _repeated_ids(features: Sequence[dict[str, Any]]) -> list[Fault]:
    seen: set[int] = set()
    faults = []
    for index, feature in enumerate(features):
        feature_id = feature.get("id")
        if type(feature_id) is int and feature_id in seen:
            faults.append(Fault(f"{_POINTER}/features/{index}/id", "Another feature has this id."))
        elif type(feature_id) is int:
            seen.add(feature_id)
    return faults[:MAX_FAULTS]


def _property_faults(
    changed_properties: Sequence[tuple[int, Any]], schema: str | None
) -> list[Fault]:
    def faults() -> Iterator[Fault]:
        for index, properties in changed_properties:
            yield from property_faults(
                properties, schema, f"{_POINTER}/features/{index}/properties"
            )

    with validation_deadline():
        return list(islice(faults(), MAX_FAULTS))
