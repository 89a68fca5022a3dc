"""The rows of imports: begun, found, changed."""

import json
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, select

from samsyn_admin.imports.uploads import StoredFile
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import LOCK_TIMEOUT, set_in_transaction
from samsyn_model.errors import ConflictError, LimitReachedError, NotFoundError
from samsyn_model.quotas.stored_bytes import refuse_bytes, refuse_excess_bytes, stored_files
from samsyn_model.settings import Settings
from samsyn_model.stored_text import json_text
from samsyn_model.tables.jobs import Import

if TYPE_CHECKING:  # which loads Arrow, 44 MB
    from samsyn_admin.imports.loading.report import ImportFaults

_INSERT = """
INSERT INTO imports (id, user_id, name, size, files)
VALUES (%(id)s, %(user_id)s, %(name)s, %(size)s, %(files)s::jsonb)"""

_SET_FILES = """
UPDATE imports SET name = %(name)s, files = %(files)s::jsonb, size = %(size)s,
    status = %(status)s
WHERE id = %(id)s"""

_SET_INSPECTION = """
UPDATE imports SET choices = %(choices)s::jsonb, inspection = %(inspection)s::jsonb,
    faults = %(faults)s::jsonb, report = NULL, status = 'inspected'
WHERE id = %(id)s AND status <> 'imported'"""

_SET_FAILED = """
UPDATE imports SET choices = coalesce(%(choices)s::jsonb, choices), report = %(report)s::jsonb,
    faults = %(faults)s::jsonb, status = 'failed'
WHERE id = %(id)s AND status NOT IN ('imported', 'undone')"""

_ACTIVE = """
SELECT id, kind FROM jobs
WHERE import_id = %(id)s AND status IN ('accepted', 'running') ORDER BY created_at"""

_DELETE = """
WITH changes AS (DELETE FROM import_changes WHERE import_id = %(id)s)
DELETE FROM imports WHERE id = %(id)s"""


def begin_import(  # noqa: PLR0913 - what a row begins with
    connection: Connection,
    settings: Settings,
    user_id: uuid.UUID,
    *,
    name: str,
    size: int,
    files: Sequence[StoredFile] = (),
    import_id: uuid.UUID | None = None,
) -> uuid.UUID:
    """Insert an import that is being uploaded, for which `size` bytes are kept free.

    Raises LimitReachedError where the user has too many that are not committed, or too many bytes.
    """
    stored = stored_files(connection, user_id)
    maximum = settings.max_pending_imports_per_user
    if maximum and stored.pending >= maximum:
        raise LimitReachedError(
            f"An account has up to {maximum:,} imports that are not committed: delete one first."
        )
    refuse_bytes(settings, stored.size + size)
    import_id = import_id or uuid.uuid4()
    values = {"id": import_id, "user_id": user_id, "name": name, "size": size}
    run(connection, _INSERT, {**values, "files": json.dumps(files)})
    return import_id


def set_files(
    connection: Connection,
    settings: Settings,
    row: Row[Any],
    files: Sequence[StoredFile],
    status: str = "uploaded",
) -> None:
    """Set the files of an import that is being uploaded, or has been; errors as of
    `begin_import`."""
    size = sum(file["size"] for file in files)
    if size > row.size:  # a body of unknown length
        refuse_excess_bytes(connection, settings, row.user_id, size - row.size)
    values = {"id": row.id, "name": upload_name(files), "size": size, "files": json.dumps(files)}
    run(connection, _SET_FILES, {**values, "status": status})


def set_inspection(
    connection: Connection,
    import_id: uuid.UUID,
    choices: dict[str, Any],
    inspection: dict[str, Any],
    faults: Sequence[dict[str, Any]],
) -> None:
    """Note what the files of an import hold, read by these choices."""
    texts = {"choices": choices, "inspection": inspection, "faults": faults}
    _set(connection, _SET_INSPECTION, import_id, texts)


def set_failed(
    connection: Connection,
    import_id: uuid.UUID,
    choices: dict[str, Any] | None,
    faults: "ImportFaults",
) -> None:
    """Note that nothing was imported, and the faults that it failed by."""
    report = {"layers": [], "fault_count": faults.count}
    texts = {"choices": choices, "report": report, "faults": faults.as_json()}
    _set(connection, _SET_FAILED, import_id, texts)


def _set(
    connection: Connection, statement: str, import_id: uuid.UUID, documents: dict[str, Any]
) -> None:
    texts = {name: _text(value) for name, value in documents.items()}
    run(connection, statement, {"id": import_id, **texts})


def _text(value: Any) -> str | None:
    return None if value is None else json_text(value)


def upload_name(files: Sequence[StoredFile]) -> str:
    """Return what the files are called together: a shapefile by its `.shp`, a folder by its own."""
    names: list[str] = [file["name"] for file in files]
    shapes = [name for name in names if name.lower().endswith(".shp")]
    first = (shapes or names)[0]
    return (first.split("/")[0] if len(names) > 1 and not shapes else first.rsplit("/", 1)[-1])[
        :255
    ]


def select_imports(user_id: uuid.UUID) -> Select[Any]:
    """Return the statement for a user's imports, newest first, without what may be large."""
    columns = [column for column in Import.__table__.columns if column.name not in _LARGE]
    statement = select(*columns, Import.report["fault_count"].label("report_fault_count"))
    return statement.where(Import.user_id == user_id).order_by(Import.created_at.desc(), Import.id)


_LARGE = {"inspection", "report", "faults", "choices"}


def find_import(
    connection: Connection, user_id: uuid.UUID, import_id: uuid.UUID, *, lock: bool = False
) -> Row[Any]:
    """Return the row of a user's import; raises NotFoundError, also for one of somebody else."""
    statement = select(Import.__table__).where(Import.id == import_id, Import.user_id == user_id)
    row: Row[Any] | None
    row = run(connection, statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFoundError("There is no such import.")
    return row


def active_jobs(connection: Connection, import_id: uuid.UUID) -> list[Row[Any]]:
    """Return the id and kind of an import's jobs that are not over, oldest first."""
    return list(run(connection, _ACTIVE, {"id": import_id}))


def lock_idle(connection: Connection, user_id: uuid.UUID, import_id: uuid.UUID) -> Row[Any]:
    """Return the row of a user's import, locked, so that no job of it is created meanwhile.

    Raises NotFoundError, and ConflictError while it is being committed or undone.
    """
    refuse_busy(connection, find_import(connection, user_id, import_id).id)  # holds the lock long
    set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT)
    row = find_import(connection, user_id, import_id, lock=True)
    refuse_busy(connection, row.id)
    return row


def refuse_busy(connection: Connection, import_id: uuid.UUID) -> None:
    """Raise ConflictError while an import is being committed or undone."""
    for job in active_jobs(connection, import_id):
        if job.kind != "inspect":
            doing = "undone" if job.kind == "undo" else "imported"
            raise ConflictError(
                f"This is being {doing} already: wait for the job {job.id}, or dismiss it."
            )


def delete_record(connection: Connection, import_id: uuid.UUID) -> None:
    """Delete an import's row, its jobs, and what would be needed to undo it."""
    run(connection, _DELETE, {"id": import_id})
