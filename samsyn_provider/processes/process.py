"""What the processes of an app are: described here for clients, done by jobs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Flask, current_app

_EXTENSION = "samsyn_processes"


@dataclass(frozen=True, slots=True)
class Process:
    """A process (OGC 18-062r2, 7.8): its description, and what creates a job of it.

    `inputs` and `outputs` are input and output descriptions. `start` creates a job for the
    principal of the request, whose kind is the `id`, and returns its id; it raises the SamsynErrors
    of inputs that do not suit, with pointers below `/inputs`.
    """

    id: str
    title: str
    description: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    start: Callable[[dict[str, Any]], UUID]

    @property
    def metadata(self) -> dict[str, Any]:
        """The description, for pygeoapi."""
        return {
            "version": "1.0.0",
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "jobControlOptions": ["async-execute", "dismiss"],
            "outputTransmission": ["value"],
            "inputs": dict(self.inputs),
            "outputs": dict(self.outputs),
        }


def install(app: Flask, *processes: Process) -> None:
    """Offer these processes."""
    app.extensions[_EXTENSION] = {process.id: process for process in processes}


def processes() -> dict[str, Process]:
    """Return the processes of the current app, by id."""
    offered: dict[str, Process] = current_app.extensions[_EXTENSION]
    return offered
