"""What a reader may not see changes nothing that the reader gets: no body, no tag, no time."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.security import permission_rules as rules
from tests.security.disclosure import ACCEPTED, send_request
from tests.security.permission_rules import Caller
from tests.security.permission_world import (
    CREATOR,
    LAYERS,
    MAPS,
    OUTSIDER,
    PLACEMENTS,
    SHOWN_MAP,
    feature_of,
    id_of,
)
from tests.security.world_database import World

CALLERS = {caller.user or "anonymous": caller for caller in ACCEPTED if caller.scope == "write"}
READERS = {name: CALLERS[name] for name in ("anonymous", "stranger")}
MAP = f"/api/v1/maps/{id_of(SHOWN_MAP)}"
ON_MAP = [placement.layer for placement in PLACEMENTS if placement.map == SHOWN_MAP]
HIDDEN = [layer for layer in ON_MAP if not rules.may_read_layer(READERS["anonymous"], layer)]
ONE, ANOTHER = (
    layer for layer in HIDDEN if layer.creator == CREATOR and layer.source_type == "vector"
)
SHOWN = [layer for layer in ON_MAP if layer not in HIDDEN]
(NEW,) = (
    layer for layer in LAYERS if layer.name == "creator-only private of creator"
)  # a layer that is on no map
POINT = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [11.5, 57.5]},
    "properties": {},
}


def _paths() -> list[str]:
    paths = ["/api/v1/maps", f"{MAP}/layers", f"{MAP}/collaborators", "/api/v1/layers"]
    paths += [f"/api/v1/maps/{id_of(shared)}" for shared in MAPS]
    paths += [f"{MAP}/activity", f"{MAP}/activity?grouped=false&limit=1", f"{MAP}/activity?f=csv"]
    paths += [f"/api/v1/comments?map_id={id_of(SHOWN_MAP)}", "/ogc/collections", "/"]
    tiles = f"/ogc/maps/{id_of(SHOWN_MAP)}/tiles"
    paths += [tiles, f"{tiles}/WebMercatorQuad", f"{tiles}/WebMercatorQuad?f=tilejson"]
    paths += [f"{tiles}/WebMercatorQuad/0/0/0"]
    for layer in SHOWN:
        paths += [f"{MAP}/layers/{id_of(layer)}", f"/api/v1/layers/{id_of(layer)}"]
        paths += [f"/ogc/collections/{id_of(layer)}", f"/ogc/collections/{id_of(layer)}/items"]
    return paths


def _seen(world: World, caller: Caller) -> dict[str, Any]:
    seen = {}
    for path in _paths():
        response = send_request(world, caller, path)
        headers = {name: value for name, value in response.headers if name != "Date"}
        document = response.json if response.is_json else None
        if isinstance(document, dict):
            document.pop("timeStamp", None)
        content = document if document is not None else response.get_data()
        seen[path] = (response.status_code, headers, content)
        response.close()
    return seen


def _as_creator(
    method: str, path: str, body: Any = None, creator: str = CREATOR
) -> Callable[[World], TestResponse]:
    options = {} if body is None else {"json": body}
    return lambda world: send_request(world, CALLERS[creator], path, method, **options)


def _orders(world: World, *layers: Any) -> TestResponse:
    orders = [{"layer_id": str(id_of(layer)), "order": n} for n, layer in enumerate(layers)]
    body = {"layer_orders": orders}
    return send_request(world, CALLERS[CREATOR], f"{MAP}/layers/reorder", "PUT", json=body)


ON = f"{MAP}/layers/{id_of(ONE)}"
LAYER = f"/api/v1/layers/{id_of(ONE)}"
CHANGES: dict[str, Callable[[World], TestResponse]] = {
    "added on top": _as_creator("POST", f"{MAP}/layers", {"layer_id": str(id_of(NEW)), "order": 0}),
    "added at the end": _as_creator("POST", f"{MAP}/layers", {"layer_id": str(id_of(NEW))}),
    "dimmed": _as_creator("PUT", ON, {"opacity": 3}),
    "styled": _as_creator("PATCH", ON, {"style_override": {"color": "red"}}),
    "moved to the top": _as_creator("PUT", ON, {"order": 0}),
    "moved to the end": _as_creator("PUT", ON, {"order": len(ON_MAP) - 1}),
    "reordered": lambda world: _orders(world, *reversed(HIDDEN), *SHOWN),
    "removed": _as_creator("DELETE", ON),
    "renamed": _as_creator("PATCH", LAYER, {"name": "Another name"}),
    "drawn in": _as_creator("POST", f"{LAYER}/features", POINT),
    "emptied": _as_creator("DELETE", f"{LAYER}/features/{feature_of(ONE)}"),
    "replaced": _as_creator(
        "PUT", LAYER, {"source_config": {"geojson": {"type": "FeatureCollection", "features": []}}}
    ),
    "deleted": _as_creator("DELETE", f"{LAYER}?force=true"),
    "commented": _as_creator(
        "POST",
        "/api/v1/comments",
        {"content": "Here", "map_id": str(id_of(SHOWN_MAP)), "layer_id": str(id_of(ONE))},
    ),
}


def test_there_are_hidden_layers_between_those_shown() -> None:
    assert ON_MAP.index(ONE) < max(ON_MAP.index(layer) for layer in SHOWN)
    assert {layer.creator for layer in HIDDEN} == {CREATOR, OUTSIDER}
    assert len(SHOWN) == 2


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("reader", READERS)
def test_hidden_changes_are_not_noticed(world: World, reader: str, change: str) -> None:
    before = _seen(world, READERS[reader])
    members = send_request(world, CALLERS[CREATOR], MAP)
    with world.rolled_back():
        response = CHANGES[change](world)
        assert response.status_code < 300, response.text
        after = _seen(world, READERS[reader])
        again = send_request(world, CALLERS[CREATOR], MAP)
    differences = [path for path in before if before[path] != after[path]]
    assert differences == []
    if change != "commented":
        assert again.headers["ETag"] != members.headers["ETag"], "it is a change to others"


@pytest.mark.parametrize("reader", READERS)
def test_visible_changes_are_noticed(world: World, reader: str) -> None:
    """The test above would pass if nothing was ever noticed."""
    path = f"{MAP}/layers/{id_of(SHOWN[0])}"
    before = _seen(world, READERS[reader])
    with world.rolled_back():
        changed = send_request(world, CALLERS[CREATOR], path, "PUT", json={"opacity": 3})
        assert changed.status_code == 200
        after = _seen(world, READERS[reader])
    assert before[MAP][2]["updated_at"] < after[MAP][2]["updated_at"]
    assert before[MAP][1]["ETag"] != after[MAP][1]["ETag"]
    assert before[path][1]["ETag"] != after[path][1]["ETag"]
    assert before["/api/v1/maps"][2] != after["/api/v1/maps"][2]


@pytest.mark.parametrize("reader", READERS)
def test_a_new_order_of_what_is_shown_is_noticed(world: World, reader: str) -> None:
    before = _seen(world, READERS[reader])
    with world.rolled_back():
        assert _orders(world, *reversed(ON_MAP)).status_code == 200
        after = _seen(world, READERS[reader])
    assert before[MAP][2]["updated_at"] < after[MAP][2]["updated_at"]
    for layer in SHOWN:
        path = f"{MAP}/layers/{id_of(layer)}"
        assert before[path][1]["ETag"].split("-")[0] != after[path][1]["ETag"].split("-")[0]
