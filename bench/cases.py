"""The requests to every server, and the targets of SamSyn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.dataset import CATEGORIES, boxes, tiles
from bench.load import MAX_SCRIPTS
from bench.subject import Subject

POSTGRESQL = "PostgreSQL alone"
_Z8, _Z10 = tiles(8), tiles(10)


@dataclass(frozen=True)
class Addresses:
    """The paths of a server's items and tiles."""

    items: str
    tile: str
    ids: range

    def tiles(self, positions: Sequence[tuple[int, int, int]]) -> list[str]:
        """Return the paths of tiles."""
        return [self.tile.format(z=z, x=x, y=y) for z, x, y in positions]


@dataclass(frozen=True)
class Case:
    """Requests to every server in `targets`."""

    name: str
    group: str
    paths: Callable[[Addresses], list[str]]
    targets: Mapping[str, float | None]
    """By server, the required ratio of SamSyn's rate to its rate; None where none is set."""
    scripts: Callable[[Subject], list[list[str]]] | None = None
    """The statements of each request, for PostgreSQL alone."""
    is_uncached: bool = False
    """Whether no response may be cached."""
    is_proxied: bool = False
    """Whether nginx is in front of SamSyn, as it is shipped."""
    max_seconds: float = 60
    """The maximum length of a round, within which no path repeats."""


def _targets(
    pygeoapi: float | None, tipg: float | None, featureserv: float | None, alone: float | None
) -> dict[str, float | None]:
    of_servers = {"pygeoapi": pygeoapi, "tipg": tipg, "pg_featureserv": featureserv}
    return {**of_servers, POSTGRESQL: alone}


_UNSET = _targets(None, None, None, None)


def _items(name: str, queries: Sequence[str], targets: Mapping[str, float | None]) -> Case:
    def paths(server: Addresses) -> list[str]:
        return [f"{server.items}?{query}" for query in queries]

    def scripts(subject: Subject) -> list[list[str]]:
        return [[subject.page_sql(f"{subject.items}?{query}")] for query in queries]

    return Case(name, "items", paths, targets, scripts)


def _some_ids(ids: range, count: int) -> list[int]:
    return [ids[number * 7919 % len(ids)] for number in range(count)]


def _one_item(name: str, count: int, targets: Mapping[str, float | None]) -> Case:
    def paths(server: Addresses) -> list[str]:
        return [f"{server.items}/{number}" for number in _some_ids(server.ids, count)]

    def scripts(subject: Subject) -> list[list[str]]:
        return [[subject.item_sql(number)] for number in _some_ids(subject.ids, MAX_SCRIPTS)]

    return Case(name, "items", paths, targets, scripts)


def _new_tiles(
    level: int, positions: Sequence[tuple[int, int, int]], targets: Mapping[str, float | None]
) -> Case:
    def scripts(subject: Subject) -> list[list[str]]:
        return [[subject.tile_sql(*tile)] for tile in positions[:MAX_SCRIPTS]]

    return Case(
        f"distinct tiles, z{level}",
        "tiles",
        lambda server: server.tiles(positions),
        targets,
        scripts,
        is_uncached=True,
        max_seconds=5,
    )


ITEM_CASES = (
    _items("items, limit=10", ["limit=10"], _targets(4, 20, 0.6, None)),
    _items(
        "bbox, limit=100",
        [f"bbox={box}&limit=100" for box in boxes(480)],
        _targets(8, 3, 1, 0.5),
    ),
    replace(
        _items("2,000 bboxes, limit=10", [f"bbox={box}&limit=10" for box in boxes(2000)], _UNSET),
        is_uncached=True,
    ),
    _items("items, limit=1000", ["limit=1000"], _targets(9, 8, 2, 0.55)),
    _items("items, limit=10000", ["limit=10000"], _targets(10, 12, 2.5, 0.7)),
    _one_item("one item", 2000, _targets(2.5, 8, 0.25, None)),
    replace(_one_item("one item of 50,000", 50_000, _UNSET), is_uncached=True),
    _items(
        "equality filter, limit=100",
        [f"category={category}&limit=100" for category in CATEGORIES],
        _targets(6, 20, 1.5, 0.35),
    ),
)

TILE_CASES = (
    _new_tiles(8, _Z8, {"tipg": 1.1, "pg_tileserv": 1, "martin": 0.9, POSTGRESQL: 0.8}),
    _new_tiles(10, _Z10, {"tipg": 6, "pg_tileserv": 1, "martin": 0.6, POSTGRESQL: None}),
    Case(
        "the same tile again, z8",
        "tiles",
        lambda server: server.tiles(_Z8[:1]),
        {"tipg": 15, "pg_tileserv": 15, "martin+cache": 0.15},
    ),
    Case(
        "the same tile again, z8, nginx",
        "tiles",
        lambda server: server.tiles(_Z8[:1]),
        {"martin+cache": 1},
        is_proxied=True,
    ),
)
