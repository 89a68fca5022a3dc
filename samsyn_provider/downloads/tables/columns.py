"""Features as columns: the Arrow record batches that a download is written from."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.errors import InvalidParameterError
from samsyn_model.settings import get_settings
from samsyn_provider.collections.collection import Collection
from samsyn_provider.cql2.expressions import Kind
from samsyn_provider.cql2.parsing import UPDATED, UPDATED_SCHEMA, kind_of
from samsyn_provider.downloads.tables.statements import (
    select_geometry_kinds,
    select_rows,
    select_value_kinds,
)
from samsyn_provider.http.formats import Format
from samsyn_provider.query.items_query import ItemsQuery

_ID_NAMES = ("fid", "feature_id")
_GEOMETRY_NAMES = ("geometry", "wkt", "geom")


@dataclass(frozen=True, slots=True)
class Column:
    """A property as a column: its name in the file, its type, and the conversion to that type."""

    property_name: str
    name: str
    type: pa.DataType
    value: Callable[[Any], Any]
    largest: float = 0
    """The largest absolute number among the values, infinite beyond the range of a float."""
    holds_json: bool = False
    """Whether the texts are JSON, of values that are no texts."""
    longest: int | None = None
    """The bytes of the longest value in UTF-8; None where values become text here."""


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """A query's features as a table: ids, the properties, and the geometry as ISO WKB."""

    columns: Sequence[Column]
    id_name: str
    geometry_name: str | None
    """None where geometries are left out."""
    geometry_type: str
    """Such as `MultiPolygon Z`; `Unknown` or `Unknown Z` for a mixture."""
    geometry_kinds: frozenset[str]
    """The types of the geometries, such as `Polygon`; without any, that of the layer."""
    has_heights: bool
    some_lack_heights: bool = False
    """Whether only some of the geometries have heights."""
    fills_heights: bool = False
    """Whether those that lack heights have NaN for them."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of every batch."""
        fields = [pa.field(self.id_name, pa.int64(), nullable=False)]
        fields += [pa.field(column.name, column.type) for column in self.columns]
        if self.geometry_name:
            fields.append(pa.field(self.geometry_name, pa.binary()))
        return pa.schema(fields)


def describe_table(
    connection: Connection, collection: Collection, query: ItemsQuery, file_format: Format
) -> FeatureTable:
    """Return the table for a query's features, by two statements.

    A column has the type that all of its values have; mixed types become text, objects and arrays
    JSON text. Names are unique regardless of case, and those of properties as they are as far as
    that allows. Raises InvalidParameterError for too many.
    """
    statement = select_value_kinds(collection.id, query, collection.times)
    observed = {row.name: row for row in run(connection, statement.text, statement.values)}
    statement = select_geometry_kinds(collection.id, query, collection.times)
    geometries = run(connection, statement.text, statement.values).one()
    fields = {**collection.fields, **({UPDATED: UPDATED_SCHEMA} if query.has_updated else {})}
    names = [*fields, *(name for name in observed if name not in fields)]
    if query.properties is not None:
        names = [name for name in names if name in query.properties]
    most = get_settings().max_properties
    if len(names) > most:
        raise InvalidParameterError(
            f"These features have {len(names):,} properties; a file has at most {most:,}:"
            " name some in `properties`."
        )
    taken = {name.lower() for name in names}
    id_name = _unused((file_format.id_name, *_ID_NAMES), taken)
    geometry_name = None if query.skip_geometry else _unused(_GEOMETRY_NAMES, taken)
    taken = {name.lower() for name in (id_name, geometry_name) if name}
    columns = []
    for name in names:
        kind, value = _type(fields.get(name, {}), observed.get(name), file_format)
        columns.append(
            Column(
                *(name, free_name(name, taken), kind, value),
                largest=_largest(observed.get(name)),
                holds_json=pa.types.is_string(kind) and _holds_no_text(observed.get(name)),
                longest=_longest(observed.get(name)),
            )
        )
    kinds = geometries.kinds or ([collection.geometry_type] if collection.geometry_type else [])
    return FeatureTable(
        columns,
        id_name,
        geometry_name,
        _geometry_type(kinds, has_heights=geometries.has_heights),
        frozenset(kinds),
        geometries.has_heights,
        some_lack_heights=geometries.is_mixed,
        fills_heights=geometries.is_mixed and file_format.same_dimensions,
    )


def table_batches(
    connection: Connection,
    collection: Collection,
    query: ItemsQuery,
    table: FeatureTable,
    id_batches: Iterable[Sequence[int]],
) -> Iterator[pa.RecordBatch]:
    """Yield features as record batches of a table, one for each batch of ids."""
    multiple = table.geometry_type.startswith("Multi")
    for ids in id_batches:
        statement = select_rows(
            *(collection.id, ids, query), multiple=multiple, with_heights=table.fills_heights
        )
        rows = run(connection, statement.text, statement.values).all()
        yield _batch(table, rows)


def _batch(table: FeatureTable, rows: Sequence[Any]) -> pa.RecordBatch:
    arrays = [pa.array([row.id for row in rows], pa.int64())]
    for column in table.columns:
        values = (row.properties.get(column.property_name) for row in rows)
        arrays.append(
            pa.array(
                [None if value is None else column.value(value) for value in values], column.type
            )
        )
    if table.geometry_name:
        geometries = [None if row.wkb is None else bytes(row.wkb) for row in rows]
        arrays.append(pa.array(geometries, pa.binary()))
    return pa.record_batch(arrays, schema=table.schema)


def _unused(names: Sequence[str], taken: set[str]) -> str:
    """Return the first name that is not among `taken`, or the last with a number."""
    return next((name for name in names if name not in taken), free_name(names[-1], set(taken)))


def free_name(name: str, taken: set[str]) -> str:
    """Return the name, with a number appended where it is among `taken` in lower case; add it."""
    free, number = name, 2
    while free.lower() in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free.lower())
    return free


def _type(
    schema: Mapping[str, Any], observed: Any, file_format: Format
) -> tuple[pa.DataType, Callable[[Any], Any]]:
    declared = kind_of(schema) if schema else None
    kinds = set(observed.kinds) if observed else set()
    if kinds == {"number"} or (not kinds and declared is Kind.NUMBER):
        is_integer = observed.integers if observed else schema.get("type") == "integer"
        return (
            (pa.int64(), int)
            if is_integer and schema.get("type") != "number"
            else (pa.float64(), _number)
        )
    if kinds == {"boolean"} or (not kinds and declared is Kind.BOOLEAN):
        return pa.bool_(), bool
    if kinds <= {"string"}:
        is_date = declared is Kind.DATE and (not observed or observed.dates)
        if is_date and file_format.has_dates:
            return pa.date32(), date.fromisoformat
        is_timestamp = declared is Kind.TIMESTAMP and (not observed or observed.timestamps)
        if is_timestamp and file_format.has_timestamps:
            return pa.timestamp("us", "UTC"), _timestamp
    return pa.string(), _text


def _holds_no_text(observed: Any) -> bool:
    return observed is not None and "string" not in observed.kinds


def _largest(observed: Any) -> float:
    return _number(observed.largest or 0) if observed else 0.0


def _longest(observed: Any) -> int | None:
    if observed is None:
        return 0
    return observed.longest if set(observed.kinds) == {"string"} else None


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # JSON's numbers have no range
        return math.inf if value > 0 else -math.inf


def _timestamp(text: str) -> datetime:
    timestamp = datetime.fromisoformat(text.upper())
    return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)).astimezone(UTC)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _geometry_type(kinds: Sequence[str], *, has_heights: bool) -> str:
    single = {kind.removeprefix("Multi") for kind in kinds}
    if len(single) != 1:
        return "Unknown Z" if has_heights else "Unknown"
    (kind,) = single
    if len(kinds) > 1 or kinds[0].startswith("Multi"):
        kind = f"Multi{kind}"
    return f"{kind} Z" if has_heights else kind
