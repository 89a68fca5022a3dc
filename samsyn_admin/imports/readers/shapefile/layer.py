"""A shapefile as a layer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samsyn_admin.imports.readers.shapefile.encodings import find_encoding
from samsyn_admin.imports.readers.shapefile.parts import ShapefileParts, crs_of_prj
from samsyn_admin.imports.readers.shapefile.records import ShapeFile
from samsyn_admin.imports.readers.shapefile.shapes import Geometries
from samsyn_admin.imports.readers.shapefile.table import Field, Rows, Table
from samsyn_admin.imports.readers.shapefile.values import is_whole, kind_of, read_values
from samsyn_admin.imports.sources.arrow_batches import ColumnReader
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.properties.schema import Kind, unique_names

_DECLARED_TYPES = {1: "Point", 3: "LineString", 5: "Polygon", 8: "MultiPoint"}
_MULTIPATCH = 31


def shapefile_layers(path: Path, options: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layer of a shapefile, `path` being its `.shp`. Raises UnreadableFileError."""
    if path.suffix.lower() == ".shx":
        raise UnreadableFileError(
            f"{path} is the index of a shapefile: import {path.stem}.shp, with this file beside it."
        )
    return [ShapefileLayer(path, options)]


class ShapefileLayer(SourceLayer):
    """A shapefile, read record by record: its rows are its features, but for those deleted.

    A feature's number is that of its row, from 1; its id is the number from 0, as in QGIS.
    """

    format = "Shapefile"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__()
        self.name = path.stem
        self._path = path
        self._decimal = options.decimal
        parts = ShapefileParts(path)
        index = parts.part(".shx")
        if index is None:
            self.note(f"There is no {path.stem}.shx: the places of the shapes were found anew.")
        self._shapes = ShapeFile(path, index)
        self._read_crs(parts)
        self.geometry_type = _declared_type(self._shapes.type)
        self._table: Table | None = None
        self._fields: list[Field] = []
        self.feature_count = len(self._shapes.sizes)
        self.encoding = None
        self._read_table(parts, options.encoding)
        names = unique_names([self._field_name(field) for field in self._fields])
        self._names = tuple(names)
        self._columns = ColumnReader(self._names, [kind_of(field) for field in self._fields])
        self._has_fractions: set[str] = set()

    def _read_crs(self, parts: ShapefileParts) -> None:
        definition = parts.text(".prj")
        if definition is None:
            return
        self.crs = crs_of_prj(definition)
        self.crs_origin = "the .prj file"
        if self.crs is None:
            self.note("The .prj file defines no known CRS.")

    def _read_table(self, parts: ShapefileParts, encoding: str | None) -> None:
        part = parts.part(".dbf")
        if part is None:
            self.note(f"There is no {self.name}.dbf: the features have no attributes.")
            return
        table = self._table = Table(part)
        if table.count != len(self._shapes.sizes):
            raise UnreadableFileError(
                f"{self._path} has {len(self._shapes.sizes):,} shapes, but {part.name} has"
                f" {table.count:,} rows: they do not belong together. Take both from the same copy."
            )
        self._fields = [field for field in table.fields if field.is_read]
        self.feature_count, texts = table.survey()
        found = find_encoding(encoding, parts.text(".cpg"), table.language_id, texts)
        self.encoding, self.encoding_origin = found.name, found.origin
        for note in found.notes:
            self.note(note)
        for field in table.fields:
            if not field.is_read:
                self.note(
                    f"The field {self._field_name(field)!r} was left out: its type {field.type!r}"
                    " is not one of a shapefile."
                )

    def _field_name(self, field: Field) -> str:
        """Return a field's name; a last character that is cut is left out."""
        return field.raw_name.decode(self.encoding or "utf-8", "ignore").strip()

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The kinds of the fields: of whole numbers until one has a fraction."""
        kinds = dict(self._columns.kinds)
        for name, field in zip(self._names, self._fields, strict=True):
            if is_whole(field):
                kinds[name] = Kind.NUMBER if name in self._has_fractions else Kind.INTEGER
        return kinds

    def batches(self) -> Iterator[FeatureBatch]:
        """Read the shapes and the rows of the table side by side."""
        table = self._table
        if table is None:
            yield from (
                self._features(first, shapes, None) for first, shapes in self._read_shapes()
            )
            return
        with table.open() as file:
            for first, shapes in self._read_shapes():
                yield self._features(first, shapes, table.rows(file, first, first + len(shapes)))

    def _read_shapes(self) -> Iterator[tuple[int, list[Any]]]:
        try:
            yield from self._shapes.batches()
        except OSError as error:
            raise UnreadableFileError(f"{self._path} cannot be read: {error.strerror}.") from error

    def _features(self, first: int, shapes: list[Any], rows: Rows | None) -> FeatureBatch:
        kept = np.arange(len(shapes))
        if rows is not None and self._table is not None:
            kept = np.flatnonzero(~self._table.is_deleted(rows))
        made = Geometries([shapes[place] for place in kept])
        for note in made.notes:
            self.note(note)
        for text, count in made.tallies.items():
            self.tally(text, count)
        batch = self._batch(made.array, first + kept)
        for place, reason in sorted(made.reasons.items()):
            self.faults.record(batch.fault(place, reason))
        if made.reasons:
            sound = np.setdiff1d(np.arange(len(kept)), list(made.reasons))
            kept = kept[sound]
            batch = self._batch(made.array[sound], first + kept)
        if rows is None or not self._fields:
            return replace(batch, properties=["{}"] * len(kept))
        return replace(batch, properties=self._properties(rows[kept], batch))

    def _batch(self, geometries: NDArray[Any], rows: NDArray[np.int64]) -> FeatureBatch:
        first = int(rows[0]) + 1 if len(rows) else 1
        numbers = (rows + 1).tolist()
        return FeatureBatch(geometries, (), first, rows.tolist(), "fid", numbers=numbers)

    def _properties(self, rows: Rows, batch: FeatureBatch) -> Any:
        arrays = []
        faults: list[tuple[int, str, str]] = []
        for name, field in zip(self._names, self._fields, strict=True):
            column = field.column(rows)
            values = read_values(field, column, self.encoding or "utf-8", self._decimal)
            arrays.append(values.array)
            faults.extend((place, name, reason) for place, reason in values.faults.items())
            for text, count in values.tallies.items():
                self.tally(text, count)
            if is_whole(field) and str(values.array.type) == "double":
                self._has_fractions.add(name)
        for place, name, reason in sorted(faults):
            self.faults.record(batch.fault(place, reason, name))
        return self._columns.properties(arrays, batch)


def _declared_type(code: int) -> str | None:
    return "MultiPolygon" if code == _MULTIPATCH else _DECLARED_TYPES.get(code % 10)
