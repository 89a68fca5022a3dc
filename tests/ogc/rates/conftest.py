"""Each test of rates counts in one process, and in Redis."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.redis_server import redis_server


@pytest.fixture(params=["local", "redis"])
def redis_url(request: Any, tmp_path: Path) -> Iterator[str | None]:
    """The address of a Redis, None where the process counts on its own."""
    if request.param == "local":
        yield None
        return
    with redis_server(tmp_path) as server:
        yield server.url
