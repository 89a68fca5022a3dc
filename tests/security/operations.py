"""Operations of the permission matrix, and their requests."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.security.permission_rules import (
    Caller,
    Collaboration,
    Comment,
    Layer,
    Map,
    Placement,
    as_seen,
)
from tests.security.permission_world import (
    LAYERS,
    feature_of,
    id_of,
    number_of,
    position_of,
    word_of,
)

GEOJSON = "application/geo+json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Operation:
    """A method on a path, on each of `objects`; `expected` returns the status for a caller.

    `body` makes what is sent, as JSON or as a form. `hint` distinguishes operations on one path.
    """

    method: str
    path: str
    expected: Callable[[Caller, Any], int]
    objects: tuple[Any, ...] = ("",)
    body: Callable[[Any], Any] | None = None
    media_type: str = "application/json"
    hint: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.method, self.path, self.hint)))

    @property
    def route(self) -> str:
        """The method and path as in `route_of`."""
        return route_of(self.method, self.path.partition("?")[0])

    def address(self, target: Any) -> str:
        return self.path.format_map(path_values(target))

    def content(self, target: Any) -> dict[str, Any]:
        """The options of the test client that send the body."""
        if self.body is None:
            return {}
        body = self.body(target)
        data = body if self.media_type == FORM else json.dumps(body)
        return {"data": data, "content_type": self.media_type}

    def expected_status(self, caller: Caller, target: Any) -> int:
        """The status for a caller, of whom a cookie may not count here."""
        return self.expected(self.seen(caller), target)

    def seen(self, caller: Caller) -> Caller:
        return as_seen(caller, self.method, self.path)


def route_of(method: str, path: str) -> str:
    """Return a method and a path whose parameters have no names."""
    return f"{method} {re.sub('[{<][^}>]*[}>]', '{}', path)}"


_TILE = {
    "grid": "WebMercatorQuad",
    "other_grid": "WorldCRS84Quad",
    "matrix": 0,
    "row": 0,
    "col": 0,
    **dict.fromkeys("zxy", 0),
}


def path_values(target: Any) -> dict[str, Any]:
    """Return the path parameters of an object; its tile is that of zoom level 0, in the other grid
    the one of its half of the world."""
    match target:
        case Map():
            comments = f"comments-of-map-{id_of(target)}"
            return {"map": id_of(target), "comments": comments, **_TILE}
        case Layer():
            parameters = {"feature": feature_of(target), "property": "name", "style": "default"}
            parameters["change_set"] = 1
            is_east = target in LAYERS and position_of(target)[0] >= 0
            halves = {"other_col": int(is_east)}
            word, comments = word_of(target), f"comments-of-layer-{id_of(target)}"
            named = {"layer": id_of(target), "word": word, "comments": comments}
            return {**named, **parameters, **_TILE, **halves}
        case Placement():
            return path_values(target.map) | path_values(target.layer)
        case Collaboration():
            return {"map": id_of(target.map), "user": id_of(target.user)}
        case Comment():
            subject = path_values(target.map or target.layer)["comments"]
            named = {"comment": id_of(target), "number": number_of(target)}
            return {**named, "comments": subject}
        case _:
            named = {"server": id_of(target), "word": word_of(target)}
            return {"name": target, **named, "file": "points.csv", **_TILE}
