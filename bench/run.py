"""What every part of a run shares."""

from dataclasses import dataclass
from pathlib import Path

import click
from sqlalchemy import URL

from bench.report import Report


@dataclass(frozen=True)
class Run:
    """One run: where it works, how long it measures, what it reports to."""

    report: Report
    server: URL
    """A PostgreSQL server where databases may be made."""
    folder: Path
    """For files; gone at the end."""
    rounds: int
    seconds: float
    """That a case is measured in a round."""

    def say(self, text: str) -> None:
        """Tell a person how far the run is."""
        click.echo(text, err=True)
