"""The SQL of pages of items: pure functions from a query to text and bound values.

PostgreSQL makes the GeoJSON; the names of properties and all values are bound, never spliced.
"""

import uuid
from dataclasses import dataclass, replace
from typing import Any

from samsyn_model.database.statement import Statement
from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.collections.statements import LAYER_COUNT
from samsyn_provider.features.geojson_sql import feature_expression
from samsyn_provider.geography.crs import (
    CRS84,
)
from samsyn_provider.query.conditions import (
    after_position,
    feature_conditions,
    ordering,
    sort_value,
    spatial_conditions,
)
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.property_indexes import index_clause, select_candidates

MAX_COUNTED = 10_000
"""How many features a layer has at most whose filtered matches are counted on the side."""

MAX_COUNTED_IN_BOX = 2_000
"""How many features are in a box at most that are counted on the side."""

PAGE_SIZE = 16 * 1024 * 1024
"""How many bytes a page's features may have as they are stored; a larger page ends early."""

_SHORT = 100

_LAST_ID = "jsonb_build_array(max(id) FILTER (WHERE fits))"

_PART = 250  # features of a long page that are written together

_COUNT = LAYER_COUNT.format(layer="%(layer)s")


def select_page(
    layer_id: uuid.UUID,
    query: ItemsQuery,
    times: TemporalProperties | None,
    *,
    indexed: frozenset[str] = frozenset(),
    is_counted: bool = True,
) -> Statement:
    """Return the statement for a page of items.

    `indexed` are the properties whose indexes may be asked: the answer is the same without.
    Its one row: `features` (bytes, the GeoJSON features with commas between them, or null),
    `returned`, `more` (whether others follow), `last` (JSON array: sort values and id of the last
    feature), `matched` (null where counting would cost more than the page, or is not asked for).
    """
    page = _page_of(layer_id, query, times, indexed)
    return _whole(page if is_counted else replace(page, matched="NULL"))


def select_box_page(layer_id: uuid.UUID, query: ItemsQuery) -> Statement | None:
    """Return the statement for a page of what is in a box, if that is all that is asked.

    Its one row is that of `select_page`, unless the box has more than MAX_COUNTED_IN_BOX features:
    `matched` is null then, and there is no feature.
    """
    return _whole(_near_page_of(layer_id, query)) if _is_box(query) else None


def select_streamed_page(
    layer_id: uuid.UUID,
    query: ItemsQuery,
    times: TemporalProperties | None,
    *,
    indexed: frozenset[str] = frozenset(),
) -> Statement:
    """Return the statement for a long page of items, part by part.

    Its first row is that of `select_page` without the features; each that follows has `features`
    (bytes) alone, some more of them.
    """
    page = _page_of(layer_id, query, times, indexed)
    # grouped by sorting, which texts in an order want: hashing would keep all parts to the end
    text = f"""{page.look}{"," if page.look else "WITH"} page AS MATERIALIZED ({page.rows})
SELECT NULL::bpchar AS features, {page.told("count(*) FILTER (WHERE fits)")} FROM page
UNION ALL
SELECT features, NULL, NULL, NULL, NULL
FROM (
    SELECT string_agg({page.feature}, E',\\n' ORDER BY place)::bpchar AS features
    FROM page WHERE fits
    GROUP BY (place - 1) / {_PART} ORDER BY (place - 1) / {_PART}
) AS parts"""
    return Statement(text, page.values)


@dataclass(frozen=True, slots=True)
class _Page:
    """The parts that statements for a page are made of.

    `rows` selects the page's features and one more, their `place` and whether each `fits`; `last`
    is what tells the last of them, with `{fitting}` for the number of those that fit.
    """

    look: str
    rows: str
    feature: str
    last: str
    matched: str
    values: dict[str, Any]
    prepared: bool

    def told(self, fitting: str) -> str:
        """Return what is said of the page's features."""
        last = self.last.format(fitting=fitting)
        return f"""{fitting} AS returned, count(*) > {fitting} AS more, {last}::text AS last,
       {self.matched} AS matched"""


def _whole(page: _Page) -> Statement:
    """Return the statement that writes a page at once."""
    text = f"""{page.look}
SELECT string_agg(feature, E',\\n')::bpchar AS features,
       {page.told("count(feature)")}
FROM (
    SELECT *, CASE WHEN fits THEN {page.feature} END AS feature FROM ({page.rows}) AS placed
) AS page"""
    return Statement(text, page.values, page.prepared)


def _page_of(
    layer_id: uuid.UUID,
    query: ItemsQuery,
    times: TemporalProperties | None,
    indexed: frozenset[str],
) -> _Page:
    values: dict[str, Any] = {"layer": layer_id, "limit": query.limit, "offset": query.offset}
    prepared = _is_plain(query)
    # without the number itself PostgreSQL would plan for a tenth of the layer
    limit, offset = (str(query.limit), "") if prepared else ("%(limit)s", " OFFSET %(offset)s")
    conditions = feature_conditions(query, times, values)
    look = index_clause(query, indexed, _COUNT, values)
    matched = _matched(conditions, len(spatial_conditions(query, {})), look)
    beyond = after_position(query, values)
    keys = [f"key{number}" for number in range(len(query.sortby))]
    columns = "".join(
        f", {sort_value(key, number, values)} AS key{number}"
        for number, key in enumerate(query.sortby)
    )
    last = _LAST_ID
    if keys:
        position = ", ".join([*(f"to_jsonb({name})" for name in keys), "id"])
        last = f"(array_agg(jsonb_build_array({position})) FILTER (WHERE fits))[{{fitting}}]"
    chosen = select_candidates(
        f"id, geom, properties{columns}",
        conditions + beyond,
        f"ORDER BY {ordering(keys, query)} LIMIT {limit} + 1{offset}",
        look,
    )
    rows, feature = _rows(chosen, limit), feature_expression(query, values)
    return _Page(look, rows, feature, last, matched, values, prepared)


def _near_page_of(layer_id: uuid.UUID, query: ItemsQuery) -> _Page:
    values: dict[str, Any] = {"layer": layer_id, "limit": query.limit}
    near = " AND ".join(feature_conditions(query, None, values))
    look = f"""WITH near AS MATERIALIZED (
    SELECT id, geom, properties FROM layer_features WHERE {near} LIMIT {MAX_COUNTED_IN_BOX + 1}
)"""
    beyond = [
        f"(SELECT count(*) FROM near) <= {MAX_COUNTED_IN_BOX}",
        *after_position(query, values),
    ]
    chosen = f"""
        SELECT id, geom, properties FROM near WHERE {" AND ".join(beyond)}
        ORDER BY id LIMIT %(limit)s + 1"""
    matched = f"(SELECT CASE WHEN count(*) <= {MAX_COUNTED_IN_BOX} THEN count(*) END FROM near)"
    rows, feature = _rows(chosen, "%(limit)s"), feature_expression(query, values)
    return _Page(look, rows, feature, _LAST_ID, matched, values, prepared=True)


def _rows(chosen: str, limit: str) -> str:
    """Return the `rows` of a page of what is chosen, one feature more than the limit."""
    return f"""
        SELECT *, row_number() OVER rows AS place, row_number() OVER rows = 1 OR
                   row_number() OVER rows <= {limit} AND sum(
                       coalesce(pg_column_size(geom), 0) + pg_column_size(properties)
                   ) OVER rows <= {PAGE_SIZE} AS fits
        FROM ({chosen}) AS chosen
        WINDOW rows AS (ROWS UNBOUNDED PRECEDING)"""


def _is_plain(query: ItemsQuery) -> bool:
    """Return whether a short page of a whole layer is asked for, as clients do most."""
    plain = ItemsQuery(crs=query.crs, limit=query.limit, after=query.after)
    return query == plain and query.limit <= _SHORT and query.crs.uri == CRS84


def _is_box(query: ItemsQuery) -> bool:
    """Return whether a page of what is in one box is asked for, as maps do."""
    asked = ItemsQuery(crs=query.crs, limit=query.limit, after=query.after, bbox=query.bbox)
    bbox = query.bbox
    is_one = bbox is not None and len(bbox.polygons) == 1 and bbox.heights is None
    return is_one and query == asked and query.crs.uri == CRS84


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
    if len(conditions) == 1:
        return Statement(f"SELECT {_COUNT} AS matched", values)
    look = index_clause(query, indexed, _COUNT, values)
    found = select_candidates("id", conditions, "", look)
    return Statement(f"{look} SELECT count(*) AS matched FROM ({found}) AS found", values)


def _matched(conditions: list[str], places: int, look: str) -> str:
    """Return the expression for how many features meet the conditions, null where finding out
    would cost more than the page; the first is their layer, the next `places` the spatial index
    answers."""
    if len(conditions) == 1:
        return _COUNT
    if places:
        near = " AND ".join(conditions[: 1 + places])
        rest = " AND ".join(conditions[1 + places :]) or "true"
        return f"""(
            SELECT CASE WHEN count(*) <= {MAX_COUNTED_IN_BOX}
                   THEN count(*) FILTER (WHERE {rest}) END
            FROM (SELECT id, geom, properties FROM layer_features WHERE {near}
                  LIMIT {MAX_COUNTED_IN_BOX + 1}) AS near
        )"""
    is_cheap = f"{_COUNT} <= {MAX_COUNTED}" + (
        " OR (SELECT ids IS NOT NULL FROM look)" if look else ""
    )
    counted = select_candidates("id", conditions, "", look)
    return f"CASE WHEN {is_cheap} THEN (SELECT count(*) FROM ({counted}) AS counted) END"
