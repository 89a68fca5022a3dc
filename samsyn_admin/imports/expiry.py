"""Files and imports that nobody needs any more."""

import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from samsyn_admin.imports.records import delete_record
from samsyn_admin.imports.uploads import FOLDER, storage_prefix
from samsyn_admin.layers.rasters.stored_files import sweep
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.settings import Settings

if TYPE_CHECKING:  # which starts threads
    from samsyn_admin.storage.storage import Storage

LOGGER = logging.getLogger(__name__)

_ABANDONED = timedelta(days=1)  # for which what has no row may be about to get one

# One whose job is not over is still needed.
_EXPIRED = """
SELECT id FROM imports
WHERE updated_at < now() - interval '1 day' * (
    CASE WHEN status IN ('imported', 'undone') THEN %(retention)s ELSE %(upload_retention)s END)
AND NOT EXISTS (
    SELECT FROM jobs WHERE import_id = imports.id AND status IN ('accepted', 'running'))
FOR UPDATE SKIP LOCKED"""

_KNOWN = "SELECT id::text FROM imports WHERE id = ANY(%(ids)s::uuid[])"


def remove_expired(engine: Engine, storage: "Storage", settings: Settings) -> int:
    """Remove imports that were last changed longer ago than IMPORT_RETENTION days, those that are
    not committed after UPLOAD_RETENTION, and files of none, nor of a layer; return how many.

    Any number of processes may do it at the same time.
    """
    values = {
        "retention": settings.import_retention,
        "upload_retention": settings.upload_retention,
    }
    with writing(engine) as connection:
        expired = list(run(connection, _EXPIRED, values).scalars())
        for import_id in expired:
            delete_record(connection, import_id)
    for import_id in expired:
        storage.delete(storage_prefix(import_id))
    sweep(engine, storage)
    abandoned = _without_row(engine, storage)
    for key in abandoned:
        storage.delete(key)
    if expired or abandoned:
        LOGGER.info(
            "removed %d expired imports, %d folders of files without one",
            len(expired),
            len(abandoned),
        )
    return len(expired) + len(abandoned)


def _without_row(engine: Engine, storage: "Storage") -> list[str]:
    """Return the keys of what is stored of imports that are not in the database."""
    limit = datetime.now(UTC) - _ABANDONED
    old = [key for key, changed_at in storage.folders(FOLDER) if changed_at < limit]
    names = {key.rsplit("/", 1)[-1]: key for key in old}
    ids = [name for name in names if _is_uuid(name)]
    if not ids:
        return []
    with reading(engine) as connection:
        known = set(run(connection, _KNOWN, {"ids": ids}).scalars())
    return [names[name] for name in ids if name not in known]


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
