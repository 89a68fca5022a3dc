"""`/api/v1/wms-servers`: web map servers to choose from, which administrators keep."""

import uuid
from http import HTTPStatus

from flask import Blueprint, Response, request
from sqlalchemy import delete, exists, func, select, update

from samsyn_admin.http.pagination import (
    PAGE_PARAMETERS,
    Page,
    page_headers,
    parse_page,
    run_page,
)
from samsyn_admin.http.request_body import read_json, refuse_content, validated
from samsyn_admin.http.responses import (
    check_if_match,
    no_content,
    respond,
    respond_list,
    version_of,
)
from samsyn_admin.http.update_body import read_change
from samsyn_admin.wms.addresses import base_address
from samsyn_admin.wms.admission import requesting_caller
from samsyn_admin.wms.documents.capabilities import MAX_LAYERS
from samsyn_admin.wms.routes import servers
from samsyn_admin.wms.servers.capabilities import fetch, insert_server, renew_old, store
from samsyn_admin.wms.servers.schemas import READ_ONLY, WMSServerCreate, WMSServerUpdate
from samsyn_admin.wms.servers.serializer import (
    find_server,
    select_servers,
    serialize_layers,
    serialize_server,
    server_document,
)
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import ConflictError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_administrator
from samsyn_model.tables.rasters import WMSServer
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.query.parameters import parse_uuid, single_values

bp = Blueprint("wms_servers", __name__, url_prefix="/api/v1/wms-servers")


@bp.get("")
@requires(Action.ASK_SERVERS)
def list_servers() -> Response:
    """List the web map servers to choose from, newest first."""
    page = parse_page(single_values(request.args, PAGE_PARAMETERS))
    with reading(deployment().engine) as connection:
        rows, total = run_page(connection, select_servers(), page)
    return respond_list([server_document(row) for row in rows], page, total)


@bp.post("")
@requires(Action.KEEP_SERVERS)
def add_server() -> Response:
    """Add a web map server to the list, once its capabilities have been fetched."""
    user_id = require_administrator(principal(), Action.KEEP_SERVERS)
    single_values(request.args, ())
    body = validated(WMSServerCreate, read_json())
    base_url = base_address(body.base_url)
    with reading(deployment().engine) as connection:
        is_there = exists().where(func.md5(WMSServer.base_url) == func.md5(base_url))
        if run(connection, select(is_there)).scalar_one():
            raise ConflictError("A server with this address is in the list already.")
    values = fetch(servers(), base_url, requesting_caller())
    values |= {**body.model_dump(), "base_url": base_url, "created_by": user_id}
    with writing(deployment().engine) as connection:
        server_id = insert_server(connection, values)
        serialized = serialize_server(connection, server_id)
    return respond(*serialized, HTTPStatus.CREATED, f"{public_url()}{bp.url_prefix}/{server_id}")


@bp.get("/<server_id>")
@requires(Action.ASK_SERVERS)
def read_server(server_id: str) -> Response:
    """Return a web map server with its capabilities."""
    single_values(request.args, ())
    key = parse_uuid(server_id)
    renew_old(servers(), key, requesting_caller())
    with reading(deployment().engine) as connection:
        return respond(*serialize_server(connection, key))


@bp.put("/<server_id>")
@bp.patch("/<server_id>")
@requires(Action.KEEP_SERVERS)
def update_server(server_id: str) -> Response:
    """Change the name or the description of a web map server."""
    single_values(request.args, ())
    key = _kept_by_caller(server_id)
    change = validated(WMSServerUpdate, read_change(READ_ONLY)).model_dump(exclude_unset=True)
    with writing(deployment().engine) as connection:
        row = find_server(connection, key, lock=True)
        check_if_match(version_of(row.updated_at))
        if any(getattr(row, name) != value for name, value in change.items()):
            run(connection, update(WMSServer).where(WMSServer.id == key).values(change))
        return respond(*serialize_server(connection, key))


@bp.delete("/<server_id>")
@requires(Action.KEEP_SERVERS)
def remove_server(server_id: str) -> tuple[str, HTTPStatus]:
    """Remove a web map server from the list; layers made from it stay."""
    single_values(request.args, ())
    key = _kept_by_caller(server_id)
    with writing(deployment().engine) as connection:
        row = find_server(connection, key, lock=True)
        check_if_match(version_of(row.updated_at))
        run(connection, delete(WMSServer).where(WMSServer.id == key))
    return no_content()


@bp.post("/<server_id>/refresh")
@requires(Action.SIGNED_IN)
def refresh_server(server_id: str) -> Response:
    """Fetch the capabilities of a web map server again; the old ones stay where that fails."""
    single_values(request.args, ())
    refuse_content()
    with reading(deployment().engine) as connection:
        row = find_server(connection, parse_uuid(server_id))
    check_if_match(version_of(row.updated_at))
    values = fetch(servers(), row.base_url, requesting_caller())
    with writing(deployment().engine) as connection:
        store(connection, row.id, values)
        return respond(*serialize_server(connection, row.id))


@bp.get("/<server_id>/layers")
@requires(Action.ASK_SERVERS)
def list_server_layers(server_id: str) -> Response:
    """Return the layers of a web map server, of which `q` names words; all without a limit."""
    values = single_values(request.args, {*PAGE_PARAMETERS, "q"})
    page = parse_page(values)
    if "limit" not in values:
        page = Page(MAX_LAYERS, page.offset)
    key = parse_uuid(server_id)
    renew_old(servers(), key, requesting_caller())
    with reading(deployment().engine) as connection:
        document, version, returned, total = serialize_layers(
            connection, key, values.get("q", ""), page
        )
    response = respond(document, version)
    response.headers.update(page_headers(page, returned, total))
    return response


def _kept_by_caller(server_id: str) -> uuid.UUID:
    """Return the id of a server that the caller may change.

    Raises NotFoundError, CredentialsError, and PermissionDeniedError for all but administrators.
    """
    with reading(deployment().engine) as connection:
        row = find_server(connection, parse_uuid(server_id))
    require_administrator(principal(), Action.KEEP_SERVERS)
    key: uuid.UUID = row.id
    return key
