"""The change sets of a layer: who has changed its features, when, by which way, how many."""

import json
import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from samsyn_model.database.execution import run
from samsyn_model.history.horizons import HORIZON
from samsyn_model.identity.names import display_name
from samsyn_provider.collections.collection import Collection
from samsyn_provider.http import links
from samsyn_provider.http.links import Link
from samsyn_provider.http.media_types import GEOJSON, JSON
from samsyn_provider.query.parameters import parse_limit, single_values
from samsyn_provider.query.position import decode_position, encode_position
from samsyn_provider.versions.parameters import moment_text

_PARAMETERS = frozenset({"f", "limit", "after"})
DEFAULT_LIMIT = 50
MAX_LIMIT = 500

PERSON = f"""
    users.id AS person_id, {display_name("users")} AS person_name"""
"""The columns of who made a change set, as layers name their creators to those who may not see the
email: whose account was deleted has no name."""

_PAGE = f"""
SELECT page.*, change_sets.via, change_sets.message, {PERSON}, ({HORIZON}) AS begins_at
FROM (
    SELECT change_set_id, committed_at, inserted, updated, deleted FROM layer_change_sets
    WHERE layer_id = %(layer)s AND (%(after)s::bigint IS NULL OR committed_at < (
        SELECT committed_at FROM layer_change_sets
        WHERE layer_id = %(layer)s AND change_set_id = %(after)s))
    ORDER BY committed_at DESC LIMIT %(limit)s + 1
) AS page
LEFT JOIN change_sets ON change_sets.id = page.change_set_id
LEFT JOIN users ON users.id = change_sets.user_id
ORDER BY page.committed_at DESC"""


def change_sets_document(
    connection: Connection,
    collection: Collection,
    arguments: MultiDict[str, str],
    media_type: str,
) -> dict[str, Any]:
    """Return a page of a layer's change sets, the last one first, in one statement.

    Raises InvalidParameterError.
    """
    values = single_values(arguments, _PARAMETERS)
    limit = parse_limit(values, DEFAULT_LIMIT, MAX_LIMIT)
    after = decode_position(values.get("after"), 0)
    key = None if after is None else after.values[-1]
    bound = {"layer": collection.id, "after": key, "limit": limit}
    rows = run(connection, _PAGE, bound).all()
    shown = rows[:limit]
    document_links = links.self_links(media_type, JSON, "These change sets")
    if len(rows) > limit:
        position = encode_position(json.dumps([shown[-1].change_set_id]))
        document_links.append(links.page_link(media_type, "next", after=position))
    document_links.append(links.collection_link(collection.id, collection.title))
    return {
        "changeSets": [_entry(collection.id, row) for row in shown],
        "numberReturned": len(shown),
        "links": document_links,
    }


def _entry(layer_id: uuid.UUID, row: Any) -> dict[str, Any]:
    return {
        **described(row.change_set_id, row),
        "time": moment_text(row.committed_at),
        "made": row.inserted,
        "changed": row.updated,
        "deleted": row.deleted,
        "links": _links(layer_id, row),
    }


def described(change_set: int, row: Any) -> dict[str, Any]:
    """Return a change set: its number, its way, its message, and who made it, by their columns."""
    person = None
    if row.person_id is not None:
        person = {"id": str(row.person_id), "name": row.person_name}
    return {"id": change_set, "via": row.via, "message": row.message, "person": person}


def _links(layer_id: uuid.UUID, row: Any) -> list[Link]:
    """Return the links to what the change set has changed: no two of a layer are at one moment.

    There are none where what was before it is not kept.
    """
    before = row.committed_at - timedelta(microseconds=1)
    if row.begins_at is not None and before < row.begins_at:
        return []
    url = f"{links.collection_url(layer_id)}/changes"
    span = {"since": moment_text(before), "until": row.change_set_id}
    return [
        links.link("changes", JSON, "What it has changed", links.url_with(url, span)),
        links.link(
            "changes",
            GEOJSON,
            "What it has changed, as features",
            links.url_with(url, {**span, "f": "geojson"}),
        ),
    ]
