"""Bodies of requests: of each kind that the definitions have, some of them changed or cut."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fuzz import odd_values
from tests.fuzz.filters import filter_query
from tests.fuzz.geometries import geometry
from tests.fuzz.odd_values import Random

Ids = dict[str, list[str | int]]
_TYPES = (
    *("application/json", "application/geo+json", "application/merge-patch+json", "text/plain"),
    *("application/geo+json-seq", "application/x-ndjson", "application/x-www-form-urlencoded"),
    *("application/json; charset=utf-16", "multipart/form-data", "", "x", "application/json;"),
)


@dataclass(frozen=True)
class Body:
    """A body as it is sent."""

    content: bytes
    media_type: str
    coding: str = ""


def body(random: Random, path: str, method: str, ids: Ids) -> Body:
    """Return a body for a path of the definitions."""
    make = next((make for end, make in _MAKERS if path.endswith(end)), _any)
    document = make(random, ids)
    if random.random() < 0.15:
        document = odd_values.changed(random, document)
    media_type = "application/json"
    if path.endswith(("/items", "/features", "/bulk")):
        media_type = "application/geo+json"
    elif method == "PATCH":
        media_type = "application/merge-patch+json"
    content = json.dumps(document).encode()
    if path.endswith("/bulk") and random.random() < 0.5:
        media_type, content = _lines(random, document)
    if random.random() < 0.03:
        media_type = random.choice(_TYPES)
    return _encoded(random, content, media_type)


def _encoded(random: Random, content: bytes, media_type: str) -> Body:
    chance = random.random()
    if chance < 0.05:
        content = odd_values.cut(random, content)
    elif chance < 0.06:
        content = random.choice(
            (b"", b"[" * 5000, b"1" * 5000, b"\xef\xbb\xbf" + content, b"\xff\xfe", b'{"a":' * 900)
        )
    if random.random() < 0.05:
        packed = gzip.compress(content, 1)
        if random.random() < 0.3:
            packed = odd_values.cut(random, packed)
        return Body(packed, media_type, random.choice(("gzip", "gzip", "x-gzip", "br", "deflate")))
    return Body(content, media_type)


def _lines(random: Random, document: Any) -> tuple[str, bytes]:
    features = document.get("features") if isinstance(document, dict) else None
    members = features if isinstance(features, list) else [document]
    lines = [json.dumps(member) for member in members]
    start = random.choice(("", "\x1e"))
    text = "".join(f"{start}{line}\n" for line in lines)
    return random.choice(("application/geo+json-seq", "application/x-ndjson")), text.encode()


def _properties(random: Random) -> Any:
    return {
        random.choice(odd_values.NAMES): odd_values.value(random)
        for _ in range(random.randrange(4))
    }


def _feature(random: Random, ids: Ids) -> Any:
    if random.random() < 0.4:
        place = {"type": "Point", "coordinates": [random.uniform(10, 13), random.uniform(54, 58)]}
        return {"type": "Feature", "geometry": place, "properties": {"name": "Hanö"}}
    feature = {"type": "Feature", "geometry": geometry(random), "properties": _properties(random)}
    if random.random() < 0.2:
        feature["id"] = random.choice(ids["features"])
    if random.random() < 0.05:
        feature["crs"] = {"type": "name", "properties": {"name": random.choice(odd_values.SYSTEMS)}}
    return feature


def _collection(random: Random, ids: Ids) -> Any:
    count = random.choice((0, 1, 2, 5, 20))
    return {"type": "FeatureCollection", "features": [_feature(random, ids) for _ in range(count)]}


def _item(random: Random, ids: Ids) -> Any:
    return (_feature if random.random() < 0.8 else _collection)(random, ids)


def _search(random: Random, ids: Ids) -> Any:
    if random.random() < 0.3:
        return {"limit": 10, "bbox": [10, 54, 13, 58], **filter_query(random)}
    makers: dict[str, Callable[[], Any]] = {
        "limit": lambda: odd_values.number(random),
        "bbox": lambda: odd_values.box(random),
        "datetime": lambda: odd_values.interval(random),
        "properties": lambda: [random.choice(odd_values.NAMES)],
        "sortby": lambda: [random.choice(("-", "")) + random.choice(odd_values.NAMES)],
        "crs": lambda: random.choice(odd_values.SYSTEMS),
    }
    query = {name: make() for name, make in makers.items() if random.random() < 0.2}
    return {**query, **filter_query(random)} if random.random() < 0.7 else query


def _layer(random: Random, ids: Ids) -> Any:
    layer: dict[str, Any] = {"name": odd_values.text(random) or "L", "source_type": "vector"}
    optional: dict[str, Callable[[], Any]] = {
        "description": lambda: odd_values.text(random),
        "visibility": lambda: random.choice(("public", "private")),
        "editable": lambda: random.choice(("everyone", "creator-only")),
        "property_schema": lambda: _schema(random),
        "geometry_type": lambda: random.choice(("Point", "Polygon", "MultiPolygon", "x", None)),
        "additional_crs": lambda: [random.choice((3006, 2154, 32662, 4979, 1))],
        "style_config": lambda: {"color": odd_values.text(random), "lineWidth": 2},
        "layer_metadata": lambda: odd_values.value(random),
        "time_field": lambda: random.choice(odd_values.NAMES),
    }
    layer |= {name: make() for name, make in optional.items() if random.random() < 0.2}
    if random.random() < 0.5:
        layer["source_config"] = {"geojson": _collection(random, ids)}
    elif random.random() < 0.2:
        layer["source_type"] = random.choice(("wms", "geotiff", "x"))
        layer["source_config"] = {"url": "https://example.org/wms", "layers": "a"}
    return layer


def _schema(random: Random) -> Any:
    members: tuple[Any, ...] = (
        *({"type": "string"}, {"type": "number"}, {"type": ["integer", "null"]}, {}, True),
        *({"type": "string", "format": "date-time"}, {"$ref": "#/$defs/d"}, {"enum": [1, "a"]}),
        {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
    )
    schema: dict[str, Any] = {
        "properties": {
            random.choice(odd_values.NAMES): random.choice(members)
            for _ in range(random.randrange(5))
        },
        "$defs": {"d": random.choice(members)},
    }
    if random.random() < 0.3:
        schema["additionalProperties"] = random.choice((True, False, {"type": "number"}))
    return schema


def _map(random: Random, ids: Ids) -> Any:
    return {
        "name": odd_values.text(random) or "M",
        "description": odd_values.text(random),
        "center_lat": odd_values.number(random),
        "zoom": random.choice((2, 5, 23)),
        "view_permission": random.choice(("private", "collaborators", "public")),
    }


def _comment(random: Random, ids: Ids) -> Any:
    members: dict[str, Any] = {
        "map_id": odd_values.pick(random, ids["maps"]),
        "layer_id": odd_values.pick(random, ids["layers"]),
        "feature_id": random.choice(ids["features"]),
        "parent_id": odd_values.pick(random, ids["comments"]),
        "position": geometry(random),
        "geometry": geometry(random),
        "feature_version": odd_values.number(random),
        "mentions": [odd_values.pick(random, ids["users"]) for _ in range(random.randrange(3))],
    }
    chosen = {name: value for name, value in members.items() if random.random() < 0.3}
    return {"content": odd_values.text(random) or "Hm.", **chosen}


def _map_layer(random: Random, ids: Ids) -> Any:
    return {
        "layer_id": odd_values.pick(random, ids["layers"]),
        "order": odd_values.number(random),
        "opacity": random.choice((0, 50, 100, 101)),
    }


def _order(random: Random, ids: Ids) -> Any:
    return {
        "layer_orders": [
            {"layer_id": odd_values.pick(random, ids["layers"]), "order": number}
            for number in range(random.randrange(5))
        ]
    }


def _person(random: Random, ids: Ids) -> Any:
    if random.random() < 0.5:
        return {"user_id": odd_values.pick(random, ids["users"]), "role": "viewer"}
    return {"email": random.choice(("stranger@example.org", "x", "a@b.c")), "role": "editor"}


def _token(random: Random, ids: Ids) -> Any:
    expires = {"expires_at": odd_values.moment(random)} if random.random() < 0.5 else {}
    return {"name": odd_values.text(random) or "T", "scope": "read", **expires}


def _indexes(random: Random, ids: Ids) -> Any:
    return {"properties": random.sample(odd_values.NAMES, random.randrange(4))}


def _any(random: Random, ids: Ids) -> Any:
    return odd_values.value(random)


_MAKERS: tuple[tuple[str, Callable[[Random, Ids], Any]], ...] = (
    *(("/search", _search), ("/bulk", _collection), ("/items", _item), ("/features", _item)),
    *(("Id}", _feature), ("/{feature_id}", _feature), ("/v1/layers", _layer), ("/v1/maps", _map)),
    *(("/{comment_id}", _comment), ("/v1/comments", _comment), ("/reorder", _order)),
    *(("{map_id}/layers/{layer_id}", _map_layer), ("/layers/{layer_id}", _layer)),
    *(("/{map_id}", _map), ("/layers", _map_layer)),
    *(("/collaborators", _person), ("/{user_id}", _person), ("/owner", _person)),
    *(("/tokens", _token), ("/indexes", _indexes)),
)
