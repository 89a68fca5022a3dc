"""Who has a map open: noted by every companion process, read by all."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.identity.names import display_name

NOBODY = uuid.UUID(int=0)
"""Stands for all who are not signed in."""
MAX_NAMED = 50
"""How many people of a map are named."""

_REMOVE = """
DELETE FROM map_viewers AS v
WHERE companion_id = %(companion)s AND NOT EXISTS (
    SELECT FROM unnest(%(maps)s::uuid[], %(users)s::uuid[]) AS a (map_id, user_id)
    WHERE a.map_id = v.map_id AND a.user_id = v.user_id)
    OR seen_at < now() - interval '5 minutes'"""

_NOTE = """
INSERT INTO map_viewers (map_id, companion_id, user_id, viewers)
SELECT map_id, %(companion)s, user_id, viewers
FROM unnest(%(maps)s::uuid[], %(users)s::uuid[], %(viewers)s::bigint[])
    AS a (map_id, user_id, viewers)
ORDER BY map_id, user_id
ON CONFLICT (map_id, companion_id, user_id)
DO UPDATE SET viewers = excluded.viewers, seen_at = now()"""

# No emails: who has no name is counted only. What a companion that has crashed noted is soon old.
_READ = f"""
SELECT v.map_id, coalesce(sum(viewers) FILTER (WHERE user_id = '{NOBODY}'), 0)::bigint AS unknown,
    count(DISTINCT user_id) FILTER (WHERE u.id IS NOT NULL) AS people,
    (array_agg(DISTINCT name) FILTER (WHERE name IS NOT NULL))[:{MAX_NAMED}] AS names
FROM map_viewers AS v
LEFT JOIN users AS u ON u.id = v.user_id AND u.deleted_at IS NULL
LEFT JOIN LATERAL (
    SELECT {display_name("u")} AS name) AS named ON true
WHERE v.map_id = ANY(%(maps)s) AND v.seen_at > now() - interval '30 seconds'
GROUP BY v.map_id"""


@dataclass(frozen=True, slots=True)
class Presence:
    """Who has a map open, at any companion."""

    count: int
    """People who are signed in, each once, and streams of those who are not."""
    names: tuple[str, ...]
    """Of people who are signed in and have a name, in its order; MAX_NAMED at most."""


def note_viewers(
    connection: Connection, companion: uuid.UUID, viewers: Mapping[tuple[uuid.UUID, uuid.UUID], int]
) -> None:
    """Replace what a companion has noted by its streams now, counted by map and user (NOBODY for
    none); it is noted again every few seconds, and forgotten otherwise."""
    values = {
        "companion": companion,
        "maps": [map_id for map_id, _ in viewers],
        "users": [user_id for _, user_id in viewers],
        "viewers": list(viewers.values()),
    }
    run(connection, _REMOVE, values)
    run(connection, _NOTE, values)


def presence_of(connection: Connection, maps: Collection[uuid.UUID]) -> dict[uuid.UUID, Presence]:
    """Return who has these maps open; maps that nobody has open are absent."""
    rows = run(connection, _READ, {"maps": list(maps)})
    return {
        row.map_id: Presence(row.people + row.unknown, tuple(sorted(row.names or ())))
        for row in rows
    }
