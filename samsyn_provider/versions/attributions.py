"""Who set each attribute of a feature to what it is, and its geometry, when and by which way."""

import json
from typing import Any

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.history.horizons import HORIZON
from samsyn_provider.collections.collection import Collection
from samsyn_provider.features.provider import missing_feature
from samsyn_provider.features.version_statements import FEATURE_VERSIONS
from samsyn_provider.http import links
from samsyn_provider.http.media_types import GEOJSON, JSON
from samsyn_provider.versions.change_sets import PERSON, described
from samsyn_provider.versions.links import address_of
from samsyn_provider.versions.parameters import moment_text

# What the first version that is kept has may have been so before it.
_MAY_BE_OLDER = f"""
        began.number = 1 AND began.version > 1
        AND coalesce(began.valid_from < ({HORIZON}), false)"""

# A feature that was deleted and came back was set anew. The number of a version counts those since.
_SET = f"""
WITH versions AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY valid_from) AS number
    FROM (
        SELECT *, count(*) FILTER (WHERE former_end < valid_from)
            OVER (ORDER BY valid_from DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            AS times_gone
        FROM (
            SELECT *, lag(valid_to) OVER (ORDER BY valid_from) AS former_end
            FROM {FEATURE_VERSIONS}
        ) AS ended
    ) AS lives
    WHERE times_gone = 0
),
present AS MATERIALIZED (SELECT * FROM versions WHERE valid_to IS NULL)
SELECT parts.name, parts.value::text AS value, parts.is_geometry, began.valid_from,
    CASE WHEN NOT ({_MAY_BE_OLDER}) THEN nullif(began.from_change, 0) END AS change_set,
    change_sets.via, change_sets.message, {PERSON}
FROM (
    SELECT attribute.key AS name, attribute.value, false AS is_geometry,
        1 + coalesce(max(versions.number) FILTER (
            WHERE (versions.properties -> attribute.key)::text
                IS DISTINCT FROM attribute.value::text
        ), 0) AS number
    FROM present CROSS JOIN LATERAL jsonb_each(present.properties) AS attribute, versions
    GROUP BY attribute.key, attribute.value
    UNION ALL
    SELECT NULL, NULL, true, 1 + coalesce(max(versions.number) FILTER (
        WHERE versions.geom::bytea IS DISTINCT FROM present.geom::bytea), 0)
    FROM present, versions GROUP BY present.number
) AS parts
JOIN versions AS began ON began.number = parts.number
LEFT JOIN change_sets ON change_sets.id = began.from_change
LEFT JOIN users ON users.id = change_sets.user_id
ORDER BY parts.is_geometry, array_position(%(names)s::text[], parts.name), parts.name"""


def blame_text(connection: Connection, collection: Collection, feature_id: int) -> str:
    """Return who set what of a feature, as JSON, in one statement.

    What was so when history began, or when what is kept of it begins, has no change set. Raises
    NotFoundError where the collection never had the feature, GoneError where it has it no more.
    """
    values = {"layer": collection.id, "id": feature_id, "names": list(collection.names)}
    rows = run(connection, _SET, values).all()
    if not rows:
        raise missing_feature(connection, collection, feature_id)
    address = address_of(collection, feature_id)
    document_links = [
        links.link("self", JSON, "Who set what", links.request_url()),
        links.link("original", GEOJSON, "The feature", address.original),
        links.link("timemap", JSON, "The versions of this feature", address.time_map),
    ]
    attributes = ",".join(_attribute(row) for row in rows if not row.is_geometry)
    members = {"geometry": _setting(rows[-1]), "links": document_links}
    return f'{{"id":{feature_id},"attributes":[{attributes}],{_json(members)[1:]}'


def _attribute(row: Any) -> str:
    """Return an attribute as JSON, its value with every digit."""
    start = _json({"name": row.name})[:-1]
    return f'{start},"value":{row.value},{_json(_setting(row))[1:]}'


def _setting(row: Any) -> dict[str, Any]:
    known = row.change_set is not None
    return {
        "since": moment_text(row.valid_from),
        "changeSet": described(row.change_set, row) if known else None,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
