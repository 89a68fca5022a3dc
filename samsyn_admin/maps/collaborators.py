"""`/api/v1/maps/{id}/collaborators`: the collaborators of a map."""

import uuid
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection, Row, Select, delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from samsyn_admin.http.pagination import PAGE_PARAMETERS, parse_page, run_page
from samsyn_admin.http.request_body import read_json, validated
from samsyn_admin.http.responses import (
    check_if_match,
    no_content,
    respond,
    respond_list,
    version_of,
)
from samsyn_admin.http.update_body import read_change
from samsyn_admin.maps.locking import find_user_id, lock_map, map_key, touch_map
from samsyn_admin.maps.schemas import CollaboratorCreate, CollaboratorUpdate
from samsyn_admin.maps.serializer import collaborator_object
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import ConflictError, NotFoundError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import find_map
from samsyn_model.permissions.users import has_not_blocked
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_model.tables.maps import MapCollaborator
from samsyn_model.tables.users import User
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires, spend
from samsyn_provider.query.parameters import parse_uuid, single_values
from samsyn_provider.rates.rate_limits import Rate

bp = Blueprint("collaborators", __name__, url_prefix="/api/v1/maps/<map_id>/collaborators")

_READ_ONLY = frozenset({"id", "user_id", "email", "created_at", "user"})


@bp.get("")
@requires(Action.READ_MAP)
def list_collaborators(map_id: str) -> Response:
    """List a map's collaborators, in the order in which they were added."""
    key = map_key(map_id)
    page = parse_page(single_values(request.args, PAGE_PARAMETERS))
    statement = _select_collaborators(key).order_by(MapCollaborator.created_at, MapCollaborator.id)
    with reading(deployment().engine) as connection:
        find_map(connection, principal(), key, Action.READ_MAP)
        rows, total = run_page(connection, statement, page)
    return respond_list([row.document for row in rows], page, total)


@bp.post("")
@requires(Action.OWN_MAP)
def add_collaborator(map_id: str) -> Response:
    """Add a user to a map, by email or by id.

    One who has blocked the caller is not found.
    """
    spend(Rate.LOOKUPS)
    key = map_key(map_id)
    single_values(request.args, ())
    body = read_json()
    with writing(deployment().engine) as connection:
        map_row = lock_map(connection, principal(), key, Action.OWN_MAP)
        collaborator = validated(CollaboratorCreate, body)
        # who is on the map already stays in sight, and who has blocked whom is not told
        is_there = exists().where(MapCollaborator.map_id == key, MapCollaborator.user_id == User.id)
        user_id = find_user_id(
            connection, collaborator, or_(has_not_blocked(principal()), is_there.correlate(User))
        )
        if user_id == map_row.created_by:
            raise ConflictError("This is the map's owner.")
        _add(connection, key, user_id, collaborator)
        row = _find_collaborator(connection, key, user_id)
        refuse_excess(connection, deployment().settings, (Quota.COLLABORATORS_OF_MAP, key))
    location = f"{public_url()}{request.path.rstrip('/')}/{user_id}"
    return respond(row.document, version_of(row.updated_at), HTTPStatus.CREATED, location)


@bp.get("/<user_id>")
@requires(Action.READ_MAP)
def read_collaborator(map_id: str, user_id: str) -> Response:
    """Return a collaborator of a map."""
    key = map_key(map_id)
    single_values(request.args, ())
    with reading(deployment().engine) as connection:
        find_map(connection, principal(), key, Action.READ_MAP)
        row = _find_collaborator(connection, key, parse_uuid(user_id))
    return respond(row.document, version_of(row.updated_at))


@bp.put("/<user_id>")
@bp.patch("/<user_id>")
@requires(Action.OWN_MAP)
def update_collaborator(map_id: str, user_id: str) -> Response:
    """Change a collaborator's role."""
    key = map_key(map_id)
    single_values(request.args, ())
    body = read_change(_READ_ONLY)
    with writing(deployment().engine) as connection:
        lock_map(connection, principal(), key, Action.OWN_MAP)
        row = _find_collaborator(connection, key, parse_uuid(user_id))
        change = validated(CollaboratorUpdate, {"role": row.role, **body})
        check_if_match(version_of(row.updated_at))
        if change.role != row.role:
            statement = update(MapCollaborator).where(MapCollaborator.id == row.id)
            run(connection, statement.values(role=change.role))
            touch_map(connection, key)
            row = _find_collaborator(connection, key, row.user_id)
    return respond(row.document, version_of(row.updated_at))


@bp.delete("/<user_id>")
@requires(Action.OWN_MAP)
def remove_collaborator(map_id: str, user_id: str) -> tuple[str, HTTPStatus]:
    """Remove a collaborator; the owner may, and the collaborator."""
    key, collaborator_id = map_key(map_id), parse_uuid(user_id)
    single_values(request.args, ())
    is_own = collaborator_id is not None and collaborator_id == principal().user_id
    with writing(deployment().engine) as connection:
        action = Action.LEAVE_MAP if is_own else Action.OWN_MAP
        lock_map(connection, principal(), key, action)
        row = _find_collaborator(connection, key, collaborator_id)
        check_if_match(version_of(row.updated_at))
        run(connection, delete(MapCollaborator).where(MapCollaborator.id == row.id))
        touch_map(connection, key)
    return no_content()


def _select_collaborators(map_id: uuid.UUID) -> Select[Any]:
    return (
        select(MapCollaborator.__table__, collaborator_object(principal()).label("document"))
        .join_from(MapCollaborator, User, User.id == MapCollaborator.user_id)
        .where(MapCollaborator.map_id == map_id)
    )


def _find_collaborator(
    connection: Connection, map_id: uuid.UUID, user_id: uuid.UUID | None
) -> Row[Any]:
    statement = _select_collaborators(map_id).where(MapCollaborator.user_id == user_id)
    row = run(connection, statement).one_or_none()
    if row is None:
        raise NotFoundError("There is no such collaborator on this map.")
    return row


def _add(
    connection: Connection, map_id: uuid.UUID, user_id: uuid.UUID, collaborator: CollaboratorCreate
) -> None:
    values = {
        "map_id": map_id,
        "user_id": user_id,
        "role": collaborator.role,
        "invited_by": principal().user_id,
        "invited_email": collaborator.email,
    }
    statement = insert(MapCollaborator).values(values).on_conflict_do_nothing()
    if run(connection, statement.returning(MapCollaborator.id)).one_or_none() is None:
        raise ConflictError("This user is already a collaborator of the map.")
    touch_map(connection, map_id)
