"""The files of layers in the storage: found, removed with their layers, swept."""

import logging
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, exists

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading
from samsyn_model.errors import NotFoundError, SamsynError
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.rasters import RasterFile
from samsyn_provider.http.deployment import deployment
from samsyn_provider.query.parameters import parse_uuid

if TYPE_CHECKING:  # which starts threads
    from samsyn_admin.storage.storage import Storage

LOGGER = logging.getLogger(__name__)

FOLDER = "rasters"
"""What the keys of all files of layers begin with."""
_YOUNG = timedelta(hours=1)  # files of a job that has not told yet how it ended
_UUID_LENGTH = 36

HOLDS_RASTERS: ColumnElement[bool] = and_(
    Layer.source_type == "geotiff",
    exists().where(RasterFile.layer_id == Layer.id).correlate(Layer),
)
"""Whether a layer is drawn from files of ours, rather than from an address."""

# without a time the newest
_FIND = """
SELECT id, time, name, key, original_key, updated_at, info FROM raster_files
WHERE layer_id = %(layer)s AND (%(time)s::timestamptz IS NULL OR time = %(time)s)
ORDER BY time DESC NULLS LAST LIMIT 1"""

# Those that an import has replaced are needed as long as it can be undone.
_FOLDERS_OF_LAYER = """
SELECT DISTINCT split_part(key, '/', 2) FROM raster_files WHERE layer_id = %(layer)s"""

_FOLDERS_OF_IMPORT = """
SELECT DISTINCT split_part(key, '/', 2) FROM raster_files
WHERE layer_id IN (SELECT layer_id FROM import_layers WHERE import_id = %(import)s)"""

_NEEDED = """
SELECT split_part(key, '/', 2) FROM raster_files
WHERE split_part(key, '/', 2) = ANY(%(folders)s)
UNION
SELECT split_part(file ->> 'key', '/', 2)
FROM import_layers CROSS JOIN jsonb_array_elements(rasters -> 'files') AS file
WHERE split_part(file ->> 'key', '/', 2) = ANY(%(folders)s)
UNION
SELECT folder FROM unnest(%(folders)s::text[]) AS folder
JOIN jobs ON jobs.id::text = left(folder, 36)
WHERE jobs.status IN ('accepted', 'running')"""


def storage_folder(job_id: uuid.UUID, attempt: int, number: int) -> str:
    """Return the folder of the files of one layer that an attempt at a job makes."""
    return f"{job_id}-{attempt}-{number}"


def storage_key(folder: str, name: str) -> str:
    """Return the key of a file in a folder of the storage."""
    return f"{FOLDER}/{folder}/{name}"


def find_file(connection: Connection, layer_id: uuid.UUID, time: datetime | None) -> Row[Any]:
    """Return the row of the file of a layer at a time, without one the newest.

    Raises NotFoundError where the layer has no such file, or none of ours.
    """
    row = run(connection, _FIND, {"layer": layer_id, "time": time}).one_or_none()
    if row is None:
        reason = "none at this time" if time else "no file here: it is drawn from an address"
        raise NotFoundError(f"The layer has {reason}.")
    found: Row[Any] = row
    return found


def folders_of(connection: Connection, layer_id: uuid.UUID) -> list[str]:
    """Return the folders of a layer's files."""
    return list(run(connection, _FOLDERS_OF_LAYER, {"layer": layer_id}).scalars())


def folders_of_import(connection: Connection, import_id: uuid.UUID) -> list[str]:
    """Return the folders of the files of the layers that an import went into."""
    return list(run(connection, _FOLDERS_OF_IMPORT, {"import": import_id}).scalars())


def remove_unneeded(engine: Engine, storage: "Storage", folders: Iterable[str]) -> int:
    """Remove those of the folders of which no layer has a file, none that an import has replaced
    and could give back, and which no job is filling; return how many."""
    names = list(folders)
    if not names:
        return 0
    with reading(engine) as connection:
        needed = set(run(connection, _NEEDED, {"folders": names}).scalars())
    unneeded = [name for name in names if name not in needed]
    for name in unneeded:
        storage.delete(f"{FOLDER}/{name}")
    return len(unneeded)


def remove_files(folders: Iterable[str]) -> None:
    """Remove the folders of a layer that a request has deleted; what fails is left to the sweep."""
    names = list(folders)
    if not names:
        return
    from samsyn_admin.storage.storage import open_storage  # noqa: PLC0415 - starts threads

    try:
        storage = open_storage(deployment().settings)
        remove_unneeded(deployment().engine, storage, names)
    except SamsynError as error:
        LOGGER.warning("the files of a layer are not removed yet: %s", error.detail)


def sweep(engine: Engine, storage: "Storage") -> int:
    """Remove the folders that layers that are gone and jobs that were killed have left; return how
    many.

    Any number of processes may do it at the same time.
    """
    before = datetime.now(UTC) - _YOUNG
    old = [
        key.rpartition("/")[2] for key, changed_at in storage.folders(FOLDER) if changed_at < before
    ]
    removed = remove_unneeded(engine, storage, [name for name in old if _is_of_job(name)])
    if removed:
        LOGGER.info("removed %d folders of rasters that no layer has", removed)
    return removed


def _is_of_job(folder: str) -> bool:
    return parse_uuid(folder[:_UUID_LENGTH]) is not None
