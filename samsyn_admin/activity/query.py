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
from samsyn_provider.query.datetime import parse_moment
from samsyn_provider.query.parameters import (
    parse_boolean,
    parse_uuid_filter,
    parse_words,
    single_values,
)
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
        author=parse_uuid_filter(values, "author", "the UUID of a user"),
        kinds=parse_words(values, "kind", kinds),
        actions=parse_words(values, "action", ACTIONS),
        since=_moment(values, "since"),
        until=_moment(values, "until"),
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


def _moment(values: Mapping[str, str], name: str) -> datetime | int | None:
    return parse_moment(values[name], name) if name in values else None
