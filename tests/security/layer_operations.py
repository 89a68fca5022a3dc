"""The permission matrix of layers: the library, their features, the OGC resources."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import GEOJSON, Operation
from tests.security.permission_rules import Layer, Who
from tests.security.permission_world import LAYERS, MAPS, word_of

_LAYERS = "/api/v1/layers"
_FEATURES = f"{_LAYERS}/{{layer}}/features"
_COLLECTION = "/ogc/collections/{layer}"

_POINT = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [11.5, 57.5]},
    "properties": {"name": "New"},
}


def _read(who: Who, layer: Layer) -> int:
    return rules.status_of_reading(who, may_read=rules.may_read_layer(who, layer))


def _change(who: Who, layer: Layer) -> int:
    readable = rules.may_read_layer(who, layer)
    return rules.status_of_writing(
        who, may_read=readable, may_act=rules.may_write_layer(who, layer)
    )


def _own(who: Who, layer: Layer) -> int:
    readable = rules.may_read_layer(who, layer)
    return rules.status_of_writing(who, may_read=readable, may_act=rules.may_own_layer(who, layer))


def _set_global(who: Who, layer: Layer) -> int:
    """204 when who took the layer out of the library can then not read it any more."""
    after = replace(layer, is_global=not layer.is_global)
    return rules.status_of_writing(
        who,
        may_read=rules.may_read_layer(who, layer),
        may_act=rules.may_set_global(who, layer),
        done=200 if rules.may_read_layer(who, after) else 204,
    )


def _delete(who: Who, layer: Layer) -> int:
    """409 while the layer is on somebody else's map."""
    in_use = layer.on_map is not None and layer.on_map.owner != who.user
    return _delete_anyway(who, layer, done=409 if in_use else 204)


def _delete_anyway(who: Who, layer: Layer, done: int = 204) -> int:
    readable = rules.may_read_layer(who, layer)
    may = rules.may_own_layer(who, layer)
    return rules.status_of_writing(who, may_read=readable, may_act=may, done=done)


def _read_features(who: Who, layer: Layer) -> int:
    return rules.status_of_reading(who, may_read=rules.may_read_features(who, layer))


def _told_features(who: Who, layer: Layer) -> int:
    """`Allow` says what somebody may do, hence it is told like the features themselves."""
    status = _read_features(who, layer)
    return 204 if status == 200 else status


def _write_features(who: Who, layer: Layer, done: int = 200) -> int:
    readable = rules.may_read_features(who, layer)
    may = rules.may_write_layer(who, layer)
    return rules.status_of_writing(who, may_read=readable, may_act=may, done=done)


def _add_features(who: Who, layer: Layer) -> int:
    return _write_features(who, layer, done=201)


def _delete_feature(who: Who, layer: Layer) -> int:
    return _write_features(who, layer, done=204)


def _index(who: Who, layer: Layer, done: int = 200) -> int:
    readable = rules.may_read_features(who, layer)
    may = rules.may_own_layer(who, layer)
    return rules.status_of_writing(who, may_read=readable, may_act=may, done=done)


def _remove_index(who: Who, layer: Layer) -> int:
    """404 to whoever may: no layer here has one."""
    return _index(who, layer, done=404)


def _make(who: Who, _: Any) -> int:
    return rules.status_for_user(who, done=201)


def _make_global(who: Who, _: Any) -> int:
    return rules.status_for_user(who, may_act=who.is_admin, done=201)


def _list(who: Who, _: Any) -> int:
    return rules.status_of_reading(who)


def _list_of_map(who: Who, shared: rules.Map) -> int:
    return rules.status_of_reading(who, may_read=rules.may_read_map(who, shared))


def _new_layer(**members: Any) -> dict[str, Any]:
    return {"name": "New", "source_type": "vector", **members}


def _collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def _content(layer: Layer) -> dict[str, Any]:
    """A PUT as the web frontend sends it: the layer's whole content in `source_config`."""
    if layer.source_type == "vector":
        return {"source_config": {"geojson": _collection(_POINT)}}
    return {"source_config": {"url": "https://wms.test/other", "layers": "other"}}


def _changes() -> Iterator[Operation]:
    path = f"{_LAYERS}/{{layer}}"
    other = {"private": "public", "public": "private"}
    other |= {"creator-only": "everyone", "everyone": "creator-only"}
    for method in ("PUT", "PATCH"):
        yield Operation(method, path, _change, LAYERS, lambda _: {"name": "Renamed"}, hint="name")
        yield Operation(
            method, path, _own, LAYERS, lambda x: {"visibility": other[x.visibility]},
            hint="visibility",
        )  # fmt: skip
        yield Operation(
            method, path, _own, LAYERS, lambda x: {"editable": other[x.editable]}, hint="editable"
        )
        yield Operation(
            method, path, _set_global, LAYERS, lambda x: {"is_global": not x.is_global},
            hint="is_global",
        )  # fmt: skip
    yield Operation("PUT", path, _change, LAYERS, _content, hint="content")


def _library() -> Iterator[Operation]:
    yield Operation("GET", _LAYERS, _list)
    yield Operation("GET", f"{_LAYERS}?mine=true&search=sea&bbox=1,2,3,4", _list)
    yield Operation("GET", f"{_LAYERS}?map_id={{map}}", _list_of_map, MAPS)
    yield Operation("POST", _LAYERS, _make, body=lambda _: _new_layer())
    yield Operation(
        "POST", _LAYERS, _make_global, body=lambda _: _new_layer(is_global=True), hint="is_global"
    )
    yield Operation("GET", f"{_LAYERS}/{{layer}}", _read, LAYERS)
    yield Operation("DELETE", f"{_LAYERS}/{{layer}}", _delete, LAYERS)
    yield Operation("DELETE", f"{_LAYERS}/{{layer}}?force=true", _delete_anyway, LAYERS)


def _features(path: str) -> Iterator[Operation]:
    """Features one by one, which are the same under two paths."""
    one = f"{path}/{{feature}}"
    yield Operation("GET", path, _read_features, LAYERS)
    yield Operation("GET", one, _read_features, LAYERS)
    yield Operation("OPTIONS", path, _told_features, LAYERS)
    yield Operation("OPTIONS", one, _told_features, LAYERS)
    yield Operation("POST", path, _add_features, LAYERS, lambda _: _POINT, GEOJSON)
    yield Operation("PUT", one, _write_features, LAYERS, lambda _: _POINT, GEOJSON)
    yield Operation(
        "PATCH",
        one,
        _write_features,
        LAYERS,
        lambda _: {"properties": {"name": "Changed"}},
        "application/merge-patch+json",
    )
    yield Operation("DELETE", one, _delete_feature, LAYERS)


def _bulk() -> Iterator[Operation]:
    path = f"{_FEATURES}/bulk"
    yield Operation("POST", path, _add_features, LAYERS, lambda _: _collection(_POINT), GEOJSON)
    yield Operation(
        "POST",
        f"{path}?dry_run=true",
        _write_features,
        LAYERS,
        lambda _: _collection(_POINT),
        GEOJSON,
    )


def _indexes() -> Iterator[Operation]:
    path = f"{_LAYERS}/{{layer}}/indexes"
    yield Operation("GET", path, _read_features, LAYERS)
    yield Operation("PUT", path, _index, LAYERS, lambda x: {"properties": [word_of(x)]})
    yield Operation("DELETE", f"{path}/{{property}}", _remove_index, LAYERS)


def _ogc() -> Iterator[Operation]:
    yield Operation("GET", "/ogc/collections", _list)
    yield Operation("GET", "/ogc/collections?q=sea&bbox=1,2,3,4", _list)
    yield Operation("GET", "/ogc/collections?f=html", _list)
    for path in ("", "/schema", "/queryables", "/sortables"):
        yield Operation("GET", _COLLECTION + path, _read_features, LAYERS)
    yield Operation("POST", f"{_COLLECTION}/search", _read_features, LAYERS, lambda _: {})
    yield Operation("GET", f"{_COLLECTION}/items?f=html", _read_features, LAYERS)


LAYER_OPERATIONS = (
    *_library(),
    *_changes(),
    *_features(_FEATURES),
    *_features(f"{_COLLECTION}/items"),
    *_bulk(),
    *_indexes(),
    *_ogc(),
)
