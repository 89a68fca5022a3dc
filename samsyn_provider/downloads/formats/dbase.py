"""The attributes of a shapefile: dBASE fields, what they hold of a property, and what they do not.

A field has a name of ten bytes and a fixed width: 254 bytes for a text, 24 digits for a number. An
absent text is an empty one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.downloads.tables.columns import Column, FeatureTable

_MAX_NAME = 10  # bytes
_MAX_TEXT = 254  # bytes
_MAX_FIELDS = 255
_ID_WIDTH = 18
_INTEGER_WIDTHS = (9, 18)
"""Characters with the sign: up to 9 a reader takes a field for 32 bits, up to 18 for 64."""
_NUMBER_WIDTH = 24
_DECIMALS = 15
_MAX_NUMBER = 1e22  # beyond it a number is wider than its field
_WIDTH_KEY = b"GDAL:OGR:width"


@dataclass(slots=True)
class DBaseField:
    """A property as a dBASE field, and how many of its values the field does not hold exactly."""

    column: Column
    name: str
    type: pa.DataType
    width: int
    cut: int = 0
    """Texts of more than 254 bytes."""
    trimmed: int = 0
    """Empty texts, and texts that end in spaces."""
    rounded: int = 0
    """Numbers with more than 15 decimals."""

    @property
    def is_converted(self) -> bool:
        """Whether the field is a text although some of the values are none."""
        return pa.types.is_string(self.type) and (
            self.column.type != self.type or self.column.longest is None
        )

    def array(self, values: pa.Array) -> pa.Array:
        """Return a column's values as the field holds them."""
        if values.type != self.type:
            values = values.cast(self.type)
        if pa.types.is_string(self.type):
            self.trimmed += pc.sum(pc.match_substring_regex(values, "(^| )$")).as_py() or 0
            sizes = pc.binary_length(values)
            if (pc.max(sizes).as_py() or 0) > _MAX_TEXT:
                self.cut += pc.sum(pc.greater(sizes, _MAX_TEXT)).as_py()
                texts = values.to_pylist()
                return pa.array([text and _cut(text) for text in texts], pa.string())
        elif pa.types.is_floating(self.type):
            self.rounded += sum(not _is_exact(n) for n in values.to_pylist() if n is not None)
        return values


@dataclass(slots=True)
class DBaseTable:
    """The fields of a shapefile: `id`, and one for each property."""

    id_name: str
    geometry_name: str
    fields: Sequence[DBaseField] = field(default_factory=list)

    @property
    def schema(self) -> pa.Schema:
        """The columns that GDAL makes the fields of."""
        return pa.schema(
            [
                _field(self.id_name, pa.int64(), _ID_WIDTH),
                *(_field(member.name, member.type, member.width) for member in self.fields),
                pa.field(self.geometry_name, pa.binary()),
            ]
        )

    @property
    def row_size(self) -> int:
        """The bytes of a row."""
        return 1 + _ID_WIDTH + sum(member.width for member in self.fields)

    def batch(self, rows: pa.RecordBatch, geometries: pa.Array) -> pa.RecordBatch:
        """Return rows of a FeatureTable as the fields hold them, with these geometries."""
        arrays = [member.array(rows.column(number)) for number, member in enumerate(self.fields, 1)]
        return pa.record_batch([rows.column(0), *arrays, geometries], schema=self.schema)


def describe_fields(table: FeatureTable, geometry_name: str) -> DBaseTable:
    """Return the fields for a table; raises InvalidParameterError if it has too many columns."""
    if len(table.columns) >= _MAX_FIELDS:
        raise InvalidParameterError(
            f"properties: A shapefile has {_MAX_FIELDS} fields; name fewer properties."
        )
    names = _names([column.name for column in table.columns], {table.id_name, geometry_name})
    fields = [
        DBaseField(column, name, *_type(column))
        for column, name in zip(table.columns, names, strict=True)
    ]
    return DBaseTable(table.id_name, geometry_name, fields)


def _field(name: str, kind: pa.DataType, width: int) -> pa.Field:
    has_width = pa.types.is_string(kind) or pa.types.is_integer(kind)
    return pa.field(name, kind, metadata={_WIDTH_KEY: str(width)} if has_width else None)


def _type(column: Column) -> tuple[pa.DataType, int]:
    """Return the type and the width of a column's field."""
    if pa.types.is_boolean(column.type):
        return column.type, 1
    if pa.types.is_date(column.type):
        return column.type, 8
    if pa.types.is_integer(column.type):
        for width in _INTEGER_WIDTHS:
            if column.largest < 10 ** (width - 1):
                return column.type, width
        return pa.string(), 20
    if pa.types.is_floating(column.type):
        fits = column.largest < _MAX_NUMBER
        return (column.type, _NUMBER_WIDTH) if fits else (pa.string(), _NUMBER_WIDTH)
    longest = _MAX_TEXT if column.longest is None else column.longest
    return pa.string(), min(max(longest, 1), _MAX_TEXT)


def _names(names: Sequence[str], taken: set[str]) -> Iterator[str]:
    """Yield a name of letters, digits and underscores for each, unique regardless of case."""
    taken = {name.lower() for name in taken}
    for name in names:
        plain = "".join(c if c.isalnum() else "_" for c in name) or "field"
        short, number = _cut(plain, _MAX_NAME), 2
        while short.lower() in taken:
            suffix = f"_{number}"
            short, number = _cut(plain, _MAX_NAME - len(suffix)) + suffix, number + 1
        taken.add(short.lower())
        yield short


def _cut(text: str, size: int = _MAX_TEXT) -> str:
    """Return the first characters of a text that take at most `size` bytes in UTF-8."""
    return text.encode()[:size].decode(errors="ignore")


def _is_exact(number: float) -> bool:
    """Return whether a field holds a number as it is."""
    return float(f"{number:.{_DECIMALS}f}"[:_NUMBER_WIDTH]) == number


def field_remarks(table: DBaseTable) -> Iterator[str]:
    """Yield lines about the fields: those with another name, and what they do not hold."""
    renamed = [(member.column.property_name, member.name) for member in table.fields]
    renamed = [(old, new) for old, new in renamed if old != new]
    yield "Date-times are texts, as they are stored. An empty text is the same as none."
    yield f"Numbers have {_NUMBER_WIDTH} characters, at most {_DECIMALS} of them decimals."
    for text, names in (
        (
            "Values of several types and too large numbers are texts, objects and arrays JSON:",
            [member.name for member in table.fields if member.is_converted],
        ),
        (
            f"Texts longer than {_MAX_TEXT} bytes are cut:",
            [f"{member.name}: {member.cut:,} values" for member in table.fields if member.cut],
        ),
        (
            "Texts that end in spaces, which they lose, or are empty:",
            [f"{m.name}: {m.trimmed:,} values" for m in table.fields if m.trimmed],
        ),
        (
            f"Numbers rounded to {_DECIMALS} decimals:",
            [f"{m.name}: {m.rounded:,} values" for m in table.fields if m.rounded],
        ),
        (
            f"Names have {_MAX_NAME} bytes, of letters, digits and underscores. Field, property:",
            [f"{new}, {old}" for old, new in renamed],
        ),
    ):
        if names:
            yield ""
            yield text
            yield from (f"  {name}" for name in names)
