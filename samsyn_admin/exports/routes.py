"""`/api/v1/maps/{id}/export` and `/api/v1/layers/{id}/export`: files that jobs write."""

import uuid
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection, select

from samsyn_admin.http.responses import respond, version_of
from samsyn_admin.jobs.results import respond_file
from samsyn_admin.jobs.serializer import job_document
from samsyn_admin.maps.locking import map_key
from samsyn_admin.storage.storage import open_storage
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import InvalidParameterError, NotFoundError
from samsyn_model.jobs.jobs import create_job, find_job
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.lookup import find_map
from samsyn_model.tables.jobs import Job
from samsyn_provider.collections.lookup import find_collection
from samsyn_provider.downloads.responses import check_format
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.formats import FORMATS
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.parameters import single_values

bp = Blueprint("exports", __name__, url_prefix="/api/v1")


@bp.post("/maps/<map_id>/export")
@requires(Action.EXPORT_MAP)
def export_map(map_id: str) -> Response:
    """Begin to write a map as a GeoPackage."""
    key = map_key(map_id)
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        find_map(connection, principal(), key, Action.EXPORT_MAP)
        return _begun(connection, "export_map", {"map_id": str(key)})


@bp.get("/maps/<map_id>/export")
@requires(Action.SIGNED_IN)
def read_exported_map(map_id: str) -> Response:
    """Send the newest file that a job of the caller has written of a map."""
    key = map_key(map_id)
    single_values(request.args, ())
    user_id = require_user(principal())
    with reading(deployment().engine) as connection:
        find_map(connection, principal(), key, Action.READ_MAP)
        result = _newest_result(connection, user_id, key)
    return respond_file(open_storage(deployment().settings), result["file"])


@bp.post("/layers/<layer_id>/export")
@requires(Action.EXPORT_LAYER)
def export_layer(layer_id: str) -> Response:
    """Begin to write all features of a layer as a file."""
    values = single_values(request.args, {"f", "crs"})
    code = values.get("f", "gpkg")
    if code not in FORMATS:
        raise InvalidParameterError(f"f is one of {', '.join(FORMATS)}, not {code!r}.")
    with writing(deployment().engine) as connection:
        collection = find_collection(connection, principal(), layer_id, Action.EXPORT_LAYER)
        crs = reference_system(values.get("crs", CRS84), "crs", collection.crs)
        check_format(FORMATS[code], ItemsQuery(crs=crs))
        parameters = {"layer_id": str(collection.id), "f": code, "crs": crs.uri}
        return _begun(connection, "export_layer", parameters)


def _begun(connection: Connection, kind: str, parameters: dict[str, Any]) -> Response:
    user_id = require_user(principal())
    job_id = create_job(connection, user_id, kind, parameters)
    job = find_job(connection, user_id, job_id)
    location = f"{public_url()}/api/v1/jobs/{job_id}"
    return respond(job_document(job), version_of(job.updated_at), HTTPStatus.ACCEPTED, location)


def _newest_result(connection: Connection, user_id: uuid.UUID, map_id: uuid.UUID) -> dict[str, Any]:
    statement = (
        select(Job.result)
        .where(Job.user_id == user_id, Job.kind == "export_map", Job.status == "successful")
        .where(Job.parameters["map_id"].astext == str(map_id))
        .order_by(Job.created_at.desc())
        .limit(1)
    )
    row = run(connection, statement).one_or_none()
    if row is None:
        raise NotFoundError("You have no file of this map: POST here has one written.")
    result: dict[str, Any] = row.result
    return result
