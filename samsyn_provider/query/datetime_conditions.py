"""The `datetime` parameter as SQL conditions on the temporal properties of features."""

from typing import Any

from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.cql2.temporal import moment_or_null
from samsyn_provider.query.datetime import Interval


def datetime_conditions(
    interval: Interval, times: TemporalProperties, values: dict[str, Any]
) -> list[str]:
    """Return the conditions under which a feature's time intersects the interval.

    OGC API Features Part 1, /req/core/fc-time-response. A date counts as its whole day in UTC; a
    feature without a time does not match.
    """
    start, end = (
        _text(role, name, values) if name else None
        for role, name in (("time_start", times.start), ("time_end", times.end))
    )
    moments = [moment_or_null(text) for text in (start, end) if text]
    conditions = [f"coalesce({', '.join(dict.fromkeys(moments))}) IS NOT NULL"]
    if interval.start is not None and end:
        values["start"] = interval.start
        moment = moment_or_null(end)
        day = f"interval '1 day' * (length({end}) = 10)::int"
        lasts = f"({moment} >= %(start)s OR {moment} + {day} > %(start)s)"
        conditions.append(_or_open(moment, lasts, times))
    if interval.end is not None and start:
        values["end"] = interval.end
        moment = moment_or_null(start)
        begins = f"{moment} {'<=' if interval.includes_end else '<'} %(end)s"
        conditions.append(_or_open(moment, begins, times))
    return conditions


def _or_open(moment: str, condition: str, times: TemporalProperties) -> str:
    return condition if times.is_instant else f"({moment} IS NULL OR {condition})"


def _text(role: str, name: str, values: dict[str, Any]) -> str:
    values[role] = name
    return f"(properties ->> %({role})s)"
