"""`/api/v1/maps/{id}/events`, `/api/v1/layers/{id}/events`: streams of events, and tickets."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Connection

from samsyn_admin.http.responses import iso
from samsyn_admin.live.handover import HANDS_OVER, Admission, HandOver
from samsyn_model.database.transactions import reading
from samsyn_model.errors import (
    CredentialsError,
    EventsUnavailableError,
    InvalidParameterError,
    NotConfiguredError,
)
from samsyn_model.identity.api_tokens import hash_token
from samsyn_model.identity.tickets import expiry, make_ticket, ticket_holder
from samsyn_model.live.rights import SubjectKind
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import find_layer, find_map
from samsyn_model.permissions.principal import Principal
from samsyn_provider.http.browser_session import browser_session, sent_cookie
from samsyn_provider.http.deployment import client_address, deployment, public_url
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.http.links import has_events
from samsyn_provider.http.media_types import EVENTS
from samsyn_provider.query.parameters import parse_key, single_values

bp = Blueprint("live", __name__, url_prefix="/api/v1")

PROFILES = ("cloudevents", "origo")

_TICKETS = "events"  # the action of tickets for streams
_TICKET_LIFE, _TICKET_STEP = timedelta(seconds=90), timedelta(seconds=30)
_SESSION_LIFE = 15 * 60  # seconds of a stream by a session of Clerk, whose end nobody tells us
_RETRY = b"retry: 3000\n\n"  # milliseconds after which a client connects again
_CHANGE_SET = re.compile(r"[0-9]{1,18}")


@bp.get("/layers/<layer_id>/events")
@requires(Action.FOLLOW_LAYER)
def follow_layer(layer_id: str) -> Response:
    """Stream the changes of a layer: its features, its definition, comments on it."""
    return _stream("layer", parse_key(layer_id, "layer"), _find_layer, PROFILES)


@bp.post("/layers/<layer_id>/events/ticket")
@requires(Action.FOLLOW_LAYER)
def create_layer_ticket(layer_id: str) -> Response:
    """Make a ticket with which a browser's EventSource follows a layer."""
    return _ticket(parse_key(layer_id, "layer"), _find_layer)


@bp.get("/maps/<map_id>/events")
@requires(Action.FOLLOW_MAP)
def follow_map(map_id: str) -> Response:
    """Stream the changes of a map, and of those of its layers that the caller may read."""
    return _stream("map", parse_key(map_id, "map"), _find_map, PROFILES[:1])


@bp.post("/maps/<map_id>/events/ticket")
@requires(Action.FOLLOW_MAP)
def create_map_ticket(map_id: str) -> Response:
    """Make a ticket with which a browser's EventSource follows a map."""
    return _ticket(parse_key(map_id, "map"), _find_map)


type _Find = Callable[[Connection, Principal, uuid.UUID], Any]


def _find_layer(connection: Connection, holder: Principal, layer_id: uuid.UUID) -> Any:
    return find_layer(connection, holder, layer_id, Action.FOLLOW_LAYER, all_columns=False)


def _find_map(connection: Connection, holder: Principal, map_id: uuid.UUID) -> Any:
    return find_map(connection, holder, map_id, Action.FOLLOW_MAP)


def _ticket(subject: uuid.UUID, find: _Find) -> Response:
    single_values(request.args, ())
    holder, expires_at = principal(), expiry(_TICKET_LIFE, _TICKET_STEP)
    with reading(deployment().engine) as connection:
        find(connection, holder, subject)
        _refuse_where_off()
        ticket = make_ticket(connection, holder, _TICKETS, subject, expires_at)
    response = jsonify(ticket=ticket, expires_at=iso(expires_at))
    response.headers["Cache-Control"] = "no-store"
    return response


def _stream(
    kind: SubjectKind, subject: uuid.UUID, find: _Find, profiles: tuple[str, ...]
) -> Response:
    values = single_values(request.args, {"ticket", "profile", "last-event-id"})
    profile = values.get("profile", profiles[0])
    if profile not in profiles:
        raise InvalidParameterError(f"profile is one of {', '.join(profiles)} here.")
    last = _last_change_set(values)
    with reading(deployment().engine) as connection:
        holder = _holder(connection, values.get("ticket"), subject)
        find(connection, holder, subject)
    session = None if "ticket" in values or browser_session() is None else sent_cookie()
    is_temporary = holder.user_id is not None and holder.token_id is None and session is None
    admission = Admission(
        kind,
        str(subject),
        None if holder.user_id is None else str(holder.user_id),
        None if holder.token_id is None else str(holder.token_id),
        None if session is None else hash_token(session).hex(),
        client_address() if holder.user_id is None else str(holder.user_id),
        public_url(),
        profile,
        last,
        _SESSION_LIFE if is_temporary else None,
    )
    companion = _companion()
    if request.method == "GET":
        request.environ[HANDS_OVER] = HandOver(companion, admission)
    response = Response(iter([_RETRY]), mimetype=EVENTS)  # of no known length
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx passes on what comes as it comes
    return response


def _last_change_set(values: dict[str, str]) -> int | None:
    """Return the change set that the client had last: the header is newer than the address."""
    given = (request.headers.get("Last-Event-ID"), values.get("last-event-id"))
    texts = [text for text in given if text]
    if not all(_CHANGE_SET.fullmatch(text) for text in texts):
        raise InvalidParameterError("Last-Event-ID is the id of an event of this stream.")
    return int(texts[0]) if texts else None


def _holder(connection: Connection, ticket: str | None, subject: uuid.UUID) -> Principal:
    if ticket is None:
        return principal()
    holder = ticket_holder(connection, ticket, _TICKETS, subject)
    if holder is None:
        raise CredentialsError("The ticket is not valid here, or not any more: ask for another.")
    return holder


def _refuse_where_off() -> None:
    if not has_events():
        raise NotConfiguredError("Live events are switched off at this server.")


def _companion() -> str:
    """Return the Unix socket of the companion."""
    _refuse_where_off()
    path = deployment().settings.live_socket
    if path is None or "gunicorn.socket" not in request.environ:
        raise EventsUnavailableError("Live events are sent by `samsyn serve` alone.")
    return path
