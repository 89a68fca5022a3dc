"""The SQL of downloads: which columns the features make, and the features a few at a time."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from samsyn_model.database.statement import Statement
from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.cql2.temporal import DAY, TIME
from samsyn_provider.features.geojson_sql import geometry_expression
from samsyn_provider.geography.crs import ReferenceSystem
from samsyn_provider.query.conditions import (
    after_position,
    feature_conditions,
    ordering,
    sort_value,
)
from samsyn_provider.query.items_query import ItemsQuery

CURSOR = "download"
_EDGES = "(0001-01-01|9999-12-31)"  # days that another zone's clock has outside Python's calendar


def select_value_kinds(
    layer_id: uuid.UUID, query: ItemsQuery, times: TemporalProperties | None
) -> Statement:
    """Return the statement that tells the values of each property of all that a query finds.

    A row a property: `name`, the `kinds` of its values in JSON but null, whether all numbers are
    `whole` and of 64 bits, and whether all texts are `days` or `moments`.
    """
    values: dict[str, Any] = {"layer": layer_id}
    where = " AND ".join(feature_conditions(query, times, values))
    # by kind first: an aggregate of distinct kinds would sort all values, and most texts are no
    # times, which a look at one character or two tells
    text = f"""
SELECT name, array_agg(kind) AS kinds, coalesce(bool_and(whole), false) AS whole,
       coalesce(bool_and(days), false) AS days, coalesce(bool_and(moments), false) AS moments
FROM (
    SELECT name, kind,
           bool_and(number = trunc(number) AND abs(number) < 9223372036854775808) AS whole,
           bool_and(length(content) = 10 AND content ~ '^{DAY}$') AS days,
           bool_and(
               substr(content, 11, 1) IN ('T', 't')
               AND content ~ '^{DAY}{TIME}$' AND content !~ '^{_EDGES}'
           ) AS moments
    FROM (
        SELECT name, kind, CASE WHEN kind = 'number' THEN value::numeric END AS number,
               CASE WHEN kind = 'string' THEN value #>> '{{}}' END AS content
        FROM (
            SELECT entry.key AS name, entry.value, jsonb_typeof(entry.value) AS kind
            FROM layer_features CROSS JOIN jsonb_each(properties) AS entry
            WHERE {where}
        ) AS entries
        WHERE kind <> 'null'
    ) AS parts
    GROUP BY name, kind
) AS told
GROUP BY name ORDER BY name"""
    return Statement(text, values)


def select_geometry_kinds(
    layer_id: uuid.UUID, query: ItemsQuery, times: TemporalProperties | None
) -> Statement:
    """Return the statement that tells the geometries of all that a query finds: `kinds` (as
    `Polygon`) and whether any of them `has_heights`."""
    values: dict[str, Any] = {"layer": layer_id}
    where = " AND ".join(feature_conditions(query, times, values))
    text = f"""
SELECT array_agg(DISTINCT replace(ST_GeometryType(geom), 'ST_', '')) AS kinds,
       coalesce(bool_or(ST_NDims(geom) > 2), false) AS has_heights
FROM layer_features WHERE {where} AND geom IS NOT NULL"""
    return Statement(text, values)


def declare_sizes(
    layer_id: uuid.UUID, query: ItemsQuery, times: TemporalProperties | None, limit: int | None
) -> Statement:
    """Return the statement that opens CURSOR on `id` and stored `size` of what a query finds, in
    its order: at most `limit` features, or all."""
    values: dict[str, Any] = {"layer": layer_id, "offset": query.offset}
    conditions = feature_conditions(query, times, values) + after_position(query, values)
    keys = [sort_value(key, number, values) for number, key in enumerate(query.sortby)]
    text = f"""
DECLARE {CURSOR} NO SCROLL CURSOR FOR
SELECT id, coalesce(pg_column_size(geom), 0) + pg_column_size(properties) AS size
FROM layer_features
WHERE {" AND ".join(conditions)}
ORDER BY {ordering(keys, query)}
LIMIT %(limit)s OFFSET %(offset)s"""
    return Statement(text, values | {"limit": limit})


def select_rows(
    layer_id: uuid.UUID, feature_ids: Sequence[int], crs: ReferenceSystem, *, multiple: bool
) -> Statement:
    """Return the statement for features in the order of their ids: `id`, `wkb` (ISO WKB, x before
    y, null for none) and `properties`; with `multiple` single geometries as multiple ones."""
    geometry = geometry_expression(replace(crs, y_first=False))
    if multiple:
        geometry = f"ST_Multi({geometry})"
    text = f"""
SELECT id, ST_AsBinary({geometry}) AS wkb, properties
FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS wanted (id, place)
JOIN layer_features USING (id)
WHERE layer_id = %(layer)s
ORDER BY place"""
    return Statement(text, {"layer": layer_id, "ids": list(feature_ids)})
