"""`/api/v1/maps`: maps with their collaborators and layers."""

import uuid
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection, Row, Select, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_update

from samsyn_admin.http.pagination import PAGE_PARAMETERS, parse_page, run_page
from samsyn_admin.http.request_body import read_json, validated
from samsyn_admin.http.responses import (
    check_if_match,
    no_content,
    respond,
    respond_list,
    version_of,
)
from samsyn_admin.http.text_search import has_words
from samsyn_admin.http.update_body import merge_patch, read_change, same_json
from samsyn_admin.maps.locking import find_user_id, lock_map, lock_ownerless_map, map_key
from samsyn_admin.maps.schemas import MapCreate, Person
from samsyn_admin.maps.serializer import serialize_map, serialize_maps
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import ConflictError, NotFoundError, PermissionDeniedError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.maps import owned_maps, readable_maps
from samsyn_model.permissions.principal import Principal
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map, MapCollaborator, MapLayer
from samsyn_model.tables.users import User
from samsyn_provider.collections.comments import comments_link
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires, spend_search
from samsyn_provider.http.links import events_url, has_events
from samsyn_provider.http.media_types import EVENTS
from samsyn_provider.query.parameters import parse_boolean, single_values

bp = Blueprint("maps", __name__, url_prefix="/api/v1/maps")

_READ_ONLY = frozenset(
    {
        *("id", "created_by", "creator", "created_at", "updated_at"),
        *("collaborators", "map_layers", "user_role"),
    }
)
_SETTABLE = tuple(MapCreate.model_fields)
_OWNER_ONLY = frozenset({"view_permission", "edit_permission"})


@bp.get("")
@requires(Action.READ_MAP)
def list_maps() -> Response:
    """List the maps that the caller may read, with their layers, last changed first."""
    values = single_values(request.args, {*PAGE_PARAMETERS, "mine", "q", "inline"})
    page, inline = parse_page(values), parse_boolean("inline", values.get("inline", "true"))
    mine = parse_boolean("mine", values.get("mine", "false"))
    if "q" in values:
        spend_search()
    statement = _select_ids(principal(), values.get("q", ""), mine=mine)
    with reading(deployment().engine) as connection:
        rows, total = run_page(connection, statement, page)
        texts = serialize_maps(connection, principal(), [row.id for row in rows], inline=inline)
    return respond_list(texts, page, total)


@bp.post("")
@requires(Action.SIGNED_IN)
def create_map() -> Response:
    """Create a map."""
    single_values(request.args, ())
    user_id = require_user(principal())
    body = validated(MapCreate, read_json())
    values = {**body.model_dump(), "created_by": user_id}
    with writing(deployment().engine) as connection:
        map_id = run(connection, insert(Map).values(values).returning(Map.id)).scalar_one()
        serialized = serialize_map(connection, principal(), map_id, inline=True)
        refuse_excess(connection, deployment().settings, (Quota.MAPS_OF_USER, user_id))
    return respond(*serialized, HTTPStatus.CREATED, f"{public_url()}{bp.url_prefix}/{map_id}")


@bp.get("/<map_id>")
@requires(Action.READ_MAP)
def read_map(map_id: str) -> Response:
    """Return a map as the caller may read it; `inline=false` leaves features out."""
    key, inline = map_key(map_id), _inline()
    with reading(deployment().engine) as connection:
        response = respond(*serialize_map(connection, principal(), key, inline=inline))
    comments = comments_link("map", key)
    linked = [f'<{comments["href"]}>; rel="comments"; type="{comments["type"]}"']
    if has_events():
        linked.append(f'<{events_url("maps", key)}>; rel="hub"; type="{EVENTS}"')
    response.headers["Link"] = ", ".join(linked)
    return response


@bp.put("/<map_id>")
@bp.patch("/<map_id>")
@requires(Action.CHANGE_MAP)
def update_map(map_id: str) -> Response:
    """Change the members of a map in the body; PATCH merges objects (RFC 7396)."""
    key, inline = map_key(map_id), _inline()
    body = read_change(_READ_ONLY)
    with writing(deployment().engine) as connection:
        _change(connection, key, body)
        return respond(*serialize_map(connection, principal(), key, inline=inline))


@bp.delete("/<map_id>")
@requires(Action.OWN_MAP)
def delete_map(map_id: str) -> tuple[str, HTTPStatus]:
    """Delete a map with its comments and links; its layers stay."""
    key = map_key(map_id)
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        map_row = lock_map(connection, principal(), key, Action.OWN_MAP)
        check_if_match(version_of(map_row.updated_at))
        run(connection, delete(Map).where(Map.id == key))
    return no_content()


@bp.put("/<map_id>/owner")
@requires(Action.OWN_MAP)
def give_map(map_id: str) -> Response | tuple[str, HTTPStatus]:
    """Transfer a map to one of its collaborators; the former owner becomes an editor.

    An administrator transfers a map whose owner's account has been deleted to any user.
    """
    key = map_key(map_id)
    single_values(request.args, ())
    body = read_json()
    with writing(deployment().engine) as connection:
        ownerless = lock_ownerless_map(connection, principal(), key)
        map_row = ownerless or lock_map(connection, principal(), key, Action.OWN_MAP)
        new_owner = validated(Person, body)
        check_if_match(version_of(map_row.updated_at))
        user_id = _new_owner(connection, map_row, new_owner, is_ownerless=ownerless is not None)
        if user_id != map_row.created_by:
            _refuse_to_publish(connection, map_row, user_id)
            former = None if ownerless else map_row.created_by
            _transfer(connection, key, former=former, owner=user_id)
            refuse_excess(connection, deployment().settings, (Quota.MAPS_OF_USER, user_id))
        try:
            return respond(*serialize_map(connection, principal(), key, inline=True))
        except NotFoundError:  # administrators read no private map
            return no_content()


def _select_ids(principal: Principal, search: str, *, mine: bool) -> Select[Any]:
    statement = select(Map.id).where(readable_maps(principal), has_words(Map, search))
    if mine:
        statement = statement.where(owned_maps(principal))
    return statement.order_by(Map.updated_at.desc(), Map.id)


def _change(connection: Connection, map_id: uuid.UUID, body: dict[str, Any]) -> None:
    row = lock_map(connection, principal(), map_id, Action.CHANGE_MAP)
    stored = {name: getattr(row, name) for name in _SETTABLE}
    if request.method == "PATCH":
        body = {name: merge_patch(stored.get(name), value) for name, value in body.items()}
    values = validated(MapCreate, {**stored, **body}).model_dump()
    check_if_match(version_of(row.updated_at))
    changed = {name: value for name, value in values.items() if not same_json(value, stored[name])}
    if not _OWNER_ONLY.isdisjoint(changed) and row.created_by != principal().user_id:
        raise PermissionDeniedError(f"You may not {Action.OWN_MAP.value}.")
    if changed:
        run(connection, update(Map).where(Map.id == map_id).values(changed))


def _new_owner(
    connection: Connection, map_row: Row[Any], person: Person, *, is_ownerless: bool
) -> uuid.UUID:
    """Return the id of who is to own a map: nobody is given one unasked.

    Raises ConflictError for anybody but a collaborator, in the same words whether they have an
    account or not, which is not the owner's business; of a map without an owner NotFoundError.
    """
    if is_ownerless:
        return find_user_id(connection, person)
    is_collaborator = exists().where(
        MapCollaborator.map_id == map_row.id, MapCollaborator.user_id == User.id
    )
    may_own = or_(User.id == map_row.created_by, is_collaborator)
    try:
        return find_user_id(connection, person, may_own)
    except NotFoundError as error:
        raise ConflictError(
            "Only a collaborator can become the owner: invite this person to the map first."
        ) from error


def _refuse_to_publish(connection: Connection, map_row: Row[Any], owner: uuid.UUID) -> None:
    """Raise ConflictError when a new owner's private layers would become public.

    Readers of a public map read its owner's layers; only their creator may publish them.
    """
    private_layers = (Layer.created_by == owner, Layer.visibility == "private", ~Layer.is_global)
    count = select(func.count()).join_from(MapLayer, Layer, Layer.id == MapLayer.layer_id)
    statement = count.where(MapLayer.map_id == map_row.id, *private_layers)
    if map_row.view_permission == "public" and run(connection, statement).scalar_one():
        raise ConflictError(
            "The map is public and has private layers of the new owner, which would become public:"
            " make the map private or remove these layers first."
        )


def _transfer(
    connection: Connection, map_id: uuid.UUID, *, former: uuid.UUID | None, owner: uuid.UUID
) -> None:
    run(connection, update(Map).where(Map.id == map_id).values(created_by=owner))
    former_role = (MapCollaborator.map_id == map_id, MapCollaborator.user_id == owner)
    run(connection, delete(MapCollaborator).where(*former_role))
    if former is None:
        return
    collaborator = {"map_id": map_id, "user_id": former, "role": "editor", "invited_by": owner}
    statement = insert_or_update(MapCollaborator).values(collaborator)
    run(
        connection,
        statement.on_conflict_do_update(
            index_elements=["map_id", "user_id"], set_={"role": "editor"}
        ),
    )


def _inline() -> bool:
    return parse_boolean("inline", single_values(request.args, {"inline"}).get("inline", "true"))
