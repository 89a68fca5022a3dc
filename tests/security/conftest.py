"""Fixtures of the security tests."""

from collections.abc import Iterator

import pytest

from tests.security.world_database import World, world


@pytest.fixture(scope="module")
def everything(test_database_url: str) -> Iterator[World]:
    """The world of the permission matrix; nothing of it outlasts the module's tests."""
    with world(test_database_url) as made:
        yield made
