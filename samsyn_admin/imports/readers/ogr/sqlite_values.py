"""Values of SQLite tables that are not of their column's type, which GDAL would read as 0 or 1970.

SQLite stores any value in any column. One statement counts those of another type than declared;
only where there are some are they looked up, batch by batch.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samsyn_admin.imports.readers.ogr.sqlite import SQLiteDatabase, quoted
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.properties.date_times import rfc3339

_NO_DATE = "{count} {date does|dates do} not exist and {was|were} left empty."
_COMPACT = (
    "{count} {date was|dates were} written without signs between (20240501) and read as such."
)
_DIGITS = re.compile(r"(\d{4})[-/. ]?(\d\d)[-/. ]?(\d\d)(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?")
_MAX_SHOWN = 40  # characters of a value

# {c} is the column; a value that the condition is true of is looked at. The days are added so that
# SQLite turns the 30th of February into the 1st of March.
_WRONG = {
    "OFTInteger": (
        "typeof({c}) NOT IN ('integer', 'null') OR {c} NOT BETWEEN -2147483648 AND 2147483647"
    ),
    "OFTInteger64": "typeof({c}) NOT IN ('integer', 'null')",
    "OFTReal": "typeof({c}) NOT IN ('real', 'integer', 'null')",
    "OFTString": "typeof({c}) = 'blob' OR instr({c}, char(0))",
    "OFTDate": "date({c}, '+0 days') IS NOT {c}",
    "OFTDateTime": (
        "{c} IS NOT NULL AND (typeof({c}) <> 'text' OR datetime({c}) IS NULL"
        " OR date(substr({c}, 1, 10), '+0 days') IS NOT substr({c}, 1, 10))"
    ),
    "OFTBinary": "typeof({c}) NOT IN ('blob', 'null')",
}
_WRONG_BY_SUBTYPE = {
    "OFSTBoolean": "typeof({c}) NOT IN ('integer', 'null') OR {c} NOT IN (0, 1)",
    "OFSTInt16": "typeof({c}) NOT IN ('integer', 'null') OR {c} NOT BETWEEN -32768 AND 32767",
}


class WrongValueError(ValueError):
    """A value is not of its column's type; the message is a sentence for the user."""


class _Tally(Protocol):
    def __call__(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that has values of another type."""

    index: int
    name: str
    wrong: str
    read: Callable[[Any, _Tally], Any]


class TableValues:
    """The values of a table that are not of their column's type."""

    def __init__(
        self,
        package: SQLiteDatabase,
        table: str,
        fid_column: str,
        fields: Sequence[tuple[str, str, str]],
    ) -> None:
        """`fields` are the name, OGR type and subtype of the columns as GDAL reads them."""
        self._package = package
        self._table = quoted(table)
        self._fid = quoted(fid_column)
        self._geometry = package.geometry_column(table)
        self._columns = [
            _Column(
                index, name, _WRONG_BY_SUBTYPE.get(subtype, _WRONG[kind]), _reading(kind, subtype)
            )
            for index, (name, kind, subtype) in enumerate(fields)
            if kind in _WRONG
        ]
        self._columns = [
            _Column(
                column.index, column.name, column.wrong.format(c=quoted(column.name)), column.read
            )
            for column in self._columns
        ]

    def has_wrong_ones(self) -> bool:
        """Whether any value is wrong; the columns of which none is are forgotten.

        Raises UnreadableFileError.
        """
        if not self._columns:
            return self._geometry is not None
        any_wrong = " OR ".join(column.wrong for column in self._columns)
        sums = ", ".join(f"total({column.wrong})" for column in self._columns)
        with self._package.opened() as database:
            first = f"SELECT 1 FROM {self._table} WHERE {any_wrong} LIMIT 1"
            if database.execute(first).fetchone() is None:
                counts = [0] * len(self._columns)
            else:
                counts = database.execute(f"SELECT {sums} FROM {self._table}").fetchone()
        self._columns = [
            column for column, count in zip(self._columns, counts, strict=True) if count
        ]
        return bool(self._columns) or self._geometry is not None

    def corrected(
        self, columns: list[pa.Array], rows: FeatureBatch, source: SourceLayer
    ) -> tuple[FeatureBatch, list[pa.Array], NDArray[np.bool_]]:
        """Return the columns of a batch with the right values, and which features can be read.

        Records the faults of the others, and of values that become null.
        """
        readable = np.ones(len(rows.geometries), dtype=bool)
        ids = {fid: index for index, fid in enumerate(rows.ids or ())}
        if self._geometry is not None and rows.wkb is not None and rows.wkb.null_count:
            wrong = f"typeof({quoted(self._geometry)}) <> 'null'"
            for fid, _ in self._found(wrong, quoted(self._geometry), ids):
                index = ids.get(fid)
                if index is not None and not rows.wkb[index].is_valid:
                    source.faults.record(rows.fault(index, "The geometry cannot be read."))
                    readable[index] = False
        columns = list(columns)
        for column in self._columns:
            replaced: dict[int, Any] = {}
            for fid, value in self._found(column.wrong, quoted(column.name), ids):
                index = ids.get(fid)
                if index is None:
                    continue
                try:
                    replaced[index] = column.read(value, source.tally)
                except WrongValueError as error:
                    replaced[index] = None
                    if readable[index]:
                        source.faults.record(rows.fault(index, str(error), column.name))
            if replaced:
                columns[column.index] = _replaced(columns[column.index], replaced)
        return rows, columns, readable

    def _found(self, wrong: str, column: str, ids: dict[int, int]) -> list[tuple[int, Any]]:
        with self._package.opened() as database:
            database.text_factory = bytes
            return database.execute(
                f"SELECT {self._fid}, {column} FROM {self._table}"
                f" WHERE {self._fid} BETWEEN ? AND ? AND ({wrong})",
                (min(ids), max(ids)),
            ).fetchall()


def _replaced(column: pa.Array, values: dict[int, Any]) -> pa.Array:
    mask = np.zeros(len(column), dtype=bool)
    mask[list(values)] = True
    in_order = [values[index] for index in sorted(values)]
    return pc.replace_with_mask(column, pa.array(mask), pa.array(in_order, column.type))


def _reading(kind: str, subtype: str) -> Callable[[Any, _Tally], Any]:
    """Return what reads a value that is not of a type, which raises WrongValueError."""
    if kind == "OFTDate":
        return _date
    if kind == "OFTDateTime":
        return _date_time
    expected = _EXPECTED.get(subtype, _EXPECTED.get(kind, "of the column's type"))

    def refuse(value: Any, _: _Tally) -> None:
        if isinstance(value, bytes) and kind == "OFTString" and b"\0" in value:
            raise WrongValueError("The text has a NUL character.")
        raise WrongValueError(f"{_shown(value)} is not {expected}.")

    return refuse


_EXPECTED = {
    "OFTInteger": "a whole number of the column's size (±2,147,483,647)",
    "OFTInteger64": "a whole number",
    "OFTReal": "a number",
    "OFTString": "a text",
    "OFTBinary": "binary",
    "OFSTBoolean": "true or false (1 or 0)",
    "OFSTInt16": "a whole number of the column's size (±32,767)",
}


def _text(value: Any) -> str:
    return value.decode(errors="replace").strip() if isinstance(value, bytes) else str(value)


def _shown(value: Any) -> str:
    text = _text(value)
    return repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…")


def _date(value: Any, tally: _Tally) -> date | None:
    text = _text(value)
    if not text:
        return None
    if not text.strip("0-/. "):
        tally(_NO_DATE)
        return None
    digits = _DIGITS.fullmatch(text)
    if digits is None:
        raise WrongValueError(f"{_shown(value)} is not a date.")
    try:
        day = date(*map(int, digits.groups()))
    except ValueError:
        tally(_NO_DATE)
        return None
    if text.isdecimal():
        tally(_COMPACT)
    return day


def _date_time(value: Any, tally: _Tally) -> str | None:
    text = _text(value)
    if isinstance(value, bytes) and not text.isdecimal():
        try:
            return rfc3339(datetime.fromisoformat(text.upper()))
        except (ValueError, OverflowError):
            if _LIKE_DATE_TIME.fullmatch(text):
                tally(_NO_DATE)
                return None
    day = _date(value, tally)
    return None if day is None else f"{day.isoformat()}T00:00:00Z"


_LIKE_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
