"""The SQL of downloads: the columns of a table, the ids of its features, and their rows."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from samsyn_model.database.statement import Statement
from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.cql2.temporal import DAY, TIME
from samsyn_provider.features.geojson_sql import (
    geometry_expression,
    ids_condition,
    properties_column,
    stored_features,
)
from samsyn_provider.query.conditions import (
    after_position,
    feature_conditions,
    ordering,
    sort_value,
)
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.version_set import relation_of

CURSOR = "download"
_EDGE_DAYS = "(0001-01-01|9999-12-31)"  # may be out of Python's range in another time zone


def select_value_kinds(
    layer_id: uuid.UUID, query: ItemsQuery, times: TemporalProperties | None
) -> Statement:
    """Return the statement for the types of each property's values in a query's features.

    One row per property: `name`, the JSON types of its values but null (`kinds`), and whether all
    numbers are 64-bit integers (`integers`), all texts `dates`, all texts `timestamps`; the
    `largest` absolute number, and the bytes of the `longest` text in UTF-8.
    """
    values: dict[str, Any] = {"layer": layer_id}
    where = " AND ".join(feature_conditions(query, times, values))
    # grouped by kind first: array_agg(DISTINCT kind) would sort all values; most texts are no
    # timestamps, which a check of one character or of the length finds out
    text = f"""
SELECT name, array_agg(kind) AS kinds, coalesce(bool_and(integers), false) AS integers,
       coalesce(bool_and(dates), false) AS dates,
       coalesce(bool_and(timestamps), false) AS timestamps,
       max(largest) AS largest, max(longest) AS longest
FROM (
    SELECT name, kind,
           bool_and(number = trunc(number) AND abs(number) < 9223372036854775808) AS integers,
           bool_and(length(content) = 10 AND content ~ '^{DAY}$') AS dates,
           bool_and(
               substr(content, 11, 1) IN ('T', 't')
               AND content ~ '^{DAY}{TIME}$' AND content !~ '^{_EDGE_DAYS}'
           ) AS timestamps,
           max(abs(number)) AS largest, max(octet_length(content)) AS longest
    FROM (
        SELECT name, kind, CASE WHEN kind = 'number' THEN value::numeric END AS number,
               CASE WHEN kind = 'string' THEN value #>> '{{}}' END AS content
        FROM (
            SELECT entry.key AS name, entry.value, jsonb_typeof(entry.value) AS kind
            FROM (
                SELECT {properties_column(query)} FROM {relation_of(query.versions)} WHERE {where}
            ) AS matches
            CROSS JOIN jsonb_each(properties) AS entry
        ) AS entries
        WHERE kind <> 'null'
    ) AS typed
    GROUP BY name, kind
) AS by_kind
GROUP BY name ORDER BY name"""
    return Statement(text, values)


def select_geometry_kinds(
    layer_id: uuid.UUID, query: ItemsQuery, times: TemporalProperties | None
) -> Statement:
    """Return the statement for the geometries of a query's features: their types, such as `Polygon`
    (`kinds`), whether any `has_heights`, and whether others have none (`is_mixed`)."""
    values: dict[str, Any] = {"layer": layer_id}
    where = " AND ".join(feature_conditions(query, times, values))
    text = f"""
SELECT array_agg(DISTINCT replace(ST_GeometryType(geom), 'ST_', '')) AS kinds,
       coalesce(bool_or(ST_NDims(geom) > 2), false) AS has_heights,
       count(DISTINCT ST_NDims(geom)) > 1 AS is_mixed
FROM {relation_of(query.versions)} WHERE {where} AND geom IS NOT NULL"""
    return Statement(text, values)


def declare_sizes(
    layer_id: uuid.UUID, query: ItemsQuery, times: TemporalProperties | None, limit: int | None
) -> Statement:
    """Return the statement that opens CURSOR on a query's features in its order, at most `limit` or
    all: their `id` and stored `size`."""
    values: dict[str, Any] = {"layer": layer_id, "offset": query.offset}
    conditions = feature_conditions(query, times, values) + after_position(query, values)
    keys = [sort_value(key, number, values) for number, key in enumerate(query.sortby)]
    text = f"""
DECLARE {CURSOR} NO SCROLL CURSOR FOR
SELECT id, coalesce(pg_column_size(geom), 0) + pg_column_size(properties) AS size
FROM {relation_of(query.versions)}
WHERE {" AND ".join(conditions)}
ORDER BY {ordering(keys, query)}
LIMIT %(limit)s OFFSET %(offset)s"""
    return Statement(text, values | {"limit": limit})


def select_rows(
    layer_id: uuid.UUID,
    feature_ids: Sequence[int],
    query: ItemsQuery,
    *,
    multiple: bool,
    with_heights: bool = False,
) -> Statement:
    """Return the statement for features of a query's result, in the order of `feature_ids`.

    `id`, `wkb` (ISO WKB, x before y, null for none) and `properties`; with `multiple`, single
    geometries become Multi ones; `with_heights`, geometries without heights get those that are no
    number.
    """
    geometry = geometry_expression(replace(query.crs, y_first=False))
    if multiple:
        geometry = f"ST_Multi({geometry})"
    if with_heights:
        geometry = f"ST_Force3DZ({geometry}, 'NaN')"
    text = f"""
SELECT id, ST_AsBinary({geometry}) AS wkb, properties
FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS requested (id, ordinality)
JOIN {stored_features(query)} USING (id)
WHERE layer_id = %(layer)s{ids_condition(query)}
ORDER BY ordinality"""
    values = query.versions.values if query.versions else {}
    return Statement(text, {"layer": layer_id, "ids": list(feature_ids), **values})
