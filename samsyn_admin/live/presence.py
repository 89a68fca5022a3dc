"""Who has the maps open that are followed here, at this companion or another one."""

import uuid
from collections import Counter
from time import monotonic

from samsyn_admin.live.audiences import Audiences
from samsyn_admin.live.events import presence_event
from samsyn_admin.live.reading import Reader
from samsyn_admin.live.streams import Stream
from samsyn_model.live.viewers import NOBODY

_INTERVAL = 2.0  # seconds between two looks
_NOTED = 10.0  # seconds after which the same is noted again

type _Viewers = Counter[tuple[uuid.UUID, uuid.UUID]]


class MapPresence:
    """Tells the readers of a map who else has it open."""

    def __init__(self, reader: Reader, audiences: Audiences) -> None:
        self._reader, self._audiences = reader, audiences
        self._companion = uuid.uuid4()
        self._due = self._noted_at = 0.0
        self._noted: _Viewers = Counter()
        self._told: dict[uuid.UUID, bytes] = {}
        self._knows: set[Stream] = set()

    async def update(self) -> None:
        """Note who is here, and tell of changes, where some seconds have passed."""
        now = monotonic()
        if now < self._due:
            return
        self._due = now + _INTERVAL
        viewers: _Viewers = Counter()
        for audience in self._audiences.of_maps():
            follower = audience.follower
            viewers[follower.subject_id, follower.user_id or NOBODY] += len(audience.streams)
        maps = {map_id for map_id, _ in viewers}
        if not maps and not self._noted:
            return
        is_news = viewers != self._noted or now > self._noted_at + _NOTED
        presence = await self._reader.presence(self._companion, viewers if is_news else None, maps)
        if is_news:
            self._noted, self._noted_at = viewers, now
        self._tell({map_id: presence_event(found) for map_id, found in presence.items()})

    def _tell(self, texts: dict[uuid.UUID, bytes]) -> None:
        knowing = set()
        for audience in self._audiences.of_maps():
            map_id = audience.follower.subject_id
            text = texts.get(map_id)
            if text is None:
                continue
            is_news = self._told.get(map_id) != text
            for stream in audience.streams:
                if is_news or stream not in self._knows:
                    stream.send(text)
                knowing.add(stream)
        self._told, self._knows = texts, knowing
