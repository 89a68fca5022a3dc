"""The jobs that write files: a map, or a layer."""

import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import select

from samsyn_admin.exports.map_package import export_map as write_map
from samsyn_admin.jobs.context import JobContext
from samsyn_admin.jobs.results import store_result
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, snapshot
from samsyn_model.errors import NotFoundError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.users import User
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.lookup import find_collection
from samsyn_provider.downloads.files import WRITERS, file_content, full_disk
from samsyn_provider.downloads.formats.writers import FileContent
from samsyn_provider.downloads.texts import TEXT_FORMATS, TIMEOUT, text_parts
from samsyn_provider.geography.crs import reference_system
from samsyn_provider.http.formats import FORMATS
from samsyn_provider.query.items_query import ItemsQuery

_COUNT = "SELECT count(*) AS count FROM layer_features WHERE layer_id = %(layer)s"


def export_map(context: JobContext) -> dict[str, Any]:
    """Write the map `map_id` as a GeoPackage, as the user of the job may read it."""
    path = _temporary_file()
    with full_disk():
        exported = write_map(
            context.engine,
            uuid.UUID(context.parameters["map_id"]),
            _principal(context),
            path,
            context.report,
        )
    return {
        "file": store_result(context, path, f"{exported.name[:100]}.gpkg"),
        "layers": exported.layer_count,
        "features": exported.feature_count,
        "rasters_left_out": list(exported.rasters_left_out),
    }


def export_layer(context: JobContext) -> dict[str, Any]:
    """Write the layer `layer_id` in the format `f` and the CRS `crs`."""
    path = _temporary_file()
    file_format = FORMATS[context.parameters["f"]]
    with snapshot(context.engine, TIMEOUT) as connection:
        collection = find_collection(
            connection, _principal(context), context.parameters["layer_id"], Action.READ_LAYER
        )
        crs = reference_system(context.parameters["crs"], "crs", collection.crs)
        query = ItemsQuery(crs=crs)
        total = run(connection, _COUNT, {"layer": collection.id}).one().count
        if file_format.media_type in TEXT_FORMATS:
            _write_text(context, collection, query, file_format.media_type, path)
        else:
            content = file_content(connection, collection, query, file_format, None)
            with full_disk():
                write = WRITERS[file_format.media_type, None]
                write(path, _reported(content, context, total))
    name = f"{collection.title[:100]}.{file_format.extension}"
    return {"file": store_result(context, path, name), "features": total}


def _principal(context: JobContext) -> Principal:
    """Return the user of the job; raises NotFoundError for one who is deleted."""
    statement = select(User.is_admin).where(User.id == context.user_id, User.deleted_at.is_(None))
    with reading(context.engine) as connection:
        row = run(connection, statement).one_or_none()
    if row is None:
        raise NotFoundError("There is no such user any more.")
    return Principal(context.user_id, row.is_admin, "read")


def _temporary_file() -> Path:
    return Path(tempfile.mkdtemp()) / "export.gpkg"


def _write_text(
    context: JobContext, collection: Collection, query: ItemsQuery, media_type: str, path: Path
) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for part in text_parts(context.engine, collection, query, media_type, None):
            file.write(part)
            context.report(50, "The features are written.")


def _reported(content: FileContent, context: JobContext, total: int) -> FileContent:
    """Return the content, whose reading is reported."""

    def read(ids: Iterable[Sequence[int]]) -> Iterator[pa.RecordBatch]:
        count = 0
        for batch in content.read(ids):
            yield batch
            count += batch.num_rows
            message = f"{count:,} of {total:,} features are written."
            context.report(min(99, 100 * count // max(total, 1)), message)

    return replace(content, read=read)
