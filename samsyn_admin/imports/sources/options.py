"""How to read a file where it does not say so itself, or says it wrongly."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Choices of the user; each overrides what the file says or what is found out.

    `encoding` is a name that Python's codecs know. `x`, `y` and `wkt` name columns of a table with
    coordinates; `decimal` is the sign before decimal places in its numbers.
    """

    encoding: str | None = None
    x: str | None = None
    y: str | None = None
    wkt: str | None = None
    decimal: Literal[".", ","] | None = None


DEFAULTS = ReadOptions()
