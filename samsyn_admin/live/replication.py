"""Events wait for the replica: who is told of a change has to find it there."""

from collections import deque
from time import monotonic

from samsyn_model.replicas.replica import Replica


class Gate:
    """Up to where notices may be told of; of one loop.

    A notice waits until the replica has what it tells of, or for as long as a replica that is read
    may be behind: then none is read that lacks it. None waits while no process reads the replica.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._held = deque[tuple[int, int, float]]()
        self._open_to = self._last = -1

    @property
    def is_closed(self) -> bool:
        """Whether some notices wait."""
        return bool(self._held)

    def open_to(self, position: int, log_position: int) -> int:
        """Return up to which position notices may be told of, where the last ones are those of
        `position`, and the log has them before `log_position`."""
        if position > self._last:
            self._last = position
            self._held.append((position, log_position, monotonic()))
        now, replica = monotonic(), self._replica
        while self._held:
            last, needed, since = self._held[0]
            is_late = now - since >= replica.max_lag
            if needed > replica.position and not is_late and replica.may_be_read:
                replica.look_soon()
                break
            self._open_to = last
            self._held.popleft()
        return self._open_to
