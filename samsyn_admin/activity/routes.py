"""`/api/v1/maps/{id}/activity`, `/api/v1/layers/{id}/activity`, `/api/v1/audit`: what happened."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import batched, chain

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from samsyn_admin.activity.documents import csv_parts, line_document, ndjson_parts
from samsyn_admin.activity.lines import Line
from samsyn_admin.activity.query import parse_activity_query
from samsyn_admin.activity.reading import ActivityPage, read_all, read_page
from samsyn_admin.http.responses import json_text
from samsyn_model.database.transactions import readable, reading
from samsyn_model.history.changes import AUDIT_KINDS, KINDS
from samsyn_model.history.scopes import Scope, scope_of_layer, scope_of_map
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_administrator
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import principal, requires, spend_search
from samsyn_provider.http.links import bounded_header, request_url
from samsyn_provider.http.media_types import CSV, JSON, NDJSON, negotiate_offered
from samsyn_provider.query.parameters import parse_key
from samsyn_provider.query.position import encode_position

bp = Blueprint("activity", __name__, url_prefix="/api/v1")

MEDIA_TYPES = {"json": JSON, "ndjson": NDJSON, "csv": CSV}

_PART = 100  # lines that are sent together
_FILES: dict[str, tuple[str, Callable[[Iterable[Line]], Iterator[str]]]] = {
    NDJSON: ("ndjson", ndjson_parts),
    CSV: ("csv", csv_parts),
}


@bp.get("/layers/<layer_id>/activity")
@requires(Action.READ_LAYER)
def layer_activity(layer_id: str) -> Response:
    """Return what happened to a layer, the newest first: its features, its definition, comments."""
    reader, key = principal(), parse_key(layer_id, "layer")
    return _respond(lambda connection: scope_of_layer(connection, reader, key), KINDS)


@bp.get("/maps/<map_id>/activity")
@requires(Action.READ_MAP)
def map_activity(map_id: str) -> Response:
    """Return what happened to a map and to those of its layers that the caller may read."""
    reader, key = principal(), parse_key(map_id, "map")
    return _respond(lambda connection: scope_of_map(connection, reader, key), KINDS)


@bp.get("/audit")
@requires(Action.READ_AUDIT)
def audit() -> Response:
    """Return, for administrators, what happened to all that is public, and in administration."""
    require_administrator(principal(), Action.READ_AUDIT)
    scope = Scope("audit", principal())
    return _respond(lambda _: scope, AUDIT_KINDS)


def _respond(find: Callable[[Connection], Scope], kinds: tuple[str, ...]) -> Response:
    """Return a page, or as NDJSON and CSV without a limit all, read while it is sent."""
    engine = readable(deployment().engine)

    @contextmanager
    def opened() -> Iterator[tuple[Connection, Scope]]:
        with reading(engine) as connection:
            yield connection, find(connection)

    with opened() as (connection, scope):
        media_type = negotiate_offered(MEDIA_TYPES)
        query = parse_activity_query(request.args, kinds)
        spend_search()
        if media_type == JSON or query.limit is not None:
            page = read_page(lambda: nullcontext((connection, scope)), query)
            return _respond_page(page, media_type)
    lines = read_all(opened, query) if request.method == "GET" else iter(())
    return _respond_file(lines, media_type)


def _respond_page(page: ActivityPage, media_type: str) -> Response:
    if media_type == JSON:
        text = json_text([line_document(line) for line in page.lines])
        response = _private(Response(text, content_type=JSON))
    else:
        response = _respond_file(iter(page.lines), media_type)
    if page.next_before is not None:
        position = encode_position(json_text([page.next_before]))
        response.headers.update(bounded_header([f'<{request_url(after=position)}>; rel="next"']))
    return response


def _respond_file(lines: Iterator[Line], media_type: str) -> Response:
    extension, parts_of = _FILES[media_type]
    parts = ("".join(parts) for parts in batched(parts_of(lines), _PART))
    # an error in the first part can still become a problem document
    response = Response(chain([next(parts, "")], parts), content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="activity.{extension}"'
    return _private(response)


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept, Authorization"
    return response
