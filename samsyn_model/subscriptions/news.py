"""Which subscriptions have something to be told: noted as notices come in, whoever changes what.

What is noted may turn out to be nothing for a follower: their own change, a layer hidden from them.
"""

import uuid

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import set_in_transaction
from samsyn_model.live.notices import newest_position

NEXT_DUE = """CASE frequency
        WHEN 'immediate' THEN now() + interval '1 minute'
        WHEN 'hourly' THEN date_trunc('hour', now()) + interval '1 hour'
        ELSE date_trunc('day', now() - interval '6 hours') + interval '30 hours' END"""
"""When a subscription is told that has news from now on: within a minute what happens in it, at the
full hour, at six in the morning (UTC)."""

# One that is due and that no worker has is told of everything when it is claimed.
_NOTE = f"""
WITH news AS (
    SELECT subject_id, max(position) AS position FROM change_notices
    WHERE position > %(after)s AND position <= %(until)s GROUP BY subject_id
), concerned AS (
    SELECT id, max(news_position) AS position FROM (
        SELECT s.id, news.position AS news_position
        FROM news JOIN subscriptions AS s ON s.subject_id = news.subject_id
        UNION ALL
        SELECT s.id, news.position FROM news JOIN map_layers AS p ON p.layer_id = news.subject_id
        JOIN subscriptions AS s ON s.map_id = p.map_id) AS found
    GROUP BY id
)
UPDATE subscriptions AS s
SET news_position = greatest(s.news_position, c.position), due_at = coalesce(due_at, {NEXT_DUE})
FROM concerned AS c
WHERE c.id = s.id AND s.status = 'active' AND s.position < c.position
    AND (s.due_at IS NULL OR s.claimed_until IS NOT NULL)"""


_SCHEDULE = f"UPDATE subscriptions SET due_at = {NEXT_DUE} WHERE id = %(id)s AND failures = 0"


def note_news(connection: Connection, after: int) -> int:
    """Make subscriptions due that notices after a position concern; return the position up to which
    that has been done. Several processes may do it; to begin at 0 repeats what is known.

    Waits for no other transaction: raises DatabaseUnavailableError instead, and is done again.
    """
    until, _ = newest_position(connection)
    if until > after:
        set_in_transaction(connection, lock_timeout="500ms")
        run(connection, _NOTE, {"after": after, "until": until})
    return max(until, after)


def schedule(connection: Connection, subscription_id: uuid.UUID) -> None:
    """Make a subscription due that has begun, or is told at other times from now on, whether or not
    there is news: `note_news` may have been done before this transaction is committed."""
    run(connection, _SCHEDULE, {"id": subscription_id})
