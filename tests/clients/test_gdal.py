"""GDAL's OGC API driver reads what was imported, anonymously and with a token."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients import plan_layers
from tests.clients.gdal_programs import Commands, Wheel, basic_credentials
from tests.clients.samsyn_server import Server

PAGE_SIZE = 100


@pytest.fixture(scope="module", params=["wheel", "this machine's", "Debian 13's"])
def gdal(request: pytest.FixtureRequest) -> Wheel | Commands:
    """One GDAL after the other."""
    if request.param == "wheel":
        return Wheel()
    if request.param == "Debian 13's":
        return Commands(request.getfixturevalue("trixie_root"))
    if shutil.which("ogr2ogr") is None:
        pytest.skip("ogr2ogr is not installed (apt-get install gdal-bin)")
    return Commands()


def test_lists_public_layers_only(
    gdal: Wheel | Commands, server: Server, areas: str, moorings: str
) -> None:
    listed = gdal.list_layers(server.ogc)
    assert areas in listed
    assert moorings not in listed


def test_reads_a_whole_layer_page_by_page(
    gdal: Wheel | Commands, server: Server, areas: str
) -> None:
    before = len(server.requests())
    found = gdal.read(server.ogc, areas, page_size=PAGE_SIZE)
    plan_layers.assert_same(found, plan_layers.AREAS)
    pages = [r for r in server.requests()[before:] if f"/{areas}/items?" in r]
    assert len(pages) >= len(plan_layers.AREAS) / PAGE_SIZE


def test_reads_one_collection_by_its_address(
    gdal: Wheel | Commands, server: Server, areas: str
) -> None:
    address = f"{server.ogc}/collections/{areas}"
    assert gdal.list_layers(address) == [areas]
    found = gdal.read(address, areas, page_size=1000)
    plan_layers.assert_same(found, plan_layers.AREAS)


def test_reads_quotes_and_backslashes(gdal: Wheel | Commands, server: Server, quotes: str) -> None:
    plan_layers.assert_same(gdal.read(server.ogc, quotes, page_size=100), plan_layers.QUOTES)


def test_filters_by_bbox_on_the_server(gdal: Wheel | Commands, server: Server, areas: str) -> None:
    before = len(server.requests())
    found = gdal.read(server.ogc, areas, page_size=PAGE_SIZE, bbox=plan_layers.KATTEGAT)
    plan_layers.assert_same(found, plan_layers.within(plan_layers.AREAS, plan_layers.KATTEGAT))
    assert any("bbox=" in r for r in server.requests()[before:])


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("name = 'Område 77'", lambda p: p["name"] == "Område 77"),
        ("number >= 600 AND number <= 750", lambda p: 600 <= p["number"] <= 750),
        ("name LIKE 'Område 7%' OR number = 3",
         lambda p: p["name"].startswith("Område 7") or p["number"] == 3),
        ("name ILIKE 'OMRÅDE 12_'", lambda p: p["name"].startswith("Område 12") and
         len(p["name"]) == len("Område 12_")),
        ("depth IS NULL AND NOT number > 300",
         lambda p: p["depth"] is None and not p["number"] > 300),
    ],
)  # fmt: skip
def test_filters_by_attributes_on_the_server(
    gdal: Wheel | Commands,
    server: Server,
    areas: str,
    where: str,
    holds: Callable[[dict[str, Any]], bool],
) -> None:
    before = len(server.requests())
    found = gdal.read(server.ogc, areas, page_size=PAGE_SIZE, where=where)
    plan_layers.assert_same(found, [f for f in plan_layers.AREAS if holds(f.properties)])
    read = [r for r in server.requests()[before:] if "filter-lang=cql-text" in r]
    assert read, "the filter is sent to the server"


def test_reads_a_private_layer_with_basic_credentials(
    gdal: Wheel | Commands, server: Server, moorings: str, token: str
) -> None:
    signed = basic_credentials(token)
    assert moorings in gdal.list_layers(server.ogc, signed)
    found = gdal.read(server.ogc, moorings, page_size=40, configuration=signed)
    plan_layers.assert_same(found, plan_layers.MOORINGS)


@pytest.mark.parametrize("gdal", ["wheel", "Debian 13's"], indirect=True)
def test_reads_a_private_layer_with_a_bearer_token(
    gdal: Wheel | Commands, server: Server, moorings: str, token: str
) -> None:
    """GDAL 3.9 was the first to know GDAL_HTTP_BEARER."""
    signed = {"GDAL_HTTP_AUTH": "BEARER", "GDAL_HTTP_BEARER": token}
    assert moorings in gdal.list_layers(server.ogc, signed)
    found = gdal.read(server.ogc, moorings, page_size=40, configuration=signed)
    plan_layers.assert_same(found, plan_layers.MOORINGS)
