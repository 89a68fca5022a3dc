"""Responses of a WMS, asked for by the one door to other servers."""

from dataclasses import dataclass
from time import monotonic

from werkzeug.http import parse_options_header

from samsyn_admin.outgoing.callers import Caller
from samsyn_admin.outgoing.requests import Outgoing, RemoteResponse
from samsyn_model.errors import RemoteServerError, RemoteTimeoutError

SECONDS = 20.0
"""For all requests of one question."""


@dataclass(slots=True)
class Asking:
    """One question of a caller, which may take several requests."""

    outgoing: Outgoing
    caller: Caller
    deadline: float

    def get(
        self, url: str, max_bytes: int, headers: dict[str, str] | None = None
    ) -> RemoteResponse:
        """Return the response to a GET; raises the errors of `Outgoing.get`."""
        left = self.deadline - monotonic()
        if left <= 0:
            raise RemoteTimeoutError(f"{host_of(url)} did not respond in time.")
        self.caller.spend()
        return self.outgoing.get(
            url, caller=self.caller.key, max_bytes=max_bytes, seconds=left, headers=headers
        )


def begin(outgoing: Outgoing, caller: Caller, seconds: float) -> Asking:
    """Begin with a question that may take so long."""
    return Asking(outgoing, caller, monotonic() + seconds)


def host_of(url: str) -> str:
    """Return the host and port of an address, for people."""
    return url.partition("//")[2].partition("/")[0].partition("?")[0]


def content_type(response: RemoteResponse) -> tuple[str, str | None]:
    """Return the media type, in lower case, and the encoding that a response says it has."""
    media_type, options = parse_options_header(response.headers.get("content-type", ""))
    return media_type.lower(), options.get("charset")


def check_status(response: RemoteResponse) -> None:
    """Raise RemoteServerError for a status other than 200."""
    if response.status != 200:
        raise RemoteServerError(
            f"{host_of(response.url)} responded with the status {response.status}."
        )
