"""QGIS edits a layer with a token: what it offers to whom, and what is on the server then."""

from collections.abc import Callable
from typing import Any

import pyproj
import pytest
import requests
import shapely
from sqlalchemy import text

from samsyn_model.database.engine import open_engine
from tests.clients.qgis_session import Qgis
from tests.clients.samsyn_server import Server, make_token

EVERYTHING = ["add", "change attributes", "change geometries", "delete"]
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "x-ogc-propertySeq": 1},
        "depth": {"type": "number", "x-ogc-propertySeq": 2},
        "turbines": {"type": "integer", "x-ogc-propertySeq": 3},
        "open": {"type": "boolean", "x-ogc-propertySeq": 4},
        "since": {"type": "string", "format": "date", "x-ogc-propertySeq": 5},
    },
}
SQUARE = "POLYGON((11 57, 11.5 57, 11.5 57.5, 11 57.5, 11 57))"
MOVED = "POLYGON((12 57, 12.5 57, 12.5 57.5, 12 57.5, 12 57))"


Zones = Callable[..., str]


@pytest.fixture
def zones(server: Server, owner: str) -> Zones:
    """Make a public layer of polygons with these names; return its id."""

    def make(*names: str) -> str:
        features = [
            {
                "type": "Feature",
                "geometry": shapely.geometry.mapping(shapely.from_wkt(SQUARE)),
                "properties": {
                    "name": name,
                    "depth": 20.5,
                    "turbines": 7,
                    "open": True,
                    "since": "2020-01-01",
                },
            }
            for name in names
        ]
        body = {
            "name": "Zones",
            "source_type": "vector",
            "visibility": "public",
            "geometry_type": "Polygon",
            "property_schema": SCHEMA,
            "source_config": {"geojson": {"type": "FeatureCollection", "features": features}},
        }
        return server.make_layer(owner, body)

    return make


def stored(server: Server, layer: str) -> dict[str, dict[str, Any]]:
    """The features of a layer on the server, by name."""
    found = requests.get(f"{server.ogc}/collections/{layer}/items", timeout=10).json()
    return {feature["properties"]["name"]: feature for feature in found["features"]}


def rows(server: Server, layer: str) -> list[Any]:
    """The name, the geometry as WKT, the turbines and the version of what the database has."""
    engine = open_engine(server.database)
    try:
        with engine.connect() as connection:
            statement = text(
                "SELECT properties->>'name', ST_AsText(geom), properties->'turbines', version"
                " FROM layer_features WHERE layer_id = :layer ORDER BY id"
            )
            return [tuple(row) for row in connection.execute(statement, {"layer": layer})]
    finally:
        engine.dispose()


def assert_at(feature: dict[str, Any], wkt: str, tolerance: float = 1e-9) -> None:
    found = shapely.geometry.shape(feature["geometry"])
    assert found.hausdorff_distance(shapely.from_wkt(wkt)) < tolerance


def edited(qgis: Qgis, server: Server, layer: str, **task: Any) -> dict[str, Any]:
    done: dict[str, Any] = qgis.do(
        "edit", url=server.ogc, collection=layer, credentials="basic", **task
    )
    return done


def test_editing_is_offered_to_who_may(
    qgis: Qgis, server: Server, zones: Zones, owner: str, token: str
) -> None:
    layer = zones("a")
    stranger = make_token(server.database, "stranger@example.org")
    offered = {
        who: edited(qgis, server, layer, steps=[], token=credential)["offered"]
        for who, credential in {
            "owner": owner,
            "reads only": token,
            "stranger": stranger,
            "anonymous": None,
        }.items()
    }
    assert offered == {"owner": EVERYTHING, "reads only": [], "stranger": [], "anonymous": []}


def test_a_feature_lives(qgis: Qgis, server: Server, zones: Zones, owner: str) -> None:
    layer = zones("kept")
    new = {"name": "new", "depth": 12.5, "turbines": 3, "open": False, "since": "2026-05-01"}
    done = edited(
        qgis,
        server,
        layer,
        token=owner,
        steps=[
            {"do": "add", "wkt": SQUARE, "properties": new},
            {"do": "change", "where": "\"name\" = 'new'", "wkt": MOVED},
            {"do": "change", "where": "\"name\" = 'new'", "properties": {"turbines": 4}},
        ],
    )
    assert done["errors"] == []
    features = stored(server, layer)
    assert set(features) == {"kept", "new"}
    assert features["new"]["properties"] == {**new, "turbines": 4}
    assert_at(features["new"], MOVED)
    assert_at(features["kept"], SQUARE)
    (kept, made) = rows(server, layer)
    assert (kept[0], kept[2:]) == ("kept", (7, 1))
    assert (made[0], made[2:]) == ("new", (4, 3))
    assert shapely.from_wkt(made[1]).equals(shapely.from_wkt(MOVED))
    done = edited(
        qgis, server, layer, token=owner, steps=[{"do": "delete", "where": "\"name\" = 'new'"}]
    )
    assert done["errors"] == []
    assert set(stored(server, layer)) == {"kept"}
    assert rows(server, layer) == [kept]


@pytest.mark.parametrize("code", [3035, 25832])
def test_in_another_crs(qgis: Qgis, server: Server, zones: Zones, owner: str, code: int) -> None:
    layer = zones("a")
    moved = _transformed(MOVED, code)
    done = edited(
        qgis,
        server,
        layer,
        token=owner,
        srsname=f"EPSG:{code}",
        steps=[
            {"do": "add", "wkt": moved, "properties": {"name": "b"}},
            {"do": "change", "where": "\"name\" = 'a'", "wkt": moved},
            {"do": "change", "where": "\"name\" = 'a'", "properties": {"depth": 1}},
        ],
    )
    assert done["crs"] == f"EPSG:{code}"
    assert done["errors"] == []
    features = stored(server, layer)
    assert_at(features["a"], MOVED, 1e-6)
    assert_at(features["b"], MOVED, 1e-6)
    assert features["a"]["properties"]["depth"] == 1


def _transformed(wkt: str, code: int) -> str:
    move = pyproj.Transformer.from_crs("OGC:CRS84", f"EPSG:{code}", always_xy=True).transform
    return str(shapely.transform(shapely.from_wkt(wkt), move, interleaved=False).wkt)


def test_the_first_feature_of_an_empty_layer(
    qgis: Qgis, server: Server, zones: Zones, owner: str
) -> None:
    """QGIS before 3.44 knows a layer by its first features alone: it finds no fields to fill."""
    layer = zones()
    if not qgis.reads_schemas:
        assert qgis.do("read", url=server.ogc, collection=layer)["fields"] == {}
        return
    new = {"name": "first", "depth": 1.5, "turbines": 2, "open": True, "since": "2026-05-01"}
    done = edited(
        qgis,
        server,
        layer,
        token=owner,
        steps=[{"do": "add", "wkt": SQUARE, "properties": new}],
    )
    assert (done["offered"], done["errors"]) == (EVERYTHING, [])
    feature = stored(server, layer)["first"]
    assert feature["properties"] == new
    assert_at(feature, SQUARE)


def at_once(qgis: Qgis, server: Server, layer: str, owner: str, *steps: Any) -> list[list[str]]:
    """What went wrong for two editors who both had read the layer before either saved."""
    errors: list[list[str]] = qgis.do(
        "edit at once",
        url=server.ogc,
        collection=layer,
        credentials="basic",
        token=owner,
        steps=steps,
    )
    return errors


def change(**properties: Any) -> dict[str, Any]:
    return {"do": "change", "where": "\"name\" = 'a'", "properties": properties}


def test_two_editors_of_one_feature_lose_nothing(
    qgis: Qgis, server: Server, zones: Zones, owner: str
) -> None:
    """QGIS sends no If-Match: what keeps both changes is that it sends only what it changed."""
    layer = zones("a")
    before = len(server.requests())
    errors = at_once(qgis, server, layer, owner, change(turbines=70), change(depth=99))
    assert errors == [[], []]
    properties = stored(server, layer)["a"]["properties"]
    assert (properties["turbines"], properties["depth"]) == (70, 99)
    patches = [line for line in server.requests()[before:] if line.startswith("PATCH")]
    assert len(patches) == 2
    feature = stored(server, layer)["a"]["id"]
    item = f"{server.ogc}/collections/{layer}/items/{feature}"
    assert requests.get(item, timeout=10).headers["ETag"] == '"3"'


def test_of_two_changes_to_one_attribute_the_last_counts(
    qgis: Qgis, server: Server, zones: Zones, owner: str
) -> None:
    layer = zones("a")
    moved = {"do": "change", "where": "\"name\" = 'a'", "wkt": MOVED, "properties": {"depth": 1}}
    assert at_once(qgis, server, layer, owner, moved, change(depth=2)) == [[], []]
    feature = stored(server, layer)["a"]
    assert feature["properties"]["depth"] == 2
    assert_at(feature, MOVED)


def test_a_feature_that_somebody_has_deleted_meanwhile(
    qgis: Qgis, server: Server, zones: Zones, owner: str
) -> None:
    layer = zones("a", "b")
    gone = {"do": "delete", "where": "\"name\" = 'a'"}
    first, second = at_once(qgis, server, layer, owner, gone, change(depth=99))
    assert first == []
    assert second, "the second editor is told"
    assert set(stored(server, layer)) == {"b"}


def test_what_the_schema_refuses_is_told(
    qgis: Qgis, server: Server, zones: Zones, owner: str
) -> None:
    layer = zones("a")
    crossed = "LINESTRING(11 57, 12 58)"
    done = edited(
        qgis,
        server,
        layer,
        token=owner,
        steps=[{"do": "change", "where": "\"name\" = 'a'", "wkt": crossed}],
    )
    assert done["errors"]
    assert_at(stored(server, layer)["a"], SQUARE)
