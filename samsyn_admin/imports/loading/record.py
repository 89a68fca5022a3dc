"""The record of an import in the database, by which it can be taken back."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine

from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.loading.report import FaultyFeaturesError, ImportReport
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import writing
from samsyn_model.errors import ConflictError, NotFoundError
from samsyn_model.permissions.principal import Principal
from samsyn_model.stored_text import json_text, storable_text

_MAX_NAME = 255

_CREATE = """
INSERT INTO imports (id, user_id, name, status)
VALUES (%(id)s, %(user)s, %(name)s, 'uploaded')"""

_LOCK = """
SELECT status FROM imports WHERE id = %(id)s AND user_id = %(user)s FOR UPDATE"""

_FINISH = """
UPDATE imports
SET status = 'imported', choices = %(choices)s, report = %(report)s, faults = %(faults)s,
    imported_at = now(), undone_at = NULL
WHERE id = %(id)s"""

_FAIL = """
UPDATE imports SET report = %(report)s, faults = %(faults)s WHERE id = %(id)s"""

_ADD_LAYER = """
INSERT INTO import_layers (import_id, layer_id, mode) VALUES (%(import)s, %(layer)s, %(mode)s)"""

_FINISH_LAYERS = """
UPDATE import_layers
SET data_version = layer_version(layers.id), layer_updated_at = layers.updated_at
FROM layers
WHERE layers.id = layer_id AND import_id = %(import)s"""

_KEEP_SCHEMA = """
UPDATE import_layers SET property_schema = %(schema)s
WHERE import_id = %(import)s AND layer_id = %(layer)s"""

_FIND_ADMIN = "SELECT is_admin FROM users WHERE id = %(user)s AND deleted_at IS NULL"


def begin_import(
    connection: Connection, import_id: uuid.UUID | None, owner: uuid.UUID, name: str
) -> uuid.UUID:
    """Return the id of an import's row, locked: an upload's, or a new one.

    Raises NotFoundError where there is none of the owner's, ConflictError where it was imported.
    """
    if import_id is None:
        import_id = uuid.uuid4()
        values = {"id": import_id, "user": owner, "name": storable_text(name)[:_MAX_NAME]}
        run(connection, _CREATE, values)
        return import_id
    row = run(connection, _LOCK, {"id": import_id, "user": owner}).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no import {import_id}.")
    if row.status == "imported":
        raise ConflictError("This import has been carried out: take it back first.")
    return import_id


def add_layer(connection: Connection, import_id: uuid.UUID, layer_id: uuid.UUID, mode: str) -> None:
    """Record that an import goes into a layer, before its features do."""
    run(connection, _ADD_LAYER, {"import": import_id, "layer": layer_id, "mode": mode})


def keep_schema(
    connection: Connection, import_id: uuid.UUID, layer_id: uuid.UUID, schema: Mapping[str, Any]
) -> None:
    """Record the property schema that a layer has had before."""
    values = {"import": import_id, "layer": layer_id, "schema": json.dumps(schema)}
    run(connection, _KEEP_SCHEMA, values)


def finish_import(connection: Connection, choices: ImportChoices, report: ImportReport) -> None:
    """Record what an import has done, and the versions that its layers have got."""
    run(connection, _FINISH_LAYERS, {"import": report.import_id})
    values = {
        "id": report.import_id,
        "choices": choices.model_dump_json(exclude_defaults=True),
        "report": json_text(report.as_json()),
        "faults": json_text(report.faults.as_json()),
    }
    run(connection, _FINISH, values)


def record_failure(engine: Engine, import_id: uuid.UUID, error: FaultyFeaturesError) -> None:
    """Keep the faults that have failed the import of an upload, in a transaction of its own."""
    faults = error.feature_faults
    values = {
        "id": import_id,
        "report": json_text({"layers": [], "fault_count": faults.count}),
        "faults": json_text(faults.as_json()),
    }
    with writing(engine) as connection:
        run(connection, _FAIL, values)


def uploader(connection: Connection, user_id: uuid.UUID) -> Principal:
    """Return the principal who has uploaded a file, with the rights of today."""
    row = run(connection, _FIND_ADMIN, {"user": user_id}).one_or_none()
    if row is None:
        raise NotFoundError("The account of this import has been deleted.")
    return Principal(user_id, is_admin=row.is_admin)
