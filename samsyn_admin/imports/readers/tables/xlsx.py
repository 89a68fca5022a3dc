"""XLSX: sheets of typed cells, their texts in a part that the sheets share."""

import posixpath
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

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
from samsyn_admin.imports.readers.tables.xlsx_values import CellReader, Styles, unescaped
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError

WORKBOOK = "xl/workbook.xml"
_MAX_SHARED = 256 * 1024 * 1024  # characters
_REFERENCE = re.compile(r"([A-Z]{1,3})[0-9]*")


def xlsx_layers(workbook: Workbook, options: ReadOptions) -> Sequence[TableLayer]:
    """Return the sheets of an XLSX file. Raises UnreadableFileError, InvalidParameterError."""
    contents = _Contents()
    _read(workbook, WORKBOOK, contents)
    relations = _Relations()
    _read(workbook, "xl/_rels/workbook.xml.rels", relations)
    sheets = [
        (name, part)
        for name, relation in contents.sheets
        if (part := relations.parts.get(relation)) in workbook.parts
    ]
    styles = Styles()
    if "xl/styles.xml" in workbook.parts:
        _read(workbook, "xl/styles.xml", styles)
    texts = _SharedTexts()
    if "xl/sharedStrings.xml" in workbook.parts:
        _read(workbook, "xl/sharedStrings.xml", texts)
    reading = CellReader(texts.texts, styles.forms(), is_1904=contents.is_1904)
    return opened_sheets(
        workbook,
        [name for name, _ in sheets],
        lambda number, name: XLSXLayer(workbook, name, options, sheets[number][1] or "", reading),
    )


def _read(workbook: Workbook, part: str, handlers: Handlers) -> None:
    for _ in workbook.parse(part, handlers):
        pass


class XLSXLayer(SheetLayer):
    """A sheet of an XLSX file."""

    format = "XLSX"

    def __init__(
        self,
        workbook: Workbook,
        name: str,
        options: ReadOptions,
        part: str,
        reading: "CellReader",
    ) -> None:
        super().__init__(workbook, name, options)
        self._part = part
        self._reading = reading

    def sheet_rows(self) -> Iterator[SheetRow]:
        """Read the rows of the sheet."""
        rows = _Rows(self._reading)
        for _ in self.workbook.parse(self._part, rows):
            while rows.complete:
                yield rows.complete.popleft()


class _Contents(Handlers):
    """The sheets that a workbook lists, and the day from which it counts."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: list[tuple[str, str]] = []
        self.is_1904 = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self.take_text()
        if name == "sheet":
            relation = next((v for k, v in attributes.items() if k.endswith(":id")), "")
            self.sheets.append((attributes.get("name", ""), relation))
        elif name == "workbookPr":
            self.is_1904 = attributes.get("date1904") in {"1", "true"}


class _Relations(Handlers):
    """The parts of a workbook by the ids of its relations; links to outside are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, str] = {}

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self.take_text()
        is_sheet = attributes.get("Type", "").endswith("/worksheet")
        if name == "Relationship" and is_sheet and attributes.get("TargetMode") != "External":
            path = posixpath.normpath(posixpath.join("/xl", attributes.get("Target", "")))
            self.parts[attributes.get("Id", "")] = path.lstrip("/")


class _SharedTexts(Handlers):
    """The texts that cells refer to by their number."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._parts: list[str] = []
        self._size = 0
        self._is_sound = False  # how a text is pronounced

    def begin(self, name: str, _: dict[str, str]) -> None:
        if name == "rPh":
            self._is_sound = True
        self.take_text()

    def finish(self, name: str) -> None:
        if name == "t" and not self._is_sound:
            self._parts.append(unescaped(self.take_text()))
        elif name == "rPh":
            self._is_sound = False
        elif name == "si":
            text = "".join(self._parts)
            self._parts.clear()
            self._size += len(text)
            if self._size > _MAX_SHARED:
                raise ValueError("its texts are too large")
            self.texts.append(text)


class _Rows(Handlers):
    """The rows of a sheet that are complete."""

    def __init__(self, reading: CellReader) -> None:
        super().__init__()
        self.complete: deque[SheetRow] = deque()
        self._reading = reading
        self._number = 0
        self._cells: Cells = []
        self._column = 0
        self._attributes: Mapping[str, str] = {}
        self._value = ""
        self._is_sound = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            reference = _REFERENCE.fullmatch(attributes.get("r", ""))
            self._column = _column(reference[1]) if reference else len(self._cells)
            self._attributes, self._value = attributes, ""
        elif name == "row":
            self._number = int(attributes.get("r", self._number + 1))
            self._cells = []
        elif name == "rPh":
            self._is_sound = True
        self.take_text()

    def finish(self, name: str) -> None:
        if name == "v" or (name == "t" and not self._is_sound):
            self._value += self.take_text()
        elif name == "rPh":
            self._is_sound = False
        elif name == "c":
            self._add()
        elif name == "row":
            self.complete.append((self._number, self._cells))
            self._cells = []

    def _add(self) -> None:
        try:
            value = self._reading.read(self._attributes, self._value)
        except IndexError:
            raise ValueError("a cell refers to a text that is missing") from None
        if value == "":
            return
        if not len(self._cells) <= self._column < MAX_COLUMNS:
            raise UnreadableFileError(
                f"The cells of row {self._number} are in disorder, or too many."
            )
        self._cells += [""] * (self._column - len(self._cells))
        self._cells.append(value)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
