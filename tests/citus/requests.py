"""A mixed run of requests, the same on every database: what it answers can be compared."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient

_SHAPE = {"type": "Polygon", "coordinates": [[[11, 57], [11.1, 57], [11.1, 57.1], [11, 57]]]}
_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "rank": {"type": "integer"},
        "day": {"type": "string", "format": "date"},
    },
}
_MERGE = "application/merge-patch+json"

# What differs between two runs of the same: ids, times, texts that are random or made of these;
# numbers of change sets, of which one that has changed nothing takes one where it was begun first.
_VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d(:|%3A)\d\d(:|%3A)\d\d(\.\d+)?(Z|\+00:00)?"
    r"|\d{8}T\d{12}Z|\d\d?,? \w+ \d{4},? \d\d:\d\d:\d\d"
    r"|(?<=change_set\":)\d+|(?<=change-sets/)\d+|(?<=until=)\d+|(?<=since=)\d+"
    r"|(?<={\"id\":)\d+(?=,\"via)"
    r"|(?<=after=)[\w%=-]+|(?<=ticket=)[\w%.=-]+|(?<=[?&;]v=)[\w%.=-]+"
)


@dataclass(frozen=True)
class Answer:
    """What a request was answered, without what varies between two runs."""

    request: str
    status: int
    body: str


class Run:
    """Sends the requests as one user; `answers` are those so far."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers
        self.answers: list[Answer] = []

    def send(self, method: str, path: str, body: Any = None, media_type: str = "") -> Any:
        """Send a request; return its JSON, or its text."""
        headers = dict(self._headers)
        options: dict[str, Any] = {}
        if body is not None:
            headers["Content-Type"] = media_type or "application/json"
            options["data"] = body if isinstance(body, str | bytes) else json.dumps(body)
        response = self._client.open(path, method=method, headers=headers, **options)
        found: bytes = response.get_data()
        is_text = not response.mimetype.endswith(("tile", "x-protobuf"))
        self.answers.append(
            Answer(
                _VARYING.sub("*", f"{method} {path}"),
                response.status_code,
                _VARYING.sub("*", found.decode()) if is_text else str(len(found)),
            )
        )
        return response.get_json() if "json" in response.mimetype else found

    def create(self, path: str, body: Any) -> str:
        """Make something by a POST; return its id."""
        return str(self.send("POST", path, body)["id"])


def send_all(run: Run) -> None:
    """Send every request."""
    layer = run.create(
        "/api/v1/layers",
        {
            **{"name": "Sites", "source_type": "vector", "visibility": "public"},
            **{"property_schema": _SCHEMA, "time_field": "day", "geometry_type": "Polygon"},
        },
    )
    other = run.create("/api/v1/layers", {"name": "Plain", "source_type": "vector"})
    features = [_feature(number) for number in range(40)]
    collection = json.dumps({"type": "FeatureCollection", "features": features})
    made = run.send("POST", f"/api/v1/layers/{layer}/features/bulk", collection)["feature_ids"]
    run.send("POST", f"/api/v1/layers/{other}/features/bulk", collection)
    run.send("PUT", f"/api/v1/layers/{layer}/indexes", {"properties": ["rank"]})
    for path in _reads(layer, made[3]):
        run.send("GET", path)
    _edit(run, layer, made)
    _maps(run, layer, other, made[5])
    _history(run, layer, other, made)
    run.send("DELETE", f"/api/v1/layers/{other}")
    run.send("GET", "/api/v1/layers/deleted")
    run.send("POST", f"/api/v1/layers/{other}/restore")
    run.send("GET", f"/ogc/collections/{other}/items?limit=2")
    run.send("GET", f"/api/v1/layers/{other}")
    run.send("DELETE", f"/api/v1/layers/{layer}")
    run.send("GET", f"/ogc/collections/{layer}/items")
    run.send("GET", "/api/v1/layers")


def _feature(number: int) -> dict[str, Any]:
    west, south = 10 + number / 10, 55 + number / 20
    ring = [[west, south], [west + 0.05, south], [west + 0.05, south + 0.05], [west, south]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "name": f"Site {number}",
            "rank": number % 7,
            "day": f"2026-05-{1 + number % 28:02}",
        },
    }


def _reads(layer: str, feature: int) -> Iterator[str]:
    collection = f"/ogc/collections/{layer}"
    yield from ("/ogc/collections", "/ogc/collections?bbox=10,55,11,56&limit=5", collection)
    yield from ("/api/v1/layers", f"/api/v1/layers/{layer}", "/api/v1/layers?bbox=10,55,11,56")
    yield "/ogc/collections?q=sites"
    for part in ("schema", "queryables", "sortables", "styles", "tiles", "change-sets"):
        yield f"{collection}/{part}"
    for query in (
        *("", "limit=5", "limit=5&offset=10", "bbox=10,55,11,56", "sortby=-rank,name&limit=7"),
        *("rank=3", "name=Site%201", "resulttype=hits", "resulttype=hits&rank=3"),
        *("datetime=2026-05-02", "datetime=2026-05-02/..", "properties=name&limit=3"),
        *("skipGeometry=true&limit=3", "f=csv", "f=geojsonseq", "f=jsonfg&limit=2", "f=html"),
        "crs=http://www.opengis.net/def/crs/EPSG/0/3857&limit=2",
        "bbox=10,55,11,56&rank=2&limit=3",
        "sortby=updated&limit=4",
    ):
        yield f"{collection}/items?{query}"
    for text in (
        *("rank > 3 AND rank < 6", "name LIKE 'Site 1%'", "day > DATE('2026-05-20')"),
        *("S_INTERSECTS(geometry, POINT(10.02 55.01))", "rank IN (1, 2)"),
        *("S_DWITHIN(geometry, POINT(10 55), 20000, meters)", "NOT (rank = 1)"),
    ):
        yield f"{collection}/items?filter={quote(text)}&limit=4"
    yield f"{collection}/items/{feature}"
    yield f"{collection}/items/{feature}?f=html"
    yield f"{collection}/items/999999999"
    yield f"{collection}/form"
    for tile in ("0/0/0", "5/9/16", "9/157/271"):
        yield f"{collection}/tiles/WebMercatorQuad/{tile}"
    yield f"{collection}/tiles/WebMercatorQuad?f=tilejson"


def _edit(run: Run, layer: str, made: list[int]) -> None:
    items = f"/ogc/collections/{layer}/items"
    run.send("POST", items, _feature(50), "application/geo+json")
    run.send("POST", items, {"type": "Feature", "geometry": None, "properties": {"rank": "x"}})
    run.send("PUT", f"{items}/{made[0]}", _feature(51), "application/geo+json")
    run.send("PATCH", f"{items}/{made[1]}", {"properties": {"rank": 99}}, _MERGE)
    run.send("PATCH", f"{items}/{made[1]}", {"properties": {"rank": 99}}, _MERGE)
    run.send("PATCH", f"{items}/{made[2]}", {"geometry": _SHAPE}, _MERGE)
    run.send("PATCH", f"{items}/999999999", {"properties": {}}, _MERGE)
    run.send("DELETE", f"{items}/{made[4]}")
    run.send("DELETE", f"{items}/{made[4]}")
    run.send("GET", f"{items}?rank=99")
    run.send("GET", f"{items}?resulttype=hits")
    run.send("PATCH", f"/api/v1/layers/{layer}", {"name": "Areas"})
    run.send("GET", f"/ogc/collections/{layer}")
    run.send("GET", f"{items}?limit=2")


def _maps(run: Run, layer: str, other: str, feature: int) -> None:
    plan = run.create("/api/v1/maps", {"name": "Plan", "view_permission": "public"})
    for place in (layer, other):
        run.send("POST", f"/api/v1/maps/{plan}/layers", {"layer_id": place})
    thread = run.create(
        "/api/v1/comments",
        {"map_id": plan, "layer_id": layer, "feature_id": feature, "content": "Here?"},
    )
    run.create("/api/v1/comments", {"map_id": plan, "parent_id": thread, "content": "Yes."})
    for path in (
        *("/api/v1/maps", f"/api/v1/maps/{plan}", f"/api/v1/maps/{plan}/layers"),
        *(f"/api/v1/comments?map_id={plan}", f"/api/v1/comments/{thread}/thread"),
        f"/ogc/maps/{plan}/tiles/WebMercatorQuad/5/9/16",
        f"/ogc/maps/{plan}/tiles/WebMercatorQuad?f=tilejson",
        f"/api/v1/maps/{plan}/activity",
    ):
        run.send("GET", path)
    items = f"/ogc/collections/{layer}/items"
    run.send("PATCH", f"{items}/{feature}", {"properties": {"rank": 77}}, _MERGE)
    run.send("GET", f"/api/v1/comments/{thread}")
    run.send("POST", f"/api/v1/maps/{plan}/duplicate", {})


def _history(run: Run, layer: str, other: str, made: list[int]) -> None:
    collection = f"/ogc/collections/{layer}"
    changes = run.send("GET", f"{collection}/change-sets")["changeSets"]
    first, last = changes[-1], changes[0]
    moment = first["committed"] if "committed" in first else first["time"]
    for path in (
        *(f"items?datetime={quote(moment)}&limit=50", f"items/{made[1]}/versions"),
        *(f"items/{made[1]}/blame", f"changes?since={first['id']}"),
        f"items/{made[1]}/difference?since={first['id']}",
        f"items?version-datetime={quote(moment)}&limit=50",
        f"items?version-datetime={quote(moment)}&bbox=10,55,11,56",
        f"items?version-datetime={quote(moment)}/..&limit=50",
        f"tiles/WebMercatorQuad/5/9/16?version-datetime={quote(moment)}",
        f"items/{made[1]}?version-datetime={quote(moment)}",
    ):
        run.send("GET", f"{collection}/{path}")
    layers = f"/api/v1/layers/{layer}"
    run.send("GET", f"{layers}/activity")
    run.send("POST", f"{layers}/change-sets/{last['id']}/undo", {})
    run.send("POST", f"{layers}/features/{made[4]}/restore", {"as_of": moment})
    run.send("POST", f"{layers}/features/restore", {"as_of": moment, "dry_run": True})
    run.send("POST", f"{layers}/features/restore", {"as_of": moment})
    run.send("GET", f"{collection}/items?resulttype=hits")
    run.send("GET", f"/ogc/collections/{other}/change-sets")
    run.send("GET", "/api/v1/audit")
