"""docker-compose.prod.yml as processes: nginx with TLS, PgBouncer, two instances of the server."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import shapely

from bench.production.arrangement import Arrangement, Wishes, arranged
from bench.production.poolers import NEWER, PACKAGED, pooler_command
from bench.production.programs import StartError, find_program
from bench.production.run import Plan, run
from samsyn_model.cluster.installations import find_installations
from tests.clerk_instance import ISSUER, PARTY, public_pem
from tests.clients import frontend_pages as ui
from tests.clients.frontend_server import (
    built_for,
    clerk_host,
    pages_folder,
    standing_in_for_clerk,
    token_of,
)
from tests.clients.frontend_session import Person, chromium
from tests.clients.qgis_session import QGIS_ROOTS, debian_root, qgis_in

OWNER = "owner@example.org"
CORNERS = ((-200, -150), (0, -150), (0, 50), (-200, 50))
"""Where a zone is drawn, in pixels from the middle of the map."""
SQUARE = "POLYGON((11 57, 11.5 57, 11.5 57.5, 11 57.5, 11 57))"
SETTINGS = {
    "WEB_CONCURRENCY": "1",
    "CLERK_JWT_KEY": public_pem(),
    "CLERK_ISSUER": ISSUER,
    "CLERK_AUTHORIZED_PARTIES": PARTY,
}
pytestmark = pytest.mark.timeout(600)


def _pooler() -> str:
    """Return the better PgBouncer of this machine; skip the test where something is missing."""
    if not find_installations():
        pytest.skip("no PostgreSQL with PostGIS is installed on this machine")
    try:
        for program in ("nginx", "redis-server"):
            find_program(program)
        try:
            pooler_command(NEWER)
        except StartError:
            pooler_command(PACKAGED)
            return PACKAGED
    except StartError as error:
        pytest.skip(str(error))
    return NEWER


def test_everything_is_restarted_and_no_request_fails() -> None:
    """Readers, writers and followers do not notice: nothing is refused, lost or left out."""
    plan = Plan(16, 6, followers=4, people=4, polygons=1000, restarts=True)
    told: list[str] = []
    with arranged(Wishes(pooler=_pooler(), settings=SETTINGS)) as arrangement:
        outcome = asyncio.run(run(arrangement, plan, told.append))
    assert outcome.figures.faults == []
    assert outcome.figures.refused == 0
    assert outcome.losses == []
    assert outcome.missed == []
    assert outcome.ledger.writes > 20
    assert outcome.change_sets > 20
    assert outcome.comings > plan.followers  # they came back
    assert len([line for line in told if "is replaced" in line]) == 5
    assert max(outcome.samples.pooled) <= 20
    services = arrangement.services
    for name, used in outcome.samples.memory.items():
        if (service := services.get(name.split(" ")[0])) is not None:
            assert max(used) < service.memory, name


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrangement]:
    """The arrangement, with the web frontend's pages where they are there."""
    wishes = Wishes(_pooler(), instances=1, settings=SETTINGS)
    with suppress(pytest.skip.Exception):
        built, copies = pages_folder(), tmp_path_factory.mktemp("pages")
        wishes = replace(
            wishes,
            frontend=lambda url: built_for(url, built, copies),
            clerk=clerk_host(built),
        )
    with arranged(wishes) as arrangement:
        yield arrangement


def _send(site: Arrangement, method: str, path: str, token: str | None, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response = requests.request(
        method, site.url + path, json=body, headers=headers, verify=str(site.authority), timeout=60
    )
    assert response.ok, response.text
    return response.json()


def _zone(site: Arrangement, token: str) -> str:
    """Make a public layer of a square, and return its id."""
    geometry = shapely.geometry.mapping(shapely.from_wkt(SQUARE))
    feature = {"type": "Feature", "geometry": geometry, "properties": {"name": "a", "depth": 1}}
    body = {
        "name": "Zones",
        "source_type": "vector",
        "visibility": "public",
        "geometry_type": "Polygon",
        "property_schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "depth": {"type": "integer"}},
        },
        "source_config": {"geojson": {"type": "FeatureCollection", "features": [feature]}},
    }
    return str(_send(site, "POST", "/api/v1/layers", token, body)["id"])


def test_clients_over_tls(site: Arrangement) -> None:
    """curl, and QGIS where it is, trust the authority; links lead to where they came from."""
    token = site.samsyn("token", "create", OWNER)
    layer = _zone(site, token)
    address = f"{site.url}/ogc/collections/{layer}/items?f=json"
    assert _curl(site, address)[0] == "2 200"
    version, page = _curl(site, address, "-H", f"Authorization: Bearer {token}")
    assert version == "2 200"
    assert len(json.loads(page)["features"]) == 1
    untrusted = ["curl", "-s", "--http2", address]
    assert subprocess.run(untrusted, check=False, timeout=60).returncode == 60
    documents = ["/ogc/?f=json", "/ogc/collections?f=json", f"/ogc/collections/{layer}?f=json"]
    documents += [f"/ogc/collections/{layer}/items?f=json", "/ogc/conformance?f=json"]
    documents += [f"/ogc/collections/{layer}/tiles/WebMercatorQuad?f=json"]
    documents += [f"/ogc/collections/{layer}/tiles/WebMercatorQuad?f=tilejson"]
    for path in documents:
        links = _addresses(_send(site, "GET", path, None))
        own = [link for link in links if "127.0.0." in link or "localhost" in link]
        assert own or path == "/ogc/conformance?f=json", path
        assert [link for link in own if not link.startswith(f"{site.url}/")] == [], path


def _curl(site: Arrangement, address: str, *words: str) -> tuple[str, str]:
    """Return the version of HTTP with the status, and the body."""
    done = subprocess.run(
        [
            *("curl", "-s", "--http2", "--cacert", site.authority, *words),
            *("-w", "\n%{http_version} %{http_code}", address),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    body, _, told = done.stdout.rpartition("\n")
    return told, body


def _addresses(document: Any) -> list[str]:
    """Return all addresses in a document."""
    if isinstance(document, dict):
        return [one for value in document.values() for one in _addresses(value)]
    if isinstance(document, list):
        return [one for value in document for one in _addresses(value)]
    is_address = isinstance(document, str) and document.startswith(("http:", "https:"))
    return [document] if is_address else []


def test_qgis_edits_through_nginx(site: Arrangement) -> None:
    version = [*QGIS_ROOTS][-1]
    with qgis_in(debian_root(version), version) as qgis:
        token = site.samsyn("token", "create", OWNER)
        layer = _zone(site, token)
        where = {"url": f"{site.url}/ogc", "collection": layer}
        signed_in = {"credentials": "basic", "token": token}
        steps = [
            {"do": "change", "where": "\"name\" = 'a'", "properties": {"depth": 7}},
            {"do": "add", "wkt": SQUARE, "properties": {"name": "b", "depth": 2}},
        ]
        done = qgis.do(
            "edit", **where, **signed_in, steps=steps, authority=site.authority.read_text()
        )
        assert (done["valid"], done.get("errors")) == (True, []), done
        stranger = qgis.do("edit", **where, **signed_in, steps=[])
        assert not stranger["valid"]  # without the authority
    features = _send(site, "GET", f"/ogc/collections/{layer}/items?f=json", None)["features"]
    assert [feature["properties"] for feature in features] == [
        {"name": "a", "depth": 7},
        {"name": "b", "depth": 2},
    ]


def test_a_zone_is_drawn_in_the_web_frontend(site: Arrangement, tmp_path: Path) -> None:
    """Pages and API have one origin, which the pages' policy is for."""
    pages_folder()
    (tmp_path / "clerk").mkdir()
    with (
        standing_in_for_clerk(site.plain_url, tmp_path / "clerk") as clerk,
        chromium(tmp_path / "profile", _rules(clerk)) as browser,
    ):
        anna = Person(browser, site.url, tmp_path)
        anna.comes("berit")  # a user from here on: she can be invited
        anna.comes("anna")
        ui.create_map(anna, "Kattegat plan", "berit@example.org")
        anna.until(lambda: anna.sees("Map Created Successfully"))
        anna.clicks("Add Layers Now")
        ui.begin_layer(anna, "Wind site", "Wind")
        anna.clicks("Polygon")
        anna.draws(*CORNERS)
        anna.writes(ui.FEATURE_NAME, "Site A")
        ui.save_new_layer(anna)
        assert anna.failures() == []
        assert anna.violations() == []
        (plan,) = _send(site, "GET", "/api/v1/maps", token_of("anna"))
        (placed,) = plan["map_layers"]
        (drawn,) = placed["layer"]["source_config"]["geojson"]["features"]
        assert drawn["properties"]["name"] == "Site A"
        assert len(drawn["geometry"]["coordinates"][0]) == len(CORNERS) + 1
        assert browser.execute_script("return location.origin") == site.url


def _rules(clerk: int) -> str:
    """Return rules for Chromium by which Clerk is on this machine, and nobody else is asked."""
    return f"EXCLUDE 127.0.0.1, MAP *:443 127.0.0.1:{clerk}, MAP * ~NOTFOUND"
