"""Rasters of an import become layers: converted and stored first, then known in one transaction."""

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.loading.record import (
    add_layer,
    begin_import,
    finish_import,
    uploader,
)
from samsyn_admin.imports.loading.report import (
    ImportFaults,
    ImportReport,
    LayerReport,
    described_crs,
)
from samsyn_admin.imports.rasters.conversion import convert
from samsyn_admin.imports.rasters.drawing import Drawing, drawing
from samsyn_admin.imports.rasters.inspection import statistics_of
from samsyn_admin.imports.rasters.layers import (
    ConvertedFile,
    add_files,
    insert_layer,
    replace_rasters,
)
from samsyn_admin.imports.rasters.planning import PlannedLayer, planned_layers
from samsyn_admin.imports.rasters.reading.files import RasterFile, RasterFiles
from samsyn_admin.imports.rasters.reading.gdal import opened
from samsyn_admin.imports.rasters.reading.values import BandValues, read_values
from samsyn_admin.jobs.context import JobContext
from samsyn_admin.layers.rasters.stored_files import FOLDER, storage_folder, storage_key
from samsyn_admin.layers.rasters.times import shown_time
from samsyn_admin.storage.storage import Storage, open_storage
from samsyn_model.database.transactions import writing
from samsyn_model.errors import (
    DatabaseUnavailableError,
    PermissionDeniedError,
)
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import find_layer
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_model.quotas.stored_bytes import refuse_excess_bytes

_FIRST, _LAST = 2, 98  # percent
_LOOKING = 0.15  # of the time, the rest of which is converting


def import_rasters(
    context: JobContext, row: Row[Any], rasters: RasterFiles, choices: ImportChoices
) -> ImportReport:
    """Make layers of rasters as chosen, or give a layer another one, and end the job.

    Nothing is left in the storage where it fails. Raises UnreadableFileError,
    InvalidParameterError, ConflictError, LimitReachedError, PermissionDeniedError, NotFoundError.
    """
    storage = open_storage(context.settings)
    planned = planned_layers(rasters, choices, context.settings.max_raster_values)
    folders = [
        storage_folder(context.job_id, context.attempt.number, number)
        for number in range(len(planned))
    ]
    progress = _Progress(context, planned)
    try:
        for layer, folder in zip(planned, folders, strict=True):
            _convert(layer, folder, storage, choices, progress)
        return _commit(context, row, planned, choices)
    except DatabaseUnavailableError:  # it may have been committed: what is not is swept
        raise
    except BaseException:
        for folder in folders:
            storage.delete(f"{FOLDER}/{folder}")
        raise


class _Progress:
    """The share of all values that has been read and converted."""

    def __init__(self, context: JobContext, planned: Sequence[PlannedLayer]) -> None:
        self._context = context
        self._total = sum(source.value_count for layer in planned for source in layer.sources)
        self._done = 0.0

    def part(self, doing: str, size: float) -> Callable[[float], None]:
        """Begin a part of so many values; return what is told the share of it that is done."""
        before, self._done = self._done, self._done + size

        def tell(share: float) -> None:
            done = (before + size * share) / max(self._total, 1)
            self._context.report(round(_FIRST + (_LAST - _FIRST) * min(1.0, done)), doing)

        tell(0)
        return tell


def _convert(
    layer: PlannedLayer,
    folder: str,
    storage: Storage,
    choices: ImportChoices,
    progress: _Progress,
) -> None:
    """Convert what a layer is drawn from, and store it with the originals."""
    layer.values = [BandValues() for _ in layer.sources[0].bands]
    steps = layer.steps
    for source, step in steps:
        size = source.width * source.height * len(step.bands)
        tell = progress.part(f"Looking at {source.name}", size * _LOOKING)
        with opened(source.dataset, source.file.driver, source.file.name) as dataset:
            arguments = (dataset, step.bands, layer.values, source.scaling, choices.nodata)
            for share in read_values(*arguments):
                tell(share)
    is_categorical = _drawn(layer, choices).is_categorical
    originals: dict[RasterFile, tuple[str, int]] = {}
    for number, (source, step) in enumerate(steps):
        size = source.width * source.height * len(step.bands)
        when = f" of {shown_time(step.time)}" if step.time else ""
        tell = progress.part(f"Converting {source.name}{when}", size * (1 - _LOOKING))
        is_first = source.file not in originals
        if is_first:
            key = storage_key(folder, f"original/{len(originals)}-{_plain(source.file)}")
            originals[source.file] = (key, storage.write_file(key, source.file.path))
        original_key, original_size = originals[source.file]
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "cog.tif"
            info = convert(
                source,
                step,
                layer.crs,
                path,
                is_categorical=is_categorical,
                nodata=choices.nodata,
                report=tell,
            )
            key = storage_key(folder, f"{number}.tif")
            stored = storage.write_file(key, path)
        size = stored + original_size * is_first
        file = ConvertedFile(step.time, source.file.name, key, original_key, size, info)
        layer.files.append(file)


def _commit(
    context: JobContext, row: Row[Any], planned: Sequence[PlannedLayer], choices: ImportChoices
) -> ImportReport:
    with writing(context.engine) as connection:
        principal = uploader(connection, context.user_id)
        if choices.is_global and not principal.is_admin:
            raise PermissionDeniedError("Only administrators put layers into the global library.")
        if choices.layer_id is not None:
            arguments = (connection, principal, choices.layer_id, Action.CHANGE_LAYER)
            find_layer(*arguments, all_columns=False, lock="UPDATE", source_type="geotiff")
        begin_import(connection, row.id, context.user_id, row.name)
        layers = [_stored(connection, row.id, context.user_id, layer, choices) for layer in planned]
        report = ImportReport(row.id, layers, ImportFaults())
        refuse_excess_bytes(connection, context.settings, context.user_id)
        if choices.mode == "create":
            refuse_excess(connection, context.settings, (Quota.LAYERS_OF_USER, context.user_id))
        finish_import(connection, choices, report)
        context.finish(connection, {"import_id": str(row.id), **report.as_json()})
    return report


def _stored(
    connection: Connection,
    import_id: UUID,
    owner: UUID,
    layer: PlannedLayer,
    choices: ImportChoices,
) -> LayerReport:
    """Make the row of a layer, or change it, with those of its files; return what was done."""
    drawn = _drawn(layer, choices)
    config = _source_config(layer, drawn)
    if choices.layer_id is None:
        layer_id = insert_layer(
            connection,
            layer.name,
            owner,
            is_global=choices.is_global,
            visibility=choices.visibility,
            source_config=config,
            legend=drawn.legend,
        )
        add_layer(connection, import_id, layer_id, "create")
    else:
        layer_id = choices.layer_id
        add_layer(connection, import_id, layer_id, "replace")
        replace_rasters(connection, import_id, layer_id, config, drawn.legend)
    add_files(connection, layer_id, layer.files)
    source = layer.sources[0]
    return LayerReport(
        layer_id=layer_id,
        source=source.name,
        name=layer.name,
        mode=choices.mode,
        extent=_extent(layer),
        crs=described_crs(layer.crs, source.crs_origin, is_given=layer.is_crs_given),
        notes=(*dict.fromkeys(note for one in layer.sources for note in one.notes),),
        source_type="geotiff",
        times=len([file for file in layer.files if file.time]),
    )


def _drawn(layer: PlannedLayer, choices: ImportChoices) -> Drawing:
    return drawing(
        layer.sources[0],
        layer.values,
        colormap=choices.colormap,
        rescale=choices.rescale,
        is_categorical=choices.categorical,
    )


def _source_config(layer: PlannedLayer, drawn: Drawing) -> dict[str, Any]:
    """Return what a layer is drawn by; its addresses are added when it is answered."""
    source, authority = layer.sources[0], layer.crs.to_authority()
    times = [shown_time(file.time) for file in layer.files if file.time is not None]
    first = layer.files[0].info
    return {
        "delivery": "tiles",
        "bounds": [*_extent(layer)],
        "temporal": len(times) > 1,
        "times": times,
        "processing": drawn.processing,
        "bands": [
            {"band": number, "description": description, "unit": source.unit}
            for number, description in enumerate(source.descriptions, 1)
        ],
        "statistics": statistics_of(layer.values),
        "minzoom": min(file.info["minzoom"] for file in layer.files),
        "maxzoom": max(file.info["maxzoom"] for file in layer.files),
        "dtype": source.dtype,
        "nodata": first["nodata"],
        "width": source.width,
        "height": source.height,
        "crs": ":".join(authority) if authority else layer.crs.name,
        "format": source.format,
    }


def _extent(layer: PlannedLayer) -> tuple[float, float, float, float]:
    wests, souths, easts, norths = zip(*layer.extents, strict=True)
    return min(wests), min(souths), max(easts), max(norths)


def _plain(file: RasterFile) -> str:
    """Return the name of a file as keys of the storage have it."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", file.name.rsplit("/", 1)[-1])
    return plain[-100:].lstrip(".") or "raster"
