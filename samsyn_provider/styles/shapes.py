"""The shapes that the features of a collection have, which decide on the symbols of its style."""

import uuid
from collections.abc import Iterable
from typing import Literal, get_args

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.database.statement import Statement
from samsyn_provider.collections.collection import Collection

Shape = Literal["Polygon", "LineString", "Point"]
"""A shape that is drawn in its own way; Multi types are drawn as their single counterparts."""

_SHAPES: tuple[Shape, ...] = get_args(Shape)
_MAX_FEATURES = 10_000  # that are read to observe their types


def drawn_shapes(geometry_types: Iterable[str]) -> tuple[Shape, ...]:
    """Return the shapes of geometries of these types, the lowest on a map first.

    All of them where there are no types, or others than points, lines and polygons.
    """
    single = {name.removesuffix(" Z").removeprefix("Multi") for name in geometry_types}
    if not single or not single <= set(_SHAPES):
        return _SHAPES
    return tuple(shape for shape in _SHAPES if shape in single)


def collection_shapes(connection: Connection, collection: Collection) -> tuple[Shape, ...]:
    """Return the shapes that a collection's features have; all where it has too many to look.

    One statement where its layer declares no geometry type.
    """
    if collection.geometry_type is not None:
        return drawn_shapes([collection.geometry_type])
    statement = _select_types(collection.id)
    row = run(connection, statement.text, statement.values).one()
    return drawn_shapes(row.types or []) if row.count <= _MAX_FEATURES else _SHAPES


def _select_types(layer_id: uuid.UUID) -> Statement:
    text = """
SELECT count(*), array_agg(DISTINCT type) FILTER (WHERE type IS NOT NULL) AS types
FROM (SELECT replace(ST_GeometryType(geom), 'ST_', '') AS type
      FROM layer_features WHERE layer_id = %(layer)s LIMIT %(limit)s) AS features"""
    return Statement(text, {"layer": layer_id, "limit": _MAX_FEATURES + 1})
