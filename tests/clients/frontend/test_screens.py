"""The other screens of the web frontend's pages, and what must not be lost there."""

import json
from typing import Any

import pytest
import requests

from samsyn_admin.layers.simplification_notice import NOTICE
from tests.clients import frontend_library as library
from tests.clients import frontend_pages as ui
from tests.clients.frontend.plans import Plan, feature, square
from tests.clients.frontend_server import token_of
from tests.clients.frontend_session import Person, Visitor
from tests.clients.samsyn_server import Server

TRIANGLE = [[11.5, 57.0], [11.8, 57.0], [11.8, 57.3], [11.5, 57.0]]
HOLE = [[11.7, 57.1], [11.75, 57.1], [11.75, 57.15], [11.7, 57.1]]
SHAPES = [
    square(0.3, name="plain", depth=20),
    feature("MultiPolygon", [[TRIANGLE]], name="several"),
    feature("Polygon", [TRIANGLE, HOLE], name="with a hole"),
]
CLOSED = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def plan(server: Server) -> Plan:
    """A public map whose layers everybody may edit."""
    return Plan(server, "anna", name="Common plan", view_permission="public")


def add_layer(plan: Plan, name: str, features: Any, **members: Any) -> str:
    """Put a layer on the map that everybody may edit, with what the editor requires."""
    described = {"category": "Shapes", "description": "What is there", "editable": "everyone"}
    return plan.adds_layer(name, features, **{**described, **members})


def stored(server: Server, layer_id: str) -> list[dict[str, Any]]:
    """Return the features of a public layer, with their versions."""
    items = f"{server.ogc}/collections/{layer_id}/items"
    features: list[dict[str, Any]] = requests.get(items, timeout=10).json()["features"]
    for found in features:
        found["version"] = requests.get(f"{items}/{found['id']}", timeout=10).headers["ETag"]
    return features


def refused(person: Person) -> list[tuple[str, int]]:
    """Return method and status of what was refused since this was last asked."""
    failures = [(method, status) for method, _, status in person.failures()]
    person.answers.clear()
    return failures


def test_a_first_visit(visitor: Visitor) -> None:
    person = visitor(None)
    person.browser.execute_script("localStorage.removeItem('samsyn-welcome-shown')")
    person.reloads()
    person.until(lambda: person.sees("Prototype Notice"))
    person.clicks("#dontShowAgain")
    person.clicks("Get Started")
    person.clicks(ui.icon("settings"))
    person.until(lambda: person.sees("Not signed in"))
    person.clicks("//button[@role='tab'][contains(., 'Preferences')]")
    person.clicks("#textSize")
    person.clicks("Extra Large")
    person.until(lambda: person.sees("Text size preference updated"))
    person.clicks("//button[@role='tab'][contains(., 'About')]")
    person.until(lambda: person.sees("Version"))
    ui.close_dialog(person)
    person.clicks("Sign In")
    person.until(lambda: person.sees("anna"))
    assert refused(person) == []
    assert person.violations() == []


def test_editing_what_the_editor_does_not_show(
    visitor: Visitor, server: Server, plan: Plan
) -> None:
    """A stranger renames the one feature that the editor has: no other one changes."""
    layer_id = add_layer(plan, "Shapes", SHAPES)
    before = stored(server, layer_id)
    stranger = visitor("carl")
    ui.edit_layer(stranger, "Shapes")
    stranger.writes(ui.FEATURE_NAME, "renamed")
    ui.save_layer(stranger)
    after = stored(server, layer_id)
    assert after[0]["properties"] == {"name": "renamed", "depth": 20}
    assert after[0]["id"] == before[0]["id"]
    assert after[1:] == before[1:]


def test_layers_with_a_null_or_a_closed_schema(
    visitor: Visitor, server: Server, plan: Plan
) -> None:
    """The editor opens the one empty, and adds members to features that the other refuses."""
    nowhere: dict[str, Any] = {"type": "Feature", "geometry": None, "properties": {"name": "?"}}
    points = [feature("Point", [11 + n / 10, 57], name=str(n)) for n in range(3)]
    empty = add_layer(plan, "Nowhere", [*points, nowhere])
    closed = add_layer(plan, "Closed", [square(0.3, name="a")], property_schema=CLOSED)
    before = stored(server, empty)
    person = visitor("anna")
    ui.edit_layer(person, "Nowhere")
    person.clicks("Point")
    person.draws((-100, -100))
    person.writes(ui.FEATURE_NAME, "drawn")
    ui.save_layer(person)
    after = stored(server, empty)
    assert after[:4] == before
    assert [found["properties"]["name"] for found in after[4:]] == ["drawn"]
    person.clicks("Layers")
    ui.edit_layer(person, "Closed")
    person.writes(ui.FEATURE_NAME, "b")
    ui.save_layer(person)
    assert [found["properties"] for found in stored(server, closed)] == [{"name": "b"}]
    assert refused(person) == []


def test_a_layer_that_is_too_large(visitor: Visitor, server: Server) -> None:
    plan = Plan(server, "erik", name="Survey")
    points = [feature("Point", [10 + n % 80 / 40, 56 + n // 80 / 60]) for n in range(5001)]
    layer_id = add_layer(plan, "Many", points, visibility="private")
    person = visitor("erik")
    assert NOTICE in ui.layer_information(person, "Many")
    ui.edit_layer(person, "Many")
    person.clicks("Point")
    person.draws((-100, -100))
    person.clicks("Save Changes")
    person.until(lambda: person.sees("This layer is too large to edit here: use QGIS."))
    assert refused(person) == [("PUT", 409)]
    assert plan.sends("GET", f"layers/{layer_id}?inline=false", None)["feature_count"] == 5001


def test_comments_on_a_layer(visitor: Visitor, plan: Plan) -> None:
    """One that names the layer alone, as the pages send it, is there, and others reply."""
    layer_id = add_layer(plan, "Discussed", [square(0.3, name="a")])
    plan.sends("POST", "comments", {"content": "Too close to the lane?", "layer_id": layer_id})
    other = visitor("carl")
    other.clicks(f"{ui.row('Discussed')}{ui.icon('message-square')}")
    other.until(lambda: other.sees("Too close to the lane?"))
    ui.reply(other, "500 m are kept.")
    assert refused(other) == []


def test_the_library(visitor: Visitor, server: Server, plan: Plan) -> None:
    """Its layers are added, changed, and deleted though they are on a map of others."""
    add_layer(plan, "Of others", [square(0.3, name="a")])
    admin = visitor("admin")
    library.open_library(admin)
    collection = {"type": "FeatureCollection", "features": SHAPES[1:2]}
    library.add_geojson_to_library(admin, "Finds", json.dumps(collection))
    (layer_id,) = _library(server, "Finds")
    before = stored(server, layer_id)
    assert len(before) == 1
    library.rename_in_library(admin, "Finds", "Finds of May")
    assert _library(server, "Finds of May") == [layer_id]
    assert stored(server, layer_id) == before
    plan.sends("POST", f"maps/{plan.id}/layers", {"layer_id": layer_id})
    library.delete_from_library(admin, "Finds of May")
    assert refused(admin) == []
    assert _library(server, "Finds of May") == []
    admin.clicks("Community Layers")
    library.delete_from_library(admin, "Of others")
    assert refused(admin) == [("DELETE", 403)]


def _library(server: Server, name: str) -> list[str]:
    """Return the ids of the layers of this name in the library."""
    query = {"is_global": "true", "inline": "false"}
    layers = requests.get(f"{server.url}/api/v1/layers", params=query, timeout=10).json()
    return [layer["id"] for layer in layers if layer["name"] == name]


def test_fishing_effort_is_added(visitor: Visitor, server: Server) -> None:
    """Anybody may; it is shown with the months, and is no collection."""
    own = Plan(server, "berit", name="Fishing")
    add_layer(own, "Zone", [square(0.3, name="a")])
    person = visitor("berit")
    ui.add_from_library(person, "Global Fishing Effort")
    person.reloads()
    assert "Global Fishing Effort" in ui.layer_names(person)
    person.until(lambda: person.sees("Monthly"))
    assert refused(person) == []
    headers = {"Authorization": f"Bearer {token_of('berit')}"}
    collections = requests.get(f"{server.ogc}/collections", headers=headers, timeout=10).json()
    titles = [collection["title"] for collection in collections["collections"]]
    assert "Zone" in titles
    assert "Global Fishing Effort" not in titles


def test_an_account_begins_anew(visitor: Visitor, plan: Plan) -> None:
    dora = visitor("dora")
    ui.delete_account(dora)
    assert refused(dora) == []
    again = visitor("dora")
    assert again.sees("Common plan")
    assert refused(again) == []
