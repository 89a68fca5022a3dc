"""Progress of an import on stderr: a bar and messages."""

import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

_SECONDS_BETWEEN_LINES = 10.0


class ImportProgress(Protocol):
    """Receives the progress of an import."""

    def start(self, name: str, total: int | None) -> None:
        """Begin a layer of `total` features, None when their number is not known."""

    def advance(self, count: int) -> None:
        """Count features sent to the database."""

    def remark(self, text: str) -> None:
        """Report a message to the user."""


class TerminalProgress:
    """A bar per layer where stderr is a terminal, else a line every ten seconds."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._console = Console(file=file or sys.stderr, highlight=False, soft_wrap=True)
        self._task: TaskID | None = None
        self._name = ""
        self._done = 0
        self._reported_at = 0.0
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def start(self, name: str, total: int | None) -> None:
        """Begin a layer; a second start of the same layer restarts it."""
        if self._task is not None and name == self._name:
            self._bars.reset(self._task, total=total)
        else:
            self._task = self._bars.add_task(name, total=total)
        self._name, self._done, self._reported_at = name, 0, time.monotonic()

    def advance(self, count: int) -> None:
        """Count features."""
        self._done += count
        if self._task is not None:
            self._bars.advance(self._task, count)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._reported_at >= _SECONDS_BETWEEN_LINES:
            self._reported_at = now
            self.remark(f"{self._name}: {self._done:,} features so far")

    def remark(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, markup=False)
