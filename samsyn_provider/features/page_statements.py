"""The SQL of pages of items: pure functions from a query to text and bound values.

PostgreSQL serializes the GeoJSON; property names and all values are bound, never interpolated.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from samsyn_model.database.statement import Statement
from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.collections.statements import FEATURE_COUNT
from samsyn_provider.features.count_statements import (
    MAX_COUNTED_IN_BOX,
    is_filtered,
    matched_expression,
)
from samsyn_provider.features.geojson_sql import (
    feature_expression,
    may_be_prepared,
    properties_column,
    stored_features,
)
from samsyn_provider.geography.crs import (
    CRS84,
)
from samsyn_provider.query.conditions import (
    after_position,
    feature_conditions,
    ordering,
    page_relation,
    sort_value,
    spatial_conditions,
)
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.property_indexes import index_clause, select_candidates
from samsyn_provider.query.version_set import relation_of, version_columns

MAX_PAGE_BYTES = 16 * 1024 * 1024
"""The stored size of a page's features at most; a larger page ends early."""

_MAX_PREPARED_LIMIT = 100

_LAST_ID = "jsonb_build_array(max(id) FILTER (WHERE fits))"

_SIZE = "coalesce(pg_column_size(geom), 0) + pg_column_size(properties)"

_PART_SIZE = 250  # features of a streamed page that are serialized together


def select_page(  # noqa: PLR0913 - the query, and what is known of the layer
    layer_id: uuid.UUID,
    query: ItemsQuery,
    times: TemporalProperties | None,
    *,
    names: Sequence[str] = (),
    indexed: frozenset[str] = frozenset(),
    is_counted: bool = True,
) -> Statement:
    """Return the statement for a page of items.

    `names` are the properties in the order of the layer's schema, none without a schema.
    `indexed` are the properties whose indexes may be used: the result is the same without.
    Its one row: `features` (bytes, the GeoJSON features separated by commas, or null), `returned`,
    `has_more` (whether others follow), `last` (JSON array: sort values and id of the last
    feature), `matched` (null where counting would cost more than the page, or not `is_counted`).
    """
    page = _page_sql(layer_id, query, times, names, indexed)
    return _page_statement(page if is_counted else replace(page, matched="NULL"))


def select_box_page(
    layer_id: uuid.UUID, query: ItemsQuery, *, names: Sequence[str] = ()
) -> Statement | None:
    """Return the statement for a page of the features in a box; None for any other query.

    Its one row is that of `select_page`, unless the box has more than MAX_COUNTED_IN_BOX features:
    then `matched` is null, and there is no feature.
    """
    return _page_statement(_box_page_sql(layer_id, query, names)) if _is_box(query) else None


def select_streamed_page(  # noqa: PLR0913 - as select_page
    layer_id: uuid.UUID,
    query: ItemsQuery,
    times: TemporalProperties | None,
    *,
    names: Sequence[str] = (),
    indexed: frozenset[str] = frozenset(),
    is_counted: bool = True,
) -> Statement:
    """Return the statement for a streamed page of items.

    Its first row is that of `select_page` without the features; each row that follows has only
    `features` (bytes), the next part of them.
    """
    page = _page_sql(layer_id, query, times, names, indexed)
    if not is_counted:
        page = replace(page, matched="NULL::bigint")
    if query.versions is None and not query.sortby and not is_filtered(query, times):
        return _whole_page_statement(query, page)
    # string_agg with ORDER BY makes it group by sorting: hashing would hold all parts to the end
    prefix = f"{page.with_clause}," if page.with_clause else "WITH"
    text = f"""{prefix} page AS MATERIALIZED ({page.rows})
SELECT NULL::bpchar AS features, {page.columns("count(*) FILTER (WHERE fits)")} FROM page
UNION ALL
SELECT features, NULL, NULL, NULL, NULL
FROM (
    SELECT string_agg({page.feature}, E',\\n' ORDER BY row_number)::bpchar AS features
    FROM page WHERE fits
    GROUP BY (row_number - 1) / {_PART_SIZE} ORDER BY (row_number - 1) / {_PART_SIZE}
) AS parts"""
    return Statement(text, page.values)


def _whole_page_statement(query: ItemsQuery, page: "_PageSql") -> Statement:
    """Return the statement for a streamed page in the order of ids, without a filter.

    Only ids and sizes are kept between the two reads of its features, which takes a third less
    time than to sort the features.
    """
    values = page.values
    where = " AND ".join(["layer_id = %(layer)s", *after_position(query, values)])
    selection = f"""
        SELECT id, {_SIZE} AS size FROM {page_relation(query)} WHERE {where}
        ORDER BY id LIMIT %(limit)s + 1 OFFSET %(offset)s"""
    text = f"""WITH page AS MATERIALIZED ({_rows(selection, "%(limit)s", "size")})
SELECT NULL::bpchar AS features, {page.columns("count(*) FILTER (WHERE fits)")} FROM page
UNION ALL
SELECT features, NULL, NULL, NULL, NULL
FROM (
    SELECT min(id) AS first, max(id) AS last FROM page WHERE fits
    GROUP BY (row_number - 1) / {_PART_SIZE} ORDER BY (row_number - 1) / {_PART_SIZE}
) AS ranges
CROSS JOIN LATERAL (
    SELECT string_agg(feature, E',\\n')::bpchar AS features
    FROM (
        SELECT {page.feature} AS feature FROM {stored_features(query)}
        WHERE layer_id = %(layer)s AND id BETWEEN first AND last ORDER BY id
    ) AS features_in_range
) AS part"""
    return Statement(text, values)


@dataclass(frozen=True, slots=True)
class _PageSql:
    """The SQL that statements for a page are composed of.

    `rows` selects the page's features and one more, their `row_number` and whether each `fits`;
    `last` is the expression for the position of the last one, with `{fitting}` for the number of
    those that fit.
    """

    with_clause: str
    rows: str
    feature: str
    last: str
    matched: str
    values: dict[str, Any]
    prepared: bool

    def columns(self, fitting: str) -> str:
        """Return the columns beside `features`; `fitting` counts the features that fit."""
        last = self.last.format(fitting=fitting)
        return f"""{fitting} AS returned, count(*) > {fitting} AS has_more, {last}::text AS last,
       {self.matched} AS matched"""


def _page_statement(page: _PageSql) -> Statement:
    """Return the statement for a page as one row."""
    text = f"""{page.with_clause}
SELECT string_agg(feature, E',\\n')::bpchar AS features,
       {page.columns("count(feature)")}
FROM (
    SELECT *, CASE WHEN fits THEN {page.feature} END AS feature FROM ({page.rows}) AS numbered
) AS page"""
    return Statement(text, page.values, page.prepared)


def _page_sql(
    layer_id: uuid.UUID,
    query: ItemsQuery,
    times: TemporalProperties | None,
    names: Sequence[str],
    indexed: frozenset[str],
) -> _PageSql:
    values: dict[str, Any] = {"layer": layer_id, "limit": query.limit, "offset": query.offset}
    prepared = _is_plain(query) and may_be_prepared(names)
    # with the limit bound, PostgreSQL would plan for a tenth of the layer
    limit, offset = (str(query.limit), "") if prepared else ("%(limit)s", " OFFSET %(offset)s")
    conditions = feature_conditions(query, times, values)
    with_clause = index_clause(query, indexed, FEATURE_COUNT, values)
    matched = matched_expression(
        conditions, len(spatial_conditions(query, {})), with_clause, query.versions
    )
    position_conditions = after_position(query, values)
    keys = [f"key{number}" for number in range(len(query.sortby))]
    columns = "".join(
        f", {sort_value(key, number, values)} AS key{number}"
        for number, key in enumerate(query.sortby)
    )
    last = _LAST_ID
    if keys:
        members = ", ".join([*(f"to_jsonb({name})" for name in keys), "id"])
        last = f"(array_agg(jsonb_build_array({members})) FILTER (WHERE fits))[{{fitting}}]"
    selection = select_candidates(
        f"id, geom, {properties_column(query)}{version_columns(query.versions)}{columns}",
        conditions + position_conditions,
        f"ORDER BY {ordering(keys, query)} LIMIT {limit} + 1{offset}",
        with_clause,
        page_relation(query),
    )
    rows, feature = _rows(selection, limit), feature_expression(query, values, names=names)
    return _PageSql(with_clause, rows, feature, last, matched, values, prepared)


def _box_page_sql(layer_id: uuid.UUID, query: ItemsQuery, names: Sequence[str]) -> _PageSql:
    values: dict[str, Any] = {"layer": layer_id, "limit": query.limit}
    where = " AND ".join(feature_conditions(query, None, values))
    columns = version_columns(query.versions)
    with_clause = f"""WITH in_box AS MATERIALIZED (
    SELECT id, geom, properties{columns} FROM {relation_of(query.versions)}
    WHERE {where} LIMIT {MAX_COUNTED_IN_BOX + 1}
)"""
    conditions = [
        f"(SELECT count(*) FROM in_box) <= {MAX_COUNTED_IN_BOX}",
        *after_position(query, values),
    ]
    selection = f"""
        SELECT id, geom, properties{columns} FROM in_box WHERE {" AND ".join(conditions)}
        ORDER BY id LIMIT %(limit)s + 1"""
    matched = f"(SELECT CASE WHEN count(*) <= {MAX_COUNTED_IN_BOX} THEN count(*) END FROM in_box)"
    rows, feature = _rows(selection, "%(limit)s"), feature_expression(query, values, names=names)
    return _PageSql(
        with_clause,
        rows,
        feature,
        _LAST_ID,
        matched,
        values,
        prepared=may_be_prepared(names),
    )


def _rows(selection: str, limit: str, size: str = _SIZE) -> str:
    """Return the `rows` of a page; `selection` selects one feature more than the limit, and `size`
    is the expression for its stored size."""
    return f"""
        SELECT *, row_number() OVER rows AS row_number, row_number() OVER rows = 1 OR
                   row_number() OVER rows <= {limit}
                       AND sum({size}) OVER rows <= {MAX_PAGE_BYTES} AS fits
        FROM ({selection}) AS selection
        WINDOW rows AS (ROWS UNBOUNDED PRECEDING)"""


def _is_plain(query: ItemsQuery) -> bool:
    """Return whether the query is for a short page of a whole layer, the most frequent request."""
    plain = ItemsQuery(crs=query.crs, limit=query.limit, after=query.after)
    return query == plain and query.limit <= _MAX_PREPARED_LIMIT and query.crs.uri == CRS84


def _is_box(query: ItemsQuery) -> bool:
    """Return whether the query is for a page of the features in one box, as maps request it."""
    plain = ItemsQuery(
        crs=query.crs,
        limit=query.limit,
        after=query.after,
        bbox=query.bbox,
        versions=query.versions,
    )
    bbox = query.bbox
    is_single = bbox is not None and len(bbox.areas) == 1 and bbox.heights is None
    is_state = query.versions is None or not query.versions.is_history
    return is_single and is_state and query == plain and query.crs.uri == CRS84
