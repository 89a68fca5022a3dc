"""Where a Parquet file has its geometries, and in which CRS."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS

from samsyn_admin.imports.readers.geoarrow import (
    ENCODINGS,
    Parse,
    is_native_type,
    parser,
    point_parser,
)
from samsyn_admin.imports.sources.layer import CRS84, file_crs
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import InvalidParameterError, UnreadableFileError
from samsyn_model.features.bulk_copy import GEOMETRY_TYPES

_DEGREES = (
    ("longitude", "latitude"),
    ("lon", "lat"),
    ("lng", "lat"),
    ("long", "lat"),
    ("decimallongitude", "decimallatitude"),
)
_PLANE = (("x", "y"), ("easting", "northing"), ("e", "n"))
_GEOMETRY_NAMES = ("geometry", "geom", "wkb_geometry", "the_geom", "wkb", "wkt")
_GEODESICS = "Its lines are the shortest on the globe; here they are straight on the map."
_EXTENSION = b"ARROW:extension:name"
_EXTENSION_METADATA = b"ARROW:extension:metadata"


@dataclass(slots=True)
class GeometryColumn:
    """The columns with the geometries, how they are read, and what the file says of them."""

    columns: Sequence[str]
    """One column, or those of x and y."""
    parse: Parse
    format: str = "Parquet"
    crs: CRS | None = None
    crs_origin: str = ""
    crs_is_implied: bool = False
    geometry_type: str | None = None
    not_attributes: frozenset[str] = frozenset()
    """The columns that are no properties."""
    notes: list[str] = field(default_factory=list)


def find_geometry(path: Path, file: pq.ParquetFile, options: ReadOptions) -> GeometryColumn:
    """Return where a file has its geometries; `options` win over what it says.

    Raises UnreadableFileError where it has none, InvalidParameterError for options with columns
    that it does not have.
    """
    schema = file.schema_arrow
    geo = _geo_metadata(path, schema, file.metadata.metadata)
    if options.x and options.y:
        return _of_coordinates(schema, options.x, options.y, geo)
    if geo and options.wkt in {None, *geo["columns"]}:
        return _of_geoparquet(path, schema, geo, options.wkt or geo["primary_column"])
    marked = list(_marked(file, schema))
    suitable = [column for column in marked if options.wkt in {None, *column.columns}]
    first = next(chain(suitable, _named(schema, options.wkt)), None)
    if first:
        others = [name for column in marked for name in column.columns if name not in first.columns]
        return _alone(first, others)
    names = {name.lower(): name for name in schema.names}
    for pairs, crs in ((_DEGREES, CRS84), (_PLANE, None)):
        for x, y in pairs:
            if x in names and y in names and not options.wkt:
                found = _of_coordinates(schema, names[x], names[y], geo)
                if crs:
                    found.crs, found.crs_is_implied = crs, True
                    found.crs_origin = f"assumed: the columns are {names[x]} and {names[y]}"
                return found
    if options.wkt:
        raise InvalidParameterError(f"{path} has no column {options.wkt!r} of geometries.")
    raise UnreadableFileError(
        f"{path} is not GeoParquet: it lacks valid `geo` metadata, and has no column of geometries"
        " and none called lon and lat: name those with the coordinates (--x and --y)."
    )


def _geo_metadata(
    path: Path, schema: pa.Schema, metadata: Mapping[bytes, bytes] | None
) -> dict[str, Any] | None:
    """Return the `geo` metadata, None without valid ones.

    They are read from the file: the schema that Arrow stores in it need not repeat them.
    """
    try:
        geo: dict[str, Any] = json.loads((metadata or {})[b"geo"])
        geo["columns"][geo["primary_column"]].get("encoding")
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if schema.get_field_index(geo["primary_column"]) < 0:
        raise UnreadableFileError(
            f"{path} is damaged: it lacks the column {geo['primary_column']!r}."
        )
    return geo


def _of_geoparquet(path: Path, schema: pa.Schema, geo: dict[str, Any], name: str) -> GeometryColumn:
    column = geo["columns"][name]
    encoding = column.get("encoding")
    if encoding not in ENCODINGS or not is_native_type(encoding, _storage(schema.field(name))):
        raise UnreadableFileError(
            f"{path}: the geometry encoding {encoding!r} is not supported; write the file with WKB."
        )
    boxes = column.get("covering", {}).get("bbox", {}).values()
    others = [other for other in geo["columns"] if other != name]
    found = GeometryColumn(
        [name],
        parser(encoding),
        "GeoParquet",
        geometry_type=_declared_type(column.get("geometry_types") or []),
        not_attributes=frozenset({*geo["columns"], *(parts[0] for parts in boxes if parts)}),
    )
    if "crs" not in column:
        found.crs, found.crs_origin = CRS84, "the default of GeoParquet"
        found.crs_is_implied = True
    elif column["crs"] is not None:
        _name_crs(found, json.dumps(column["crs"]), "the metadata of GeoParquet")
    if column.get("edges", "planar") != "planar":
        found.notes.append(_GEODESICS)
    if others:
        found.notes.append(_only(name, others))
    return found


def _marked(file: pq.ParquetFile, schema: pa.Schema) -> Iterator[GeometryColumn]:
    """Yield the columns that Parquet or GeoArrow mark as geometries."""
    positions = {file.schema.column(index).path: index for index in range(len(file.schema.names))}
    for arrow_field in schema:
        position = positions.get(arrow_field.name)
        kind = {} if position is None else _logical_type(file.schema.column(position))
        name = _extension_name(arrow_field)
        encoding = name.removeprefix("geoarrow.").replace("wkb", "WKB").replace("wkt", "WKT")
        if kind.get("Type") in {"Geometry", "Geography"}:
            found = GeometryColumn([arrow_field.name], parser("WKB"))
            crs = kind.get("crs", "")
            _name_crs(found, _parquet_crs(crs, file.metadata.metadata or {}), "its column")
            if not crs:
                found.crs, found.crs_origin = CRS84, "the default of Parquet"
                found.crs_is_implied = True
            if kind["Type"] == "Geography":
                found.notes.append(_GEODESICS)
            yield found
        elif (
            name.startswith("geoarrow.")
            and encoding in ENCODINGS
            and is_native_type(encoding, _storage(arrow_field))
        ):
            found = GeometryColumn([arrow_field.name], parser(encoding))
            _name_crs(found, _geoarrow_crs(arrow_field), "the metadata of GeoArrow")
            yield found


def _logical_type(column: Any) -> dict[str, Any]:
    with suppress(ValueError):
        kind = json.loads(column.logical_type.to_json())
        return kind if isinstance(kind, dict) else {}
    return {}


def _parquet_crs(text: str, metadata: Mapping[bytes, bytes]) -> str | None:
    """Return the definition of a CRS in Parquet's own form: `srid:` and a code, `projjson:` and the
    key of its metadata, or the definition itself."""
    prefix, _, rest = text.partition(":")
    if prefix == "srid":
        return None if rest == "0" else f"EPSG:{rest}"
    if prefix == "projjson":
        return metadata.get(rest.encode(), b"").decode("utf-8", "replace") or None
    return text or None


def _geoarrow_crs(arrow_field: pa.Field) -> str | None:
    text = (arrow_field.metadata or {}).get(_EXTENSION_METADATA, b"")
    with suppress(ValueError, AttributeError):
        crs = json.loads(text).get("crs")
        return crs if crs is None or isinstance(crs, str) else json.dumps(crs)
    return None


def _name_crs(found: GeometryColumn, definition: str | None, origin: str) -> None:
    if definition is None:
        return
    with suppress(ValueError):  # a text of JSON in JSON
        inner = json.loads(definition)
        definition = inner if isinstance(inner, str) else definition
    try:
        found.crs, found.crs_origin = file_crs(definition), origin
    except InvalidParameterError:
        found.notes.append(f"The file names a CRS that is not known: {definition[:100]}")


def _named(schema: pa.Schema, requested: str | None) -> Iterator[GeometryColumn]:
    """Yield the columns of WKB or WKT, by their names alone."""
    names = {name.lower(): name for name in schema.names}
    wanted = [requested] if requested else [names[n] for n in _GEOMETRY_NAMES if n in names]
    for name in wanted:
        if schema.get_field_index(name) < 0:
            continue
        kind = _storage(schema.field(name))
        for encoding in ENCODINGS:
            if is_native_type(encoding, kind):
                yield GeometryColumn([name], parser(encoding))
                break


def _alone(found: GeometryColumn, others: list[str]) -> GeometryColumn:
    found.not_attributes = frozenset({*found.columns, *others})
    if others:
        found.notes.append(_only(found.columns[0], others))
    return found


def _only(name: str, others: list[str]) -> str:
    return f"Only the geometries of {name!r} were read, not of {others}."


def _of_coordinates(
    schema: pa.Schema, x: str, y: str, geo: dict[str, Any] | None
) -> GeometryColumn:
    for name in (x, y):
        if schema.get_field_index(name) < 0:
            raise InvalidParameterError(f"The file has no column {name!r}.")
    return GeometryColumn(
        [x, y],
        point_parser(),
        geometry_type="Point",
        not_attributes=frozenset(geo["columns"]) if geo else frozenset(),
    )


def _storage(arrow_field: pa.Field) -> pa.DataType:
    kind = arrow_field.type
    return kind.storage_type if isinstance(kind, pa.ExtensionType) else kind


def _extension_name(arrow_field: pa.Field) -> str:
    name = (arrow_field.metadata or {}).get(_EXTENSION, b"").decode("utf-8", "replace")
    return str(getattr(arrow_field.type, "extension_name", name))


def _declared_type(names: list[str]) -> str | None:
    plain = {str(name).removesuffix(" Z") for name in names}
    if len(plain) == 1:
        name = plain.pop()
        return name if name in GEOMETRY_TYPES else None
    return None
