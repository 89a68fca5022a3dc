"""Features in request bodies, as they are to be stored: in degrees, with their times in UTC."""

import json
from collections.abc import Container, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from samsyn_model.errors import (
    Fault,
)
from samsyn_model.features.geometry import geometry_faults, without_empty_parts
from samsyn_model.features.writing import (
    feature_collection_faults,
)
from samsyn_model.properties.json_schema import validation_deadline
from samsyn_model.properties.normalization import normalized_properties
from samsyn_model.properties.validation import MAX_FAULTS, property_faults
from samsyn_provider.collections.collection import Collection
from samsyn_provider.cql2.parsing import UPDATED
from samsyn_provider.geography.crs import ReferenceSystem, in_degrees
from samsyn_provider.http.request_body import merge_patch, refuse


def as_stored(feature: Any, crs: ReferenceSystem, schema: str | None) -> Any:
    """Return a feature whose geometry is in `crs` as it is to be stored: in degrees, in UTC.

    `schema` is the layer's property schema as JSON text. Anything else than an object is returned
    as it is, and faults are left to the feature's validation.
    """
    if not isinstance(feature, dict):
        return feature
    return {
        **feature,
        "geometry": _stored_geometry(feature, crs),
        "properties": _stored_properties(feature.get("properties"), schema),
    }


def parse_feature(body: Any, collection: Collection, crs: ReferenceSystem) -> dict[str, Any]:
    """Return `geometry` and `properties` of the feature in a body, as they are to be stored.

    Raises InvalidBodyError where the body is no feature.
    """
    if not isinstance(body, dict) or body.get("type") != "Feature":
        refuse([Fault("", "This is no GeoJSON Feature.")])
    geometry = _stored_geometry(body, crs)
    properties = _stored_properties(body.get("properties") or {}, _schema_text(collection))
    return {"geometry": geometry, "properties": properties}


def parse_features(
    body: dict[str, Any], collection: Collection, crs: ReferenceSystem
) -> list[dict[str, Any]]:
    """Return the features of the collection in a body, as they are to be stored.

    Raises InvalidBodyError where they do not suit the layer.
    """
    members, schema = body.get("features"), _schema_text(collection)
    if isinstance(members, list):
        body = {**body, "features": [as_stored(member, crs, schema) for member in members]}
    refuse(feature_collection_faults(body, "", collection.geometry_type, schema))
    return list(body["features"])


def parse_patch(
    body: Any, properties: dict[str, Any], collection: Collection, crs: ReferenceSystem
) -> dict[str, Any]:
    """Return `geometry`, `properties` or both of a feature after the merge patch in a body.

    `properties` are the stored ones. Raises InvalidBodyError where the body names neither.
    """
    names = set(body) & {"geometry", "properties"} if isinstance(body, dict) else set()
    if not names:
        refuse([Fault("", "Expected an object with `geometry`, `properties` or both.")])
    change: dict[str, Any] = {}
    if "geometry" in names:
        change["geometry"] = _stored_geometry(body, crs)
    if "properties" in names:
        patch = normalized_properties(body["properties"], _schema_text(collection))
        change["properties"] = {} if patch is None else merge_patch(properties, patch)
    return change


def without_last_change(
    change: dict[str, Any], stored: Mapping[str, Any], updated_at: datetime
) -> dict[str, Any]:
    """Return what a request changes of a feature, without UPDATED where that is the moment of the
    feature's last change, as `properties=updated` returned it, and no property of the feature.

    `stored` are the properties that the feature has.
    """
    properties = change.get("properties") or {}
    if UPDATED in stored or not isinstance(properties.get(UPDATED), str):
        return change
    try:
        is_last_change = datetime.fromisoformat(properties[UPDATED].upper()) == updated_at
    except ValueError:
        return change
    if not is_last_change:
        return change
    others = {name: value for name, value in properties.items() if name != UPDATED}
    return {**change, "properties": others}


def check_feature(
    collection: Collection, feature: dict[str, Any], stored: Container[str] = ()
) -> None:
    """Raise InvalidBodyError where a geometry or properties do not conform to the collection.

    `stored` are the names of the properties that the feature has.
    """
    schema = _schema_text(collection)

    def faults() -> Iterator[Fault]:
        if "geometry" in feature:
            yield from geometry_faults(feature["geometry"], "/geometry", collection.geometry_type)
        if "properties" in feature:
            yield from property_faults(feature["properties"], schema, "/properties", stored)

    with validation_deadline():
        refuse(list(islice(faults(), MAX_FAULTS)))


def _stored_properties(properties: Any, schema: str | None) -> Any:
    """Return properties with their times in UTC, without UPDATED where that is null and no property
    of the schema: the schema of every collection has it, and clients make their forms of that."""
    stored = normalized_properties(properties, schema)
    if not isinstance(stored, dict) or stored.get(UPDATED, UPDATED) is not None:
        return stored
    if schema is not None and UPDATED in json.loads(schema).get("properties", {}):
        return stored
    return {name: value for name, value in stored.items() if name != UPDATED}


def _stored_geometry(feature: dict[str, Any], crs: ReferenceSystem) -> Any:
    return in_degrees(without_empty_parts(feature.get("geometry")), crs, is_stored=True)


def _schema_text(collection: Collection) -> str | None:
    return None if collection.property_schema is None else json.dumps(collection.property_schema)
