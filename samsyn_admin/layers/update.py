"""Changing a layer: its members, and with `source_config.geojson` its features."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, update

from samsyn_admin.http.request_body import refuse
from samsyn_admin.http.responses import check_if_match
from samsyn_admin.http.update_body import merge_patch, same_json
from samsyn_admin.layers.content import replace_content, schema_text
from samsyn_admin.layers.rasters.addresses import config_to_store, raster_url
from samsyn_admin.layers.rasters.stored_files import HOLDS_RASTERS
from samsyn_admin.layers.schemas import (
    COMPUTED,
    SETTABLE,
    LayerCreate,
    is_of_fishing_watch,
    number_properties,
    parse_layer,
    refuse_unknown_crs,
)
from samsyn_admin.layers.serializer import current_version
from samsyn_admin.layers.simplification_notice import without_notice
from samsyn_model.database.execution import run
from samsyn_model.errors import ConflictError, PermissionDeniedError
from samsyn_model.features.conformity import count_misfits
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.layers import editable_layers, owned_by, owned_layers
from samsyn_model.permissions.lookup import find_layer
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.layers import Layer

READ_ONLY = frozenset(
    {
        *("id", "created_by", "creator", "created_at", "updated_at", "features", "map_layers"),
        *("feature_count", "bounds", "can_edit", "links", "source_type"),
    }
)
"""Read-only members of a layer: a change accepts and ignores them."""
_OWNER_ONLY = frozenset({"editable", "visibility"})
_CONSTRAINING = frozenset({"property_schema", "geometry_type"})


def change_layer(
    connection: Connection,
    principal: Principal,
    layer_id: uuid.UUID,
    body: dict[str, Any],
    *,
    merge: bool,
) -> None:
    """Change the members of a layer that are in a body, in the caller's transaction.

    With `merge` objects are merged (RFC 7396), else replaced. Raises NotFoundError,
    CredentialsError and PermissionDeniedError by the caller's permissions,
    PreconditionFailedError when `If-Match` is stale, InvalidBodyError, and ConflictError when
    stored features would not suit the layer any more.
    """
    # Feature writers lock the key while they validate features against the schema: only a change
    # of the schema waits for them.
    is_constraining = not _CONSTRAINING.isdisjoint(body)
    row = find_layer(
        connection,
        principal,
        layer_id,
        Action.READ_LAYER,
        _rights,
        lock="UPDATE" if is_constraining else "NO KEY UPDATE",
    )
    user_id = require_user(principal, Action.CHANGE_LAYER)
    _refuse_unpermitted(principal, row, body)
    check_if_match(current_version(connection, layer_id))
    stored = {name: getattr(row, name) for name in SETTABLE}
    body = without_notice(body, stored["layer_metadata"], merge=merge)
    members = _merged(stored, body, merge=merge)
    layer = _drawn_here(members, row) if row.holds_rasters else parse_layer(members)
    number_properties(layer, stored["property_schema"])
    if is_of_fishing_watch(layer) and not principal.is_admin:
        layer.is_global = row.is_global
    refuse_unknown_crs(connection, layer)
    values = layer.model_dump()
    values["source_config"] = stored_config(layer)
    if layer.source_type == "vector":  # in a response it is computed: a change must not store it
        values["source_config"].pop("geometryType", None)
        declared = row.source_config.get("geometryType")
        values["source_config"] |= {} if declared is None else {"geometryType": declared}
    changed = {name: values[name] for name in SETTABLE if not same_json(values[name], stored[name])}
    _refuse_owner_changes(principal, row, changed)
    if layer.source_type == "vector" and layer.source_config.get("geojson") is not None:
        replace_content(connection, layer_id, layer, user_id)
    if not _CONSTRAINING.isdisjoint(changed):
        _refuse_misfits(connection, layer_id, layer)
    if "property_schema" in changed and layer.property_schema is not None:
        properties = layer.property_schema.get("properties", {})
        changed["indexed_properties"] = [n for n in row.indexed_properties if n in properties]
    if changed:
        run(connection, update(Layer).where(Layer.id == layer_id).values(changed))


def _drawn_here(members: dict[str, Any], row: Row[Any]) -> LayerCreate:
    """Return the layer that is drawn from files of ours, with none of their addresses, which only
    responses have."""
    config = members.get("source_config")
    if not isinstance(config, dict):
        return parse_layer(members)
    config, faults = config_to_store(config, row.source_config, row.id)
    refuse(faults)
    address = raster_url(row.id, "file")
    layer = parse_layer({**members, "source_config": {**config, "cogUrl": address}})
    layer.source_config = config
    return layer


def _rights(principal: Principal) -> tuple[ColumnElement[bool], ...]:
    return (
        HOLDS_RASTERS.label("holds_rasters"),
        editable_layers(principal).label("can_edit"),
        owned_layers(principal).label("is_owner"),
        owned_by(principal).label("is_creator"),
    )


def stored_config(layer: LayerCreate) -> dict[str, Any]:
    """Return a layer's `source_config` without the members computed from its features."""
    if layer.source_type != "vector":
        return layer.source_config
    return {name: value for name, value in layer.source_config.items() if name not in COMPUTED}


def _merged(stored: Mapping[str, Any], body: dict[str, Any], *, merge: bool) -> dict[str, Any]:
    """Return a layer's new members; of the two names of its metadata the changed one counts."""
    changes = dict(body)
    if changes.get("metadata") == stored["layer_metadata"]:
        del changes["metadata"]
    if "metadata" in changes and changes.get("layer_metadata") == stored["layer_metadata"]:
        del changes["layer_metadata"]
    members = {name: value for name, value in stored.items() if name not in changes}
    if "metadata" in changes:
        members.pop("layer_metadata", None)
    targets = {**stored, "metadata": stored["layer_metadata"]}
    for name, value in changes.items():
        members[name] = merge_patch(targets.get(name), value) if merge else value
    return members


def _refuse_unpermitted(principal: Principal, row: Row[Any], body: dict[str, Any]) -> None:
    if row.can_edit or (principal.is_admin and set(body) == {"is_global"}):
        return
    raise PermissionDeniedError(f"You may not {Action.CHANGE_LAYER.value}.")


def _refuse_owner_changes(principal: Principal, row: Row[Any], changed: Mapping[str, Any]) -> None:
    """Raise PermissionDeniedError for a change that only the creator or administrators may make."""
    if not _OWNER_ONLY.isdisjoint(changed) and not row.is_owner:
        raise PermissionDeniedError(f"You may not {Action.OWN_LAYER.value}.")
    if "is_global" not in changed:
        return
    if not principal.is_admin:
        raise PermissionDeniedError("Only administrators add layers to the global library.")
    if changed["is_global"] and row.visibility != "public" and not row.is_creator:
        raise PermissionDeniedError("Only its creator may make a private layer public.")


def _refuse_misfits(connection: Connection, layer_id: uuid.UUID, layer: LayerCreate) -> None:
    count = count_misfits(connection, layer_id, layer.geometry_type, schema_text(layer))
    if count:
        features = "1 feature does" if count == 1 else f"{count:,} features do"
        raise ConflictError(f"{features} not suit this schema or geometry type.")
