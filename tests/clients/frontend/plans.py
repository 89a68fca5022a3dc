"""Maps and layers that are made over the management API, for people to look at in the frontend."""

from collections.abc import Sequence
from typing import Any

import requests

from tests.clients.frontend_server import token_of
from tests.clients.samsyn_server import Server

CENTRE = (11.0, 57.0)
"""Longitude and latitude of the middle of every map."""

type Feature = dict[str, Any]


def square(size: float, **properties: Any) -> Feature:
    """Return a square of this many degrees around the middle of the map."""
    (x, y), half = CENTRE, size / 2
    ring = [[x - half, y - half], [x + half, y - half], [x + half, y + half], [x - half, y + half]]
    return feature("Polygon", [[*ring, ring[0]]], **properties)


def feature(kind: str, coordinates: Any, **properties: Any) -> Feature:
    """Return a GeoJSON feature."""
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


class Plan:
    """A map of a user."""

    def __init__(self, server: Server, owner: str, **members: Any) -> None:
        self._server = server
        self._owner = owner
        longitude, latitude = CENTRE
        view = {"center_lng": longitude, "center_lat": latitude, "zoom": 8}
        self.id = str(self.sends("POST", "maps", {**view, **members})["id"])

    def sends(self, method: str, path: str, body: Any) -> Any:
        """Send a request as the owner, and return the JSON of the response."""
        response = requests.request(
            method,
            f"{self._server.url}/api/v1/{path}",
            json=body,
            headers={"Authorization": f"Bearer {token_of(self._owner)}"},
            timeout=30,
        )
        assert response.ok, response.text
        return response.json() if response.content else None

    def adds_layer(self, name: str, features: Sequence[Feature], **members: Any) -> str:
        """Put a new layer on top of the map and return its id."""
        layer = {"name": name, "source_type": "vector", "visibility": "public", **members}
        layer_id = str(self.sends("POST", "layers", layer)["id"])
        collection = {"type": "FeatureCollection", "features": list(features)}
        self.sends("POST", f"layers/{layer_id}/features/bulk", collection)
        self.sends("POST", f"maps/{self.id}/layers", {"layer_id": layer_id, "order": 0})
        return layer_id

    def comments(self, text: str) -> None:
        """Comment on the map."""
        self.sends("POST", "comments", {"content": text, "map_id": self.id})
