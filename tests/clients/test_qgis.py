"""QGIS 3.40 without a screen reads what was imported, anonymously and with a token."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
import shapely

from tests.clients import plan_layers
from tests.clients.qgis_session import Qgis
from tests.clients.samsyn_server import Server

FIELDS = {
    "number": "qlonglong",
    "permit": "qlonglong",
    "name": "QString",
    "remark": "QString",
    "depth": "double",
    "protected": "bool",
    "designated": "QDate",
    "surveyed": "QDateTime",
}


def features(layer: dict[str, Any]) -> list[plan_layers.Feature]:
    """Return a layer's features as QGIS gave them."""
    assert layer["valid"], layer
    found = []
    for feature in layer["features"]:
        properties = feature["properties"]
        for name, parse in (("designated", date), ("surveyed", datetime)):
            if properties[name] is not None:
                properties[name] = parse.fromisoformat(properties[name])
        geometry = feature["geometry"] and shapely.from_wkb(feature["geometry"])
        found.append(plan_layers.Feature(geometry, properties))
    return found


def fields(qgis: Qgis, layer: dict[str, Any]) -> dict[str, str]:
    """Return the types of a layer's fields; without a schema a small number is a short one."""
    types = {name: layer["fields"].get(name) for name in FIELDS}
    if not qgis.reads_schemas and types["number"] == "int":
        types["number"] = "qlonglong"
    return types


def listed(items: list[dict[str, str]]) -> dict[str, str]:
    """Return the collections in a connection of QGIS's browser: id -> title."""
    return {item["collection"]: item["name"] for item in items}


def test_lists_public_layers_only(qgis: Qgis, server: Server, areas: str, moorings: str) -> None:
    found = listed(qgis.do("browse", url=server.ogc))
    assert found[areas] == "Områden"
    assert moorings not in found


def test_lists_private_layers_with_a_token(
    qgis: Qgis, server: Server, areas: str, moorings: str, token: str
) -> None:
    found = listed(qgis.do("browse", url=server.ogc, token=token))
    assert found[areas] == "Områden"
    assert found[moorings] == "Förtöjningar"


def test_reads_a_whole_layer_page_by_page(qgis: Qgis, server: Server, areas: str) -> None:
    before = len(server.requests())
    layer = qgis.do("read", url=server.ogc, collection=areas, page_size=250)
    plan_layers.assert_same(features(layer), plan_layers.AREAS)
    assert layer["feature_count"] == len(plan_layers.AREAS)
    assert fields(qgis, layer) == FIELDS
    assert layer["geometry_type"] == "MultiPolygon"
    assert layer["crs"] in ("OGC:CRS84", "EPSG:4326")
    pages = [r for r in server.requests()[before:] if f"/{areas}/items?" in r]
    assert len(pages) >= 5


def test_reads_quotes_and_backslashes(qgis: Qgis, server: Server, quotes: str) -> None:
    r"""QGIS misreads JSON that escapes these characters by a backslash: they must come as \u0022.

    3.40 turns a quotation mark into a backslash; 3.44 drops spaces from every text after one that
    ends in a backslash (https://github.com/qgis/QGIS/issues/66700).
    """
    layer = qgis.do("read", url=server.ogc, collection=quotes)
    plan_layers.assert_same(features(layer), plan_layers.QUOTES)


def test_knows_the_extent(qgis: Qgis, server: Server, areas: str) -> None:
    layer = qgis.do("read", url=server.ogc, collection=areas, bbox=(0, 0, 1, 1))
    geometries = [f.geometry for f in plan_layers.AREAS]
    assert layer["extent"] == pytest.approx(shapely.total_bounds(geometries), abs=1e-7)


def test_filters_by_bbox_on_the_server(qgis: Qgis, server: Server, areas: str) -> None:
    before = len(server.requests())
    layer = qgis.do(
        "read",
        url=server.ogc,
        collection=areas,
        page_size=50,
        only_in_view=True,
        bbox=plan_layers.KATTEGAT,
    )
    expected = plan_layers.within(plan_layers.AREAS, plan_layers.KATTEGAT)
    plan_layers.assert_same(features(layer), expected)
    assert any("bbox=" in r for r in server.requests()[before:])


@pytest.mark.parametrize("way", ["filter", "where"])
@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('"number" > 1200 AND "protected" = true',
         lambda p: p["number"] > 1200 and p["protected"]),
        ('"name" LIKE \'Område 7%\'', lambda p: p["name"].startswith("Område 7")),
        ('"number" IN (3, 5, 8) OR "name" = \'Område 77\'',
         lambda p: p["number"] in {3, 5, 8} or p["name"] == "Område 77"),
        ('"depth" IS NULL AND "number" BETWEEN 100 AND 400',
         lambda p: p["depth"] is None and 100 <= p["number"] <= 400),
        ('"designated" >= \'1997-01-01\' AND "surveyed" < \'2020-12-01T00:00:00Z\'',
         lambda p: p["designated"] is not None and p["designated"] >= date(1997, 1, 1)
         and p["surveyed"] is not None and p["surveyed"] < datetime(2020, 12, 1, tzinfo=UTC)),
        ('"designated" BETWEEN \'1996-01-01\' AND \'1996-06-01\'',
         lambda p: p["designated"] is not None
         and date(1996, 1, 1) <= p["designated"] <= date(1996, 6, 1)),
        ('"designated" IN (\'1996-01-02\', \'1996-01-03\')',
         lambda p: p["designated"] in {date(1996, 1, 2), date(1996, 1, 3)}),
    ],
)  # fmt: skip
def test_filters_by_attributes_on_the_server(
    qgis: Qgis,
    server: Server,
    areas: str,
    *,
    condition: str,
    holds: Callable[[dict[str, Any]], bool],
    way: str,
) -> None:
    before = len(server.requests())
    layer = qgis.do("read", url=server.ogc, collection=areas, **{way: condition})
    expected = {f.properties["number"] for f in plan_layers.AREAS if holds(f.properties)}
    assert expected
    assert {f.properties["number"] for f in features(layer)} == expected
    read = [r for r in server.requests()[before:] if f"/{areas}/items?" in r and "filter=" in r]
    assert read, "the filter is sent to the server"


def test_knows_the_fields_of_an_empty_layer(qgis: Qgis, server: Server, empty_layer: str) -> None:
    before = len(server.requests())
    layer = qgis.do("read", url=server.ogc, collection=empty_layer)
    requested = [r for r in server.requests()[before:] if f"/{empty_layer}/schema" in r]
    assert bool(requested) == qgis.reads_schemas
    assert features(layer) == []
    assert layer["feature_count"] == 0
    if qgis.reads_schemas:
        assert fields(qgis, layer) == FIELDS
        assert layer["geometry_type"] == "Polygon"


@pytest.mark.parametrize("way", ["basic", "API header", "user and password"])
def test_reads_a_private_layer_with_a_token(
    qgis: Qgis, server: Server, moorings: str, token: str, way: str
) -> None:
    layer = qgis.do(
        "read",
        url=server.ogc,
        collection=moorings,
        page_size=40,
        token=token,
        credentials=way,
    )
    plan_layers.assert_same(features(layer), plan_layers.MOORINGS)


@pytest.mark.parametrize("given", [None, "not a token"])
def test_refuses_a_private_layer_without_a_token(
    qgis: Qgis, server: Server, moorings: str, given: str | None
) -> None:
    layer = qgis.do(
        "read", url=server.ogc, collection=moorings, token=given, credentials="user and password"
    )
    assert not layer["valid"]
