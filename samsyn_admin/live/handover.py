"""Connections handed over: the worker that has admitted a client gives its socket to the companion.

The message beside the socket says who follows what. It is trusted: the companion listens at a Unix
socket that only this user can reach.
"""

import json
import socket
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from samsyn_model.errors import EventsUnavailableError
from samsyn_model.live.rights import Follower, SubjectKind

HANDS_OVER = "samsyn.hands_over"
"""The name in a request's environment of the `HandOver` that goes on with its response."""

_MAX_MESSAGE = 8192  # bytes
_PATIENCE = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Admission:
    """Who follows what, and how they read it."""

    kind: SubjectKind
    subject: str
    user: str | None
    token: str | None
    session: str | None
    """The hash of a browser's session, hexadecimal."""
    caller: str | None
    """What streams are counted by."""
    base: str
    """The address that links begin with."""
    profile: str
    last: int | None
    """The number of the last change set that the client knows."""
    life: int | None
    """Seconds after which the client has to be admitted again."""
    chunked: bool = False

    @property
    def follower(self) -> Follower:
        """What the right depends on."""
        return Follower(
            self.kind,
            uuid.UUID(self.subject),
            uuid.UUID(self.user) if self.user else None,
            uuid.UUID(self.token) if self.token else None,
            bytes.fromhex(self.session) if self.session else None,
        )


class HandOver:
    """A way to the companion for one connection."""

    def __init__(self, path: str, admission: Admission) -> None:
        """Connect to the companion at a Unix socket; it may be starting.

        Raises EventsUnavailableError where there is none.
        """
        self._admission = admission
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(_PATIENCE)
        try:
            self._channel.connect(path)
        except OSError as error:
            self._channel.close()
            raise EventsUnavailableError("Live events are not available at the moment.") from error

    def give(self, client: socket.socket, *, chunked: bool) -> bool:
        """Give the companion a client's connection, whose response has begun; return whether it
        was taken. `chunked` is whether the body of the response is."""
        message = json.dumps({**asdict(self._admission), "chunked": chunked}).encode()
        with self._channel, suppress(OSError):
            socket.send_fds(self._channel, [message], [client.fileno()])
            return True
        return False


def receive(channel: socket.socket) -> tuple[Admission, socket.socket] | None:
    """Return what was given at the other end; None where that was closed without."""
    message, descriptors, _, _ = socket.recv_fds(channel, _MAX_MESSAGE, 1)
    if not message or not descriptors:
        return None
    client = socket.socket(fileno=descriptors[0])
    client.setblocking(False)
    fields: dict[str, Any] = json.loads(message)
    return Admission(**fields), client
