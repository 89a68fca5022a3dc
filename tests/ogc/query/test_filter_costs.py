"""What a filter may cost: comparisons one by one are few, the others are prepared."""

import math
from collections.abc import Callable
from urllib.parse import quote

import pytest
import shapely
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_provider.features import filter_costs

Layer = Callable[..., str]


def _star(points: int, radius: float = 9.0) -> str:
    """Return the WKT of a star around 10, 55."""
    corners = [
        (
            10 + radius * (1 if number % 2 else 0.5) * math.cos(math.tau * number / points),
            55 + radius * (1 if number % 2 else 0.5) * math.sin(math.tau * number / points),
        )
        for number in range(points)
    ]
    return str(shapely.to_wkt(shapely.Polygon(corners), rounding_precision=6))


@pytest.fixture
def squares(layer: Layer) -> str:
    """A layer of a grid of squares."""
    return layer(
        [
            (shapely.box(x, y, x + 0.5, y + 0.5).wkt, {"n": 1})
            for x in range(-5, 25)
            for y in range(40, 70)
        ]
    )


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> int:
    """A bound that a star of 100 corners exceeds with the squares on its edge, and one of 8 with
    all squares would."""
    monkeypatch.setattr(filter_costs, "MAX_COMPARED_VERTICES", 5_000)
    return 5_000


def _items(client: FlaskClient, layer_id: str, condition: str, **more: str) -> tuple[int, str]:
    parameters = "".join(f"&{name}={value}" for name, value in more.items())
    response = client.get(
        f"/ogc/collections/{layer_id}/items?filter={quote(condition)}{parameters}"
    )
    return response.status_code, response.get_data(as_text=True)


@pytest.mark.parametrize("function", ["S_TOUCHES", "S_OVERLAPS", "S_CROSSES"])
def test_comparisons_one_by_one_are_bounded(
    client: FlaskClient, squares: str, bound: int, function: str
) -> None:
    status, body = _items(client, squares, f"{function}(geometry, {_star(100)})")
    assert (status, function in body, f"{bound:,}" in body) == (400, True, True)
    refused_tile = client.get(
        f"/ogc/collections/{squares}/tiles/WebMercatorQuad/3/2/4"
        f"?filter={quote(f'{function}(geometry, {_star(100)})')}"
    )
    assert refused_tile.status_code == 400
    csv, _ = _items(client, squares, f"NOT {function}(geometry, {_star(100)})", f="csv")
    page, body = _items(client, squares, f"{function}({_star(100)}, geometry)", f="html")
    assert (csv, page, function in body) == (400, 400, True)


@pytest.mark.parametrize(
    ("condition", "box"),
    [
        (f"S_INTERSECTS(geometry, {_star(100)})", ""),
        (f"S_WITHIN(geometry, {_star(100)})", ""),
        (f"S_DISJOINT(geometry, {_star(100)})", ""),
        (f"S_OVERLAPS(geometry, {_star(8)})", ""),  # most squares are not on its edge
        (f"S_OVERLAPS(geometry, {_star(100)})", "10,55,12,57"),
    ],
)
def test_what_is_prepared_or_few_is_evaluated(
    client: FlaskClient, squares: str, bound: int, condition: str, box: str
) -> None:
    status, _ = _items(client, squares, condition, **({"bbox": box} if box else {}))
    assert (status, bound) == (200, 5_000)


def test_distances_are_bounded_by_what_is_near(
    client: FlaskClient, squares: str, bound: int
) -> None:
    assert _items(client, squares, f"DISTANCE(geometry, {_star(8)}) > {bound}")[0] == 400
    near = f"S_DWITHIN(geometry, {_star(8, radius=0.5)}, 1000)"
    assert _items(client, squares, near)[0] == 200


@pytest.mark.parametrize(
    "place",
    [_star(40), "LINESTRING(1 50, 12 58, 14.25 58.25)", "POINT(10.5 55.5)", "POINT(10.25 55.25)"],
)
@pytest.mark.parametrize("relation", ["touches", "overlaps", "crosses", "contains", "within"])
@pytest.mark.parametrize("is_swapped", [False, True])
def test_candidates_change_no_result(  # noqa: PLR0917
    client: FlaskClient,
    empty_database: Engine,
    squares: str,
    place: str,
    relation: str,
    is_swapped: bool,
) -> None:
    arguments, sql = ("geometry", place), ["geom", "ST_GeomFromText(:place, 4326)"]
    if is_swapped:
        arguments, sql = arguments[::-1], sql[::-1]
    with empty_database.connect() as connection:
        expected = connection.execute(
            text(f"SELECT count(*) FROM layer_features WHERE ST_{relation}({', '.join(sql)})"),
            {"place": place},
        ).scalar_one()
    condition = f"S_{relation.upper()}({', '.join(arguments)})"
    response = client.get(
        f"/ogc/collections/{squares}/items?resulttype=hits&filter={quote(condition)}"
    )
    assert response.get_json()["numberMatched"] == expected
