"""What may be read of a file of another server for one picture."""

from time import monotonic

import pytest

from samsyn_admin.tiler.blocks import BLOCK, Allowance, BlockCache, DistantFile, Reading
from samsyn_model.errors import RemoteTimeoutError


class Zeros(DistantFile):
    """A file of two blocks."""

    identity, size = "zeros", 2 * BLOCK

    def span(self, start: int, end: int, allowance: Allowance) -> bytes:
        """Return as many zeros."""
        return bytes(end - start)


def test_time_is_over_for_blocks_that_are_kept_too() -> None:
    """As of a file of 20 kB whose blocks GDAL unpacks anew for each row of pixels: it took a thread
    until the whole process was ended."""
    reading = Reading(Zeros(), BlockCache(), Allowance(deadline=monotonic() + 60))
    assert reading.blocks(0, 1) == [bytes(BLOCK)] * 2
    asked = reading.allowance.requests
    assert reading.blocks(0, 0) == [bytes(BLOCK)]
    assert reading.allowance.requests == asked
    reading.allowance.deadline = monotonic()
    with pytest.raises(RemoteTimeoutError):
        reading.blocks(0, 0)


class Changing(Zeros):
    """A file whose server sends other bytes each time, under the same entity tag."""

    def __init__(self) -> None:
        self.asked = 0

    def span(self, start: int, end: int, allowance: Allowance) -> bytes:
        """Return as many bytes of another value."""
        self.asked += 1
        return bytes([self.asked]) * len(super().span(start, end, allowance))


def test_what_was_checked_is_what_is_opened_again() -> None:
    """GDAL reads the head again for an overview: by then it could name a file of this machine, and
    GDAL has its driver of VRTs again once something was warped."""
    cache = BlockCache()
    reading = Reading(Changing(), cache, Allowance(deadline=monotonic() + 60))
    assert reading.blocks(0, 0) == [b"\x01" * BLOCK]
    reading.is_checked = True
    assert reading.blocks(1, 1) == [b"\x02" * BLOCK]
    reading.cache = BlockCache()  # others have read much meanwhile
    assert reading.blocks(0, 1) == [b"\x01" * BLOCK, b"\x03" * BLOCK]
