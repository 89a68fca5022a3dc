"""Takes an import back, as one step."""

import json
import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine

from samsyn_admin.imports.loading.progress import ImportProgress
from samsyn_admin.imports.loading.record import uploader
from samsyn_admin.imports.loading.report import UndoReport
from samsyn_admin.imports.sources.counts import counted
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import set_in_transaction, writing
from samsyn_model.errors import ConflictError, Fault, NotFoundError, PermissionDeniedError
from samsyn_model.history.reversal_statements import LAST_VERSIONS
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import find_layer
from samsyn_model.permissions.principal import Principal
from samsyn_model.settings import get_settings
from samsyn_model.sharding.writing import begin_writing
from samsyn_model.stored_text import json_text

_MAX_IDS = 100

_LOCK_IMPORT = """
SELECT status FROM imports WHERE id = %(id)s AND user_id = %(user)s FOR UPDATE"""

# In one order, so that two of them do not wait for one another.
_LOCK_LAYERS = """
SELECT layers.id FROM layers
WHERE id IN (SELECT layer_id FROM import_layers WHERE import_id = %(id)s)
ORDER BY id FOR UPDATE"""

_LAYERS = """
SELECT layers.id, layers.name, did.mode, did.property_schema, did.rasters,
    layers.updated_at IS DISTINCT FROM did.layer_updated_at AS is_redefined,
    layer_version(layers.id) IS DISTINCT FROM did.data_version AS has_other_data,
    EXISTS (SELECT FROM comments WHERE comments.layer_id = layers.id) AS has_comments,
    EXISTS (
        SELECT FROM map_layers JOIN maps ON maps.id = map_id
        WHERE map_layers.layer_id = layers.id AND maps.created_by <> layers.created_by
    ) AS is_on_others_maps
FROM import_layers AS did JOIN layers ON layers.id = did.layer_id
WHERE did.import_id = %(id)s ORDER BY layers.id"""

_CHANGED_FEATURES = """
SELECT stored.id
FROM import_layers AS did
CROSS JOIN unnest(did.inserted) AS range
JOIN layer_features AS stored
    ON stored.layer_id = did.layer_id AND stored.id >= lower(range) AND stored.id < upper(range)
WHERE did.import_id = %(id)s AND did.layer_id = %(layer)s AND stored.version <> 1
UNION ALL
SELECT was.feature_id
FROM import_changes AS was
LEFT JOIN layer_features AS stored ON stored.layer_id = was.layer_id AND stored.id = feature_id
WHERE was.import_id = %(id)s AND was.layer_id = %(layer)s AND NOT was.was_deleted
    AND stored.version IS DISTINCT FROM was.version
ORDER BY 1"""

_DELETE_LAYER = "DELETE FROM layers WHERE id = %(layer)s"

_DELETE_INSERTED = """
DELETE FROM layer_features AS stored
USING import_layers AS did CROSS JOIN unnest(did.inserted) AS range
WHERE did.import_id = %(id)s AND did.layer_id = %(layer)s AND stored.layer_id = %(layer)s
    AND stored.id >= lower(range) AND stored.id < upper(range) AND stored.version = 1
RETURNING stored.id"""

_RESTORE = """
UPDATE layer_features AS stored
SET geom = was.geom, properties = was.properties, updated_by = was.updated_by
FROM import_changes AS was
WHERE was.import_id = %(id)s AND was.layer_id = %(layer)s AND NOT was.was_deleted
    AND stored.layer_id = %(layer)s AND stored.id = was.feature_id
    AND stored.version = was.version
RETURNING stored.id"""

_DELETED = """
SELECT feature_id FROM import_changes
WHERE import_id = %(id)s AND layer_id = %(layer)s AND was_deleted"""

_PUT_BACK = f"""
INSERT INTO layer_features (layer_id, id, version, geom, properties, created_by, updated_by,
    created_at, updated_at)
SELECT %(layer)s, was.feature_id, greatest(was.version, last.version + 1), geom, properties,
    created_by, updated_by, created_at, clock_timestamp()
FROM import_changes AS was
LEFT JOIN ({LAST_VERSIONS.format(ids=_DELETED)}) AS last ON last.feature_id = was.feature_id
WHERE import_id = %(id)s AND layer_id = %(layer)s AND was_deleted
ORDER BY was.feature_id
ON CONFLICT DO NOTHING
RETURNING id"""

_RESTORE_SCHEMA = "UPDATE layers SET property_schema = %(schema)s WHERE id = %(layer)s"

_TAKE_RASTERS = "DELETE FROM raster_files WHERE layer_id = %(layer)s"

_RESTORE_RASTERS = """
INSERT INTO raster_files (layer_id, time, name, key, original_key, size, info)
SELECT %(layer)s, file.time, file.name, file.key, file.original_key, file.size, file.info
FROM jsonb_populate_recordset(NULL::raster_files, %(rasters)s::jsonb -> 'files') AS file"""

_RESTORE_SOURCE = """
UPDATE layers SET source_config = %(rasters)s::jsonb -> 'source_config',
    legend_config = %(rasters)s::jsonb -> 'legend_config'
WHERE id = %(layer)s"""

_FORGET = "DELETE FROM import_changes WHERE import_id = %(id)s"
_FINISH = "UPDATE imports SET status = 'undone', undone_at = now() WHERE id = %(id)s"


def undo_import(  # noqa: PLR0913 - what is taken back how, and what is done beside
    engine: Engine,
    import_id: uuid.UUID,
    owner: uuid.UUID,
    *,
    force: bool = False,
    progress: ImportProgress,
    finish: Callable[[Connection, UndoReport], None] = lambda _connection, _report: None,
    checks_rights: bool = True,
) -> UndoReport:
    """Take an import of a user's back, in one transaction; a second time does nothing.

    `finish` is called at the end of the transaction, where something was done.

    New layers are deleted; in others the features that were added are deleted, those that were
    changed or deleted are as they were, with their ids. Raises ConflictError where a layer or a
    feature has changed since, with a fault for each layer, unless `force` leaves these alone and
    takes back the rest. Raises NotFoundError, and PermissionDeniedError where the user may not
    write into a layer any more; the command, which an operator gives, does not check that.
    """
    with writing(engine, via="undo", user_id=owner) as connection:
        set_in_transaction(connection, statement_timeout=f"{get_settings().import_timeout}s")
        found = run(connection, _LOCK_IMPORT, {"id": import_id, "user": owner}).one_or_none()
        if found is None:
            raise NotFoundError(f"There is no import {import_id}.")
        if found.status == "undone":
            return UndoReport(import_id)
        if found.status != "imported":
            raise ConflictError("This import has not been carried out.")
        run(connection, _LOCK_LAYERS, {"id": import_id})
        layers = run(connection, _LAYERS, {"id": import_id}).all()
        if checks_rights:
            principal = uploader(connection, owner)
            for layer in layers:
                _refuse_unpermitted(connection, principal, layer)
        kept = [change for layer in layers if (change := _change(connection, import_id, layer))]
        if kept and not force:
            faults = (Fault(f"/layers/{change['layer_id']}", _text(change)) for change in kept)
            raise ConflictError(
                f"What was imported has changed since: {_text(kept[0])}", tuple(faults)
            )
        kept_layers = {change["layer_id"] for change in kept if "feature_ids" not in change}
        layers_deleted = deleted = restored = 0
        for layer in layers:
            if str(layer.id) in kept_layers:
                continue
            progress.start(layer.name, None)
            values = {"id": import_id, "layer": layer.id}
            if layer.mode == "create":
                run(connection, _DELETE_LAYER, values)
                layers_deleted += 1
                continue
            if layer.rasters is not None:
                rasters = {**values, "rasters": json_text(layer.rasters)}
                run(connection, _TAKE_RASTERS, values)
                run(connection, _RESTORE_RASTERS, rasters)
                run(connection, _RESTORE_SOURCE, rasters)
                restored += 1
                continue
            begin_writing(connection, layer.id)
            deleted += len(run(connection, _DELETE_INSERTED, values).all())
            restored += len(run(connection, _RESTORE, values).all())
            restored += len(run(connection, _PUT_BACK, values).all())
            if layer.property_schema is not None and not layer.is_redefined:
                schema = json.dumps(layer.property_schema)
                run(connection, _RESTORE_SCHEMA, {**values, "schema": schema})
        run(connection, _FORGET, {"id": import_id})
        run(connection, _FINISH, {"id": import_id})
        report = UndoReport(import_id, layers_deleted, deleted, restored, tuple(kept))
        finish(connection, report)
    return report


def _refuse_unpermitted(connection: Connection, principal: Principal, layer: Any) -> None:
    action = Action.OWN_LAYER if layer.mode == "create" else Action.WRITE_FEATURES
    try:
        find_layer(connection, principal, layer.id, action, all_columns=False)
    except NotFoundError as error:
        raise PermissionDeniedError(
            "You may not write into a layer any more that this import went into."
        ) from error


def _change(connection: Connection, import_id: uuid.UUID, layer: Any) -> dict[str, Any] | None:
    """Return what has changed of a layer since the import, None if nothing has."""
    change = {"layer_id": str(layer.id), "name": layer.name}
    if layer.mode == "create":
        reasons = {
            "its features have changed": layer.has_other_data,
            "its definition has changed": layer.is_redefined,
            "it is on a map of somebody else": layer.is_on_others_maps,
            "it has comments": layer.has_comments,
        }
        found = [reason for reason, holds in reasons.items() if holds]
        return {**change, "reason": ", ".join(found)} if found else None
    if layer.rasters is not None:
        return {**change, "reason": "its definition has changed"} if layer.is_redefined else None
    values = {"id": import_id, "layer": layer.id}
    ids = run(connection, _CHANGED_FEATURES, values).scalars()
    if not ids:
        return None
    reason = counted("{count} of its features {has|have} changed", len(ids))
    return {**change, "reason": reason, "feature_ids": list(ids)[:_MAX_IDS]}


def _text(change: dict[str, Any]) -> str:
    ids = change.get("feature_ids", ())
    named = f" (ids {', '.join(map(str, ids[:10]))}{', …' if len(ids) > 10 else ''})" if ids else ""
    return f"{change['name']}: {change['reason']}{named}."
