"""The SQL of the number of a query's matches."""

import uuid
from typing import Any

from samsyn_model.database.statement import Statement
from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.collections.statements import FEATURE_COUNT
from samsyn_provider.query.conditions import feature_conditions
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.property_indexes import index_clause, select_candidates
from samsyn_provider.query.version_set import VersionSet, relation_of

MAX_COUNTED = 10_000
"""The largest layer whose filtered matches are counted along with a page."""

MAX_COUNTED_IN_BOX = 2_000
"""The most features in a box that are counted along with a page."""


def is_filtered(query: ItemsQuery, times: TemporalProperties | None) -> bool:
    """Return whether a query may match fewer features than the layer has."""
    return len(feature_conditions(query, times, {})) > 1


def select_hits(
    layer_id: uuid.UUID,
    query: ItemsQuery,
    times: TemporalProperties | None,
    *,
    indexed: frozenset[str] = frozenset(),
) -> Statement:
    """Return the statement that counts all matches exactly (`resulttype=hits`)."""
    values: dict[str, Any] = {"layer": layer_id}
    conditions = feature_conditions(query, times, values)
    count = _unfiltered_count(query.versions)
    if len(conditions) == 1 and count:
        return Statement(f"SELECT {count} AS matched", values)
    with_clause = index_clause(query, indexed, FEATURE_COUNT, values)
    matches = select_candidates("id", conditions, "", with_clause, relation_of(query.versions))
    return Statement(
        f"{with_clause} SELECT count(*) AS matched FROM ({matches}) AS matches", values
    )


def _unfiltered_count(versions: VersionSet | None) -> str | None:
    """Return the SQL of the number of all features, None where it takes a scan."""
    if versions is None:
        return FEATURE_COUNT
    return None if versions.count is None else f"{versions.count}::bigint"


def matched_expression(
    conditions: list[str], spatial: int, with_clause: str, versions: VersionSet | None = None
) -> str:
    """Return the expression for the number of matches, null where counting would cost more than
    the page. The first condition is the layer's; the spatial index evaluates the next `spatial`."""
    if versions is not None and versions.is_small:
        where = " AND ".join(conditions)
        return f"(SELECT count(*) FROM {relation_of(versions)} WHERE {where})"
    if len(conditions) == 1:
        return _unfiltered_count(versions) or "NULL::bigint"
    if spatial:
        in_box = " AND ".join(conditions[: 1 + spatial])
        others = " AND ".join(conditions[1 + spatial :]) or "true"
        return f"""(
            SELECT CASE WHEN count(*) <= {MAX_COUNTED_IN_BOX}
                   THEN count(*) FILTER (WHERE {others}) END
            FROM (SELECT id, geom, properties, updated_at FROM {relation_of(versions)}
                  WHERE {in_box} LIMIT {MAX_COUNTED_IN_BOX + 1}) AS in_box
        )"""
    is_cheap = f"{FEATURE_COUNT} <= {MAX_COUNTED}" + (
        " OR (SELECT ids IS NOT NULL FROM lookup)" if with_clause else ""
    )
    matches = select_candidates("id", conditions, "", with_clause, relation_of(versions))
    return f"CASE WHEN {is_cheap} THEN (SELECT count(*) FROM ({matches}) AS matches) END"
