"""Which requests run, and for how long."""

import time

from starlette.types import ASGIApp, Receive, Scope, Send


class RunningRequests:
    """ASGI middleware that knows for how long the requests run."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._begun: dict[int, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; the scope of the process's own life is none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
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
