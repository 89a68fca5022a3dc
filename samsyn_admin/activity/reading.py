"""Activity read from the database in parts, as far as a page needs them, or to the end."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from samsyn_admin.activity.lines import Entry, Line, lines_of
from samsyn_admin.activity.query import DEFAULT_LIMIT, ActivityQuery
from samsyn_model.history.change_sets import (
    NEWEST,
    ChangeSet,
    Window,
    change_sets_of,
    numbers_between,
)
from samsyn_model.history.changes import changes_in
from samsyn_model.history.scopes import Scope

type Open = Callable[[], AbstractContextManager[tuple[Connection, Scope]]]
"""Opens a connection, and finds on it what the reader may read now."""

MAX_CHANGE_SETS = 2_500
"""How many change sets a page looks at: it may have fewer lines than its limit."""
_LEAST, _MOST = 200, 2_500  # change sets of one look


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """Lines, and the number below which the next page begins; None: nothing follows."""

    lines: list[Line]
    next_before: int | None


def read_page(opened: Open, query: ActivityQuery) -> ActivityPage:
    """Return the page of a query.

    It never ends within a line, unless this alone has more than MAX_CHANGE_SETS.
    """
    limit = query.limit or DEFAULT_LIMIT
    walk = _Walk(opened, query, 2 * limit, MAX_CHANGE_SETS)
    lines: list[Line] = []
    for line in lines_of(walk.entries(), are_grouped=query.is_grouped):
        lines.append(line)
        if len(lines) == limit and walk.reached < line.oldest.id:
            return ActivityPage(lines, line.oldest.id)
    if walk.rest is not None and query.is_grouped and len(lines) > 1:
        lines.pop()  # more of it may follow
        return ActivityPage(lines, lines[-1].oldest.id)
    return ActivityPage(lines, walk.rest)


def read_all(opened: Open, query: ActivityQuery) -> Iterator[Line]:
    """Yield all lines of a query; a connection is held only while a part of them is read.

    Each part is of what the reader may read then. Raises NotFoundError where that is nothing any
    more.
    """
    walk = _Walk(opened, query, _MOST, None)
    yield from lines_of(walk.entries(), are_grouped=query.is_grouped)


class _Walk:
    """The way from the newest change set of a query to the oldest one."""

    def __init__(self, opened: Open, query: ActivityQuery, size: int, maximum: int | None) -> None:
        self._opened, self._query = opened, query
        self._size = min(max(_LEAST, size), _MOST)
        self._maximum = maximum
        self.reached = NEWEST
        """The number of the last entry."""
        self.rest: int | None = None
        """The number below which there is more, where the walk has ended before."""

    def entries(self) -> Iterator[Entry]:
        """Yield the change sets that did something of the query which the reader may know."""
        with self._opened() as (connection, _):
            first, last = _numbers(connection, self._query)
        number = 0
        while first <= last:
            with self._opened() as (connection, scope):
                window = self._window(first, last)
                found, are_all = change_sets_of(connection, scope, window)
                entries = self._entries(connection, scope, found)
            for entry in entries:
                self.reached = entry.change_set.id
                yield entry
            if are_all:
                return
            last = found[-1].id - 1
            number += len(found)
            if self._maximum is not None and number >= self._maximum:
                self.rest = found[-1].id
                return
            self._size = _MOST if self._maximum is None else min(_MOST, self._maximum - number)

    def _window(self, first: int, last: int) -> Window:
        kinds = self._query.kinds
        return Window(
            first,
            last,
            self._size,
            of_features=kinds is None or not {"features", "import"}.isdisjoint(kinds),
            of_subjects=kinds is None or kinds != ("features",),
        )

    def _entries(self, connection: Connection, scope: Scope, found: list[ChangeSet]) -> list[Entry]:
        query = self._query
        wanted = [
            change_set
            for change_set in found
            if query.includes(change_set.created_at) and query.author in {None, change_set.user_id}
        ]
        if not wanted:
            return []
        numbers = [change_set.id for change_set in wanted]
        changes = changes_in(connection, scope, numbers, query.kinds, query.actions)
        return [Entry(one, changes[one.id]) for one in wanted if one.id in changes]


def _numbers(connection: Connection, query: ActivityQuery) -> tuple[int, int]:
    """Return between which numbers the change sets of a query are."""
    since, until = query.since, query.until
    first, last = 0, query.before - 1
    if isinstance(since, int):
        first = since + 1
    if isinstance(until, int):
        last = min(last, until)
    moments = [moment if isinstance(moment, datetime) else None for moment in (since, until)]
    if any(moments):
        earliest, latest = numbers_between(connection, *moments)
        first, last = max(first, earliest), min(last, latest)
    return first, last
