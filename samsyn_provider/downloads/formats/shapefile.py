"""Zipped shapefiles: one for each type of geometries, and a text about what they do not hold."""

import zipfile
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from os import SEEK_END
from pathlib import Path
from struct import unpack
from typing import Any

import pyarrow as pa
import shapely
from pyogrio.errors import DataSourceError
from shapely.geometry.base import BaseGeometry

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.downloads.formats.dbase import describe_fields, field_remarks
from samsyn_provider.downloads.formats.ogr import write_ogr_layer
from samsyn_provider.downloads.formats.writers import FileContent
from samsyn_provider.http.formats import plain_name

MAX_SIZE = 2**31 - 1
"""Bytes of a `.shp` or `.dbf` file: many readers have offsets of 31 bits."""

Group = tuple[str, bool]
"""The geometries of a file: their type, of _NAMES, and whether they have heights."""
_Member = tuple[int, BaseGeometry | None]
"""A row of a batch, and its geometry in a file."""

_NAMES = {
    "Point": "points",
    "MultiPoint": "multipoints",
    "LineString": "lines",
    "Polygon": "polygons",
}
"""The types of shapefiles, and the names of their files where there are several."""
_TYPES = {
    **{"Point": "Point", "MultiPoint": "MultiPoint"},
    **dict.fromkeys(("LineString", "LinearRing", "MultiLineString"), "LineString"),
    **dict.fromkeys(("Polygon", "MultiPolygon"), "Polygon"),
}
"""The type of shapefile for each type of geometries but collections."""
_COLLECTION = "GeometryCollection"
_MULTIPLE: dict[str, Callable[[Any], BaseGeometry]] = {
    "Point": shapely.multipoints,
    "LineString": shapely.multilinestrings,
    "Polygon": shapely.multipolygons,
}


def write_shapefiles(path: Path, content: FileContent) -> None:
    """Write a zip file of shapefiles and README.txt.

    Features without a geometry are in the first shapefile, the parts of a geometry collection in
    those of their types. Raises InvalidParameterError for more fields than a shapefile has, or more
    bytes than MAX_SIZE.
    """
    shapefiles = _Shapefiles(path.parent, content)
    shapefiles.write()
    names = shapefiles.names(plain_name(content.title))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for group, name in names.items():
            for part in sorted(path.parent.glob(f"{_stem(group)}.*")):
                archive.write(part, f"{name}{part.suffix}")
                part.unlink()
        archive.writestr("README.txt", "\r\n".join([*shapefiles.remarks(names), ""]))


class _Shapefiles:
    """The shapefiles of a download, in a folder."""

    def __init__(self, folder: Path, content: FileContent) -> None:
        self._folder = folder
        self._content = content
        self._ids = list(content.ids)
        self._count = sum(map(len, self._ids))
        self._fields = describe_fields(content.table, content.table.geometry_name or "geometry")
        self._waiting: dict[Group, list[array[int]]] = defaultdict(list)
        self._rows: Counter[Group] = Counter()
        self._without_shape = 0
        self._collections = 0

    def write(self) -> None:
        """Write the files; what the first does not take is read again for the others."""
        _check_size(self._count * self._fields.row_size)
        first = self._first_group()
        self._write_file(first, self._rows_of_first(first))
        for group, ids in list(self._waiting.items()):
            self._write_file(group, self._rows_of(group, ids))

    def names(self, title: str) -> dict[Group, str]:
        """Return the name of each group's file in the archive, without a suffix."""
        if len(self._rows) == 1:
            return dict.fromkeys(self._rows, title)
        return {group: f"{title}_{_stem(group)}" for group in self._rows}

    def remarks(self, names: dict[Group, str]) -> Iterator[str]:
        """Yield the lines of a text about the files, and what they do not hold."""
        yield self._content.title
        yield ""
        yield f"{self._count:,} features, coordinates in EPSG:{self._content.crs.srid}, x before y."
        yield "Texts are in UTF-8. GeoPackage (f=gpkg) holds all that is left out here."
        yield ""
        for group, name in names.items():
            heights = " with heights" if group[1] else ""
            yield f"{name}.shp: {_NAMES[group[0]]}{heights}, {self._rows[group]:,} records"
        yield ""
        if len(names) > 1:
            yield "A shapefile has one type of geometries: the layer is in several files."
        if self._collections:
            yield (
                f"{self._collections:,} geometry collections are divided: their parts are in the"
                " files of their types, each with the attributes and the id of the feature."
            )
        if self._without_shape:
            yield (
                f"{self._without_shape:,} features without a geometry, or with an empty one, are"
                f" records without a shape in {next(iter(names.values()))}."
            )
        yield "A line or polygon of one part, and one of several, have the same type."
        yield from field_remarks(self._fields)

    def _first_group(self) -> Group:
        """Return the group of the first feature with a geometry."""
        for batch in self._content.read(self._ids):
            for group in _grouped(batch):
                if group:
                    return group
        kind = min(self._content.table.geometry_kinds, default="Point")
        return _TYPES.get(kind, "Point"), False

    def _rows_of_first(self, first: Group) -> Iterator[tuple[pa.RecordBatch, list[_Member]]]:
        for batch in self._content.read(self._ids):
            grouped = _grouped(batch)
            without = grouped.pop(None, [])
            self._without_shape += len(without)
            ids = batch.column(0).to_pylist()
            for group, members in grouped.items():
                if group and group != first:
                    self._waiting[group].append(array("q", [ids[row] for row, _ in members]))
            yield batch, sorted([*grouped.get(first, []), *without], key=lambda member: member[0])
            if _COLLECTION in self._content.table.geometry_kinds:
                self._collections += _count_collections(batch)

    def _rows_of(
        self, group: Group, ids: Sequence[array[int]]
    ) -> Iterator[tuple[pa.RecordBatch, list[_Member]]]:
        for batch in self._content.read(ids):
            yield batch, _grouped(batch)[group]

    def _write_file(
        self, group: Group, rows: Iterator[tuple[pa.RecordBatch, list[_Member]]]
    ) -> None:
        kind, has_heights = group
        self._rows[group] = 0
        write_ogr_layer(
            self._folder / f"{_stem(group)}.shp",
            self._fields.schema,
            self._batches(group, rows),
            driver="ESRI Shapefile",
            geometry_name=self._fields.geometry_name,
            geometry_type=f"{kind} Z" if has_heights else kind,
            crs=f"EPSG:{self._content.crs.srid}",
            ENCODING="UTF-8",
        )
        self._check_files(group)
        self._refuse_cut(group)

    def _refuse_cut(self, group: Group) -> None:
        """Raise DataSourceError for files that lack what GDAL could not write."""
        stem, rows = self._folder / _stem(group), self._rows[group]
        sizes, starts = {}, {}
        for suffix in (".shp", ".shx", ".dbf"):
            with stem.with_suffix(suffix).open("rb") as file:
                starts[suffix], sizes[suffix] = file.read(100), file.seek(0, SEEK_END)
        header, row = unpack("<HH", starts[".dbf"][8:12].ljust(4, b"\0"))
        if (
            sizes[".shp"] != 2 * int.from_bytes(starts[".shp"][24:28])
            or sizes[".shx"] != 100 + 8 * rows
            or sizes[".dbf"] < max(header, 1) + max(row, 1) * rows
        ):
            raise DataSourceError(f"{stem} has not all of {rows} records.")

    def _batches(
        self, group: Group, rows: Iterator[tuple[pa.RecordBatch, list[_Member]]]
    ) -> Iterator[pa.RecordBatch]:
        for batch, members in rows:
            self._check_files(group)
            self._rows[group] += len(members)
            shapes = [shape and shapely.to_wkb(shape, flavor="iso") for _, shape in members]
            taken = batch.take(pa.array([row for row, _ in members], pa.int64()))
            yield self._fields.batch(taken, pa.array(shapes, pa.binary()))

    def _check_files(self, group: Group) -> None:
        for suffix in (".shp", ".dbf"):
            part = self._folder / f"{_stem(group)}{suffix}"
            _check_size(part.stat().st_size if part.exists() else 0)


def _check_size(size: int) -> None:
    if size > MAX_SIZE:
        raise InvalidParameterError(
            "A file of a shapefile has 2 GB at most, and these features take more: use f=gpkg, or"
            " select less (bbox, filter, properties, limit)."
        )


def _stem(group: Group) -> str:
    kind, has_heights = group
    return f"{_NAMES[kind]}_z" if has_heights else _NAMES[kind]


def _shapes(batch: pa.RecordBatch) -> list[BaseGeometry | None]:
    shapes: list[BaseGeometry | None] = shapely.from_wkb(
        batch.column(batch.num_columns - 1).to_numpy(zero_copy_only=False)
    ).tolist()
    return shapes


def _grouped(batch: pa.RecordBatch) -> dict[Group | None, list[_Member]]:
    """Return the rows of a batch and their geometries by group; by None those without any."""
    grouped: dict[Group | None, list[_Member]] = defaultdict(list)
    for row, shape in enumerate(_shapes(batch)):
        if shape is None or shape.is_empty:
            grouped[None].append((row, None))
        elif shape.geom_type == _COLLECTION:
            for part in _parts(shape):
                grouped[_group_of(part)].append((row, part))
        else:
            grouped[_group_of(shape)].append((row, shape))
    return grouped


def _group_of(shape: BaseGeometry) -> Group:
    return _TYPES[shape.geom_type], bool(shape.has_z)


def _parts(collection: BaseGeometry) -> Iterator[BaseGeometry]:
    """Yield the parts of a geometry collection, those of the same type as one geometry."""
    parts: dict[str, list[BaseGeometry]] = defaultdict(list)
    for part in _flattened(collection):
        parts[_TYPES[part.geom_type]].append(part)
    for kind, members in parts.items():
        yield _MULTIPLE[kind](members)


def _flattened(shape: BaseGeometry) -> Iterator[BaseGeometry]:
    for part in shapely.get_parts(shape).tolist():
        if part.geom_type in {"Point", "LineString", "Polygon"}:
            if not part.is_empty:
                yield part
        else:
            yield from _flattened(part)


def _count_collections(batch: pa.RecordBatch) -> int:
    return sum(shape is not None and shape.geom_type == _COLLECTION for shape in _shapes(batch))
