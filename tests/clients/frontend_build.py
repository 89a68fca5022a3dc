"""The public web frontend, built from its archive with its code untouched."""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

STAND_IN = Path(__file__).with_name("clerk_stand_in")
API_PLACE = "http://api.samsyn.invalid"
"""What the built frontend calls the server's address; whoever serves it puts the real one there."""
_CONFIG = "vite.stand-in.config.mjs"
_QUIETLY = ("--no-audit", "--no-fund", "--loglevel=error")


def built_frontend(shared: Path | None) -> Path:
    """Return the folder with the built frontend; skip the test where it cannot be built.

    The archive is SAMSYN_FRONTEND, else the one in the folder `frontend` of the shared test data.
    What was built is kept for the next run.
    """
    archive = _archive(shared)
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm: the web frontend cannot be built")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "samsyn"
    folder = cache / f"frontend-{_digest(archive)}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as work:
            _build(npm, archive, Path(work)).rename(folder)
    return folder


def _archive(shared: Path | None) -> Path:
    named = os.environ.get("SAMSYN_FRONTEND")
    if named:
        return Path(named)
    found = sorted((shared / "frontend").glob("*.tar.gz")) if shared else []
    if not found:
        pytest.skip("no archive of the web frontend: SAMSYN_FRONTEND names one")
    return found[-1]


def _digest(archive: Path) -> str:
    digest = hashlib.sha256(archive.read_bytes())
    for file in (Path(__file__), *sorted(STAND_IN.iterdir())):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _build(npm: str, archive: Path, work: Path) -> Path:
    with tarfile.open(archive) as packed:
        packed.extractall(work, filter="data")
    (source,) = (file.parent for file in work.rglob("package.json"))
    stand_in = source / "clerk_stand_in.jsx"
    shutil.copy(STAND_IN / "index.jsx", stand_in)
    shutil.copy(STAND_IN / "vite.config.mjs", source / _CONFIG)
    environment = {
        **os.environ,
        "CLERK_STAND_IN": str(stand_in),
        "VITE_API_URL": API_PLACE,
        "VITE_CLERK_PUBLISHABLE_KEY": "pk_test_c3RhbmQtaW4k",
    }
    if _run([npm, "ci", *_QUIETLY], source, environment).returncode:
        # the lock may be older than the package's own list
        _succeed([npm, "install", "--no-save", *_QUIETLY], source, environment)
    _succeed([npm, "exec", "--", "vite", "build", "--config", _CONFIG], source, environment)
    return source / "build"


def _succeed(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = _run(command, folder, environment)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-2000:]}{done.stderr}"


def _run(
    command: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
