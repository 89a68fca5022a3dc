"""The jobs of imports: inspecting the files, importing them, taking an import back."""

import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from samsyn_admin.imports import records
from samsyn_admin.imports.job_progress import JobProgress
from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.loading.file_import import run_import
from samsyn_admin.imports.loading.inspection import inspect_file
from samsyn_admin.imports.loading.report import FaultyFeaturesError, ImportFaults, ImportReport
from samsyn_admin.imports.loading.undo import undo_import
from samsyn_admin.imports.rasters.reading.files import RasterFiles, find_rasters
from samsyn_admin.imports.schemas import parse_choices
from samsyn_admin.jobs.context import JobContext
from samsyn_admin.layers.rasters.stored_files import folders_of_import, remove_unneeded
from samsyn_admin.storage.storage import Storage, open_storage
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import (
    ConflictError,
    DatabaseUnavailableError,
    NotFoundError,
    SamsynError,
)

MAX_SHOWN_FAULTS = 100
"""Of a layer in an inspection."""
MAX_FAULTS = 1_000
"""Of an import that are kept."""


def inspect(context: JobContext) -> dict[str, Any]:
    """Read the files of an import, and note what they hold."""
    choices = parse_choices(context.parameters.get("choices", {}))
    row = _record(context)
    try:
        with _local_files(context, row) as names:
            if (rasters := find_rasters(names)) is not None:
                inspection = _inspected_rasters(context, rasters, choices)
            else:
                path = opened_file(names)
                inspection = inspect_file(path, choices, JobProgress(context, "Reading"))
    except DatabaseUnavailableError:  # the job is begun again
        raise
    except SamsynError as error:
        _note_failure(context, error)
        raise
    faults = [fault for layer in inspection["layers"] for fault in layer["faults"]]
    for layer in inspection["layers"]:
        layer["faults"] = layer["faults"][:MAX_SHOWN_FAULTS]
    result = {"import_id": str(row.id), "layer_count": len(inspection["layers"])}
    with writing(context.engine) as connection:
        records.set_inspection(
            connection, row.id, choices.model_dump(mode="json"), inspection, faults[:MAX_FAULTS]
        )
        context.finish(connection, result)
    return result


def commit(context: JobContext) -> dict[str, Any]:
    """Import the files as chosen: all or nothing, and the job's success with it."""
    choices = parse_choices(context.parameters["choices"])
    row = _record(context)
    if row.status == "imported":
        raise ConflictError("This has been imported already: undo it first.")

    def finish(connection: Connection, report: ImportReport) -> None:
        context.finish(connection, {"import_id": str(row.id), **report.as_json()})

    try:
        with _local_files(context, row) as names:
            if (rasters := find_rasters(names)) is not None:
                return _committed_rasters(context, row, rasters, choices)
            path = opened_file(names)
            progress = JobProgress(context, "Importing")
            progress.expect(_expected(row, choices))
            report = run_import(
                context.engine,
                path,
                choices,
                context.user_id,
                import_id=row.id,
                progress=progress,
                deadline=context.deadline,
                finish=finish,
            )
    except DatabaseUnavailableError:  # the job is begun again
        raise
    except SamsynError as error:
        _note_failure(context, error, choices.model_dump(mode="json"))
        raise
    return {"import_id": str(row.id), **report.as_json()}


def _inspected_rasters(
    context: JobContext, rasters: RasterFiles, choices: ImportChoices
) -> dict[str, Any]:
    from samsyn_admin.imports.rasters.inspection import inspect_rasters  # noqa: PLC0415 - and GDAL

    def report(share: float, name: str) -> None:
        context.report(round(98 * share), f"Reading {name}")

    return inspect_rasters(rasters, choices, context.settings.max_raster_values, report)


def _committed_rasters(
    context: JobContext, row: Row[Any], rasters: RasterFiles, choices: ImportChoices
) -> dict[str, Any]:
    from samsyn_admin.imports.rasters.raster_import import import_rasters  # noqa: PLC0415 - and GDAL

    report = import_rasters(context, row, rasters, choices)
    return {"import_id": str(row.id), **report.as_json()}


def undo(context: JobContext) -> dict[str, Any]:
    """Take an import back, and the job's success with it."""
    row = _record(context)
    with reading(context.engine) as connection:
        folders = folders_of_import(connection, row.id)
    report = undo_import(
        context.engine,
        row.id,
        context.user_id,
        force=bool(context.parameters.get("force", False)),
        progress=JobProgress(context, "Undoing"),
        finish=lambda connection, report: context.finish(connection, report.as_json()),
    )
    remove_unneeded(context.engine, open_storage(context.settings), folders)
    return report.as_json()


def _expected(row: Row[Any], choices: ImportChoices) -> int:
    """Return how many features the inspection has counted in the chosen layers; 0: not known."""
    layers = row.inspection["layers"] if row.inspection else []
    chosen = {layer.source for layer in choices.layers or ()}
    return sum(layer["feature_count"] for layer in layers if layer["name"] in chosen or not chosen)


def _record(context: JobContext) -> Row[Any]:
    if context.import_id is None:
        raise NotFoundError("The job names no import.")
    with reading(context.engine) as connection:
        return records.find_import(connection, context.user_id, context.import_id)


@contextmanager
def _local_files(context: JobContext, row: Row[Any]) -> Iterator[list[str]]:
    """Yield the names of the files of an import in a folder of their own, which is the present one.

    So messages name a file as its user does, not where it is on this machine.
    """
    if not row.files:
        raise ConflictError("The files of this import have been removed: upload them again.")
    storage = open_storage(context.settings)
    with tempfile.TemporaryDirectory(prefix="samsyn-") as folder, chdir(folder):
        context.report(0, "Fetching the files")
        _fetch(storage, row)
        yield [file["name"] for file in row.files]


def _fetch(storage: Storage, row: Row[Any]) -> None:
    """Fetch the files into the present folder."""
    for file in row.files:
        path = Path(file["name"])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ConflictError(f"{file['name']} is in a folder that is also a file.") from error
        storage.download(file["key"], path)
        if path.stat().st_size != file["size"]:
            raise ConflictError(f"{file['name']} has changed since it was uploaded.")


def opened_file(names: list[str]) -> Path:
    """Return which of the files in the present folder is to be opened: the `.shp` of a shapefile,
    the folder of a File Geodatabase; raises ConflictError."""
    if len(names) == 1 and "/" not in names[0]:
        return Path(names[0])
    folders = {name.split("/")[0] for name in names if "/" in name}
    if len(folders) == 1 and all("/" in name for name in names):
        (folder,) = folders
        if folder.lower().endswith(".gdb"):
            return Path(folder)
    shapes = [name for name in names if name.lower().endswith(".shp")]
    if len(shapes) == 1:
        return Path(shapes[0])
    if len(names) == 1:
        return Path(names[0])
    raise ConflictError(
        f"There are {len(names):,} files: an import has one, the parts of one shapefile, the"
        " folder of a File Geodatabase, or rasters. Make an import of each, or zip them."
    )


def _note_failure(
    context: JobContext, error: SamsynError, choices: dict[str, Any] | None = None
) -> None:
    faults = error.feature_faults if isinstance(error, FaultyFeaturesError) else ImportFaults()
    if context.import_id is None:
        return
    with writing(context.engine) as connection:
        records.set_failed(connection, context.import_id, choices, faults)
