"""Collections across the antimeridian: their extents, searches by them, tilesets."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from samsyn_provider.geography.extents import Extent, around_the_world, centre, union

Layer = Callable[..., str]

PACIFIC: list[tuple[str | None, dict[str, Any]]] = [
    ("POINT(170 -20)", {}),
    ("POLYGON((179 -18, 180 -18, 180 -17, 179 -17, 179 -18))", {}),
    ("POLYGON((-180 -18, -179 -18, -179 -17, -180 -17, -180 -18))", {}),
    ("POINT(-170 -15)", {}),
]


def test_the_extent_crosses_the_antimeridian(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(PACIFIC)
    url = f"/ogc/collections/{layer_id}"
    collection: Any = client.get(url).json
    assert collection["extent"]["spatial"]["bbox"] == [[170, -20, -170, -15]]
    (listed,) = client.get("/ogc/collections").json["collections"]  # type: ignore[index]
    assert listed["extent"]["spatial"]["bbox"] == [[170, -20, -170, -15]]
    assert not [uri for uri in collection["crs"] if "2583" in uri], "a zone of UTM"
    managed: Any = client.get(f"/api/v1/layers/{layer_id}").json
    assert managed["bounds"] == managed["source_config"]["bounds"] == [170, -20, -170, -15]
    page = client.get(f"{url}?f=html").text
    assert "[[170.0, -20.0], [190.0, -20.0], [190.0, -15.0]" in page


@pytest.mark.parametrize(
    ("bbox", "is_there"),
    [
        ("171,-19,172,-18", True),
        ("-172,-19,-171,-18", True),
        ("175,-19,-175,-18", True),
        ("175,-19,185,-18", True),
        ("-10,-19,10,-18", False),
        ("-169,-19,169,-18", False),
        ("160,-19,169,-18", False),
        ("160,-19,170,-18", True),
        ("171,0,172,1", False),
        ("-180,-90,180,90", True),
    ],
)
@pytest.mark.parametrize("path", ["/ogc/collections", "/api/v1/layers"])
def test_searches_by_extent(
    client: FlaskClient, layer: Layer, path: str, bbox: str, is_there: bool
) -> None:
    layer(PACIFIC)
    response: Any = client.get(path, query_string={"bbox": bbox}).json
    collections = response["collections"] if path == "/ogc/collections" else response
    assert bool(collections) is is_there


def test_tilesets(client: FlaskClient, layer: Layer) -> None:
    """TileJSON's bounds "MUST NOT wrap around the ante-meridian"."""
    url = f"/ogc/collections/{layer(PACIFIC)}/tiles/WebMercatorQuad"
    tilejson: Any = client.get(f"{url}?f=tilejson").json
    assert tilejson["bounds"] == [-180, -20, 180, -15]
    assert tilejson["center"] == [180, -17.5, 0]
    tileset: Any = client.get(f"{url}?f=json").json
    assert tileset["boundingBox"]["lowerLeft"] == [-180, -20]
    assert tileset["boundingBox"]["upperRight"] == [180, -15]
    limits = tileset["tileMatrixSetLimits"][3]
    assert (limits["minTileCol"], limits["maxTileCol"]) == (0, 7)


@pytest.mark.parametrize(
    ("extents", "expected"),
    [
        ([(1, 2, 3, 4)], (1, 2, 3, 4)),
        ([(1, 2, 3, 4), (-5, 0, -4, 9)], (-5, 0, 3, 9)),
        ([(170, 0, -170, 1)], (170, 0, -170, 1)),
        ([(170, 0, -170, 1), (160, 2, 165, 3)], (160, 0, -170, 3)),
        ([(170, 0, -170, 1), (-160, 2, -150, 3)], (170, 0, -150, 3)),
        ([(170, 0, 175, 1), (-175, 2, -170, 3)], (170, 0, -170, 3)),
        ([(170, 0, -170, 1), (-20, 2, 10, 3)], (170, 0, 10, 3)),
        ([(170, 0, -170, 1), (-180, -90, 180, 90)], (-180, -90, 180, 90)),
        ([(100, 0, -100, 1), (-90, 0, 90, 1)], (-180, 0, 180, 1)),
    ],
)
def test_the_extent_of_several(extents: list[Extent], expected: Extent) -> None:
    assert union(extents) == expected
    assert union(extents[::-1]) == expected


def test_a_union_holds_all_its_extents() -> None:
    chance = random.Random(3)

    def holds(extent: Extent, longitude: float) -> bool:
        west, _, east, _ = extent
        if west > east:
            return longitude >= west or longitude <= east
        return west <= longitude <= east

    for _ in range(500):
        extents: list[Extent] = [
            (chance.uniform(-180, 180), 0, chance.uniform(-180, 180), 1)
            for _ in range(chance.randint(1, 4))
        ]
        whole = union(extents)
        for west, _, east, _ in extents:
            span = east - west + (360 if west > east else 0)
            for part in range(11):
                longitude = (west + span * part / 10 + 180) % 360 - 180
                assert holds(whole, longitude) or part in {0, 10}
        assert -180 <= centre(whole)[0] <= 180
        assert around_the_world(whole)[0] <= around_the_world(whole)[2]
