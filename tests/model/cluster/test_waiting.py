"""Commands wait for a database that is still starting, for a limited time."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from samsyn_model.cluster.waiting import wait_for_database
from samsyn_model.errors import DatabaseSetupError

SAMSYN = Path(sys.executable).with_name("samsyn")


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def test_one_that_is_there_is_not_waited_for(
    test_database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    wait_for_database(test_database_url, 60)
    assert capfd.readouterr().err == ""


def test_one_that_comes_is_waited_for(
    test_database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    host = make_url(test_database_url).query.get("host")
    if not host:
        pytest.skip("the tests' server is reached by TCP")
    sockets = Path(f"/tmp/samsyn-waiting-{os.getpid()}")  # short, for the socket
    url = make_url(test_database_url).update_query_dict({"host": str(sockets)})
    timer = threading.Timer(1, sockets.symlink_to, [host])
    timer.start()
    try:
        begun = time.monotonic()
        wait_for_database(url.render_as_string(hide_password=False), 60)
        assert time.monotonic() - begun >= 1
        with psycopg.connect(_plain(url.render_as_string(hide_password=False))):
            pass
    finally:
        timer.join()
        sockets.unlink()
    assert capfd.readouterr().err == "samsyn: waiting for the database, up to 60 s\n"


def test_one_that_does_not_come_is_told_by_the_command(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = subprocess.run(
        [SAMSYN, "db", "upgrade"],
        env={
            **os.environ,
            "DATABASE_URL": f"postgresql:///none?host={tmp_path}",
            "DATABASE_WAIT": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert time.monotonic() - begun >= 1
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert told[0] == "samsyn: waiting for the database, up to 1 s"
    assert "cannot be reached" in told[-1]


def test_what_is_no_address_is_not_waited_for() -> None:
    with pytest.raises(DatabaseSetupError):
        wait_for_database("mysql://somewhere/samsyn", 60)
