"""Pages of the collections that a principal may read."""

from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from samsyn_model.database.execution import run
from samsyn_model.permissions.layers import HOLDS_FEATURES, readable_layers
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.layers import Layer
from samsyn_provider.collections.collection import Collection, collection_of
from samsyn_provider.collections.comments import list_comments
from samsyn_provider.collections.metadata import MEMBERS
from samsyn_provider.collections.statements import LAYER_BOUNDS, LAYER_COUNT, LAYER_TIMES, in_bounds
from samsyn_provider.query.collections_query import CollectionsQuery


def _members(column: str, *names: str) -> ColumnElement[Any]:
    """Return the members of a jsonb column that a list needs: the others may be large."""
    arguments = ", ".join(f"'{name}', layers.{column} -> '{name}'" for name in names)
    return literal_column(f"jsonb_build_object({arguments})", JSONB).label(column)


def list_collections(
    connection: Connection, principal: Principal, query: CollectionsQuery
) -> tuple[list[Collection], bool]:
    """Return a page of the collections that the principal may read, and whether more follow: the
    comments on the principal's own maps, then the layers, each newest first.

    Two statements, one for an anonymous principal.
    """
    comments, count = list_comments(connection, principal, query)
    if count > query.offset + query.limit:
        return comments, True
    rest = replace(query, limit=query.limit - len(comments), offset=max(0, query.offset - count))
    layers, has_more = list_layers(connection, principal, rest)
    return [*comments, *layers], has_more


def list_layers(
    connection: Connection, principal: Principal, query: CollectionsQuery
) -> tuple[list[Collection], bool]:
    """Return a page of the layers that the principal may read as collections, and whether more
    follow.

    Newest first; one statement.
    """
    statement = (
        select(
            *(Layer.id, Layer.name, Layer.description, Layer.category),
            *(Layer.geometry_type, Layer.time_field, Layer.additional_crs, Layer.created_at),
            literal_column("NULL").label("property_schema"),
            _members("layer_metadata", *MEMBERS),
            _members("style_config", "color", "fillColor"),
            literal_column(LAYER_COUNT.format(layer="layers.id")).label("feature_count"),
            literal_column(LAYER_BOUNDS.format(layer="layers.id")).label("bounds"),
            literal_column(LAYER_TIMES.format(layer="layers.id")).label("time_bounds"),
        )
        .where(HOLDS_FEATURES, readable_layers(principal))
        .order_by(Layer.created_at.desc(), Layer.id)
        .limit(query.limit + 1)
        .offset(query.offset)
    )
    for word in query.words:
        statement = statement.where(
            or_(
                Layer.name.icontains(word, autoescape=True),
                Layer.description.icontains(word, autoescape=True),
            )
        )
    if query.bbox:
        statement = statement.where(in_bounds(query.bbox))
    rows = run(connection, statement).all()
    return [collection_of(row) for row in rows[: query.limit]], len(rows) > query.limit
