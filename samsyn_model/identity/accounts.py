"""Accounts that are closed (tombstones), and accounts of one person that are merged."""

import uuid

from sqlalchemy import Connection, Table, update

from samsyn_model.database.execution import run
from samsyn_model.tables.metadata import metadata

_USERS = metadata.tables["users"]

_LOCK = "SELECT deleted_at FROM users WHERE id = %(user)s FOR UPDATE"

_EMPTY = """
UPDATE users SET deleted_at = now(), email = NULL, username = NULL, first_name = NULL,
    last_name = NULL, profile_image_url = NULL, is_admin = false
WHERE id = %(user)s AND deleted_at IS NULL"""

_REVOKE_TOKENS = """
UPDATE api_tokens SET revoked_at = now() WHERE user_id = %(user)s AND revoked_at IS NULL"""

_END_SESSIONS = "DELETE FROM browser_sessions WHERE user_id = %(user)s"

_LEAVE_MAPS = "DELETE FROM map_collaborators WHERE user_id = %(user)s"

_FORGET_MENTIONS = "DELETE FROM comment_mentions WHERE user_id = %(user)s"
_UNSUBSCRIBE = "DELETE FROM subscriptions WHERE user_id = %(user)s"

_UNBLOCK = """
DELETE FROM blocked_users WHERE user_id = %(user)s OR blocked_user_id = %(user)s"""

# Readers of a public map read its owner's private layers, which only their creator may publish: a
# collaborator with such layers on it does not inherit it.
_PASS_MAPS_ON = """
WITH heirs AS (
    SELECT DISTINCT ON (maps.id) maps.id AS map_id, c.user_id
    FROM maps
    JOIN map_collaborators c ON c.map_id = maps.id
    JOIN users ON users.id = c.user_id AND users.deleted_at IS NULL
    WHERE maps.created_by = %(user)s AND NOT (maps.view_permission = 'public' AND EXISTS (
        SELECT FROM map_layers JOIN layers ON layers.id = map_layers.layer_id
        WHERE map_layers.map_id = maps.id AND layers.created_by = c.user_id
            AND layers.visibility = 'private' AND NOT layers.is_global
    ))
    ORDER BY maps.id, c.role = 'editor' DESC, c.created_at, c.id
), passed AS (
    UPDATE maps SET created_by = heirs.user_id FROM heirs WHERE maps.id = heirs.map_id
    RETURNING maps.id, maps.created_by
)
DELETE FROM map_collaborators c USING passed
WHERE c.map_id = passed.id AND c.user_id = passed.created_by"""

_FORGET_CLERK_ID = "UPDATE users SET clerk_id = NULL WHERE id = %(user)s"

# Two roles on one map become one row: the owner's or the stronger one.
_KEEP_STRONGER_ROLE = """
UPDATE map_collaborators target SET role = 'editor'
FROM map_collaborators source
WHERE target.user_id = %(target)s AND source.user_id = %(source)s AND source.map_id = target.map_id
    AND source.role = 'editor' AND target.role <> 'editor'"""

_DROP_DOUBLE_ROLES = """
DELETE FROM map_collaborators role
WHERE role.user_id IN (%(target)s, %(source)s) AND (
    EXISTS (SELECT FROM maps
        WHERE maps.id = role.map_id AND maps.created_by IN (%(target)s, %(source)s))
    OR role.user_id = %(source)s AND EXISTS (SELECT FROM map_collaborators other
        WHERE other.map_id = role.map_id AND other.user_id = %(target)s))"""


# Whoever is blocked by one of them, or has blocked one, is so once; they do not block each other.
_DROP_DOUBLE_BLOCKS = """
DELETE FROM blocked_users block
WHERE block.user_id IN (%(target)s, %(source)s)
        AND block.blocked_user_id IN (%(target)s, %(source)s)
    OR EXISTS (SELECT FROM blocked_users other
        WHERE block.user_id = %(source)s AND other.user_id = %(target)s
            AND other.blocked_user_id = block.blocked_user_id
        OR block.blocked_user_id = %(source)s AND other.blocked_user_id = %(target)s
            AND other.user_id = block.user_id)"""


_DROP_DOUBLE_MENTIONS = """
DELETE FROM comment_mentions mention
WHERE mention.user_id = %(source)s AND EXISTS (SELECT FROM comment_mentions other
    WHERE other.comment_id = mention.comment_id AND other.user_id = %(target)s)"""

# What both follow in the same way is followed once.
_DROP_DOUBLE_SUBSCRIPTIONS = """
DELETE FROM subscriptions s USING subscriptions other
WHERE s.user_id = %(source)s AND other.user_id = %(target)s
    AND coalesce(s.map_id, s.comment_id) = coalesce(other.map_id, other.comment_id)
    AND coalesce(s.webhook_url, '') = coalesce(other.webhook_url, '')"""


def close_account(connection: Connection, user_id: uuid.UUID) -> None:
    """Make a user a tombstone: name, email, rights, tokens, sessions, subscriptions,
    collaborations, mentions and blocks go.

    Each map passes to its oldest editor, else its oldest viewer; one without collaborators stays
    with the tombstone. Layers and comments stay, and so does the `clerk_id`: a late event or a
    session that is still valid finds the tombstone instead of making the user anew. Nothing happens
    to a tombstone.
    """
    # FOR UPDATE waits for transactions that add a token or a collaboration of the user.
    run(connection, _LOCK, {"user": user_id})
    for statement in (
        *(_EMPTY, _REVOKE_TOKENS, _END_SESSIONS, _UNSUBSCRIBE),
        *(_PASS_MAPS_ON, _LEAVE_MAPS, _FORGET_MENTIONS, _UNBLOCK),
    ):
        run(connection, statement, {"user": user_id})


def merge_accounts(connection: Connection, *, target: uuid.UUID, source: uuid.UUID) -> None:
    """Move maps, layers, comments, mentions, tokens, collaborations, subscriptions and blocks from
    one user to another.

    The source becomes a tombstone without `clerk_id`. Features keep the id of their author:
    `docs/decisions/clerk-events.md` explains why.
    """
    accounts = {"target": target, "source": source}
    run(connection, _KEEP_STRONGER_ROLE, accounts)
    run(connection, _DROP_DOUBLE_ROLES, accounts)
    run(connection, _DROP_DOUBLE_BLOCKS, accounts)
    run(connection, _DROP_DOUBLE_MENTIONS, accounts)
    run(connection, _DROP_DOUBLE_SUBSCRIPTIONS, accounts)
    for table in metadata.sorted_tables:
        _transfer_rows(connection, table, target, source)
    close_account(connection, source)
    run(connection, _FORGET_CLERK_ID, {"user": source})


def _transfer_rows(
    connection: Connection, table: Table, target: uuid.UUID, source: uuid.UUID
) -> None:
    for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
        if key.references(_USERS):
            column = key.parent
            run(connection, update(table).where(column == source).values({column.name: target}))
