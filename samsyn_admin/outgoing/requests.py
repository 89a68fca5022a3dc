"""Requests to other servers: bounded in time, size and number, and to public servers only."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from time import monotonic
from urllib.parse import urljoin

import httpcore

from samsyn_admin.outgoing.addresses import Address, parse_address, resolve
from samsyn_admin.outgoing.connections import CheckedBackend
from samsyn_admin.outgoing.slots import Slots
from samsyn_model.errors import (
    InvalidParameterError,
    NotConfiguredError,
    RemoteServerError,
    RemoteTimeoutError,
    RemoteTooLargeError,
    TooManyRequestsError,
)
from samsyn_model.metrics.counting import count_outgoing
from samsyn_model.settings import Settings

MAX_REDIRECTS = 3
MAX_PER_SERVER = 6
"""Requests of a worker to one server at the same time."""
MAX_PER_CALLER = 4
"""The same of one caller."""
_CONNECT_SECONDS = 5.0
_WAIT_SECONDS = 5.0  # for a slot
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PLAIN = frozenset({b"", b"identity"})
_OUTCOMES = {RemoteTooLargeError: "too large", RemoteTimeoutError: "timeout"}
"""How requests that fail are counted, if not as `failed`; one that is not made is `refused`."""


@dataclass(frozen=True, slots=True)
class RemoteResponse:
    """The response of another server, its body in memory; names of headers are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Outgoing:
    """The door through which all requests for somebody leave, as OUTGOING… say."""

    def __init__(self, settings: Settings) -> None:
        self._is_on = settings.outgoing
        self._allowed = frozenset(settings.outgoing_allow)
        self._per_server = Slots(MAX_PER_SERVER)
        self._per_caller = Slots(MAX_PER_CALLER)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def get(  # noqa: PLR0913 - what bounds a request
        self,
        url: str,
        *,
        caller: str,
        max_bytes: int,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        span: tuple[int, int] | None = None,
    ) -> RemoteResponse:
        """Return the response to a GET, redirects followed: of any status but those.

        `caller` names who asks, for the number of their requests. `headers` are sent to the server
        of the address alone, not to one that it redirects to. `span` is the first byte and the last
        one that are asked for: a server may send them (206), or all (200). Raises
        InvalidParameterError for an address that may not be asked, RemoteServerError,
        RemoteTooLargeError and RemoteTimeoutError (which server, and what is wrong),
        TooManyRequestsError, NotConfiguredError where OUTGOING is off.
        """
        self._refuse_where_off()
        with _counted() as statuses:
            response = self._get(
                url,
                headers or {},
                caller=caller,
                max_bytes=max_bytes,
                deadline=monotonic() + seconds,
                span=span,
            )
            statuses.append(response.status)
        return response

    def _get(  # noqa: PLR0913 - what bounds a request
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        caller: str,
        max_bytes: int,
        deadline: float,
        span: tuple[int, int] | None,
    ) -> RemoteResponse:
        span_header = {} if span is None else {"Range": f"bytes={span[0]}-{span[1]}"}
        with self._caller_slot(caller):
            first = parse_address(url, self._allowed)
            response = self._response(first, {**headers, **span_header}, max_bytes, deadline)
            for _ in range(MAX_REDIRECTS):
                location = response.headers.get("location")
                if response.status not in _REDIRECTS or location is None:
                    return response
                try:
                    address = parse_address(urljoin(response.url, location), self._allowed)
                    own = headers if address.server == first.server else {}
                    response = self._response(address, {**own, **span_header}, max_bytes, deadline)
                except InvalidParameterError as error:
                    raise RemoteServerError(
                        f"{first.host} redirects to an address that is not asked."
                    ) from error
        if response.status in _REDIRECTS:
            raise RemoteServerError(f"{first.host} redirects more than {MAX_REDIRECTS} times.")
        return response

    def post(
        self, url: str, body: bytes, *, caller: str, seconds: float, headers: Mapping[str, str]
    ) -> int:
        """Send a POST and return the status of the response, of which nothing else is read; a
        redirect is not followed.

        Raises as `get`.
        """
        self._refuse_where_off()
        deadline = monotonic() + seconds
        with _counted() as statuses, self._caller_slot(caller):
            address = parse_address(url, self._allowed)
            with self._asked("POST", address, headers, deadline, content=body) as response:
                statuses.append(int(response.status))
        return statuses[-1]

    def check(self, url: str) -> None:
        """Raise InvalidParameterError where `url` could not be asked now, as far as that can be
        known without asking; RemoteTimeoutError, NotConfiguredError where OUTGOING is off."""
        self._refuse_where_off()
        address = parse_address(url, self._allowed)
        is_allowed = address.server in self._allowed
        resolve(address.host, address.port, _CONNECT_SECONDS, is_allowed=is_allowed)

    def _refuse_where_off(self) -> None:
        if not self._is_on:
            raise NotConfiguredError("This server makes no requests to others (OUTGOING).")

    @contextmanager
    def _caller_slot(self, caller: str) -> Iterator[None]:
        with self._per_caller.taken(caller, _WAIT_SECONDS) as has_slot:
            if not has_slot:
                raise TooManyRequestsError(
                    "Too many of your requests to other servers are under way: try again.",
                    retry_after=1,
                    policy=f'"outgoing";q={MAX_PER_CALLER};w=1',
                )
            yield

    def _response(
        self, address: Address, headers: Mapping[str, str], max_bytes: int, deadline: float
    ) -> RemoteResponse:
        with self._asked("GET", address, headers, deadline) as response:
            body = _body(response, address, max_bytes)
        values = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in response.headers
        }
        return RemoteResponse(address.url, response.status, values, body)

    @contextmanager
    def _asked(
        self,
        method: str,
        address: Address,
        headers: Mapping[str, str],
        deadline: float,
        content: bytes | None = None,
    ) -> Iterator[httpcore.Response]:
        """Yield the response to a request, whose body is read in the block."""
        with ExitStack() as stack:
            wait = min(_WAIT_SECONDS, deadline - monotonic())
            if not stack.enter_context(self._per_server.taken(address.server, wait)):
                raise RemoteTimeoutError(f"Too many requests to {address.host} are under way.")
            backend = CheckedBackend(deadline, _CONNECT_SECONDS, self._allowed)
            try:
                pool = stack.enter_context(
                    httpcore.ConnectionPool(ssl_context=self._tls, network_backend=backend)
                )
                sent = list({**headers, **_OURS}.items())
                yield stack.enter_context(
                    pool.stream(method, address.url, headers=sent, content=content)
                )
            except httpcore.TimeoutException as error:
                raise RemoteTimeoutError(f"{address.host} did not respond in time.") from error
            except (
                httpcore.NetworkError,
                httpcore.ProtocolError,
                httpcore.UnsupportedProtocol,
                OSError,
            ) as error:
                raise RemoteServerError(_reason(address, error)) from error


_OURS = {"Accept-Encoding": "identity", "User-Agent": "SamSyn", "Connection": "close"}


@contextmanager
def _counted() -> Iterator[list[int]]:
    """Count a request by the status that the block appends to what is yielded, or by its error."""
    statuses: list[int] = []
    begun, outcome = monotonic(), "refused"
    try:
        yield statuses
        outcome = f"{statuses[-1] // 100}xx"
    except RemoteServerError as error:
        outcome = _OUTCOMES.get(type(error), "failed")
        raise
    finally:
        count_outgoing(outcome, monotonic() - begun)


def _body(response: httpcore.Response, address: Address, max_bytes: int) -> bytes:
    """Read a body of at most so many bytes, which is not coded."""
    for name, value in response.headers:
        if name.lower() == b"content-encoding" and value.strip().lower() not in _PLAIN:
            raise RemoteServerError(f"{address.host} sent a compressed response unasked.")
    parts, size = [], 0
    for part in response.iter_stream():
        size += len(part)
        if size > max_bytes:
            raise RemoteTooLargeError(
                f"The response of {address.host} is larger than {max_bytes:,} bytes."
            )
        parts.append(part)
    return b"".join(parts)


def _reason(address: Address, error: Exception) -> str:
    if isinstance(error, httpcore.ConnectError):
        if "certificate" in str(error).lower():
            return f"The certificate of {address.host} is not valid."
        return f"{address.host} cannot be connected to."
    if isinstance(error, httpcore.ProtocolError):
        return f"{address.host} sent a response that is not valid HTTP."
    return f"The connection to {address.host} broke off."
