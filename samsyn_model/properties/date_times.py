"""The form in which moments are stored and sent: RFC 3339, in UTC."""

from datetime import UTC, datetime, timedelta

_SECONDS = slice(17, 19)


def rfc3339(moment: datetime) -> str:
    """Return a moment in UTC, `2024-05-01T10:00:00Z`; one without a zone is taken as UTC.

    Fractions of a second are retained, to the millisecond or the microsecond.
    """
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    fraction = moment.microsecond
    timespec = "seconds" if not fraction else "microseconds" if fraction % 1000 else "milliseconds"
    return moment.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def parsed_date_time(text: str) -> datetime:
    """Return the moment of a date-time of RFC 3339, with or without a zone, or of a date.

    A leap second (23:59:60 in UTC, at the end of a month) is the first one after it, as in
    PostgreSQL. Raises ValueError for any other text.
    """
    text = text.upper()
    if text[_SECONDS] != "60":
        return datetime.fromisoformat(text)
    before = datetime.fromisoformat(f"{text[:17]}59{text[19:]}")
    try:
        moment = before + timedelta(seconds=1)
        first = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the moment is beyond the years that there are") from error
    if (first.day, first.hour, first.minute) != (1, 0, 0):
        raise ValueError("a minute has 60 seconds, but for the last one of a month")
    return moment
