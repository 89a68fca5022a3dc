"""Files that are read in blocks from afar, and the blocks that are kept of them."""

import io
from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from samsyn_model.errors import RemoteTimeoutError, SamsynError, UnusableRasterError

BLOCK = 64 * 1024
"""Bytes."""
_MAX_KEPT = 96 * 1024 * 1024  # bytes of blocks


@dataclass(slots=True)
class Allowance:
    """What may be read for one picture; `spend` raises UnusableRasterError, RemoteTimeoutError."""

    requests: int = 64
    size: int = 48 * 1024 * 1024
    """Bytes."""
    deadline: float = 0.0
    """By `monotonic`."""

    @property
    def seconds(self) -> float:
        """The time that is left."""
        return self.deadline - monotonic()

    def spend(self, size: int) -> None:
        """Count a request for so many bytes."""
        self.requests -= 1
        self.size -= size
        if self.requests < 0 or self.size < 0:
            raise UnusableRasterError(
                "Too much of the file has to be read for this: it is not a cloud-optimised GeoTIFF"
                " with overviews."
            )
        self.check_time()

    def check_time(self) -> None:
        """Raise RemoteTimeoutError where no time is left."""
        if self.seconds <= 0:
            raise RemoteTimeoutError("The file could not be read in time.")


class DistantFile(ABC):
    """A file that is read in spans."""

    identity: str
    """The same only for the same content."""
    size: int

    @abstractmethod
    def span(self, start: int, end: int, allowance: Allowance) -> bytes:
        """Return the bytes from `start` until before `end`; raises SamsynError."""


class BlockCache:
    """The blocks that were read last, 96 MiB in total; thread-safe."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, identity: str, number: int) -> bytes | None:
        """Return a block of a file."""
        with self._lock:
            block = self._blocks.get((identity, number))
            if block is not None:
                self._blocks.move_to_end((identity, number))
            return block

    def put(self, identity: str, number: int, block: bytes) -> None:
        """Keep a block of a file."""
        with self._lock:
            previous = self._blocks.pop((identity, number), b"")
            self._blocks[identity, number] = block
            self._size += len(block) - len(previous)
            while self._size > _MAX_KEPT:
                self._size -= len(self._blocks.popitem(last=False)[1])


@dataclass(slots=True)
class Reading:
    """A file that is read for one picture."""

    file: DistantFile
    cache: BlockCache
    allowance: Allowance
    failure: SamsynError | None = None
    """Why it cannot be read: for GDAL it ends there."""
    is_checked: bool = False
    """Whether what has been read so far is what was found to be harmless."""
    _checked: dict[int, bytes] = field(default_factory=dict)

    def blocks(self, first: int, last: int) -> list[bytes]:
        """Return blocks, those that are not kept read in as few spans as there are gaps.

        Time counts for kept ones too: GDAL reads and unpacks a block again and again where more of
        them than it keeps make a row of pixels. What was read before it was checked is the same
        whenever GDAL opens the file again, whatever the other server sends then.
        """
        self.allowance.check_time()
        identity, size = self.file.identity, self.file.size
        blocks = {
            number: self._checked.get(number) or self.cache.get(identity, number)
            for number in range(first, last + 1)
        }
        missing = [number for number, block in blocks.items() if block is None]
        while missing:
            begin = end = missing.pop(0)
            while missing and missing[0] == end + 1:
                end = missing.pop(0)
            start, stop = begin * BLOCK, min((end + 1) * BLOCK, size)
            self.allowance.spend(stop - start)
            content = self.file.span(start, stop, self.allowance)
            for number in range(begin, end + 1):
                place = (number - begin) * BLOCK
                blocks[number] = block = content[place : place + BLOCK]
                self.cache.put(identity, number, block)
        found = {number: block for number, block in blocks.items() if block is not None}
        if not self.is_checked:
            self._checked.update(found)
        return list(found.values())


class BlockReader(io.RawIOBase):
    """A file as GDAL reads one."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self._reading = reading
        self._place = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._reading.file.size}[
            whence
        ]
        self._place = max(0, base + offset)
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, fewer at the end."""
        all_bytes = self._reading.file.size
        end = all_bytes if size < 0 else min(all_bytes, self._place + size)
        if self._place >= end or self._reading.failure is not None:
            return b""
        first, last = self._place // BLOCK, (end - 1) // BLOCK
        try:
            content = b"".join(self._reading.blocks(first, last))
        except SamsynError as error:
            self._reading.failure = error
            return b""
        start = self._place - first * BLOCK
        found = content[start : start + end - self._place]
        self._place += len(found)
        return found
