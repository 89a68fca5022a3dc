"""The SQL of features by id, and of all features of small layers."""

import uuid
from collections.abc import Sequence
from typing import Any

from samsyn_model.database.statement import Statement
from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.features.geojson_sql import (
    feature_expression,
    ids_condition,
    may_be_prepared,
    stored_features,
)
from samsyn_provider.features.json_fg import json_fg_members
from samsyn_provider.geography.crs import (
    CRS84,
    ReferenceSystem,
    reference_system,
)
from samsyn_provider.query.items_query import ItemsQuery


def select_feature(
    layer_id: uuid.UUID, feature_id: int, crs: ReferenceSystem, names: Sequence[str]
) -> Statement:
    """Return the statement for one item: `feature` (bytes, GeoJSON) and `version`.

    `names` are the properties in the order of the layer's schema, none without a schema.
    """
    values: dict[str, Any] = {"layer": layer_id, "id": feature_id}
    feature = feature_expression(ItemsQuery(crs=crs), values, names=names)
    return Statement(
        f"SELECT ({feature})::bpchar AS feature, version FROM layer_features"
        " WHERE layer_id = %(layer)s AND id = %(id)s",
        values,
        prepared=may_be_prepared(names),
    )


def select_features(
    layer_id: uuid.UUID, feature_ids: Sequence[int], crs: ReferenceSystem, names: Sequence[str]
) -> Statement:
    """Return the statement for items in ascending order of id: text, separated by commas."""
    values: dict[str, Any] = {"layer": layer_id, "ids": list(feature_ids)}
    feature = feature_expression(ItemsQuery(crs=crs), values, names=names)
    return Statement(
        f"SELECT string_agg({feature}, ',' ORDER BY id) FROM layer_features"
        " WHERE layer_id = %(layer)s AND id = ANY(%(ids)s)",
        values,
    )


def select_texts(  # noqa: PLR0913 - the features, and their form
    layer_id: uuid.UUID,
    feature_ids: Sequence[int],
    query: ItemsQuery,
    times: TemporalProperties | None,
    *,
    names: Sequence[str],
    separator: str,
    json_fg: bool,
) -> Statement:
    """Return the statement for features of a query's result, in the order of `feature_ids`.

    Its one row: `features`, their GeoJSON or JSON-FG joined by `separator`, null where there are
    none; and how many are `returned`.
    """
    values: dict[str, Any] = {"layer": layer_id, "ids": list(feature_ids), "separator": separator}
    if query.versions:
        values.update(query.versions.values)
    feature = feature_expression(
        query, values, json_fg_members(query, times, values) if json_fg else "", names=names
    )
    text = f"""
SELECT string_agg({feature}, %(separator)s ORDER BY ordinality) AS features,
       count(*) AS returned
FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS requested (id, ordinality)
JOIN {stored_features(query)} USING (id)
WHERE layer_id = %(layer)s{ids_condition(query)}"""
    return Statement(text, values)


def select_feature_collections(
    layer_ids: Sequence[uuid.UUID], weights: Sequence[int], size: int, budget: int
) -> Statement:
    """Return the statement for all features of small layers, one row per layer in their order.

    `layer_id`; `collection`: bytes, a GeoJSON feature collection, null when it would take more than
    `size` bytes, or when the smaller layers and it take more than `budget` bytes. A layer's weight
    is how many times it counts.
    """
    values: dict[str, Any] = {
        "layers": list(layer_ids),
        "size": size,
        "budget": budget,
        "weights": list(weights),
    }
    feature = feature_expression(ItemsQuery(crs=reference_system(CRS84, "crs")), values)
    # The stored size, at most four times its GeoJSON, is checked first: large layers are skipped.
    # By groups, as layers may be on several servers, each of which makes the texts of its own.
    text = f"""
SELECT layer_id, (CASE WHEN total <= %(budget)s THEN collection END)::bpchar AS collection
FROM (
    SELECT layer_id, ordinality, collection,
        sum(octet_length(collection) * weight) OVER (
            ORDER BY octet_length(collection), ordinality
        ) AS total
    FROM (
        WITH stored AS MATERIALIZED (
            SELECT layer_id,
                sum(coalesce(pg_column_size(geom), 0) + pg_column_size(properties)) AS size
            FROM layer_features WHERE layer_id = ANY(%(layers)s::uuid[]) GROUP BY layer_id
        )
        SELECT requested.layer_id, weight, ordinality, CASE
            WHEN stored.size IS NULL THEN '{{"type":"FeatureCollection","features":[]}}'
            WHEN octet_length(document) <= %(size)s THEN document END AS collection
        FROM unnest(%(layers)s::uuid[], %(weights)s::bigint[])
            WITH ORDINALITY AS requested (layer_id, weight, ordinality)
        LEFT JOIN stored ON stored.layer_id = requested.layer_id
        LEFT JOIN (
            SELECT layer_features.layer_id, '{{"type":"FeatureCollection","features":[' ||
                string_agg({feature}, ',' ORDER BY id) || ']}}' AS document
            FROM layer_features JOIN stored
                ON stored.layer_id = layer_features.layer_id AND stored.size <= 4 * %(size)s
            WHERE layer_features.layer_id = ANY(%(layers)s::uuid[])
            GROUP BY layer_features.layer_id
        ) AS serialized ON serialized.layer_id = requested.layer_id
    ) AS collections
) AS budgeted
ORDER BY ordinality"""
    return Statement(text, values)
