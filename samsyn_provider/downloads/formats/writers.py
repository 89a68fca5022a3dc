"""What a file is written of; CSV and GeoParquet."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
import shapely
from pyproj import CRS

from samsyn_provider.downloads.tables.columns import FeatureTable
from samsyn_provider.geography.crs import CRS84, WGS84, ReferenceSystem
from samsyn_provider.styles.symbols import LayerStyle

DECIMALS = 9
"""Of coordinates that are text."""


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


def write_csv(path: Path, content: FileContent) -> None:
    """Write CSV: geometries as WKT; an empty text is quoted, an absent value is not."""
    name = content.table.geometry_name
    schema = content.table.schema
    if name:
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.string()))
    with pa.csv.CSVWriter(path, schema) as writer:
        for batch in content.batches:
            arrays = list(batch.columns)
            if name:
                arrays.append(with_srid(wkt_texts(arrays.pop()), content.crs))
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def with_srid(wkt: pa.Array, crs: ReferenceSystem) -> pa.Array:
    """Return WKT with the EPSG code before it (EWKT) where it is not in longitude and latitude of
    WGS 84: a table has no other place that names the CRS."""
    return wkt if crs.srid == WGS84 else pc.binary_join_element_wise(f"SRID={crs.srid};", wkt, "")


def wkt_texts(geometries: pa.Array) -> pa.Array:
    """Return geometries in WKB as WKT."""
    shapes = shapely.from_wkb(geometries.to_numpy(zero_copy_only=False))
    texts = shapely.to_wkt(shapes, rounding_precision=DECIMALS, trim=True)
    return pa.array(texts.tolist(), pa.string())


def write_parquet(path: Path, content: FileContent) -> None:
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
