"""Damaged shapefiles and archives: each is read or refused, none ends the process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = int(os.environ.get("FUZZ_FILES", "600"))
SEED = os.environ.get("FUZZ_SEED", "1")


@pytest.mark.timeout(120 + COUNT // 2)
def test_no_damage_ends_the_process(tmp_path: Path) -> None:
    program = "tests.api.imports.readers.shapefile.damaged_files"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    completed = subprocess.run(
        [sys.executable, "-m", program, tmp_path, str(COUNT), SEED],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    assert completed.returncode == 0, f"FUZZ_SEED={SEED}: {completed.stderr[-2000:]}"
    outcomes = json.loads(completed.stdout)
    assert outcomes["refused"] + outcomes["read"] == COUNT
    assert min(outcomes.values()) > COUNT / 20, outcomes
    assert list(scratch.iterdir()) == []
