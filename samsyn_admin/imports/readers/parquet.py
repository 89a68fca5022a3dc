"""GeoParquet and Parquet: the one layer of a file, whoever wrote it.

Its geometries are those of the `geo` metadata (GeoParquet), a column of Parquet's own type for
geometries, one that GeoArrow marks, one that is named, or two columns of coordinates.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from re import fullmatch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from samsyn_admin.imports.readers.geoarrow import read_geometries
from samsyn_admin.imports.readers.parquet_geometry import GeometryColumn, find_geometry
from samsyn_admin.imports.sources.arrow_batches import ColumnReader
from samsyn_admin.imports.sources.layer import (
    BATCH_BYTES,
    BATCH_FEATURES,
    SourceLayer,
    object_array,
    without_m,
)
from samsyn_admin.imports.sources.options import DEFAULTS, ReadOptions
from samsyn_model.errors import UnreadableFileError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.properties.schema import Kind, unique_names


class ParquetLayer(SourceLayer):
    """A Parquet file, read in pages so that large row groups do not fill memory."""

    format = "Parquet"

    def __init__(self, path: Path, options: ReadOptions = DEFAULTS) -> None:
        super().__init__()
        self.name = path.stem
        self._path = path
        with self._open() as file:
            schema = file.schema_arrow
            self.feature_count = file.metadata.num_rows
            self._geometry = find_geometry(path, file, options)
        geometry: GeometryColumn = self._geometry
        self.format, self.geometry_type = geometry.format, geometry.geometry_type
        self.crs, self.crs_origin = geometry.crs, geometry.crs_origin
        self.crs_is_implied = geometry.crs_is_implied
        for text in geometry.notes:
            self.note(text)
        self._fields = [
            index
            for index, name in enumerate(schema.names)
            if name not in geometry.not_attributes and not fullmatch(r"__index_level_\d+__", name)
        ]
        self._columns = ColumnReader(
            unique_names([schema.field(index).name for index in self._fields]),
            [kind_of_arrow(schema.field(index)) for index in self._fields],
        )
        self._geometry_fields = [schema.get_field_index(name) for name in geometry.columns]

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(self._path, pre_buffer=False, buffer_size=1024 * 1024) as file:
                yield file
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise UnreadableFileError(f"{self._path} cannot be read: {error}") from error

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The kinds of the fields; those of JSON fields are derived from their values."""
        return self._columns.kinds

    def batches(self) -> Iterator[FeatureBatch]:
        """Read the file."""
        size = self._path.stat().st_size * 2 / max(self.feature_count or 1, 1)
        batch_size = int(max(1, min(BATCH_FEATURES, BATCH_BYTES // max(size, 1))))
        read = 0
        with self._open() as file:
            for record_batch in file.iter_batches(batch_size=batch_size):
                yield self._features(record_batch, read + 1)
                read += len(record_batch)
        if read != self.feature_count:
            raise UnreadableFileError(f"{self._path} is damaged: it ends after {read} features.")

    def _features(self, record_batch: pa.RecordBatch, first: int) -> FeatureBatch:
        rows = FeatureBatch(object_array([None] * len(record_batch)), (), first)
        columns = [record_batch.column(index) for index in self._geometry_fields]
        is_alone = len(columns) == 1
        column = columns[0] if is_alone else pa.StructArray.from_arrays(columns, ["x", "y"])
        geometries, reasons = read_geometries(self._geometry.parse, column)
        for index, reason in reasons.items():
            self.faults.record(rows.fault(index, reason))
        if reasons:
            kept = np.array([i for i in range(len(record_batch)) if i not in reasons], dtype=int)
            record_batch, geometries = record_batch.take(pa.array(kept)), geometries[kept]
            rows = replace(rows, numbers=[first + int(index) for index in kept])
        geometries, had_m = without_m(geometries)
        if had_m:
            self.note("M values (measures) were left out.")
        rows = replace(rows, geometries=geometries)
        columns = [record_batch.column(index) for index in self._fields]
        return replace(rows, properties=self._columns.properties(columns, rows))


_TESTS = {
    Kind.BOOLEAN: (pa.types.is_boolean,),
    Kind.INTEGER: (pa.types.is_integer,),
    Kind.NUMBER: (pa.types.is_floating, pa.types.is_decimal, pa.types.is_duration),
    Kind.DATE: (pa.types.is_date,),
    Kind.DATE_TIME: (pa.types.is_timestamp,),
    Kind.TIME: (pa.types.is_time,),
    Kind.BINARY: (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    ),
    Kind.OBJECT: (pa.types.is_struct,),
    Kind.ARRAY: (
        pa.types.is_list,
        pa.types.is_large_list,
        pa.types.is_fixed_size_list,
        pa.types.is_map,
    ),
}


def kind_of_arrow(field: pa.Field) -> Kind:
    """Return the kind of a column of this Arrow type or `arrow.json` extension."""
    extension_name = (field.metadata or {}).get(b"ARROW:extension:name", b"").decode()
    if getattr(field.type, "extension_name", extension_name) == "arrow.json":
        return Kind.JSON_VALUE
    arrow_type = field.type
    if pa.types.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    if pa.types.is_null(arrow_type):
        return Kind.JSON_VALUE  # which has no type until a value comes
    for kind, tests in _TESTS.items():
        if any(matches(arrow_type) for matches in tests):
            return kind
    return Kind.STRING
