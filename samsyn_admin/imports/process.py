"""Importing what has been uploaded, as a job: over REST, and as a process of OGC API Processes."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from samsyn_admin.http.request_body import refuse
from samsyn_admin.imports import records
from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.schemas import parse_choices
from samsyn_model.database.transactions import writing
from samsyn_model.errors import (
    ConflictError,
    Fault,
    InvalidBodyError,
    NotFoundError,
    PermissionDeniedError,
)
from samsyn_model.jobs.jobs import create_job
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.lookup import find_layer
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import principal
from samsyn_provider.processes.process import Process
from samsyn_provider.query.parameters import parse_uuid


def create_import_job(connection: Connection, import_id: UUID, choices: ImportChoices) -> UUID:
    """Create the job that imports the files of an import of the caller, and return its id.

    Raises NotFoundError, also for a layer that the caller may not read, PermissionDeniedError,
    ConflictError where the import is in no state for it, LimitReachedError.
    """
    if choices.is_global and not principal().is_admin:
        raise PermissionDeniedError("Only administrators add layers to the global library.")
    row = records.lock_idle(connection, require_user(principal()), import_id)
    if row.status == "imported":
        raise ConflictError("This has been imported already: undo it first, or upload it again.")
    if row.status == "uploading":
        raise ConflictError("The files have not arrived: inspect the import first.")
    holds_rasters = _holds_rasters(row)
    if holds_rasters is not None:
        _refuse_unsuitable(choices, holds_rasters=holds_rasters)
    if choices.layer_id is not None:
        action = Action.CHANGE_LAYER if holds_rasters else Action.WRITE_FEATURES
        source_type = "geotiff" if holds_rasters else "vector"
        find_layer(connection, principal(), choices.layer_id, action, source_type=source_type)
    parameters = {"choices": choices.model_dump(mode="json")}
    job_id = create_job(connection, row.user_id, "import", parameters, row.id)
    refuse_excess(connection, deployment().settings, (Quota.JOBS_OF_USER, row.user_id))
    return job_id


def _holds_rasters(row: Row[Any]) -> bool | None:
    """Return whether the files of an import are rasters; None where they were not inspected."""
    if row.inspection is None or not row.inspection["layers"]:
        return None
    return any(layer.get("raster") is not None for layer in row.inspection["layers"])


def _refuse_unsuitable(choices: ImportChoices, *, holds_rasters: bool) -> None:
    """Raise InvalidBodyError for choices that rasters, or features, have not."""
    unsuitable = choices.of_features if holds_rasters else choices.of_rasters
    kind = "rasters" if holds_rasters else "features"
    refuse(
        [Fault(f"/{name}", f"There is no such choice for {kind}.") for name in sorted(unsuitable)]
    )
    if holds_rasters and choices.mode not in {"create", "replace"}:
        refuse([Fault("/mode", "Of a raster a new layer is made, or it replaces one: replace.")])
    if not holds_rasters and choices.mode == "replace" and len(choices.layers or ()) > 1:
        refuse([Fault("/layers", "Choose one layer of the file to write into a layer.")])


def _start(inputs: dict[str, Any]) -> UUID:
    text = inputs["import"]
    key = parse_uuid(text) if isinstance(text, str) else None
    if key is None:
        raise InvalidBodyError(
            "import is the id of an import.", (Fault("/inputs/import", "This is not a UUID."),)
        )
    choices = _choices(inputs.get("choices", {}))
    with writing(deployment().engine) as connection:
        try:
            return create_import_job(connection, key, choices)
        except (
            NotFoundError
        ) as error:  # of the import or of a layer, which the address does not name
            raise InvalidBodyError(error.detail, (Fault("/inputs", error.detail),)) from error


def _choices(value: Any) -> ImportChoices:
    try:
        return parse_choices(value)
    except InvalidBodyError as error:
        faults = tuple(
            Fault(f"/inputs/choices{fault.pointer}", fault.detail) for fault in error.faults
        )
        raise InvalidBodyError(error.detail, faults) from error


def _inlined(value: Any, definitions: dict[str, Any] | None = None) -> Any:
    """Return a model's JSON Schema with its definitions in place of the references to them, which
    would lead to another place of the process's description."""
    if isinstance(value, list):
        return [_inlined(member, definitions) for member in value]
    if not isinstance(value, dict):
        return value
    known = definitions if definitions is not None else value.get("$defs", {})
    if "$ref" in value:
        return _inlined(known[value["$ref"].rpartition("/")[2]], known)
    return {name: _inlined(member, known) for name, member in value.items() if name != "$defs"}


IMPORT = Process(
    id="import",
    title="Import of uploaded files",
    description=(
        "Makes layers of files that have been uploaded to /api/v1/imports, or writes them into a"
        " layer: all of them, or nothing."
    ),
    inputs={
        "import": {
            "title": "The import",
            "description": "The id of an import of the caller, whose files have arrived.",
            "schema": {"type": "string", "format": "uuid"},
        },
        "choices": {
            "title": "How the files are read, and into what",
            "description": "As the body of POST /api/v1/imports/{id}/commit.",
            "minOccurs": 0,
            "schema": _inlined(ImportChoices.model_json_schema()),
        },
    },
    outputs={
        "report": {
            "title": "What was imported",
            "description": "The layers, with counts of their features, and the number of faults.",
            "schema": {"type": "object"},
        }
    },
    start=_start,
)
