"""The records of a `.shp` file: where they are, and the positions that each one holds."""

from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samsyn_admin.imports.sources.layer import BATCH_BYTES, BATCH_FEATURES
from samsyn_model.errors import UnreadableFileError

SIGNATURE = b"\x00\x00\x27\x0a"
HEADER = 100  # bytes, of a .shp and of a .shx
NULL, POINT, LINE, POLYGON, MULTIPOINT, MULTIPATCH = 0, 1, 3, 5, 8, 31
_Z, _M = 1, 2
_RECORD_HEADER = 8
_BETWEEN = 65_536
"""So many bytes between records are read with them rather than passed over."""
_NO_MEASURE = -1e38  # a smaller one stands for none
_CODE = Struct("<i")
_PLAIN = Struct("<i32x3i")
_PLAIN_TYPES = frozenset({LINE, POLYGON})
"""Of one part and without heights, as most are."""
_COUNT = Struct("<36xi")
_COUNTS = Struct("<36xii")
_LENGTH = Struct(">4xi")


WRONG_PARTS = "its parts do not begin at its positions"


class DamagedShapeError(ValueError):
    """A record does not hold a shape; its text is the reason."""


class Shape(NamedTuple):
    """A record: `kind` is its type without dimensions, `parts` where its parts begin, from 0; that
    they ascend is not checked.

    `positions` has two columns, `heights` a value for each of them, or is None. `patches` are the
    types of the parts of a MULTIPATCH.
    """

    kind: int
    parts: NDArray[np.int32]
    positions: NDArray[np.float64]
    heights: NDArray[np.float64] | None = None
    has_measures: bool = False
    patches: NDArray[np.int32] | None = None


_ONE_PART = np.zeros(1, "<i4")
_NO_PARTS = np.zeros(0, "<i4")
_NOTHING = Shape(NULL, _NO_PARTS, np.zeros((0, 2)))


def parsed_shape(data: bytes, start: int, size: int) -> Shape:
    """Return the shape of `size` bytes at `start`; raises DamagedShapeError."""
    if size >= _PLAIN.size:
        code, parts, count, first = _PLAIN.unpack_from(data, start)
        if (
            code in _PLAIN_TYPES
            and parts == 1
            and not first
            and 0 < count <= (size - _PLAIN.size) // 16
        ):
            positions = np.frombuffer(data, "<f8", 2 * count, start + _PLAIN.size)
            return Shape(code, _ONE_PART, positions.reshape(-1, 2))
    return _any_shape(data, start, size)


def _any_shape(data: bytes, start: int, size: int) -> Shape:
    if size < _CODE.size:
        raise DamagedShapeError("its record is too short")
    (code,) = _CODE.unpack_from(data, start)
    if code == NULL:
        return _NOTHING
    dimension, kind = (_Z, code) if code == MULTIPATCH else divmod(code, 10)
    if kind == POINT and dimension <= _M:
        return _values(data, start + 4, size - 4, dimension, (kind, _ONE_PART, 1, 0))
    if kind not in {LINE, POLYGON, MULTIPOINT, MULTIPATCH} or not 0 <= dimension <= _M:
        raise DamagedShapeError(f"{code} is no type of a shape")
    head = _COUNT.size if kind == MULTIPOINT else _COUNTS.size
    if size < head:
        raise DamagedShapeError("its record is too short")
    if kind == MULTIPOINT:
        parts, (count,) = 0, _COUNT.unpack_from(data, start)
    else:
        parts, count = _COUNTS.unpack_from(data, start)
    tables = 2 if kind == MULTIPATCH else 1
    if parts < 0 or count < 0 or size < head + tables * 4 * parts + 16 * count:
        raise DamagedShapeError("its record is shorter than the number of its positions requires")
    if not count:
        return _NOTHING
    if kind == MULTIPOINT:
        return _values(data, start + head, size - head, dimension, (kind, _ONE_PART, count, 16))
    starts = _ONE_PART if parts == 1 else np.frombuffer(data, "<i4", parts, start + head)
    if not parts or _CODE.unpack_from(data, start + head)[0] != 0 or starts[-1] >= count:
        raise DamagedShapeError(WRONG_PARTS)
    patches = np.frombuffer(data, "<i4", parts, start + head + 4 * parts) if tables > 1 else None
    head += tables * 4 * parts
    shape = _values(data, start + head, size - head, dimension, (kind, starts, count, 16))
    return shape if patches is None else shape._replace(patches=patches)


def _values(
    data: bytes,
    start: int,
    size: int,
    dimension: int,
    shape: tuple[int, NDArray[np.int32], int, int],
) -> Shape:
    """Return a shape of positions, followed by heights and measures, each behind its range."""
    kind, parts, count, range_size = shape
    position, length = 16 * count, range_size + 8 * count
    if size < position + (length if dimension == _Z else 0):
        raise DamagedShapeError("its record is shorter than the number of its positions requires")
    positions = np.frombuffer(data, "<f8", 2 * count, start).reshape(-1, 2)
    if not dimension:
        return Shape(kind, parts, positions)
    heights = None
    if dimension == _Z:
        heights = np.frombuffer(data, "<f8", count, start + position + range_size)
        position += length
    has_measures = False
    if size >= position + length:
        measures = np.frombuffer(data, "<f8", count, start + position + range_size)
        has_measures = bool((measures > _NO_MEASURE).any())
    return Shape(kind, parts, positions, heights, has_measures)


class ShapeFile:
    """A `.shp` file: `offsets` and `sizes` of the contents of its records, in bytes."""

    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __init__(self, path: Path, index: Path | None) -> None:
        """Read the index, a `.shx`, or find the records one by one; raises UnreadableFileError."""
        self._path = path
        with path.open("rb") as file:
            header = file.read(HEADER)
            if not header.startswith(SIGNATURE) or len(header) < HEADER:
                raise UnreadableFileError(f"{path} is damaged: it does not begin as a .shp file.")
            self.type = int.from_bytes(header[32:36], "little")
            self._size = path.stat().st_size
            expected = 2 * int.from_bytes(header[24:28], "big")
            refuse_truncated(path, self._size, expected)
            if index is None:
                self._find_records(file, expected)
        if index is not None:
            self._read_index(index)
        total = int(self.sizes.sum()) + _RECORD_HEADER * len(self.sizes)
        beyond = bool(len(self.offsets)) and int((self.offsets + self.sizes).max()) > self._size
        if beyond or total > self._size or (self.sizes < 0).any() or (self.offsets < HEADER).any():
            raise UnreadableFileError(
                f"{index or path} is damaged: it names shapes outside of {path.name}."
                + (" Without the .shx file it is made anew." if index else "")
            )

    def _read_index(self, path: Path) -> None:
        content = path.read_bytes()
        if not content.startswith(SIGNATURE) or len(content) < HEADER:
            raise UnreadableFileError(f"{path} is damaged: it does not begin as a .shx file.")
        expected = 2 * int.from_bytes(content[24:28], "big")
        refuse_truncated(path, len(content), expected)
        count = max(expected - HEADER, 0) // 8
        entries = np.frombuffer(content, ">i4", 2 * count, HEADER).reshape(-1, 2).astype(np.int64)
        self.offsets = 2 * entries[:, 0] + _RECORD_HEADER
        self.sizes = 2 * entries[:, 1]

    def _find_records(self, file: IO[bytes], end: int) -> None:
        position = HEADER
        offsets: list[int] = []
        sizes: list[int] = []
        while position + _RECORD_HEADER <= end:
            file.seek(position)
            (words,) = _LENGTH.unpack(file.read(_RECORD_HEADER))
            if words < 0 or position + _RECORD_HEADER + 2 * words > end:
                raise UnreadableFileError(
                    f"{self._path} is damaged: its record {len(sizes) + 1:,} ends behind the file."
                )
            offsets.append(position + _RECORD_HEADER)
            sizes.append(2 * words)
            position += _RECORD_HEADER + 2 * words
        self.offsets, self.sizes = np.array(offsets, np.int64), np.array(sizes, np.int64)

    def batches(self) -> Iterator[tuple[int, list[Shape | str]]]:
        """Yield the index of the first and the shapes of records; a text is why one is damaged."""
        first, count = 0, len(self.sizes)
        totals = np.cumsum(self.sizes)
        with self._path.open("rb") as file:
            while first < count:
                before = int(totals[first - 1]) if first else 0
                last = int(np.searchsorted(totals, before + BATCH_BYTES, "right"))
                last = max(first + 1, min(last, first + BATCH_FEATURES, count))
                yield first, self._shapes(file, first, last)
                first = last

    def _shapes(self, file: IO[bytes], first: int, last: int) -> list[Shape | str]:
        offsets, sizes = self.offsets[first:last], self.sizes[first:last]
        start, end = int(offsets.min()), int((offsets + sizes).max())
        if end - start > sizes.sum() + _BETWEEN:
            pairs = zip(offsets.tolist(), sizes.tolist(), strict=True)
            return [self._shape(self._read(file, at, size), 0, size) for at, size in pairs]
        data = self._read(file, start, end - start)
        pairs = zip((offsets - start).tolist(), sizes.tolist(), strict=True)
        return [self._shape(data, at, size) for at, size in pairs]

    def _read(self, file: IO[bytes], start: int, size: int) -> bytes:
        file.seek(start)
        data = file.read(size)
        if len(data) < size:
            raise UnreadableFileError(f"{self._path} has changed while it was read.")
        return data

    def _shape(self, data: bytes, start: int, size: int) -> Shape | str:
        try:
            return parsed_shape(data, start, size)
        except DamagedShapeError as error:
            return str(error)


def refuse_truncated(path: Path, size: int, expected: int) -> None:
    """Raise UnreadableFileError when a part of a shapefile is shorter than its header states."""
    if size < expected:
        raise UnreadableFileError(f"{path} is truncated: {size:,} bytes of {expected:,}.")
