"""Filters that would take too long are refused before their statement."""

import uuid
from typing import Any

from sqlalchemy import Connection

from samsyn_model.database.cancellation import refuse_if_crowded
from samsyn_model.database.execution import run
from samsyn_model.errors import InvalidParameterError
from samsyn_provider.cql2.costs import Comparison, comparisons
from samsyn_provider.geography.distances import Box
from samsyn_provider.query.conditions import spatial_conditions
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.version_set import relation_of

MAX_COMPARED_VERTICES = 10_000_000
"""The most vertices of a filter's geometries, each counted for every feature that it is compared
with one by one: about five seconds."""


def refuse_costly_filter(
    connection: Connection, layer_id: uuid.UUID, query: ItemsQuery, box: Box | None = None
) -> None:
    """Raise InvalidParameterError for a filter that takes too long, DatabaseUnavailableError where
    too many slow statements of others run.

    With a `box` only the features in it count. A statement is run only for a filter with functions
    that have no prepared form.
    """
    if query.filter is None and not query.areas:
        return
    refuse_if_crowded()
    values: dict[str, Any] = {"layer": layer_id}
    costly = list(comparisons(query.filter, values)) if query.filter else []
    if not costly:
        return
    conditions = ["layer_id = %(layer)s", *spatial_conditions(query, values)]
    if box is not None:
        values["edges"] = list(box)
        edges = ", ".join(f"(%(edges)s::float8[])[{number}]" for number in range(1, 5))
        conditions.append(f"geom && ST_MakeEnvelope({edges}, 4326)")
    where = " AND ".join(conditions)
    if query.versions:
        values.update(query.versions.values)
    relation = relation_of(query.versions)
    counts = ", ".join(_count(comparison, where, relation) for comparison in costly)
    row = run(connection, f"SELECT ARRAY[{counts}]", values).scalar_one()
    products = [number * one.vertices for number, one in zip(row, costly, strict=True)]
    if sum(products) > MAX_COMPARED_VERTICES:
        worst = costly[products.index(max(products))]
        raise InvalidParameterError(
            f"filter: {worst.function} would compare its geometry with too many features one by"
            f" one: vertices times features may be {MAX_COMPARED_VERTICES:,} at most. Use fewer"
            " vertices, S_INTERSECTS, or a bbox."
        )


def _count(comparison: Comparison, where: str, relation: str) -> str:
    """Return the expression for how many features are compared, the least that are too many where
    there are more. Those in the box are counted first: mostly they are few enough."""
    most = MAX_COMPARED_VERTICES // comparison.vertices
    features = f"SELECT FROM {relation} WHERE"
    box, limit = f"{where} AND {comparison.box}", f"LIMIT {most + 1}"
    return f"""(
        SELECT CASE WHEN count(*) <= {most} THEN count(*) ELSE (
            SELECT count(*) FROM ({features} {box} AND {comparison.candidates} {limit}) AS compared
        ) END
        FROM ({features} {box} {limit}) AS in_box
    )"""
