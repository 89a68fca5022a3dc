"""The features that notices name, as they are now: statements a layer, not a feature."""

import uuid
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.live.notices import Notice

MAX_LENGTH = 64 * 1024
"""Characters of a feature that is sent along with its event."""

# As `/ogc` serializes features in CRS84, without the code for all others: the process that sends
# events is to be small.
_SELECT = f"""
SELECT id, CASE WHEN length(feature) <= {MAX_LENGTH} THEN feature END AS feature
FROM (
    SELECT id, '{{"type":"Feature","id":' || id
        || ',"geometry":' || coalesce(ST_AsGeoJSON(geom, 9, 0), 'null')
        || ',"properties":' || properties::text || '}}' AS feature
    FROM layer_features WHERE layer_id = %(layer)s AND id = ANY(%(ids)s)
        AND coalesce(change_set, 0) <> ALL (ARRAY(
            SELECT change_set_id FROM change_notices
            WHERE subject_id = %(layer)s AND position > %(until)s))) AS changed"""

type Features = Mapping[tuple[uuid.UUID, int], str | None]
"""Features as GeoJSON by layer and id: None for one that is longer than MAX_LENGTH."""


def changed_features(connection: Connection, notices: Iterable[Notice], until: int) -> Features:
    """Return the features that were made or changed; those that are gone by now are absent.

    So are those that were changed after the position `until`: who may read them then is told by
    notices that have not been read.
    """
    layers = dict[uuid.UUID, set[int]]()
    for notice in notices:
        for operation, feature_id in notice.features or ():
            if operation != "delete":
                layers.setdefault(notice.subject_id, set()).add(feature_id)
    return {
        (layer, row.id): row.feature
        for layer, ids in layers.items()
        for row in run(connection, _SELECT, {"layer": layer, "ids": sorted(ids), "until": until})
    }
