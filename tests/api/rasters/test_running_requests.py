"""For how long the requests of the tiler run, by which it notices one that hangs."""

import asyncio
from typing import Any

from samsyn_admin.tiler.running import RunningRequests


async def run(scope: dict[str, Any]) -> float:
    """Return what the middleware says in the middle of something of 50 ms."""
    seen: list[float] = []

    async def app(*_: Any) -> None:
        await asyncio.sleep(0.05)
        seen.append(middleware.longest)

    middleware = RunningRequests(app)
    await middleware(scope, None, None)  # type: ignore[arg-type]
    assert middleware.longest == 0
    return seen[0]


def test_a_request_runs_until_its_end() -> None:
    assert 0.04 < asyncio.run(run({"type": "http"})) < 5


def test_the_life_of_the_process_is_no_request() -> None:
    assert asyncio.run(run({"type": "lifespan"})) == 0
