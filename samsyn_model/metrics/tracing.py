"""What a process did for a request or a job as spans of OpenTelemetry: nothing before it has begun
to, at the cost of a look at one variable.

Without TRACING no process begins, and none imports the libraries: an extra of the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samsyn_model.metrics.spans import Request, Spans

_spans: Spans | None = None


def has_libraries() -> bool:
    """Return whether the extra `tracing` is installed."""
    return all(
        find_spec(name) is not None
        for name in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    )


def begin(part: str) -> None:
    """Send spans from now on; once in a process, after it has forked. `part` is what it does."""
    global _spans  # noqa: PLW0603 - one a process
    if _spans is None:
        from samsyn_model.metrics.spans import Spans  # noqa: PLC0415 - only where spans are sent

        _spans = Spans(part)


def is_on() -> bool:
    """Return whether this process sends spans."""
    return _spans is not None


def end() -> None:
    """Send what has not been sent yet, in some seconds: at the end of the process."""
    if _spans is not None:
        _spans.send()


def begin_request(method: str, route: str | None, headers: Mapping[str, str]) -> Request | None:
    """Begin the span of a request that this thread serves; None where none are sent.

    `headers` may name a span of a trusted caller, which it becomes a part of (W3C Trace Context).
    """
    return None if _spans is None else _spans.begin_request(method, route, headers)


@contextmanager
def job(kind: str) -> Iterator[None]:
    """The span of an attempt at a job; an error that leaves the block is noted."""
    if _spans is None:
        yield
        return
    with _spans.job(kind):
        yield


def note_statement(statement: object, seconds: float, error: BaseException | None) -> None:
    """Tell of a statement that has ended just now, where it was part of a span of this thread."""
    if _spans is not None:
        _spans.note_statement(statement, seconds, error)


def note_outgoing(outcome: str, seconds: float) -> None:
    """Tell of a request to another server that has ended just now, where it was part of one."""
    if _spans is not None:
        _spans.note_outgoing(outcome, seconds)
