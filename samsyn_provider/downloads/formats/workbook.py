"""XLSX: a workbook with a sheet of features, and a sheet of what their cells cannot hold."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa
from xlsxwriter import Workbook

from samsyn_model.errors import InvalidParameterError
from samsyn_model.features.spreadsheet_csv import SHEETS
from samsyn_provider.downloads.formats.spreadsheets import coordinate_names, positions
from samsyn_provider.downloads.formats.writers import FileContent, with_srid, wkt_texts
from samsyn_provider.geography.crs import WGS84

MAX_ROWS = 1_048_576
_MAX_COLUMNS = 16_384
_MAX_CHARACTERS = 32_767  # UTF-16 units in a cell
_MAX_INTEGER = 2**53  # numbers in cells are 64-bit floating point
_FIRST_YEAR = 1900
_MAX_NOTES = 1_000
_WIDTH = 14  # characters

_Write = Callable[[int, int, Any], str | None]
"""Writes a value into the cell in a row and a column; returns what the cell lacks of it."""
_Columns = list[tuple[_Write, list[Any]]]


def write_workbook(path: Path, content: FileContent) -> None:
    """Write XLSX: points as longitude and latitude, other geometries as WKT.

    Numbers, booleans and dates are such; texts are never formulas. Date-times are in UTC. Raises
    InvalidParameterError for more features or columns than a sheet has rows or columns.
    """
    ids = list(content.ids)
    count = sum(map(len, ids))
    if count >= MAX_ROWS:
        raise InvalidParameterError(
            f"An Excel sheet has {MAX_ROWS - 1:,} rows for features, and {count:,} match: use"
            " f=csv, or select fewer (bbox, filter, limit)."
        )
    with _workbook(path) as workbook:
        sheet = _FeatureSheet(workbook, content, count)
        for batch in content.read(ids):
            sheet.write(batch)
        _write_notes(workbook, content, sheet)


@contextmanager
def _workbook(path: Path) -> Iterator[Workbook]:
    """Yield a workbook whose rows are written to temporary files beside it."""
    options = {
        "constant_memory": True,
        "tmpdir": str(path.parent),
        "use_zip64": True,
        "remove_timezone": True,
    }
    workbook = Workbook(str(path), options)
    try:
        yield workbook
        workbook.close()
    finally:
        for sheet in workbook.worksheets():
            sheet.row_data_fh.close()


class _FeatureSheet:
    """The sheet with a row for each feature."""

    def __init__(self, workbook: Workbook, content: FileContent, count: int) -> None:
        table = content.table
        self._coordinates = coordinate_names(table, content.crs)
        self._has_geometries = table.geometry_name is not None
        self._crs = content.crs
        # the coordinates alone are enough for points in longitude and latitude without heights
        self._has_wkt = self._has_geometries and (
            len(self._coordinates) != 2
            or table.geometry_kinds != {"Point"}
            or content.crs.srid != WGS84
        )
        names = [table.id_name, *(column.name for column in table.columns), *self._coordinates]
        if table.geometry_name and self._has_wkt:
            names.append(table.geometry_name)
        if len(names) > _MAX_COLUMNS:
            raise InvalidParameterError(
                f"properties: An Excel sheet has {_MAX_COLUMNS:,} columns; name fewer properties."
            )
        self._names = names
        self._sheet = workbook.add_worksheet(SHEETS[0])
        self._date = workbook.add_format({"num_format": "yyyy-mm-dd"})
        self._date_time = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(names) - 1, _WIDTH)
        self._sheet.autofilter(0, 0, count, len(names) - 1)
        bold = workbook.add_format({"bold": True})
        for number, name in enumerate(names):
            self._sheet.write_string(0, number, name, bold)
        self.rows = 0
        """The number of features."""
        self.notes: list[tuple[int, str, str]] = []
        """The first cells that lack something of their value: id, column, and what."""
        self.note_count = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a row for each feature of a batch."""
        columns = self._columns(batch)
        for index, feature_id in enumerate(columns[0][1]):
            self.rows += 1
            for number, (write, values) in enumerate(columns):
                value = values[index]
                if value is None:
                    continue
                note = write(self.rows, number, value)
                if note:
                    self.note_count += 1
                    if len(self.notes) < _MAX_NOTES:
                        self.notes.append((feature_id, self._names[number], note))

    def _columns(self, batch: pa.RecordBatch) -> _Columns:
        """Return the columns of a batch's rows: how each is written, and its values."""
        arrays = list(batch.columns)
        texts = wkt_texts(arrays.pop()) if self._has_geometries else None
        columns: _Columns = [(self._writer(array.type), array.to_pylist()) for array in arrays]
        if texts is None:
            return columns
        axes = positions(texts, len(self._coordinates))
        for axis in axes:
            columns.append((self._write_number, [text and float(text) for text in axis]))
        if self._has_wkt:
            columns.append((self._write_wkt, with_srid(texts, self._crs).to_pylist()))
        return columns

    def _writer(self, kind: pa.DataType) -> _Write:
        if pa.types.is_boolean(kind):
            return self._write_boolean
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return self._write_number
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            return self._write_moment
        return self._write_text

    def _write_boolean(self, row: int, column: int, value: bool) -> None:
        self._sheet.write_boolean(row, column, value)

    def _write_number(self, row: int, column: int, value: float) -> str | None:
        is_exact = isinstance(value, float) or abs(value) <= _MAX_INTEGER
        if is_exact and isfinite(value):
            self._sheet.write_number(row, column, value)
            return None
        self._sheet.write_string(row, column, str(value))
        return "The number is a text: Excel cannot hold it."

    def _write_moment(self, row: int, column: int, value: date) -> str | None:
        if value.year < _FIRST_YEAR:
            self._sheet.write_string(row, column, value.isoformat())
            return f"The date is a text: dates in Excel begin with {_FIRST_YEAR}."
        if not isinstance(value, datetime):
            self._sheet.write_datetime(row, column, value, self._date)
            return None
        self._sheet.write_datetime(row, column, value, self._date_time)
        has_more = value.microsecond % 1000
        return f"Cut to milliseconds: {value.isoformat()}" if has_more else None

    def _write_text(self, row: int, column: int, value: str) -> str | None:
        if self._sheet.write_string(row, column, value) == 0:
            return None
        return f"Cut: the text has {len(value):,} characters, a cell {_MAX_CHARACTERS:,}."

    def _write_wkt(self, row: int, column: int, value: str) -> str | None:
        if len(value) <= _MAX_CHARACTERS:
            self._sheet.write_string(row, column, value)
            return None
        return (
            f"Left out: the geometry has {len(value):,} characters as WKT, a cell"
            f" {_MAX_CHARACTERS:,}."
        )


def _write_notes(workbook: Workbook, content: FileContent, features: _FeatureSheet) -> None:
    sheet = workbook.add_worksheet(SHEETS[1])
    bold = workbook.add_format({"bold": True})
    sheet.set_column(0, 1, 2 * _WIDTH)
    sheet.set_column(2, 2, 6 * _WIDTH)
    facts = (
        ("Layer", content.title),
        ("Features", f"{features.rows:,}"),
        ("Coordinates", content.crs.uri),
        ("Written", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("Date-times", "UTC"),
        ("Numbers", "15 digits, as in every Excel file"),
        ("Cells that lack something of their value", f"{features.note_count:,}"),
    )
    for row, (name, value) in enumerate(facts):
        sheet.write_string(row, 0, name, bold)
        sheet.write_string(row, 1, value)
    if not features.notes:
        return
    first = len(facts) + 1
    for column, name in enumerate((content.table.id_name, "column", "what the cell lacks")):
        sheet.write_string(first, column, name, bold)
    for row, (feature_id, column_name, note) in enumerate(features.notes, first + 1):
        sheet.write_number(row, 0, feature_id)
        sheet.write_string(row, 1, column_name)
        sheet.write_string(row, 2, note)
    more = features.note_count - len(features.notes)
    if more:
        sheet.write_string(first + 1 + len(features.notes), 0, f"and {more:,} more")
