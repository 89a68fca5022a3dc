"""The application of the raster tiler: TiTiler's routes, for what the server has signed."""

import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Annotated, Any

import anyio
from anyio.to_thread import current_default_thread_limiter
from attrs import define
from fastapi import FastAPI, Query
from rasterio.errors import RasterioError
from rio_tiler.errors import RioTilerError, TileOutsideBounds
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from titiler.core.factory import TilerFactory

from samsyn_admin.tiler.opening import Opened, Rasters
from samsyn_admin.tiler.pictures import render_picture
from samsyn_admin.tiler.reader import RasterReader
from samsyn_admin.tiler.sources import SOURCE_PARAMETER, signed_source
from samsyn_model.errors import SamsynError, UnusableRasterError

THREADS = 8
"""Requests that are served at the same time."""
REMOTE_THREADS = 5
"""Those of them that may wait for other servers."""
OUTSIDE = "outside"
"""The kind of error of a tile in which there is nothing of the raster."""
_DAMAGED = "The GeoTIFF cannot be read: it is damaged, or of a form that is not supported."
_TOO_LARGE = "The GeoTIFF needs more memory than there is for it."


@define(kw_only=True)
class _Factory(TilerFactory):  # type: ignore[misc]
    """TiTiler's routes that are used."""

    def register_routes(self) -> None:
        """Register them."""
        self.info()
        self.statistics()
        self.tile()
        self.point()
        self.preview()


class RunningRequests:
    """ASGI middleware that knows for how long the requests run."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._begun: dict[int, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        self._begun[id(scope)] = time.monotonic()
        try:
            await self._app(scope, receive, send)
        finally:
            del self._begun[id(scope)]

    @property
    def longest(self) -> float:
        """The seconds that the oldest request has been running for."""
        begun = [*self._begun.values()]
        return time.monotonic() - min(begun) if begun else 0.0


def create_app(rasters: Rasters, secret: str) -> FastAPI:
    """Return the application: what it is asked for has a source signed with the secret."""
    remote = anyio.Semaphore(REMOTE_THREADS)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = THREADS
        yield

    async def opening(
        source: Annotated[str, Query(alias=SOURCE_PARAMETER)],
    ) -> AsyncIterator[AbstractContextManager[Opened]]:
        known = signed_source(source, secret)
        if known.url is None:
            yield rasters.opened(known)
            return
        async with remote:
            yield rasters.opened(known)

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    factory = _Factory(  # type: ignore[call-arg] # of its base class, which mypy does not see
        reader=RasterReader, path_dependency=opening, render_func=render_picture
    )
    app.include_router(factory.router)
    for kind in (SamsynError, RioTilerError, RasterioError, MemoryError):
        app.add_exception_handler(kind, _on_error)
    return app


def _on_error(_: Request, error: Exception) -> JSONResponse:
    """Return an error by the name of its class, which the server raises again."""
    if isinstance(error, TileOutsideBounds):
        return JSONResponse({"kind": OUTSIDE, "detail": ""}, 404)
    if not isinstance(error, SamsynError):
        error = UnusableRasterError(_TOO_LARGE if isinstance(error, MemoryError) else _DAMAGED)
    document: dict[str, Any] = {"kind": type(error).__name__, "detail": error.detail}
    return JSONResponse(document, 422)
