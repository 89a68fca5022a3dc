"""A digest: what others have done to a map or in a thread, in sentences and as data of events."""

import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MAX_LINES = 100
"""Lines of a digest; of more, the first."""
MAX_NAME = 100
"""Characters of a name within a sentence."""
SOMEBODY = "Somebody"
"""Who has no name, or is not known."""

_CUT = "…"
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class Author:
    """Who has done something, by their display name: never an email."""

    id: uuid.UUID | None
    name: str = SOMEBODY


@dataclass(frozen=True, slots=True)
class Topic:
    """What something was done to, as a CloudEvent has it."""

    event: str
    """The type of the event."""
    source: str
    """The address of the map, the collection or the layer."""
    subject: str
    """The address of the thing itself."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that somebody has done; its texts are of one line each."""

    author: Author
    deed: str
    """What follows the name of the author in a sentence."""
    topic: Topic
    time: datetime
    quote: str | None = None
    """The beginning of a comment."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the event's data."""

    @property
    def text(self) -> str:
        """The line as a sentence."""
        return f"{self.author.name} {self.deed}" + (f": “{self.quote}”" if self.quote else ".")


@dataclass(frozen=True, slots=True)
class Group:
    """Lines about the same thing."""

    heading: str
    href: str
    """Where people see it."""
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """What a follower is told of at once."""

    title: str
    href: str
    """Where people see the map."""
    groups: tuple[Group, ...]
    is_whole: bool = True
    """Whether nothing has been left out."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of all groups."""
        return tuple(line for group in self.groups for line in group.lines)


def shortened(groups: list[Group]) -> tuple[tuple[Group, ...], bool]:
    """Return the groups that have lines, MAX_LINES of them in all, and whether those are all."""
    left, kept = MAX_LINES, []
    for group in groups:
        lines = group.lines[:left]
        left -= len(lines)
        if lines:
            kept.append(Group(group.heading, group.href, lines))
    return tuple(kept), sum(len(group.lines) for group in groups) <= MAX_LINES


def plain(text: str, most: int = MAX_NAME) -> str:
    """Return a text of users as one line that ends and begins nothing: without control characters
    and those that change the direction of what follows."""
    spaced = "".join(" " if character.isspace() else character for character in text)
    kept = (c for c in spaced if unicodedata.category(c) not in _UNPRINTABLE)
    line = " ".join("".join(kept).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + _CUT
