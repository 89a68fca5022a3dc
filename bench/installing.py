"""The other servers: installed from registries into a cache outside of the checkout, or found."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.processes import ProgramError, run_program
from samsyn_model.settings import CHECKOUT


class UnavailableError(Exception):
    """A server that cannot be had on this machine; the text says why."""


def cache_folder() -> Path:
    """Return the folder of what is installed, by the XDG convention."""
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


def install_martin(version: str) -> Path:
    """Return martin, installed with PostgreSQL as its only source. Raises UnavailableError."""
    folder = cache_folder() / f"martin-{version}"
    program = folder / "bin" / "martin"
    if not program.exists():
        usual = Path.home() / ".cargo" / "bin"
        cargo = shutil.which("cargo") or shutil.which("cargo", path=usual)
        if cargo is None:
            raise UnavailableError("needs cargo on the PATH")
        features = ["--no-default-features", "--features", "postgres"]
        exact = ["martin", "--version", version, "--locked"]
        _run([cargo, "install", *exact, *features, "--root", folder])
    return program


def find_program(name: str) -> Path:
    """Return a program that is in no registry: the one that the environment variable of its name
    in capitals names, else the one on the PATH. Raises UnavailableError."""
    variable = name.upper()
    given = os.environ.get(variable)
    found = shutil.which(given or name)
    if found is None and given:
        raise UnavailableError(f"{variable} names no program: {given}")
    if found is None:
        raise UnavailableError(f"needs {name} on the PATH, or {variable} to name it")
    return Path(found).absolute()


def program_version(program: str) -> str:
    """Return the version that a program says it is, with whatever status it then ends."""
    command = [program, "--version"]
    completed = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False
    )
    lines = completed.stdout.splitlines() or [""]
    return lines[0].partition(" ")[2].strip() or "(no version)"


def _run(command: list[str | Path]) -> None:
    try:
        run_program(["nice", "-n", "10", *command])
    except ProgramError as error:
        raise UnavailableError(str(error)) from error
