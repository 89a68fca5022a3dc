"""Accounts that end: a tombstone, or two accounts that turn out to be one person's."""

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

_LEAVE_MAPS = "DELETE FROM map_collaborators WHERE user_id = %(user)s"

_FORGET_CLERK_ID = "UPDATE users SET clerk_id = NULL WHERE id = %(user)s"

# What the two had on one map becomes one row: the owner's place, or the stronger role.
_KEEP_STRONGER_ROLE = """
UPDATE map_collaborators kept SET role = 'editor'
FROM map_collaborators gone
WHERE kept.user_id = %(kept)s AND gone.user_id = %(gone)s AND gone.map_id = kept.map_id
    AND gone.role = 'editor' AND kept.role <> 'editor'"""

_DROP_DOUBLE_ROLES = """
DELETE FROM map_collaborators role
WHERE role.user_id IN (%(kept)s, %(gone)s) AND (
    EXISTS (SELECT FROM maps
        WHERE maps.id = role.map_id AND maps.created_by IN (%(kept)s, %(gone)s))
    OR role.user_id = %(gone)s AND EXISTS (SELECT FROM map_collaborators other
        WHERE other.map_id = role.map_id AND other.user_id = %(kept)s))"""


def close_account(connection: Connection, user_id: uuid.UUID) -> None:
    """Make a user a tombstone: name, email, rights, tokens and collaborations go.

    Maps, layers and comments stay, and so does the `clerk_id`: a late event or a session that is
    still valid finds the tombstone instead of making the user anew. Nothing happens to a tombstone.
    """
    # FOR UPDATE waits for whoever is just giving the user a token or a place on a map.
    run(connection, _LOCK, {"user": user_id})
    for statement in (_EMPTY, _REVOKE_TOKENS, _LEAVE_MAPS):
        run(connection, statement, {"user": user_id})


def merge_accounts(connection: Connection, *, kept: uuid.UUID, gone: uuid.UUID) -> None:
    """Give all that one user has to another: maps, layers, comments, tokens, collaborations.

    The former becomes a tombstone without `clerk_id`. Features keep the id of who wrote them:
    `docs/decisions/clerk-events.md` tells why.
    """
    both = {"kept": kept, "gone": gone}
    run(connection, _KEEP_STRONGER_ROLE, both)
    run(connection, _DROP_DOUBLE_ROLES, both)
    for table in metadata.sorted_tables:
        _hand_over(connection, table, kept, gone)
    close_account(connection, gone)
    run(connection, _FORGET_CLERK_ID, {"user": gone})


def _hand_over(connection: Connection, table: Table, kept: uuid.UUID, gone: uuid.UUID) -> None:
    for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
        if key.references(_USERS):
            column = key.parent
            run(connection, update(table).where(column == gone).values({column.name: kept}))
