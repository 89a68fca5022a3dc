"""The PostgreSQL installations of this machine that can hold SamSyn's database.

`python -m samsyn_model.cluster.installations` prints the folder of the best one's programs, or says
on stderr that there is none and exits with status 1.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from samsyn_model.database.requirements import EXTENSIONS, MINIMUM_POSTGRESQL

MINIMUM_POSTGIS = (3, 3)
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")


@dataclass(frozen=True, order=True)
class Installation:
    """One PostgreSQL: its major version, and the folder that holds `initdb` and `pg_ctl`."""

    major: int
    programs: Path


def find_installations() -> list[Installation]:
    """Return what is new enough and has PostGIS and our other extensions, newest first."""
    installations = {_installation(programs.resolve()) for programs in _candidates()}
    return sorted((one for one in installations if one), reverse=True)


def _candidates() -> list[Path]:
    folders = [path for place in _PLACES for path in Path("/").glob(place[1:])]
    config = shutil.which("pg_config")
    if config:
        bindir = _output(config, "--bindir")
        folders += [Path(bindir)] if bindir else []
    server = shutil.which("postgres")
    if server:
        folders.append(Path(server).resolve().parent)
    return folders


def _installation(programs: Path) -> Installation | None:
    if not all(os.access(programs / name, os.X_OK) for name in ("initdb", "pg_ctl", "postgres")):
        return None
    version = re.search(r"(\d+)", _output(programs / "postgres", "--version"))
    if not version or int(version[1]) * 10000 < MINIMUM_POSTGRESQL:
        return None
    major = int(version[1])
    share = _output(programs / "pg_config", "--sharedir") or f"/usr/share/postgresql/{major}"
    return Installation(major, programs) if _has_extensions(Path(share) / "extension") else None


def _has_extensions(folder: Path) -> bool:
    try:
        controls = {name: (folder / f"{name}.control").read_text() for name in EXTENSIONS}
    except OSError:
        return False
    version = re.search(r"default_version\s*=\s*'(\d+)\.(\d+)", controls["postgis"])
    return version is not None and (int(version[1]), int(version[2])) >= MINIMUM_POSTGIS


def _output(program: Path | str, argument: str) -> str:
    """Return what a program prints, nothing when it cannot run."""
    try:
        result = subprocess.run(  # noqa: S603 - a program of the machine, a fixed argument
            [program, argument], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


if __name__ == "__main__":
    installations = find_installations()
    if not installations:
        sys.exit("no PostgreSQL 15 or later with PostGIS 3.3 or later is installed")
    sys.stdout.write(f"{installations[0].programs}\n")
