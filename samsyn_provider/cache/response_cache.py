"""Answers that a process has given, by the tags of what they are made from.

A layer that changes has other tags from then on: what is kept under the old ones is never asked
for again, and gives way.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

_MOST = 16 * 1024 * 1024  # bytes
_LARGEST = _MOST // 32
_ENTRY, _OBJECTS = 512, 200  # bytes that Python takes for an answer, and for one of its headers


@dataclass(frozen=True)
class CachedResponse:
    """The body of an answer, and the headers that belong to it."""

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @cached_property
    def size(self) -> int:
        """How many bytes it takes to keep it, near enough: more than it has."""
        headers = sum(_OBJECTS + len(name) + len(value) for name, value in self.headers)
        return _ENTRY + len(self.body) + headers


class ResponseCache:
    """Keeps the answers asked for last, 16 MiB together; safe for threads."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, CachedResponse] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, tag: str) -> CachedResponse | None:
        """Return the answer of a tag where it is kept."""
        with self._lock:
            if tag not in self._answers:
                return None
            self._answers.move_to_end(tag)
            return self._answers[tag]

    def keep(self, tag: str, answer: CachedResponse) -> None:
        """Keep an answer, unless it is large, in place of those not asked for longest."""
        if answer.size > _LARGEST:
            return
        with self._lock:
            before = self._answers.pop(tag, None)
            self._answers[tag] = answer
            self._size += answer.size - (before.size if before else 0)
            while self._size > _MOST:
                self._size -= self._answers.popitem(last=False)[1].size
