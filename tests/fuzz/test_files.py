"""Damaged files: each is imported or refused with a reason, none ends the process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

COUNT = int(os.environ.get("FUZZ_FILES", "600"))
SEED = os.environ.get("FUZZ_SEED", "1")


@pytest.mark.timeout(120 + COUNT // 2)
def test_no_damaged_file_ends_the_process(engine: Engine, tmp_path: Path) -> None:
    url = engine.url.render_as_string(hide_password=False)
    completed = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.files", url, tmp_path, str(COUNT), SEED],
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, f"FUZZ_SEED={SEED}: {completed.stderr[-2000:]}"
    outcomes = json.loads(completed.stdout)
    assert sum(outcomes.values()) == COUNT
    assert min(outcomes.values()) > COUNT / 10, outcomes
