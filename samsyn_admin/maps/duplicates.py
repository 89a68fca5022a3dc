"""`/api/v1/maps/{id}/duplicate`: copies of maps."""

import uuid
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection, Row, and_, insert, or_, select

from samsyn_admin.http.request_body import read_json, validated
from samsyn_admin.http.responses import json_text, respond
from samsyn_admin.maps.locking import map_key
from samsyn_admin.maps.schemas import MapDuplicate
from samsyn_admin.maps.serializer import serialize_map
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import writing
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.layers import owned_by, readable_layers
from samsyn_model.permissions.lookup import find_map
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map, MapLayer
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.query.parameters import single_values

bp = Blueprint("map_duplicates", __name__, url_prefix="/api/v1/maps")

_MAP_COLUMNS = ("description", "center_lat", "center_lng", "zoom", "map_metadata")
_MAP_LAYER_COLUMNS = ("layer_id", "visible", "opacity", "style_override")
_MAX_NAME_LENGTH = 255


@bp.post("/<map_id>/duplicate")
@requires(Action.COPY_MAP)
def duplicate_map(map_id: str) -> Response:
    """Copy a map as a private map of the caller, with its layers by reference, without comments.

    Layers that the caller may not add to a map are left out, and listed in the response.
    """
    key = map_key(map_id)
    single_values(request.args, ())
    body = read_json() if request.get_data() else {}
    with writing(deployment().engine) as connection:
        source = find_map(connection, principal(), key, Action.COPY_MAP)
        name = validated(MapDuplicate, body).name or f"Copy of {source.name}"[:_MAX_NAME_LENGTH]
        copy_id = _insert(connection, source, name)
        skipped = _copy_layers(connection, key, copy_id)
        (*parts, last), version = serialize_map(connection, principal(), copy_id, inline=True)
        owner = require_user(principal())
        refuse_excess(connection, deployment().settings, (Quota.MAPS_OF_USER, owner))
    skipped_layers = [{"id": str(row.layer_id), "name": row.name} for row in skipped]
    document = (*parts, last[:-1], f',"skipped_layers":{json_text(skipped_layers)}}}'.encode())
    location = f"{public_url()}{bp.url_prefix}/{copy_id}"
    return respond(document, version, HTTPStatus.CREATED, location)


def _insert(connection: Connection, source: Row[Any], name: str) -> uuid.UUID:
    values = {column: getattr(source, column) for column in _MAP_COLUMNS}
    values |= {"name": name, "created_by": require_user(principal())}
    copy_id: uuid.UUID = run(connection, insert(Map).values(values).returning(Map.id)).scalar_one()
    return copy_id


def _copy_layers(
    connection: Connection, source_id: uuid.UUID, copy_id: uuid.UUID
) -> list[Row[Any]]:
    """Add the layers to the copy in their order; return those that the caller may not add."""
    is_open = or_(Layer.is_global, Layer.visibility == "public")
    statement = (
        select(
            *(getattr(MapLayer, column) for column in _MAP_LAYER_COLUMNS),
            Layer.name,
            or_(is_open, owned_by(principal())).label("may_add"),
        )
        .join_from(MapLayer, Layer, Layer.id == MapLayer.layer_id)
        .where(and_(MapLayer.map_id == source_id, readable_layers(principal())))
        .order_by(MapLayer.order)
        # a concurrent deletion waits for this transaction
        .with_for_update(of=Layer, key_share=True, read=True)
    )
    rows = run(connection, statement).all()
    copies = [
        {
            "map_id": copy_id,
            "order": order,
            **{name: getattr(row, name) for name in _MAP_LAYER_COLUMNS},
        }
        for order, row in enumerate(row for row in rows if row.may_add)
    ]
    if copies:
        run(connection, insert(MapLayer).values(copies))
    return [row for row in rows if not row.may_add]
