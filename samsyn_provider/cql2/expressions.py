"""CQL2 filters as checked expression trees: every node has a kind, every name is a property."""

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """The type of an expression; a property's value of another type counts as absent."""

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
"""The bound of an interval that is open on this side."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: dates and timestamps (UTC) in the form of RFC 3339, geometries as hexadecimal EWKB
    in longitude and latitude."""

    kind: Kind
    value: bool | int | float | str


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the features, their geometry, or the moment of their last change."""

    kind: Kind
    name: str
    column: str | None = None
    """The column of `layer_features` with the value; None for a member of `properties`."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator or function in lower case, or `array` or `interval` with their members."""

    kind: Kind
    operator: str
    arguments: "tuple[Expression, ...]"


Expression = Literal | Property | Operation
