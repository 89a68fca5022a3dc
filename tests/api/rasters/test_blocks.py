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
