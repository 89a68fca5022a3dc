"""`/api/health`: whether the server is ready."""

from importlib.metadata import version

from flask import Blueprint, Response, jsonify

from samsyn_model.database.revisions import current_revision, newest_revision
from samsyn_model.database.transactions import reading
from samsyn_model.errors import DatabaseUnavailableError, SamsynError
from samsyn_model.permissions.actions import Action
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import requires

bp = Blueprint("health", __name__, url_prefix="/api")


@bp.get("/health")
@requires(Action.READ_PUBLIC)
def health() -> tuple[Response, int]:
    """Return 200 when the database is reached and migrated to this code's head, else 503."""
    current, database = None, "unreachable"
    try:
        with reading(deployment().engine) as connection:
            current = current_revision(connection)
            database = "reached"
    except DatabaseUnavailableError:
        pass
    except SamsynError as error:
        database = error.detail
    head = newest_revision()
    ready = current == head
    return jsonify(
        status="ok" if ready else "unavailable",
        database=database,
        migration={"current": current, "head": head},
        version=version("samsyn"),
    ), 200 if ready else 503
