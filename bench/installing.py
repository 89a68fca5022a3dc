"""The other servers, installed into a cache outside of the checkout; what is there is kept."""

import os
import shutil
import sys
from pathlib import Path

from bench.processes import ProgramError, run_program
from samsyn_model.settings import CHECKOUT

SOURCES = "BENCH_SOURCES"
"""The environment variable that names a folder with clones called `pg_featureserv` and
`pg_tileserv`, for machines that do not reach GitHub."""


class UnavailableError(Exception):
    """A server that cannot be had on this machine; the text says why."""


def cache_folder() -> Path:
    """Return the folder of what is built and installed, by the XDG convention."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "samsyn" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def install_python(name: str, *packages: str) -> Path:
    """Return the folder of the programs of an environment with these packages.

    Raises UnavailableError.
    """
    folder = cache_folder() / "-".join([name, packages[0].partition("==")[2]])
    if not (folder / "done").exists():
        uv = shutil.which("uv") or shutil.which("uv", path=CHECKOUT / ".samsyn" / "tools" / "bin")
        if uv is None:
            raise UnavailableError("needs uv on the PATH")
        _run([uv, "venv", "--clear", "--python", sys.executable, folder])
        _run([uv, "pip", "install", "--python", folder / "bin" / "python", *packages])
        (folder / "done").touch()
    return folder / "bin"


def build_go(name: str, commit: str) -> Path:
    """Return the program of a server of CrunchyData's, built from a commit; beside it its sources.

    Raises UnavailableError.
    """
    folder = cache_folder() / f"{name}-{commit[:12]}"
    if not (folder / name).exists():
        go = _tool("go", Path("/usr/local/go/bin"))
        shutil.rmtree(folder, ignore_errors=True)
        given = os.environ.get(SOURCES)
        source = f"{given}/{name}" if given else f"https://github.com/CrunchyData/{name}"
        _run(["git", "clone", "--quiet", source, folder])
        _run(["git", "checkout", "--quiet", commit], folder)
        _run([go, "build", "-o", name, "."], folder)
    return folder / name


def build_martin(version: str) -> Path:
    """Return martin, built with PostgreSQL as its only source. Raises UnavailableError."""
    folder = cache_folder() / f"martin-{version}"
    program = folder / "bin" / "martin"
    if not program.exists():
        cargo = _tool("cargo", Path.home() / ".cargo" / "bin")
        features = ["--no-default-features", "--features", "postgres"]
        exact = ["martin", "--version", version, "--locked"]
        _run([cargo, "install", *exact, *features, "--root", folder])
    return program


def _tool(name: str, usual: Path) -> str:
    found = shutil.which(name) or shutil.which(name, path=usual)
    if found is None:
        raise UnavailableError(f"needs {name} on the PATH")
    return found


def _run(command: list[str | Path], folder: Path | None = None) -> None:
    try:
        run_program(["nice", "-n", "10", *command], folder=folder)
    except ProgramError as error:
        raise UnavailableError(str(error)) from error
