"""The permission matrix of layers: the library, their features, the OGC resources."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from samsyn_provider.http.formats import FORMATS, STYLE_ENCODINGS
from tests.security import permission_rules as rules
from tests.security.operations import GEOJSON, Operation
from tests.security.permission_rules import Caller, Layer
from tests.security.permission_world import LAYERS, MAPS, word_of

_LAYERS = "/api/v1/layers"
_FEATURES = f"{_LAYERS}/{{layer}}/features"
_COLLECTION = "/ogc/collections/{layer}"

_SOME_LAYERS = LAYERS[::4]
_LONG_AGO, _FUTURE = "2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"

_POINT = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [11.5, 57.5]},
    "properties": {"name": "New"},
}


def _read(caller: Caller, layer: Layer) -> int:
    return rules.status_of_reading(caller, may_read=rules.may_read_layer(caller, layer))


def _follow(caller: Caller, layer: Layer) -> int:
    """Return 503 for those who may: here nothing sends events."""
    status = _read(caller, layer)
    return 503 if status == 200 else status


def _export(caller: Caller, layer: Layer) -> int:
    readable = rules.may_read_features(caller, layer)
    return rules.status_of_writing(caller, may_read=readable, may_act=readable, success=202)


def _change(caller: Caller, layer: Layer) -> int:
    readable = rules.may_read_layer(caller, layer)
    return rules.status_of_writing(
        caller, may_read=readable, may_act=rules.may_write_layer(caller, layer)
    )


def _own(caller: Caller, layer: Layer) -> int:
    readable = rules.may_read_layer(caller, layer)
    return rules.status_of_writing(
        caller, may_read=readable, may_act=rules.may_own_layer(caller, layer)
    )


def _set_global(caller: Caller, layer: Layer) -> int:
    """Return 204 where the caller can no longer read the layer taken out of the library."""
    after = replace(layer, is_global=not layer.is_global)
    return rules.status_of_writing(
        caller,
        may_read=rules.may_read_layer(caller, layer),
        may_act=rules.may_set_global(caller, layer),
        success=200 if rules.may_read_layer(caller, after) else 204,
    )


def _delete(caller: Caller, layer: Layer) -> int:
    """Return 409 while the layer is on a map of another user."""
    in_use = layer.on_map is not None and layer.on_map.owner != caller.user
    return _force_delete(caller, layer, success=409 if in_use else 204)


def _force_delete(caller: Caller, layer: Layer, success: int = 204) -> int:
    readable = rules.may_read_layer(caller, layer)
    may = rules.may_own_layer(caller, layer)
    return rules.status_of_writing(caller, may_read=readable, may_act=may, success=success)


def _read_form(caller: Caller, layer: Layer) -> int:
    """Return 303, to the page, where the caller may read the layer."""
    status = _read_features(caller, layer)
    return 303 if status == 200 else status


def _read_faulty_form(caller: Caller, layer: Layer) -> int:
    status = _read_features(caller, layer)
    return 400 if status == 200 else status


def _read_features(caller: Caller, layer: Layer) -> int:
    return rules.status_of_reading(caller, may_read=rules.may_read_features(caller, layer))


def _read_empty_tile(caller: Caller, layer: Layer) -> int:
    """Return 204 where the caller may read the layer: it was not there yet."""
    status = _read_features(caller, layer)
    return 204 if status == 200 else status


def _features_options(caller: Caller, layer: Layer) -> int:
    """Return the status of OPTIONS: `Allow` depends on permissions, like the features."""
    status = _read_features(caller, layer)
    return 204 if status == 200 else status


def _write_features(caller: Caller, layer: Layer, success: int = 200) -> int:
    readable = rules.may_read_features(caller, layer)
    may = rules.may_write_layer(caller, layer)
    return rules.status_of_writing(caller, may_read=readable, may_act=may, success=success)


def _add_features(caller: Caller, layer: Layer) -> int:
    return _write_features(caller, layer, success=201)


def _delete_feature(caller: Caller, layer: Layer) -> int:
    return _write_features(caller, layer, success=204)


def _index(caller: Caller, layer: Layer, success: int = 200) -> int:
    readable = rules.may_read_features(caller, layer)
    may = rules.may_own_layer(caller, layer)
    return rules.status_of_writing(caller, may_read=readable, may_act=may, success=success)


def _remove_index(caller: Caller, layer: Layer) -> int:
    """Return 404 to permitted callers: no layer here has an index."""
    return _index(caller, layer, success=404)


def _create(caller: Caller, _: Any) -> int:
    return rules.status_for_user(caller, success=201)


def _create_global(caller: Caller, _: Any) -> int:
    return rules.status_for_user(caller, may_act=caller.is_admin, success=201)


def _list(caller: Caller, _: Any) -> int:
    return rules.status_of_reading(caller)


def _list_of_map(caller: Caller, shared: rules.Map) -> int:
    return rules.status_of_reading(caller, may_read=rules.may_read_map(caller, shared))


def _new_layer(**members: Any) -> dict[str, Any]:
    return {"name": "New", "source_type": "vector", **members}


def _collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def _content(layer: Layer) -> dict[str, Any]:
    """A PUT as the web frontend sends it: all features of the layer in `source_config`."""
    if layer.source_type == "vector":
        return {"source_config": {"geojson": _collection(_POINT)}}
    if layer.source_type == "geotiff":
        return {"source_config": {"processing": {"colormap": "blues"}}}
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
    yield Operation("POST", _LAYERS, _create, body=lambda _: _new_layer())
    yield Operation(
        "POST", _LAYERS, _create_global, body=lambda _: _new_layer(is_global=True), hint="is_global"
    )
    yield Operation("GET", f"{_LAYERS}/{{layer}}", _read, LAYERS)
    yield Operation("POST", f"{_LAYERS}/{{layer}}/export", _export, LAYERS)
    yield Operation("GET", f"{_LAYERS}/{{layer}}/events", _follow, LAYERS)
    yield Operation("POST", f"{_LAYERS}/{{layer}}/events/ticket", _read, LAYERS)
    for query in ("", "?grouped=false&limit=2", "?f=ndjson", "?f=csv&limit=5"):
        yield Operation("GET", f"{_LAYERS}/{{layer}}/activity{query}", _read, LAYERS)
    yield Operation("DELETE", f"{_LAYERS}/{{layer}}", _delete, LAYERS)
    yield Operation("DELETE", f"{_LAYERS}/{{layer}}?force=true", _force_delete, LAYERS)


def _features(path: str) -> Iterator[Operation]:
    """Operations on single features, the same under two paths."""
    one = f"{path}/{{feature}}"
    yield Operation("GET", path, _read_features, LAYERS)
    yield Operation("GET", one, _read_features, LAYERS)
    yield Operation("OPTIONS", path, _features_options, LAYERS)
    yield Operation("OPTIONS", one, _features_options, LAYERS)
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


def _restore(caller: Caller, _: Any) -> int:
    """Return 404 to whoever is signed in: no layer here has been deleted."""
    return rules.status_for_user(caller, success=404)


def _list_deleted(caller: Caller, _: Any) -> int:
    return rules.status_of_private_reading(caller)


def _deleted() -> Iterator[Operation]:
    yield Operation("GET", f"{_LAYERS}/deleted", _list_deleted)
    yield Operation("POST", f"{_LAYERS}/{{layer}}/restore", _restore, LAYERS)


def _ogc() -> Iterator[Operation]:
    yield Operation("GET", "/ogc/collections", _list)
    yield Operation("GET", "/ogc/collections?q=sea&bbox=1,2,3,4", _list)
    yield Operation("GET", "/ogc/collections?f=html", _list)
    styles = ("/styles", "/styles/{style}", "/styles/{style}?f=qml", "/styles/{style}/metadata")
    for path in ("", "/schema", "/queryables", "/sortables", *styles):
        yield Operation("GET", _COLLECTION + path, _read_features, LAYERS)
    yield Operation("POST", f"{_COLLECTION}/search", _read_features, LAYERS, lambda _: {})
    for path in ("", "/schema", "/items"):
        yield Operation("GET", f"{_COLLECTION}{path}?f=html", _read_features, LAYERS)
    yield Operation("GET", f"{_COLLECTION}/form?bbox=1,2", _read_faulty_form, LAYERS)
    yield Operation("GET", f"{_COLLECTION}/form", _read_form, LAYERS)
    since = f"since={_LONG_AGO}"
    history = (f"/items/{{feature}}/difference?{since}", "/items/{feature}/blame", "/change-sets")
    for path in ("/items/{feature}/versions", f"/changes?{since}", *history):
        yield Operation("GET", _COLLECTION + path, _read_features, LAYERS)


def _versions() -> Iterator[Operation]:
    """Features as they were, on some layers: whoever may read them now may read all of these."""
    moments = (f"datetime={_FUTURE}", f"version-datetime={_FUTURE}")
    for moment in (*moments, f"datetime={_LONG_AGO}/..", f"datetime={_FUTURE}&f=csv"):
        path = f"{_COLLECTION}/items?{moment}"
        yield Operation("GET", path, _read_features, _SOME_LAYERS)
    for path in ("/items/{feature}?", "/items?f=html&"):
        yield Operation("GET", f"{_COLLECTION}{path}{moments[0]}", _read_features, _SOME_LAYERS)
    tile = f"{_COLLECTION}/tiles/{{grid}}/{{matrix}}/{{row}}/{{col}}?datetime={_LONG_AGO}"
    yield Operation("GET", tile, _read_empty_tile, _SOME_LAYERS)
    for query in ("f=html", "f=link-format"):
        path = f"{_COLLECTION}/items/{{feature}}/versions?{query}"
        yield Operation("GET", path, _read_features, _SOME_LAYERS)
    for query in ("former=true", "f=geojson"):
        path = f"{_COLLECTION}/changes?since={_LONG_AGO}&until={_FUTURE}&{query}"
        yield Operation("GET", path, _read_features, _SOME_LAYERS)
    yield Operation("GET", f"{_COLLECTION}/change-sets?f=html", _read_features, _SOME_LAYERS)


def _nothing_then(caller: Caller, layer: Layer) -> int:
    """Return 404 to permitted callers, too: in the world's open transaction nothing is committed,
    so that there is no change set, and no feature at any moment."""
    return _write_features(caller, layer, success=404)


def _reversals() -> Iterator[Operation]:
    """Features put back to a moment, and before a change set."""
    path, state = f"{_LAYERS}/{{layer}}", {"as_of": _FUTURE}
    for query in ("", "?dry_run=true"):
        objects = _SOME_LAYERS if query else LAYERS
        one, undo = (
            f"{path}/features/{{feature}}/restore",
            f"{path}/change-sets/{{change_set}}/undo",
        )
        yield Operation("POST", one + query, _nothing_then, objects, lambda _: state)
        all_features = f"{path}/features/restore{query}"
        yield Operation("POST", all_features, _write_features, objects, lambda _: state)
        yield Operation("POST", undo + query, _nothing_then, objects, lambda _: {})


def _queries() -> Iterator[Operation]:
    """Parameters and representations of what `_ogc` and `_features` read, on some layers."""
    everything = "updated > TIMESTAMP('2000-01-01T00:00:00Z')"
    items = f"{_COLLECTION}/items"
    for query in (
        *("limit=1", "bbox=-180,-90,180,90", "sortby=-updated", "datetime=2024-05-01T12:00:00Z"),
        *("properties=updated", "crs=http://www.opengis.net/def/crs/EPSG/0/3857"),
        f"filter={everything}",
    ):
        yield Operation("GET", f"{items}?{query}", _read_features, _SOME_LAYERS)
    for shape in ("intersects", "within"):
        box = '{{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,0]]]}}'
        yield Operation("GET", f"{_FEATURES}?{shape}={box}", _read_features, _SOME_LAYERS)
    search = {"filter": everything, "filter-lang": "cql2-text", "limit": 1}
    path = f"{_COLLECTION}/search"
    yield Operation("POST", path, _read_features, _SOME_LAYERS, lambda _: search, hint="filter")
    for below in ("/queryables", "/sortables", "/styles", "/items/{feature}"):
        yield Operation("GET", f"{_COLLECTION}{below}?f=html", _read_features, _SOME_LAYERS)
    for encoding in STYLE_ENCODINGS:
        path = f"{_COLLECTION}/styles/{{style}}?f={encoding}"
        yield Operation("GET", path, _read_features, _SOME_LAYERS)
    for file_format in FORMATS:
        yield Operation("GET", f"{items}?f={file_format}", _read_features, _SOME_LAYERS)
    yield Operation("GET", f"{items}?f=csv&dialect=excel", _read_features, _SOME_LAYERS)
    yield Operation("GET", f"{items}?f=fgb&bbox=0,0,9,9", _read_features, _SOME_LAYERS)


LAYER_OPERATIONS = (
    *_library(),
    *_changes(),
    *_features(_FEATURES),
    *_features(f"{_COLLECTION}/items"),
    *_bulk(),
    *_indexes(),
    *_deleted(),
    *_ogc(),
    *_versions(),
    *_reversals(),
    *_queries(),
)
