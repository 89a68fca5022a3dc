"""What has to be sent on a connection: what its client does not take at once is kept."""

import os
import time
from collections import deque
from socket import MSG_DONTWAIT, socket
from typing import IO

from samsyn_admin.serving.connections.received import MIN_RATE, STORED, temporary_file

_IN_MEMORY = 256 * 1024  # bytes kept; more is in a temporary file
_MAX_KEPT = 8 * 1024 * 1024  # bytes, beyond which a response is interrupted
_JOINED = 64 * 1024  # bytes of a part that is sent together with the headers
_TURN = 1024 * 1024  # bytes sent, after which other connections have their turn


class Outbox:
    """The socket that gunicorn writes responses to: no thread waits for a client that is slow.

    One thread at a time uses it.
    """

    def __init__(self, connection: socket, timeout: float) -> None:
        self._socket, self._timeout = connection, timeout
        self._headers = b""
        self._parts: deque[memoryview] = deque()
        self._in_memory = 0
        self._file: IO[bytes] | None = None
        self._stored = 0  # bytes of the file
        self._read = self._written = 0  # offsets in it
        self._sent = 0
        self._blocked_since = 0.0

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def begin(self) -> None:
        """Begin with the next response, instead of one of which nothing has been sent."""
        self._sent, self._headers = 0, b""

    def hold(self, headers: bytes) -> None:
        """Send headers together with what follows them."""
        self._headers += headers

    def sendall(self, data: bytes) -> None:
        """Send data now, or when the client takes it; raises OSError where it is gone."""
        if self._headers:
            headers, self._headers = self._headers, b""
            if len(data) <= _JOINED:
                data = headers + data
            else:
                self.sendall(headers)
        part = memoryview(data)
        if not self.is_pending:
            part = part[self._send(part) :]
        if part:
            self._keep(part)

    send = sendall

    def release(self) -> None:
        """Send the headers of a response without a body."""
        if self._headers:
            self.sendall(b"")

    @property
    def is_pending(self) -> bool:
        """Whether the client has not taken all that was sent."""
        return bool(self._parts) or self._read < self._written

    @property
    def is_full(self) -> bool:
        """Whether no more should be sent before the client has taken what is kept."""
        return self._in_memory + self._written - self._read >= _MAX_KEPT

    @property
    def has_sent(self) -> bool:
        """Whether some of the response has been sent."""
        return self._sent > 0 or self.is_pending

    @property
    def deadline(self) -> float:
        """Until when (`time.monotonic`) the client has to take more than it has taken."""
        return self._blocked_since + self._timeout + self._sent / MIN_RATE

    def flush(self) -> None:
        """Send what the client takes now; raises OSError where it is gone."""
        turn = self._sent + _TURN
        while self.is_pending and self._sent < turn:
            if not self._parts:
                self._load()
            part = self._parts.popleft()
            sent = self._send(part)
            self._in_memory -= len(part)
            if sent < len(part):
                self._parts.appendleft(part[sent:])
                self._in_memory += len(part) - sent
                return
        if not self.is_pending:
            self.close()

    def close(self) -> None:
        """Forget what has not been sent."""
        self._parts.clear()
        if self._file is not None:
            self._file.close()
            STORED.add(-self._stored)
            self._stored = 0
        self._file, self._in_memory, self._read, self._written = None, 0, 0, 0

    def _send(self, part: memoryview) -> int:
        try:
            sent = self._socket.send(part, MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        self._sent += sent
        return sent

    def _keep(self, part: memoryview) -> None:
        if not self.is_pending:
            self._blocked_since, self._sent = time.monotonic(), 0
        if self._written == 0 and self._in_memory + len(part) <= _IN_MEMORY:
            self._parts.append(part)
            self._in_memory += len(part)
            return
        if self._file is None:
            self._file = temporary_file()
        STORED.add(len(part))
        self._stored += len(part)
        while part:
            written = os.pwrite(self._file.fileno(), part, self._written)
            self._written += written
            part = part[written:]

    def _load(self) -> None:
        """Take the next bytes out of the file."""
        if self._file is not None:
            data = os.pread(self._file.fileno(), _IN_MEMORY, self._read)
            self._read += len(data)
            self._in_memory += len(data)
            self._parts.append(memoryview(data))
