"""A query as SQL conditions and ordering of `layer_features`; every value is bound."""

import json
from collections.abc import Sequence
from typing import Any

from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.cql2.sql import filter_conditions
from samsyn_provider.cql2.temporal import moment_or_null
from samsyn_provider.geography.shapes import COMPARABLE_GEOMETRY
from samsyn_provider.query.datetime_conditions import datetime_conditions
from samsyn_provider.query.items_query import ItemsQuery, SortKey
from samsyn_provider.query.property_indexes import is_narrowed
from samsyn_provider.query.version_set import relation_of

_RELATIONS = {"intersects": "ST_Intersects", "within": "ST_Within"}


def feature_conditions(
    query: ItemsQuery, times: TemporalProperties | None, values: dict[str, Any]
) -> list[str]:
    """Return the conditions of a query: that of the layer, `spatial_conditions`, all others.

    `values` has the layer's id as `layer`; the values of the conditions are added to it.
    """
    if query.versions:
        values.update(query.versions.values)
    conditions = ["layer_id = %(layer)s", *spatial_conditions(query, values)]
    if query.datetime and times:
        conditions += datetime_conditions(query.datetime, times, values)
    for number, (name, value) in enumerate(query.equals):
        if isinstance(value, dict | list):
            values[f"name{number}"], values[f"equal{number}"] = name, json.dumps(value)
            conditions.append(f"properties -> %(name{number})s = %(equal{number})s::jsonb")
        else:
            values[f"equal{number}"] = json.dumps({name: value})
            conditions.append(f"properties @> %(equal{number})s::jsonb")
    if query.filter:
        conditions += filter_conditions(query.filter, values)
    return conditions


def spatial_conditions(query: ItemsQuery, values: dict[str, Any]) -> list[str]:
    """Return the conditions of a query that the spatial index can evaluate."""
    conditions = []
    if query.bbox:
        intersections = []
        for number, ewkb in enumerate(query.bbox.areas):
            values[f"bbox{number}"] = ewkb
            area = f"%(bbox{number})s::geometry"
            intersections.append(f"geom && {area} AND ST_Intersects({COMPARABLE_GEOMETRY}, {area})")
        conditions.append("(" + " OR ".join(intersections) + ")")
        if query.bbox.heights:
            values["bottom"], values["top"] = query.bbox.heights
            conditions.append(
                "(ST_NDims(geom) = 2 OR ST_ZMax(geom) >= %(bottom)s AND ST_ZMin(geom) <= %(top)s)"
            )
    for number, (relation, area) in enumerate(query.areas):
        values[f"area{number}"] = area
        geometry = f"%(area{number})s::geometry"
        related = f"{_RELATIONS[relation]}({COMPARABLE_GEOMETRY}, {geometry})"
        conditions.append(f"geom && {geometry} AND {related}")
    return conditions


def page_relation(query: ItemsQuery) -> str:
    """Return the SQL of what a page reads, by the name `layer_features`; with it goes
    `after_position`."""
    versions = query.versions
    if versions is None or query.sortby or is_narrowed(query):
        return relation_of(versions)
    # in the order of ids a page ends soon
    in_order = versions.ordered if query.after is None else versions.following
    return f"{in_order} AS layer_features"


def ordering(keys: Sequence[str], query: ItemsQuery, *, is_reversed: bool = False) -> str:
    """Return the ORDER BY list of a query, with expressions for its sort keys; ids break ties."""
    terms = (
        f"{name} {_direction(key, is_reversed)}"
        for name, key in zip(keys, query.sortby, strict=True)
    )
    return ", ".join([*terms, "id DESC" if is_reversed else "id"])


def _direction(key: SortKey, is_reversed: bool) -> str:
    # a column has no nulls, and an index on it is read backwards only without NULLS LAST
    direction = "DESC" if key.descending != is_reversed else "ASC"
    if key.column:
        return direction
    return f"{direction} NULLS {'FIRST' if is_reversed else 'LAST'}"


def sort_value(key: SortKey, number: int, values: dict[str, Any]) -> str:
    """Return the expression of a sort key, NULL for a feature without the property."""
    if key.column:
        return key.column
    values[f"sort{number}"] = key.name
    if key.is_moment:
        return moment_or_null(f"(properties ->> %(sort{number})s)")
    return f"nullif(properties -> %(sort{number})s, 'null')"


def after_position(query: ItemsQuery, values: dict[str, Any]) -> list[str]:
    """Return the condition that a feature comes after `query.after` in the query's order.

    The comparison is lexicographic over the sort values and the id; absent values come last.
    """
    if query.after is None:
        return []
    values["after_id"] = query.after.values[-1]
    reached, alternatives = [], []
    tied: list[str] = []
    for number, key in enumerate(query.sortby):
        expression = sort_value(key, number, values)
        if query.after.values[number] is None:
            tied.append(f"{expression} IS NULL")
            continue
        values["after"] = query.after.text
        bound = f"(%(after)s::jsonb -> {number})"
        if key.is_moment:
            bound = f"(%(after)s::jsonb ->> {number})::timestamptz"
        sign = "<" if key.descending else ">"
        after = f"({expression} {sign} {bound} OR {expression} IS NULL)"
        if key.column:
            after = f"{expression} {sign} {bound}"
            if not number:  # a range that an index on the column has
                reached.append(f"{expression} {sign}= {bound}")
        alternatives.append(" AND ".join([*tied, after]))
        tied.append(f"{expression} = {bound}")
    alternatives.append(" AND ".join([*tied, "id > %(after_id)s"]))
    if len(alternatives) == 1:
        return alternatives
    return [*reached, "(" + " OR ".join(f"({alternative})" for alternative in alternatives) + ")"]
