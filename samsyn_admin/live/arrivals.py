"""Clients that have come: told what they have missed, then they follow what happens."""

import uuid
from collections import deque
from collections.abc import Sequence
from itertools import groupby

from samsyn_admin.live.audiences import Audience, Audiences
from samsyn_admin.live.events import ready_event, reset_event
from samsyn_admin.live.reading import Reader
from samsyn_admin.live.rendering import Renderer
from samsyn_admin.live.streams import MAX_UNSENT, Stream
from samsyn_model.live.notices import Notice

_AT_ONCE = 500  # clients
_MAX_MISSED = 1_000
"""Change sets of a subject that are told later; beyond it a client has to load anew."""


class Arrivals:
    """Streams that have not begun."""

    def __init__(self, reader: Reader, audiences: Audiences) -> None:
        self._reader, self._audiences = reader, audiences
        self.waiting: deque[Stream] = deque()

    def add(self, stream: Stream) -> None:
        """Have a stream begin when it is its turn."""
        self.waiting.append(stream)

    async def let_in(self, position: int, change_set: int) -> None:
        """Have some of the streams begin: all notices up to this position have been read, and
        `change_set` is the number of the last. No other notices are read meanwhile."""
        streams = [*self.waiting][:_AT_ONCE]
        audiences = await self._audiences_of(streams)
        known = await self._reader.positions_of(
            [last for stream in streams if (last := stream.admission.last)]
        )
        known[0] = 0  # of a client that came before anything was changed
        missed, texts = [], dict[Stream, bytes]()
        for number, stream in enumerate(streams):
            audience, last = audiences.get(stream), stream.admission.last
            if audience is None:
                continue
            if last is None:
                texts[stream] = ready_event(change_set)
            elif last not in known:
                texts[stream] = reset_event(change_set)
            elif known[last] < position:
                missed += [(number, subject, known[last]) for subject in audience.subjects]
            stream.after = max(position, known.get(last or 0, 0))
        texts |= await self._missed_texts(streams, audiences, missed, position, change_set)
        for stream in streams:
            self.waiting.popleft()
            self._begin(stream, audiences.get(stream), texts.get(stream))

    def _begin(self, stream: Stream, audience: Audience | None, text: bytes | None) -> None:
        if audience is None:
            stream.end()
        if audience is None or not stream.is_open:
            self._audiences.release(stream)
            return
        audience.streams.add(stream)
        if text:
            stream.send(text)

    async def _audiences_of(self, streams: Sequence[Stream]) -> dict[Stream, Audience]:
        """Return the audiences of those streams whose followers may read what they follow."""
        unknown = {stream.follower for stream in streams} - set(self._audiences.followers())
        for follower, layers in (await self._reader.readable(unknown)).items():
            self._audiences.add(follower, layers)
        found = ((stream, self._audiences.find(stream.follower)) for stream in streams)
        return {stream: audience for stream, audience in found if audience is not None}

    async def _missed_texts(
        self,
        streams: Sequence[Stream],
        audiences: dict[Stream, Audience],
        missed: list[tuple[int, uuid.UUID, int]],
        position: int,
        change_set: int,
    ) -> dict[Stream, bytes]:
        """Return what streams are sent of notices that they have missed."""
        if not missed:
            return {}
        rows = await self._reader.missed(missed, position, _MAX_MISSED + 1)
        features = await self._reader.features([notice for _, notice in rows], position)
        renderer = Renderer(features)
        texts = {}
        for number, group in groupby(rows, key=lambda row: row[0]):
            notices = [notice for _, notice in group]
            stream = streams[number]
            text = b""
            if len(notices) <= _MAX_MISSED:
                text = _joined(renderer, notices, audiences[stream], stream)
            if len(notices) > _MAX_MISSED or len(text) > MAX_UNSENT // 2:
                text = reset_event(change_set)
            texts[stream] = text
        return texts


def _joined(renderer: Renderer, notices: list[Notice], audience: Audience, stream: Stream) -> bytes:
    positions = groupby(notices, key=lambda notice: notice.position)
    return b"".join(renderer.text([*group], audience, stream) for _, group in positions)
