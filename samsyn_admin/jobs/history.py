"""What workers do about the history: what was committed is sealed, what is too old removed."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from samsyn_model.audit.pruning import Pruning, prune
from samsyn_model.audit.sealing import seal_batch
from samsyn_model.errors import SamsynError
from samsyn_model.settings import Settings

LOGGER = logging.getLogger(__name__)

_SEALING = 3  # seconds between two looks for what is to be sealed
_PRUNING = 3600  # seconds between two looks for what is too old


async def keep_history(engine: Engine, settings: Settings) -> None:
    """Seal and prune, again and again, until cancelled; one worker of all seals at a time."""
    rounds = _PRUNING // _SEALING
    number = 0
    while True:
        try:
            while await asyncio.to_thread(seal_batch, engine):
                pass
            if number % rounds == 0 and settings.history_retention is not None:
                await asyncio.to_thread(
                    prune_old, engine, settings.history_retention, settings.deleted_layer_retention
                )
            number += 1
        except SamsynError as error:
            LOGGER.warning("the history is not sealed or not pruned: %s", error.detail)
        await asyncio.sleep(_SEALING)


def prune_old(engine: Engine, days: int, days_of_deleted_layers: int) -> int:
    """Remove the versions that ended longer ago than so many days; return how many.

    The history begins at a midnight then, so that it is told once a day at most.
    """
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    pruning = Pruning(midnight - timedelta(days=days), days_of_deleted_layers, via="job")
    number = sum(batch.versions for batch in prune(engine, pruning))
    if number:
        LOGGER.info("removed %d versions from before %s", number, pruning.before.date())
    return number
