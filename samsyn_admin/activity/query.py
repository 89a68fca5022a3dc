"""Queries of activity."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from werkzeug.datastructures import MultiDict

from samsyn_model.errors import InvalidParameterError
from samsyn_model.history.change_sets import NEWEST
from samsyn_model.history.changes import ACTIONS
from samsyn_provider.query.datetime import parse_datetime
from samsyn_provider.query.parameters import parse_boolean, parse_uuid, single_values
from samsyn_provider.query.position import decode_position

MAX_LIMIT = 1_000
DEFAULT_LIMIT = 100

_PARAMETERS = frozenset(
    {"f", "limit", "after", "grouped", "author", "kind", "action", "since", "until"}
)
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class ActivityQuery:
    """The parameters of a request for activity."""

    limit: int | None
    """How many lines; None where the request does not say."""
    before: int
    """Only change sets with lesser numbers: those after the end of another page."""
    is_grouped: bool
    author: uuid.UUID | None
    kinds: tuple[str, ...] | None
    actions: tuple[str, ...] | None
    since: datetime | int | None
    """Only change sets after this moment, or this number."""
    until: datetime | int | None
    """Only change sets up to this moment, or this number."""

    def includes(self, moment: datetime) -> bool:
        """Return whether a change set of this moment is between `since` and `until`."""
        is_late = not isinstance(self.since, datetime) or moment > self.since
        return is_late and (not isinstance(self.until, datetime) or moment <= self.until)


def parse_activity_query(arguments: MultiDict[str, str], kinds: tuple[str, ...]) -> ActivityQuery:
    """Return the query of a request for activity of some of these kinds; raises
    InvalidParameterError."""
    values = single_values(arguments, _PARAMETERS)
    position = decode_position(values.get("after"), 0)
    query = ActivityQuery(
        limit=_limit(values.get("limit")),
        before=NEWEST if position is None else position.values[-1],
        is_grouped=parse_boolean("grouped", values.get("grouped", "true")),
        author=_author(values.get("author")),
        kinds=_words("kind", values, kinds),
        actions=_words("action", values, ACTIONS),
        since=_moment("since", values),
        until=_moment("until", values),
    )
    if _are_reversed(query.since, query.until):
        raise InvalidParameterError("until is before since.")
    return query


def _are_reversed(since: datetime | int | None, until: datetime | int | None) -> bool:
    if isinstance(since, int) and isinstance(until, int):
        return until < since
    return isinstance(since, datetime) and isinstance(until, datetime) and until < since


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MAX_LIMIT:
        raise InvalidParameterError(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _author(text: str | None) -> uuid.UUID | None:
    if text is None:
        return None
    key = parse_uuid(text)
    if key is None:
        raise InvalidParameterError("author is the UUID of a user.")
    return key


def _words(name: str, values: Mapping[str, str], known: tuple[str, ...]) -> tuple[str, ...] | None:
    if name not in values:
        return None
    words = tuple(values[name].split(","))
    for word in words:
        if word not in known:
            raise InvalidParameterError(f"{name} is one of {', '.join(known)}, or some of them.")
    return words


def _moment(name: str, values: Mapping[str, str]) -> datetime | int | None:
    if name not in values:
        return None
    if _NUMBER.fullmatch(values[name]):
        return int(values[name])
    interval = parse_datetime(values[name], name)
    if interval.start is None or not interval.includes_end or interval.start != interval.end:
        raise InvalidParameterError(
            f"{name} is a moment, such as 2026-05-01T12:00:00Z, or the number of a change set."
        )
    return interval.start
