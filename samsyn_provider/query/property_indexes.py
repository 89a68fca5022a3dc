"""The candidates of a query's conditions, looked up by the indexes on properties.

An index stores rounded values (`samsyn_model.tables.layers.PropertyValue`), so a lookup returns
candidates: every condition is still evaluated on the features themselves.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from samsyn_provider.cql2.expressions import Kind, Literal, Operation, Property
from samsyn_provider.cql2.sql import conjuncts, is_spatial
from samsyn_provider.query.items_query import ItemsQuery

MAX_CANDIDATES = 10_000
"""The most features that are looked up one by one. With more matches, a scan of the layer in its
order soon fills a page."""
MAX_CANDIDATES_WITH_AREA = 1_000
"""The same for a query that the spatial index may narrow down further."""
_FEATURES_PER_CANDIDATE = 10  # of a layer at least: with more candidates a scan is faster
_COLUMNS = {
    **dict.fromkeys((Kind.NUMBER, Kind.BOOLEAN, Kind.TIMESTAMP), "number"),
    **dict.fromkeys((Kind.TEXT, Kind.DATE), "text"),
}
_RANGES = frozenset({"=", "<", "<=", ">", ">=", "between", "in"})
_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_LITERAL_PREFIX = re.compile(r"(?:\\.|[^\\%_])*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_HIGHEST = "\U0010ffff" * 200  # as many characters as an index stores


@dataclass(frozen=True, slots=True)
class _ValueRange:
    """The values of a property that satisfy a condition: a range (None: no bound), or `members`.

    They are JSON values; a timestamp is a text.
    """

    name: str
    column: str
    low: Any = None
    high: Any = None
    members: tuple[Any, ...] = ()


def index_clause(
    query: ItemsQuery, indexed: Collection[str], size: str, values: dict[str, Any]
) -> str:
    """Return the WITH clause that `select_candidates` needs, empty where no index can help.

    `indexed` are the properties with an index, `size` is the SQL of the layer's number of features,
    `values` has its id as `layer`; the values of the clause are added.
    """
    if query.versions:
        return ""  # the indexes have the values of present features
    lookups, ranges = [], dict[tuple[str, str], list[_ValueRange]]()
    for value_range in _value_ranges(query):
        if value_range.name not in indexed:
            continue
        if value_range.members:
            lookups.append(_members_lookup(value_range, values))
        else:
            ranges.setdefault((value_range.name, value_range.column), []).append(value_range)
    lookups += [_ranges_lookup(group, values) for group in ranges.values()]
    if not lookups:
        return ""
    values["max_candidates"] = MAX_CANDIDATES_WITH_AREA if has_area(query) else MAX_CANDIDATES
    arrays = ", ".join(f"(ARRAY({lookup}))" for lookup in lookups)
    return f"""
WITH maximum AS MATERIALIZED (
    SELECT least(%(max_candidates)s, {size} / {_FEATURES_PER_CANDIDATE}) AS candidates
), lookup AS MATERIALIZED (
    SELECT CASE WHEN cardinality(ids) <= candidates THEN ids END AS ids
    FROM maximum CROSS JOIN (
        SELECT ids FROM (VALUES {arrays}) AS arrays (ids)
        OFFSET 0
    ) AS lookups
    ORDER BY cardinality(ids)
    LIMIT 1
)"""


def select_candidates(
    columns: str,
    conditions: Sequence[str],
    tail: str,
    with_clause: str,
    relation: str = "layer_features",
) -> str:
    """Return the SELECT of a layer's features that meet all conditions.

    `tail` follows them: ORDER BY, LIMIT; `relation` is what is read without a `with_clause`. With
    that of `index_clause` before the whole statement, its candidates are read where they are few,
    else the layer: only one branch runs.
    """
    where = " AND ".join(conditions)
    if not with_clause:
        return f"SELECT {columns} FROM {relation} WHERE {where} {tail}"
    # in the order of their ids, so that a LIMIT ends the loop
    candidates = """(
        SELECT candidate AS id, layer_id, geom, properties, updated_at
        FROM (
            SELECT candidate FROM lookup, unnest(ids) AS candidate ORDER BY candidate
        ) AS candidates
        CROSS JOIN LATERAL (
            SELECT layer_id, geom, properties, updated_at FROM layer_features
            WHERE layer_id = %(layer)s AND id = candidate OFFSET 0
        ) AS feature
    ) AS layer_features"""
    return f"""(
        SELECT {columns} FROM {candidates} WHERE {where} {tail}
    ) UNION ALL (
        SELECT {columns} FROM layer_features
        WHERE (SELECT ids IS NULL FROM lookup) AND {where} {tail}
    )"""


def has_area(query: ItemsQuery) -> bool:
    """Return whether the spatial index may narrow the query down."""
    parts = conjuncts(query.filter) if query.filter else []
    return bool(query.bbox or query.areas) or any(
        isinstance(part, Operation) and is_spatial(part) for part in parts
    )


def is_narrowed(query: ItemsQuery) -> bool:
    """Return whether an index of features, the spatial one or that on their last change, may narrow
    the query down."""
    parts = conjuncts(query.filter) if query.filter else []
    return has_area(query) or any(
        isinstance(part, Operation) and _is_range_of_column(part) for part in parts
    )


def _is_range_of_column(part: Operation) -> bool:
    properties = [operand for operand in part.arguments if isinstance(operand, Property)]
    return part.operator in _RANGES and any(operand.column for operand in properties)


def _value_ranges(query: ItemsQuery) -> Iterator[_ValueRange]:
    for name, value in query.equals:
        column = "text" if isinstance(value, str) else "number"
        if not isinstance(value, dict | list):
            yield _ValueRange(name, column, value, value)
    for part in conjuncts(query.filter) if query.filter else []:
        if isinstance(part, Operation):
            yield from _operation_ranges(part)


def _operation_ranges(part: Operation) -> Iterator[_ValueRange]:
    """Yield the range of a comparison of a property with literals; nothing for any other one."""
    operator, (first, *others) = part.operator, part.arguments
    if isinstance(first, Literal) and operator in _MIRRORED and len(others) == 1:
        operator, first, others = _MIRRORED[operator], others[0], [first]
    values = [other.value for other in others if isinstance(other, Literal)]
    if not isinstance(first, Property) or first.column or len(values) < len(others):
        return
    if first.kind not in _COLUMNS:
        return
    name, column = first.name, _COLUMNS[first.kind]
    match operator:
        case "=":
            yield _ValueRange(name, column, values[0], values[0])
        case "<" | "<=":
            yield _ValueRange(name, column, high=values[0])
        case ">" | ">=":
            yield _ValueRange(name, column, low=values[0])
        case "between":
            yield _ValueRange(name, column, values[0], values[1])
        case "in":
            yield _ValueRange(name, column, members=tuple(values))
        case "like":
            prefix = _literal_prefix(str(values[0]))
            if prefix:
                yield _ValueRange(name, column, prefix, prefix + _HIGHEST)


def _literal_prefix(pattern: str) -> str:
    """Return the common prefix of all texts that a LIKE pattern matches."""
    prefix = _LITERAL_PREFIX.match(pattern)
    return _ESCAPED.sub(r"\1", prefix[0]) if prefix else ""


def _ranges_lookup(ranges: Sequence[_ValueRange], values: dict[str, Any]) -> str:
    """Return the SELECT of the features whose value is in all ranges of one property."""
    name, column = ranges[0].name, ranges[0].column
    conditions = []
    for value_range in ranges:
        if value_range.low is not None:
            conditions.append(f"{column} >= {_bound(column, value_range.low, values)}")
        if value_range.high is not None:
            conditions.append(f"{column} <= {_bound(column, value_range.high, values)}")
    return _index_scan(name, column, " AND ".join(conditions), values)


def _members_lookup(value_range: _ValueRange, values: dict[str, Any]) -> str:
    """Return the SELECT of the features whose value is one of the members."""
    column = value_range.column
    bounds = ", ".join(_bound(column, value, values) for value in value_range.members)
    scan = _index_scan(value_range.name, column, f"{column} = member", values)
    return (
        f"SELECT feature_id FROM (SELECT DISTINCT unnest(ARRAY[{bounds}]) AS member) AS members"
        f" CROSS JOIN LATERAL ({scan}) AS matches LIMIT (SELECT candidates FROM maximum) + 1"
    )


def _index_scan(name: str, column: str, condition: str, values: dict[str, Any]) -> str:
    """Return the SELECT of the features whose value meets a condition, one over the maximum."""
    # in the order of the index, so that every plan but its scan has to sort
    return (
        f"SELECT feature_id FROM property_values WHERE layer_id = %(layer)s"
        f" AND property = {_placeholder(name, values)} AND {condition}"
        f" ORDER BY {column}, feature_id LIMIT (SELECT candidates FROM maximum) + 1"
    )


def _bound(column: str, value: Any, values: dict[str, Any]) -> str:
    return f"indexed_{column}({_placeholder(json.dumps(value), values)}::jsonb)"


def _placeholder(value: Any, values: dict[str, Any]) -> str:
    key = f"lookup{len(values)}"
    values[key] = value
    return f"%({key})s"
