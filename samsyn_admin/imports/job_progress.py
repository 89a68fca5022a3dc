"""The progress of an import, as its job reports it."""

from pathlib import Path

from samsyn_admin.imports.loading.position import share_read
from samsyn_admin.jobs.context import JobContext

_FIRST, _LAST = 2, 98  # percent: before are the files fetched, after is all committed


class JobProgress:
    """Reports the progress of an import as that of its job.

    By the number of features, where it is known; else by how much of the largest file in the
    present folder has been read.
    """

    def __init__(self, context: JobContext, doing: str) -> None:
        self._context, self._doing = context, doing
        self._name, self._total, self._expected = "", 0, 0
        self._before = self._done = 0

    def expect(self, count: int) -> None:
        """Note that the layers have so many features together."""
        self._expected = count

    def start(self, name: str, total: int | None) -> None:
        """Begin a layer of `total` features; a second start of the same layer restarts it."""
        if name != self._name:
            self._before += self._done
        self._name, self._total, self._done = name, total or 0, 0
        self._report()

    def advance(self, count: int) -> None:
        """Count features."""
        self._done += count
        self._report()

    def remark(self, text: str) -> None:
        """Leave out what the report says too."""

    def _report(self) -> None:
        share = self._share()
        message = f"{self._doing} {self._name}"
        if self._done:
            message += f": {self._done:,} features"
        self._context.report(round(_FIRST + (_LAST - _FIRST) * min(1.0, share)), message)

    def _share(self) -> float:
        if self._expected:
            return (self._before + self._done) / self._expected
        if self._total:
            return self._done / self._total
        return share_read(Path()) or 0.0
