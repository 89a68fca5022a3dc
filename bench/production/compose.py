"""docker-compose.prod.yml as Compose reads it: what each service runs, with what, within what."""

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import run_program
from samsyn_model.settings import CHECKOUT

COMPOSE = Path(sys.executable).with_name("docker-compose")
_FILE = CHECKOUT / "docker-compose.prod.yml"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_ENV = re.compile(r"ENV ((?:.*\\\n)*.*)")


@dataclass(frozen=True)
class Service:
    """A service of the file."""

    command: list[str]
    environment: dict[str, str]
    memory: int
    """Bytes that it may use."""
    stop_seconds: float
    """How long it has to end after SIGTERM."""


def shipped_services(**variables: str) -> dict[str, Service]:
    """Return the services of docker-compose.prod.yml, with these variables put in.

    Raises ProgramError where Compose refuses them.
    """
    output = run_program(
        [
            *(COMPOSE, "--env-file", os.devnull, "-f", _FILE),
            *("config", "--no-env-resolution", "--format", "json"),
        ],
        variables,
    )
    found: dict[str, Any] = json.loads(output)["services"]
    return {name: _service(described) for name, described in found.items()}


def _service(described: dict[str, Any]) -> Service:
    environment = described.get("environment") or {}
    return Service(
        [word.replace("$$", "$") for word in described.get("command") or []],
        {name: value or "" for name, value in environment.items()},
        int(described["mem_limit"]),
        _seconds(described.get("stop_grace_period", "10s")),
    )


def _seconds(text: str) -> float:
    """Return a duration such as `1m30s`."""
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def image_environment() -> dict[str, str]:
    """Return what the Dockerfile sets for the processes of the image, but paths of programs."""
    last = _ENV.findall((CHECKOUT / "Dockerfile").read_text())[-1]
    pairs = (word.split("=", 1) for word in last.replace("\\\n", " ").split())
    return {name: value for name, value in pairs if name != "PATH"}
