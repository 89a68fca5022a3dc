"""Changing a layer: its members, and with `source_config.geojson` its features."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, update

from samsyn_admin.http.responses import check_if_match
from samsyn_admin.http.update_body import merge_patch, same_json
from samsyn_admin.layers.content import replace_content, schema_text
from samsyn_admin.layers.schemas import (
    COMPUTED,
    SETTABLE,
    LayerCreate,
    parse_layer,
    refuse_unknown_crs,
)
from samsyn_admin.layers.serializer import current_version
from samsyn_model.database.execution import run
from samsyn_model.errors import ConflictError, PermissionDeniedError
from samsyn_model.features.conformity import count_misfits
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.layers import editable_layers, owned_by, owned_layers
from samsyn_model.permissions.lookup import find_layer
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.layers import Layer

ANSWERED = frozenset(
    {
        *("id", "created_by", "creator", "created_at", "updated_at", "features", "map_layers"),
        *("feature_count", "bounds", "can_edit", "links", "source_type"),
    }
)
"""Members of an answer that nobody sets: they are accepted and ignored."""
_OWNERS = frozenset({"editable", "visibility"})
_BINDING = frozenset({"property_schema", "geometry_type"})


def change_layer(
    connection: Connection,
    principal: Principal,
    layer_id: uuid.UUID,
    body: dict[str, Any],
    *,
    merge: bool,
) -> None:
    """Change the members of a layer that a body names, in the caller's transaction.

    With `merge` objects are merged as RFC 7396 says, else replaced. Raises NotFoundError,
    CredentialsError and PermissionDeniedError by the rules of who may change what,
    PreconditionFailedError when `If-Match` is stale, InvalidBodyError, and ConflictError when
    features that there are would not suit the layer any more.
    """
    # Feature writers hold the key while they check features against the schema: whoever would
    # change it waits for them, and everybody else does not.
    binding = not _BINDING.isdisjoint(body)
    row = find_layer(
        connection,
        principal,
        layer_id,
        Action.READ_LAYER,
        _rights,
        lock="UPDATE" if binding else "NO KEY UPDATE",
    )
    user_id = require_user(principal, Action.CHANGE_LAYER)
    _refuse_stranger(principal, row, body)
    check_if_match(current_version(connection, layer_id))
    present = {name: getattr(row, name) for name in SETTABLE}
    layer = parse_layer(_applied(present, body, merge=merge))
    refuse_unknown_crs(connection, layer)
    values = layer.model_dump()
    values["source_config"] = stored_config(layer)
    if layer.source_type == "vector":  # what was answered was computed, and binds nothing
        values["source_config"].pop("geometryType", None)
        told = row.source_config.get("geometryType")
        values["source_config"] |= {} if told is None else {"geometryType": told}
    changed = {
        name: values[name] for name in SETTABLE if not same_json(values[name], present[name])
    }
    _refuse_sharing(principal, row, changed)
    if layer.source_type == "vector" and layer.source_config.get("geojson") is not None:
        replace_content(connection, layer_id, layer, user_id)
    if not _BINDING.isdisjoint(changed):
        _refuse_misfits(connection, layer_id, layer)
    if "property_schema" in changed and layer.property_schema is not None:
        known = layer.property_schema.get("properties", {})
        changed["indexed_properties"] = [n for n in row.indexed_properties if n in known]
    if changed:
        run(connection, update(Layer).where(Layer.id == layer_id).values(changed))


def _rights(principal: Principal) -> tuple[ColumnElement[bool], ...]:
    return (
        editable_layers(principal).label("can_edit"),
        owned_layers(principal).label("owned"),
        owned_by(principal).label("made"),
    )


def stored_config(layer: LayerCreate) -> dict[str, Any]:
    """Return a layer's `source_config` without what its features tell."""
    if layer.source_type != "vector":
        return layer.source_config
    return {name: value for name, value in layer.source_config.items() if name not in COMPUTED}


def _applied(present: Mapping[str, Any], body: dict[str, Any], *, merge: bool) -> dict[str, Any]:
    """Return what a layer would be; of the two names of its metadata the changed one counts."""
    given = dict(body)
    if given.get("metadata") == present["layer_metadata"]:
        del given["metadata"]
    if "metadata" in given and given.get("layer_metadata") == present["layer_metadata"]:
        del given["layer_metadata"]
    whole = {name: value for name, value in present.items() if name not in given}
    if "metadata" in given:
        whole.pop("layer_metadata", None)
    stored = {**present, "metadata": present["layer_metadata"]}
    for name, value in given.items():
        whole[name] = merge_patch(stored.get(name), value) if merge else value
    return whole


def _refuse_stranger(principal: Principal, row: Row[Any], body: dict[str, Any]) -> None:
    if row.can_edit or (principal.is_admin and set(body) == {"is_global"}):
        return
    raise PermissionDeniedError(f"You may not {Action.CHANGE_LAYER.value}.")


def _refuse_sharing(principal: Principal, row: Row[Any], changed: Mapping[str, Any]) -> None:
    """Raise PermissionDeniedError for a change that is only for the creator or administrators."""
    if not _OWNERS.isdisjoint(changed) and not row.owned:
        raise PermissionDeniedError(f"You may not {Action.OWN_LAYER.value}.")
    if "is_global" not in changed:
        return
    if not principal.is_admin:
        raise PermissionDeniedError("Only administrators put layers into everybody's library.")
    if changed["is_global"] and row.visibility != "public" and not row.made:
        raise PermissionDeniedError("Only its creator makes a private layer public.")


def _refuse_misfits(connection: Connection, layer_id: uuid.UUID, layer: LayerCreate) -> None:
    count = count_misfits(connection, layer_id, layer.geometry_type, schema_text(layer))
    if count:
        features = "1 feature does" if count == 1 else f"{count:,} features do"
        raise ConflictError(f"{features} not suit this schema or geometry type.")
