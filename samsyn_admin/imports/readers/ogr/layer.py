"""Layers that GDAL reads: GeoPackage, FlatGeobuf, KML."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError

from samsyn_admin.imports.readers.ogr.geopackage import GeoPackage
from samsyn_admin.imports.sources.arrow_batches import ColumnReader
from samsyn_admin.imports.sources.layer import (
    BATCH_BYTES,
    BATCH_FEATURES,
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
from samsyn_provider.geography import gdal

_CURVED_WKB = frozenset(range(8, 15))
_KINDS = {
    "OFTInteger": Kind.INTEGER,
    "OFTInteger64": Kind.INTEGER,
    "OFTReal": Kind.NUMBER,
    "OFTString": Kind.STRING,
    "OFTWideString": Kind.STRING,
    "OFTDate": Kind.DATE,
    "OFTTime": Kind.TIME,
    "OFTDateTime": Kind.DATE_TIME,
    "OFTBinary": Kind.BINARY,
}
_GDAL_ERRORS = (
    *(DataSourceError, DataLayerError, OSError, pa.ArrowException),
    UnicodeDecodeError,  # for names of layers and fields
)


def ogr_layers(
    dataset: str, path: Path, package: GeoPackage | None = None
) -> Sequence[SourceLayer]:
    """Return the layers of a dataset: `dataset` is GDAL's name for it, `path` the user's.

    Raises UnreadableFileError.
    """
    if package:
        return [OgrLayer(dataset, path, name, package) for name in package.layers]
    with _gdal_errors(path):
        names = [str(name) for name, _ in gdal.list_layers(dataset)]
    return [OgrLayer(dataset, path, name) for name in names]


@contextmanager
def _gdal_errors(path: Path) -> Iterator[None]:
    """Turn GDAL's errors into UnreadableFileError, and keep its warnings off the terminal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _GDAL_ERRORS as error:
        raise UnreadableFileError(f"{path} cannot be read: {error}") from error


class OgrLayer(SourceLayer):
    """A layer that GDAL streams as Arrow record batches."""

    def __init__(
        self, dataset: str, path: Path, name: str, package: GeoPackage | None = None
    ) -> None:
        super().__init__()
        self.name = name
        self._dataset = dataset
        self._path = path
        self._package = package
        reason = package and package.refusal(name)
        if package and reason:
            self.has_geometry = package.layers[name]
            self.refusal = (
                f"The layer {name!r} of {path} {reason}, which GDAL computes while it is read: make"
                " a table of it (`ogr2ogr -f GPKG OUT IN`)."
            )
            return
        with _gdal_errors(path):
            info = gdal.read_info(dataset, layer=name, force_feature_count=True)
        self._driver = str(info["driver"])
        self._fid_column = str(info["fid_column"] or "rowid")
        # GDAL decodes a shapefile's text only when its encoding is passed explicitly.
        self._encoding = None if info["encoding"] == "UTF-8" else info["encoding"]
        self.feature_count = int(info["features"])
        self.has_geometry = info["geometry_type"] is not None
        self.geometry_type = _declared_type(info["geometry_type"])
        self.crs = _declared_crs(info["crs"])
        fields = [str(field) for field in info["fields"]]
        self._columns = ColumnReader(
            unique_names(fields),
            [
                _kind_of(*types)
                for types in zip(info["ogr_types"], info["ogr_subtypes"], strict=True)
            ],
        )

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The kinds of the fields; those of JSON fields are derived from their values."""
        return self._columns.kinds

    def batches(self) -> Iterator[FeatureBatch]:
        """Read the layer; also raises UnreadableFileError when it has fewer features than declared.

        GDAL stops silently at the damaged part of a file: only the count reveals it.
        """
        if self._package:
            self._package.refuse_nul(self.name, self._fid_column)
        read = 0
        with (
            _gdal_errors(self._path),
            gdal.open_arrow(
                self._dataset,
                layer=self.name,
                encoding=self._encoding,
                batch_size=self._batch_size(),
                use_pyarrow=True,
                return_fids=True,
                datetime_as_string=True,
            ) as (_, reader),
        ):
            for record_batch in reader:
                yield self._features(record_batch, read + 1)
                read += len(record_batch)
        expected = self._expected_count()
        if read < expected:
            raise UnreadableFileError(
                f"{self._path} is damaged: {self.name!r} should have {expected} features,"
                f" but only {read} can be read."
            )

    def _batch_size(self) -> int:
        size = self._path.stat().st_size / max(self.feature_count or 1, 1)
        return int(max(1, min(BATCH_FEATURES, BATCH_BYTES // max(size, 1))))

    def _features(self, record_batch: pa.RecordBatch, first: int) -> FeatureBatch:
        columns = record_batch.columns
        ids = columns.pop(0).to_pylist()
        rows = FeatureBatch(object_array([None] * len(record_batch)), (), first, ids, "fid")
        if self.has_geometry:
            wkb = columns.pop()
            geometries = self._geometries(wkb.to_pylist(), rows)
            rows = replace(rows, geometries=geometries, wkb=wkb.cast(pa.large_binary()))
        return replace(rows, properties=self._columns.properties(columns, rows))

    def _geometries(self, wkb: list[bytes | None], rows: FeatureBatch) -> NDArray[Any]:
        try:
            geometries = geometries_of_wkb(wkb, rows)
        except NotImplementedError:
            self.note("Curves were turned into lines of many points.")
            wkb = self._linear(wkb, rows.ids or ())
            try:
                geometries = geometries_of_wkb(wkb, rows)
            except NotImplementedError:
                refuse_unreadable(wkb, rows)
                raise
        geometries, had_m = without_m(geometries)
        if had_m:
            self.note("M values (measures) were left out.")
        return geometries

    def _linear(self, wkb: list[bytes | None], ids: Sequence[Any]) -> list[bytes | None]:
        """Return the WKB with the curves made linear by GDAL."""
        curved = [index for index, value in enumerate(wkb) if value and _is_curved(value)]
        fids = [ids[index] for index in curved]
        with _gdal_errors(self._path):
            _, _, linear, _ = gdal.read_features(
                self._dataset, layer=self.name, columns=[], fids=fids
            )
        result = list(wkb)
        for index, value in zip(curved, linear, strict=True):
            result[index] = value
        return result

    def _expected_count(self) -> int:
        """Return the minimum number of features."""
        if self._driver == "ESRI Shapefile":
            return 0  # its count includes deleted rows; the lengths of its parts are checked
        return self._package.count(self.name) if self._package else self.feature_count or 0


def _kind_of(ogr_type: str, ogr_subtype: str) -> Kind:
    """Return what a field of this OGR type (`OFTReal`) and subtype (`OFSTJSON`) holds."""
    if ogr_subtype == "OFSTJSON":
        return Kind.JSON_VALUE
    if ogr_subtype == "OFSTBoolean" and ogr_type == "OFTInteger":
        return Kind.BOOLEAN
    return Kind.ARRAY if ogr_type.endswith("List") else _KINDS.get(ogr_type, Kind.STRING)


def _is_curved(wkb: bytes) -> bool:
    code = int.from_bytes(wkb[1:5], "little" if wkb[0] else "big")
    return (code & 0x0FFFFFFF) % 1000 in _CURVED_WKB


def _declared_type(name: str | None) -> str | None:
    plain = (name or "").removeprefix("2.5D ").removeprefix("Measured ").removeprefix("3D ")
    plain = plain.split(" ")[0]
    return plain if plain in GEOMETRY_TYPES else None


def _declared_crs(definition: str | None) -> Any:
    if not definition:
        return None
    crs = file_crs(definition)
    return None if "undefined" in crs.name.lower() or crs.is_engineering else crs
