"""The context that all parts of a run share."""

from dataclasses import dataclass
from pathlib import Path

import click
from sqlalchemy import URL

from bench.report import Report


@dataclass(frozen=True)
class Run:
    """One run: its folder, durations and report."""

    report: Report
    server: URL
    """A PostgreSQL server where databases may be made."""
    folder: Path
    """For files; deleted at the end."""
    rounds: int
    seconds: float
    """The length of a round of a case."""

    def log_progress(self, text: str) -> None:
        """Print the progress of the run."""
        click.echo(text, err=True)
