"""Layers as the management API answers them."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, Connection, Row, case, func, literal_column, null, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from samsyn_model.database import run
from samsyn_model.permissions import (
    Action,
    Principal,
    acquainted,
    editable_layers,
    find_layer,
    readable_maps,
)
from samsyn_model.tables import Layer, Map, MapLayer, User
from samsyn_provider.deployment import deployment
from samsyn_provider.links import collection_url
from samsyn_provider.statements import LAYER_BOUNDS, LAYER_COUNT, LAYER_VERSION, select_whole

INLINE_SIZE = 512 * 1024
"""Up to how many bytes of GeoJSON are answered within a layer's `source_config`."""

_OF_LAYER = {"layer": "layers.id"}
_COPIED = (
    *("name", "source_type", "description", "category", "editable", "is_global", "visibility"),
    *("creation_source", "style_config", "legend_config", "layer_metadata"),
    *("property_schema", "geometry_type", "time_field"),
)


@dataclass(frozen=True, slots=True)
class LayerAnswer:
    """A layer as JSON text, and the tag of its version."""

    text: str
    etag: str


def layer_etag(row: Row[Any]) -> str:
    """Return the strong tag of a layer's version: its definition's and its features'."""
    changed: datetime = row.updated_at
    return f'"{int(changed.timestamp() * 1_000_000):x}-{row.data_version:x}"'


def version_column() -> ColumnElement[int]:
    """Return the column `data_version`, which `layer_etag` needs."""
    return literal_column(LAYER_VERSION.format(**_OF_LAYER)).label("data_version")


def find_answer(
    connection: Connection, principal: Principal, layer_id: uuid.UUID, *, inline: bool
) -> LayerAnswer:
    """Return a layer as the principal sees it, in at most two statements.

    With `inline` a small vector layer carries its features. Errors as `find_layer`.
    """
    row = find_layer(
        connection,
        principal,
        layer_id,
        Action.READ_LAYER,
        literal_column(LAYER_COUNT.format(**_OF_LAYER)).label("feature_count"),
        literal_column(LAYER_BOUNDS.format(**_OF_LAYER)).label("bounds"),
        version_column(),
        editable_layers(principal).label("can_edit"),
        _creator(principal).label("creator"),
        _map_layers(principal).label("map_layers"),
    )
    geojson = None
    limit = deployment().settings.inline_features
    if inline and row.source_type == "vector" and row.feature_count <= limit:
        statement = select_whole(layer_id, INLINE_SIZE)
        found = run(connection, statement.text, statement.values).one_or_none()
        geojson = found.collection if found else None
    return LayerAnswer(_text(row, principal, geojson), layer_etag(row))


def _creator(principal: Principal) -> Any:
    known = acquainted(principal)
    return (
        select(
            func.jsonb_build_object(
                *("id", User.id),
                *("clerk_id", case((known, User.clerk_id), else_=null())),
                *("email", case((known, User.email), else_=null())),
                *("username", User.username),
                *("first_name", User.first_name),
                *("last_name", User.last_name),
                *("profile_image_url", User.profile_image_url),
                *("created_at", _time(User.created_at)),
                *("updated_at", _time(User.updated_at)),
            )
        )
        .where(User.id == Layer.created_by)
        .correlate(Layer)
        .scalar_subquery()
    )


def _map_layers(principal: Principal) -> Any:
    entry = func.jsonb_build_object(
        *("id", MapLayer.id),
        *("map_id", MapLayer.map_id),
        *("order", MapLayer.order),
        *("visible", MapLayer.visible),
        *("opacity", MapLayer.opacity),
        *("created_at", _time(MapLayer.created_at)),
    )
    return (
        select(func.jsonb_agg(aggregate_order_by(entry, MapLayer.created_at, MapLayer.id)))
        .join(Map, Map.id == MapLayer.map_id)
        .where(MapLayer.layer_id == Layer.id, readable_maps(principal))
        .correlate(Layer)
        .scalar_subquery()
    )


def _time(column: Any) -> ColumnElement[str]:
    return func.to_char(func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')


def _text(row: Row[Any], principal: Principal, geojson: str | None) -> str:
    bounds = list(row.bounds) if None not in row.bounds else None
    config = dict(row.source_config)
    # the features are spliced in as PostgreSQL wrote them
    placeholder = uuid.uuid4().hex
    if row.source_type == "vector":
        config["geometryType"] = row.geometry_type or config.get("geometryType")
        config["featureCount"] = row.feature_count
        config["bounds"] = bounds
        if geojson is not None:
            config["geojson"] = placeholder
    document: dict[str, Any] = {
        "id": str(row.id),
        **{name: getattr(row, name) for name in _COPIED},
        "metadata": row.layer_metadata,
        "source_config": config,
        "created_by": str(row.created_by),
        "creator": row.creator,
        "created_at": _iso(row.created_at),
        "updated_at": _iso(row.updated_at),
        "features": [],
        "map_layers": row.map_layers or [],
        "feature_count": row.feature_count if row.source_type == "vector" else 0,
        "bounds": bounds,
        "can_edit": bool(row.can_edit) and principal.scope == "write",
        "links": _links(row),
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text if geojson is None else text.replace(f'"{placeholder}"', geojson, 1)


def _links(row: Row[Any]) -> list[dict[str, str]]:
    if row.source_type == "vector":
        address = collection_url(row.id)
        return [
            {"rel": "collection", "type": "application/json", "href": address},
            {"rel": "items", "type": "application/geo+json", "href": f"{address}/items"},
        ]
    titiler = deployment().settings.titiler_url
    raster = row.source_config.get("cogUrl") or row.source_config.get("url")
    if row.source_type != "geotiff" or not titiler or not raster:
        return []
    tiles = (
        f"{titiler}/cog/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png?url={quote(raster, safe='')}"
    )
    return [{"rel": "tiles", "type": "image/png", "href": tiles}]


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
