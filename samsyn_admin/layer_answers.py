"""Layers as the management API answers them."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

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

_STORED = (
    *("name", "source_type", "description", "category", "editable", "is_global", "visibility"),
    *("creation_source", "style_config", "legend_config", "layer_metadata"),
    *("property_schema", "geometry_type", "time_field"),
)
_TITILER_PARAMETERS = {"colormap": "colormap_name", "rescale": "rescale", "bidx": "bidx"}


@dataclass(frozen=True, slots=True)
class LayerAnswer:
    """A layer as JSON text, and the entity tag (without quotes) of this text."""

    text: str
    etag: str


def layer_version(row: Row[Any]) -> str:
    """Return what every entity tag of a layer in this state starts with.

    The rest of a tag tells the answers of one state apart: callers see different parts of it.
    """
    changed: datetime = row.updated_at
    return f"{int(changed.timestamp() * 1_000_000):x}.{row.data_version:x}-"


def data_version() -> ColumnElement[int]:
    """Return the column that `layer_version` needs beside those of `layers`."""
    return literal_column(LAYER_VERSION.format(layer="layers.id")).label("data_version")


def find_answer(
    connection: Connection, principal: Principal, layer_id: uuid.UUID, *, inline: bool
) -> LayerAnswer:
    """Return a layer as the principal sees it, in at most two statements.

    With `inline`, a vector layer of few features carries them. Errors as `find_layer`.
    """
    row = find_layer(
        connection,
        principal,
        layer_id,
        Action.READ_LAYER,
        literal_column(LAYER_COUNT.format(layer="layers.id")).label("feature_count"),
        literal_column(LAYER_BOUNDS.format(layer="layers.id")).label("edges"),
        data_version(),
        editable_layers(principal).label("can_edit"),
        _creator(principal).label("creator"),
        _map_layers(principal).label("map_layers"),
    )
    geojson = None
    few = row.feature_count <= deployment().settings.inline_features
    if inline and few and row.source_type == "vector":
        statement = select_whole(layer_id, INLINE_SIZE)
        found = run(connection, statement.text, statement.values).one_or_none()
        geojson = found.collection if found else None
    text = _text(row, principal, geojson)
    digest = blake2b(text.encode(), digest_size=8).hexdigest()
    return LayerAnswer(text, layer_version(row) + digest)


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
                *("created_at", _utc(User.created_at)),
                *("updated_at", _utc(User.updated_at)),
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
        *("created_at", _utc(MapLayer.created_at)),
    )
    return (
        select(func.jsonb_agg(aggregate_order_by(entry, MapLayer.created_at, MapLayer.id)))
        .join(Map, Map.id == MapLayer.map_id)
        .where(MapLayer.layer_id == Layer.id, readable_maps(principal))
        .correlate(Layer)
        .scalar_subquery()
    )


def _utc(column: Any) -> ColumnElement[str]:
    return func.to_char(func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')


def _text(row: Row[Any], principal: Principal, geojson: str | None) -> str:
    is_vector = row.source_type == "vector"
    config = dict(row.source_config)
    bounds = list(row.edges) if is_vector and None not in row.edges else None
    # the features are spliced in as PostgreSQL wrote them
    mark = uuid.uuid4().hex
    if is_vector:
        config["geometryType"] = row.geometry_type or config.get("geometryType")
        config["featureCount"] = row.feature_count
        config["bounds"] = bounds
        if geojson is not None:
            config["geojson"] = mark
    document: dict[str, Any] = {
        "id": str(row.id),
        **{name: getattr(row, name) for name in _STORED},
        "metadata": row.layer_metadata,
        "source_config": config,
        "created_by": str(row.created_by),
        "creator": row.creator,
        "created_at": _iso(row.created_at),
        "updated_at": _iso(row.updated_at),
        "features": [],
        "map_layers": row.map_layers or [],
        "feature_count": row.feature_count,
        "bounds": bounds if is_vector else config.get("bounds"),
        "can_edit": bool(row.can_edit) and principal.scope == "write",
        "links": _links(row),
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text if geojson is None else text.replace(f'"{mark}"', geojson, 1)


def _links(row: Row[Any]) -> list[dict[str, str]]:
    if row.source_type == "vector":
        address = collection_url(row.id)
        return [
            {"rel": "collection", "type": "application/json", "href": address},
            {"rel": "items", "type": "application/geo+json", "href": f"{address}/items"},
        ]
    tiles = _titiler_tiles(row.source_config) if row.source_type == "geotiff" else None
    return [{"rel": "tiles", "type": "image/png", "href": tiles}] if tiles else []


def _titiler_tiles(config: dict[str, Any]) -> str | None:
    """Return the template of the TiTiler tiles that draw a GeoTIFF as its layer says."""
    titiler = deployment().settings.titiler_url
    source = config.get("cogUrl") or config.get("url")
    if not titiler or not source:
        return None
    processing = config.get("processing") or {}
    parameters = {"url": source} | {
        theirs: processing[ours]
        for ours, theirs in _TITILER_PARAMETERS.items()
        if isinstance(processing.get(ours), str | int)
    }
    return f"{titiler}/cog/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png?{urlencode(parameters)}"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
