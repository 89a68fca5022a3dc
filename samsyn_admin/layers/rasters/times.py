"""Times of rasters as addresses have them."""

from datetime import UTC, date, datetime, time


def shown_time(moment: datetime) -> str:
    """Return a time as addresses have it: a date where it is the beginning of a day in UTC."""
    moment = moment.astimezone(UTC)
    if moment.time() == time.min:
        return moment.date().isoformat()
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def parsed_time(text: str) -> datetime | None:
    """Return the time of an address, or None for a text that `shown_time` does not return."""
    try:
        if len(text) == len("2024-05-01"):
            return datetime.combine(date.fromisoformat(text), time.min, UTC)
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
