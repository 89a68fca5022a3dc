"""The SQL that serves features: pure functions from a query to text and bound values.

PostgreSQL makes the GeoJSON; the names of properties and all values are bound, never spliced.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, or_

from samsyn_model.property_roles import Times
from samsyn_provider.bbox import Bbox
from samsyn_provider.crs import (
    CRS84,
    MERCATOR,
    MERCATOR_LATITUDE,
    ReferenceSystem,
    reference_system,
)
from samsyn_provider.feature_conditions import (
    after_position,
    feature_conditions,
    ordering,
    place_conditions,
    sort_value,
)
from samsyn_provider.json_fg import json_fg_members
from samsyn_provider.parameters import ItemsQuery
from samsyn_provider.property_indexes import index_look, selected

COUNTED = 10_000
"""How many features a layer has at most whose filtered matches are counted on the side."""
COUNTED_NEAR = 2_000
"""How many features are in a box at most that are counted on the side."""
PAGE_SIZE = 16 * 1024 * 1024
"""How many bytes a page's features may have as they are stored; a larger page ends early."""
_DECIMALS = 9
_SHORT = 100
_LAST_ID = "jsonb_build_array(max(id) FILTER (WHERE fits))"
_PART = 250  # features of a long page that are written together

LAYER_COUNT = (
    "(SELECT coalesce(sum(feature_count), 0)::bigint FROM layer_changes WHERE layer_id = {layer})"
)
"""A layer's number of features, without a scan; `{layer}` is an expression for its id."""
_COUNT = LAYER_COUNT.format(layer="%(layer)s")
LAYER_VERSION = (
    "(SELECT coalesce(sum(changes), 0)::bigint FROM layer_changes WHERE layer_id = {layer})"
)
"""A layer's data version: it grows with every committed write of its features."""
LAYER_BOUNDS = "layer_bounds({layer})"
"""A layer's extent [west, south, east, north] in degrees, nulls when nothing has a place."""


LAYER_TIMES = "layer_times(layers)"
"""A layer's extent in time [first, last], where `layers` is selected from: seconds since 1970,
nulls when nothing has a time."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text with psycopg's named placeholders, and their values."""

    text: str
    values: dict[str, Any]
    prepared: bool = False
    """Whether one plan of it is good for every layer."""


def in_bounds(bbox: Bbox) -> ColumnElement[bool]:
    """Return the condition on `layers` that a layer's extent meets a bbox."""
    extent: ColumnElement[Any] = literal_column(
        "(SELECT ST_MakeEnvelope(edges[1], edges[2], edges[3], edges[4], 4326)"
        f" FROM {LAYER_BOUNDS.format(layer='layers.id')} AS edges)"
    )
    return or_(
        *(extent.op("&&")(func.ST_GeomFromEWKB(bytes.fromhex(area))) for area in bbox.polygons)
    )


def select_page(
    layer_id: uuid.UUID,
    query: ItemsQuery,
    times: Times | None,
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


def select_near_page(layer_id: uuid.UUID, query: ItemsQuery) -> Statement | None:
    """Return the statement for a page of what is in a box, if that is all that is asked.

    Its one row is that of `select_page`, unless the box has more than COUNTED_NEAR features:
    `matched` is null then, and there is no feature.
    """
    return _whole(_near_page_of(layer_id, query)) if _is_box(query) else None


def select_parts(
    layer_id: uuid.UUID,
    query: ItemsQuery,
    times: Times | None,
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
    layer_id: uuid.UUID, query: ItemsQuery, times: Times | None, indexed: frozenset[str]
) -> _Page:
    values: dict[str, Any] = {"layer": layer_id, "limit": query.limit, "offset": query.offset}
    prepared = _is_plain(query)
    # without the number itself PostgreSQL would plan for a tenth of the layer
    limit, offset = (str(query.limit), "") if prepared else ("%(limit)s", " OFFSET %(offset)s")
    conditions = feature_conditions(query, times, values)
    look = index_look(query, indexed, _COUNT, values)
    matched = _matched(conditions, len(place_conditions(query, {})), look)
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
    chosen = selected(
        f"id, geom, properties{columns}",
        conditions + beyond,
        f"ORDER BY {ordering(keys, query)} LIMIT {limit} + 1{offset}",
        look,
    )
    rows, feature = _rows(chosen, limit), _feature(query, values)
    return _Page(look, rows, feature, last, matched, values, prepared)


def _near_page_of(layer_id: uuid.UUID, query: ItemsQuery) -> _Page:
    values: dict[str, Any] = {"layer": layer_id, "limit": query.limit}
    near = " AND ".join(feature_conditions(query, None, values))
    look = f"""WITH near AS MATERIALIZED (
    SELECT id, geom, properties FROM layer_features WHERE {near} LIMIT {COUNTED_NEAR + 1}
)"""
    beyond = [f"(SELECT count(*) FROM near) <= {COUNTED_NEAR}", *after_position(query, values)]
    chosen = f"""
        SELECT id, geom, properties FROM near WHERE {" AND ".join(beyond)}
        ORDER BY id LIMIT %(limit)s + 1"""
    matched = f"(SELECT CASE WHEN count(*) <= {COUNTED_NEAR} THEN count(*) END FROM near)"
    rows, feature = _rows(chosen, "%(limit)s"), _feature(query, values)
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
    times: Times | None,
    *,
    indexed: frozenset[str] = frozenset(),
) -> Statement:
    """Return the statement that counts all matches exactly (`resulttype=hits`)."""
    values: dict[str, Any] = {"layer": layer_id}
    conditions = feature_conditions(query, times, values)
    if len(conditions) == 1:
        return Statement(f"SELECT {_COUNT} AS matched", values)
    look = index_look(query, indexed, _COUNT, values)
    found = selected("id", conditions, "", look)
    return Statement(f"{look} SELECT count(*) AS matched FROM ({found}) AS found", values)


def select_feature(layer_id: uuid.UUID, feature_id: int, crs: ReferenceSystem) -> Statement:
    """Return the statement for one item: `feature` (bytes, GeoJSON) and `version`."""
    values: dict[str, Any] = {"layer": layer_id, "id": feature_id}
    feature = _feature(ItemsQuery(crs=crs), values)
    return Statement(
        f"SELECT ({feature})::bpchar AS feature, version FROM layer_features"
        " WHERE layer_id = %(layer)s AND id = %(id)s",
        values,
        prepared=True,
    )


def select_features(
    layer_id: uuid.UUID, feature_ids: Sequence[int], crs: ReferenceSystem
) -> Statement:
    """Return the statement for some items in the order of their ids: text, with commas between."""
    values: dict[str, Any] = {"layer": layer_id, "ids": list(feature_ids)}
    feature = _feature(ItemsQuery(crs=crs), values)
    return Statement(
        f"SELECT string_agg({feature}, ',' ORDER BY id) FROM layer_features"
        " WHERE layer_id = %(layer)s AND id = ANY(%(ids)s)",
        values,
    )


def select_texts(  # noqa: PLR0913 - what is asked for, and how it is written
    layer_id: uuid.UUID,
    feature_ids: Sequence[int],
    query: ItemsQuery,
    times: Times | None,
    *,
    separator: str,
    json_fg: bool,
) -> Statement:
    """Return the statement for some of the features that a query finds, in the order of their ids.

    Its one value: their GeoJSON, or JSON-FG, with `separator` between; null where there are none.
    """
    values: dict[str, Any] = {"layer": layer_id, "ids": list(feature_ids), "separator": separator}
    feature = _feature(query, values, json_fg_members(query.crs, times, values) if json_fg else "")
    text = f"""
SELECT string_agg({feature}, %(separator)s ORDER BY place)
FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS wanted (id, place)
JOIN layer_features USING (id)
WHERE layer_id = %(layer)s"""
    return Statement(text, values)


def select_collections(
    layer_ids: Sequence[uuid.UUID], size: int, budget: int, whole: int = 1
) -> Statement:
    """Return the statement for all features of small layers, one row a layer in their order.

    `layer_id`; `collection`: bytes, a GeoJSON feature collection, null when it would take more than
    `size` bytes; `fits`: false, with `collection` null, where all so far take more than `budget`
    bytes, though never for the first `whole` layers.
    """
    values: dict[str, Any] = {
        "layers": list(layer_ids),
        "size": size,
        "budget": budget,
        "whole": whole,
    }
    feature = _feature(ItemsQuery(crs=reference_system(CRS84, "crs")), values)
    # asked first what it takes stored, at most four times its GeoJSON: large layers are not written
    text = f"""
SELECT layer_id, (CASE WHEN fits THEN collection END)::bpchar AS collection, fits
FROM (
    SELECT wanted.layer_id, place, collection, place <= %(whole)s OR
        coalesce(sum(octet_length(collection)) OVER (ORDER BY place), 0) <= %(budget)s AS fits
    FROM unnest(%(layers)s::uuid[]) WITH ORDINALITY AS wanted (layer_id, place)
    LEFT JOIN LATERAL (
        SELECT CASE WHEN octet_length(written) <= %(size)s THEN written END AS collection
        FROM (
            SELECT '{{"type":"FeatureCollection","features":[' ||
                coalesce(string_agg({feature}, ',' ORDER BY id), '') || ']}}' AS written
            FROM layer_features
            WHERE layer_id = wanted.layer_id
        ) AS whole
        WHERE coalesce((
            SELECT sum(coalesce(pg_column_size(geom), 0) + pg_column_size(properties))
            FROM layer_features WHERE layer_id = wanted.layer_id), 0) <= 4 * %(size)s
    ) AS given ON true
) AS budgeted
ORDER BY place"""
    return Statement(text, values)


def select_observed_properties(layer_id: uuid.UUID) -> Statement:
    """Return the statement that tells `name` and `type` of the properties in a layer's first
    thousand features: what a layer without a schema is known by."""
    text = """
SELECT name, array_agg(DISTINCT type) AS types
FROM (
    SELECT entry.key AS name, jsonb_typeof(entry.value) AS type
    FROM (SELECT properties FROM layer_features WHERE layer_id = %(layer)s ORDER BY id LIMIT 1000)
             AS sample,
         jsonb_each(sample.properties) AS entry
) AS observed
WHERE type <> 'null'
GROUP BY name ORDER BY name"""
    return Statement(text, {"layer": layer_id})


def _feature(query: ItemsQuery, values: dict[str, Any], more_members: str = "") -> str:
    """Return the expression for a feature as text; `more_members` is one for what comes before its
    properties, where a geometry in another CRS than WGS 84 is not called `geometry`."""
    geometry = geometry_in(query.crs)
    properties = "properties::text"
    if query.properties is not None:
        values["properties"] = list(query.properties)
        properties = (
            "coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(properties)"
            " WHERE key = ANY(%(properties)s)), '{}')::text"
        )
    if query.skip_geometry:
        geometry_text = "'null'"
    else:
        geometry_text = f"coalesce(ST_AsGeoJSON({geometry}, {_DECIMALS}, 0), 'null')"
    member = "place" if more_members and query.crs.uri != CRS84 else "geometry"
    return (
        f"""'{{"type":"Feature","id":' || id || ',"{member}":' || {geometry_text}"""
        f"""{more_members} || ',"properties":' || {properties} || '}}'"""
    )


def geometry_in(crs: ReferenceSystem) -> str:
    """Return the expression for a feature's geometry in a CRS, in the axis order of that."""
    geometry = "geom"
    if crs.srid == MERCATOR:
        edge = MERCATOR_LATITUDE
        geometry = (
            f"CASE WHEN ST_YMin(geom) < -{edge} OR ST_YMax(geom) > {edge}"
            f" THEN ST_ClipByBox2D(geom, ST_MakeEnvelope(-180, -{edge}, 180, {edge}, 4326))"
            " ELSE geom END"
        )
    if crs.srid != 4326:
        geometry = f"ST_Transform({geometry}, {crs.srid})"
    return f"ST_FlipCoordinates({geometry})" if crs.y_first else geometry


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
            SELECT CASE WHEN count(*) <= {COUNTED_NEAR} THEN count(*) FILTER (WHERE {rest}) END
            FROM (SELECT id, geom, properties FROM layer_features WHERE {near}
                  LIMIT {COUNTED_NEAR + 1}) AS near
        )"""
    is_cheap = f"{_COUNT} <= {COUNTED}" + (" OR (SELECT ids IS NOT NULL FROM look)" if look else "")
    counted = selected("id", conditions, "", look)
    return f"CASE WHEN {is_cheap} THEN (SELECT count(*) FROM ({counted}) AS counted) END"
