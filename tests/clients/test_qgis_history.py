"""A zone edited by QGIS, the web app, an import and a restore: all of its versions."""

import json
from pathlib import Path
from typing import Any

import requests
import shapely
from sqlalchemy import text

from samsyn_model.database.engine import open_engine
from tests.clients.qgis_session import Qgis
from tests.clients.samsyn_server import Server, make_token, run_samsyn
from tests.clients.test_qgis_editing import MOVED, SCHEMA, SQUARE, assert_at, edited

ZONES = {
    "name": "Zones",
    "source_type": "vector",
    "visibility": "public",
    "geometry_type": "Polygon",
    "property_schema": SCHEMA,
    "source_config": {
        "geojson": {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "geometry": shapely.geometry.mapping(shapely.from_wkt(SQUARE)),
                    "properties": {"name": "zone", "depth": 20.5, "turbines": 7, "open": True},
                }
            ],
        }
    },
}

_WHERE = "\"name\" = 'zone'"
_HISTORY = """
SELECT change_sets.via, users.email, states.properties ->> 'turbines' FROM (
    SELECT from_change AS began, properties FROM feature_versions
    WHERE layer_id = :layer AND feature_id = :feature
    UNION ALL SELECT change_set, properties FROM layer_features
    WHERE layer_id = :layer AND id = :feature
) AS states JOIN change_sets ON change_sets.id = began
JOIN users ON users.id = change_sets.user_id ORDER BY began"""


def test_each_edit_has_its_version_author_and_way(
    qgis: Qgis, server: Server, owner: str, tmp_path: Path
) -> None:
    layer = server.make_layer(owner, ZONES)
    editor_email = "editor-of-zones@example.org"
    editor = make_token(server.database, editor_email)
    as_owner, as_editor = ({"Authorization": f"Bearer {token}"} for token in (owner, editor))
    api = f"{server.url}/api/v1/layers/{layer}"
    opened = requests.patch(api, json={"editable": "everyone"}, headers=as_owner, timeout=20)
    assert opened.ok, opened.text
    (feature,) = requests.get(f"{server.ogc}/collections/{layer}/items", timeout=20).json()[
        "features"
    ]
    item = f"{server.ogc}/collections/{layer}/items/{feature['id']}"

    def change(method: str, url: str, headers: dict[str, str], **options: Any) -> requests.Response:
        response = requests.request(method, url, headers=headers, timeout=20, **options)
        assert response.ok, response.text
        return response

    def from_qgis(token: str, step: dict[str, Any]) -> None:
        done = edited(
            qgis, server, layer, token=token, steps=[{"do": "change", "where": _WHERE, **step}]
        )
        assert done["errors"] == []

    from_qgis(editor, {"properties": {"turbines": 1}})
    from_qgis(owner, {"wkt": MOVED})
    from_qgis(owner, {"properties": {"turbines": 3}})
    change("PATCH", item, as_editor, json={"properties": {"turbines": 4}})
    patched = f"{api}/features/{feature['id']}"
    change("PATCH", patched, as_owner, json={"properties": {"turbines": 5}})
    saved = change("GET", api, as_editor).json()["source_config"]  # as the web app saves a zone
    saved["geojson"]["features"][0]["properties"]["turbines"] = 6
    change("PUT", api, as_editor, json={"source_config": saved})
    saved["geojson"]["features"][0]["properties"]["turbines"] = 7
    file = tmp_path / "zones.geojson"
    file.write_text(json.dumps(saved["geojson"]))
    run_samsyn(
        server.database, "import", file, "--owner", _email(server, as_owner), "--layer", layer,
        "--update-by", "name",
    )  # fmt: skip
    replaced = change("GET", item, as_editor).json()
    replaced["properties"]["turbines"] = 8
    change("PUT", item, as_editor, json=replaced)
    first = change("GET", f"{item}/versions", {}).json()["links"]
    moments = [link for link in first if link["rel"] == "memento"]
    as_of = moments[0]["href"].partition("datetime=")[2]
    restored = f"{patched}/restore"
    change("POST", restored, as_owner, json={"as_of": requests.utils.unquote(as_of)})

    people = {"owner": _email(server, as_owner), "editor": editor_email}
    engine = open_engine(server.database)
    with engine.connect() as connection:
        key = {"layer": layer, "feature": feature["id"]}
        history = [tuple(row) for row in connection.execute(text(_HISTORY), key)]
    engine.dispose()
    expected = [
        ("web", "owner", "7"),
        *(("ogc", "editor", "1"), ("ogc", "owner", "1"), ("ogc", "owner", "3")),
        *(("ogc", "editor", "4"), ("web", "owner", "5"), ("web", "editor", "6")),
        *(("import", "owner", "7"), ("ogc", "editor", "8"), ("restore", "owner", "7")),
    ]
    assert history == [(via, people[who], turbines) for via, who, turbines in expected]
    links = change("GET", f"{item}/versions", {}).json()["links"]
    versions = [
        change("GET", link["href"], {}).json() for link in links if link["rel"] == "memento"
    ]
    assert [str(one["properties"]["turbines"]) for one in versions] == [row[2] for row in history]
    for number, version in enumerate(versions):
        assert_at(version, SQUARE if number < 2 or number == len(versions) - 1 else MOVED)


def _email(server: Server, headers: dict[str, str]) -> str:
    found = requests.get(f"{server.url}/api/v1/users/me", headers=headers, timeout=20)
    return str(found.json()["email"])
