"""The `datetime` parameter: instants, days and intervals of RFC 3339."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from samsyn_model.errors import InvalidParameterError
from samsyn_model.properties.date_times import parsed_date_time

_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2}))?")

_CHANGE_SET = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of time; None is unbounded; the end of an instant is its start."""

    start: datetime | None
    end: datetime | None
    includes_end: bool


def parse_datetime(text: str, name: str = "datetime") -> Interval:
    """Return the instant or interval of a parameter, `datetime` or another `name` (RFC 3339; `..`
    is open).

    A date counts as its whole day, in UTC. Raises InvalidParameterError for any other text.
    """
    parts = text.split("/")
    if len(parts) == 1:
        start, end, whole_day = _moment(parts[0], name)
        return Interval(start, end, includes_end=not whole_day)
    if len(parts) != 2:
        raise InvalidParameterError(f"{name} is an instant or an interval of two.")
    first, last = (None if part in {"", ".."} else part for part in parts)
    if first is None and last is None:
        return Interval(None, None, includes_end=False)
    begins = _moment(first, name)[0] if first else None
    if last is None:
        return Interval(begins, None, includes_end=False)
    _, ends, whole_day = _moment(last, name)
    if begins and ends and (begins > ends or (whole_day and begins == ends)):
        raise InvalidParameterError(f"The {name} interval ends before it starts.")
    return Interval(begins, ends, includes_end=not whole_day)


def parse_moment(text: str, name: str) -> datetime | int:
    """Return the moment of a parameter, or the number of the change set that it names; raises
    InvalidParameterError."""
    if _CHANGE_SET.fullmatch(text):
        return int(text)
    interval = parse_datetime(text, name)
    if interval.start is None or not interval.includes_end or interval.start != interval.end:
        raise InvalidParameterError(
            f"{name} is a moment, such as 2026-05-01T12:00:00Z, or the number of a change set."
        )
    return interval.start


def _moment(text: str, name: str) -> tuple[datetime, datetime | None, bool]:
    """Return start, end and whether it is a whole day, which excludes its end."""
    try:
        if not _DATE_TIME.fullmatch(text):
            raise ValueError
        moment = parsed_date_time(text)
        if len(text) == 10:
            start = moment.replace(tzinfo=UTC)
            is_last_day = start.date() == date.max
            return start, None if is_last_day else start + timedelta(days=1), True
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidParameterError(
            f"{name}: {text!r} is not a date or date-time of RFC 3339, such as"
            " 2026-05-01T12:00:00Z."
        ) from None
    return moment, moment, False
