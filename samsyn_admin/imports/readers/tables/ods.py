"""ODS: all sheets in one part; cells and rows may be repeated."""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from math import isfinite

from samsyn_admin.imports.readers.tables.coordinates.numbers import Cell
from samsyn_admin.imports.readers.tables.layer import TableLayer
from samsyn_admin.imports.readers.tables.spreadsheets import (
    MAX_COLUMNS,
    Cells,
    Handlers,
    SheetLayer,
    SheetRow,
    Workbook,
    opened_sheets,
)
from samsyn_admin.imports.sources.options import ReadOptions

CONTENT = "content.xml"
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_TIME = re.compile(r"PT([0-9]{1,2})H([0-9]{1,2})M([0-9]{1,2})(?:[.,][0-9]+)?S")
_NUMBERS = {"float", "percentage", "currency"}
_CELLS = {"table-cell", "covered-table-cell"}


def ods_layers(workbook: Workbook, options: ReadOptions) -> Sequence[TableLayer]:
    """Return the sheets of an ODS file. Raises UnreadableFileError, InvalidParameterError."""
    names = _Names()
    for _ in workbook.parse(CONTENT, names):
        pass
    return opened_sheets(
        workbook, names.names, lambda number, name: ODSLayer(workbook, name, options, number)
    )


class ODSLayer(SheetLayer):
    """A sheet of an ODS file."""

    format = "ODS"

    def __init__(self, workbook: Workbook, name: str, options: ReadOptions, number: int) -> None:
        super().__init__(workbook, name, options)
        self._number = number

    def sheet_rows(self) -> Iterator[SheetRow]:
        """Read the rows of the sheet."""
        rows = _Rows(self._number)
        next_number = 1
        for _ in self.workbook.parse(CONTENT, rows):
            while rows.complete:
                times, cells = rows.complete.popleft()
                for number in range(next_number, next_number + (times if cells else 0)):
                    yield number, cells
                next_number += times
            if rows.is_over:
                return


class _Names(Handlers):
    """The names of the sheets."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self._depth = 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self.take_text()
        if name == "table":
            if not self._depth:
                self.names.append(_attribute(attributes, "name"))
            self._depth += 1

    def finish(self, name: str) -> None:
        self.take_text()
        self._depth -= name == "table"


class _Rows(Handlers):
    """The rows of a sheet that are complete, with how often they are repeated."""

    def __init__(self, sheet: int) -> None:
        super().__init__()
        self.complete: deque[tuple[int, Cells]] = deque()
        self.is_over = False
        self._sheet = sheet
        self._current = -1
        self._depth = self._ignored = 0
        self._cells: Cells = []
        self._pending = 0  # empty cells that only count where another follows
        self._times = self._columns = 1
        self._attributes: Mapping[str, str] = {}
        self._paragraphs: list[str] = []

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table":
            self._depth += 1
            self._current += self._depth == 1
        if self._current != self._sheet or self._depth != 1 or self._ignored:
            self._ignored += name == "annotation"
            self.take_text()
        elif name == "annotation":
            self._ignored = 1
        elif name == "table-row":
            self._cells, self._pending = [], 0
            self._times = _times(attributes, "number-rows-repeated")
        elif name in _CELLS:
            self._attributes, self._paragraphs = attributes, []
            self._columns = _times(attributes, "number-columns-repeated")
            self.take_text()
        elif name == "p":
            self.take_text()
        elif name == "s":
            self.text(" " * min(_times(attributes, "c"), 1000))
        elif name in {"tab", "line-break"}:
            self.text("\t" if name == "tab" else "\n")

    def finish(self, name: str) -> None:
        if name == "annotation":
            self._ignored -= 1
            self.take_text()
        elif name == "table":
            self.is_over = self.is_over or (self._depth == 1 and self._current == self._sheet)
            self._depth -= 1
        elif self._current != self._sheet or self._depth != 1 or self._ignored:
            self.take_text()
        elif name == "p":
            self._paragraphs.append(self.take_text())
        elif name in _CELLS:
            self._add()
        elif name == "table-row":
            self.complete.append((self._times, self._cells))

    def _add(self) -> None:
        value = _value(self._attributes, "\n".join(self._paragraphs))
        if value == "":
            self._pending += self._columns
            return
        if len(self._cells) + self._pending + self._columns > MAX_COLUMNS:
            raise ValueError(f"a row has more than {MAX_COLUMNS:,} cells")
        self._cells += [""] * self._pending + [value] * self._columns
        self._pending = 0


def _attribute(attributes: Mapping[str, str], name: str) -> str:
    return next((v for k, v in attributes.items() if k.rpartition(":")[2] == name), "")


def _times(attributes: Mapping[str, str], name: str) -> int:
    return max(int(_attribute(attributes, name) or 1), 1)


def _value(attributes: Mapping[str, str], text: str) -> Cell:
    kind = attributes.get("office:value-type") or _attribute(attributes, "value-type")
    if kind in _NUMBERS:
        value = _attribute(attributes, "value")
        number = int(value) if _INTEGER.fullmatch(value) else float(value)
        return number if isfinite(number) else value
    if kind == "boolean":
        return _attribute(attributes, "boolean-value") == "true"
    if kind == "date":
        return _moment(_attribute(attributes, "date-value"))
    if kind == "time":
        match = _TIME.fullmatch(_attribute(attributes, "time-value"))
        hours, minutes, seconds = map(int, match.groups()) if match else (24, 0, 0)
        return time(hours, minutes, seconds) if hours < 24 else text
    return _attribute(attributes, "string-value") or text


def _moment(value: str) -> Cell:
    try:
        return datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
    except ValueError:
        return value
