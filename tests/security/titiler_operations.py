"""The permission matrix of rasters by their addresses, where there is no tiler."""

from collections.abc import Iterator
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Caller
from tests.security.permission_world import LAYERS

_PREVIEW = "/api/v1/titiler/preview"
_ELSEWHERE = "url=https://example.org/none.tif"
_WITHOUT = tuple(layer for layer in LAYERS[::4] if layer.source_type != "geotiff")
_HERE = "url=http://localhost/api/v1/layers/{layer}/file"


def _not_found(caller: Caller, _: Any) -> int:
    return rules.status_of_reading(caller, may_read=False)


def _not_yet(caller: Caller, _: Any) -> int:
    """Return 200 for a transparent preview of what nobody has looked at."""
    return rules.status_of_reading(caller, may_read=True)


def _look(caller: Caller, _: Any) -> int:
    """Return 503 for signed-in users, who may look at what no layer holds: there is no tiler."""
    status = rules.status_of_private_reading(caller)
    return 503 if status == 200 else status


def _paths(address: str) -> Iterator[str]:
    yield f"/api/v1/titiler/tiles/{{z}}/{{x}}/{{y}}?{address}"
    yield f"{_PREVIEW}?{address}"
    yield f"/api/v1/titiler/point?{address}&lon=11&lat=57"


def _operations() -> Iterator[Operation]:
    for path in _paths(_ELSEWHERE):
        yield Operation("GET", path, _not_yet if path.startswith(_PREVIEW) else _not_found)
    for path in ("info", "statistics"):
        yield Operation("GET", f"/api/v1/titiler/{path}?{_ELSEWHERE}", _look)
        yield Operation("GET", f"/api/v1/titiler/{path}?{_HERE}", _not_found, _WITHOUT)
    for path in _paths(_HERE):  # of layers that have none
        yield Operation("GET", path, _not_found, _WITHOUT)


TITILER_OPERATIONS = tuple(_operations())
