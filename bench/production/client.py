"""A client of HTTP/1.1 over TLS that keeps its connection, for hundreds in one process."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

_TIMEOUT = 90  # seconds for a response
_BUFFER = 256 * 1024
_BODILESS = (204, 304)


class BrokenError(Exception):
    """A request whose connection ended, or whose response did not come in time."""


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: Mapping[str, str]
    """By small letters."""
    body: bytes
    seconds: float


class Client:
    """One client, at an address of its own; it sends one request after the other."""

    def __init__(self, url: str, tls: ssl.SSLContext, address: str, token: str | None) -> None:
        """Be at this address of the machine itself (127.…), by which servers count it."""
        parts = urlsplit(url)
        self._place = parts.hostname or "", parts.port or 443
        self._tls, self._address = tls, address
        lines = [f"Host: {parts.netloc}"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        self._lines = "\r\n".join(lines)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and return the response. Raises BrokenError."""
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._write(method, path, body, headers)
                status, found = await self.read_head()
                content = b"" if status in _BODILESS else await self._read_body(found)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            self.close()
            raise BrokenError(f"{type(error).__name__}: {error}") from error
        if found.get("connection") == "close":
            self.close()
        return Answer(status, found, content, time.perf_counter() - begun)

    async def _write(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> None:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                *self._place, ssl=self._tls, local_addr=(self._address, 0), limit=_BUFFER
            )
        lines = [f"{method} {path} HTTP/1.1", self._lines]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self._streams[1].write("\r\n".join((*lines, "", "")).encode() + (body or b""))

    @property
    def _reader(self) -> asyncio.StreamReader:
        if self._streams is None:
            raise EOFError("not connected")
        return self._streams[0]

    async def read_head(self) -> tuple[int, dict[str, str]]:
        """Return the status and the headers of a response."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return int(first.split(" ", 2)[1]), {
            name.lower(): value.strip() for name, _, value in pairs
        }

    async def _read_body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await self._reader.readexactly(int(headers.get("content-length", "0")))
        parts = []
        while part := await self.read_chunk():
            parts.append(part)
        return b"".join(parts)

    async def read_chunk(self) -> bytes:
        """Return the next chunk of a body; it is empty at the end."""
        size = int(await self._reader.readuntil(b"\r\n"), 16)
        chunk = await self._reader.readexactly(size + 2)
        return chunk[:-2]

    async def open_stream(self, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        """Begin a response that is read by chunks; return its status and `Retry-After`.

        Raises BrokenError.
        """
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._write("GET", path, None, headers)
                status, found = await self.read_head()
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            raise BrokenError(f"{type(error).__name__}: {error}") from error
        return status, found.get("retry-after", "")

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._streams is not None:
            with suppress(OSError):
                self._streams[1].transport.abort()
            self._streams = None
