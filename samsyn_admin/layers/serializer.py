"""Layers as JSON of the management API."""

import json
import uuid
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID, aggregate_order_by
from sqlalchemy.orm import aliased

from samsyn_admin.http.json_columns import RawText, json_object, utc
from samsyn_admin.http.responses import Parts, json_text, version_of
from samsyn_admin.layers.inline_features import InlineFeatures, inline_features
from samsyn_admin.layers.rasters.addresses import answered_config, ticket_of
from samsyn_admin.layers.rasters.documents import raster_links
from samsyn_admin.layers.rasters.stored_files import HOLDS_RASTERS
from samsyn_admin.layers.simplification_notice import with_notice
from samsyn_admin.users.serializer import user_object
from samsyn_model.database.execution import run
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.compiled import CompiledStatement, compile_statement
from samsyn_model.permissions.layers import editable_layers, readable_layers
from samsyn_model.permissions.lookup import find_layer
from samsyn_model.permissions.maps import readable_maps
from samsyn_model.permissions.principal import Principal, principal_kind
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map, MapLayer
from samsyn_model.tables.users import User
from samsyn_provider.collections.comments import comments_link
from samsyn_provider.collections.statements import (
    LAYER_BOUNDS,
    LAYER_COUNT,
    LAYER_TYPES,
    LAYER_VERSION,
)
from samsyn_provider.http.links import collection_url, events_url, has_events
from samsyn_provider.http.media_types import EVENTS


def current_version(connection: Connection, layer_id: uuid.UUID) -> str:
    """Return the version of a layer that the caller has locked.

    It takes a separate statement: one that had to wait for the lock sees the current row, but its
    features as they were before.
    """
    statement = select(Layer.updated_at, _data_version()).where(Layer.id == layer_id)
    return version_of(*run(connection, statement).one())


def _data_version() -> ColumnElement[int]:
    return literal_column(LAYER_VERSION.format(layer="layers.id")).label("data_version")


def layer_columns(principal: Principal) -> tuple[ColumnElement[Any], ...]:
    """Return the columns that `serialize_rows` needs beside `source_type`."""
    return (
        *_columns("id", "updated_at", "geometry_type", "source_config"),
        literal_column(LAYER_COUNT.format(layer="layers.id")).label("feature_count"),
        literal_column(LAYER_BOUNDS.format(layer="layers.id")).label("edges"),
        literal_column(LAYER_TYPES.format(layer="layers.id")).label("first_types"),
        HOLDS_RASTERS.label("holds_rasters"),
        _data_version(),
        editable_layers(principal).label("can_edit"),
        _first_members().label("first_members"),
        cast(Layer.layer_metadata, RawText()).label("metadata"),
        _other_members(principal).label("other_members"),
    )


def _columns(*names: str) -> Sequence[ColumnElement[Any]]:
    return [Layer.__table__.c[name] for name in names]


def _first_members() -> ColumnElement[bytes]:
    """Return the members that come before `layer_metadata`, as an object."""
    return json_object(
        Layer,
        *_columns("id", "name", "source_type", "description", "category", "editable", "is_global"),
        *_columns("visibility", "creation_source", "style_config", "legend_config"),
        *_columns("property_schema", "geometry_type", "time_field", "additional_crs"),
    )


def _other_members(principal: Principal) -> ColumnElement[bytes]:
    """Return the members that follow `source_config`, as an object.

    Those that `_serialize_row` adds are not among them.
    """
    return json_object(
        Layer,
        *_columns("created_by"),
        _creator(principal).label("creator"),
        utc(Layer.created_at).label("created_at"),
        utc(Layer.updated_at).label("updated_at"),
        literal_column("'[]'::json").label("features"),
        _map_layers(principal).label("map_layers"),
    )


def serialize_layer(
    connection: Connection, principal: Principal, layer_id: uuid.UUID, *, inline: bool
) -> tuple[Parts, str]:
    """Return a layer as JSON as the principal may read it, and its version.

    At most two statements. With `inline`, a vector layer contains its features. Errors as
    `find_layer`.
    """
    row = find_layer(
        connection, principal, layer_id, Action.READ_LAYER, layer_columns, all_columns=False
    )
    text = serialize_rows(connection, principal, [row], inline=inline)[layer_id]
    return text, version_of(row.updated_at, row.data_version)


def serialize_layers(
    connection: Connection, principal: Principal, layer_ids: Sequence[uuid.UUID], *, inline: bool
) -> dict[uuid.UUID, Parts]:
    """Return the JSON of each layer as the principal may read it.

    Layers that the principal may not read are missing. An id that is repeated stands for a layer
    that is sent as many times. At most two statements, and one for each large layer whose picture
    is not cached.
    """
    result = _select_layers(principal_kind(principal)).run(
        connection, principal, keys=list(layer_ids)
    )
    rows_by_id = {row.id: row for row in result}
    rows = [rows_by_id[key] for key in layer_ids if key in rows_by_id]
    return serialize_rows(connection, principal, rows, inline=inline)


@cache
def _select_layers(kind: Principal) -> CompiledStatement:
    keys = bindparam("keys", type_=ARRAY(UUID(as_uuid=True)))
    statement = select(Layer.source_type, *layer_columns(kind))
    return compile_statement(statement.where(Layer.id == any_(keys), readable_layers(kind)))


def serialize_rows(
    connection: Connection, principal: Principal, rows: Sequence[Row[Any]], *, inline: bool
) -> dict[uuid.UUID, Parts]:
    """Return the JSON of rows with `layer_columns`; arguments and value as `serialize_layers`."""
    features = inline_features(connection, rows) if inline else {}
    tickets = {
        row.id: ticket_of(connection, principal, row.id)
        for row in rows
        if row.source_type == "geotiff"
    }
    return {
        row.id: _serialize_row(row, principal, features.get(row.id), tickets.get(row.id))
        for row in rows
    }


def _creator(principal: Principal) -> Any:
    creator = select(user_object(principal)).where(User.id == Layer.created_by)
    return creator.correlate(Layer).scalar_subquery()


def _map_layers(principal: Principal) -> Any:
    entry = func.jsonb_build_object(
        *("id", MapLayer.id),
        *("map_id", MapLayer.map_id),
        *("order", _readable_order(principal)),
        *("visible", MapLayer.visible),
        *("opacity", MapLayer.opacity),
        *("created_at", utc(MapLayer.created_at)),
    )
    ordered = aggregate_order_by(entry, MapLayer.created_at, MapLayer.id)
    return (
        select(func.coalesce(func.jsonb_agg(ordered), literal_column("'[]'")))
        .join(Map, Map.id == MapLayer.map_id)
        .where(MapLayer.layer_id == Layer.id, readable_maps(principal))
        .correlate(Layer)
        .scalar_subquery()
    )


def _readable_order(principal: Principal) -> Any:
    """Return a layer's position among those of its map that the principal may read, from 0."""
    above = aliased(MapLayer)
    return (
        select(func.count())
        .select_from(above)
        .join(Layer, Layer.id == above.layer_id)
        .where(
            above.map_id == MapLayer.map_id,
            above.order < MapLayer.order,
            readable_layers(principal),
        )
        .correlate(MapLayer)
        .scalar_subquery()
    )


def _serialize_row(
    row: Row[Any], principal: Principal, features: InlineFeatures | None, ticket: str | None
) -> Parts:
    is_vector = row.source_type == "vector"
    config, metadata = row.source_config, row.metadata
    bounds = list(row.edges) if is_vector and None not in row.edges else None
    if is_vector:
        config["geometryType"] = _geometry_type(row)
        config["featureCount"] = row.feature_count
        config["bounds"] = bounds
    if row.holds_rasters and ticket is not None:
        config = answered_config(config, row.id, ticket)
    if features is not None and features.is_generalized:
        config["geojson_generalized"] = True
        metadata = json_text(with_notice(json.loads(metadata))).encode()
    computed = {
        "feature_count": row.feature_count,
        "bounds": bounds if is_vector else config.get("bounds"),
        "can_edit": bool(row.can_edit) and principal.scope == "write",
        "links": _links(row, ticket),
    }
    first = b'%b,"layer_metadata":%b,"metadata":%b' % (row.first_members[:-1], metadata, metadata)
    before = b'%b,"source_config":%b' % (first, json_text(config).encode())
    after = b"%b,%b" % (row.other_members[1:-1], json_text(computed)[1:].encode())
    if features is None:
        return before, b",", after
    return before[:-1], b',"geojson":', features.collection, b"},", after


def _geometry_type(row: Row[Any]) -> str | None:
    """Return the declared geometry type of a layer, else that of its first features.

    A layer without either has the type in its `source_config`, if any.
    """
    declared: str | None = row.geometry_type
    if declared or not row.first_types:
        return declared or row.source_config.get("geometryType")
    single = {name.removeprefix("Multi") for name in row.first_types}
    if len(row.first_types) == 1:
        return str(row.first_types[0])
    return f"Multi{single.pop()}" if len(single) == 1 else "GeometryCollection"


def _links(row: Row[Any], ticket: str | None) -> list[dict[str, str]]:
    comments = comments_link("layer", row.id)
    others = [{name: comments[name] for name in ("rel", "type", "href")}]
    if has_events():
        others.append({"rel": "hub", "type": EVENTS, "href": events_url("layers", row.id)})
    if row.source_type == "vector" and row.source_config.get("gfw4wings") is None:
        url = collection_url(row.id)
        return [
            {"rel": "collection", "type": "application/json", "href": url},
            {"rel": "items", "type": "application/geo+json", "href": f"{url}/items"},
            *others,
        ]
    if ticket is None:
        return others
    return [*raster_links(row.id, ticket, has_file=row.holds_rasters), *others]
