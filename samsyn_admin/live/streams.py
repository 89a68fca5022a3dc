"""A stream to one client, for which nothing waits."""

import asyncio
import socket
from contextlib import suppress
from time import monotonic
from typing import cast

from samsyn_admin.live.handover import Admission

MAX_UNSENT = 256 * 1024
"""Bytes that wait for a client, beyond which it is dropped."""
_KERNEL_BUFFER = 64 * 1024  # bytes; by default the kernel keeps megabytes for a slow client
_UNACKNOWLEDGED = 60_000  # milliseconds after which a client that is gone is noticed


class Stream(asyncio.Protocol):
    """One client: nothing is read from it, and nothing waits for it."""

    __slots__ = ("_transport", "_was_unsent", "admission", "after", "ends_at", "follower")

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.follower = admission.follower
        self.after = 0
        """The position of the last change set that it knows."""
        self.ends_at = None if admission.life is None else monotonic() + admission.life
        self._transport: asyncio.Transport | None = None
        self._was_unsent = False

    @property
    def is_open(self) -> bool:
        """Whether the client is there."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(MAX_UNSENT)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: `Audiences` removes the stream when it next looks."""
        del exc
        self._transport = None

    def send(self, data: bytes) -> None:
        """Send events; a client that is too slow for them is dropped."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self.admission.chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        transport.write(data)
        if transport.get_write_buffer_size() > MAX_UNSENT:
            transport.abort()

    def beat(self, data: bytes) -> None:
        """Send a heartbeat; drop a client that has not taken what was sent before the last one."""
        transport = self._transport
        if transport is None:
            return
        is_unsent = transport.get_write_buffer_size() > 0
        if is_unsent and self._was_unsent:
            transport.abort()
        self._was_unsent = is_unsent
        self.send(data)

    def end(self) -> None:
        """Let the client know that the stream is over: it may connect again."""
        if self._transport is not None:
            if self.admission.chunked:
                self._transport.write(b"0\r\n\r\n")
            self._transport.close()


def prepare(client: socket.socket) -> None:
    """Let the kernel keep little for a client, and notice when it is gone."""
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
