"""A plan from its first map to its publication, as people make it over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine

from tests.clerk_instance import ISSUER, PARTY, public_pem, session_token
from tests.clients.samsyn_server import Server, make_token, serve

DIVE = {"cover": 80, "dived_on": "2026-05-12"}
DIVE_SCHEMA = {
    "type": "object",
    "properties": {
        "cover": {"type": "integer", "minimum": 0, "maximum": 100},
        "dived_on": {"type": "string", "format": "date"},
    },
    "required": ["cover", "dived_on"],
    "additionalProperties": False,
}
DEPTH = {"url": "https://ows.emodnet-bathymetry.eu/wms", "layers": "emodnet:mean_atlas_land"}
LAND = {"url": "https://tiles.example.org/land.tif", "bounds": [11, 57, 12, 58]}


class Caller:
    """Somebody at the API, or nobody without a token."""

    def __init__(self, server: Server, token: str | None = None) -> None:
        self._url = server.url
        self._signed = {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, method: str, path: str, status: int, body: Any = None, **headers: str) -> Any:
        """Send a request, assert the status, and return the JSON of the response, if it has one."""
        response = requests.request(
            method, f"{self._url}{path}", json=body, headers=self._signed | headers, timeout=30
        )
        assert response.status_code == status, (
            f"{method} {path}: {response.status_code} {response.text}"
        )
        return response.json() if response.content else None

    def get(self, path: str, status: int = 200) -> Any:
        return self.send("GET", path, status)

    def make(self, what: str, body: dict[str, Any]) -> Any:
        return self.send("POST", f"/api/v1/{what}", 201, body)

    def make_layer(self, name: str, source_type: str, **members: Any) -> str:
        """Make a layer and return its id."""
        body = {"name": name, "source_type": source_type, **members}
        return str(self.make("layers", body)["id"])


@pytest.fixture
def server(empty_database: Engine, test_database_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server with two workers that knows a Clerk instance; its database ends empty."""
    log = tmp_path / "log"
    with serve(
        test_database_url,
        log,
        CLERK_JWT_KEY=public_pem(),
        CLERK_ISSUER=ISSUER,
        CLERK_AUTHORIZED_PARTIES=PARTY,
    ) as running:
        yield running


def in_web_app(server: Server, name: str) -> Caller:
    """Sign somebody in at the web app, by a session of Clerk."""
    email = f"{name}@example.org"
    token = session_token(sub=f"user_{name}", email=email, email_verified=True)
    return Caller(server, token)


def at_shell(server: Server, name: str) -> Caller:
    """Give somebody an API token of the server's command."""
    return Caller(server, make_token(server.database, f"{name}@example.org"))


def zone(name: str, west: float) -> dict[str, Any]:
    """A square of a hundredth of a degree."""
    east, south, north = west + 0.01, 57.62, 57.63
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"name": name, "status": "proposed"},
    }


def collection(*features: dict[str, Any]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def dive(longitude: float, **properties: Any) -> dict[str, Any]:
    point = {"type": "Point", "coordinates": [longitude, 57.62]}
    return {"type": "Feature", "geometry": point, "properties": DIVE | properties}


def make_layers(ingrid: Caller) -> dict[str, str]:
    """Make a layer of each kind, and return their ids by name in the order made."""
    zones = {"geojson": collection(zone("North", 11.68), zone("South", 11.71))}
    rules = {"geometry_type": "Point", "property_schema": DIVE_SCHEMA, "time_field": "dived_on"}
    return {
        "Anchorages": ingrid.make_layer("Anchorages", "vector", source_config=zones),
        "Depth": ingrid.make_layer("Depth", "wms", source_config=DEPTH),
        "Land": ingrid.make_layer("Land", "geotiff", source_config=LAND),
        "Dives": ingrid.make_layer("Dives", "vector", **rules),
    }


def import_dives(ingrid: Caller, layer: str) -> None:
    """Import dives: what breaks a rule is named in a dry run, and what is right is stored."""
    bulk = f"/api/v1/layers/{layer}/features/bulk"
    wrong = collection(dive(11.685), dive(11.69, cover=900))
    refused = ingrid.send("POST", f"{bulk}?dry_run=true", 422, wrong)
    assert [(fault["index"], fault["pointer"]) for fault in refused["errors"]] == [
        (1, "/properties/cover")
    ]
    right = collection(dive(11.685), dive(11.69, cover=90))
    assert ingrid.send("POST", f"{bulk}?dry_run=true", 200, right)["valid_count"] == 2
    assert ingrid.get(f"/api/v1/layers/{layer}")["feature_count"] == 0
    assert ingrid.send("POST", bulk, 201, right)["created_count"] == 2


def put_on_map(ingrid: Caller, place: str, layers: dict[str, str]) -> None:
    """Put the layers on a map in their order, then turn it round."""
    for layer in layers.values():
        ingrid.send("POST", f"{place}/layers", 201, {"layer_id": layer})
    upwards = list(reversed(layers.values()))
    orders = [{"layer_id": layer, "order": order} for order, layer in enumerate(upwards)]
    ingrid.send("PUT", f"{place}/layers/reorder", 200, {"layer_orders": orders})
    assert [shown["layer_id"] for shown in ingrid.get(place)["map_layers"]] == upwards


def discuss(ingrid: Caller, olle: Caller, subject: dict[str, Any]) -> None:
    """Olle asks about a zone, Ingrid answers, Olle resolves the thread."""
    question = olle.make("comments", {**subject, "content": "Could this move east?"})
    on = {name: question[name] for name in ("map_id", "layer_id")}
    ingrid.make("comments", {**on, "parent_id": question["id"], "content": "It will."})
    address = f"/api/v1/comments/{question['id']}"
    assert olle.send("PUT", f"{address}/resolve", 200)["is_resolved"]
    thread = ingrid.get(f"{address}/thread")
    assert (thread["feature_id"], thread["is_resolved"]) == (subject["feature_id"], True)
    assert [reply["content"] for reply in thread["replies"]] == ["It will."]


def change(ingrid: Caller, feature: str) -> None:
    """Move a zone, once: a second change that starts from the same version is refused."""
    moved = {"geometry": zone("", 11.69)["geometry"], "properties": {"status": "revised"}}
    after = ingrid.send("PATCH", feature, 200, moved, **{"If-Match": '"1"'})
    assert after["properties"] == {"name": "North", "status": "revised"}
    ingrid.send("PATCH", feature, 412, moved, **{"If-Match": '"1"'})


def publish(ingrid: Caller, visitor: Caller, place: str, zones: str) -> None:
    """Make the map public, then the zones' layer; a visitor sees each as it comes."""
    library, items = "/api/v1/layers", f"/ogc/collections/{zones}/items"
    visitor.get(place, 404)
    visitor.get(items, 404)
    ingrid.send("PATCH", place, 200, {"view_permission": "public"})
    assert len(visitor.get(place)["map_layers"]) == 4
    assert visitor.get(library) == []
    ingrid.send("PATCH", f"{library}/{zones}", 200, {"visibility": "public"})
    assert [layer["id"] for layer in visitor.get(library)] == [zones]
    assert visitor.get(items)["numberMatched"] == 2
    visitor.send("PATCH", place, 401, {"name": "Mine"})


def revoke(ingrid: Caller, server: Server, place: str) -> None:
    """Make a token that reads, and revoke it: it is refused, also for what everyone reads."""
    made = ingrid.make("tokens", {"name": "QGIS", "scope": "read"})
    laptop = Caller(server, made["token"])
    assert laptop.get(place)["user_role"] == "owner"
    laptop.send("PATCH", place, 403, {"name": "Mine"})
    ingrid.send("DELETE", f"/api/v1/tokens/{made['id']}", 204)
    for path in (place, "/api/v1/users/me", "/ogc/collections"):
        laptop.get(path, 401)


def test_a_plan_is_made_discussed_and_published(server: Server) -> None:
    """Each chapter asks only what a client would, and checks what the next person sees."""
    ingrid, olle, visitor = in_web_app(server, "ingrid"), at_shell(server, "olle"), Caller(server)
    me = ingrid.get("/api/v1/users/me")
    assert at_shell(server, "ingrid").get("/api/v1/users/me") == me

    sound = ingrid.make("maps", {"name": "Lerskär sound"})
    place = f"/api/v1/maps/{sound['id']}"
    layers = make_layers(ingrid)
    import_dives(ingrid, layers["Dives"])
    put_on_map(ingrid, place, layers)

    zones = layers["Anchorages"]
    olle.get(place, 404)
    olle.get(f"/ogc/collections/{zones}", 404)
    ingrid.send("POST", f"{place}/collaborators", 201, {"email": "olle@example.org"})
    assert olle.get(place)["user_role"] == "viewer"

    north = olle.get(f"/ogc/collections/{zones}/items?name=North")["features"][0]["id"]
    feature = f"/api/v1/layers/{zones}/features/{north}"
    discuss(ingrid, olle, {"map_id": sound["id"], "layer_id": zones, "feature_id": north})
    olle.send("PATCH", feature, 403, {"properties": {"status": "mine"}})
    change(ingrid, feature)
    assert olle.get(f"/ogc/collections/{zones}/items?status=revised")["numberMatched"] == 1

    publish(ingrid, visitor, place, zones)
    revoke(ingrid, server, place)
