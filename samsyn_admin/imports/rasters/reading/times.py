"""Times of rasters: in the names of files, and on the axes of NetCDF (CF conventions, 4.4)."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

_IN_NAME = re.compile(
    r"(?<!\d)(?P<year>(?:18|19|20|21)\d\d)"
    r"(?:(?P<mark>[-_.]?)(?P<month>0[1-9]|1[0-2])"
    r"(?:(?P=mark)(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?:[T_-]?(?P<hour>[01]\d|2[0-3])[-_:]?(?P<minute>[0-5]\d)(?:[-_:]?(?P<second>[0-5]\d))?Z?)?"
    r")?)?(?!\d)"
)
_UNITS = re.compile(
    r"\s*(?P<unit>[A-Za-z]+)\s+since\s+(?P<year>-?\d{1,4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
    r"(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.\d*)?)?)?"
    r"\s*(?:Z|UTC|GMT|\+?00?:?(?:00)?)?\s*",
    re.IGNORECASE,
)
_SECONDS = {
    **dict.fromkeys(("second", "seconds", "sec", "secs", "s"), 1),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), 60),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), 3600),
    **dict.fromkeys(("day", "days", "d"), 86400),
}
_CALENDARS = {"", "standard", "gregorian", "proleptic_gregorian"}


def time_in_name(stem: str) -> datetime | None:
    """Return the time in a file's name without its suffix, in UTC: `sst_2024-05-01`, `20240501`,
    `2024-05`, `2024`; the last where there are several, None without one."""
    found = None
    for match in _IN_NAME.finditer(stem):
        parts = match.groupdict()
        numbers = [int(parts[name] or default) for name, default in _PARTS]
        year, month, day, hour, minute, second = numbers
        try:
            found = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:  # 30 February
            continue
    return found


_PARTS = (("year", 1), ("month", 1), ("day", 1), ("hour", 0), ("minute", 0), ("second", 0))


def name_without_time(stem: str) -> str:
    """Return a file's name without its time and what joins them; the name where nothing is left."""
    return _IN_NAME.sub("", stem).strip(" _-.") or stem


def times_of_axis(values: Iterable[str], units: str, calendar: str) -> list[datetime] | None:
    """Return the times of an axis in UTC; None for units or a calendar that are not known.

    `units` are as in `days since 1950-01-01`.
    """
    match = _UNITS.fullmatch(units)
    if match is None or calendar.lower() not in _CALENDARS:
        return None
    seconds = _SECONDS.get(match["unit"].lower())
    if seconds is None:
        return None
    try:
        numbers = [int(match[name] or default) for name, default in _PARTS]
        year, month, day, hour, minute, second = numbers
        origin = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return [origin + timedelta(seconds=round(float(value) * seconds)) for value in values]
    except (ValueError, OverflowError):
        return None


def are_distinct(moments: Sequence[datetime | None]) -> bool:
    """Return whether all are times, and none is there twice."""
    return None not in moments and len(set(moments)) == len(moments)
