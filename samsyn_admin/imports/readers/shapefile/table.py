"""The table of a shapefile, a `.dbf` file: its fields, and blocks of its rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from samsyn_admin.imports.readers.shapefile.encodings import TextBytes
from samsyn_admin.imports.readers.shapefile.records import refuse_truncated
from samsyn_model.errors import UnreadableFileError

type Rows = NDArray[np.uint8]
"""Rows of a table: a row of bytes each, of which the first marks those that are deleted."""

TEXT, NUMBER, FLOAT, LOGICAL, DATE, INTEGER = "CNFLDI"
_READ = frozenset({TEXT, NUMBER, FLOAT, LOGICAL, DATE, INTEGER})
_INTEGER_WIDTH = 4
_DATE_WIDTH = 8
_DELETED = ord("*")
_HEADER = 32  # bytes, and as many for each field
_END = 0x0D
_MAX_FIELDS = 2_048
_BLOCK = 4 * 1024 * 1024
_ASCII = 0x80
_CUT_AT_MOST = 3  # bytes of a character of UTF-8 without its last


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a table: where its bytes are in a row. `raw_name` has the name's bytes."""

    raw_name: bytes
    type: str
    start: int
    width: int
    decimals: int

    @property
    def is_read(self) -> bool:
        """Whether its values are in the table itself, in a known form."""
        return self.type in _READ and not (
            (self.type == INTEGER and self.width != _INTEGER_WIDTH)
            or (self.type == DATE and self.width != _DATE_WIDTH)
        )

    def column(self, rows: Rows) -> NDArray[np.uint8]:
        """Return its bytes of these rows, a copy."""
        return np.ascontiguousarray(rows[:, self.start : self.start + self.width])


class Table:
    """A `.dbf` file: the number of its rows, the size of each in bytes, its fields."""

    def __init__(self, path: Path) -> None:
        """Read the header; raises UnreadableFileError."""
        self._path = path
        with path.open("rb") as file:
            head = file.read(_HEADER)
            if len(head) < _HEADER:
                raise UnreadableFileError(f"{path} is damaged: it does not begin as a .dbf file.")
            self.count = int.from_bytes(head[4:8], "little")
            self._start = int.from_bytes(head[8:10], "little")
            self.row_size = int.from_bytes(head[10:12], "little")
            self.language_id = head[29]
            descriptions = file.read(max(self._start - _HEADER, 0))
        refuse_truncated(path, path.stat().st_size, self._start + self.count * self.row_size)
        self.fields = self._fields(descriptions)

    def _fields(self, descriptions: bytes) -> list[Field]:
        chunks: list[bytes] = []
        for start in range(0, len(descriptions) - _HEADER + 1, _HEADER):
            if descriptions[start] in {_END, 0}:
                break
            chunks.append(descriptions[start : start + _HEADER])
        for is_long in (False, True):
            fields, position = [], 1
            for chunk in chunks:
                kind, width, decimals = chr(chunk[11]).upper(), chunk[16], chunk[17]
                if kind == TEXT and is_long:  # some programs write texts of more than 255 bytes so
                    width, decimals = width + 256 * decimals, 0
                name = chunk[:11].partition(b"\0")[0].strip()
                fields.append(Field(name, kind, position, width, decimals))
                position += width
            if position == self.row_size:
                return fields
        if not (chunks and 1 < position <= self.row_size) or len(chunks) > _MAX_FIELDS:
            if not chunks and self.row_size >= 1:
                return []
            raise UnreadableFileError(
                f"{self._path} is damaged: its fields have {position:,} bytes, its rows"
                f" {self.row_size:,}."
            )
        return fields

    def blocks(self) -> Iterator[Rows]:
        """Yield all rows in blocks of some megabytes."""
        with self._path.open("rb") as file:
            step = max(1, _BLOCK // max(self.row_size, 1))
            for first in range(0, self.count, step):
                yield self.rows(file, first, min(first + step, self.count))

    def open(self) -> IO[bytes]:
        """Open the file for `rows`."""
        return self._path.open("rb")

    def rows(self, file: IO[bytes], first: int, last: int) -> Rows:
        """Return the rows from an index to before another."""
        file.seek(self._start + first * self.row_size)
        size = (last - first) * self.row_size
        data = file.read(size)
        if len(data) < size:
            raise UnreadableFileError(f"{self._path} has changed while it was read.")
        return np.frombuffer(data, np.uint8).reshape(last - first, self.row_size)

    def is_deleted(self, rows: Rows) -> NDArray[np.bool_]:
        """Return which rows are marked as deleted."""
        is_deleted: NDArray[np.bool_] = rows[:, 0] == _DELETED
        return is_deleted

    def survey(self) -> tuple[int, TextBytes]:
        """Read all rows once: return how many are not deleted, and what the texts' bytes are."""
        texts = [field for field in self.fields if field.type == TEXT]
        names = b"".join(field.raw_name for field in self.fields)
        is_ascii, has_controls, kept = names.isascii(), False, 0
        is_utf_8, has_characters = True, False
        for block in self.blocks():
            rows = block[~self.is_deleted(block)]
            kept += len(rows)
            if (rows < _ASCII).all():
                continue
            for field in texts:
                column = field.column(rows)
                high = column >= _ASCII
                if not high.any():
                    continue
                is_ascii = False
                has_controls = has_controls or bool((high & (column < 0xA0)).any())
                if is_utf_8:
                    valid, complete = _utf_8(column[high.any(axis=1)])
                    is_utf_8, has_characters = valid, has_characters or complete
        return kept, TextBytes(is_ascii, not is_ascii and is_utf_8 and has_characters, has_controls)


def _utf_8(column: NDArray[np.uint8]) -> tuple[bool, bool]:
    """Return whether all values, which are not ASCII, are UTF-8 but for a last character that is
    cut, and whether one has a whole character that is not ASCII."""
    count, width = column.shape
    buffer = pa.py_buffer(column.tobytes())
    values = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), count, [None, buffer])
    try:
        values.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        pass
    else:
        return True, True
    has_characters = False
    for value in values.to_pylist():
        text = cut_utf_8(value.rstrip(b" \0"), width)
        if text is None:
            return False, False
        has_characters = has_characters or not text[0].isascii()
    return True, has_characters


def cut_utf_8(value: bytes, width: int) -> tuple[str, bool] | None:
    """Return a value of a field in UTF-8, and whether a character was cut at the field's end and is
    left out; None if it is not UTF-8 otherwise."""
    try:
        return value.decode(), False
    except UnicodeDecodeError as error:
        is_cut = (
            error.reason == "unexpected end of data"
            and error.end == len(value)
            and len(value) >= width - _CUT_AT_MOST
        )
        return (value[: error.start].decode(), True) if is_cut else None
