"""Lines of activity: change sets in a row that are one for people."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from samsyn_model.history.change_sets import ChangeSet
from samsyn_model.history.changes import Change, Changes

GAP = timedelta(minutes=10)
"""The longest time between two change sets of a line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A change set, and what it did as far as the reader may know."""

    change_set: ChangeSet
    changes: Changes

    @property
    def things(self) -> frozenset[uuid.UUID] | None:
        """What it changed; None where that is too much to compare."""
        if self.changes.count > len(self.changes.listed):
            return None
        return frozenset(change.id for change in self.changes.listed)


class Line:
    """Change sets in a row, the newest first: of one author, by one way, of the same things."""

    def __init__(self, entry: Entry) -> None:
        self.newest = self.oldest = entry.change_set
        self.count = 1
        self.change_count = entry.changes.count
        self.inserted = entry.changes.inserted
        self.updated = entry.changes.updated
        self.deleted = entry.changes.deleted
        self._things = entry.things
        self._changes: dict[tuple[str, str, uuid.UUID], Change] = {}
        self._counts: dict[tuple[str, str, uuid.UUID], int] = {}
        self._take(entry.changes.listed)

    def continues_with(self, entry: Entry) -> bool:
        """Return whether the next older change set is one of this line."""
        last, other = self.oldest, entry.change_set
        return (
            self._things is not None
            and entry.things == self._things
            and (other.user_id, other.via, other.message) == (last.user_id, last.via, last.message)
            and abs(last.created_at - other.created_at) <= GAP
        )

    def add(self, entry: Entry) -> None:
        """Add the next older change set."""
        self.oldest = entry.change_set
        self.count += 1
        self.inserted += entry.changes.inserted
        self.updated += entry.changes.updated
        self.deleted += entry.changes.deleted
        self._take(entry.changes.listed)
        self.change_count = len(self._changes)

    @property
    def first_at(self) -> datetime:
        """When the first of its change sets began."""
        return min(self.oldest.created_at, self.newest.created_at)

    @property
    def last_at(self) -> datetime:
        """When the last of its change sets began."""
        return max(self.oldest.created_at, self.newest.created_at)

    @property
    def changes(self) -> list[tuple[Change, int]]:
        """What they did, each with the number of change sets that did it."""
        return [(change, self._counts[key]) for key, change in self._changes.items()]

    def _take(self, changes: Iterable[Change]) -> None:
        for change in changes:
            # edits of a layer's features are one, whether they make, change or delete some
            action = "" if change.kind == "features" else change.action
            key = change.kind, action, change.id
            newer = self._changes.get(key)
            self._changes[key] = change if newer is None else _merged(newer, change)
            self._counts[key] = self._counts.get(key, 0) + 1


def lines_of(entries: Iterable[Entry], *, are_grouped: bool) -> Iterator[Line]:
    """Yield the lines of change sets in their order, each as soon as the next one begins."""
    line: Line | None = None
    for entry in entries:
        if line is not None and are_grouped and line.continues_with(entry):
            line.add(entry)
            continue
        if line is not None:
            yield line
        line = Line(entry)
    if line is not None:
        yield line


def _merged(newer: Change, older: Change) -> Change:
    """Return two changes of a thing as one: from what was before the older one to what was after
    the newer one."""
    action = newer.action if newer.action == older.action else "update"
    return replace(
        newer,
        action=action,
        changed=tuple(dict.fromkeys((*older.changed, *newer.changed))),
        old={**newer.old, **older.old},
        new={**older.new, **newer.new},
        inserted=newer.inserted + older.inserted,
        updated=newer.updated + older.updated,
        deleted=newer.deleted + older.deleted,
    )
