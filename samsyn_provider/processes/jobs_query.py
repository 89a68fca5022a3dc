"""The parameters of a list of jobs (OGC 18-062r2, 11.2.2)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func
from werkzeug.datastructures import MultiDict

from samsyn_model.errors import InvalidParameterError
from samsyn_model.tables.jobs import JOB_STATUSES, Job
from samsyn_provider.query.datetime import parse_datetime
from samsyn_provider.query.parameters import parse_limit, parse_offset, single_values

_DEFAULT_LIMIT, _MAX_LIMIT = 10, 1_000
_SECONDS = re.compile(r"[0-9]{1,9}")
_KNOWN = frozenset(
    {
        *("f", "limit", "offset", "type", "processID", "status", "datetime"),
        *("minDuration", "maxDuration"),
    }
)


@dataclass(frozen=True, slots=True)
class JobsQuery:
    """Which jobs are listed; without `kinds` or `statuses` those of all."""

    limit: int
    offset: int
    kinds: tuple[str, ...] | None
    statuses: tuple[str, ...] | None
    conditions: tuple[ColumnElement[bool], ...]


def parse_jobs_query(arguments: MultiDict[str, str]) -> JobsQuery:
    """Return the query of a request; raises InvalidParameterError."""
    values = single_values(arguments, _KNOWN)
    if values.get("type", "process") != "process":
        raise InvalidParameterError("type is process: all jobs here are of processes.")
    statuses = _words("status", values)
    for status in statuses or ():
        if status not in JOB_STATUSES:
            raise InvalidParameterError(f"status is one of {', '.join(JOB_STATUSES)}.")
    return JobsQuery(
        limit=parse_limit(values, _DEFAULT_LIMIT, _MAX_LIMIT),
        offset=parse_offset(values),
        kinds=_words("processID", values),
        statuses=statuses,
        conditions=(*_created(values), *_lasted(values)),
    )


def _words(name: str, values: Mapping[str, str]) -> tuple[str, ...] | None:
    return tuple(values[name].split(",")) if name in values else None


def _created(values: Mapping[str, str]) -> Iterator[ColumnElement[bool]]:
    if "datetime" not in values:
        return
    interval = parse_datetime(values["datetime"])
    if interval.start:
        yield Job.created_at >= interval.start
    if interval.end:
        yield (
            Job.created_at <= interval.end
            if interval.includes_end
            else Job.created_at < interval.end
        )


def _lasted(values: Mapping[str, str]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions on the time that jobs took, or have run until now."""
    end = case((Job.finished_at.is_(None), func.now()), else_=Job.finished_at)
    duration = func.extract("epoch", end - Job.started_at)
    if "minDuration" in values:
        yield duration >= _seconds("minDuration", values)
    if "maxDuration" in values:
        yield duration <= _seconds("maxDuration", values)


def _seconds(name: str, values: Mapping[str, str]) -> int:
    if not _SECONDS.fullmatch(values[name]):
        raise InvalidParameterError(f"{name} is a whole number of seconds.")
    return int(values[name])
