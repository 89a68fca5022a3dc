"""Formats that GDAL writes: FlatGeobuf, GeoPackage."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyogrio.errors import DataSourceError, FieldError

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.downloads.formats.layer_styles import add_layer_style
from samsyn_provider.downloads.formats.writers import FileContent, Writer
from samsyn_provider.geography import gdal

_RESERVED = ("layer_styles", "gpkg_", "rtree_", "sqlite_")  # tables of GeoPackage
_FLATGEOBUF = b"fgb\x03fgb\x01"  # at the beginning of a file; the header follows, then features


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
                layer=layer_name(content.title),
                **(layer_options(content) | options),
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


def layer_options(content: FileContent) -> dict[str, Any]:
    """Return pyogrio's options for a layer of this content."""
    table = content.table
    if not table.geometry_name:
        return {"geometry_name": None, "geometry_type": None, "crs": None}
    return {
        "geometry_name": table.geometry_name,
        "geometry_type": table.geometry_type,
        "crs": f"EPSG:{content.crs.srid}",
    }


def write_geopackage(path: Path, content: FileContent) -> None:
    """Write a GeoPackage with the style of the layer."""
    table = content.table
    write = _ogr_writer(
        *("GPKG", ".gpkg", _complete_geopackage),
        FID=table.id_name,
        GEOMETRY_NAME=table.geometry_name or "geometry",
        VERSION="1.3",
    )
    write(path, content)


def _complete_geopackage(path: Path, content: FileContent) -> None:
    table = content.table
    if table.some_lack_heights:
        declare_mixed_heights(path, layer_name(content.title))
    if table.geometry_name:
        add_layer_style(
            path,
            layer_name(content.title),
            table.geometry_name,
            content.style,
            table.geometry_type,
        )


def declare_mixed_heights(path: Path, table: str) -> None:
    """Declare in a GeoPackage that some geometries of a table have no heights, which GDAL takes
    from its geometry type otherwise."""
    with closing(sqlite3.connect(path)) as package, package:
        package.execute("UPDATE gpkg_geometry_columns SET z = 2 WHERE table_name = ?", (table,))


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


def layer_name(title: str) -> str:
    """Return a layer name that every driver accepts: the rules of XML are the strictest."""
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in title[:60])
    is_free = name[:1].isalpha() and not name.lower().startswith(_RESERVED)
    return name if is_free else f"layer_{name}"


# FlatGeobuf's spatial index would be built in memory
write_flatgeobuf: Writer = _ogr_writer(
    *("FlatGeobuf", ".fgb"), count=_count_flatgeobuf, SPATIAL_INDEX="NO"
)
