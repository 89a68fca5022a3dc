"""The scripts that set up a checkout: finding a Python, and leaving alone what is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from samsyn_model.settings import CHECKOUT

FIND_PYTHON = CHECKOUT / "scripts" / "find-python"


def _find(path: Path, pyenv: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", FIND_PYTHON, *arguments],
        env={"PATH": str(path), "PYENV_ROOT": str(pyenv), "HOME": str(path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _program(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def test_a_python_on_the_path_is_found(path: Path, tmp_path: Path) -> None:
    _program(path / "python3.12", f'exec "{sys.executable}" "$@"')
    found = _find(path, tmp_path)
    assert found.returncode == 0
    assert Path(found.stdout.strip()).samefile(sys.executable)


def test_a_shim_that_does_not_run_is_passed_over(path: Path, tmp_path: Path) -> None:
    _program(path / "python3.12", 'echo "pyenv: python3.12: command not found" >&2; exit 127')
    _program(path / "python3", "exit 0")
    _program(tmp_path / "pyenv/versions/3.11.9/bin/python3", "exit 1")
    _program(tmp_path / "pyenv/versions/3.13.0/bin/python3", f'exec "{sys.executable}" "$@"')
    (path / "python3").unlink()
    found = _find(path, tmp_path / "pyenv")
    assert found.returncode == 0
    assert Path(found.stdout.strip()).samefile(sys.executable)


def test_a_later_folder_of_the_path_is_looked_at(path: Path, tmp_path: Path) -> None:
    _program(path / "python3", "exit 127")
    _program(tmp_path / "later/python3", f'exec "{sys.executable}" "$@"')
    found = _find(Path(f"{path}:{tmp_path / 'later'}"), tmp_path)
    assert Path(found.stdout.strip()).samefile(sys.executable)


def test_one_too_old_or_none_is_told_by_the_status(path: Path, tmp_path: Path) -> None:
    assert _find(path, tmp_path).returncode == 1
    _program(path / "python3", f'exec "{sys.executable}" "$@"')
    assert _find(path, tmp_path).returncode == 0
    assert _find(path, tmp_path, "99").returncode == 1


def test_an_optimised_python_is_found_by_how_it_was_built(path: Path, tmp_path: Path) -> None:
    config = "sysconfig.get_config_var = lambda _: {options!r}; sys.base_prefix = '/opt'"
    start = "import sys, sysconfig; {config}; exec(sys.argv[2])"
    for name, options in (
        ("python3.12", "--prefix=/opt"),
        ("python3", "--prefix=/opt --enable-optimizations"),
    ):
        code = start.format(config=config.format(options=options))
        _program(path / name, f'exec "{sys.executable}" -c "{code}" "$@"')
    (path / "python3").rename(tmp_path / "python3")
    assert _find(path, tmp_path).returncode == 0
    assert _find(path, tmp_path, "12", "optimized").returncode == 1
    (tmp_path / "python3").rename(path / "python3")
    found = _find(path, tmp_path, "12", "optimized")
    assert Path(found.stdout.strip()).samefile(sys.executable)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_who_may_not_install_is_told() -> None:
    refused = subprocess.run(
        ["/bin/bash", "-s", "--", "/bin/echo", "done"],
        input=(CHECKOUT / "scripts" / "as-root").read_text(),
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
        user="nobody",
        group="nogroup",
        extra_groups=[],
    )
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "neither root nor allowed to use sudo" in refused.stderr


def test_every_target_is_listed() -> None:
    listed = subprocess.run(
        ["make", "-C", CHECKOUT, "--no-print-directory"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    for target in ("help", "run", "test", "check", "clean"):
        assert f"make {target} " in listed


def test_a_second_set_up_installs_nothing(tmp_path: Path) -> None:
    if not (CHECKOUT / ".venv" / ".samsyn-setup").exists():
        pytest.skip("this checkout was not set up by scripts/setup")
    done = subprocess.run(
        [CHECKOUT / "scripts" / "setup"],
        env={**os.environ, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
