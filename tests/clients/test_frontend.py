"""The public web frontend, its code untouched, works on this server: a plan is made in it."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from tests.clerk_instance import ISSUER, public_pem
from tests.clients.frontend_build import built_frontend
from tests.clients.frontend_server import FrontendServer, serving_pages, token_of
from tests.clients.frontend_session import Person, chromium
from tests.clients.gdal_programs import Wheel
from tests.clients.samsyn_server import Server, migrated_database, serve

CORNERS = ((-200, -150), (0, -150), (0, 50), (-200, 50))
"""Where the zone is drawn, in pixels from the middle of the map."""

_FEATURE_NAME = "input[placeholder^='Feature name']"

Visitor = Callable[[str | None], Person]


@pytest.fixture(scope="module")
def pages(request: pytest.FixtureRequest) -> Iterator[FrontendServer]:
    """The built frontend on an origin of its own."""
    shared = None if os.environ.get("SAMSYN_FRONTEND") else request.getfixturevalue("shared")
    with serving_pages(built_frontend(shared)) as serving:
        yield serving


@pytest.fixture(scope="module")
def server(
    pages: FrontendServer, server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that knows the frontend's origin and the key that signs its sessions."""
    log = tmp_path_factory.mktemp("server") / "log"
    known = {
        "FRONTEND_URL": pages.url,
        "CLERK_JWT_KEY": public_pem(),
        "CLERK_ISSUER": ISSUER,
    }
    with migrated_database(server_url) as database, serve(database, log, **known) as running:
        pages.api = running.url
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    with chromium(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="module")
def visitor(
    pages: FrontendServer,
    server: Server,
    browser: WebDriver,
    tmp_path_factory: pytest.TempPathFactory,
) -> Visitor:
    """Somebody who opens the frontend, signed in or not."""
    shots = tmp_path_factory.mktemp("screenshots")

    def comes(name: str | None) -> Person:
        person = Person(browser, pages.url, server.url, shots)
        person.comes(name)
        return person

    return comes


def test_a_plan(visitor: Visitor, server: Server) -> None:
    """One story, told by those who live it: each step needs the one before."""
    visitor("berit")  # a user from here on: she can be invited
    _administrator_fills_the_library(visitor("admin"))
    anna = visitor("anna")
    _map_is_created(anna)
    _zone_is_drawn(anna)
    layer_id = _zone_is_a_collection(server)
    _library_layers_are_added(anna)
    _layers_are_arranged(anna)
    _zone_is_changed_elsewhere(anna, server, layer_id)
    _zone_is_saved_again(anna, server, layer_id)
    _plan_is_discussed(anna)
    assert anna.failures() == []
    _collaborator_sees_the_plan(visitor("berit"))
    for stranger in ("carl", None):
        _others_see_nothing(visitor(stranger))


def _administrator_fills_the_library(admin: Person) -> None:
    admin.clicks("Admin")
    admin.clicks("Library Layers")
    admin.clicks("WMS")
    admin.clicks("//button[contains(., 'Sea charts')]")
    admin.clicks("//button[contains(., 'Depth')]")
    _describes(admin, author="Chart office")
    admin.clicks("GeoTIFF")
    admin.writes("#geotiffUrl", "https://data.example.org/noise.tif")
    admin.writes("#name", "Noise")
    admin.writes("#description", "Underwater noise")
    _describes(admin, author="Laboratory")
    admin.until(lambda: admin.sees("Noise") and admin.sees("Depth"))
    admin.shows("library")
    assert admin.failures() == []


def _describes(admin: Person, author: str) -> None:
    admin.writes("#author", author)
    _chooses_new_category(admin, "Charts")
    admin.clicks("Add to Library")
    admin.until(lambda: not admin.sees("Add to Library"))
    admin.settles()


def _chooses_new_category(person: Person, name: str) -> None:
    person.clicks("//label[contains(., 'Category')]/following-sibling::button")
    person.clicks("(//*[@role='option'])[last()]")
    person.writes("#newCategory", name + Keys.ENTER)


def _map_is_created(anna: Person) -> None:
    anna.clicks("Maps")
    anna.clicks("Create New Map")
    anna.writes("#map-name", "Kattegat plan")
    anna.writes("#map-description", "Wind and fishing")
    anna.clicks("(//*[@role='dialog']//button[@role='combobox'])[1]")
    anna.clicks("//*[@role='option'][contains(., 'Collaborators')]")
    anna.writes("#collaborator-email", "berit@example.org" + Keys.ENTER)
    anna.clicks("Create Map")
    anna.until(lambda: anna.sees("Map Created Successfully"))
    anna.shows("map")
    anna.clicks("Add Layers Now")
    anna.until(lambda: not anna.sees("Map Created Successfully"))


def _zone_is_drawn(anna: Person) -> None:
    anna.clicks("Create Layer")
    anna.writes("#layer-name", "Wind site")
    anna.writes("#layer-description", "North of the cables")
    _chooses_new_category(anna, "Wind")
    anna.clicks("Polygon")
    anna.draws(*CORNERS)
    anna.writes(_FEATURE_NAME, "Site A")
    anna.shows("drawing")
    anna.clicks("Create Layer")
    anna.until(lambda: anna.sees("Layer added to map"))
    anna.settles()


def _zone_is_a_collection(server: Server) -> str:
    """GDAL reads what was drawn, with the token of the browser; nobody else does."""
    (plan,) = _maps(server)
    (placed,) = plan["map_layers"]
    layer_id = str(placed["layer_id"])
    (drawn,) = placed["layer"]["source_config"]["geojson"]["features"]
    bearer = {"GDAL_HTTP_BEARER": token_of("anna"), "GDAL_HTTP_AUTH": "BEARER"}
    assert layer_id in Wheel().list_layers(server.ogc, bearer)
    public = requests.get(f"{server.ogc}/collections", timeout=10).json()["collections"]
    assert layer_id not in [collection["id"] for collection in public]
    (read,) = Wheel().read(server.ogc, layer_id, page_size=10, configuration=bearer)
    (ring,) = drawn["geometry"]["coordinates"]
    assert len(ring) == len(CORNERS) + 1
    assert [list(map(float, xy)) for xy in read.geometry.exterior.coords] == ring
    assert read.properties["name"] == drawn["properties"]["name"] == "Site A"
    return layer_id


def _maps(server: Server, user: str = "anna") -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token_of(user)}"}
    answer = requests.get(f"{server.url}/api/v1/maps", headers=headers, timeout=10)
    return list(answer.json())


def _library_layers_are_added(anna: Person) -> None:
    anna.reloads()
    for name in ("Noise", "Depth"):
        anna.clicks("Add from Library")
        anna.clicks(
            f"//h3[normalize-space()='{name}']/ancestor::div[3]//button[normalize-space()='Add']"
        )
        anna.until(lambda name=name: name in _layer_names(anna))
        anna.settles()
    anna.reloads()
    assert _layer_names(anna) == ["Wind site", "Noise", "Depth"]


def _layer_names(person: Person) -> list[str]:
    rows = person.browser.find_elements("css selector", "[role=application] h3")
    return [row.text for row in rows]


def _row(name: str) -> str:
    return f"//*[@role='application'][contains(@aria-label, '{name}')]"


def _layers_are_arranged(anna: Person) -> None:
    anna.drags(_row("Depth"), onto=_row("Wind site"))
    assert _layer_names(anna) == ["Depth", "Wind site", "Noise"]
    anna.clicks(f"{_row('Noise')}//button[1]")
    # The page sends a request for each step and waits for none of them.
    for _ in range(5):
        anna.find(f"{_row('Wind site')}//*[@role='slider']").send_keys(Keys.ARROW_LEFT)
        anna.settles()
    anna.reloads()
    assert _layer_names(anna) == ["Depth", "Wind site", "Noise"]
    assert "65%" in anna.find(_row("Wind site")).text
    assert anna.find(f"{_row('Noise')}//button[1]//*[contains(@class, 'eye-off')]")
    anna.shows("arranged")


def _zone_is_changed_elsewhere(anna: Person, server: Server, layer_id: str) -> None:
    """Another client changes the zone; after a reload the frontend has it."""
    headers = {"Authorization": f"Bearer {token_of('anna')}"}
    path = f"{server.url}/api/v1/layers/{layer_id}/features"
    (feature,) = requests.get(path, headers=headers, timeout=10).json()["features"]
    change = {"properties": {"name": "Site B", "capacity": 950}}
    answer = requests.patch(f"{path}/{feature['id']}", json=change, headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text
    anna.reloads()
    anna.clicks(f"{_row('Wind site')}//button[@title='Edit layer']")
    anna.until(lambda: anna.find(_FEATURE_NAME).get_attribute("value") == "Site B")
    anna.shows("changed")


def _zone_is_saved_again(anna: Person, server: Server, layer_id: str) -> None:
    """What the frontend does not know of a feature stays, and so does the feature's id."""
    headers = {"Authorization": f"Bearer {token_of('anna')}"}
    path = f"{server.url}/api/v1/layers/{layer_id}/features"
    (before,) = requests.get(path, headers=headers, timeout=10).json()["features"]
    anna.writes(_FEATURE_NAME, "Site C")
    anna.clicks("Save Changes")
    anna.until(lambda: anna.sees("Layer updated"))
    anna.settles()
    (after,) = requests.get(path, headers=headers, timeout=10).json()["features"]
    assert after["id"] == before["id"]
    assert after["geometry"] == before["geometry"]
    assert after["properties"]["name"] == "Site C"
    assert after["properties"]["capacity"] == 950


def _plan_is_discussed(anna: Person) -> None:
    anna.clicks("Comments")
    anna.writes("textarea[placeholder='Add a comment...']", "Too close to the cables?")
    anna.clicks("Post Comment")
    anna.until(lambda: anna.sees("Comment added"))
    anna.clicks("//button[starts-with(normalize-space(), 'Reply')]")
    anna.writes("textarea[placeholder='Write your reply...']", "500 m are kept.")
    anna.clicks("Post Reply")
    anna.until(lambda: anna.sees("500 m are kept.") and not anna.sees("Replying to"))
    anna.settles()
    anna.clicks("(//button[contains(@class, 'hover:text-green-600')])[1]")
    anna.until(lambda: anna.sees("Resolved"))
    anna.reloads()
    anna.clicks("Comments")
    anna.until(lambda: anna.sees("Resolved") and anna.sees("500 m are kept."))
    anna.shows("comments")


def _collaborator_sees_the_plan(berit: Person) -> None:
    assert berit.sees("Kattegat plan")
    assert berit.sees("Editor")
    assert _layer_names(berit) == ["Depth", "Wind site", "Noise"]
    berit.shows("collaborator")
    assert berit.failures() == []


def _others_see_nothing(person: Person) -> None:
    assert person.sees("No maps available")
    assert not person.sees("Kattegat plan")
    if person.sees("anna"):
        pytest.fail("the map's owner is shown to whoever may not see the map")
    assert person.failures() == []
