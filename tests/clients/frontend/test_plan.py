"""The public web frontend's pages, as they were built, work on this server: a plan is made."""

from typing import Any

import pytest
import requests
from selenium.webdriver.common.keys import Keys

from tests.clients import frontend_library as library
from tests.clients import frontend_pages as ui
from tests.clients.frontend.services import OtherServers, Services
from tests.clients.frontend_server import token_of
from tests.clients.frontend_session import Person, Visitor
from tests.clients.gdal_programs import Wheel
from tests.clients.samsyn_server import Server

CORNERS = ((-200, -150), (0, -150), (0, 50), (-200, 50))
"""Where the zone is drawn, in pixels from the middle of the map."""

SHAPES = {
    "Point": ((-250, -250),),
    "Marker": ((-200, -250),),
    "Line": ((-250, 100), (-150, 150)),
    "Rectangle": ((-250, -100), (-150, 0)),
    "Circle": ((0, 0), (60, 0)),
}


@pytest.fixture(scope="module")
def services(others: OtherServers) -> Services:
    return others.services


def test_a_plan(visitor: Visitor, server: Server, others: OtherServers) -> None:
    """One story, told by those who live it: each step needs the one before."""
    visitor("berit")  # a user from here on: she can be invited
    admin = visitor("admin")
    _library_is_filled(admin, others)
    assert admin.failures() == []
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
    assert anna.violations() == []
    _collaborator_sees_the_plan(visitor("berit"))
    for stranger in ("carl", None):
        _others_see_nothing(visitor(stranger))


def _library_is_filled(admin: Person, others: OtherServers) -> None:
    library.add_wms_server(admin, "Sea charts", others.wms.url)
    admin.clicks("Library Layers")
    library.add_wms_layer(admin, "Sea charts", "Outline")
    library.add_geotiff(admin, "Noise", f"{others.files.url}/depths.tif", "Magma")
    admin.until(lambda: admin.sees("Noise") and admin.sees("Outline"))
    admin.shows("library")


def _map_is_created(anna: Person) -> None:
    ui.create_map(anna, "Kattegat plan", "berit@example.org")
    anna.until(lambda: anna.sees("Map Created Successfully"))
    anna.shows("map")
    anna.clicks("Add Layers Now")
    anna.until(lambda: not anna.sees("Map Created Successfully"))


def _zone_is_drawn(anna: Person) -> None:
    ui.begin_layer(anna, "Wind site", "Wind")
    anna.clicks("Polygon")
    anna.draws(*CORNERS)
    anna.writes(ui.FEATURE_NAME, "Site A")
    anna.shows("drawing")
    ui.save_new_layer(anna)


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
    response = requests.get(f"{server.url}/api/v1/maps", headers=headers, timeout=10)
    return list(response.json())


def _library_layers_are_added(anna: Person) -> None:
    anna.reloads()
    for name in ("Noise", "Outline"):
        ui.add_from_library(anna, name)
    anna.reloads()
    assert ui.layer_names(anna) == ["Wind site", "Noise", "Outline"]


def _layers_are_arranged(anna: Person) -> None:
    anna.drags(ui.row("Outline"), onto=ui.row("Wind site"))
    assert ui.layer_names(anna) == ["Outline", "Wind site", "Noise"]
    anna.clicks(f"{ui.row('Noise')}//button[1]")
    # The page sends a request for each step and waits for none of them.
    for _ in range(5):
        anna.find(f"{ui.row('Wind site')}//*[@role='slider']").send_keys(Keys.ARROW_LEFT)
        anna.settles()
    anna.reloads()
    assert ui.layer_names(anna) == ["Outline", "Wind site", "Noise"]
    assert "65%" in anna.find(ui.row("Wind site")).text
    assert anna.find(f"{ui.row('Noise')}//button[1]//*[contains(@class, 'eye-off')]")
    anna.shows("arranged")


def _zone_is_changed_elsewhere(anna: Person, server: Server, layer_id: str) -> None:
    """Another client changes the zone; after a reload the frontend has it."""
    headers = {"Authorization": f"Bearer {token_of('anna')}"}
    path = f"{server.url}/api/v1/layers/{layer_id}/features"
    (feature,) = requests.get(path, headers=headers, timeout=10).json()["features"]
    change = {"properties": {"name": "Site B", "capacity": 950}}
    response = requests.patch(f"{path}/{feature['id']}", json=change, headers=headers, timeout=10)
    assert response.status_code == 200, response.text
    anna.reloads()
    ui.edit_layer(anna, "Wind site")
    anna.until(lambda: anna.find(ui.FEATURE_NAME).get_attribute("value") == "Site B")
    anna.shows("changed")


def _zone_is_saved_again(anna: Person, server: Server, layer_id: str) -> None:
    """What the frontend does not know of a feature stays, and so does the feature's id."""
    headers = {"Authorization": f"Bearer {token_of('anna')}"}
    path = f"{server.url}/api/v1/layers/{layer_id}/features"
    (before,) = requests.get(path, headers=headers, timeout=10).json()["features"]
    anna.writes(ui.FEATURE_NAME, "Site C")
    ui.save_layer(anna)
    (after,) = requests.get(path, headers=headers, timeout=10).json()["features"]
    assert after["id"] == before["id"]
    assert after["geometry"] == before["geometry"]
    assert after["properties"]["name"] == "Site C"
    assert after["properties"]["capacity"] == 950


def _plan_is_discussed(anna: Person) -> None:
    anna.clicks("Comments")
    ui.comment(anna, "Too close to the cables?")
    ui.reply(anna, "500 m are kept.")
    ui.resolve(anna)
    anna.reloads()
    anna.clicks("Comments")
    anna.until(lambda: anna.sees("Resolved") and anna.sees("500 m are kept."))
    anna.shows("comments")


def _collaborator_sees_the_plan(berit: Person) -> None:
    assert berit.sees("Kattegat plan")
    assert berit.sees("Editor")
    assert ui.layer_names(berit) == ["Outline", "Wind site", "Noise"]
    berit.shows("collaborator")
    assert berit.failures() == []


def _others_see_nothing(person: Person) -> None:
    assert person.sees("No maps available")
    assert not person.sees("Kattegat plan")
    assert not person.sees("anna")
    assert person.failures() == []


def test_a_map_is_opened_and_deleted(visitor: Visitor, server: Server) -> None:
    """What the other buttons do, up to the end of the map and of its owner's account."""
    visitor("erik")
    dora = visitor("dora")
    ui.create_map(dora, "Banks", "nobody@example.org")
    dora.until(lambda: dora.sees("There is no account with that email"))
    assert _refusals(dora) == [("POST", 404)]
    _shapes_are_drawn(dora)
    _shapes_are_changed(dora, server)
    dora.reloads()
    ui.take_off_map(dora, "Sea bed")
    ui.add_from_library(dora, "Sea bed")
    ui.open_map(dora, editor="erik@example.org")
    assert _refusals(dora) == []
    _editor_helps(visitor("erik"))
    passer_by = visitor(None)
    assert passer_by.sees("Open banks")
    assert ui.layer_names(passer_by) == ["Sea bed"]
    assert _refusals(passer_by) == []
    dora = visitor("dora")
    ui.delete_map(dora)
    ui.delete_account(dora)
    assert _refusals(dora) == []
    _others_see_nothing(visitor(None))


def _refusals(person: Person) -> list[tuple[str, int]]:
    """Return method and status of what was refused since this was last asked."""
    refused = [(method, status) for method, _, status in person.failures()]
    person.answers.clear()
    return refused


def _shapes_are_drawn(dora: Person) -> None:
    dora.reloads()
    ui.begin_layer(dora, "Sea bed", "Nature")
    for tool, points in SHAPES.items():
        dora.clicks(tool)
        dora.draws(*points)
    fields = dora.browser.find_elements("css selector", ui.FEATURE_NAME)
    for field, tool in zip(fields, SHAPES, strict=True):
        field.send_keys(tool)
    dora.shows("shapes")
    ui.save_new_layer(dora)


def _shapes_are_changed(dora: Person, server: Server) -> None:
    """One is moved and one deleted: the others stay the features that they are."""
    before = _shapes(server)
    assert list(before) == list(SHAPES)
    dora.reloads()
    ui.edit_layer(dora, "Sea bed")
    dora.clicks("Select")
    dora.points_at((-200, -50))
    dora.pulls((-200, -50), by=(60, 60))
    dora.clicks(ui.last(ui.icon("trash-2")))
    ui.save_layer(dora)
    after = _shapes(server)
    assert list(after) == ["Point", "Marker", "Line", "Rectangle"]
    assert [name for name in after if after[name] != before[name]] == ["Rectangle"]
    assert after["Rectangle"]["geometry"] != before["Rectangle"]["geometry"]
    assert after["Rectangle"]["id"] == before["Rectangle"]["id"]


def _shapes(server: Server) -> dict[str, Any]:
    (plan,) = _maps(server, "dora")
    features = plan["map_layers"][0]["layer"]["source_config"]["geojson"]["features"]
    return {feature["properties"]["name"]: feature for feature in features}


def _editor_helps(erik: Person) -> None:
    """An editor changes the map, but not a layer that only its creator may change."""
    ui.rename_map(erik, "Open banks")
    erik.reloads()
    assert erik.sees("Open banks")
    assert _refusals(erik) == []
    ui.edit_layer(erik, "Sea bed")
    erik.clicks("Save Changes")
    erik.until(lambda: erik.sees("Failed to update layer"))
    assert _refusals(erik) == [("PUT", 403)]
