"""The bytes of events, made once for all streams that are sent the same."""

import uuid
from collections.abc import Sequence

from samsyn_admin.live.audiences import Audience
from samsyn_admin.live.events import Event, cloud_events, id_line, origo_events
from samsyn_admin.live.streams import Stream
from samsyn_model.live.features import Features
from samsyn_model.live.notices import Notice


class Renderer:
    """The events of some notices."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self._events: dict[tuple[int, uuid.UUID, str, str], list[Event]] = {}
        self._texts: dict[tuple[str, str, tuple[Event, ...]], bytes] = {}

    def text(self, notices: Sequence[Notice], audience: Audience, stream: Stream) -> bytes:
        """Return the events of one position that a stream is sent; empty where there are none.

        The last one has the number of the change set: a stream is resumed after all of them.
        """
        profile, base = stream.admission.profile, stream.admission.base
        subjects = audience.subjects
        events = tuple(
            event
            for notice in notices
            if notice.subject_id in subjects
            for event in self._of(notice, profile, base)
            if _is_readable(event, audience)
        )
        if not events:
            return b""
        key = (profile, base, events)
        text = self._texts.get(key)
        if text is None:
            *others, last = (event.text.encode() for event in events)
            first = b"".join(other + b"\n" for other in others)
            text = first + id_line(notices[0].change_set_id) + last + b"\n"
            self._texts[key] = text
        return text

    def _of(self, notice: Notice, profile: str, base: str) -> list[Event]:
        key = notice.position, notice.subject_id, profile, base
        events = self._events.get(key)
        if events is None:
            if profile == "origo":
                events = [*origo_events(notice, self._features)]
            else:
                events = [*cloud_events(notice, base, self._features)]
            self._events[key] = events
        return events


def _is_readable(event: Event, audience: Audience) -> bool:
    if not event.is_for(audience.follower.user_id):
        return False
    layer = event.layer
    if layer is None or layer in audience.layers:
        return True
    return event.is_departure and layer in audience.departed
