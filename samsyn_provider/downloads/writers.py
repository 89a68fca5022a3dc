"""Features written to files: CSV, FlatGeobuf, GeoPackage, GeoParquet, KML."""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
import shapely
from pyogrio.errors import DataSourceError, FieldError
from pyproj import CRS

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.downloads.columns import FeatureTable
from samsyn_provider.downloads.layer_styles import add_layer_style
from samsyn_provider.geography import gdal
from samsyn_provider.geography.crs import CRS84, ReferenceSystem
from samsyn_provider.http.media_types import CSV, FLATGEOBUF, GEOPACKAGE, KML, PARQUET
from samsyn_provider.styles.symbols import LayerStyle

_DECIMALS = 9
_RESERVED = ("layer_styles", "gpkg_", "rtree_", "sqlite_")  # tables of GeoPackage
_FLATGEOBUF = b"fgb\x03fgb\x01"  # at the beginning of a file; the header follows, then features
_PLACEMARK = re.compile(b"<Placemark[ >]")
_NOT_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of a file, and its metadata."""

    table: FeatureTable
    ids: Iterable[Sequence[int]]
    """The ids of the features, in batches that fit into memory; read once."""
    read: Callable[[Iterable[Sequence[int]]], Iterator[pa.RecordBatch]]
    """Reads the features with these ids, a batch for each."""
    crs: ReferenceSystem
    title: str
    style: LayerStyle

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        """All features, in order; read once."""
        return self.read(self.ids)


Writer = Callable[[Path, FileContent], None]
"""Writes a file, with memory bounded by a batch; raises the errors of the batches."""


def _write_csv(path: Path, content: FileContent) -> None:
    """Write CSV: geometries as WKT; an empty text is quoted, an absent value is not."""
    name = content.table.geometry_name
    schema = content.table.schema
    if name:
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.string()))
    with pa.csv.CSVWriter(path, schema) as writer:
        for batch in content.batches:
            writer.write_batch(batch if name is None else _with_wkt(batch, name, schema))


def _with_wkt(batch: pa.RecordBatch, name: str, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [*batch.columns[:-1], wkt_texts(batch.column(name))]
    return pa.record_batch(arrays, schema=schema)


def wkt_texts(geometries: pa.Array) -> pa.Array:
    """Return geometries in WKB as WKT."""
    shapes = shapely.from_wkb(geometries.to_numpy(zero_copy_only=False))
    texts = shapely.to_wkt(shapes, rounding_precision=_DECIMALS, trim=True)
    return pa.array(texts.tolist(), pa.string())


def _write_parquet(path: Path, content: FileContent) -> None:
    """Write GeoParquet 1.1."""
    name = content.table.geometry_name
    bounds: list[float] = []
    kinds: set[str] = set()
    with pa.parquet.ParquetWriter(path, content.table.schema, compression="zstd") as writer:
        for batch in content.batches:
            writer.write_batch(batch)
            if name:
                shapes = shapely.from_wkb(batch.column(name).to_numpy(zero_copy_only=False))
                kinds |= _geometry_types(shapes)
                bounds = _united(bounds, shapely.total_bounds(shapes).tolist())
        if name:
            column: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted(kinds)}
            if content.crs.uri != CRS84:
                column["crs"] = CRS.from_epsg(content.crs.srid).to_json_dict()
            if bounds:
                column["bbox"] = bounds
            geo = {"version": "1.1.0", "primary_column": name, "columns": {name: column}}
            writer.add_key_value_metadata({"geo": json.dumps(geo)})


def _geometry_types(shapes: Any) -> set[str]:
    return {
        shape.geom_type + (" Z" if shape.has_z else "") for shape in shapes if shape is not None
    }


def _united(bounds: list[float], other: list[float]) -> list[float]:
    if any(map(math.isnan, other)):  # of no geometries
        return bounds
    if not bounds:
        return other
    return [*map(min, bounds[:2], other[:2]), *map(max, bounds[2:], other[2:])]


def _ogr_writer(
    driver: str,
    extension: str,
    complete: Callable[[Path, FileContent], None] | None = None,
    count: Callable[[Path], int] | None = None,
    **options: str,
) -> Writer:
    """Return the function that writes with a driver; `complete` adds what else a file has.

    `count` reads the features of a file whose driver does not report what it could not write.
    """

    def write(path: Path, content: FileContent) -> None:
        table = content.table
        driver_path = path.with_suffix(extension)  # GDAL's drivers require it
        written = 0

        def counted() -> Iterator[pa.RecordBatch]:
            nonlocal written
            for batch in content.batches:
                written += batch.num_rows
                yield batch

        try:
            write_ogr_layer(
                driver_path,
                table.schema,
                counted(),
                driver=driver,
                layer=_layer_name(content.title),
                geometry_name=table.geometry_name,
                geometry_type=table.geometry_type if table.geometry_name else None,
                crs=f"EPSG:{content.crs.srid}" if table.geometry_name else None,
                **options,
            )
        except FieldError as error:
            detail = f"properties: {driver} cannot hold all of these columns; name fewer."
            raise InvalidParameterError(detail) from error
        if complete:
            complete(driver_path, content)
        if count and count(driver_path) != written:
            raise DataSourceError(f"{driver_path} has not all of {written} features.")
        driver_path.rename(path)

    return write


def write_ogr_layer(
    path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch], **options: Any
) -> None:
    """Write batches to a file by GDAL, with pyogrio's options; raises the errors of the batches."""
    failures: list[Exception] = []
    reader = pa.RecordBatchReader.from_batches(schema, _recording_failures(batches, failures))
    try:
        gdal.write_arrow(reader, path, **options)
    except FieldError:
        raise
    except RuntimeError as error:
        raise failures[0] if failures else error from None


def _recording_failures(
    batches: Iterator[pa.RecordBatch], failures: list[Exception]
) -> Iterator[pa.RecordBatch]:
    """Yield the batches; record the error that ends them, which GDAL does not pass on."""
    try:
        yield from batches
    except Exception as error:
        failures.append(error)
        raise


def _add_style(path: Path, content: FileContent) -> None:
    table = content.table
    if table.geometry_name:
        add_layer_style(
            path,
            _layer_name(content.title),
            table.geometry_name,
            content.style,
            table.geometry_type,
        )


def _write_kml(path: Path, content: FileContent) -> None:
    """Write KML; characters that XML 1.0 cannot represent become U+FFFD."""

    def read(ids: Iterable[Sequence[int]]) -> Iterator[pa.RecordBatch]:
        return map(_with_xml_characters, content.read(ids))

    _ogr_writer("KML", ".kml", count=_count_kml)(path, replace(content, read=read))


def _with_xml_characters(batch: pa.RecordBatch) -> pa.RecordBatch:
    arrays = [
        pa.compute.replace_substring_regex(array, _NOT_XML, "\ufffd")
        if pa.types.is_string(array.type)
        else array
        for array in batch.columns
    ]
    return pa.record_batch(arrays, schema=batch.schema)


def _count_flatgeobuf(path: Path) -> int:
    """Return the number of features of a file without an index, -1 for one that is cut."""
    count = 0
    if not path.stat().st_size:
        return -1
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        end = len(content)
        position = _size_at(content, len(_FLATGEOBUF))
        while position < end:
            position = _size_at(content, position)
            count += 1
    return count if position == end else -1


def _size_at(content: mmap, position: int) -> int:
    """Return the end of the part whose size is at a position."""
    return position + 4 + int.from_bytes(content[position : position + 4], "little")


def _count_kml(path: Path) -> int:
    """Return the number of features, -1 for a file that is not well-formed."""
    with path.open("rb") as file:
        try:
            expat.ParserCreate().ParseFile(file)
        except expat.ExpatError:
            return -1
        with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            return sum(1 for _ in _PLACEMARK.finditer(content))


def _layer_name(title: str) -> str:
    """Return a layer name that every driver accepts: the rules of XML are the strictest."""
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in title[:60])
    is_free = name[:1].isalpha() and not name.lower().startswith(_RESERVED)
    return name if is_free else f"layer_{name}"


# FlatGeobuf's spatial index would be built in memory
WRITERS: dict[str, Writer] = {
    CSV: _write_csv,
    FLATGEOBUF: _ogr_writer(*("FlatGeobuf", ".fgb"), count=_count_flatgeobuf, SPATIAL_INDEX="NO"),
    GEOPACKAGE: _ogr_writer(
        *("GPKG", ".gpkg", _add_style), FID="fid", GEOMETRY_NAME="geometry", VERSION="1.3"
    ),
    KML: _write_kml,
    PARQUET: _write_parquet,
}
"""The function that writes each format, by media type."""
