"""GeoParquet: the one layer of a Parquet file with `geo` metadata."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from re import fullmatch
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from samsyn_admin.imports.sources.arrow_batches import ColumnReader
from samsyn_admin.imports.sources.layer import (
    BATCH_BYTES,
    BATCH_FEATURES,
    CRS84,
    SourceLayer,
    file_crs,
    object_array,
    without_m,
)
from samsyn_admin.imports.sources.wkb import geometries_of_wkb, refuse_unreadable
from samsyn_model.errors import UnreadableFileError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.bulk_copy import GEOMETRY_TYPES
from samsyn_model.properties.schema import Kind, unique_names


class ParquetLayer(SourceLayer):
    """A GeoParquet file, read in pages so that large row groups do not fill memory."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.name = path.stem
        self._path = path
        with self._open() as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            geo = self._geo_metadata(schema, file.metadata.metadata)
        self._geometry: str = geo["primary_column"]
        column = geo["columns"][self._geometry]
        if column.get("encoding") != "WKB":
            raise UnreadableFileError(
                f"{path}: the geometry encoding {column.get('encoding')!r} is not supported;"
                " write the file with WKB."
            )
        self.feature_count = rows
        self.geometry_type = _declared_type(column.get("geometry_types") or [])
        self.crs = _declared_crs(column)
        self._fields = self._attributes(schema, geo)
        self._columns = ColumnReader(
            unique_names([schema.field(index).name for index in self._fields]),
            [kind_of_arrow(schema.field(index)) for index in self._fields],
        )
        self._geometry_index = schema.get_field_index(self._geometry)

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(self._path, pre_buffer=False, buffer_size=1024 * 1024) as file:
                yield file
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise UnreadableFileError(f"{self._path} cannot be read: {error}") from error

    def _geo_metadata(
        self, schema: pa.Schema, metadata: Mapping[bytes, bytes] | None
    ) -> dict[str, Any]:
        try:
            # of the file: the schema that Arrow stores in it need not repeat them
            geo: dict[str, Any] = json.loads((metadata or {})[b"geo"])
            geo["columns"][geo["primary_column"]]
        except (KeyError, TypeError, ValueError):
            raise UnreadableFileError(
                f"{self._path} is not GeoParquet: it lacks valid `geo` metadata."
            ) from None
        if schema.get_field_index(geo["primary_column"]) < 0:
            raise UnreadableFileError(
                f"{self._path} is damaged: it lacks the column {geo['primary_column']!r}."
            )
        return geo

    def _attributes(self, schema: pa.Schema, geo: dict[str, Any]) -> list[int]:
        """Return which columns are attributes: no geometry, bounding boxes or pandas' index."""
        covering = geo["columns"][self._geometry].get("covering", {}).get("bbox", {})
        boxes = {parts[0] for parts in covering.values() if parts}
        others = [name for name in geo["columns"] if name != self._geometry]
        if others:
            self.note(f"Only the geometries of {self._geometry!r} were read, not of {others}.")
        return [
            index
            for index, name in enumerate(schema.names)
            if name not in geo["columns"]
            and name not in boxes
            and not fullmatch(r"__index_level_\d+__", name)
        ]

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
        column = record_batch.column(self._geometry_index)
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        wkb = column.to_pylist()
        try:
            geometries, had_m = without_m(geometries_of_wkb(wkb, rows))
        except NotImplementedError:
            refuse_unreadable(wkb, rows)
            raise
        if had_m:
            self.note("M values (measures) were left out.")
        rows = replace(rows, geometries=geometries)
        columns = [record_batch.column(index) for index in self._fields]
        return replace(rows, properties=self._columns.properties(columns, rows))


def _declared_type(names: list[str]) -> str | None:
    plain = {name.removesuffix(" Z") for name in names}
    if len(plain) == 1:
        name = plain.pop()
        return name if name in GEOMETRY_TYPES else None
    return None


def _declared_crs(column: dict[str, Any]) -> Any:
    if "crs" not in column:
        return CRS84
    return None if column["crs"] is None else file_crs(json.dumps(column["crs"]))


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
    for kind, tests in _TESTS.items():
        if any(matches(arrow_type) for matches in tests):
            return kind
    return Kind.STRING
