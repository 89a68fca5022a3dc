"""The companion that `samsyn serve` has beside it for Prometheus, begun when that first asks."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import click

from samsyn_admin.companions.companion import Program, beside
from samsyn_model.metrics.counting import FOLDER
from samsyn_model.scratch import ScratchFolder
from samsyn_model.settings import Settings

_BACKLOG = 64
_PAUSES = (0.2, 2.0)  # seconds


@contextmanager
def metrics_beside(url: str, settings: Settings) -> Iterator[None]:
    """Let this process and those that it begins count, and a companion answer at METRICS_PORT.

    Nothing of this where it is not set. Raises click.ClickException when the port is taken.
    """
    if settings.metrics_port is None:
        os.environ.pop(FOLDER, None)
        yield
        return
    folder = ScratchFolder("samsyn-metrics-")
    with _listening(settings.metrics_host, settings.metrics_port) as listener:
        os.environ[FOLDER] = str(folder.path)
        program = Program(
            "The companion of metrics",
            "samsyn_admin.metrics.process",
            {"DATABASE_URL": url},
            listener,
            pauses=_PAUSES,
        )
        with beside(program):
            yield
    folder.remove()


@contextmanager
def _listening(host: str, port: int) -> Iterator[int]:
    """Yield the descriptor of a socket that listens for Prometheus."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise click.ClickException(
                f"cannot listen at {host}:{port}: {error.strerror};"
                " METRICS_HOST and METRICS_PORT name another address"
            ) from error
        listener.listen(_BACKLOG)
        yield listener.fileno()
