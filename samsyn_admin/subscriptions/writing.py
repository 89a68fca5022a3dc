"""Subscriptions made and changed: only of what their owner may read."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from samsyn_admin.http.request_body import refuse
from samsyn_admin.notifications.telling import NO_EMAIL
from samsyn_admin.subscriptions.schemas import SubscriptionCreate
from samsyn_admin.subscriptions.serializer import NO_MAIL
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import lock_against_deletion
from samsyn_model.errors import ConflictError, Fault, NotConfiguredError, NotFoundError
from samsyn_model.live.notices import newest_position
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.comments import find_comment
from samsyn_model.permissions.lookup import find_map
from samsyn_model.permissions.principal import Principal
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_model.subscriptions.news import schedule
from samsyn_model.tables.comments import Comment
from samsyn_model.tables.live import Subscription
from samsyn_model.tables.maps import Map
from samsyn_model.tables.users import User
from samsyn_provider.http.deployment import deployment


def insert_subscription(
    connection: Connection,
    principal: Principal,
    user_id: uuid.UUID,
    body: SubscriptionCreate,
    secret: bytes | None,
) -> uuid.UUID:
    """Store a subscription of a user and return its id; what is committed from now on is told.

    Raises NotFoundError where the principal may not read what it follows, InvalidBodyError for a
    reply, ConflictError where it is followed in this way already or the user has no email,
    NotConfiguredError where the server sends none, LimitReachedError.
    """
    if body.map_id is not None:
        find_map(connection, principal, body.map_id, Action.READ_MAP)
        subject_id = body.map_id
    else:
        subject_id = _subject_of_thread(connection, principal, body.comment_id)
    if body.webhook_url is None:
        _require_email(connection, user_id)
    _lock_followed(connection, body)
    values = body.model_dump() | {
        "user_id": user_id,
        "subject_id": subject_id,
        "webhook_secret": secret,
        "position": newest_position(connection)[0],
    }
    statement = insert(Subscription).values(values).on_conflict_do_nothing()
    made = run(connection, statement.returning(Subscription.id)).scalar()
    if made is None:
        raise ConflictError("You follow this already, in the same way: change that subscription.")
    schedule(connection, made)
    refuse_excess(connection, deployment().settings, (Quota.SUBSCRIPTIONS_OF_USER, user_id))
    key: uuid.UUID = made
    return key


def change_subscription(
    connection: Connection, principal: Principal, row: Row[Any], change: Mapping[str, str]
) -> None:
    """Change the status or the frequency of a subscription, whose row is locked.

    One that is made active again tells what happens from now on; one whose deliveries had failed,
    what it could not tell too. Raises ConflictError where it cannot be made active.
    """
    status, frequency = change.get("status"), change.get("frequency", row.frequency)
    values: dict[str, Any] = {"frequency": frequency}
    if status == "paused":
        values |= {"status": "paused", "reason": None}
    elif status == "active":
        _require_readable(connection, principal, row)
        if row.webhook_url is None:
            _require_email(connection, row.user_id)
        values |= {"status": "active", "reason": None, "failures": 0, "failing_since": None}
        newest, _ = newest_position(connection)
        if row.status == "failed":
            values |= {"due_at": func.now(), "news_position": newest}
        else:
            values |= {"position": newest, "until": None, "claimed_until": None}
    run(connection, update(Subscription).where(Subscription.id == row.id).values(values))
    if frequency != row.frequency or (status == "active" and row.status != "failed"):
        schedule(connection, row.id)


def _subject_of_thread(
    connection: Connection, principal: Principal, comment_id: uuid.UUID | None
) -> uuid.UUID:
    assert comment_id is not None  # noqa: S101 - the body has one of the two
    comment = find_comment(
        *(connection, principal, comment_id),
        *(Comment.parent_id, Comment.map_id, Comment.layer_id),
    )
    if comment.parent_id is not None:
        refuse([Fault("/comment_id", "This is a reply: follow the first comment of its thread.")])
    subject: uuid.UUID = comment.map_id or comment.layer_id
    return subject


def _lock_followed(connection: Connection, body: SubscriptionCreate) -> None:
    """Lock the map or the comment against deletion; raises NotFoundError when it is gone."""
    for kind, table, key in (("map", Map, body.map_id), ("comment", Comment, body.comment_id)):
        if key is not None and not lock_against_deletion(connection, table.id, key):
            raise NotFoundError(f"There is no such {kind}.")


def _require_email(connection: Connection, user_id: uuid.UUID) -> None:
    if deployment().settings.smtp_host is None:
        raise NotConfiguredError(NO_MAIL)
    if not run(connection, select(User.email).where(User.id == user_id)).scalar():
        raise ConflictError(NO_EMAIL)


def _require_readable(connection: Connection, principal: Principal, row: Row[Any]) -> None:
    try:
        if row.map_id is not None:
            find_map(connection, principal, row.map_id, Action.READ_MAP)
        else:
            find_comment(connection, principal, row.comment_id, Comment.id)
    except NotFoundError as error:
        raise ConflictError("You may not read any more what this follows.") from error
