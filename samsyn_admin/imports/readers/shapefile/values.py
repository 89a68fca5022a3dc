"""The values of a shapefile's table as Arrow arrays, with what is wrong with some of them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samsyn_admin.imports.readers.shapefile.encodings import UTF_8
from samsyn_admin.imports.readers.shapefile.table import (
    DATE,
    FLOAT,
    INTEGER,
    LOGICAL,
    NUMBER,
    TEXT,
    Field,
    cut_utf_8,
)
from samsyn_model.properties.schema import Kind

_WIDE = 19
"""Digits that may be more than 64 bits hold."""
_MAX_DIGITS = 38  # of a decimal number of 128 bits
_PADDING = b" \0"
_CUT = (
    "{count} {text was|texts were} cut within a character at the end of {its|their} field: it was"
    " left out."
)
_NO_DATES = "{count} {date does|dates do} not exist (00000000, say) and {was|were} left empty."
_STARS = (
    "{count} {number is|numbers are} written as asterisks (there is none, or it was too wide for"
    " its field) and {was|were} left empty."
)
_NOT_FINITE = "{count} {number is|numbers are} NaN or infinite and {was|were} left empty."
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WHOLE = re.compile(rb"[+-]?\d+")
_INFINITE = re.compile(rb"[+-]?(?:nan|inf|infinity|1\.#(?:ind|inf|qnan|snan)\w*)", re.IGNORECASE)
_FALSE, _TRUE, _NONE, _NEITHER = range(4)
_LOGICAL = np.full(256, _NEITHER)
_LOGICAL[list(b"FfNn")], _LOGICAL[list(b"TtYy")], _LOGICAL[list(b"? \0")] = _FALSE, _TRUE, _NONE
_IS_PLAIN = np.isin(np.arange(256), list(b"0123456789.- "))
_ZERO, _NINE, _SPACE = ord("0"), ord("9"), ord(" ")


@dataclass(slots=True)
class Values:
    """The values of a field in some rows; a value at fault is null.

    `faults` has why, by the rows' places, `tallies` the number of what is no fault, by its text.
    """

    array: pa.Array
    faults: dict[int, str] = field(default_factory=dict)
    tallies: dict[str, int] = field(default_factory=dict)

    def count(self, text: str, number: int = 1) -> None:
        """Count what is told with a number."""
        self.tallies[text] = self.tallies.get(text, 0) + number


def kind_of(field: Field) -> Kind:
    """Return how the values are serialized: those of 19 digits and more as decimal numbers."""
    if field.type == NUMBER and not field.decimals:
        return Kind.INTEGER if field.width < _WIDE else Kind.NUMBER
    return _KINDS[field.type]


def is_whole(field: Field) -> bool:
    """Whether a field is declared to hold whole numbers."""
    return field.type == INTEGER or (field.type == NUMBER and not field.decimals)


def read_values(
    field: Field, column: NDArray[np.uint8], encoding: str, decimal: str | None
) -> Values:
    """Return the values of a field's bytes, a row each; `decimal` is the sign before decimals."""
    if field.type == TEXT:
        return _texts(column, encoding)
    if field.type in {NUMBER, FLOAT}:
        return _numbers(column, is_whole(field), decimal)
    return _READERS[field.type](column)


def _binary(column: NDArray[np.uint8]) -> pa.BinaryArray:
    count, width = column.shape
    if not width:
        return pa.array([b""] * count, pa.binary())
    buffer = pa.py_buffer(column.tobytes())
    values = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), count, [None, buffer])
    return values.cast(pa.binary())


def _stripped(column: NDArray[np.uint8]) -> list[bytes]:
    return [value.strip(_PADDING) for value in _binary(column).to_pylist()]


def _texts(column: NDArray[np.uint8], encoding: str) -> Values:
    try:
        if encoding == UTF_8 or (column < 0x80).all():
            trimmed = pc.ascii_rtrim(_binary(column).cast(pa.string()), " \0")
            if not pc.any(pc.match_substring(trimmed, "\0")).as_py():
                return Values(pc.if_else(pc.equal(trimmed, ""), None, trimmed))
    except pa.ArrowInvalid:
        pass  # a text that is not UTF-8
    values = Values(pa.nulls(len(column), pa.string()))
    texts: list[str | None] = []
    for place, raw in enumerate(_binary(column).to_pylist()):
        value = raw.partition(b"\0")[0].rstrip(b" ")
        texts.append(_text(value, column.shape[1], encoding, values, place))
    values.array = pa.array(texts, pa.string())
    return values


def _text(value: bytes, width: int, encoding: str, values: Values, place: int) -> str | None:
    if encoding == UTF_8:
        found = cut_utf_8(value, width)
        if found is not None:
            if found[1]:
                values.count(_CUT)
            return found[0] or None
    else:
        try:
            return value.decode(encoding) or None
        except UnicodeDecodeError:
            pass
    shown = value[:40].decode(encoding, "backslashreplace")
    values.faults[place] = (
        f"The text '{shown}' is not valid in {encoding}: choose the encoding that it has"
        " (--encoding cp1252, say)."
    )
    return None


def _numbers(column: NDArray[np.uint8], whole: bool, decimal: str | None) -> Values:
    if _IS_PLAIN[column].all():
        texts = pc.ascii_trim(_binary(column).cast(pa.string()), " ")
        texts = pc.if_else(pc.equal(texts, ""), None, texts)
        try:
            return Values(texts.cast(pa.int64() if whole else pa.float64()))
        except pa.ArrowInvalid:
            pass  # a text that is no number, or a number of more than 64 bits
    values = Values(pa.nulls(len(column), pa.int64()))
    width = column.shape[1]
    numbers = [
        _number(value, width, decimal, values, place)
        for place, value in enumerate(_stripped(column))
    ]
    values.array = _number_array(numbers, whole)
    return values


def _number(
    value: bytes, width: int, decimal: str | None, values: Values, place: int
) -> int | float | None:
    if not value:
        return None
    if value == b"*" * width:
        values.count(_STARS)
        return None
    if decimal == ",":
        value = value.replace(b",", b".")
    if _WHOLE.fullmatch(value) and len(value) <= _MAX_DIGITS:
        return int(value)
    if _NUMBER.fullmatch(value):
        number = float(value)
        if np.isfinite(number):
            return number
    elif _INFINITE.fullmatch(value):
        values.count(_NOT_FINITE)
        return None
    shown = value[:40].decode("ascii", "backslashreplace")
    hint = ""
    if _NUMBER.fullmatch(value.replace(b",", b".")):
        hint = ": if the comma is a decimal sign, say so (--decimal ,)"
    values.faults[place] = f"'{shown}' is not a number{hint}."
    return None


def _number_array(numbers: Sequence[int | float | None], whole: bool) -> pa.Array:
    if not whole or any(isinstance(number, float) for number in numbers):
        return pa.array([None if n is None else float(n) for n in numbers], pa.float64())
    try:
        return pa.array(numbers, pa.int64())
    except (OverflowError, pa.ArrowInvalid):
        return pa.array(numbers, pa.decimal128(_MAX_DIGITS, 0))


def _dates(column: NDArray[np.uint8]) -> Values:
    digits = column - np.uint8(_ZERO)  # those below 0 become large
    is_date = (digits <= _NINE - _ZERO).all(axis=1)
    numbers = digits.astype(np.int64)
    year = numbers[:, :4] @ np.array([1000, 100, 10, 1])
    month, day = numbers[:, 4] * 10 + numbers[:, 5], numbers[:, 6] * 10 + numbers[:, 7]
    exists = is_date & (year > 0) & (month > 0) & (month <= 12) & (day > 0)
    months = np.where(exists, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(exists, day - 1, 0)
    exists &= days.astype("datetime64[M]") == months
    values = Values(pa.array(days, pa.date32(), mask=~exists))
    for place in np.flatnonzero(~exists):
        value = column[place].tobytes().strip(_PADDING)
        if re.fullmatch(rb"\d+|\*+", value):
            values.count(_NO_DATES)
        elif value:
            shown = value.decode("ascii", "backslashreplace")
            values.faults[int(place)] = f"'{shown}' is not a date as YYYYMMDD."
    return values


def _logicals(column: NDArray[np.uint8]) -> Values:
    found = _LOGICAL[column[:, 0]]
    values = Values(pa.array(found == _TRUE, pa.bool_(), mask=found > _TRUE))
    for place in np.flatnonzero(found == _NEITHER):
        shown = column[place].tobytes().decode("ascii", "backslashreplace")
        values.faults[int(place)] = f"'{shown}' is neither true (T) nor false (F)."
    return values


def _integers(column: NDArray[np.uint8]) -> Values:
    return Values(pa.array(column.view("<i4").ravel().astype(np.int64)))


_READERS: dict[str, Callable[[NDArray[np.uint8]], Values]] = {
    DATE: _dates,
    LOGICAL: _logicals,
    INTEGER: _integers,
}
_KINDS = {
    TEXT: Kind.STRING,
    NUMBER: Kind.NUMBER,
    FLOAT: Kind.NUMBER,
    LOGICAL: Kind.BOOLEAN,
    DATE: Kind.DATE,
    INTEGER: Kind.INTEGER,
}
