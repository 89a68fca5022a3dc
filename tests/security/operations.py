"""What the permission matrix is made of: operations, and the requests that try them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.security.permission_rules import (
    Collaboration,
    Comment,
    Layer,
    Map,
    Placement,
    Who,
)
from tests.security.permission_world import feature_of, id_of

GEOJSON = "application/geo+json"


@dataclass(frozen=True)
class Operation:
    """A method on a path, on each of `things`; `expected` is the status that somebody gets.

    `body` makes the JSON that is sent. `hint` tells operations on one path apart.
    """

    method: str
    path: str
    expected: Callable[[Who, Any], int]
    things: tuple[Any, ...] = ("",)
    body: Callable[[Any], Any] | None = None
    media_type: str = "application/json"
    hint: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.method, self.path, self.hint)))

    @property
    def route(self) -> str:
        """The method and the path's form, as `route_of` writes those of the application."""
        return route_of(self.method, self.path.partition("?")[0])

    def address(self, thing: Any) -> str:
        return self.path.format_map(path_values(thing))


def route_of(method: str, path: str) -> str:
    """A method and a path whose parameters have no names."""
    return f"{method} {re.sub('[{<][^}>]*[}>]', '{}', path)}"


_TILE = {"grid": "WebMercatorQuad", "matrix": 0, "row": 0, "col": 0}


def path_values(thing: Any) -> dict[str, Any]:
    """What the parameters of a path are for a thing; a tile of it is that of the whole world."""
    match thing:
        case Map():
            return {"map": id_of(thing), **_TILE}
        case Layer():
            named = {"feature": feature_of(thing), "property": "name"}
            return {"layer": id_of(thing), **named, **_TILE}
        case Placement():
            return path_values(thing.map) | path_values(thing.layer)
        case Collaboration():
            return {"map": id_of(thing.map), "user": id_of(thing.user)}
        case Comment():
            return {"comment": id_of(thing)}
        case _:
            return {"name": thing, **_TILE}
