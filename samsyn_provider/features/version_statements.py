"""The SQL of the versions of one feature."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from samsyn_model.database.statement import Statement
from samsyn_provider.features.geojson_sql import feature_expression, may_be_prepared
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.version_set import relation_of

# By the layer itself, not that of the row: what is distributed is read from its shard alone.
_BEGAN = """coalesce((
        SELECT committed_at FROM layer_change_sets
        WHERE layer_change_sets.layer_id = %(layer)s AND change_set_id = {change}
    ), {otherwise})"""

PRESENT_SINCE = _BEGAN.format(change="change_set", otherwise="updated_at")
"""Since when a row of `layer_features`, named `stored`, of the bound `layer` is as it is."""
FEATURE_VERSIONS = f"""(
    SELECT *, {_BEGAN.format(change="from_change", otherwise="updated_at")} AS valid_from,
        CASE WHEN to_change IS NOT NULL
        THEN {_BEGAN.format(change="to_change", otherwise="NULL")} END AS valid_to
    FROM (
        SELECT layer_id, id, geom, properties, version, updated_at,
            coalesce(change_set, 0) AS from_change, NULL::bigint AS to_change
        FROM layer_features WHERE layer_id = %(layer)s AND id = %(id)s
        UNION ALL
        SELECT layer_id, feature_id, geom, properties, version, updated_at,
            from_change, to_change
        FROM feature_versions WHERE layer_id = %(layer)s AND feature_id = %(id)s
    ) AS stored
) AS versions"""
"""The versions of a feature (`layer`, `id`), as a subquery: `valid_from` is when each began,
`valid_to` when it ended, null for the present one; by `from_change` and `to_change`."""


def select_present_version(
    layer_id: uuid.UUID, feature_id: int, query: ItemsQuery, names: Sequence[str]
) -> Statement:
    """Return the statement for a feature as it is now: `feature` (bytes, GeoJSON), `version`, since
    when it is (`valid_from`), and when the version before it began (`predecessor`), or null.

    `names` are the properties in the order of the layer's schema, none without a schema.
    """
    values: dict[str, Any] = {"layer": layer_id, "id": feature_id}
    feature = feature_expression(query, values, names=names)
    text = f"""
SELECT ({feature})::bpchar AS feature, version, {PRESENT_SINCE} AS valid_from, (
    SELECT {_BEGAN.format(change="from_change", otherwise="updated_at")}
    FROM feature_versions AS stored
    WHERE layer_id = %(layer)s AND feature_id = %(id)s
    ORDER BY to_change DESC LIMIT 1
) AS predecessor
FROM layer_features AS stored WHERE layer_id = %(layer)s AND id = %(id)s"""
    return Statement(text, values, prepared=may_be_prepared(names))


def select_version(
    layer_id: uuid.UUID,
    feature_id: int,
    query: ItemsQuery,
    names: Sequence[str],
    moment: datetime,
) -> Statement:
    """Return the statement for the version of a feature that was valid at a moment: what
    `select_present_version` does, and until when it was valid (`valid_to`), when the version after
    it began (`successor`) and the last one (`latest`).

    No row where there never was such a feature; one whose `feature` is null where there was none at
    this moment.
    """
    values: dict[str, Any] = {"layer": layer_id, "id": feature_id, "moment": moment}
    feature = feature_expression(query, values, names=names)
    text = f"""
WITH ordered AS (
    SELECT *, lag(valid_from) OVER moments AS predecessor,
        lead(valid_from) OVER moments AS successor, max(valid_from) OVER () AS latest
    FROM {FEATURE_VERSIONS} WINDOW moments AS (ORDER BY valid_from)
)
SELECT CASE WHEN is_valid THEN ({feature})::bpchar END AS feature, version,
    valid_from, valid_to, predecessor, successor, latest
FROM (
    SELECT *,
        valid_from <= %(moment)s AND (valid_to > %(moment)s OR valid_to IS NULL) AS is_valid
    FROM ordered
) AS layer_features
ORDER BY is_valid DESC, valid_from DESC LIMIT 1"""
    return Statement(text, values)


def select_moments(layer_id: uuid.UUID, feature_id: int) -> Statement:
    """Return the statement for the versions of a feature, the first one first: since when and until
    when each was valid (`valid_from`, `valid_to`)."""
    text = f"SELECT valid_from, valid_to FROM {FEATURE_VERSIONS} ORDER BY valid_from"
    return Statement(text, {"layer": layer_id, "id": feature_id})


def select_differences(layer_id: uuid.UUID, feature_id: int, maximum: int) -> Statement:
    """Return the statement for the last versions of a feature, the last one first, at most
    `maximum`: `valid_from`, `valid_to`, and what differs from the version before.

    `is_first` says that there is none before, `is_restored` that the feature was deleted since;
    `is_moved` whether the geometry is another; `names` are the properties that are others.
    """
    text = f"""
SELECT valid_from, valid_to, former IS NULL AS is_first, former_end < valid_from AS is_restored,
    geom::bytea IS DISTINCT FROM former_geom::bytea AS is_moved,
    ARRAY(
        SELECT coalesce(now.key, before.key) AS name
        FROM jsonb_each(properties) AS now
        FULL JOIN jsonb_each(former) AS before ON before.key = now.key
        WHERE now.value::text IS DISTINCT FROM before.value::text ORDER BY name
    ) AS names
FROM (
    SELECT *, lag(properties) OVER moments AS former, lag(geom) OVER moments AS former_geom,
        lag(valid_to) OVER moments AS former_end
    FROM {FEATURE_VERSIONS} WINDOW moments AS (ORDER BY valid_from)
) AS compared
ORDER BY valid_from DESC LIMIT %(maximum)s"""
    return Statement(text, {"layer": layer_id, "id": feature_id, "maximum": maximum})


def select_latest(layer_id: uuid.UUID, feature_id: int) -> Statement:
    """Return the statement for when the last version of a feature began (`latest`), null where
    there never was one."""
    text = f"SELECT max(valid_from) AS latest FROM {FEATURE_VERSIONS}"
    return Statement(text, {"layer": layer_id, "id": feature_id})


def select_item(
    layer_id: uuid.UUID, item_id: int, query: ItemsQuery, names: Sequence[str]
) -> Statement:
    """Return the statement for one of what a query reads in place of features: `feature` (bytes,
    GeoJSON)."""
    values: dict[str, Any] = {"layer": layer_id, "id": item_id}
    if query.versions is not None:
        values |= query.versions.values
    feature = feature_expression(query, values, names=names)
    text = f"""
SELECT ({feature})::bpchar AS feature FROM {relation_of(query.versions)}
WHERE layer_id = %(layer)s AND id = %(id)s"""
    return Statement(text, values)
