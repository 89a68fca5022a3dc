"""Which PgBouncer: the machine's own, or Debian 13's of scripts/build-pgbouncer-root."""

import os
from pathlib import Path

from bench.processes import StartError
from bench.production.programs import find_program

PACKAGED, NEWER = "packaged", "newer"
"""That of the machine's packages, and one that knows prepared statements."""
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "samsyn"


def pooler_command(which: str) -> list[str]:
    """Return the command that starts a PgBouncer. Raises StartError where there is none."""
    if which == PACKAGED:
        return [str(find_program("pgbouncer"))]
    root = _CACHE / "pgbouncer-trixie"
    if not root.is_dir():
        raise StartError("there is no PgBouncer of Debian 13: scripts/build-pgbouncer-root")
    libraries = next((root / "usr" / "lib").glob("*-linux-gnu"))
    loader = next(libraries.glob("ld-linux-*.so.*"))
    program = root / "usr" / "sbin" / "pgbouncer"
    return [str(loader), "--library-path", str(libraries), str(program)]
