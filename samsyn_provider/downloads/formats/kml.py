"""KML: a document of placemarks, whose properties have types in a `Schema`.

A property called `name` is the name of its placemark, which viewers show; the others are
`SimpleData`. An absent value has no element, so that it is not taken for a text.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa
import shapely

from samsyn_provider.downloads.formats.writers import DECIMALS, FileContent
from samsyn_provider.downloads.tables.columns import Column, FeatureTable

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCES = {"\r": "&#13;"}  # else it would be read as a line feed
_NAME = "name"
_SCHEMA = "properties"
_MAX_INT = 2**31 - 1  # of the type `int`
_MAX_DOUBLE = 2**53

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2">
<Document>
"""
_TAIL = """</Folder>
</Document>
</kml>
"""


def write_kml(path: Path, content: FileContent) -> None:
    """Write KML; characters that XML 1.0 cannot represent become U+FFFD."""
    table = content.table
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(_HEAD)
        _write_schema(file, table)
        file.write(f"<Folder>\n<name>{_text(content.title)}</name>\n")
        for batch in content.batches:
            file.writelines(_placemarks(batch, table))
        file.write(_TAIL)


def _write_schema(file: IO[str], table: FeatureTable) -> None:
    file.write(f'<Schema name="{_SCHEMA}" id="{_SCHEMA}">\n')
    fields = [(table.id_name, "int"), *((column.name, _type(column)) for column in _typed(table))]
    for name, kind in fields:
        file.write(f'<SimpleField name={_attribute(name)} type="{kind}"/>\n')
    file.write("</Schema>\n")


def _typed(table: FeatureTable) -> list[Column]:
    """Return the columns that are not the names of placemarks."""
    return [column for column in table.columns if not _is_name(column)]


def _is_name(column: Column) -> bool:
    return column.name == _NAME and pa.types.is_string(column.type)


def _type(column: Column) -> str:
    if pa.types.is_boolean(column.type):
        return "bool"
    if pa.types.is_floating(column.type):
        return "double"
    if pa.types.is_integer(column.type):
        if column.largest <= _MAX_INT:
            return "int"
        return "double" if column.largest <= _MAX_DOUBLE else "string"
    return "string"


def _placemarks(batch: pa.RecordBatch, table: FeatureTable) -> Iterator[str]:
    """Yield a placemark for each feature of a batch."""
    shapes = shapely.from_wkb(batch.column(batch.num_columns - 1).to_numpy(zero_copy_only=False))
    names: Sequence[str] = [""] * batch.num_rows
    members = [_members(table.id_name, batch.column(0))]
    for column, array in zip(table.columns, batch.columns[1:-1], strict=True):
        if _is_name(column):
            names = [_element("name", value) for value in array.to_pylist()]
        else:
            members.append(_members(column.name, array))
    for name, shape, *texts in zip(names, shapes, *members, strict=True):
        yield (
            f'<Placemark>{name}<ExtendedData><SchemaData schemaUrl="#{_SCHEMA}">{"".join(texts)}'
            f"</SchemaData></ExtendedData>{'' if shape is None else _geometry(shape)}</Placemark>\n"
        )


def _members(name: str, array: pa.Array) -> list[str]:
    """Return the element of each value of a column, empty for an absent one."""
    start = f"<SimpleData name={_attribute(name)}>"
    write: Callable[[Any], str] = _text
    if pa.types.is_boolean(array.type):
        write = _boolean
    elif not pa.types.is_string(array.type):
        write = repr
    return [
        "" if value is None else f"{start}{write(value)}</SimpleData>"
        for value in array.to_pylist()
    ]


def _element(tag: str, value: str | None) -> str:
    return "" if value is None else f"<{tag}>{_text(value)}</{tag}>"


def _boolean(value: bool) -> str:
    return "1" if value else "0"


def _text(value: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", value), _REFERENCES)


def _attribute(value: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", value))


def _geometry(shape: Any) -> str:
    kind = shape.geom_type
    if shape.is_empty:
        return ""
    if kind in {"Point", "LineString"}:
        return f"<{kind}>{_coordinates(shape)}</{kind}>"
    if kind == "Polygon":
        rings = "".join(map(_inner_boundary, shape.interiors))
        outer = f"<LinearRing>{_coordinates(shape.exterior)}</LinearRing>"
        return f"<Polygon><outerBoundaryIs>{outer}</outerBoundaryIs>{rings}</Polygon>"
    return f"<MultiGeometry>{''.join(map(_geometry, shape.geoms))}</MultiGeometry>"


def _inner_boundary(ring: Any) -> str:
    return f"<innerBoundaryIs><LinearRing>{_coordinates(ring)}</LinearRing></innerBoundaryIs>"


def _coordinates(shape: Any) -> str:
    wkt = shapely.to_wkt(shape, rounding_precision=DECIMALS, trim=True)
    positions = wkt[wkt.index("(") + 1 : -1].split(", ")
    return f"<coordinates>{' '.join(text.replace(' ', ',') for text in positions)}</coordinates>"
