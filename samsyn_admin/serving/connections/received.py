"""What a client has sent on a connection, read without waiting until a request is whole."""

import re
import tempfile
import time
from socket import MSG_DONTWAIT
from threading import Lock
from typing import IO, Any

from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.unreader import SocketUnreader

from samsyn_admin.serving.connections.chunked import ChunkedBody

MIN_RATE = 16 * 1024
"""Bytes: for as many a client has another second for the rest of its message."""
MAX_HEAD = 64 * 1024
MAX_KEPT = 16 * 1024 * 1024 + 1024
"""Bytes of a body that is kept until it is whole. A larger one is read by a thread."""
_IN_MEMORY = 128 * 1024  # bytes of a body; more is in a temporary file
_MAX_STORED = 1024 * 1024 * 1024  # bytes of all such files of a process
_HEAD_READ, _BODY_READ = 16 * 1024, 256 * 1024
_TURN = 4  # reads, after which other connections have their turn
_MAX_LINE = 8192
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FRAMING = re.compile(rb"\n(content-length|transfer-encoding)[ \t]*:[ \t]*([^\r\n]*)", re.I)
_EXPECTS = re.compile(rb"\nexpect:[ \t]*100-continue[ \t]*\r", re.I)
_HEALTH = re.compile(rb"(?:\r\n)?(?:GET|HEAD) /api/health[/? ]")
_OF_OTHERS = re.compile(
    rb"(?:\r\n)?[A-Z]+ /api/v1/(?:gfw|titiler|wms|wms-servers|layers/[^/? ]{36}/raster)[/? ]"
)


class NoRoomError(Exception):
    """There is no room for what has to be stored."""


def temporary_file() -> IO[bytes]:
    """Return a file in TMPDIR that has no name."""
    return tempfile.TemporaryFile(prefix="samsyn-", buffering=0)


class _Stored:
    """The bytes in temporary files of this process."""

    def __init__(self) -> None:
        self._size, self._lock = 0, Lock()

    def add(self, size: int) -> None:
        """Count bytes, fewer where negative; raises NoRoomError where they would be too many."""
        with self._lock:
            if size > 0 and self._size + size > _MAX_STORED:
                raise NoRoomError
            self._size += size


STORED = _Stored()
"""What this process stores of requests and responses."""


class Received(SocketUnreader):  # type: ignore[misc]
    """What gunicorn's parser reads a connection's requests from.

    The main thread calls `receive`; the thread that serves a request, what the parser calls.
    """

    def __init__(self, socket: Any, head_timeout: float, body_timeout: float) -> None:
        super().__init__(socket)
        self.head_timeout, self._body_timeout = head_timeout, body_timeout
        self._file: IO[bytes] | None = None
        self._stored = self._unread = 0  # bytes of the file
        self.begin()
        self._since = time.monotonic()

    def begin(self) -> None:
        """Begin with the next request; the bytes of it that are here already stay."""
        if self._file is not None:
            self.buf.seek(0, 2)
            self.buf.write(self._file.read(self._unread))
            self.close()
        self.is_whole = self.is_large = self.is_health = self.is_of_others = False
        self.has_ended = self.has_continued = False
        self._since = time.monotonic() if self.buf.tell() else 0.0
        self._has_head = False
        self._error: Exception | None = None
        self._searched = self._count = 0
        self._length: int | None = None
        self._chunked: ChunkedBody | None = None
        self._find_head()

    def close(self) -> None:
        """Remove what is stored."""
        if self._file is not None:
            self._file.close()
            STORED.add(-self._stored)
            self._file, self._stored, self._unread = None, 0, 0

    @property
    def has_begun(self) -> bool:
        """Whether some of the request is here."""
        return self._has_head or self._searched > 0

    @property
    def deadline(self) -> float:
        """Until when (`time.monotonic`) the head has to be here, then as much of the body as is."""
        if self._has_head:
            return self._since + self._body_timeout + self._count / MIN_RATE
        return self._since + self.head_timeout

    def receive(self) -> bool:
        """Read what has arrived; return whether the request can be served, or the client has ended.

        Raises OSError where the connection has failed, LimitRequestHeaders where the head is too
        long, NoRoomError where the body cannot be stored.
        """
        for _ in range(_TURN):
            if self._is_ready():
                return True
            try:
                data = self.sock.recv(_BODY_READ if self._has_head else _HEAD_READ, MSG_DONTWAIT)
            except BlockingIOError:
                return False
            if not data:
                self.has_ended = True
                return True
            self._add(data)
        return self._is_ready()

    def _is_ready(self) -> bool:
        if self._error is not None:
            raise self._error
        return self.is_whole or self.is_large

    def _add(self, data: bytes) -> None:
        if not self._since:
            self._since = time.monotonic()
        self.buf.seek(0, 2)
        if not self._has_head:
            self.buf.write(data)
            self._find_head()
            return
        if self._file is None and self.buf.tell() + len(data) <= _IN_MEMORY:
            self.buf.write(data)
        else:
            try:
                self._store(data)
            except NoRoomError as error:
                self._error = error
                raise
        self._count_body(data)

    def _find_head(self) -> None:
        text = self.buf.getvalue()
        start = 2 if text.startswith(b"\r\n") else 0
        end = text.find(b"\r\n\r\n", max(start, self._searched - 3))
        self._searched = len(text)
        if (end if end >= 0 else len(text)) > MAX_HEAD:
            self._error = LimitRequestHeaders("the headers are too long")
        elif end < 0:
            self._refuse_head(text, start)
        else:
            self._begin_body(text[: end + 2], text[end + 4 :])

    def _begin_body(self, head: bytes, body: bytes) -> None:
        self._has_head, self._since = True, time.monotonic()
        self.is_health = _HEALTH.match(head) is not None
        self.is_of_others = _OF_OTHERS.match(head) is not None
        match _FRAMING.findall(head.lower()):
            case [(b"content-length", length)] if length.strip().isdigit():
                self._length = int(length)
            case [*others, (b"transfer-encoding", codings)] if codings.rstrip().endswith(
                b"chunked"
            ) and b"content-length" not in dict(others):
                self._chunked = ChunkedBody()
            case _:  # there is no body, or gunicorn refuses the head
                self.is_whole = True
                return
        self._count_body(body)
        self._continue(head)

    def _refuse_head(self, text: bytes, start: int) -> None:
        """Let gunicorn refuse what cannot become a head, however it goes on."""
        is_long_line = len(text) > _MAX_LINE and b"\r\n" not in text[start:_MAX_LINE]
        self.is_whole = is_long_line or text.count(b"\n") != text.count(b"\r\n")

    def _count_body(self, body: bytes) -> None:
        self._count += len(body)
        if self._chunked is not None:
            self.is_whole = self._chunked.has_ended(body)
            self.is_large = self._count > MAX_KEPT and not self.is_whole
        elif self._length is not None:
            self.is_whole = self._count >= self._length
            self.is_large = self._length > MAX_KEPT and not self.is_whole
        if self._file is not None and (self.is_whole or self.is_large):
            self._file.seek(0)

    def _continue(self, head: bytes) -> None:
        if not (self.is_whole or self.is_large) and _EXPECTS.search(head):
            self.sock.send(_CONTINUE, MSG_DONTWAIT)
            self.has_continued = True

    def _store(self, data: bytes) -> None:
        STORED.add(len(data))
        self._stored += len(data)
        try:
            if self._file is None:
                self._file = temporary_file()
            self._unread += len(data)
            if self._file.write(data) != len(data):
                raise NoRoomError
        except OSError as error:
            raise NoRoomError from error

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes for the parser; raises TimeoutError where they are too late."""
        size = min(max(size_hint or 0, self.mxchunk), self.max_body_chunk)
        if self._file is not None and self._unread:
            data = self._file.read(min(size, self._unread))
            self._unread -= len(data)
            return data
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self.sock.settimeout(remaining)
        try:
            received: bytes = self.sock.recv(size)
        finally:
            self.sock.setblocking(False)
        self._count += len(received)
        return received
