"""The permission matrix of tiles: of layers, and of maps."""

from collections.abc import Iterator

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Layer, Map, Who
from tests.security.permission_world import LAYERS, MAPS

_GRIDS = "/ogc/tileMatrixSets"
_LAYER_TILES = "/ogc/collections/{layer}/tiles"
_MAP_TILES = "/ogc/maps/{map}/tiles"
_TILE = "{grid}/{matrix}/{row}/{col}"


def _read_layer(who: Who, layer: Layer) -> int:
    return rules.status_of_reading(who, may_read=rules.may_read_features(who, layer))


def _read_map(who: Who, shared: Map) -> int:
    return rules.status_of_reading(who, may_read=rules.may_read_map(who, shared))


def _read_map_tile(who: Who, shared: Map) -> int:
    """A tile of nothing that somebody may read is empty."""
    status = _read_map(who, shared)
    shown = [layer for layer in LAYERS if layer.on_map == shared]
    is_empty = not any(rules.may_read_features(who, layer) for layer in shown)
    return 204 if status == 200 and is_empty else status


def _operations() -> Iterator[Operation]:
    for path in ("", "/{grid}", "/{grid}?f=tilejson"):
        yield Operation("GET", _LAYER_TILES + path, _read_layer, LAYERS)
        yield Operation("GET", _MAP_TILES + path, _read_map, MAPS)
    yield Operation("GET", f"{_LAYER_TILES}/{_TILE}", _read_layer, LAYERS)
    yield Operation("GET", f"{_MAP_TILES}/{_TILE}", _read_map_tile, MAPS)


OPEN_TILE_OPERATIONS = (
    Operation("GET", _GRIDS, lambda *_: 200),
    Operation("GET", f"{_GRIDS}/{{grid}}", lambda *_: 200),
)
TILE_OPERATIONS = tuple(_operations())
