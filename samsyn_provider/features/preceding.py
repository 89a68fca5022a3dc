"""The features before a page that continues after a position: their number, and the page before."""

import uuid
from collections.abc import Collection as AbstractCollection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from samsyn_model.database.execution import run, run_within
from samsyn_model.database.statement import Statement
from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.statements import FEATURE_COUNT
from samsyn_provider.http.deployment import deployment
from samsyn_provider.query.conditions import (
    after_position,
    feature_conditions,
    ordering,
    sort_value,
)
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.position import encode_position
from samsyn_provider.query.property_indexes import index_clause, select_candidates
from samsyn_provider.query.version_set import relation_of

MAX_PRECEDING = 10_000
"""The most features before a page that are counted."""


@dataclass(frozen=True, slots=True)
class Preceding:
    """The features before a page."""

    count: int | None
    """Their number; None where it is more than MAX_PRECEDING, or takes too long to count."""
    start: str | None
    """The `after` parameter of the page before; None where that is the first page."""


def read_preceding(
    connection: Connection, collection: Collection, query: ItemsQuery
) -> Preceding | None:
    """Return what precedes the page of a query with a position; None for any other query.

    One statement, two where counting exceeds COUNT_BUDGET.
    """
    if query.after is None:
        return None
    budget = deployment().settings.count_budget
    layer = (collection.id, query, collection.times)
    counting = select_preceding(*layer, indexed=collection.indexed, maximum=MAX_PRECEDING + 1)
    rows = run_within(connection, budget, counting.text, counting.values) if budget else None
    is_counted = rows is not None
    if rows is None:
        page = select_preceding(*layer, indexed=collection.indexed, maximum=query.limit + 1)
        rows = run(connection, page.text, page.values)
    row = rows.one()
    return Preceding(
        row.preceding if is_counted and row.preceding <= MAX_PRECEDING else None,
        encode_position(row.start) if row.start else None,
    )


def select_preceding(
    layer_id: uuid.UUID,
    query: ItemsQuery,
    times: TemporalProperties | None,
    *,
    indexed: AbstractCollection[str],
    maximum: int,
) -> Statement:
    """Return the statement for the features up to a query's position, `maximum` of them at most.

    Its one row: `preceding`, their number; `start`, the position (JSON array: sort values and id)
    of the feature that is `limit` before the last of them, null where there is none.
    """
    values: dict[str, Any] = {"layer": layer_id, "limit": query.limit, "maximum": maximum}
    conditions = feature_conditions(query, times, values)
    with_clause = index_clause(query, indexed, FEATURE_COUNT, values)
    conditions += [f"NOT ({condition})" for condition in after_position(query, values)]
    keys = [f"key{number}" for number in range(len(query.sortby))]
    columns = "".join(
        f", {sort_value(key, number, values)} AS key{number}"
        for number, key in enumerate(query.sortby)
    )
    selection = select_candidates(
        f"id{columns}",
        conditions,
        f"ORDER BY {ordering(keys, query, is_reversed=True)} LIMIT %(maximum)s",
        with_clause,
        relation_of(query.versions),
    )
    members = ", ".join([*(f"to_jsonb({key})" for key in keys), "id"])
    text = f"""{with_clause}
SELECT count(*) AS preceding, (array_agg(start) FILTER (WHERE start IS NOT NULL))[1]::text AS start
FROM (
    SELECT CASE WHEN row_number() OVER rows = %(limit)s + 1
           THEN jsonb_build_array({members}) END AS start
    FROM ({selection}) AS selection WINDOW rows AS (ROWS UNBOUNDED PRECEDING)
) AS preceding"""
    return Statement(text, values)
