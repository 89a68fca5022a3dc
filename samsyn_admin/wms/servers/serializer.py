"""Web map servers of the list as JSON, and their layers."""

import uuid
from typing import Any

from sqlalchemy import Connection, Row, Select, Text, cast, select

from samsyn_admin.http.pagination import Page
from samsyn_admin.http.responses import iso, json_text, version_of
from samsyn_admin.http.text_search import MAX_TEXT
from samsyn_model.database.execution import run
from samsyn_model.errors import InvalidParameterError, NotFoundError
from samsyn_model.tables.rasters import WMSServer

_COLUMNS = tuple(column for column in WMSServer.__table__.c if column.name != "capabilities")
_SELECT_LAYERS = """
WITH found AS (
    SELECT layer, place
    FROM wms_servers,
        jsonb_array_elements(capabilities -> 'layers') WITH ORDINALITY AS layers (layer, place)
    WHERE id = %(id)s AND NOT EXISTS (
        SELECT FROM unnest(%(words)s::text[]) AS word
        WHERE concat_ws(
            ' ', layer ->> 'name', layer ->> 'title', layer ->> 'abstract', layer ->> 'keywords'
        ) NOT ILIKE word ESCAPE '/'
    )
),
page AS (SELECT layer, place FROM found ORDER BY place LIMIT %(limit)s OFFSET %(offset)s)
SELECT
    (SELECT count(*) FROM found) AS total,
    (SELECT count(*) FROM page) AS returned,
    (SELECT coalesce(json_agg(layer ORDER BY place), '[]')::text FROM page) AS layers,
    (SELECT capabilities -> 'layers_left_out' FROM wms_servers WHERE id = %(id)s) AS left_out"""


def select_servers() -> Select[Any]:
    """Return the statement of the list, newest first, for `server_document`."""
    return select(*_COLUMNS).order_by(WMSServer.created_at.desc(), WMSServer.id)


def find_server(connection: Connection, server_id: uuid.UUID | None, *, lock: bool = False) -> Any:
    """Return the row of a server, for `server_document`; raises NotFoundError."""
    statement = select(*_COLUMNS).where(WMSServer.id == server_id)
    if lock:
        statement = statement.with_for_update()
    row = run(connection, statement).one_or_none()
    if row is None:
        raise NotFoundError("There is no such web map server.")
    return row


def server_document(row: Row[Any]) -> dict[str, Any]:
    """Return a server as the list has it."""
    return {
        "id": str(row.id),
        "name": row.name,
        "base_url": row.base_url,
        "description": row.description,
        "version": row.version,
        "service_title": row.service_title,
        "service_provider": row.service_provider,
        "layer_count": row.layer_count,
        "cached_at": iso(row.cached_at),
        "created_by": str(row.created_by),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def serialize_server(connection: Connection, server_id: uuid.UUID | None) -> tuple[str, str]:
    """Return a server with its capabilities as JSON, and its version; raises NotFoundError."""
    statement = select(*_COLUMNS, cast(WMSServer.capabilities, Text).label("text"))
    row = run(connection, statement.where(WMSServer.id == server_id)).one_or_none()
    if row is None:
        raise NotFoundError("There is no such web map server.")
    members = json_text(server_document(row))[:-1]
    return f'{members},"capabilities_cache":{row.text}}}', version_of(row.updated_at)


def serialize_layers(
    connection: Connection, server_id: uuid.UUID | None, search: str, page: Page
) -> tuple[str, str, int, int]:
    """Return a page of a server's layers that have all words of a search, as JSON; its version; how
    many layers it has, and how many there are.

    Raises NotFoundError, and InvalidParameterError for a search that is too long.
    """
    if len(search) > MAX_TEXT:
        raise InvalidParameterError(f"A search has up to {MAX_TEXT} characters.")
    row = find_server(connection, server_id)
    words = [f"%{_escaped(word)}%" for word in search.split()]
    values = {"id": row.id, "words": words, "limit": page.limit, "offset": page.offset}
    found = run(connection, _SELECT_LAYERS, values).one()
    members = {
        "server_id": str(row.id),
        "server_name": row.name,
        "base_url": row.base_url,
        "version": row.version,
        "cached_at": iso(row.cached_at),
        "layers_left_out": found.left_out or 0,
    }
    document = f'{json_text(members)[:-1]},"layers":{found.layers}}}'
    return document, version_of(row.updated_at), found.returned, found.total


def _escaped(word: str) -> str:
    return word.replace("/", "//").replace("%", "/%").replace("_", "/_")
