"""`/api/health`: whether the server is ready; `/api/health/live`: whether it runs."""

from importlib.metadata import version

from flask import Blueprint, Response, jsonify, request

from samsyn_model.database.requirements import missing_settings
from samsyn_model.database.revisions import (
    current_revision,
    has_tables,
    is_later,
    newest_revision,
)
from samsyn_model.database.transactions import reading
from samsyn_model.errors import DatabaseUnavailableError, SamsynError
from samsyn_model.permissions.actions import Action
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import holder_of, parse_authorization, requires

bp = Blueprint("health", __name__, url_prefix="/api")


@bp.get("/health")
@requires(Action.READ_PUBLIC)
def health() -> tuple[Response, int]:
    """Return 200 when the database is reached and has this release's tables, or later ones.

    It is 503 else.

    Administrators are told the version, too. Warnings, where there are any, and how the replica is
    do not change the status.
    """
    current, database, missing = None, "unreachable", list[str]()
    try:
        with reading(deployment().engine) as connection:
            current = current_revision(connection)
            missing = missing_settings(connection)
            database = "reached"
    except DatabaseUnavailableError:
        pass
    except SamsynError as error:
        database = error.detail
    ready = has_tables(current)
    document: dict[str, object] = {
        "status": "ok" if ready else "unavailable",
        "database": database,
        "migration": {"current": current, "head": newest_revision()},
    }
    warnings = []
    if missing:
        warnings.append(
            f"Not in force behind the pooler of the database: {', '.join(missing)}"
            " (samsyn db settings)."
        )
    if is_later(current):
        warnings.append("The database has the tables of a later release: replace this server.")
    if warnings:
        document["warnings"] = warnings
    if (reads := deployment().reads) is not None:
        replica = reads.replica.state()
        document["replica"] = {
            "status": "read" if replica.is_read else "not read",
            "lag": replica.lag,
            **({} if replica.reason is None else {"reason": f"It {replica.reason}."}),
        }
    if ready and _is_for_administrator():
        document["version"] = version("samsyn")
    return jsonify(document), 200 if ready else 503


@bp.get("/health/live")
@requires(Action.READ_PUBLIC)
def live() -> Response:
    """Return 200 without asking the database."""
    return jsonify(status="ok")


def _is_for_administrator() -> bool:
    """Return whether an administrator asks; invalid credentials do not matter here."""
    header = request.headers.get("Authorization")
    if header is None:
        return False
    try:
        return holder_of(parse_authorization(header)).is_admin
    except SamsynError:
        return False
