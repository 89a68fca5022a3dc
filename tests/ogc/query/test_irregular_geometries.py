"""Stored geometries that are not valid: measured and drawn, or refused with the reason."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

Layer = Callable[..., str]

WITH_HEIGHTS = "POLYGON Z((180 90 90,-3 0 90,180 2.5 1,2.5 90 -3,180 90 90))"
COLLAPSING = "POLYGON((180 -3,0 90,-3 2.5,2.5 0,-3 2.5,180 -3))"
INSIDE_OUT = "POLYGON((90 2.5,90 0,1 0,2.5 -3,90 2.5),(2.5 -3,1 0,180 90,180 1,2.5 -3))"
LINE = "MULTILINESTRING Z((180 -3 1,2.5 90 180,1 0 90,0 1 -3,180 -3 1))"
"""Of which a part is cut to a position."""


@pytest.mark.parametrize("shape", [WITH_HEIGHTS, COLLAPSING, INSIDE_OUT])
def test_it_is_measured(client: FlaskClient, layer: Layer, shape: str) -> None:
    items = f"/ogc/collections/{layer([(shape, {}), ('POINT(1 1)', {})])}/items"
    for condition in (
        "DISTANCE(geometry, LINESTRING(10 54, 13 58)) > 0",
        "LENGTH(geometry) >= 0",
        "AREA(geometry) >= 0",
        "S_DWITHIN(geometry, POINT(10 54), 10000)",
    ):
        response = client.get(items, query_string={"filter": condition})
        assert response.status_code in {200, 400}, (condition, response.text)
        assert response.status_code == 200 or "is not valid" in response.json["detail"]


@pytest.mark.parametrize("shape", [WITH_HEIGHTS, COLLAPSING, INSIDE_OUT, LINE])
@pytest.mark.parametrize("grid", ["WebMercatorQuad", "WorldCRS84Quad"])
def test_it_is_drawn(client: FlaskClient, layer: Layer, shape: str, grid: str) -> None:
    tiles = f"/ogc/collections/{layer([(shape, {})])}/tiles/{grid}"
    for place in ("0/0/0", "1/0/1", "5/0/16", "5/0/19", "5/15/20"):
        assert client.get(f"{tiles}/{place}").status_code in {200, 204}, place


def test_a_line_with_heights_is_cut(client: FlaskClient, layer: Layer) -> None:
    items = f"/ogc/collections/{layer([(LINE, {})])}/items"
    response = client.get(items, query_string={"crs": "EPSG:3857"})
    assert response.status_code == 200, response.text
    assert response.json["features"][0]["geometry"]["coordinates"]
