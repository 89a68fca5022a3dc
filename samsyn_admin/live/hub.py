"""The companion's one loop: reads what was committed, and sends it to whom it is for.

Everything happens in turn, on one connection: new notices, clients that have come, rights, who is
there. So nothing is sent by rights that are older than the last notice that changes them.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from itertools import groupby
from time import monotonic

import psycopg
from sqlalchemy import Engine

from samsyn_admin.live.arrivals import Arrivals
from samsyn_admin.live.audiences import Audiences
from samsyn_admin.live.events import HEARTBEAT
from samsyn_admin.live.presence import MapPresence
from samsyn_admin.live.reading import Reader
from samsyn_admin.live.rendering import Renderer
from samsyn_admin.live.replication import Gate
from samsyn_admin.live.streams import Stream
from samsyn_model.errors import SamsynError
from samsyn_model.live.notices import Notice
from samsyn_model.live.rights import Follower, may_end_rights
from samsyn_model.metrics.counting import note_live_clients

LOGGER = logging.getLogger(__name__)

_POLLING = 0.5  # seconds, where no notification comes through
_LINGER = 0.02  # seconds for which further notices may come, to be read together
_RIGHTS = 0.5  # seconds between two checks of who may still read what they follow
_PARTS = 6  # of the followers are checked in turn, so that events need not wait for all
_BEATS = 20.0  # seconds between two heartbeats of a stream
_PAUSE = 0.5  # seconds after a failure of the database
_RETENTION = 3600.0  # seconds between two removals of old notices
_POSITIONS = 500  # read at once


class Hub:
    """The streams of one companion."""

    def __init__(self, engine: Engine, per_caller: int, gate: Gate | None = None) -> None:
        self._reader = Reader(engine)
        self._gate = gate
        self._audiences = Audiences(per_caller)
        self._arrivals = Arrivals(self._reader, self._audiences)
        self._presence = MapPresence(self._reader, self._audiences)
        self._wake = asyncio.Event()
        self._rights_due = self._retention_due = 0.0
        self._part = 0
        self._position = self._change_set = 0

    def wake(self) -> None:
        """Look for notices soon."""
        self._wake.set()

    def add(self, stream: Stream) -> None:
        """Have a client's stream begin."""
        if self._audiences.admits(stream):
            self._arrivals.add(stream)
            self._wake.set()
        else:
            stream.end()

    async def run(self) -> None:
        """Send events until cancelled; while the database is away wait for it."""
        is_begun, is_failing = False, False
        while True:
            try:
                if not is_begun:
                    self._position, self._change_set = await self._reader.newest_position()
                    while await self._open_to(self._position) < self._position:
                        await asyncio.sleep(_LINGER)
                    is_begun = True
                await self._turn()
            except (SamsynError, psycopg.Error) as error:
                if not is_failing:
                    LOGGER.error("Events wait for the database: %s.", type(error).__name__)
                is_failing = True
                await asyncio.sleep(_PAUSE)
            else:
                if is_failing:
                    LOGGER.warning("The database is back.")
                is_failing = False
                await self._wait()

    async def beat(self) -> None:
        """Send heartbeats until cancelled: to a part of the streams each second."""
        part = 0
        parts = int(_BEATS)
        while True:
            await asyncio.sleep(1)
            part = (part + 1) % parts
            streams = self._audiences.streams()
            note_live_clients(len(streams))
            for stream in streams:
                if id(stream) // 16 % parts == part:
                    stream.beat(HEARTBEAT)

    def end(self) -> None:
        """End all streams: their clients come back, to another companion."""
        for stream in [*self._audiences.streams(), *self._arrivals.waiting]:
            stream.end()

    async def _wait(self) -> None:
        try:
            is_closed = self._gate is not None and self._gate.is_closed
            async with asyncio.timeout(_LINGER if is_closed else _POLLING):
                await self._wake.wait()
                await asyncio.sleep(_LINGER)
        except TimeoutError:
            pass
        self._wake.clear()

    async def _turn(self) -> None:
        while notices := await self._reader.notices_after(self._position, _POSITIONS):
            open_to = await self._open_to(notices[-1].position)
            told = [notice for notice in notices if notice.position <= open_to]
            if not told:
                break
            await self._dispatch(told)
        if monotonic() >= self._rights_due:
            await self._check_part()
        if self._arrivals.waiting:
            await self._arrivals.let_in(self._position, self._change_set)
        await self._presence.update()
        if monotonic() >= self._retention_due:
            self._retention_due = monotonic() + _RETENTION * random.uniform(0.5, 1.5)  # noqa: S311 - companions do it in turn
            await self._reader.remove_old_notices()

    async def _open_to(self, position: int) -> int:
        """Return up to which position notices may be told of, of those up to one."""
        if self._gate is None:
            return position
        return self._gate.open_to(position, await self._reader.log_position())

    async def _check_part(self) -> None:
        """Check the rights of some of the followers, in turn."""
        self._rights_due = monotonic() + _RIGHTS
        self._part = (self._part + 1) % _PARTS
        self._audiences.remove_ended()
        followers = self._audiences.followers()
        await self._check_rights([f for f in followers if hash(f) % _PARTS == self._part])

    async def _check_rights(
        self, followers: Sequence[Follower], notices: Sequence[Notice] = ()
    ) -> None:
        """End the streams of those who may not read any more what they follow; they are told
        where it has been deleted."""
        if not followers:
            return
        renderer = Renderer({})
        readable = await self._reader.readable(followers)
        for audience in self._audiences.set_rights(followers, readable):
            farewell = [
                notice
                for notice in notices
                if notice.subject_id == audience.follower.subject_id and _is_deletion(notice)
            ]
            for stream in audience.streams:
                if farewell:
                    stream.send(renderer.text(farewell, audience, stream))
                stream.end()
                self._audiences.release(stream)

    async def _dispatch(self, notices: list[Notice]) -> None:
        """Send the events of notices; whoever loses a right by them has lost it before."""
        changes_rights = any(may_end_rights(c) for notice in notices for c in notice.subjects)
        if changes_rights:
            await self._check_rights(self._audiences.followers(), notices)
        followed = [n for n in notices if self._audiences.of_subject(n.subject_id)]
        renderer = Renderer(await self._reader.features(followed, notices[-1].position))
        for position, group in groupby(followed, key=lambda notice: notice.position):
            self._send(renderer, position, [*group])
        self._position, self._change_set = notices[-1].position, notices[-1].change_set_id
        if changes_rights:
            self._audiences.forget_departed()

    def _send(self, renderer: Renderer, position: int, notices: Sequence[Notice]) -> None:
        audiences = {
            audience
            for notice in notices
            for audience in self._audiences.of_subject(notice.subject_id)
        }
        for audience in audiences:
            for stream in audience.streams:
                if stream.after < position:
                    text = renderer.text(notices, audience, stream)
                    if text:
                        stream.send(text)


def _is_deletion(notice: Notice) -> bool:
    return any(
        change.action == "delete" and change.id == notice.subject_id for change in notice.subjects
    )
