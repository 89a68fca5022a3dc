"""Files of other servers, read in spans through the one door for requests to them."""

import re
from collections import OrderedDict
from threading import Lock
from time import monotonic
from urllib.parse import urlsplit

from samsyn_admin.outgoing.requests import Outgoing, RemoteResponse
from samsyn_admin.tiler.blocks import BLOCK, Allowance, DistantFile
from samsyn_model.errors import RemoteServerError, RemoteTooLargeError, UnusableRasterError

_MAX_WHOLE = 8 * 1024 * 1024  # bytes of a file whose server sends no parts of it
_KNOWN_SECONDS = 15 * 60
_MAX_KNOWN = 512
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


class RemoteFile(DistantFile):
    """A file as it was when it was first asked for: raises RemoteServerError once it is another."""

    def __init__(self, url: str, outgoing: Outgoing, allowance: Allowance) -> None:
        """Ask for the beginning of the file; raises the errors of `span`."""
        self._url, self._outgoing = url, outgoing
        self._host = urlsplit(url).hostname or url
        self._whole: bytes | None = None
        self.beginning = b""
        allowance.spend(BLOCK)
        response = self._ask(0, BLOCK, allowance)
        self._version = _version(response)
        if response.status == 200:
            self._whole, self.size = response.body, len(response.body)
        else:
            self.beginning, self.size = self._part(response, 0)
        self.identity = f"{url} {self._version} {self.size}"

    @property
    def held(self) -> int:
        """The bytes that it has in memory."""
        return len(self._whole or b"")

    def span(self, start: int, end: int, allowance: Allowance) -> bytes:
        """Return the bytes from `start` until before `end`.

        Raises RemoteServerError, UnusableRasterError where the server sends no parts of a large
        file, and the errors of `Outgoing.get`.
        """
        if self._whole is not None:
            return self._whole[start:end]
        response = self._ask(start, end, allowance)
        if response.status == 200:
            raise self._has_changed()
        content, size = self._part(response, start)
        if size != self.size or _version(response) != self._version or len(content) < end - start:
            raise self._has_changed()
        return content[: end - start]

    def _ask(self, start: int, end: int, allowance: Allowance) -> RemoteResponse:
        try:
            response = self._outgoing.get(
                self._url,
                caller=self._host,
                max_bytes=max(_MAX_WHOLE, end - start),
                seconds=allowance.seconds,
                span=(start, end - 1),
            )
        except RemoteTooLargeError as error:
            raise UnusableRasterError(
                f"{self._host} does not send parts of the file, and it is larger than"
                f" {_MAX_WHOLE // 1024**2} MiB."
            ) from error
        if response.status in {404, 410}:
            raise RemoteServerError(f"{self._host} has no such file.")
        if response.status not in {200, 206}:
            raise RemoteServerError(
                f"{self._host} does not send the file: its status is {response.status}."
            )
        return response

    def _part(self, response: RemoteResponse, start: int) -> tuple[bytes, int]:
        """Return the bytes of a part, and the size of the file."""
        found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None or int(found[1]) != start:
            raise RemoteServerError(f"{self._host} sent another part of the file.")
        if len(response.body) != int(found[2]) - start + 1:
            raise RemoteServerError(f"{self._host} sent a part of the file that is cut off.")
        return response.body, int(found[3])

    def _has_changed(self) -> RemoteServerError:
        return RemoteServerError(f"The file on {self._host} has changed while it was read.")


class RemoteFiles:
    """The remote files that were read in the last 15 minutes; thread-safe."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._known: OrderedDict[str, tuple[RemoteFile, float]] = OrderedDict()
        self._lock = Lock()

    def get(self, url: str, allowance: Allowance) -> RemoteFile:
        """Return the file of an address; raises the errors of RemoteFile."""
        with self._lock:
            known, since = self._known.get(url, (None, 0.0))
        if known is not None and monotonic() - since < _KNOWN_SECONDS:
            return known
        file = RemoteFile(url, self._outgoing, allowance)
        with self._lock:
            self._known[url] = (file, monotonic())
            self._known.move_to_end(url)
            while len(self._known) > _MAX_KNOWN or self._whole_bytes() > _MAX_WHOLE * 4:
                self._known.popitem(last=False)
        return file

    def forget(self, url: str) -> None:
        """Ask for the file anew when it is read next."""
        with self._lock:
            self._known.pop(url, None)

    def _whole_bytes(self) -> int:
        return sum(file.held for file, _ in self._known.values())


def _version(response: RemoteResponse) -> str:
    headers = response.headers
    return f"{headers.get('etag', '')} {headers.get('last-modified', '')}"
