"""Connections of httpcore to addresses that were checked, until a moment."""

import ssl
from collections.abc import Iterable
from time import monotonic
from typing import Any

import httpcore

from samsyn_admin.outgoing.addresses import resolve


class CheckedBackend(httpcore.NetworkBackend):
    """Resolves a name once, checks every address that it has, and connects to one of those.

    Whatever is done on its connections ends with httpcore's timeouts once `monotonic` has passed
    the `deadline`: a server that sends a byte now and then is not waited for longer.
    """

    def __init__(self, deadline: float, connect_seconds: float, allowed: frozenset[str]) -> None:
        self._deadline = deadline
        self._connect_seconds = connect_seconds
        self._allowed = allowed
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline is what counts
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of the host that takes the connection.

        Raises as `resolve`, and httpcore's errors.
        """
        until = min(self._deadline, monotonic() + self._connect_seconds)
        server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        addresses = resolve(host, port, until - monotonic(), is_allowed=server in self._allowed)
        failure: Exception = httpcore.ConnectTimeout("no time is left")
        for address in addresses:
            left = until - monotonic()
            if left <= 0:
                break
            try:
                stream = self._plain.connect_tcp(
                    address, port, timeout=left, socket_options=socket_options
                )
                return _Stream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """Refuse: no address leads to a socket of this machine."""
        raise httpcore.ConnectError("Unix sockets are not connected to")


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, self._left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, self._left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        left = self._left(httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _left(self, error: type[Exception]) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise error("no time is left")
        return left
