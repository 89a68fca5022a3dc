"""The form in which moments are stored and sent: RFC 3339, in UTC."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """Return a moment in UTC, `2024-05-01T10:00:00Z`; one without a zone is taken as UTC.

    Fractions of a second are retained, to the millisecond or the microsecond.
    """
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    fraction = moment.microsecond
    timespec = "seconds" if not fraction else "microseconds" if fraction % 1000 else "milliseconds"
    return moment.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"
