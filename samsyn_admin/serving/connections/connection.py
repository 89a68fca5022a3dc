"""A client's connection: what has been received, what has to be sent, the response between them."""

import contextlib
import struct
from collections.abc import Iterator
from socket import SHUT_WR, SO_LINGER, SOL_SOCKET, socket
from typing import Any, cast

from gunicorn import util
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import Response
from gunicorn.workers.gthread import TConn

from samsyn_admin.live.handover import HANDS_OVER, HandOver
from samsyn_admin.serving.connections.outbox import Outbox
from samsyn_admin.serving.connections.received import Received
from samsyn_provider.http.representations import HOLDS_CONNECTION


class SentResponse(Response):  # type: ignore[misc]
    """gunicorn's response, whose headers go out with its first part and name no server."""

    headers_sent: bool

    def send_headers(self) -> None:
        """Hold the headers back until there is a part."""
        if not self.headers_sent:
            head = [line for line in self.default_headers() if not line.startswith("Server:")]
            head += [f"{name}: {value}\r\n" for name, value in self.headers]
            self.sock.hold(util.to_bytestring("".join((*head, "\r\n")), "latin-1"))
            self.headers_sent = True


class Reply:
    """A response of the application that has not been sent completely."""

    def __init__(self, response: Response, environ: dict[str, Any], parts: Any) -> None:
        self.response, self.environ = response, environ
        self._iterator: Iterator[bytes] = iter(parts)
        self._close = getattr(parts, "close", None)

    @property
    def handover(self) -> HandOver | None:
        """What goes on with the response, whose beginning alone is sent here."""
        return cast(HandOver | None, self.environ.get(HANDS_OVER))

    def send(self, outbox: Outbox) -> bool:
        """Send the response until the outbox is full; return whether it is complete.

        One that holds a connection of the database is completed: others need the connection.
        """
        for part in self._iterator:
            self.response.write(part)
            if outbox.is_full and HOLDS_CONNECTION not in self.environ:
                return False
        if self.handover is None:
            self.response.close()
        outbox.release()
        return True

    def close(self) -> None:
        """Let the application release what the response needs."""
        if self._close is not None:
            self._close()


class Connection(TConn):  # type: ignore[misc]
    """gunicorn's connection, whose socket never lets a thread wait for its client.

    A body that is too large to be kept is the exception: the thread that serves it reads it.
    """

    def __init__(
        self, cfg: Any, sock: socket, client: Any, server: Any, timeouts: tuple[int, int]
    ) -> None:
        """Take a new connection; `timeouts` are the seconds for a head and for a body."""
        super().__init__(cfg, sock, client, server)
        header_timeout, body_timeout = timeouts
        self.received = Received(sock, header_timeout, body_timeout)
        self.outbox = Outbox(sock, body_timeout)
        self.parser = RequestParser(cfg, sock, client)
        self.parser.unreader = self.received
        self.initialized = self.data_ready = True
        self.reply: Reply | None = None
        self.is_reserved = self.is_health = self.is_large = False
        """What `received` says of the request that is served."""
        self.is_kept = False
        """Whether another request may follow the response that is being sent."""
        self.is_handed_over = False
        """Whether another process has the connection."""
        self.is_cut = False
        """Whether the response failed when a part of it had been sent."""

    def reset(self) -> None:
        """Let the client see that the response is not complete: the end of the connection alone
        would be that of a body without a length, as HTTP/1.0 has it."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))

    def end(self) -> None:
        """Tell the client that nothing follows: what it still sends is read for a while, because
        closing a connection with unread data resets it, and the client would lose the response."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(SHUT_WR)

    def close(self, graceful: bool = False) -> None:
        """Close the connection; what is stored of its messages disappears."""
        del graceful
        self.received.close()
        self.outbox.close()
        util.close(self.sock)
