"""Responses that a process has sent, cached by entity tag.

The tag of a response changes with its layer: entries under former tags are not requested again, and
are evicted.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

_MAX_SIZE = 16 * 1024 * 1024  # bytes
_MAX_RESPONSE_SIZE = _MAX_SIZE // 32
_ENTRY_OVERHEAD, _HEADER_OVERHEAD = 512, 200  # bytes of Python objects, each entry and header


@dataclass(frozen=True)
class CachedResponse:
    """The body and the headers of a response."""

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @cached_property
    def size(self) -> int:
        """The memory that the entry takes, in bytes: an estimate with the overhead."""
        headers = sum(_HEADER_OVERHEAD + len(name) + len(value) for name, value in self.headers)
        return _ENTRY_OVERHEAD + len(self.body) + headers


class ResponseCache:
    """An LRU cache of responses, 16 MiB in total; thread-safe.

    `max_response_size` is the maximum size of a response in bytes.
    """

    def __init__(self, max_response_size: int = _MAX_RESPONSE_SIZE) -> None:
        self._max_response_size = max_response_size
        self._responses: OrderedDict[str, CachedResponse] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, tag: str) -> CachedResponse | None:
        """Return the response with this tag, None where it is not cached."""
        with self._lock:
            if tag not in self._responses:
                return None
            self._responses.move_to_end(tag)
            return self._responses[tag]

    def put(self, tag: str, response: CachedResponse) -> None:
        """Store a response, unless it is large; the least recently used ones are evicted."""
        if response.size > self._max_response_size:
            return
        with self._lock:
            previous = self._responses.pop(tag, None)
            self._responses[tag] = response
            self._size += response.size - (previous.size if previous else 0)
            while self._size > _MAX_SIZE:
                self._size -= self._responses.popitem(last=False)[1].size
