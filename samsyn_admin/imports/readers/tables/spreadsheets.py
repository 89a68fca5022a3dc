"""Spreadsheets: each sheet with columns of coordinates is a layer."""

import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from xml.parsers import expat

from samsyn_admin.imports.readers.tables.coordinates.numbers import Cell
from samsyn_admin.imports.readers.tables.layer import Row, TableLayer
from samsyn_admin.imports.sources.limits import check_count, check_size
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError
from samsyn_model.features.spreadsheet_csv import SHEETS

MAX_UNPACKED_SHEETS = 1024**3
"""The maximum size of the parts of a workbook in bytes, unpacked."""
MAX_COLUMNS = 16_384
MAX_CELLS = 100_000_000
"""The maximum number of cells in a sheet, repeated ones counted as often as they are repeated."""
MAX_TEXT = 1_000_000
"""The maximum length of the text of a cell in characters."""
_CHUNK = 64 * 1024
_MAX_TAG = 16 * 1024 * 1024

type Cells = list[Cell]
type SheetRow = tuple[int, Cells]
"""The number of a row, and its cells up to the last one that is not empty."""


class Workbook:
    """The parts of a workbook, which are read as streams."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_download = False
        """Whether the sheets have the names of those of our downloads."""
        with self.opened() as archive:
            check_size(path, archive.infolist(), MAX_UNPACKED_SHEETS)
            self.parts = frozenset(archive.namelist())

    @contextmanager
    def opened(self) -> Iterator[zipfile.ZipFile]:
        """Open the zip file; its errors become UnreadableFileError."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except (
            *(zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, EOFError, OSError),
            *(NotImplementedError, KeyError, zlib.error),
        ) as error:
            raise UnreadableFileError(f"{self.path} is damaged or encrypted: {error}.") from error

    def parse(self, part: str, handlers: "Handlers") -> Iterator[None]:
        """Parse a part as XML in steps, so that what the handlers collect can be taken meanwhile.

        Raises UnreadableFileError, also for a document type, which may have entities.
        """
        with self.opened() as archive, archive.open(part) as file:
            yield from self._parse(part, file, handlers)

    def _parse(self, part: str, file: IO[bytes], handlers: "Handlers") -> Iterator[None]:
        def refuse_doctype(*_: object) -> None:
            raise UnreadableFileError(
                f"{self.path} is damaged: {part} has a document type declaration."
            )

        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = handlers.start
        parser.EndElementHandler = handlers.end
        parser.CharacterDataHandler = handlers.text
        parser.StartDoctypeDeclHandler = refuse_doctype
        fed = 0
        try:
            while chunk := file.read(_CHUNK):
                parser.Parse(chunk, False)
                fed += len(chunk)
                if fed - parser.CurrentByteIndex > _MAX_TAG:
                    raise UnreadableFileError(f"{self.path} is damaged: {part} has an endless tag.")
                yield
            parser.Parse(b"", True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise UnreadableFileError(
                f"{self.path} is damaged: {part} is not valid XML ({error})."
            ) from error
        yield


class Handlers:
    """What is done with the elements of a part, by their names without prefixes."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._length = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        self.begin(name.rpartition(":")[2], attributes)

    def end(self, name: str) -> None:
        """End an element."""
        self.finish(name.rpartition(":")[2])

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element of this name."""

    def finish(self, name: str) -> None:
        """End an element of this name."""

    def text(self, text: str) -> None:
        """Collect the text of a cell."""
        self._length += len(text)
        if self._length > MAX_TEXT:
            raise ValueError(f"a cell has more than {MAX_TEXT:,} characters")
        self._texts.append(text)

    def take_text(self) -> str:
        """Return the text collected since it was last taken."""
        text = "".join(self._texts)
        self._texts.clear()
        self._length = 0
        return text


class SheetLayer(TableLayer):
    """A sheet of a workbook."""

    has_typed_cells = True

    def __init__(self, workbook: Workbook, name: str, options: ReadOptions) -> None:
        super().__init__(workbook.path, name, options)
        self.workbook = workbook
        is_download = workbook.is_download and name == SHEETS[0]
        self.is_of_spreadsheets = self.has_only_coordinates = is_download
        self.problem = ""

    @abstractmethod
    def sheet_rows(self) -> Iterator[SheetRow]:
        """Read the rows of the sheet."""

    def refuse(self, reason: str) -> None:
        """Take a sheet without coordinates as a table of attributes."""
        self.has_geometry = False
        self.problem = reason

    def rows(self) -> Iterator[Row]:
        """Read the header and the rows that are not empty."""
        width = count = empty = beyond = 0
        for number, cells in self.sheet_rows():
            count += len(cells)
            if count > MAX_CELLS:
                raise UnreadableFileError(
                    f"{self.path}: the sheet {self.name!r} has more than {MAX_CELLS:,} cells."
                )
            filled = not all(isinstance(cell, str) and not cell.strip() for cell in cells)
            if not filled:
                empty += bool(width)
                continue
            if not width:
                width = len(cells)
            beyond += sum(cell != "" for cell in cells[width:])
            yield Row(number, [*cells[:width], *[""] * (width - len(cells))])
        self.tally("{count} empty {row was|rows were} skipped.", empty)
        self.tally("{count} {value|values} beyond the last heading {was|were} left out.", beyond)


def opened_sheets(
    workbook: Workbook, names: Sequence[str], sheet: Callable[[int, str], SheetLayer]
) -> Sequence[SheetLayer]:
    """Return the sheets of a workbook with these names, by their number; those without content are
    left out. Where no sheet has coordinates the first one says why."""
    check_count(workbook.path, len(names))
    workbook.is_download = set(SHEETS) <= set(names)
    layers = [sheet(number, name) for number, name in enumerate(names)]
    for layer in layers:
        layer.open()
    layers = [layer for layer in layers if layer.properties.names]
    if not layers:
        raise UnreadableFileError(f"{workbook.path} has no sheet with content.")
    if not any(layer.has_geometry for layer in layers):
        layers[0].has_geometry = True
        layers[0].refusal = f"{workbook.path}: the sheet {layers[0].name!r} {layers[0].problem}"
    return layers
