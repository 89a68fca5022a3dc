"""Deliveries: claimed by one worker at a time, and their ends.

A claim is for some minutes: a worker that has crashed meanwhile loses it, and what it may have sent
is sent again, as the same message (`message_id`).
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import writing
from samsyn_model.subscriptions.news import NEXT_DUE

CLAIM_MINUTES = 10
"""More than a delivery may take."""
LONGEST_PAUSE = "1 hour"
"""Between two tries of a delivery."""

_CLAIM = f"""
UPDATE subscriptions SET claimed_until = clock_timestamp() + interval '{CLAIM_MINUTES} minutes'
WHERE id = (
    SELECT id FROM subscriptions
    WHERE status = 'active' AND due_at <= now() AND coalesce(claimed_until < now(), true)
        AND CASE WHEN webhook_url IS NULL THEN %(has_mail)s ELSE %(has_webhooks)s END
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, claimed_until"""

# in a transaction after that of the claim: from it on `note_news` notes what comes later
_BEGIN = """
UPDATE subscriptions AS s
SET until = coalesce(until, (SELECT max(position) FROM change_notices), s.position)
FROM users AS u
WHERE s.id = %(id)s AND claimed_until = %(claimed_until)s AND u.id = s.user_id
RETURNING s.id, s.user_id, s.map_id, s.comment_id, s.subject_id, s.frequency, s.position, s.until,
    s.webhook_url, s.webhook_secret, s.failing_since, s.claimed_until, u.email, now() AS present"""

_HAS_CLAIM = "id = %(id)s AND claimed_until = %(claimed_until)s"

_TELL = f"""
UPDATE subscriptions
SET position = until, until = NULL, claimed_until = NULL, failures = 0, failing_since = NULL,
    reason = CASE WHEN status = 'active' THEN NULL ELSE reason END,
    delivered_at = CASE WHEN %(is_sent)s THEN clock_timestamp() ELSE delivered_at END,
    due_at = CASE WHEN news_position > until THEN {NEXT_DUE} END
WHERE {_HAS_CLAIM}
RETURNING id"""

_FAIL = f"""
UPDATE subscriptions
SET claimed_until = NULL, failures = failures + 1, failing_since = coalesce(failing_since, now()),
    reason = CASE WHEN status = 'active' THEN %(reason)s ELSE reason END,
    due_at = now() + least(interval '30 seconds' * power(2, least(failures, 20)),
        interval '{LONGEST_PAUSE}')
WHERE {_HAS_CLAIM}
RETURNING id"""

_END = f"""
UPDATE subscriptions
SET claimed_until = NULL, until = CASE WHEN %(status)s = 'failed' THEN until END, due_at = NULL,
    status = %(status)s, reason = %(reason)s
WHERE {_HAS_CLAIM} AND status = 'active'
RETURNING id"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a worker delivers: to whom, where, and the notices up to which position."""

    id: uuid.UUID
    user_id: uuid.UUID
    map_id: uuid.UUID | None
    comment_id: uuid.UUID | None
    subject_id: uuid.UUID
    frequency: str
    position: int
    until: int
    webhook_url: str | None
    webhook_secret: bytes | None
    failing_since: datetime | None
    claimed_until: datetime
    email: str | None
    present: datetime
    """The database's time."""

    @property
    def message_id(self) -> str:
        """The same whenever the same is delivered again."""
        return f"{self.id.hex}-{self.position}-{self.until}"


def claim_delivery(engine: Engine, *, has_mail: bool, has_webhooks: bool) -> Delivery | None:
    """Return the delivery that has been due for longest and that no worker has, claimed; None where
    there is none that can be sent: by e-mail, or to a webhook."""
    with writing(engine) as connection:
        channels = {"has_mail": has_mail, "has_webhooks": has_webhooks}
        claim = run(connection, _CLAIM, channels).one_or_none()
    if claim is None:
        return None
    with writing(engine) as connection:
        values = {"id": claim.id, "claimed_until": claim.claimed_until}
        row = run(connection, _BEGIN, values).one_or_none()
    return None if row is None else Delivery(**row._asdict())


def note_told(connection: Connection, delivery: Delivery, *, is_sent: bool) -> None:
    """Note that a delivery is over: it was sent, or there was nothing in it for its follower."""
    run(connection, _TELL, {**_claim(delivery), "is_sent": is_sent})


def note_failure(connection: Connection, delivery: Delivery, reason: str) -> None:
    """Have a delivery tried again, later each time; its owner reads the reason."""
    run(connection, _FAIL, {**_claim(delivery), "reason": reason})


def end_deliveries(connection: Connection, delivery: Delivery, status: str, reason: str) -> None:
    """Make a subscription `resting` or `failed`, unless it is not active any more: nothing is
    delivered until its owner makes it active again."""
    run(connection, _END, {**_claim(delivery), "status": status, "reason": reason})


def _claim(delivery: Delivery) -> dict[str, object]:
    return {"id": delivery.id, "claimed_until": delivery.claimed_until}
