"""The SQL of the changes of a layer between two moments."""

from collections.abc import Sequence
from typing import Any

from samsyn_model.database.statement import Statement
from samsyn_model.history.as_of import AsOf
from samsyn_provider.features.geojson_sql import feature_expression
from samsyn_provider.features.page_statements import MAX_PAGE_BYTES
from samsyn_provider.query.items_query import ItemsQuery


def select_changes(
    before: AsOf, after: AsOf, query: ItemsQuery, names: Sequence[str], has_former: bool
) -> Statement:
    """Return the statement for the features that differ between two moments, in the order of their
    ids: a page after the query's position, and one more.

    Rows of `id`, `kind` (`made`, `changed`, `deleted`), whether it `fits` the page, and then
    `feature` as it is after, and `former` as it was before if it is asked for: GeoJSON.
    """
    values: dict[str, Any] = {"limit": query.limit, **before.values, **_until(after.values)}
    changed = f"NOT ({before.present('stored')})"
    gone = "gone.was_deleted AND gone.to_change >= %(as_of_least)s"
    position = ""
    if query.after is not None:
        values["after_id"] = query.after.values[-1]
        position = " AND {} > %(after_id)s"
    feature = _state("now", feature_expression(query, values, names=names))
    former = _state("then", feature_expression(query, values, names=names))
    text = f"""
SELECT id, kind, fits, CASE WHEN fits AND kind <> 'deleted' THEN {feature} END AS feature,
    CASE WHEN {"fits AND kind <> 'made'" if has_former else "false"} THEN {former} END AS former
FROM (
    SELECT *, row_number() OVER rows = 1 OR row_number() OVER rows <= %(limit)s
        AND sum(size) OVER rows <= {MAX_PAGE_BYTES} AS fits
    FROM (
        SELECT touched.id, now.geom AS now_geom, now.properties AS now_properties,
            former.geom AS then_geom, former.properties AS then_properties,
            CASE WHEN former.id IS NULL THEN 'made' WHEN now.id IS NULL THEN 'deleted'
            ELSE 'changed' END AS kind,
            coalesce(pg_column_size(now.geom), 0) + coalesce(pg_column_size(now.properties), 0)
            + coalesce(pg_column_size(former.geom), 0)
            + coalesce(pg_column_size(former.properties), 0) AS size
        FROM (
            SELECT DISTINCT id FROM (
                (SELECT id FROM layer_features AS stored
                 WHERE layer_id = %(layer)s AND {changed}{position.format("id")} ORDER BY id)
                UNION ALL
                (SELECT feature_id FROM feature_versions AS gone
                 WHERE layer_id = %(layer)s AND {gone}{position.format("feature_id")}
                 ORDER BY feature_id)
            ) AS ids ORDER BY id
        ) AS touched
        LEFT JOIN LATERAL (
            SELECT * FROM {before.feature("touched.id")} AS states
        ) AS former ON true
        LEFT JOIN LATERAL (
            SELECT * FROM {_until_text(after.feature("touched.id"))} AS states
        ) AS now ON true
        WHERE now.id IS DISTINCT FROM former.id
            OR now.properties::text IS DISTINCT FROM former.properties::text
            OR now.geom::bytea IS DISTINCT FROM former.geom::bytea
        ORDER BY touched.id LIMIT %(limit)s + 1
    ) AS changes
    WINDOW rows AS (ROWS UNBOUNDED PRECEDING)
) AS page
ORDER BY id"""
    return Statement(text, values)


def _state(name: str, feature: str) -> str:
    return f"""(
        SELECT {feature} FROM (SELECT {name}_geom AS geom, {name}_properties AS properties) AS state
    )"""


def _until_text(text: str) -> str:
    """Return SQL of a moment with values of other names, for a statement with two moments."""
    return text.replace("%(as_of", "%(until")


def _until(values: Any) -> dict[str, Any]:
    return {
        f"until{name.removeprefix('as_of')}": value
        for name, value in values.items()
        if name.startswith("as_of")
    }
