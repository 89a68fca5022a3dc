"""What has been made, changed and deleted in a layer between two moments."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from samsyn_model.database.execution import run
from samsyn_model.errors import InvalidParameterError
from samsyn_provider.collections.collection import Collection
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.http import links
from samsyn_provider.http.media_types import GEOJSON
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.parameters import parse_boolean, parse_limit, single_values
from samsyn_provider.query.position import decode_position, encode_position
from samsyn_provider.versions.change_statements import select_changes
from samsyn_provider.versions.parameters import moment_text
from samsyn_provider.versions.states import moment_of, state_of

_PARAMETERS = frozenset({"f", "since", "until", "limit", "after", "crs", "former"})
DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
_LAST = """
SELECT committed_at FROM layer_change_sets WHERE layer_id = %(layer)s
ORDER BY committed_at DESC LIMIT 1"""


def changes_document(
    connection: Connection,
    collection: Collection,
    arguments: MultiDict[str, str],
    media_type: str,
) -> tuple[str, dict[str, str]]:
    """Return a page of a layer's changes as JSON, in the order of the features' ids, and its
    headers.

    `made` and `changed` are the features as they are at the end of the time, `deleted` the ids of
    others; with `former` there are those of the last two as they were at its beginning. As GeoJSON
    it is one collection of them all, the deleted ones as they were: each has its `change`, and what
    it was as `former`. What was changed and changed back is not among them. Raises
    InvalidParameterError; NotFoundError where there is no history of that time, or no such change
    set of the layer.
    """
    values = single_values(arguments, _PARAMETERS)
    if "since" not in values:
        raise InvalidParameterError("since is needed: a moment, or the number of a change set.")
    since = moment_of(connection, collection, "since", values["since"])
    last = run(connection, _LAST, {"layer": collection.id}).scalar()
    until = (
        moment_of(connection, collection, "until", values["until"]) if "until" in values else last
    )
    if until is not None and until < since and "until" in values:
        raise InvalidParameterError("until is before since.")
    crs = reference_system(values.get("crs", CRS84), "crs", collection.crs)
    query = ItemsQuery(
        crs=crs,
        limit=parse_limit(values, DEFAULT_LIMIT, MAX_LIMIT),
        after=decode_position(values.get("after"), 0),
    )
    is_collection = media_type == GEOJSON
    has_former = parse_boolean("former", values.get("former", "true" if is_collection else "false"))
    reads_former = has_former or is_collection
    before = state_of(connection, collection, since)
    rows: Sequence[Any] = ()
    if until is not None and until > since:
        after = state_of(connection, collection, until)
        if after.committed_at != before.committed_at:
            statement = select_changes(before, after, query, collection.names, reads_former)
            rows = run(connection, statement.text, statement.values).all()
    end = moment_text(max(since, until) if until else since)
    fitting = [row for row in rows if row.fits]
    document_links = [links.link("self", media_type, "These changes", links.request_url())]
    if len(fitting) < len(rows):
        position = encode_position(json.dumps([fitting[-1].id]))
        document_links.append(links.page_link(media_type, "next", after=position, until=end))
    document_links.append(links.collection_link(collection.id, collection.title))
    members = {
        "since": moment_text(since),
        "until": end,
        "numberReturned": len(fitting),
        "links": document_links,
    }
    headers = {"Content-Crs": f"<{crs.uri}>", **links.header(document_links)}
    if is_collection:
        features = [_changed_feature(row, has_former=has_former) for row in fitting]
        return _text({"features": features}, {"type": "FeatureCollection", **members}), headers
    arrays = {
        "made": [row.feature for row in fitting if row.kind == "made"],
        "changed": [row.feature for row in fitting if row.kind == "changed"],
        "deleted": [str(row.id) for row in fitting if row.kind == "deleted"],
    }
    if has_former:
        arrays["former"] = [row.former for row in fitting if row.kind != "made"]
    return _text(arrays, members), headers


def _changed_feature(row: Any, *, has_former: bool) -> str:
    """Return a row of `select_changes` as one feature: as it was where it is not there any more."""
    feature = row.former if row.kind == "deleted" else row.feature
    former = f',"former":{row.former or "null"}' if has_former else ""
    return f'{feature[:-1]},"change":"{row.kind}"{former}}}'


def _text(arrays: Mapping[str, Iterable[str]], members: Mapping[str, Any]) -> str:
    """Return the JSON of a document with arrays of values that are JSON already."""
    parts = (f'"{name}":[{",".join(values)}]' for name, values in arrays.items())
    others = json.dumps(members, ensure_ascii=False, separators=(",", ":"))[1:]
    return "{" + ",".join(parts) + "," + others
