"""What was written lately, by whom: until a replica has replayed it, the primary is read."""

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from samsyn_model.replicas.replica import Progress
from samsyn_model.replicas.shared_moments import SharedMoments
from samsyn_model.settings import Settings

if TYPE_CHECKING:
    from samsyn_model.replicas.redis_positions import RedisPositions

LOGGER = logging.getLogger(__name__)

_SPARE = 60  # seconds


class Writes:
    """The last writes of users, and of layers and maps by anybody; thread-safe.

    Those of this machine's processes are known at once, those of other machines where there is a
    Redis.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises OSError, and ValueError when REDIS_URL is not a Redis URL."""
        self._moments = SharedMoments(settings.read_database_url or "")
        self._positions = _positions(settings)

    def begin(self, commit: str, ids: Collection[UUID]) -> None:
        """Note that the transaction of this id which wrote these, or is theirs, is about to be
        committed: from now on others may see it. Where `end` does not follow, for PENDING
        seconds."""
        self._moments.begin(ids)
        if self._positions is not None:
            self._positions.begin(commit, ids)

    def end(self, commit: str, ids: Collection[UUID], position: int) -> None:
        """Note that the commit is done, and before which position; 0 where it was none."""
        self._moments.end(ids)
        if self._positions is not None:
            self._positions.end(commit, ids, position)

    def are_replayed(self, ids: Collection[UUID], progress: Progress) -> bool:
        """Return whether a replica has all writes of these that anybody may have seen."""
        if not self._moments.are_before(ids, progress.fresh_until):
            return False
        return self._positions is None or self._positions.are_before(ids, progress.position)


def _positions(settings: Settings) -> "RedisPositions | None":
    if not settings.redis_url:
        return None
    # slow to import, and optional
    from samsyn_model.replicas.redis_positions import RedisPositions  # noqa: PLC0415

    # a replica that may be read has all that is older than its lag
    return RedisPositions(settings.redis_url, settings.read_database_max_lag + _SPARE)
