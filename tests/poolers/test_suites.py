"""A core of the suites of both APIs, through PgBouncer."""

import os
import subprocess
import sys

import pytest

from samsyn_model.settings import CHECKOUT
from tests.poolers.pgbouncer import NEWER, PACKAGED, command_of

_CORE = (
    "tests/ogc/items/test_editing.py",
    "tests/ogc/items/test_counts.py",
    "tests/api/maps/test_races.py",
    "tests/api/layers/test_bulk_import.py",
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("which", [PACKAGED, NEWER])
def test_the_suites_pass(server_url: str, which: str) -> None:
    command_of(which)  # skips
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_CORE, "-k", "not star"],
        env={**os.environ, "TEST_POOLER": which, "TEST_DATABASE_URL": server_url},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
