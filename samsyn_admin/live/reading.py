"""What the companion reads of the database: one statement after another, beside its loop."""

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
from sqlalchemy import Connection, Engine

from samsyn_model.database.engine import way_of
from samsyn_model.database.execution import driver_of, run
from samsyn_model.database.pooling.way import NO_NOTIFICATIONS
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import SamsynError
from samsyn_model.live import notices, rights, viewers
from samsyn_model.live.features import Features, changed_features
from samsyn_model.live.notices import CHANNEL, Notice
from samsyn_model.live.rights import Follower
from samsyn_model.live.viewers import Presence
from samsyn_model.replicas.positions import current_position

LOGGER = logging.getLogger(__name__)

_PAUSE = 1.0  # seconds before a lost connection is made again
_LOOK = 5.0  # seconds between two looks whether all is over


class Reader:
    """Statements of the companion, each awaited."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "statements")

    async def newest_position(self) -> tuple[int, int]:
        """As `notices.newest_position`."""
        return await self._read(notices.newest_position)

    async def notices_after(self, position: int, limit: int) -> list[Notice]:
        """As `notices.notices_after`."""
        return await self._read(lambda c: notices.notices_after(c, position, limit))

    async def log_position(self) -> int:
        """Return where the database's log is: what is committed ends before it."""
        return await self._read(current_position)

    async def positions_of(self, change_sets: Sequence[int]) -> dict[int, int]:
        """As `notices.positions_of`."""
        return await self._read(lambda c: notices.positions_of(c, change_sets))

    async def missed(
        self, missed: Sequence[tuple[int, uuid.UUID, int]], until: int, limit: int
    ) -> list[tuple[int, Notice]]:
        """As `notices.missed_notices`."""
        return await self._read(lambda c: [*notices.missed_notices(c, missed, until, limit)])

    async def readable(
        self, followers: Collection[Follower]
    ) -> dict[Follower, frozenset[uuid.UUID]]:
        """As `rights.readable_subjects`."""
        return await self._read(lambda c: rights.readable_subjects(c, followers))

    async def features(self, changed: Sequence[Notice], until: int) -> Features:
        """As `features.changed_features`; no statement where the notices name none."""
        if not any(notice.features for notice in changed):
            return {}
        return await self._read(lambda c: changed_features(c, changed, until))

    async def presence(
        self,
        companion: uuid.UUID,
        noted: Mapping[tuple[uuid.UUID, uuid.UUID], int] | None,
        maps: Collection[uuid.UUID],
    ) -> dict[uuid.UUID, Presence]:
        """Note the companion's viewers, unless None, and return those of maps at any companion."""

        def update() -> dict[uuid.UUID, Presence]:
            if noted is not None:
                with writing(self._engine) as connection:
                    viewers.note_viewers(connection, companion, noted)
            with reading(self._engine) as connection:
                return viewers.presence_of(connection, maps)

        return await asyncio.get_running_loop().run_in_executor(self._thread, update)

    async def remove_old_notices(self) -> None:
        """As `notices.remove_old_notices`."""

        def remove() -> None:
            with writing(self._engine) as connection:
                notices.remove_old_notices(connection)

        await asyncio.get_running_loop().run_in_executor(self._thread, remove)

    async def _read[Result](self, read: Callable[[Connection], Result]) -> Result:
        def reader() -> Result:
            with reading(self._engine) as connection:
                return read(connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, reader)


class Listener:
    """A thread on a connection of its own that is told of commits."""

    def __init__(self, engine: Engine, wake: Callable[[], None]) -> None:
        """`wake` is called in the thread."""
        self._engine, self._wake = engine, wake
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Listen until the process ends; without a connection the loop polls."""
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                if not self._listen():
                    return
            except (SamsynError, psycopg.Error) as error:
                LOGGER.warning("Notifications are not received: %s.", type(error).__name__)
            time.sleep(_PAUSE)

    def _listen(self) -> bool:
        """Listen until the connection is lost; False at once where no notification can come."""
        with reading(self._engine) as connection:
            if way_of(self._engine).moves:
                LOGGER.error(NO_NOTIFICATIONS, "events", "half a second")
                return False
            driver = driver_of(connection)
            try:
                run(connection, f"LISTEN {CHANNEL}")
                self._wake()  # for what was committed before
                while True:
                    for _ in driver.notifies(timeout=_LOOK, stop_after=1):
                        self._wake()
                    run(connection, "SELECT")  # raises where the connection is lost
            finally:
                connection.invalidate()  # nobody else is to listen
