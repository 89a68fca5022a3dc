"""Random geometries through every way in: none ends the process, all ways agree."""

import json
import subprocess
import sys

from sqlalchemy import Engine

COUNT = 20_000


def test_no_geometry_ends_the_process(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    completed = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.geometries", url, str(COUNT), "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr[-2000:]
    outcomes = json.loads(completed.stdout)
    assert outcomes["items"] + outcomes["refused by items"] == COUNT
    assert outcomes["files"] + outcomes["refused of files"] == COUNT
    assert outcomes["bulk"] == outcomes["items"]
    assert min(outcomes.values()) > COUNT / 20, outcomes
