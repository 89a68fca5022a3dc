"""Tiles of shapes of many vertices, which ST_Simplify alone would take minutes over."""

import math
import time
from collections.abc import Callable

import pytest
import shapely
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.ogc.tiles.decoding import decode, in_units, shape

Layer = Callable[..., str]
_POINTS = 160_000


def _star(points: int) -> str:
    """Return the WKT of a star around 11, 56, whose edges are long at any zoom."""
    corners = [
        (
            11 + (4 if number % 2 else 2) * math.cos(math.tau * number / points),
            56 + (2 if number % 2 else 1) * math.sin(math.tau * number / points),
        )
        for number in range(points)
    ]
    return str(shapely.to_wkt(shapely.Polygon(corners), rounding_precision=8))


# the first two have all of it, the others a part of its inside and its points
@pytest.mark.parametrize("place", [(0, 0, 0), (2, 1, 2), (5, 9, 16), (7, 39, 67), (9, 157, 271)])
def test_a_star(empty_database: Engine, layer: Layer, place: tuple[int, int, int]) -> None:
    layer_id = layer([(_star(_POINTS), {"n": 1})])
    settings = Settings(_env_file=None, anonymous_statement_timeout=60)
    client = create_app(settings, empty_database).test_client()
    level, row, col = place
    start = time.monotonic()
    response = client.get(f"/ogc/collections/{layer_id}/tiles/WebMercatorQuad/{level}/{row}/{col}")
    assert (response.status_code, time.monotonic() - start < 45) == (200, True)
    [feature] = decode(response.data)[layer_id]
    drawn = shapely.make_valid(shape(feature))
    middle = in_units(
        shapely.box(9.5, 55.3, 12.5, 56.7).intersection(shapely.Point(11, 56).buffer(0.9)),
        level,
        row,
        col,
    )
    seen = middle.intersection(shapely.box(0, 0, 4096, 4096))
    assert shapely.area(seen.difference(drawn)) <= 0.02 * shapely.area(seen) + 20
