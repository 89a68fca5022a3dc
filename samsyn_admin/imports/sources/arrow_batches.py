"""The columns of Arrow record batches as JSON."""

import base64
import json
import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from json.encoder import encode_basestring
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from samsyn_admin.imports.sources.arrow_json import json_column
from samsyn_model.errors import UnstorableFeatureError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.faults import FaultLog
from samsyn_model.properties.date_times import rfc3339
from samsyn_model.properties.schema import Kind, merged

_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_END = pa.scalar("}", pa.large_string())
_NO_SEPARATOR = pa.scalar("", pa.large_string())
_UNREADABLE = (ValueError, OverflowError, ArithmeticError, pa.ArrowException)
_ARTICLES = {
    Kind.DATE: "a date",
    Kind.DATE_TIME: "a date and time",
    Kind.TIME: "a time of day",
    Kind.INTEGER: "a whole number",
    Kind.NUMBER: "a number",
    Kind.STRING: "a text",
}
_JSON_KINDS: dict[type, Kind] = {dict: Kind.OBJECT, list: Kind.ARRAY, str: Kind.STRING}


def json_text(value: Any) -> str:
    """Return a value's text in JSON; numbers that are not finite become null."""
    try:
        return _ENCODE(value)
    except ValueError:
        return _ENCODE(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_finite(member) for member in value]
    return value


def _serialized(value: Any) -> str:
    """Return a value as JSON: serializing a column value by value takes a third of the time of
    serializing each row as an object."""
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else "null"
    if kind is int:
        return repr(value)
    if value is None:
        return "null"
    return json_text(value)


class ColumnReader:
    """Turns the columns of batches into the text of JSON objects.

    `kinds` has the kind of each column; those of JSON columns are narrowed by their values. A value
    that cannot be read becomes null, and is recorded among the `faults`.
    """

    def __init__(
        self, names: Sequence[str], kinds: Sequence[Kind], faults: FaultLog | None = None
    ) -> None:
        self._names = tuple(names)
        self._kinds = tuple(kinds)
        self._faults = faults
        members = [f"{encode_basestring(name)}:" for name in names]
        self._starts = [f"{'{,'[number > 0]}{start}" for number, start in enumerate(members)]
        self._observed: dict[str, Kind | None] = {}

    @property
    def kinds(self) -> dict[str, Kind | None]:
        """The kinds of the columns by name, from the values read so far."""
        return {
            name: self._observed.get(name) if kind is Kind.JSON_VALUE else kind
            for name, kind in zip(self._names, self._kinds, strict=True)
        }

    def properties(
        self, columns: Sequence[pa.Array], batch: FeatureBatch
    ) -> Sequence[str] | pa.LargeStringArray:
        """Return a JSON object per row; `batch` names the rows in faults.

        Raises UnstorableFeatureError where no `faults` were given.
        """
        if not self._names:
            return ["{}"] * len(batch.geometries)
        texts_by_column = [
            self._column_texts(name, kind, column, batch)
            for name, kind, column in zip(self._names, self._kinds, columns, strict=True)
        ]
        if all(isinstance(texts, pa.Array) for texts in texts_by_column):
            starts = (pa.scalar(start, pa.large_string()) for start in self._starts)
            members = chain.from_iterable(zip(starts, texts_by_column, strict=True))
            return pc.binary_join_element_wise(*members, _END, _NO_SEPARATOR)
        rows = zip(*(map(str, texts) for texts in texts_by_column), strict=True)
        return [
            "".join(chain.from_iterable(zip(self._starts, row, strict=True))) + "}" for row in rows
        ]

    def _column_texts(
        self, name: str, kind: Kind, column: pa.Array, batch: FeatureBatch
    ) -> pa.LargeStringArray | list[str]:
        """Return the values of a column as JSON; a list where a value has a lone surrogate, which
        Arrow cannot store."""
        texts = json_column(kind, column)
        if texts is None:
            texts_list = [_serialized(value) for value in self._values(name, kind, column, batch)]
            try:
                texts = pa.array(texts_list, pa.large_string())
            except UnicodeEncodeError:
                return texts_list
        return texts

    def _values(self, name: str, kind: Kind, column: pa.Array, batch: FeatureBatch) -> list[Any]:
        try:
            values = _json_values(kind, column)
        except _UNREADABLE:
            values = []
            for index in range(len(column)):
                try:
                    values += _json_values(kind, column.slice(index, 1))
                except _UNREADABLE as error:
                    if self._faults is None:
                        raise UnstorableFeatureError(
                            f"{batch.label(index)} has a value of {name!r} that cannot be stored:"
                            f" {error}"
                        ) from error
                    values.append(None)
                    self._faults.record(batch.fault(index, _reason(kind, error), name))
        if kind is Kind.JSON_VALUE:
            for value in values:
                if value is not None:
                    observed = _JSON_KINDS.get(type(value), Kind.JSON_VALUE)
                    self._observed[name] = merged(self._observed.get(name), observed)
        return values


def _reason(kind: Kind, error: Exception) -> str:
    """Return why a value cannot be read, for people."""
    if isinstance(error, UnicodeError | pa.ArrowException):
        return "The text has characters that are not in the file's encoding."
    return f"The value cannot be read as {_ARTICLES.get(kind, kind.value)}."


def _json_values(kind: Kind, column: pa.Array) -> list[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if kind is Kind.NUMBER and pa.types.is_floating(column.type):
        return _numbers(column)
    if kind is Kind.DATE and pa.types.is_date(column.type):
        values: list[Any] = column.cast(pa.date32()).cast(pa.string()).to_pylist()
        return values
    if pa.types.is_timestamp(column.type):
        # Python's datetime has no nanoseconds; microseconds are stored.
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    elif pa.types.is_time64(column.type):
        column = column.cast(pa.time64("us"), safe=False)
    values = (
        column.to_pylist(maps_as_pydicts="lossy") if kind is Kind.OBJECT else (column.to_pylist())
    )
    convert = _CONVERSIONS.get(kind)
    if convert is None:
        return values
    return [None if value is None else convert(value) for value in values]


def _numbers(column: pa.Array) -> list[Any]:
    values = column.to_numpy(zero_copy_only=False)
    numbers: list[Any] = values.tolist()
    if values.dtype != np.float64:
        numbers = [float(str(value)) for value in values]
    for index in np.flatnonzero(~np.isfinite(values)):
        numbers[index] = None
    return numbers


def _plain(value: Any) -> Any:
    """Return an Arrow value, nested or not, as a JSON value."""
    if isinstance(value, dict):
        return {str(name): _plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    for kind, convert in _SCALARS:
        if isinstance(value, kind):
            return convert(value)
    return value


def _date_time(value: str | datetime) -> str:
    return rfc3339(datetime.fromisoformat(value) if isinstance(value, str) else value)


def _json(value: str) -> Any:
    try:
        return json.loads(value, parse_constant=lambda _: None)
    except ValueError:
        return value


def _decimal(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_SCALARS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (datetime, rfc3339),
    (date, date.isoformat),
    (time, time.isoformat),
    (timedelta, timedelta.total_seconds),
    (Decimal, _decimal),
    (bytes, _base64),
)
_CONVERSIONS: dict[Kind, Callable[[Any], Any]] = {
    Kind.NUMBER: _plain,
    Kind.STRING: lambda value: value if isinstance(value, str) else str(_plain(value)),
    Kind.DATE: str,
    Kind.DATE_TIME: _date_time,
    Kind.TIME: lambda value: value if isinstance(value, str) else time.isoformat(value),
    Kind.BINARY: _base64,
    Kind.OBJECT: _plain,
    Kind.ARRAY: _plain,
    Kind.JSON_VALUE: _json,
}
