"""Queries of the layer library."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, or_, select
from werkzeug.datastructures import MultiDict

from samsyn_admin.http.pagination import PAGE_PARAMETERS, Page, parse_page
from samsyn_admin.http.text_search import has_words
from samsyn_model.errors import InvalidParameterError
from samsyn_model.permissions.layers import library_layers, owned_by, readable_layers
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import MapLayer
from samsyn_provider.collections.statements import in_bounds
from samsyn_provider.geography.bbox import parse_bbox
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.query.parameters import parse_boolean, parse_uuid_filter, single_values

Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class LayersQuery:
    """The parameters of a request for layers."""

    page: Page
    inline: bool
    map_id: UUID | None
    mine: Literal["all", "drawn"] | None
    """All of the caller's layers, or those made in the layer creator that are not global."""
    conditions: tuple[Condition, ...]


def parse_layers_query(arguments: MultiDict[str, str]) -> LayersQuery:
    """Return the query of a request for layers; raises InvalidParameterError."""
    names = {*_FILTERS, *PAGE_PARAMETERS, "inline", "map_id", "mine", "include_my_layers"}
    values = single_values(arguments, names)
    return LayersQuery(
        page=parse_page(values),
        inline=parse_boolean("inline", values.get("inline", "true")),
        map_id=parse_uuid_filter(values, "map_id", "the UUID of a map"),
        mine=_mine(values),
        conditions=tuple(
            condition(values[name]) for name, condition in _FILTERS.items() if name in values
        ),
    )


def select_layer_ids(principal: Principal, query: LayersQuery) -> Select[Any]:
    """Return the statement for the ids of the requested layers, newest first.

    With a map, which the principal may read, also its layers that the principal may read.
    """
    listed = library_layers(principal)
    if query.map_id is not None:
        on_map = select(MapLayer.layer_id).where(MapLayer.map_id == query.map_id)
        listed = or_(listed, and_(Layer.id.in_(on_map), readable_layers(principal)))
    conditions = list(query.conditions)
    if query.mine is not None:
        conditions.append(owned_by(principal))
    if query.mine == "drawn":
        conditions += [~Layer.is_global, Layer.creation_source == "layer_creator"]
    statement = select(Layer.id).where(listed, *conditions)
    return statement.order_by(Layer.created_at.desc(), Layer.id)


def _mine(values: Mapping[str, str]) -> Literal["all", "drawn"] | None:
    if parse_boolean("include_my_layers", values.get("include_my_layers", "false")):
        return "drawn"
    return "all" if parse_boolean("mine", values.get("mine", "false")) else None


def _one_of(name: str, column: Any, *allowed: str) -> Callable[[str], Condition]:
    def condition(text: str) -> Condition:
        if text not in allowed:
            raise InvalidParameterError(f"{name} is one of {', '.join(allowed)}.")
        equal: Condition = column == text
        return equal

    return condition


def _category(text: str) -> Condition:
    return Layer.category == text


def _is_global(text: str) -> Condition:
    return Layer.is_global.is_(parse_boolean("is_global", text))


def _search(text: str) -> Condition:
    return has_words(Layer, text)


def _bbox(text: str) -> Condition:
    """Return the condition that a layer's extent, if any, intersects the box."""
    bbox = parse_bbox(text, reference_system(CRS84, "bbox-crs"))
    edges = [f"(layers.source_config -> 'bounds' ->> {number})::float8" for number in range(4)]
    envelope: ColumnElement[Any] = literal_column(
        "CASE WHEN layers.source_type = 'geotiff'"
        " AND jsonb_typeof(layers.source_config -> 'bounds') = 'array'"
        f" THEN ST_MakeEnvelope({', '.join(edges)}, 4326) END"
    )
    rasters = (envelope.op("&&")(func.ST_GeomFromEWKB(bytes.fromhex(area))) for area in bbox.areas)
    return or_(and_(Layer.source_type == "vector", in_bounds(bbox)), *rasters)


_FILTERS: dict[str, Callable[[str], Condition]] = {
    "source_type": _one_of("source_type", Layer.source_type, "wms", "geotiff", "vector"),
    "visibility": _one_of("visibility", Layer.visibility, "private", "public"),
    "category": _category,
    "is_global": _is_global,
    "search": _search,
    "q": _search,
    "bbox": _bbox,
}
