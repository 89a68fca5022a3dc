"""The capabilities of the servers of the list: fetched, stored, renewed when they are a day old."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update
from sqlalchemy.dialects.postgresql import insert

from samsyn_admin.outgoing.callers import Caller
from samsyn_admin.wms.capabilities import CapabilitiesOfServers
from samsyn_admin.wms.servers.serializer import find_server
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import (
    ConflictError,
    InvalidParameterError,
    NotConfiguredError,
    RemoteServerError,
    TooManyRequestsError,
)
from samsyn_model.tables.rasters import WMSServer
from samsyn_provider.http.deployment import deployment

_OLD = timedelta(days=1)
_PAUSE = timedelta(minutes=5)  # between two tries to renew what is old


def fetch(servers: CapabilitiesOfServers, base_url: str, caller: Caller) -> dict[str, Any]:
    """Return the columns of a server that its capabilities give.

    Raises InvalidParameterError, with the reason, where they cannot be had; TooManyRequestsError,
    NotConfiguredError.
    """
    try:
        document = json.loads(servers.newest(base_url, caller))
    except RemoteServerError as error:
        raise InvalidParameterError(error.detail) from error
    return {
        "version": document["version"],
        "service_title": document["service_title"],
        "service_provider": document["service_provider"],
        "layer_count": len(document["layers"]),
        "capabilities": document,
        "cached_at": datetime.now(UTC),
    }


def insert_server(connection: Connection, values: dict[str, Any]) -> uuid.UUID:
    """Insert a server; raises ConflictError where its address is in the list already."""
    statement = insert(WMSServer).values(values).on_conflict_do_nothing()
    server_id: uuid.UUID | None = run(
        connection, statement.returning(WMSServer.id)
    ).scalar_one_or_none()
    if server_id is None:
        raise ConflictError("A server with this address is in the list already.")
    return server_id


def store(connection: Connection, server_id: uuid.UUID, values: dict[str, Any]) -> None:
    """Store what `fetch` has returned."""
    run(connection, update(WMSServer).where(WMSServer.id == server_id).values(values))


def renew_old(servers: CapabilitiesOfServers, server_id: uuid.UUID | None, caller: Caller) -> None:
    """Renew the capabilities of a server that are older than a day; without an answer they stay.

    Raises NotFoundError.
    """
    with reading(deployment().engine) as connection:
        row = find_server(connection, server_id)
    tried = f"wms:renewal:{row.id}"
    if row.cached_at > datetime.now(UTC) - _OLD or servers.kept.get(tried) is not None:
        return
    servers.kept.put(tried, b"", _PAUSE, _PAUSE)
    try:
        values = fetch(servers, row.base_url, caller)
    except (InvalidParameterError, TooManyRequestsError, NotConfiguredError):
        return
    with writing(deployment().engine) as connection:
        store(connection, row.id, values)
