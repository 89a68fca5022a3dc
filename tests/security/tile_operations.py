"""The permission matrix of tiles: of layers, and of maps."""

from collections.abc import Iterator

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Caller, Layer, Map
from tests.security.permission_world import LAYERS, MAPS

_GRIDS = "/ogc/tileMatrixSets"
_LAYER_TILES = "/ogc/collections/{layer}/tiles"
_MAP_TILES = "/ogc/maps/{map}/tiles"
_TILE = "{grid}/{matrix}/{row}/{col}"
_OTHER_TILE = "{other_grid}/{matrix}/{row}/{other_col}"


def _read_layer(caller: Caller, layer: Layer) -> int:
    return rules.status_of_reading(caller, may_read=rules.may_read_features(caller, layer))


def _read_map(caller: Caller, shared: Map) -> int:
    return rules.status_of_reading(caller, may_read=rules.may_read_map(caller, shared))


def _read_map_tile(caller: Caller, shared: Map) -> int:
    """Return 204 where the caller may read none of the map's layers."""
    status = _read_map(caller, shared)
    on_map = [layer for layer in LAYERS if layer.on_map == shared]
    is_empty = not any(rules.may_read_features(caller, layer) for layer in on_map)
    return 204 if status == 200 and is_empty else status


def _operations() -> Iterator[Operation]:
    for path in ("", "/{grid}", "/{grid}?f=tilejson", "?f=html", "/{grid}?f=html"):
        yield Operation("GET", _LAYER_TILES + path, _read_layer, LAYERS)
        yield Operation("GET", _MAP_TILES + path, _read_map, MAPS)
    for path in ("/{other_grid}", "/{other_grid}?f=html", f"/{_OTHER_TILE}"):
        yield Operation("GET", _LAYER_TILES + path, _read_layer, LAYERS[::4])
    for path in ("/{other_grid}", "/{other_grid}?f=html"):
        yield Operation("GET", _MAP_TILES + path, _read_map, MAPS[::2])
    yield Operation("GET", f"{_LAYER_TILES}/{_TILE}?properties=updated", _read_layer, LAYERS[::4])
    yield Operation("GET", f"{_LAYER_TILES}/{_TILE}", _read_layer, LAYERS)
    yield Operation("GET", f"{_MAP_TILES}/{_TILE}", _read_map_tile, MAPS)


OPEN_TILE_OPERATIONS = (
    Operation("GET", _GRIDS, lambda *_: 200),
    Operation("GET", f"{_GRIDS}?f=html", lambda *_: 200),
    Operation("GET", f"{_GRIDS}/{{grid}}", lambda *_: 200),
    Operation("GET", f"{_GRIDS}/{{grid}}?f=html", lambda *_: 200),
    Operation("GET", f"{_GRIDS}/{{other_grid}}", lambda *_: 200),
)
TILE_OPERATIONS = tuple(_operations())
