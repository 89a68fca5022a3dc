"""Fixtures of the security tests."""

from collections.abc import Iterator

import pytest

from tests.security.world_database import World, open_world


@pytest.fixture(scope="module")
def world(test_database_url: str) -> Iterator[World]:
    """The world of the permission matrix, rolled back after the module's tests."""
    with open_world(test_database_url) as opened:
        yield opened
