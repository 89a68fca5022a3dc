"""What the web frontend's pages show of other servers: a WMS, a GeoTIFF, fishing effort."""

import itertools
import re
import warnings

import numpy
import pytest
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from selenium.webdriver.common.action_chains import ActionChains

from tests.clients import fishing_watch
from tests.clients import frontend_library as library
from tests.clients import frontend_pages as ui
from tests.clients.frontend.plans import Plan
from tests.clients.frontend.services import OtherServers, Services
from tests.clients.frontend_session import Person, Visitor
from tests.clients.samsyn_server import Server

HABITAT = (0, 160, 120)
"""The colour of the WMS layer, and those of the least and the greatest depth in Viridis."""
SHALLOW, DEEP = (68, 1, 84), (253, 231, 37)
_GROUND, _OPACITY = (249, 250, 252), 0.7
_POPUP = ".maplibregl-popup-content"
_ASKED = re.compile(
    r"GET /v3/4wings/tile/heatmap/\d+/\d+/\d+\?format=MVT&interval=(YEAR|MONTH)"
    r"&datasets%5B0%5D=public-global-fishing-effort%3Alatest"
    r"&date-range=\d{4}-\d\d-\d\d%2C\d{4}-\d\d-\d\d HTTP/1.1"
)
_STATUS = re.compile(r'"GET /api/v1/gfw/\S+ HTTP/1.1" (\d+)')
_WOBBLE = itertools.cycle((3, 4))
"""A pointer that stays where it is moves nothing."""


@pytest.fixture(scope="module")
def services(others: OtherServers) -> Services:
    return others.services


def refused(person: Person) -> list[tuple[str, str, int]]:
    """Return what was refused since this was last asked."""
    failures = person.failures()
    person.answers.clear()
    return failures


def shown_share(person: Person, colour: tuple[int, int, int]) -> float:
    """Return the share of the map that has this colour, or nearly, as layers do to begin with: the
    ground shines through."""
    canvas = person.find("canvas.maplibregl-canvas")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(canvas.screenshot_as_png) as file, file.open() as picture:
            bands = picture.read([1, 2, 3]).astype(int)
    shades = zip(colour, _GROUND, strict=True)
    mixed = [_OPACITY * value + (1 - _OPACITY) * ground for value, ground in shades]
    differences = [abs(band - value) for band, value in zip(bands, mixed, strict=True)]
    return float((numpy.maximum.reduce(differences) <= 24).mean())


def popup_after_click(person: Person, place: tuple[int, int], text: str) -> str:
    """Click on the map until a popup has this text; return all of it."""
    person.points_at(place)

    def matching() -> str:
        popups = person.browser.find_elements("css selector", _POPUP)
        return next((popup.text for popup in popups if text in popup.text), "")

    return str(person.until(matching))


def test_a_wms(visitor: Visitor, server: Server, others: OtherServers) -> None:
    """It is added, browsed, drawn, and answers a click, also of those who are not signed in."""
    admin = visitor("admin")
    library.add_wms_server(admin, "Sea charts", others.wms.url)
    browsed = library.browse_wms_server(admin, "habitat")
    assert "Habitats of the sea" in browsed
    assert "Queryable" in browsed
    assert "Stations" not in browsed
    admin.clicks("Library Layers")
    library.add_wms_layer(admin, "Sea charts", "Habitats of the sea")
    library.add_wms_layer(admin, "Sea charts", "Stations")
    admin.until(lambda: admin.sees("Habitats of the sea") and admin.sees("Stations"))
    admin.shows("wms-library")
    assert refused(admin) == []
    Plan(server, "anna", name="Charts", view_permission="public", zoom=6)
    anna = visitor("anna")
    ui.add_from_library(anna, "Habitats of the sea")
    anna.until(lambda: shown_share(anna, HABITAT) > 0.02)
    popup = popup_after_click(anna, (92, 0), "Mussel bank")
    assert "Mytilus" in popup
    anna.shows("wms-click")
    assert refused(anna) == []
    assert anna.violations() == []
    nobody = visitor(None)
    nobody.until(lambda: shown_share(nobody, HABITAT) > 0.02)
    popup = popup_after_click(nobody, (0, 155), "Zostera")
    assert "Eelgrass <b>meadow</b> & more" in popup, "a text of the WMS is taken for HTML"
    nobody.shows("wms-click-of-nobody")
    assert refused(nobody) == []
    images = [query for query in others.wms.requests if "REQUEST=GetMap" in query]
    assert all("LAYERS=habitats" in query for query in images)


def test_a_geotiff(visitor: Visitor, server: Server, others: OtherServers) -> None:
    """Its form has statistics and a preview; its tiles have the colormap and the range chosen."""
    admin = visitor("admin")
    library.open_library(admin)
    told = library.add_geotiff(admin, "Depths", f"{others.files.url}/depths.tif", "Viridis")
    for text in ("1024 x 1024 px", "float32", "-9999", "[9.0000, 55.0000, 13.0000, 59.0000]"):
        assert text in told
    assert "rescale: 4 to 197" in told, "the 2nd and 98th percentile"
    assert refused(admin) == []
    Plan(server, "carl", name="Depth plan", view_permission="public", zoom=6)
    carl = visitor("carl")
    ui.add_from_library(carl, "Depths")
    carl.until(lambda: shown_share(carl, SHALLOW) > 0.001 and shown_share(carl, DEEP) > 0.001)
    carl.shows("geotiff")
    assert refused(carl) == []
    assert carl.violations() == []
    nobody = visitor(None)
    nobody.until(lambda: shown_share(nobody, DEEP) > 0.001)
    assert refused(nobody) == []
    ranges = [wanted for _, wanted in others.files.requests]
    assert None not in ranges, "the whole file was read"


def test_fishing_effort(visitor: Visitor, server: Server, others: OtherServers) -> None:
    """It is drawn from tiles, tells its hours, and the gateway is asked with our token alone."""
    gateway = others.gateway
    Plan(server, "berit", name="Fishing", view_permission="public", zoom=5)
    berit = visitor("berit")
    ui.add_from_library(berit, "Global Fishing Effort")
    berit.reloads()
    berit.until(lambda: _hours(berit))
    berit.shows("fishing")
    berit.clicks("[role=switch]")  # a year instead of a month
    berit.until(lambda: any("=2024-01-01%2C2024-12-31" in head for head in gateway.requests))
    berit.until(lambda: _hours(berit))
    assert refused(berit) == []
    assert berit.violations() == []
    asked = [head.split("\r\n")[0] for head in gateway.requests]
    assert asked
    assert all(_ASKED.fullmatch(line) for line in asked), asked
    assert len(set(asked)) == len(asked)
    before = len(asked)
    nobody = visitor(None)
    nobody.until(lambda: _hours(nobody))
    assert refused(nobody) == []
    assert len(gateway.requests) == before
    log = server.log.read_text()
    assert fishing_watch.TOKEN not in log
    # vector tiles are asked for by a thread of the page, whose requests the browser does not tell
    assert set(_STATUS.findall(log)) == {"200"}


def _hours(person: Person) -> bool:
    """Point at the middle of the map; return whether a popup tells what is there."""
    canvas = person.find("canvas.maplibregl-canvas")
    ActionChains(person.browser).move_to_element_with_offset(canvas, 5, 5).move_by_offset(
        next(_WOBBLE), 3
    ).perform()
    popups = person.browser.find_elements("css selector", _POPUP)
    return any("fishing hours" in popup.text for popup in popups)
