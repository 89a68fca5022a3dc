"""A layer's features as the FeatureCollection in its `source_config`."""

import json
import uuid
from collections.abc import Container, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection

from samsyn_admin.http.request_body import refuse
from samsyn_admin.layers.inline_features import ALWAYS_WHOLE, INLINE_SIZE
from samsyn_admin.layers.schemas import LayerCreate
from samsyn_model.database.execution import run
from samsyn_model.errors import ConflictError, Fault
from samsyn_model.features.drawing_editor import (
    can_show,
    drawn_properties,
    is_from_drawing_editor,
    opens_empty,
    without_additions,
)
from samsyn_model.features.matching import (
    Matching,
    match_features,
    merged_properties,
    same_geometry,
    share_a_geometry,
)
from samsyn_model.features.writing import (
    delete_features,
    feature_collection_faults,
    insert_features,
    update_features,
)
from samsyn_model.properties.json_schema import validation_deadline
from samsyn_model.properties.normalization import normalized_properties
from samsyn_model.properties.validation import MAX_FAULTS, known_properties, property_faults
from samsyn_model.quotas.features import refuse_excess_features
from samsyn_provider.features.statements import select_feature_collections
from samsyn_provider.geography.crs import CRS84, SUPPORTED, epsg_uri, reference_system
from samsyn_provider.geography.crs_member import crs_member
from samsyn_provider.http.deployment import deployment
from samsyn_provider.items.feature_body import as_stored

_POINTER = "/source_config/geojson"

_ChangedProperties = tuple[int, Any, Container[str]]
"""A feature's number in the collection, its new properties, and the names of those it had."""

_LOCK_FEATURES = "SELECT id FROM layer_features WHERE layer_id = %(layer)s ORDER BY id FOR UPDATE"
_COUNT = "SELECT sum(feature_count) FROM layer_changes WHERE layer_id = %(layer)s"


class _StoredFeatures(NamedTuple):
    """A layer's features as GeoJSON, and the size of all in bytes."""

    features: list[dict[str, Any]]
    size: int


def insert_content(
    connection: Connection, layer_id: uuid.UUID, layer: LayerCreate, user_id: uuid.UUID
) -> None:
    """Store the features in a new layer's `source_config`.

    Raises InvalidBodyError where they do not suit the layer, LimitReachedError.
    """
    if layer.source_config.get("geojson") is None:
        return
    schema = schema_text(layer)
    collection = _prepared(layer, schema)
    refuse(feature_collection_faults(collection, _POINTER, layer.geometry_type, schema))
    _insert(connection, layer_id, collection["features"], user_id)


def replace_content(
    connection: Connection, layer_id: uuid.UUID, layer: LayerCreate, user_id: uuid.UUID
) -> None:
    """Replace a layer's features by those in its `source_config`, with the fewest changes.

    `layer` has the new values. Matched features that are equal are left alone; matched features
    that differ keep the properties that the new ones lack. Where no feature of the collection has
    an id, a drawing editor has sent it: what that cannot show is retained. Raises
    InvalidBodyError where a feature does not suit the layer, ConflictError where the layer is too
    large for inline features: the client has not read the features that would be deleted.
    """
    if layer.source_config.get("geojson_generalized") is True:
        raise _too_large()
    schema = schema_text(layer)
    collection = _prepared(layer, schema)
    refuse(feature_collection_faults(collection, _POINTER, layer.geometry_type, None))
    features = collection["features"]
    refuse(_repeated_ids(features))
    is_drawn = is_from_drawing_editor(features)
    matching = _match(_stored(connection, layer_id, schema), features, is_drawn=is_drawn)
    known = known_properties(schema)
    indexes = {id(feature): index for index, feature in enumerate(features)}
    changes: list[dict[str, Any]] = []
    changed: list[_ChangedProperties] = [
        (indexes[id(feature)], feature.get("properties"), ()) for feature in matching.added
    ]
    for stored, feature in matching.matched:
        change: dict[str, Any] = {}
        if not same_geometry(stored, feature):
            change["geometry"] = feature.get("geometry")
        if is_drawn:
            properties = drawn_properties(stored, feature, known, is_changed=bool(change))
        else:
            properties = merged_properties(stored, feature)
        if properties is not None:
            change["properties"] = properties
            changed.append((indexes[id(feature)], properties, stored["properties"]))
        if change:
            changes.append({"id": stored["id"], **change})
    refuse(_property_faults(changed, schema))
    delete_features(connection, layer_id, [feature["id"] for feature in matching.missing])
    update_features(connection, layer_id, changes, user_id)
    if matching.added:
        _insert(connection, layer_id, matching.added, user_id)


def _insert(
    connection: Connection,
    layer_id: uuid.UUID,
    features: Sequence[dict[str, Any]],
    user_id: uuid.UUID,
) -> None:
    insert_features(connection, layer_id, features, user_id)
    refuse_excess_features(connection, deployment().settings, layer_id, of_account=True)


def schema_text(layer: LayerCreate) -> str | None:
    """Return a layer's property schema as JSON text."""
    return None if layer.property_schema is None else json.dumps(layer.property_schema)


def _prepared(layer: LayerCreate, schema: str | None) -> Any:
    """Return the collection in a layer's `source_config` as it is to be stored.

    Its positions are in degrees, its times in UTC, and what a drawing editor adds to features is
    left out where the layer's schema does not know it. Raises InvalidBodyError for a `crs` that
    the layer does not take; other faults are left to whoever checks the features.
    """
    collection = layer.source_config["geojson"]
    supported = (*SUPPORTED, *map(epsg_uri, layer.additional_crs))
    crs, faults = crs_member(collection, _POINTER, supported)
    refuse(faults)
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list):
        return collection
    known = known_properties(schema) if is_from_drawing_editor(features) else None
    crs = crs or reference_system(CRS84, "crs")
    members = (as_stored(feature, crs, schema) for feature in features)
    prepared = [
        without_additions(member, known) if isinstance(member, dict) else member
        for member in members
    ]
    return {**collection, "features": prepared}


def _match(stored: _StoredFeatures, features: list[dict[str, Any]], *, is_drawn: bool) -> Matching:
    """Match a collection to a layer's features; `missing` are those to delete.

    Raises ConflictError where the client cannot have had the features of the layer.
    """
    if not is_drawn:
        return match_features(stored.features, features)
    if features and not share_a_geometry(stored.features, features):
        if opens_empty(stored.features):
            return Matching(added=features)
        # It may have had a picture of the layer, in a list of many.
        if stored.size > ALWAYS_WHOLE:
            raise _too_large()
    matching = match_features(stored.features, features, can_show)
    matching.missing = [feature for feature in matching.missing if can_show(feature)]
    return matching


def _too_large() -> ConflictError:
    return ConflictError("This layer is too large to edit here: use QGIS.")


def _stored(connection: Connection, layer_id: uuid.UUID, schema: str | None) -> _StoredFeatures:
    """Return the layer's features, locked until the transaction ends.

    Their times are in the form in which new ones are stored.
    """
    max_features = deployment().settings.inline_features
    collection, locked = None, set()
    if (run(connection, _COUNT, {"layer": layer_id}).scalar() or 0) <= max_features:
        locked = set(run(connection, _LOCK_FEATURES, {"layer": layer_id}).scalars())
        statement = select_feature_collections([layer_id], [1], INLINE_SIZE, INLINE_SIZE)
        collection = run(connection, statement.text, statement.values).one().collection
    if collection is None:
        raise _too_large()
    # A feature added since is unknown to the client and must not be deleted.
    features = [
        {**feature, "properties": normalized_properties(feature["properties"], schema)}
        for feature in json.loads(collection)["features"]
        if feature["id"] in locked
    ]
    return _StoredFeatures(features, len(collection))


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


def _property_faults(changed: Sequence[_ChangedProperties], schema: str | None) -> list[Fault]:
    def faults() -> Iterator[Fault]:
        for index, properties, stored in sorted(changed, key=itemgetter(0)):
            pointer = f"{_POINTER}/features/{index}/properties"
            yield from property_faults(properties, schema, pointer, stored)

    with validation_deadline():
        return list(islice(faults(), MAX_FAULTS))
