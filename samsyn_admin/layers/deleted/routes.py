"""`/api/v1/layers/deleted` and `/api/v1/layers/{id}/restore`: deleted layers, brought back."""

from http import HTTPStatus

from flask import Blueprint, Response, request

from samsyn_admin.http.pagination import PAGE_PARAMETERS, parse_page, run_page
from samsyn_admin.http.responses import iso, respond, respond_list
from samsyn_admin.layers.serializer import serialize_layer
from samsyn_model.database.transactions import LOCK_TIMEOUT, reading, set_in_transaction, writing
from samsyn_model.history.deleted_layers import restore_layer, select_deleted_layers
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.quotas.features import refuse_excess_features
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.query.parameters import parse_key, single_values

bp = Blueprint("deleted_layers", __name__, url_prefix="/api/v1/layers")


@bp.get("/deleted")
@requires(Action.SIGNED_IN)
def list_deleted_layers() -> Response:
    """List the caller's layers that were deleted and can be restored, the latest first."""
    page = parse_page(single_values(request.args, PAGE_PARAMETERS))
    days = deployment().settings.deleted_layer_retention
    statement = select_deleted_layers(require_user(principal()), days)
    with reading(deployment().engine) as connection:
        rows, total = run_page(connection, statement, page)
    entries = [
        {
            "id": str(row.id),
            "name": row.name,
            "source_type": row.source_type,
            "feature_count": row.feature_count,
            "deleted_at": iso(row.deleted_at),
            "restorable_until": iso(row.restorable_until),
        }
        for row in rows
    ]
    return respond_list(entries, page, total)


@bp.post("/<layer_id>/restore")
@requires(Action.SIGNED_IN)
def restore_deleted_layer(layer_id: str) -> Response:
    """Bring a deleted layer of the caller's back, with its id and its features."""
    single_values(request.args, ())
    user_id = require_user(principal())
    key = parse_key(layer_id, "layer")
    settings = deployment().settings
    with writing(deployment().engine, via="restore") as connection:
        # as long as the deletion of as many features may take
        set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT, statement_timeout="5min")
        restore_layer(
            connection,
            key,
            user_id,
            days=settings.deleted_layer_retention,
            keeps_global=principal().is_admin,
        )
        text, version = serialize_layer(connection, principal(), key, inline=True)
        refuse_excess(connection, settings, (Quota.LAYERS_OF_USER, user_id))
        refuse_excess_features(connection, settings, key, of_account=True)
    return respond(text, version, HTTPStatus.CREATED, f"{public_url()}{bp.url_prefix}/{key}")
