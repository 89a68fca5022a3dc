"""CSV with coordinates.

A file with a byte order mark is one for spreadsheets, as our own downloads may be. Apostrophes that
keep its texts from being formulas are removed, and columns that repeat coordinates left out.
"""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from samsyn_admin.imports.readers.tables.layer import Row, TableLayer
from samsyn_admin.imports.readers.tables.text import (
    MAX_LINE,
    find_dialect,
    find_encoding,
    lines_of,
)
from samsyn_admin.imports.sources.options import DEFAULTS, ReadOptions
from samsyn_model.errors import UnreadableFileError
from samsyn_model.features.spreadsheet_csv import without_guard


class CSVLayer(TableLayer):
    """A CSV file."""

    format = "CSV"

    def __init__(self, path: Path, options: ReadOptions = DEFAULTS) -> None:
        super().__init__(path, path.stem, options)
        self._encoding = find_encoding(path, options.encoding)
        self.encoding, self.encoding_origin = self._encoding.name, self._encoding.origin
        self.may_be_damaged = not self._encoding.is_sound
        self.is_of_spreadsheets = self._encoding.has_mark
        self._dialect = find_dialect(path, self._encoding)
        self.has_semicolons = self._dialect.delimiter == ";"
        self._ends_with_newline = _ends_with_newline(path)
        self.open()

    def rows(self) -> Iterator[Row]:
        """Read the rows; raises UnreadableFileError for a file that is not CSV or is truncated."""
        csv.field_size_limit(MAX_LINE)
        first = self._dialect.first_lines
        lines = islice(lines_of(self.path, self._encoding), first, None)
        reader = csv.reader(lines, delimiter=self._dialect.delimiter, strict=True)
        header: list[str] | None = None
        empty = 0
        short: tuple[int, int] | None = None
        next_line = first + 1
        try:
            for cells in reader:
                line, next_line = next_line, first + reader.line_num + 1
                if short:
                    yield self._of_other_length(*short, len(header or ()))
                    short = None
                if not cells:
                    continue
                if header is None:
                    header = cells
                elif not any(cells) and len(header) > 1:
                    empty += 1
                    continue
                elif len(cells) < len(header):
                    short = line, len(cells)
                    continue
                elif len(cells) > len(header):
                    if any(cells[len(header) :]):
                        yield self._of_other_length(line, len(cells), len(header))
                        continue
                    self.note("Empty values behind the last column were left out.")
                yield Row(line, cells[: len(header)])
        except csv.Error as error:
            raise UnreadableFileError(
                f"{self.path} is not valid CSV at line {first + reader.line_num}: {error}."
            ) from error
        if short:
            if not self._ends_with_newline:
                raise UnreadableFileError(
                    f"{self.path}: line {short[0]} has {short[1]} values, not"
                    f" {len(header or ())} as the header (is the file truncated?)."
                )
            yield self._of_other_length(*short, len(header or ()))
        if empty:
            self.tally("{count} empty {row was|rows were} skipped.", empty)

    def _of_other_length(self, line: int, length: int, expected: int) -> Row:
        reason = f"The row has {length} values, the header {expected}."
        return Row(line, (), reason)

    def heading(self, text: str) -> str:
        """Return the name of a column."""
        return self.text(super().heading(text))

    def text(self, text: str) -> str:
        """Return a text without the apostrophe that keeps it from being a formula."""
        plain = without_guard(text) if self.is_of_spreadsheets else text
        if plain != text:
            self.note("Apostrophes before =, +, - and @, as spreadsheets need them, were removed.")
        return plain


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(file.tell() - 2, 0))
        end = file.read(2)
    return end.endswith((b"\n", b"\r")) or end in {b"\n\0", b"\r\0"}
