"""Features written to a file in one of the formats that are not text of GeoJSON."""

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
import pyogrio
import shapely
from pyogrio.errors import FieldError
from pyproj import CRS

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.downloads.tables import FeatureTable
from samsyn_provider.geography.crs import CRS84, ReferenceSystem
from samsyn_provider.http.media_types import CSV, FLATGEOBUF, GEOPACKAGE, KML, PARQUET

_DECIMALS = 9
_NOT_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


@dataclass(frozen=True, slots=True)
class Writing:
    """What a file is written from, and what it says of itself."""

    table: FeatureTable
    batches: Iterator[pa.RecordBatch]
    crs: ReferenceSystem
    title: str


@contextmanager
def written_file(media_type: str, writing: Writing) -> Iterator[IO[bytes]]:
    """Write a file and yield it opened for reading; it has no name any more by then.

    Memory is bounded by a batch. Raises whatever reading the features raises.
    """
    with tempfile.TemporaryDirectory(prefix="samsyn-download-") as folder:
        path = Path(folder, "features")
        WRITERS[media_type](path, writing)
        file = path.open("rb")
    yield file


def _write_csv(path: Path, writing: Writing) -> None:
    """Geometries as WKT; an empty text is quoted, an absent value is not."""
    name = writing.table.geometry_name
    schema = writing.table.schema
    if name:
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.string()))
    with pa.csv.CSVWriter(path, schema) as writer:
        for batch in writing.batches:
            writer.write_batch(batch if name is None else _with_wkt(batch, name, schema))


def _with_wkt(batch: pa.RecordBatch, name: str, schema: pa.Schema) -> pa.RecordBatch:
    shapes = shapely.from_wkb(batch.column(name).to_numpy(zero_copy_only=False))
    texts = shapely.to_wkt(shapes, rounding_precision=_DECIMALS, trim=True)
    arrays = [*batch.columns[:-1], pa.array(texts.tolist(), pa.string())]
    return pa.record_batch(arrays, schema=schema)


def _write_parquet(path: Path, writing: Writing) -> None:
    """GeoParquet 1.1."""
    name = writing.table.geometry_name
    bounds: list[float] = []
    kinds: set[str] = set()
    with pa.parquet.ParquetWriter(path, writing.table.schema, compression="zstd") as writer:
        for batch in writing.batches:
            writer.write_batch(batch)
            if name:
                shapes = shapely.from_wkb(batch.column(name).to_numpy(zero_copy_only=False))
                kinds |= _geometry_types(shapes)
                bounds = _joined(bounds, shapely.total_bounds(shapes).tolist())
        if name:
            column: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted(kinds)}
            if writing.crs.uri != CRS84:
                column["crs"] = CRS.from_epsg(writing.crs.srid).to_json_dict()
            if bounds:
                column["bbox"] = bounds
            geo = {"version": "1.1.0", "primary_column": name, "columns": {name: column}}
            writer.add_key_value_metadata({"geo": json.dumps(geo)})


def _geometry_types(shapes: Any) -> set[str]:
    return {
        shape.geom_type + (" Z" if shape.has_z else "") for shape in shapes if shape is not None
    }


def _joined(bounds: list[float], more: list[float]) -> list[float]:
    if any(map(math.isnan, more)):  # nothing has a place
        return bounds
    if not bounds:
        return more
    return [*map(min, bounds[:2], more[:2]), *map(max, bounds[2:], more[2:])]


def _ogr_writer(driver: str, extension: str, **options: str) -> Callable[[Path, Writing], None]:
    def write(path: Path, writing: Writing) -> None:
        table = writing.table
        named = path.with_suffix(extension)  # drivers are particular about it
        failures: list[Exception] = []
        batches = _noting_failures(writing.batches, failures)
        try:
            pyogrio.write_arrow(
                pa.RecordBatchReader.from_batches(table.schema, batches),
                named,
                driver=driver,
                layer=_layer_name(writing.title),
                geometry_name=table.geometry_name,
                geometry_type=table.geometry_type if table.geometry_name else None,
                crs=f"EPSG:{writing.crs.srid}" if table.geometry_name else None,
                **options,
            )
        except FieldError as error:
            detail = f"properties: {driver} cannot hold all of these columns; name fewer."
            raise InvalidParameterError(detail) from error
        except RuntimeError as error:
            raise failures[0] if failures else error from None
        named.rename(path)

    return write


def _noting_failures(
    batches: Iterator[pa.RecordBatch], failures: list[Exception]
) -> Iterator[pa.RecordBatch]:
    """Yield the batches; note the error that ends them, of which GDAL passes nothing on."""
    try:
        yield from batches
    except Exception as error:
        failures.append(error)
        raise


def _write_kml(path: Path, writing: Writing) -> None:
    """Characters that XML 1.0 has no way to write become U+FFFD."""
    batches = map(_as_xml_text, writing.batches)
    _ogr_writer("KML", ".kml")(path, replace(writing, batches=batches))


def _as_xml_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    arrays = [
        pa.compute.replace_substring_regex(array, _NOT_XML, "\ufffd")
        if pa.types.is_string(array.type)
        else array
        for array in batch.columns
    ]
    return pa.record_batch(arrays, schema=batch.schema)


def _layer_name(title: str) -> str:
    """Return a name that every driver takes for a layer: XML's are the strictest."""
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in title[:60])
    return name if name[:1].isalpha() else f"layer_{name}"


# an index of FlatGeobuf would be made in memory
WRITERS: dict[str, Callable[[Path, Writing], None]] = {
    CSV: _write_csv,
    FLATGEOBUF: _ogr_writer("FlatGeobuf", ".fgb", SPATIAL_INDEX="NO"),
    GEOPACKAGE: _ogr_writer("GPKG", ".gpkg", FID="fid", GEOMETRY_NAME="geometry"),
    KML: _write_kml,
    PARQUET: _write_parquet,
}
"""What writes each format."""
