"""Streams grouped in audiences: all of one follower, with the same rights."""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from time import monotonic

from samsyn_admin.live.streams import Stream
from samsyn_model.live.rights import Follower


class Audience:
    """The streams of one follower: who follows the same thing by the same credentials."""

    __slots__ = ("departed", "follower", "layers", "streams")

    def __init__(self, follower: Follower, layers: frozenset[uuid.UUID]) -> None:
        self.follower = follower
        self.layers = layers
        """The layers of what is followed that the follower may read."""
        self.departed: frozenset[uuid.UUID] = frozenset()
        """Those that were readable until the change of rights that is being told."""
        self.streams: set[Stream] = set()

    @property
    def subjects(self) -> frozenset[uuid.UUID]:
        """Whose notices are of interest."""
        return self.layers | self.departed | {self.follower.subject_id}


class Audiences:
    """All audiences of a companion, found by what they follow."""

    def __init__(self, per_caller: int) -> None:
        self._per_caller = per_caller
        self._callers: Counter[str] = Counter()
        self._by_follower: dict[Follower, Audience] = {}
        self._by_subject: dict[uuid.UUID, set[Audience]] = {}

    def admits(self, stream: Stream) -> bool:
        """Return whether the stream's caller has not too many already; count it then."""
        caller = stream.admission.caller
        if caller is None:
            return True
        if self._callers[caller] >= self._per_caller:
            return False
        self._callers[caller] += 1
        return True

    def find(self, follower: Follower) -> Audience | None:
        """Return the audience of a follower."""
        return self._by_follower.get(follower)

    def add(self, follower: Follower, layers: frozenset[uuid.UUID]) -> Audience:
        """Return a new audience, of a follower who may read these layers."""
        audience = self._by_follower[follower] = Audience(follower, layers)
        self._index(audience)
        return audience

    def of_subject(self, subject: uuid.UUID) -> Collection[Audience]:
        """Return the audiences that a notice is of interest to."""
        return self._by_subject.get(subject, ())

    def followers(self) -> list[Follower]:
        """Return all followers."""
        return [*self._by_follower]

    def streams(self) -> list[Stream]:
        """Return all streams."""
        return [stream for audience in self._by_follower.values() for stream in audience.streams]

    def of_maps(self) -> Iterator[Audience]:
        """Yield the audiences of maps."""
        for follower, audience in self._by_follower.items():
            if follower.kind == "map":
                yield audience

    def set_rights(
        self, checked: Iterable[Follower], readable: Mapping[Follower, frozenset[uuid.UUID]]
    ) -> list[Audience]:
        """Note which of the followers that were checked may read what; return the audiences that
        may not any more: they are found no longer, and their streams have to be ended."""
        lost = []
        for follower in checked:
            audience, layers = self._by_follower[follower], readable.get(follower)
            if layers is None:
                self._remove(audience)
                lost.append(audience)
            elif layers != audience.layers:
                self._forget(audience)
                audience.departed = audience.layers - layers
                audience.layers = layers
                self._index(audience)
        return lost

    def forget_departed(self) -> None:
        """Let nobody be told of layers that they may not read any more."""
        for audience in self._by_follower.values():
            if audience.departed:
                self._forget(audience)
                audience.departed = frozenset()
                self._index(audience)

    def remove_ended(self) -> None:
        """End the streams whose time is over, and forget those whose clients have gone."""
        now = monotonic()
        for audience in [*self._by_follower.values()]:
            for stream in [*audience.streams]:
                if stream.ends_at is not None and stream.ends_at <= now:
                    stream.end()
                if not stream.is_open:
                    audience.streams.discard(stream)
                    self.release(stream)
            if not audience.streams:
                self._remove(audience)

    def release(self, stream: Stream) -> None:
        """Count a stream no more that has been admitted."""
        caller = stream.admission.caller
        if caller is not None:
            self._callers[caller] -= 1
            if self._callers[caller] <= 0:
                del self._callers[caller]

    def _remove(self, audience: Audience) -> None:
        self._forget(audience)
        del self._by_follower[audience.follower]

    def _index(self, audience: Audience) -> None:
        for subject in audience.subjects:
            self._by_subject.setdefault(subject, set()).add(audience)

    def _forget(self, audience: Audience) -> None:
        for subject in audience.subjects:
            others = self._by_subject[subject]
            others.discard(audience)
            if not others:
                del self._by_subject[subject]
