"""`f=geojson`, as other servers name it: the GeoJSON of `f=json`, for an item or a page."""

import json
from collections.abc import Callable

from flask.testing import FlaskClient

Layer = Callable[..., str]


def test_geojson_is_json_here(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT(1 2)", {"n": 1}), ("POINT(3 4)", {"n": 2})])
    items = f"/ogc/collections/{layer_id}/items"
    first = client.get(items).json["features"][0]["id"]  # type: ignore[index]
    for address in (
        f"{items}?limit=5&",
        f"{items}/{first}?",
        f"/api/v1/layers/{layer_id}/features?offset=0&",
    ):
        documents = []
        for form in ("json", "geojson"):
            response = client.get(f"{address}f={form}", headers={"Accept": "text/html"})
            assert response.status_code == 200
            assert response.mimetype == "application/geo+json"
            document = json.loads(response.data)
            document.pop("timeStamp", None)
            documents.append(document)
        assert documents[0] == documents[1], "with the same links"
    search = f"/ogc/collections/{layer_id}/search?f=geojson"
    assert client.post(search, json={}).json["numberReturned"] == 2  # type: ignore[index]
    following = client.get(f"{items}?f=geojson&limit=1").json["links"]  # type: ignore[index]
    address = next(link["href"] for link in following if link["rel"] == "next")
    assert client.get(address).mimetype == "application/geo+json"


def test_errors_are_json_too(client: FlaskClient, layer: Layer) -> None:
    items = f"/ogc/collections/{layer()}/items"
    response = client.get(f"{items}?f=geojson&limit=0", headers={"Accept": "text/html"})
    assert (response.status_code, response.mimetype) == (400, "application/json")


def test_other_documents_are_no_geojson(client: FlaskClient, layer: Layer) -> None:
    for path in ("", f"/collections/{layer()}", "/collections", "/conformance"):
        assert client.get(f"/ogc{path}?f=geojson").status_code == 400
