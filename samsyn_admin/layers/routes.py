"""`/api/v1/layers`: the layer library."""

import uuid
from http import HTTPStatus

from flask import Blueprint, Response, request
from sqlalchemy import Connection, insert

from samsyn_admin.http.pagination import run_page
from samsyn_admin.http.request_body import read_json
from samsyn_admin.http.responses import check_if_match, no_content, respond, respond_list
from samsyn_admin.http.update_body import read_change
from samsyn_admin.layers.content import insert_content
from samsyn_admin.layers.listing import parse_layers_query, select_layer_ids
from samsyn_admin.layers.rasters.stored_files import folders_of, remove_files
from samsyn_admin.layers.schemas import (
    LayerCreate,
    is_of_fishing_watch,
    number_properties,
    parse_layer,
    refuse_unknown_crs,
)
from samsyn_admin.layers.serializer import current_version, serialize_layer, serialize_layers
from samsyn_admin.layers.simplification_notice import without_notice
from samsyn_admin.layers.update import READ_ONLY, change_layer, stored_config
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import LOCK_TIMEOUT, reading, set_in_transaction, writing
from samsyn_model.errors import ConflictError, NotFoundError, PermissionDeniedError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.lookup import find_layer, find_map
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_model.tables.layers import Layer
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires, spend_search
from samsyn_provider.query.parameters import parse_boolean, parse_key, single_values

bp = Blueprint("layers", __name__, url_prefix="/api/v1/layers")

_COUNT_MAPS_OF_OTHERS = """
SELECT count(*) FROM map_layers JOIN maps ON maps.id = map_id
WHERE layer_id = %(layer)s AND maps.created_by <> %(user)s"""

_DELETE = "DELETE FROM layers WHERE id = %(layer)s"


@bp.get("")
@requires(Action.READ_LAYER)
def list_layers() -> Response:
    """List the layers of the caller's library, newest first."""
    query = parse_layers_query(request.args)
    if query.conditions:
        spend_search()
    with reading(deployment().engine) as connection:
        if query.map_id is not None:
            find_map(connection, principal(), query.map_id, Action.READ_MAP)
        rows, total = run_page(connection, select_layer_ids(principal(), query), query.page)
        ids = [row.id for row in rows]
        texts = serialize_layers(connection, principal(), ids, inline=query.inline)
    return respond_list(list(texts.values()), query.page, total)


@bp.post("")
@requires(Action.SIGNED_IN)
def create_layer() -> Response:
    """Create a layer, with its features in the same transaction."""
    single_values(request.args, ())
    user_id = require_user(principal())
    layer = parse_layer(without_notice(read_json()))
    number_properties(layer)
    if layer.is_global and not principal().is_admin:
        if not is_of_fishing_watch(layer):
            raise PermissionDeniedError("Only administrators add layers to the global library.")
        layer.is_global = False  # the web app sends it for whoever adds such a layer
    with writing(deployment().engine) as connection:
        refuse_unknown_crs(connection, layer)
        layer_id = _insert(connection, layer, user_id)
        text, version = serialize_layer(connection, principal(), layer_id, inline=True)
        refuse_excess(connection, deployment().settings, (Quota.LAYERS_OF_USER, user_id))
    location = f"{public_url()}{bp.url_prefix}/{layer_id}"
    return respond(text, version, HTTPStatus.CREATED, location)


@bp.get("/<layer_id>")
@requires(Action.READ_LAYER)
def read_layer(layer_id: str) -> Response:
    """Return a layer as the caller may read it; `inline=false` leaves its features out."""
    key = parse_key(layer_id, "layer")
    inline = _flag("inline", default=True)
    with reading(deployment().engine) as connection:
        return respond(*serialize_layer(connection, principal(), key, inline=inline))


@bp.put("/<layer_id>")
@bp.patch("/<layer_id>")
@requires(Action.CHANGE_LAYER)
def update_layer(layer_id: str) -> Response | tuple[str, HTTPStatus]:
    """Change the members of a layer in the body; PATCH merges objects (RFC 7396)."""
    key = parse_key(layer_id, "layer")
    inline = _flag("inline", default=True)
    body = read_change(READ_ONLY)
    merge = request.method == "PATCH"
    with writing(deployment().engine) as connection:
        set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT)
        change_layer(connection, principal(), key, body, merge=merge)
        try:
            return respond(*serialize_layer(connection, principal(), key, inline=inline))
        except NotFoundError:  # an administrator took it out of the library
            return no_content()


@bp.delete("/<layer_id>")
@requires(Action.OWN_LAYER)
def delete_layer(layer_id: str) -> tuple[str, HTTPStatus]:
    """Delete a layer and its features; if it is on maps of others, only with `force=true`."""
    key = parse_key(layer_id, "layer")
    force = _flag("force", default=False)
    with writing(deployment().engine) as connection:
        # Deleting millions of features takes long; the wait for other writers is limited.
        set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT, statement_timeout="5min")
        # From here on the layer is not added to a map nor written to.
        row = find_layer(connection, principal(), key, Action.OWN_LAYER, lock="UPDATE")
        check_if_match(current_version(connection, key))
        # The library is what administrators look after; the web app has no way to send `force`.
        if not force and not (row.is_global and principal().is_admin):
            _refuse_in_use(connection, key)
        folders = folders_of(connection, key) if row.source_type == "geotiff" else []
        run(connection, _DELETE, {"layer": key})
    remove_files(folders)
    return no_content()


def _insert(connection: Connection, layer: LayerCreate, user_id: uuid.UUID) -> uuid.UUID:
    values = {**layer.model_dump(), "source_config": stored_config(layer)}
    statement = insert(Layer).values(created_by=user_id, **values).returning(Layer.id)
    layer_id: uuid.UUID = run(connection, statement).scalar_one()
    if layer.source_type == "vector":
        insert_content(connection, layer_id, layer, user_id)
    return layer_id


def _refuse_in_use(connection: Connection, layer_id: uuid.UUID) -> None:
    """Raise ConflictError when the layer is on a map of another user."""
    values = {"layer": layer_id, "user": principal().user_id}
    count = run(connection, _COUNT_MAPS_OF_OTHERS, values).scalar_one()
    if count:
        maps = "a map" if count == 1 else f"{count} maps"
        raise ConflictError(
            f"The layer is on {maps} of others, who would lose it: ask them to take it off first,"
            " or delete it with force=true."
        )


def _flag(name: str, *, default: bool) -> bool:
    text = single_values(request.args, {name}).get(name)
    return default if text is None else parse_boolean(name, text)
