"""A layer's features as the collection in its `source_config`."""

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

_PLACE = "/source_config/geojson"

_LOCK_FEATURES = "SELECT id FROM layer_features WHERE layer_id = %(layer)s ORDER BY id FOR UPDATE"
_COUNT = "SELECT sum(feature_count) FROM layer_changes WHERE layer_id = %(layer)s"


def insert_content(
    connection: Connection, layer_id: uuid.UUID, layer: LayerCreate, user_id: uuid.UUID
) -> None:
    """Store the features that a new layer's `source_config` brings.

    Raises InvalidBodyError where they do not suit the layer.
    """
    collection = layer.source_config.get("geojson")
    if collection is None:
        return
    schema = schema_text(layer)
    refuse(feature_collection_faults(collection, _PLACE, layer.geometry_type, schema))
    insert_features(connection, layer_id, collection["features"], user_id)


def replace_content(
    connection: Connection, layer_id: uuid.UUID, layer: LayerCreate, user_id: uuid.UUID
) -> None:
    """Make the collection in a layer's `source_config` its content, with the least change.

    `layer` is what it will be. What is matched and equal is left alone; of what is matched and
    differs, properties that are not given stay. Raises InvalidBodyError where a feature does not
    suit the layer, ConflictError where the layer is too large for its content to have been
    answered: who sends it has not seen the features that would go.
    """
    collection = layer.source_config["geojson"]
    refuse(feature_collection_faults(collection, _PLACE, layer.geometry_type, None))
    given = collection["features"]
    refuse(_repeated_ids(given))
    matching = match_features(_present(connection, layer_id), given)
    places = {id(feature): place for place, feature in enumerate(given)}
    changes: list[dict[str, Any]] = []
    written: list[tuple[int, Any]] = []
    for present, feature in matching.matched:
        change: dict[str, Any] = {}
        if not same_geometry(present, feature):
            change["geometry"] = feature.get("geometry")
        properties = merged_properties(present, feature)
        if properties is not None:
            change["properties"] = properties
            written.append((places[id(feature)], properties))
        if change:
            changes.append({"id": present["id"], **change})
    written += [(places[id(feature)], feature.get("properties")) for feature in matching.added]
    refuse(_property_faults(written, schema_text(layer)))
    delete_features(connection, layer_id, [feature["id"] for feature in matching.missing])
    update_features(connection, layer_id, changes, user_id)
    if matching.added:
        insert_features(connection, layer_id, matching.added, user_id)


def schema_text(layer: LayerCreate) -> str | None:
    """Return a layer's property schema as JSON text."""
    return None if layer.property_schema is None else json.dumps(layer.property_schema)


def _present(connection: Connection, layer_id: uuid.UUID) -> list[dict[str, Any]]:
    """Return the layer's features as they are answered, locked until the transaction ends."""
    most = deployment().settings.inline_features
    collection, locked = None, set()
    if (run(connection, _COUNT, {"layer": layer_id}).scalar() or 0) <= most:
        locked = set(run(connection, _LOCK_FEATURES, {"layer": layer_id}).scalars())
        statement = select_feature_collections([layer_id], INLINE_SIZE, INLINE_SIZE)
        collection = run(connection, statement.text, statement.values).one().collection
    if collection is None:
        raise ConflictError(
            f"The layer has more than {most:,} features or {INLINE_SIZE // 1024} KiB of them, so"
            " its answers do not carry them: change them one by one under /features."
        )
    # One that somebody has added since is none that the client could have meant.
    return [feature for feature in json.loads(collection)["features"] if feature["id"] in locked]


def _repeated_ids(features: Sequence[dict[str, Any]]) -> list[Fault]:
    seen: set[int] = set()
    faults = []
    for place, feature in enumerate(features):
        own = feature.get("id")
        if type(own) is int and own in seen:
            faults.append(Fault(f"{_PLACE}/features/{place}/id", "Another feature has this id."))
        elif type(own) is int:
            seen.add(own)
    return faults[:MAX_FAULTS]


def _property_faults(written: Sequence[tuple[int, Any]], schema: str | None) -> list[Fault]:
    def faults() -> Iterator[Fault]:
        for place, properties in written:
            yield from property_faults(properties, schema, f"{_PLACE}/features/{place}/properties")

    with validation_deadline():
        return list(islice(faults(), MAX_FAULTS))
