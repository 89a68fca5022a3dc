"""`/api/v1/audit/heads`: heads of the chain, for whoever notes them elsewhere."""

from flask import Blueprint, Response, request

from samsyn_admin.http.pagination import PAGE_PARAMETERS, parse_page, run_page
from samsyn_admin.http.responses import respond_list
from samsyn_model.audit.heads import select_closed_heads
from samsyn_model.database.transactions import reading
from samsyn_model.permissions.actions import Action
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import requires
from samsyn_provider.query.parameters import single_values

bp = Blueprint("audit_heads", __name__, url_prefix="/api/v1/audit")


@bp.get("/heads")
@requires(Action.READ_PUBLIC)
def list_heads() -> Response:
    """List the heads of days that are over in UTC, the latest first.

    Days on which nothing was changed are not in the list. That of today is not either: it would
    tell anybody when something is changed that they may not read.
    """
    page = parse_page(single_values(request.args, PAGE_PARAMETERS))
    with reading(deployment().engine) as connection:
        rows, total = run_page(connection, select_closed_heads(), page)
    entries = [{"date": row.day.isoformat(), "head": row.head.hex()} for row in rows]
    return respond_list(entries, page, total)
