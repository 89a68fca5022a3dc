"""The SQL that puts features back: what is to be done is listed first, then written at once.

`touched_features` has the features that may differ. `reverted_features` has a row for each that
does differ from what it is to be: by `from_change` and `to_change` the version that it is to be
again, none where it is to be absent; its `version` and the `change_set` that made it what it is,
none where it is absent.

Of what has been written lately PostgreSQL knows little, and expects a row where there are many. So
nothing here is LATERAL, and of many features the joins are no loops (`reversal.py`).
"""

from samsyn_model.database.statement import Statement
from samsyn_model.history.as_of import AsOf

CREATE_TABLES = """
CREATE TEMPORARY TABLE touched_features (id bigint PRIMARY KEY) ON COMMIT DROP;
CREATE TEMPORARY TABLE reverted_features (
    id bigint PRIMARY KEY,
    from_change bigint,
    to_change bigint,
    version bigint,
    change_set bigint,
    reason text,
    detail text
) ON COMMIT DROP"""

ANALYZE_TOUCHED = "ANALYZE touched_features"

COUNT_TOUCHED = "SELECT count(*) FROM touched_features"

ANALYZE_TABLE = "ANALYZE reverted_features"

# To the last bit, as the trigger that keeps versions: 1.0 and 1.00 differ. Not as rows, which Citus
# sends on to other servers as something else.
_DIFFERS = """
(now.id IS NOT NULL) <> ({state}.id IS NOT NULL)
    OR now.geom::bytea IS DISTINCT FROM {state}.geom::bytea
    OR now.properties::text IS DISTINCT FROM {state}.properties::text"""

_TO_STATE = """
INSERT INTO reverted_features (id, from_change, to_change, version, change_set)
SELECT touched.id, was.from_change, was.to_change, now.version, now.change_set
FROM touched_features AS touched
LEFT JOIN {state} AS was ON was.id = touched.id
LEFT JOIN layer_features AS now ON now.layer_id = %(layer)s AND now.id = touched.id
WHERE {differs}"""

_TOUCHED_SINCE = """
INSERT INTO touched_features
    SELECT id FROM layer_features AS stored WHERE layer_id = %(layer)s AND NOT ({present})
    UNION
    SELECT feature_id FROM feature_versions AS gone
    WHERE layer_id = %(layer)s AND gone.was_deleted AND gone.to_change >= %(as_of_least)s"""

_ONE_FEATURE = "INSERT INTO touched_features VALUES (%(feature)s)"

TOUCHED_BY = """
INSERT INTO touched_features
    SELECT id FROM layer_features WHERE layer_id = %(layer)s AND change_set = %(change_set)s
    UNION
    SELECT feature_id FROM feature_versions
    WHERE layer_id = %(layer)s AND %(change_set)s IN (from_change, to_change)"""

# A feature that is absent was deleted by what ended its last version. What others have changed and
# changed back, such as by taking back a later change set, is as this one has left it.
TO_BEFORE = f"""
INSERT INTO reverted_features (id, from_change, to_change, version, change_set, reason)
SELECT touched.id, was.from_change, was.to_change, now.version,
    coalesce(now.change_set, gone.to_change),
    CASE
        WHEN now.change_set = %(change_set)s THEN NULL
        WHEN NOT ({_DIFFERS.format(state="made")}) THEN NULL
        WHEN now.id IS NULL THEN 'deleted'
        WHEN made.id IS NULL THEN 'made'
        ELSE 'changed'
    END
FROM touched_features AS touched
LEFT JOIN (
    SELECT feature_id AS id, geom, properties, from_change, to_change FROM feature_versions
    WHERE layer_id = %(layer)s AND to_change = %(change_set)s
) AS was ON was.id = touched.id
LEFT JOIN (
    SELECT feature_id AS id, geom, properties FROM feature_versions
    WHERE layer_id = %(layer)s AND from_change = %(change_set)s
) AS made ON made.id = touched.id
LEFT JOIN layer_features AS now ON now.layer_id = %(layer)s AND now.id = touched.id
LEFT JOIN (
    SELECT DISTINCT ON (feature_id) feature_id AS id, to_change FROM feature_versions
    WHERE layer_id = %(layer)s AND feature_id IN (SELECT id FROM touched_features)
    ORDER BY feature_id, version DESC
) AS gone ON gone.id = touched.id AND now.id IS NULL
WHERE {_DIFFERS.format(state="was")}"""

MOMENT_BEFORE = """
SELECT committed_at - interval '1 microsecond' FROM layer_change_sets
WHERE layer_id = %(layer)s AND change_set_id = %(change_set)s"""

_VERSION_TO_BE = """
JOIN feature_versions AS state ON state.layer_id = %(layer)s AND state.feature_id = plan.id
    AND state.from_change = plan.from_change AND state.to_change = plan.to_change"""

# Since then whatever our programs have written suits the layer: a change of its rules waits for
# writers, checks all features, and takes its number while none of them works.
RULES_SINCE = """
SELECT coalesce(max(change_set_id), 0) FROM subject_changes
WHERE layer_id = %(layer)s AND kind = 'layer'
    AND (action = 'create' OR details -> 'changed' ?| '{property_schema,geometry_type}')"""

# In the form of Core, which streams its rows.
STATES_TO_BE = f"""
SELECT plan.id, state.properties,
    ARRAY(SELECT jsonb_object_keys(stored.properties)) AS stored_names,
    state.geom IS NOT NULL
        AND replace(ST_GeometryType(state.geom), 'ST_', '') <> ALL (:types) AS is_other_type
FROM reverted_features AS plan
{_VERSION_TO_BE.replace("%(layer)s", ":layer")}
LEFT JOIN layer_features AS stored ON stored.layer_id = :layer AND stored.id = plan.id
WHERE plan.reason IS NULL AND (
    plan.from_change < :rules_since
    OR plan.from_change IN (
        SELECT id FROM change_sets WHERE via = 'database' AND id >= :rules_since))"""

MARK_INVALID = """
UPDATE reverted_features AS plan SET reason = 'invalid', detail = misfit.detail
FROM unnest(%(ids)s::bigint[], %(details)s::text[]) AS misfit (id, detail)
WHERE plan.id = misfit.id"""

SUMMARY = """
SELECT count(*) FILTER (WHERE reason IS NOT NULL) AS conflicts,
    count(*) FILTER (WHERE reason IS NULL AND version IS NULL) AS inserted,
    count(*) FILTER (WHERE reason IS NULL AND version IS NOT NULL AND to_change IS NOT NULL)
        AS updated,
    count(*) FILTER (WHERE reason IS NULL AND to_change IS NULL) AS deleted
FROM reverted_features"""

CONFLICTS = """
SELECT id, reason, detail, change_set FROM reverted_features WHERE reason IS NOT NULL
ORDER BY id LIMIT %(limit)s"""

DELETE = """
WITH done AS (
    DELETE FROM layer_features AS stored USING reverted_features AS plan
    WHERE stored.layer_id = %(layer)s AND stored.id = plan.id
        AND plan.reason IS NULL AND plan.to_change IS NULL
    RETURNING 1
)
SELECT count(*) FROM done"""

UPDATE = f"""
WITH done AS (
    UPDATE layer_features AS stored
    SET geom = state.geom, properties = state.properties, updated_by = %(user)s
    FROM reverted_features AS plan {_VERSION_TO_BE}
    WHERE stored.layer_id = %(layer)s AND stored.id = plan.id
        AND plan.reason IS NULL AND plan.version IS NOT NULL
    RETURNING 1
)
SELECT count(*) FROM done"""

LAST_VERSIONS = """
SELECT feature_id, max(version) AS version FROM feature_versions
WHERE layer_id = %(layer)s AND feature_id IN ({ids})
GROUP BY feature_id"""
"""The last versions that features of a layer had. Each number of a feature's versions has one
content for ever, as entity tags are made of them: what is put back goes on behind."""

INSERT = f"""
WITH done AS (
    INSERT INTO layer_features (layer_id, id, version, geom, properties, created_by, updated_by,
        created_at, updated_at)
    SELECT %(layer)s, plan.id, last.version + 1, state.geom, state.properties, state.created_by,
        %(user)s, state.created_at, clock_timestamp()
    FROM reverted_features AS plan {_VERSION_TO_BE}
    JOIN (
        {LAST_VERSIONS.format(ids="SELECT id FROM reverted_features WHERE version IS NULL")}
    ) AS last ON last.feature_id = plan.id
    WHERE plan.reason IS NULL AND plan.version IS NULL
    ORDER BY plan.id
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*) FROM done"""

CURRENT_CHANGE_SET = "SELECT nullif(current_setting('samsyn.change_set', true), '')::bigint"


def list_touched(state: AsOf, feature_id: int | None) -> Statement:
    """Return the statement that lists what may differ from a state of the layer: of all features,
    or one of them."""
    if feature_id is not None:
        return Statement(_ONE_FEATURE, {"feature": feature_id})
    return Statement(_TOUCHED_SINCE.format(present=state.present("stored")), dict(state.values))


def list_differences(state: AsOf) -> Statement:
    """Return the statement that lists what of `touched_features` differs from a state of the
    layer."""
    text = _TO_STATE.format(state=state.features(), differs=_DIFFERS.format(state="was"))
    return Statement(text, dict(state.values))
