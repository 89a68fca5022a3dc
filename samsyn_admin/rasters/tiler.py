"""The raster tiler, as the server asks it."""

import json
import weakref
from functools import cached_property
from typing import Any
from urllib.parse import quote

import httpcore

from samsyn_admin.companions.tiler import SOCKET
from samsyn_admin.tiler.png import SIGNATURE
from samsyn_admin.tiler.sources import SOURCE_PARAMETER, Source, sign_source
from samsyn_model import errors
from samsyn_model.errors import NotConfiguredError, SamsynError, TilerUnavailableError
from samsyn_model.settings import Settings

_TIMEOUTS = {"connect": 5.0, "write": 5.0, "pool": 10.0}  # seconds
_PATIENCE, _REMOTE_PATIENCE = 12.0, 28.0  # seconds for a response: of a file of ours, of others
_CONNECTIONS = 16
_MAX_SIZE = 16 * 1024 * 1024  # bytes of a response
_OFF = "off"
_OUTSIDE = "outside"
_TRIALS = 2  # one may meet a tiler that has just ended
_ERRORS: dict[str, type[SamsynError]] = {
    kind.__name__: kind
    for kind in (
        errors.InvalidParameterError,
        errors.NotConfiguredError,
        errors.NotFoundError,
        errors.RemoteServerError,
        errors.RemoteTimeoutError,
        errors.StorageUnavailableError,
        errors.UnusableRasterError,
    )
}
_AWAY = "The raster tiler does not run at the moment: try again in some seconds."
_LATE = "The raster tiler did not respond in time: try again in some seconds."


class Tiler:
    """The tiler of TITILER_URL; one a process, safe for threads.

    All methods raise NotConfiguredError where there is none, TilerUnavailableError, and what the
    tiler says about the raster: UnusableRasterError, RemoteServerError and the like.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.titiler_url or _OFF
        self._secret = settings.titiler_secret

    def picture(self, source: Source, path: str, query: str = "") -> bytes:
        """Return a PNG; an empty one where there is nothing of the raster in a tile."""
        status, content = self._ask(source, path, query)
        if status == 404 and self._error(content)["kind"] == _OUTSIDE:
            return b""
        self._check(status, content)
        if not content.startswith(SIGNATURE):
            raise TilerUnavailableError("The raster tiler did not send a PNG.")
        return content

    def document(self, source: Source, path: str, query: str = "") -> Any:
        """Return a JSON document."""
        status, content = self._ask(source, path, query)
        self._check(status, content)
        try:
            return json.loads(content)
        except ValueError as error:
            raise TilerUnavailableError("The raster tiler did not send JSON.") from error

    @cached_property
    def _pool(self) -> httpcore.ConnectionPool:
        path = self._url.removeprefix(SOCKET) if self._url.startswith(SOCKET) else None
        pool = httpcore.ConnectionPool(max_connections=_CONNECTIONS, uds=path)
        weakref.finalize(self, pool.close)
        return pool

    @property
    def _base(self) -> str:
        if self._url == _OFF:
            raise NotConfiguredError("This server draws no GeoTIFFs (TITILER_URL).")
        return "http://tiler" if self._url.startswith(SOCKET) else self._url

    def _ask(self, source: Source, path: str, query: str) -> tuple[int, bytes]:
        base = self._base
        if self._secret is None:
            raise NotConfiguredError("The raster tiler's secret is not set (TITILER_SECRET).")
        signed = quote(sign_source(source, self._secret.get_secret_value()))
        url = f"{base}{path}?{SOURCE_PARAMETER}={signed}&{query}".rstrip("&")
        timeouts = {**_TIMEOUTS, "read": _PATIENCE if source.url is None else _REMOTE_PATIENCE}
        failure: Exception | None = None
        for _ in range(_TRIALS):
            try:
                return self._response(url, timeouts)
            except httpcore.TimeoutException as error:
                raise TilerUnavailableError(_LATE) from error
            except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
                failure = error
        raise TilerUnavailableError(_AWAY) from failure

    def _response(self, url: str, timeouts: dict[str, float]) -> tuple[int, bytes]:
        with self._pool.stream("GET", url, extensions={"timeout": timeouts}) as response:
            parts, size = [], 0
            for part in response.iter_stream():
                parts.append(part)
                size += len(part)
                if size > _MAX_SIZE:
                    raise TilerUnavailableError("The raster tiler sent too much.")
            return response.status, b"".join(parts)

    def _check(self, status: int, content: bytes) -> None:
        if status == 200:
            return
        error = self._error(content)
        kind = _ERRORS.get(str(error["kind"]), TilerUnavailableError)
        raise kind(str(error["detail"]) if kind is not TilerUnavailableError else _AWAY)

    def _error(self, content: bytes) -> dict[str, Any]:
        try:
            error = json.loads(content)
        except ValueError:
            error = None
        return {"kind": "", "detail": "", **(error if isinstance(error, dict) else {})}
