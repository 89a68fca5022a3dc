"""What the web frontend's pages show of other servers: fishing effort of Global Fishing Watch."""

import itertools
import re
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.action_chains import ActionChains

from tests.api.outgoing.remote_server import Remote
from tests.clients import fishing_watch
from tests.clients import frontend_pages as ui
from tests.clients.frontend.conftest import Services
from tests.clients.frontend.plans import Plan
from tests.clients.frontend_session import Person, Visitor
from tests.clients.samsyn_server import Server

_POPUP = ".maplibregl-popup-content"
_STATUS = re.compile(r'"GET /api/v1/gfw/\S+ HTTP/1.1" (\d+)')
_WOBBLE = itertools.cycle((3, 4))
"""A pointer that stays where it is moves nothing."""
_ASKED = re.compile(
    r"GET /v3/4wings/tile/heatmap/\d+/\d+/\d+\?format=MVT&interval=(YEAR|MONTH)"
    r"&datasets%5B0%5D=public-global-fishing-effort%3Alatest"
    r"&date-range=\d{4}-\d\d-\d\d%2C\d{4}-\d\d-\d\d HTTP/1.1"
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Remote]:
    """The stand-in for Global Fishing Watch."""
    with fishing_watch.fishing_watch() as running:
        yield running


@pytest.fixture(scope="module")
def services(gateway: Remote) -> Services:
    return Services(
        {
            "OUTGOING_ALLOW": gateway.server,
            "GFW_API_URL": gateway.url,
            "GFW_API_TOKEN": fishing_watch.TOKEN,
        }
    )


def refused(person: Person) -> list[tuple[str, str, int]]:
    """Return what was refused since this was last asked."""
    failures = person.failures()
    person.answers.clear()
    return failures


def test_fishing_effort(visitor: Visitor, server: Server, gateway: Remote) -> None:
    """It is drawn from tiles, tells its hours, and the gateway is asked with our token alone."""
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
