"""How many bytes of files there may be of a user: uploaded ones, and those that layers are drawn
from."""

import uuid
from typing import Any

from sqlalchemy import Connection, Row

from samsyn_model.database.execution import run
from samsyn_model.errors import LimitReachedError
from samsyn_model.settings import Settings

# Uploads of one user that begin or end at the same time are counted one after the other.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('imports ' || %(user_id)s::text, 0))"

_STORED = """
SELECT (coalesce(sum(size), 0) + (
        SELECT coalesce(sum(raster_files.size), 0)
        FROM raster_files JOIN layers ON layers.id = layer_id
        WHERE layers.created_by = %(user_id)s))::bigint AS size,
    count(*) FILTER (WHERE status NOT IN ('imported', 'undone')) AS pending
FROM imports WHERE user_id = %(user_id)s"""


def stored_files(connection: Connection, user_id: uuid.UUID) -> Row[Any]:
    """Return the `size` of a user's files in bytes, and how many imports are not committed.

    Whoever asks next waits for the transaction's end.
    """
    run(connection, _LOCK, {"user_id": user_id})
    row: Row[Any] = run(connection, _STORED, {"user_id": user_id}).one()
    return row


def refuse_excess_bytes(
    connection: Connection, settings: Settings, user_id: uuid.UUID, added: int = 0
) -> None:
    """Raise LimitReachedError where the files of a user have too many bytes, with those `added`.

    Call it after rows of files are inserted, just before the transaction ends.
    """
    refuse_bytes(settings, stored_files(connection, user_id).size + added)


def refuse_bytes(settings: Settings, size: int) -> None:
    """Raise LimitReachedError where so many bytes are too many for a user."""
    maximum = settings.max_upload_bytes_per_user
    if maximum and size > maximum:
        raise LimitReachedError(
            f"The uploads of an account, and the files of its layers, have up to {maximum:,} bytes:"
            " delete one first."
        )
