"""docs/tutorial.md is true: its commands run, and return what it shows."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine

from tests.clients.samsyn_server import Server, serve

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
PROGRAMS = ("bash", "curl", "python3", "ogrinfo")
ANYTHING = "…"
BETWEEN_BLOCKS = "\x1e"
TIMEOUT = 120

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Step:
    """Commands of the page, and the part of their response that it shows, if any."""

    commands: str
    kind: str = ""
    shown: str = ""

    def is_true(self, output: str) -> bool:
        """Return whether the output of the commands has what the page shows."""
        if self.kind == "json":
            return has_part(json.loads(output), json.loads(self.shown))
        lines = iter(output.splitlines())
        return all(any(line == shown for line in lines) for shown in self.shown.splitlines())


def read_steps(page: str) -> list[Step]:
    """Return the page's commands in their order, each with the response that follows it."""
    steps: list[Step] = []
    for kind, block in _BLOCK.findall(page):
        if kind == "sh":
            steps.append(Step(block))
        else:
            assert not steps[-1].kind, f"two answers to one block:\n{block}"
            steps[-1].kind, steps[-1].shown = kind, block
    return steps


def has_part(response: Any, shown: Any) -> bool:
    """Return whether a JSON value has what is shown of it; `…` stands for anything but null."""
    if isinstance(shown, dict):
        return isinstance(response, dict) and all(
            name in response and has_part(response[name], member) for name, member in shown.items()
        )
    if isinstance(shown, list):
        return (
            isinstance(response, list)
            and len(response) == len(shown)
            and all(map(has_part, response, shown))
        )
    if isinstance(shown, str) and ANYTHING in shown:
        pattern = ".*".join(map(re.escape, shown.split(ANYTHING)))
        return response is not None and re.fullmatch(pattern, str(response)) is not None
    return bool(response == shown)


def run_steps(steps: list[Step], server: Server, folder: Path) -> list[str]:
    """Run all commands in one bash, as somebody in the checkout would, and return the outputs."""
    (folder / ".venv").symlink_to(sys.prefix)
    script = "".join(f"{step.commands}\nprintf '{BETWEEN_BLOCKS}'\n" for step in steps)
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{script}"],
        cwd=folder,
        env={
            **os.environ,
            "BASE_URL": server.url,
            "DATABASE_URL": server.database,
            "TMPDIR": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    *outputs, rest = done.stdout.split(BETWEEN_BLOCKS)
    if done.returncode:
        pytest.fail(f"{steps[len(outputs)].commands}\nfailed: {rest}\n{done.stderr}")
    return outputs


@pytest.fixture
def server(empty_database: Engine, test_database_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server on a database that holds nothing yet, emptied when the server has stopped."""
    with serve(test_database_url, tmp_path / "log") as running:
        yield running


def test_the_tutorial_is_true(server: Server, tmp_path: Path) -> None:
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    steps = read_steps(TUTORIAL.read_text())
    outputs = run_steps(steps, server, tmp_path)
    for step, output in zip(steps, outputs, strict=True):
        assert not step.kind or step.is_true(output), f"{step.commands}\nanswered:\n{output}"
    (lerskar,) = requests.get(f"{server.url}/api/v1/maps", timeout=10).json()
    assert lerskar["name"] == "Lerskär sound"
    assert [place["layer"]["feature_count"] for place in lerskar["map_layers"]] == [3, 2, 0, 0]


def test_an_answer_that_is_not_as_shown_is_seen() -> None:
    response = {"id": 7, "name": "North", "gone": None, "zones": [{"name": "a", "n": 1}]}
    assert has_part(response, {"id": "…", "zones": [{"name": "a"}]})
    assert has_part(response, {"name": "N…h"})
    untrue: list[dict[str, Any]] = [
        {"id": 8},
        {"name": "S…h"},
        {"gone": "…"},
        {"other": None},
        {"zones": []},
        {"zones": [{"name": "b"}]},
    ]
    for wrong in untrue:
        assert not has_part(response, wrong), wrong
    assert Step("", "text", "one\nthree\n").is_true("one\ntwo\nthree\n")
    assert not Step("", "text", "three\none\n").is_true("one\ntwo\nthree\n")
