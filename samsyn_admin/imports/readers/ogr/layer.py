"""Layers that GDAL reads, of any format."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, GeometryError

from samsyn_admin.imports.readers.ogr.formats import FORMATS, declared_type, kind_of
from samsyn_admin.imports.readers.ogr.sqlite import SQLiteDatabase
from samsyn_admin.imports.readers.ogr.sqlite_values import TableValues
from samsyn_admin.imports.sources.arrow_batches import ColumnReader
from samsyn_admin.imports.sources.layer import (
    BATCH_BYTES,
    BATCH_FEATURES,
    SourceLayer,
    file_crs,
    object_array,
    without_m,
)
from samsyn_admin.imports.sources.limits import check_count
from samsyn_admin.imports.sources.wkb import readable_geometries
from samsyn_model.errors import UnreadableFileError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.properties.schema import Kind, unique_names
from samsyn_model.scratch import ScratchFolder
from samsyn_provider.geography import gdal

_GDAL_ERRORS = (
    *(DataSourceError, DataLayerError, GeometryError, OSError, pa.ArrowException),
    UnicodeDecodeError,  # for names of layers and fields
)


def ogr_layers(
    dataset: str,
    path: Path,
    package: SQLiteDatabase | None = None,
    *,
    driver: str | None = None,
    leaves_out: Callable[[str], bool] = lambda _: False,
) -> "list[OgrLayer]":
    """Return the layers of a dataset: `dataset` is GDAL's name for it, `path` the user's.

    A file that another than the `driver` would read is refused. Fields that `leaves_out` is true of
    are not read. A layer that cannot be read has a `refusal`. Raises UnreadableFileError.
    """
    source = _Source(dataset, path, package, driver, leaves_out)
    names = list(package.layers) if package else [name for name, _ in list_names(dataset, path)]
    check_count(path, len(names))
    return [OgrLayer(source, name) for name in names]


def list_names(dataset: str, path: Path) -> list[tuple[str, bool]]:
    """Return the names of the layers of a dataset, and whether they have geometries.

    Raises UnreadableFileError.
    """
    with _gdal_errors(path):
        return [(str(name), kind is not None) for name, kind in gdal.list_layers(dataset)]


@dataclass(frozen=True, slots=True)
class _Source:
    """What the layers of a file have in common."""

    dataset: str
    path: Path
    package: SQLiteDatabase | None
    driver: str | None
    leaves_out: Callable[[str], bool]


class Corrections(Protocol):
    """What is to be corrected of the values that GDAL reads, batch by batch in the file's order."""

    def corrected(
        self, columns: list[pa.Array], rows: FeatureBatch, source: SourceLayer
    ) -> tuple[FeatureBatch, list[pa.Array], NDArray[np.bool_]]:
        """Return the features with the right numbers, their values, and which can be read."""


@contextmanager
def _gdal_errors(path: Path) -> Iterator[None]:
    """Turn GDAL's errors into UnreadableFileError, and keep its warnings off the terminal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _GDAL_ERRORS as error:
        raise UnreadableFileError(
            f"{path} cannot be read: it is damaged, or of a kind that is not supported."
        ) from error


class OgrLayer(SourceLayer):
    """A layer that GDAL streams as Arrow record batches."""

    def __init__(self, source: _Source, name: str) -> None:
        super().__init__()
        self.name = self._layer = name
        self._source = source
        self._package = source.package
        self._columns = ColumnReader((), ())
        self._start_corrections: Callable[[], Corrections] | None = None
        self._unreadable = 0
        reason = self._package and self._package.refusal(name)
        if self._package and reason:
            self.has_geometry = self._package.layers[name]
            self.refusal = (
                f"The layer {name!r} of {source.path} {reason}, which GDAL computes while it is"
                " read: make a table of it (`ogr2ogr -f GPKG OUT IN`)."
            )
            return
        try:
            with _gdal_errors(source.path):
                info = gdal.read_info(source.dataset, layer=name, force_feature_count=True)
        except UnreadableFileError:
            self.refusal = (
                f"The layer {name!r} of {source.path} cannot be read: it is damaged, or of a kind"
                " that is not supported."
            )
            return
        driver = str(info["driver"])
        if source.driver not in {None, driver}:
            raise UnreadableFileError(f"{source.path} is no valid {FORMATS[source.driver].name}.")
        self.format = FORMATS[driver].name
        self._fid_column = str(info["fid_column"] or "rowid")
        # GDAL decodes a shapefile's text only when its encoding is passed explicitly.
        self._encoding = None if info["encoding"] == "UTF-8" else info["encoding"]
        self.feature_count = int(info["features"])
        self.has_geometry = info["geometry_type"] is not None
        self.geometry_type = declared_type(info["geometry_type"])
        self.crs = _declared_crs(info["crs"])
        if self.crs is not None:
            self.crs_origin = FORMATS[driver].crs_origin
        declared = [
            (str(field), str(kind), str(subtype))
            for field, kind, subtype in zip(
                info["fields"], info["ogr_types"], info["ogr_subtypes"], strict=True
            )
        ]
        self._declared = [each for each in declared if not source.leaves_out(each[0])]
        fields = [field for field, _, _ in self._declared]
        self._read_columns = None if len(fields) == len(declared) else fields
        kinds = [kind_of(kind, subtype) for _, kind, subtype in self._declared]
        self._columns = ColumnReader(unique_names(fields), kinds, self.faults)

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The kinds of the fields; those of JSON fields are derived from their values."""
        return self._columns.kinds

    def batches(self) -> Iterator[FeatureBatch]:
        """Read the layer; also raises UnreadableFileError when it has fewer features than declared.

        GDAL stops silently at the damaged part of a file: only the count reveals it.
        """
        source = self._source
        values = self._values()
        read = 0
        with (
            _gdal_errors(source.path),
            gdal.open_arrow(
                source.dataset,
                layer=self._layer,
                encoding=self._encoding,
                batch_size=self._batch_size(),
                use_pyarrow=True,
                return_fids=True,
                datetime_as_string=True,
                columns=self._read_columns,
            ) as (_, reader),
        ):
            for record_batch in reader:
                features = self._features(record_batch, read + 1, values)
                read += len(record_batch)
                if len(features.geometries):
                    yield features
        expected = self._expected_count()
        if read < expected:
            raise UnreadableFileError(
                f"{source.path} is damaged: {self.name!r} should have {expected} features,"
                f" but only {read} can be read."
            )

    def _batch_size(self) -> int:
        path = self._source.path
        files = path.iterdir() if path.is_dir() else [path]
        size = sum(file.stat().st_size for file in files) / max(self.feature_count or 1, 1)
        return int(max(1, min(BATCH_FEATURES, BATCH_BYTES // max(size, 1))))

    def keep(self, folder: ScratchFolder | None) -> None:
        """Keep a folder, which is deleted with its last layer."""
        self._folder = folder

    def texts_are_utf8(self) -> bool:
        """Whether all texts are, which GDAL returns as they are in the file."""
        with (
            _gdal_errors(self._source.path),
            gdal.open_arrow(
                self._source.dataset, layer=self._layer, read_geometry=False, use_pyarrow=True
            ) as (_, reader),
        ):
            for batch in reader:
                for column in batch.columns:
                    try:
                        column.validate(full=True)
                    except pa.ArrowInvalid:
                        return False
        return True

    def corrects_with(self, start: Callable[[], Corrections], unreadable: int = 0) -> None:
        """Correct the values of each reading by what this starts.

        GDAL may leave out so many features that are `unreadable`.
        """
        self._start_corrections = start
        self._unreadable = unreadable

    def _values(self) -> Corrections | None:
        """Return what is to be corrected of the values that GDAL reads, if anything."""
        if not self._package:
            return self._start_corrections and self._start_corrections()
        values = TableValues(self._package, self.name, self._fid_column, self._declared)
        return values if values.has_wrong_ones() else None

    def _features(
        self, record_batch: pa.RecordBatch, first: int, values: Corrections | None
    ) -> FeatureBatch:
        columns = record_batch.columns
        ids = columns.pop(0).to_pylist()
        rows = FeatureBatch(object_array([None] * len(ids)), (), first, ids, "fid")
        if self.has_geometry:
            rows = replace(rows, wkb=columns.pop().cast(pa.large_binary()))
        if values:
            rows, columns, readable = values.corrected(columns, rows, self)
            rows, columns = _reduced(rows, columns, readable)
        if rows.wkb is not None:
            geometries, readable = readable_geometries(
                rows.wkb.to_pylist(), rows, self.faults, self.note
            )
            geometries, had_m = without_m(geometries)
            if had_m:
                self.note("M values (measures) were left out.")
            rows, columns = _reduced(replace(rows, geometries=geometries), columns, readable)
        return replace(rows, properties=self._columns.properties(columns, rows))

    def _expected_count(self) -> int:
        """Return the minimum number of features."""
        if self._package:
            return self._package.count(self.name)
        return (self.feature_count or 0) - self._unreadable


def _reduced(
    rows: FeatureBatch, columns: list[pa.Array], readable: NDArray[np.bool_]
) -> tuple[FeatureBatch, list[pa.Array]]:
    """Return the features that can be read, with their numbers."""
    if readable.all():
        return rows, columns
    kept = np.flatnonzero(readable)
    mask = pa.array(readable)
    reduced = FeatureBatch(
        rows.geometries[kept],
        (),
        rows.first,
        [(rows.ids or ())[int(index)] for index in kept],
        rows.id_label,
        rows.wkb and rows.wkb.filter(mask),
        [rows.number(int(index)) for index in kept],
    )
    return reduced, [column.filter(mask) for column in columns]


def _declared_crs(definition: str | None) -> Any:
    if not definition:
        return None
    crs = file_crs(definition)
    return None if "undefined" in crs.name.lower() or crs.is_engineering else crs
