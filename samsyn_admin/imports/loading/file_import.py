"""Imports a file: each of its layers becomes a layer, all in one transaction."""

import gc
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa
from pyproj import CRS
from sqlalchemy import Connection, Engine

from samsyn_admin.imports.loading.checks import (
    check_number_of_properties,
    geometry_faults,
    geometry_notes,
    geometry_type,
    schema_faults,
)
from samsyn_admin.imports.loading.progress import ImportProgress, TerminalProgress
from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.layer import SourceLayer, in_crs84, source_crs, until
from samsyn_admin.layers.index_checks import MAX_INDEXES, index_faults
from samsyn_model.database.execution import run
from samsyn_model.database.spatial_ref_sys import epsg_codes_unknown_to_postgis
from samsyn_model.database.transactions import set_in_transaction, writing
from samsyn_model.errors import (
    InvalidBodyError,
    InvalidParameterError,
    NotFoundError,
    UnstorableFeatureError,
)
from samsyn_model.features.bulk_copy import CopiedFeatures, copy_features
from samsyn_model.properties.schema import NotDateTimesError, property_schema
from samsyn_provider.geography.crs import SUPPORTED, epsg_uri, is_offerable

_MAX_NAME_LENGTH = 255
_INSERT = """
INSERT INTO layers (id, name, source_type, created_by, is_global, visibility)
VALUES (%(id)s, %(name)s, 'vector', %(created_by)s, %(is_global)s, %(visibility)s)"""

_DESCRIBE = """
UPDATE layers
SET property_schema = %(property_schema)s, geometry_type = %(geometry_type)s,
    time_field = %(time_field)s, additional_crs = %(additional_crs)s::integer[],
    indexed_properties = %(indexed_properties)s::text[]
WHERE id = %(id)s"""

_FIND = """
SELECT name, source_type, geometry_type, property_schema FROM layers WHERE id = %(id)s"""

_TEMPORAL = frozenset({"date", "date-time"})


@dataclass(frozen=True, slots=True)
class ImportedLayer:
    """A layer that features were imported into, with counts of null and invalid geometries."""

    layer_id: uuid.UUID
    name: str
    feature_count: int
    null_count: int
    invalid_count: int
    geometry_type: str | None
    notes: tuple[str, ...]


def import_file(  # noqa: PLR0913 - a command's options
    engine: Engine,
    path: Path,
    *,
    owner_id: uuid.UUID,
    name: str | None = None,
    is_global: bool = False,
    is_public: bool = False,
    layer_id: uuid.UUID | None = None,
    source_layer: str | None = None,
    crs: str | None = None,
    time_field: str | None = None,
    index: tuple[str, ...] = (),
    progress: ImportProgress | None = None,
    timeout: int = 3600,
) -> list[ImportedLayer]:
    """Import the layers of a file, or its `source_layer`, in one transaction.

    The features go into new layers of the owner's, or are appended to the vector layer `layer_id`
    when their geometries and properties suit it. `crs` overrides the CRS of the file. New
    layers get an index on those of the properties `index` that they have.
    Without a `progress` a bar and messages go to stderr. Raises UnreadableFileError, TooLargeError
    after `timeout` seconds, UnstorableFeatureError (which feature and why), InvalidParameterError,
    InvalidBodyError (the file does not suit the layer) and NotFoundError.
    """
    if layer_id is not None and (name or is_global or is_public or time_field or index):
        raise InvalidParameterError("An existing layer keeps its name, visibility and fields.")
    if len(index) > MAX_INDEXES:
        raise InvalidParameterError(f"A layer has at most {MAX_INDEXES} indexes.")
    deadline = monotonic() + timeout
    sources = open_layers(path, source_layer)
    if layer_id is not None and len(sources) > 1:
        names = ", ".join(repr(source.name) for source in sources)
        raise InvalidParameterError(f"{path} has several layers: name one of {names}.")
    systems = [source_crs(source, path, crs) for source in sources]
    context: AbstractContextManager[ImportProgress]
    context = TerminalProgress() if progress is None else nullcontext(progress)
    with context as reporter:
        with _bulk_memory(), writing(engine) as connection:
            set_in_transaction(
                connection,
                statement_timeout=f"{timeout}s",
                idle_in_transaction_session_timeout="0",
            )
            job = _Import(connection, owner_id, reporter, index, deadline)
            pairs = list(zip(sources, systems, strict=True))
            if layer_id is not None:
                imported = [job.append(*pairs[0], layer_id)]
            else:
                visibility = "public" if is_public else "private"
                values = {"is_global": is_global, "visibility": visibility}
                imported = [
                    job.create(*pair, {**values, "name": layer_name}, time_field)
                    for pair, layer_name in zip(pairs, _names(sources, name), strict=True)
                ]
                if time_field and not job.has_time_field:
                    raise InvalidParameterError(f"No layer has a field {time_field!r}.")
                if unknown := [field for field in index if field not in job.indexed]:
                    raise InvalidParameterError(f"No layer has a field {unknown[0]!r}.")
        for layer in imported:
            reporter.remark(f"{layer.name}: {layer.feature_count:,} features imported")
            for note in layer.notes:
                reporter.remark(f"warning: {layer.name}: {note}")
    return imported


@contextmanager
def _bulk_memory() -> Iterator[None]:
    """Configure the process's memory for millions of short-lived values, and restore it.

    Garbage collection of parsed JSON would double the time, and Arrow's default allocator would
    not release the memory of a million features.
    """
    enabled, pool = gc.isenabled(), pa.default_memory_pool()
    gc.disable()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(pool)
        if enabled:
            gc.enable()


def _names(sources: Sequence[SourceLayer], name: str | None) -> list[str]:
    names = [source.name for source in sources]
    if name is not None:
        names = [name] if len(names) == 1 else [f"{name}: {source_name}" for source_name in names]
    for candidate in names:
        if not 1 <= len(candidate) <= _MAX_NAME_LENGTH:
            raise InvalidParameterError("The name of a layer has 1 to 255 characters.")
    return names


class _Import:
    """One import's transaction."""

    def __init__(
        self,
        connection: Connection,
        owner_id: uuid.UUID,
        progress: ImportProgress,
        index: tuple[str, ...],
        deadline: float,
    ) -> None:
        self._connection = connection
        self._owner_id = owner_id
        self._progress = progress
        self._index = index
        self._deadline = deadline
        self.has_time_field = False
        self.indexed: set[str] = set()

    def create(
        self, source: SourceLayer, crs: CRS, values: dict[str, Any], time_field: str | None
    ) -> ImportedLayer:
        """Create a layer of the source's features, with the schema and geometry type read."""
        layer_id = uuid.uuid4()
        run(self._connection, _INSERT, {**values, "id": layer_id, "created_by": self._owner_id})
        copied = self._copy(source, crs, layer_id, values["name"])
        schema = property_schema(source.kinds)
        imported_type = geometry_type(copied.geometry_types, source.geometry_type)
        description = {
            "id": layer_id,
            "property_schema": json.dumps(schema),
            "geometry_type": imported_type,
            "time_field": self._checked_time_field(schema, time_field),
            "additional_crs": self._additional_crs(crs),
            "indexed_properties": self._indexed(schema),
        }
        run(self._connection, _DESCRIBE, description)
        return self._result(source, copied, layer_id, values["name"], imported_type)

    def append(self, source: SourceLayer, crs: CRS, layer_id: uuid.UUID) -> ImportedLayer:
        """Add the source's features to a layer that they suit."""
        layer = run(self._connection, _FIND, {"id": layer_id}).one_or_none()
        if layer is None:
            raise NotFoundError(f"There is no layer {layer_id}.")
        if layer.source_type != "vector":
            raise InvalidParameterError(f"Features cannot be added to a {layer.source_type} layer.")
        copied = self._copy(source, crs, layer_id, layer.name)
        known = {name: kind for name, kind in source.kinds.items() if kind is not None}
        faults = [
            *geometry_faults(copied.geometry_types, layer.geometry_type),
            *schema_faults(property_schema(known), layer.property_schema),
        ]
        if faults:
            raise InvalidBodyError(
                f"{source.name!r} does not suit the layer {layer.name!r}.", tuple(faults)
            )
        return self._result(source, copied, layer_id, layer.name, layer.geometry_type)

    def _copy(
        self, source: SourceLayer, crs: CRS, layer_id: uuid.UUID, name: str
    ) -> CopiedFeatures:
        while True:
            self._progress.start(name, source.feature_count)
            source.restart()
            savepoint = self._connection.begin_nested()
            try:
                copied = copy_features(
                    self._connection,
                    layer_id,
                    in_crs84(until(self._deadline, source.batches()), crs),
                    created_by=self._owner_id,
                    on_copied=self._progress.advance,
                )
            except NotDateTimesError as error:
                savepoint.rollback()
                source.free_texts.add(error.name)
                continue
            savepoint.commit()
            for fault in source.faults.faults:
                label = "" if fault.feature_id is None else f" (id {fault.feature_id})"
                raise UnstorableFeatureError(f"Feature {fault.number}{label}: {fault.reason}")
            check_number_of_properties(source.name, source.kinds)
            return copied

    def _additional_crs(self, crs: CRS) -> list[int]:
        """Return the code of the file's CRS unless every layer is offered in it."""
        code = crs.to_epsg()
        if code is None or epsg_uri(code) in SUPPORTED or not is_offerable(code):
            return []
        return [] if epsg_codes_unknown_to_postgis(self._connection, [code]) else [code]

    def _indexed(self, schema: dict[str, Any]) -> list[str]:
        """Return the properties to index that a layer has."""
        names = [name for name in self._index if name in schema["properties"]]
        for fault in index_faults(names, schema["properties"]):
            raise InvalidParameterError(f"No index can be made: {fault.detail}")
        self.indexed.update(names)
        return names

    def _checked_time_field(self, schema: dict[str, Any], time_field: str | None) -> str | None:
        field = schema["properties"].get(time_field)
        if field is None:
            return None
        if field.get("format") not in _TEMPORAL:
            raise InvalidParameterError(
                f"The field {time_field!r} does not hold dates or date-times only."
            )
        self.has_time_field = True
        return time_field

    def _result(
        self,
        source: SourceLayer,
        copied: CopiedFeatures,
        layer_id: uuid.UUID,
        name: str,
        geometry_type: str | None,
    ) -> ImportedLayer:
        notes = [*source.all_notes(), *geometry_notes(copied, source.has_geometry)]
        return ImportedLayer(
            layer_id=layer_id,
            name=name,
            feature_count=copied.feature_count,
            null_count=copied.null_count,
            invalid_count=copied.invalid_count,
            geometry_type=geometry_type,
            notes=tuple(notes),
        )
