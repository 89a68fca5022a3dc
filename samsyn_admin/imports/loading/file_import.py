"""Imports a file: its layers become layers, or go into one, all in one transaction."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import monotonic

from pydantic import ValidationError
from sqlalchemy import Connection, Engine

from samsyn_admin.http.request_body import sentence
from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.loading.existing_layer import ExistingLayer
from samsyn_admin.imports.loading.new_layers import NewLayers, new_names
from samsyn_admin.imports.loading.progress import ImportProgress, TerminalProgress
from samsyn_admin.imports.loading.record import (
    begin_import,
    finish_import,
    record_failure,
    uploader,
)
from samsyn_admin.imports.loading.report import (
    FaultyFeaturesError,
    ImportFaults,
    ImportReport,
    LayerReport,
)
from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.counts import counted
from samsyn_admin.imports.sources.layer import SourceLayer, source_crs
from samsyn_admin.imports.sources.reading import Reading, bulk_memory
from samsyn_model.database.transactions import set_in_transaction, writing
from samsyn_model.errors import (
    InvalidParameterError,
    PermissionDeniedError,
    TooLargeError,
)
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import find_layer
from samsyn_model.quotas.features import refuse_excess_features
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_model.settings import get_settings

_OPTIONS = {"layers": "source_layer", "key": "update_by", "layer_id": "layer"}
"""The options of the command that are choices under another name."""


def run_import(  # noqa: PLR0913 - what is imported how, and for whom
    engine: Engine,
    path: Path,
    choices: ImportChoices,
    owner: uuid.UUID,
    *,
    import_id: uuid.UUID | None = None,
    progress: ImportProgress,
    deadline: float,
    finish: Callable[[Connection, ImportReport], None] = lambda _connection, _report: None,
) -> ImportReport:
    """Import a file as chosen, in one transaction, which also writes the record of the import.

    `finish` is called at the end of the transaction. `import_id` is that of the row of an upload,
    whose owner's permissions and quotas hold; without one a row is made. `deadline` is a time of
    `monotonic`. Raises FaultyFeaturesError with the faults of features, UnreadableFileError,
    TooLargeError after the deadline, InvalidParameterError, InvalidBodyError (the file does not
    suit the layer), ConflictError, LimitReachedError, PermissionDeniedError and NotFoundError.
    """
    sources = _chosen_layers(path, choices)
    readings = [
        Reading(source, source_crs(source, path, choices.crs_of(source.name)), deadline)
        for source in sources
    ]
    timeout = int(deadline - monotonic())
    if timeout <= 0:
        raise TooLargeError("The import takes longer than the limit (IMPORT_TIMEOUT).")
    try:
        with (
            bulk_memory(),
            writing(engine, via="import", user_id=owner, message=path.name) as connection,
        ):
            set_in_transaction(
                connection,
                statement_timeout=f"{timeout}s",
                idle_in_transaction_session_timeout="0",
            )
            if import_id is not None:
                _refuse_unpermitted(connection, choices, owner)
            report_id = begin_import(connection, import_id, owner, path.name)
            layers = _written(connection, readings, choices, owner, report_id, progress)
            report = ImportReport(report_id, layers, _faults(readings, choices))
            if import_id is not None:
                _refuse_excess(connection, report, owner)
            finish_import(connection, choices, report)
            finish(connection, report)
    except FaultyFeaturesError as error:
        if import_id is not None:
            record_failure(engine, import_id, error)
        raise
    return report


def _chosen_layers(path: Path, choices: ImportChoices) -> Sequence[SourceLayer]:
    options = choices.read_options()
    if choices.layers is None:
        sources = open_layers(path, None, options)
    elif len(choices.layers) == 1:
        sources = open_layers(path, choices.layers[0].source, options)
    else:
        sources = [open_layers(path, layer.source, options)[0] for layer in choices.layers]
    if choices.mode != "create" and len(sources) > 1:
        names = ", ".join(repr(source.name) for source in sources)
        raise InvalidParameterError(f"{path} has several layers: name one of {names}.")
    return sources


def _written(  # noqa: PLR0913, PLR0917 - as run_import
    connection: Connection,
    readings: Sequence[Reading],
    choices: ImportChoices,
    owner: uuid.UUID,
    import_id: uuid.UUID,
    progress: ImportProgress,
) -> list[LayerReport]:
    if choices.mode != "create":
        layer = ExistingLayer(connection, import_id, owner, choices, progress)
        return [layer.write(reading) for reading in readings]
    new = NewLayers(connection, import_id, owner, choices, progress)
    names = new_names([reading.source for reading in readings], choices)
    layers = [new.create(*pair) for pair in zip(readings, names, strict=True)]
    new.check_fields()
    return layers


def _faults(readings: Sequence[Reading], choices: ImportChoices) -> ImportFaults:
    faults = ImportFaults()
    for reading in readings:
        faults.add(reading.source.name, reading.source.faults)
    if faults.count and not choices.skip_faulty:
        raise FaultyFeaturesError(faults)
    return faults


def _refuse_unpermitted(connection: Connection, choices: ImportChoices, owner: uuid.UUID) -> None:
    principal = uploader(connection, owner)
    if choices.is_global and not principal.is_admin:
        raise PermissionDeniedError("Only administrators put layers into the global library.")
    if choices.layer_id is not None:
        find_layer(
            connection,
            principal,
            choices.layer_id,
            Action.WRITE_FEATURES,
            all_columns=False,
            source_type="vector",
        )


def _refuse_excess(connection: Connection, report: ImportReport, owner: uuid.UUID) -> None:
    settings = get_settings()
    if any(layer.mode == "create" for layer in report.layers):
        refuse_excess(connection, settings, (Quota.LAYERS_OF_USER, owner))
    for layer in report.layers:
        refuse_excess_features(connection, settings, layer.layer_id, of_account=True)


def import_file(  # noqa: PLR0913 - a command's options
    engine: Engine,
    path: Path,
    *,
    owner_id: uuid.UUID,
    source_layer: str | None = None,
    progress: ImportProgress | None = None,
    timeout: int = 3600,
    layer_id: uuid.UUID | None = None,
    is_public: bool = False,
    replace: bool = False,
    update_by: str | None = None,
    **options: object,
) -> ImportReport:
    """Import a file with the options of the command, as `run_import` does.

    `options` are those of ImportChoices that the command has under the same name; a layer given is
    appended to unless it is to be replaced or updated. Without a `progress` a bar and messages go
    to stderr. Raises the errors of `run_import`.
    """
    deadline = monotonic() + timeout
    mode = "create" if layer_id is None else "append"
    if replace and update_by is not None:
        raise InvalidParameterError("Either replace a layer's content or update by a field.")
    if replace or update_by is not None:
        if layer_id is None:
            raise InvalidParameterError("Choose the layer to replace or to update: --layer.")
        mode = "replace" if replace else "update"
    values = {
        **options,
        "layers": [{"source": source_layer}] if source_layer is not None else None,
        "layer_id": layer_id,
        "mode": mode,
        "key": update_by,
        "visibility": "public" if is_public else "private",
    }
    if layer_id is not None and is_public:
        raise InvalidParameterError("An existing layer keeps its name, visibility and fields.")
    try:
        choices = ImportChoices.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        field = "".join(map(str, fault["loc"][:1]))
        option = _OPTIONS.get(field, field)
        name = f"--{option.replace('_', '-')}: " if option else ""
        raise InvalidParameterError(f"{name}{sentence(fault)}") from error
    context: AbstractContextManager[ImportProgress]
    context = TerminalProgress() if progress is None else nullcontext(progress)
    with context as reporter:
        report = run_import(engine, path, choices, owner_id, progress=reporter, deadline=deadline)
        for layer in report.layers:
            for text in remarks(layer):
                reporter.remark(text)
    return report


def remarks(layer: LayerReport) -> list[str]:
    """Return what the command says of a layer: how many features there are, where, and notes."""
    counts = {
        "{count} updated": layer.updated,
        "{count} deleted": layer.deleted,
        "{count} unchanged": layer.unchanged,
        "{count} skipped": layer.skipped,
        "{count} {value|values} left empty": layer.emptied,
    }
    others = "".join(f", {counted(text, count)}" for text, count in counts.items() if count)
    texts = [counted("{count} {feature|features} imported", layer.inserted) + others]
    if layer.crs is not None:
        code = f" ({layer.crs['code']})" if layer.crs["code"] else ""
        texts.append(f"read as {layer.crs['name']}{code}{_why(layer.crs['origin'])}")
    if layer.columns is not None:
        texts += _columns(layer.columns)
    if layer.encoding is not None:
        encoding = layer.encoding
        texts.append(f"texts read as {encoding['name']}{_why(encoding['origin'])}")
    if layer.extent is not None:
        west, south, east, north = layer.extent
        texts.append(
            f"from {west:.6g} to {east:.6g} degrees of longitude,"
            f" {south:.6g} to {north:.6g} of latitude"
        )
    return [
        *(f"{layer.name}: {text}" for text in texts),
        *(f"warning: {layer.name}: {note}" for note in layer.notes),
    ]


def _why(origin: str | None) -> str:
    """Return how a CRS or an encoding was found out, after its name: `, from the .prj file`."""
    if not origin:
        return ""
    return f", {'from ' if origin.startswith('the ') else ''}{origin}"


def _columns(columns: Mapping[str, str | None]) -> Iterator[str]:
    """Yield where the geometries of a table are."""
    if columns["wkt"] is not None:
        yield f"geometries read from the column {columns['wkt']!r}"
    elif columns["x"] is not None:
        yield f"x and y read from the columns {columns['x']!r} and {columns['y']!r}"
