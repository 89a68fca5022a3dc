"""The permission matrix of layers that are drawn from files of ours, where there is no tiler."""

from collections.abc import Iterator

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Caller, Layer
from tests.security.permission_world import LAYERS

_LAYER = "/api/v1/layers/{layer}"
_TILE = f"{_LAYER}/raster/tiles/{{z}}/{{x}}/{{y}}"
_RASTERS = tuple(layer for layer in LAYERS if layer.source_type == "geotiff")


def _read(caller: Caller, layer: Layer) -> int:
    is_raster = layer.source_type == "geotiff"
    readable = is_raster and rules.may_read_layer(caller, layer)
    return rules.status_of_reading(caller, may_read=readable)


def _draw(caller: Caller, layer: Layer) -> int:
    """Return 503 where the caller may read the raster: there is no tiler."""
    status = _read(caller, layer)
    return 503 if status == 200 else status


def _operations() -> Iterator[Operation]:
    others = LAYERS[::5]
    for path in ("file", "file?original=true", "tilejson.json", "wmts.xml"):
        yield Operation("GET", f"{_LAYER}/{path}", _read, (*_RASTERS, *others))
    for path in ("file?ticket=AAEC", "tilejson.json?ticket=AAEC", "wmts.xml?ticket=AAEC"):
        yield Operation("GET", f"{_LAYER}/{path}", _read, _RASTERS)
    yield Operation("GET", _TILE, _draw, (*_RASTERS, *others))


RASTER_OPERATIONS = tuple(_operations())
