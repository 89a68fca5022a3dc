"""Which features can meet a query's conditions, as far as indexes on properties tell.

An index keeps values rounded (`samsyn_model.tables.layers.PropertyValue`), so what it finds are
candidates: every condition is still put to the features themselves.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from samsyn_provider.cql2.expressions import Kind, Literal, Operation, Property
from samsyn_provider.cql2.sql import conjuncts
from samsyn_provider.query.items_query import ItemsQuery

MOST_CANDIDATES = 10_000
"""How many features are looked up one by one at most; where there are more, reading the layer in
its order finds enough of them soon."""
MOST_BESIDE_AREA = 1_000
"""The same where the spatial index may know better."""
_SHARE = 10  # of a layer: looking up more of it takes longer than reading it
_COLUMNS = {
    **dict.fromkeys((Kind.NUMBER, Kind.BOOLEAN, Kind.TIMESTAMP), "number"),
    **dict.fromkeys((Kind.TEXT, Kind.DATE), "text"),
}
_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_LITERAL_START = re.compile(r"(?:\\.|[^\\%_])*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_HIGHEST = "\U0010ffff" * 200  # as many characters as an index keeps


@dataclass(frozen=True, slots=True)
class _ValueRange:
    """The values of a property that a condition admits: all between two (None: no bound), or some.

    They are JSON values; a moment is a text.
    """

    name: str
    column: str
    low: Any = None
    high: Any = None
    some: tuple[Any, ...] = ()


def index_clause(
    query: ItemsQuery, indexed: Collection[str], size: str, values: dict[str, Any]
) -> str:
    """Return the WITH clause that `select_candidates` needs, empty where no index can help.

    `indexed` are the properties that have one, `size` is the SQL of the layer's number of features,
    `values` has its id as `layer`; the values of the clause are added.
    """
    looks, ranges = [], dict[tuple[str, str], list[_ValueRange]]()
    for admitted in _admitted(query):
        if admitted.name not in indexed:
            continue
        if admitted.some:
            looks.append(_look_for_some(admitted, values))
        else:
            ranges.setdefault((admitted.name, admitted.column), []).append(admitted)
    looks += [_look_between(together, values) for together in ranges.values()]
    if not looks:
        return ""
    values["most"] = MOST_BESIDE_AREA if _has_area(query) else MOST_CANDIDATES
    return f"""
WITH bound AS MATERIALIZED (
    SELECT least(%(most)s, {size} / {_SHARE}) AS most
), look AS MATERIALIZED (
    SELECT CASE WHEN cardinality(ids) <= most THEN ids END AS ids
    FROM bound CROSS JOIN (
        SELECT ids FROM (VALUES {", ".join(f"(ARRAY({look}))" for look in looks)}) AS given (ids)
        OFFSET 0
    ) AS looks
    ORDER BY cardinality(ids)
    LIMIT 1
)"""


def select_candidates(columns: str, conditions: Sequence[str], tail: str, look: str) -> str:
    """Return the SELECT of a layer's features that meet all conditions.

    `tail` is what follows: ORDER BY, LIMIT. With a `look` in front of the whole statement, its
    candidates are looked up where they are few, else the layer is read: only one of both is run.
    """
    where = " AND ".join(conditions)
    if not look:
        return f"SELECT {columns} FROM layer_features WHERE {where} {tail}"
    # in the order of their ids, so that a LIMIT ends the looking up
    candidates = """(
        SELECT candidate AS id, layer_id, geom, properties
        FROM (SELECT candidate FROM look, unnest(ids) AS candidate ORDER BY candidate) AS candidates
        CROSS JOIN LATERAL (
            SELECT layer_id, geom, properties FROM layer_features
            WHERE layer_id = %(layer)s AND id = candidate OFFSET 0
        ) AS feature
    ) AS layer_features"""
    return f"""(
        SELECT {columns} FROM {candidates} WHERE {where} {tail}
    ) UNION ALL (
        SELECT {columns} FROM layer_features
        WHERE (SELECT ids IS NULL FROM look) AND {where} {tail}
    )"""


def _has_area(query: ItemsQuery) -> bool:
    parts = conjuncts(query.filter) if query.filter else []
    return bool(query.bbox or query.areas) or any(
        isinstance(part, Operation) and part.operator.startswith("s_") for part in parts
    )


def _admitted(query: ItemsQuery) -> Iterator[_ValueRange]:
    for name, value in query.equals:
        column = "text" if isinstance(value, str) else "number"
        if not isinstance(value, dict | list):
            yield _ValueRange(name, column, value, value)
    for part in conjuncts(query.filter) if query.filter else []:
        if isinstance(part, Operation):
            yield from _admitted_by(part)


def _admitted_by(part: Operation) -> Iterator[_ValueRange]:
    """Yield what a comparison of a property with literals admits; nothing for all else."""
    operator, (one, *others) = part.operator, part.arguments
    if isinstance(one, Literal) and operator in _MIRRORED and len(others) == 1:
        operator, one, others = _MIRRORED[operator], others[0], [one]
    values = [other.value for other in others if isinstance(other, Literal)]
    if not isinstance(one, Property) or one.kind not in _COLUMNS or len(values) < len(others):
        return
    name, column = one.name, _COLUMNS[one.kind]
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
            yield _ValueRange(name, column, some=tuple(values))
        case "like":
            start = _literal_start(str(values[0]))
            if start:
                yield _ValueRange(name, column, start, start + _HIGHEST)


def _literal_start(pattern: str) -> str:
    """Return what all texts that a pattern of LIKE matches start with."""
    start = _LITERAL_START.match(pattern)
    return _ESCAPED.sub(r"\1", start[0]) if start else ""


def _look_between(together: Sequence[_ValueRange], values: dict[str, Any]) -> str:
    """Return the SELECT of the features whose value is in all ranges of one property."""
    name, column = together[0].name, together[0].column
    conditions = []
    for admitted in together:
        if admitted.low is not None:
            conditions.append(f"{column} >= {_bound(column, admitted.low, values)}")
        if admitted.high is not None:
            conditions.append(f"{column} <= {_bound(column, admitted.high, values)}")
    return _look(name, column, " AND ".join(conditions), values)


def _look_for_some(admitted: _ValueRange, values: dict[str, Any]) -> str:
    """Return the SELECT of the features that have one of some values."""
    column = admitted.column
    bounds = ", ".join(_bound(column, value, values) for value in admitted.some)
    look = _look(admitted.name, column, f"{column} = wanted", values)
    return (
        f"SELECT feature_id FROM (SELECT DISTINCT unnest(ARRAY[{bounds}]) AS wanted) AS listed"
        f" CROSS JOIN LATERAL ({look}) AS found LIMIT (SELECT most FROM bound) + 1"
    )


def _look(name: str, column: str, condition: str, values: dict[str, Any]) -> str:
    """Return the SELECT of the features whose value meets a condition: one more than are few."""
    # in the order of the index, so that no plan but a scan of it gets along without sorting
    return (
        f"SELECT feature_id FROM property_values WHERE layer_id = %(layer)s"
        f" AND property = {_placeholder(name, values)} AND {condition}"
        f" ORDER BY {column}, feature_id LIMIT (SELECT most FROM bound) + 1"
    )


def _bound(column: str, value: Any, values: dict[str, Any]) -> str:
    return f"indexed_{column}({_placeholder(json.dumps(value), values)}::jsonb)"


def _placeholder(value: Any, values: dict[str, Any]) -> str:
    key = f"look{len(values)}"
    values[key] = value
    return f"%({key})s"
