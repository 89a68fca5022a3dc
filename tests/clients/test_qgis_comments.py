"""QGIS finds the comments on a map, and shows the open threads of a layer."""

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import shapely

from tests.clients.qgis_session import Qgis
from tests.clients.samsyn_server import OWNER, Server, make_token

PLACE = {"type": "Point", "coordinates": [11.5, 57.5]}
AREA = {"type": "Polygon", "coordinates": [[[11, 57], [12, 57], [12, 58], [11, 57]]]}


def sender(server: Server, token: str) -> Callable[..., Any]:
    """Return what sends JSON to the management API, and returns the response."""

    def send(method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        address = f"{server.url}/api/v1/{path}"
        request = urllib.request.Request(address, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"{}")

    return send


def test_finds_the_comments_on_a_map(qgis: Qgis, server: Server) -> None:
    token = make_token(server.database, OWNER)
    send = sender(server, token)
    made = send("POST", "maps", {"name": "Kattegat"})
    send("POST", "comments", {"content": "Mind the cod.", "map_id": made["id"]})
    found = qgis.do("browse", url=server.ogc, token=token)
    titles = {item["collection"]: item["name"] for item in found}
    assert titles[f"comments-of-map-{made['id']}"] == "Comments on Kattegat"


def test_shows_the_open_threads_of_a_layer(qgis: Qgis, server: Server, areas: str) -> None:
    token = make_token(server.database, OWNER)
    send = sender(server, token)
    for other in send("GET", f"comments?layer_id={areas}"):
        send("DELETE", f"comments/{other['id']}")
    done = send("POST", "comments", {"content": "Done.", "layer_id": areas, "position": PLACE})
    send("PUT", f"comments/{done['id']}/resolve")
    for place in ({"position": PLACE}, {"geometry": AREA}, {}):
        body = {"content": f"Open: {list(place)}", "layer_id": areas, **place}
        send("POST", "comments", body)
    collection = f"comments-of-layer-{areas}"
    everything = qgis.do("read", url=server.ogc, collection=collection)
    assert everything["valid"], everything
    assert everything["feature_count"] == 4
    assert everything["fields"]["resolved"] == "bool"
    assert everything["fields"]["created"] == "QDateTime"
    before = len(server.requests())
    layer = qgis.do("read", url=server.ogc, collection=collection, filter="resolved = false")
    assert layer["valid"], layer
    assert any("resolved" in line for line in server.requests()[before:])
    found = {feature["properties"]["content"]: feature for feature in layer["features"]}
    assert set(found) == {"Open: ['position']", "Open: ['geometry']", "Open: []"}
    assert all(f["properties"]["target_state"] == "current" for f in layer["features"])
    shapes = {
        content: feature["geometry"] and shapely.from_wkb(feature["geometry"])
        for content, feature in found.items()
    }
    assert shapes["Open: ['position']"].equals(shapely.Point(11.5, 57.5))
    assert shapes["Open: ['geometry']"].equals(shapely.from_geojson(json.dumps(AREA)))
    assert shapes["Open: []"] is None
    inside = qgis.do("read", url=server.ogc, collection=collection, bbox=[11.9, 57.1, 12, 57.2])
    assert [f["properties"]["content"] for f in inside["features"]] == ["Open: ['geometry']"]
