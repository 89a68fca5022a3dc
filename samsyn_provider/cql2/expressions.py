"""CQL2 filters as checked trees: every part has a kind, every name is a property's."""

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """What an expression gives; a value of another kind is absent to it."""

    BOOLEAN = "boolean"
    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INTERVAL = "interval"
    GEOMETRY = "geometry"
    ARRAY = "array"
    OBJECT = "object"


OPEN = ".."
"""The bound of an interval that has no end on this side."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: dates and timestamps (UTC) in the form of RFC 3339, geometries as hexadecimal EWKB
    in longitude and latitude."""

    kind: Kind
    value: bool | int | float | str


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the features, or their geometry."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator of CQL2 in lower case, or `array` and `interval` for what has parts."""

    kind: Kind
    operator: str
    arguments: "tuple[Expression, ...]"


Expression = Literal | Property | Operation
