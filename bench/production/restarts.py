"""A rolling restart: one instance after the other, with the migrations between, then the rest."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from bench.production.arrangement import Arrangement

_PAUSE = 1.0  # seconds between two steps
_ALONE = ("worker", "tiler")


async def restart(
    arrangement: Arrangement, tell: Callable[[str], None], code: Path | None = None
) -> None:
    """Restart all that is of the image as an upgrade to this code does it: migrations first, then
    what sends events, each instance of the server, and what is beside them.

    Raises StartError where something does not end in its time, or does not start.
    """
    await asyncio.to_thread(arrangement.upgrade, code)
    tell("  migrated")
    seconds = await asyncio.to_thread(arrangement.replace, "live")
    tell(f"  live is replaced, the former has ended in {seconds:.1f} s")
    for name in (*arrangement.instances, *_ALONE):
        await asyncio.sleep(_PAUSE)
        seconds = await asyncio.to_thread(arrangement.stop, name)
        await asyncio.sleep(_PAUSE)  # what comes meanwhile goes elsewhere
        await asyncio.to_thread(arrangement.start, name)
        tell(f"  {name} is replaced, the former has ended in {seconds:.1f} s")
    await asyncio.sleep(_PAUSE)
