"""QGIS without a screen, in a Debian root that scripts/build-qgis-root makes."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).with_name("qgis")
TIMEOUT = 90
QGIS_ROOTS = {"3.40": "qgis-trixie", "3.44": "qgis-trixie-backports"}


@dataclass(frozen=True)
class Qgis:
    """A release of QGIS; each task is done in a new process with a user profile of its own."""

    version: str
    root: Path
    profiles: Path

    @property
    def reads_schemas(self) -> bool:
        """Whether it takes fields and geometry type from the schema, or from ten features."""
        return self.version != "3.40"

    def store(self, name: str, content: bytes) -> str:
        """Store a file for the tasks; return its path as QGIS sees it."""
        file = self.profiles / name
        file.write_bytes(content)
        return str(Path("/", file.relative_to(self.root)))

    def do(self, task: str, *, time_zone: str = "UTC", **arguments: Any) -> Any:
        """Do a task of qgis/session.py on a machine in this time zone, and return its answer."""
        home = Path("/", Path(tempfile.mkdtemp(dir=self.profiles)).relative_to(self.root))
        folders = (f"{name}={home}" for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR"))
        done = subprocess.run(
            [
                *("chroot", str(self.root), "env", "-i", "PATH=/usr/bin:/bin", "LANG=C.UTF-8"),
                *(*folders, "QT_QPA_PLATFORM=offscreen", f"TZ={time_zone}"),
                *("python3", str(Path("/", self.profiles.relative_to(self.root), "session.py"))),
                json.dumps({"do": task, **arguments}),
            ],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def debian_root(qgis_version: str) -> Path:
    """Return the Debian 13 root that holds this QGIS, or skip the test and say why."""
    if os.geteuid() != 0:
        pytest.skip(f"only root can chroot into the Debian root that has QGIS {qgis_version}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = cache / "samsyn" / QGIS_ROOTS[qgis_version]
    if not root.is_dir():
        pytest.skip(
            f"no Debian root with QGIS {qgis_version}:"
            f" scripts/build-qgis-root {qgis_version} builds it"
        )
    return root


@contextmanager
def qgis_in(root: Path, version: str) -> Iterator[Qgis]:
    """Yield the QGIS of a root; nothing of its profiles is left there."""
    profiles = Path(tempfile.mkdtemp(dir=root / "tmp"))
    try:
        for script in SCRIPTS.glob("*.py"):
            shutil.copy(script, profiles)
        yield Qgis(version, root, profiles)
    finally:
        shutil.rmtree(profiles)
