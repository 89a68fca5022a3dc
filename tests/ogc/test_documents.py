"""Landing page, conformance declaration, API definition."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from samsyn_provider.conformance import CONFORMANCE_CLASSES
from samsyn_provider.items.form import FORM_PARAMETERS
from samsyn_provider.query.collections_query import COLLECTIONS_PARAMETERS
from samsyn_provider.query.items_query import ITEM_PARAMETERS, ITEMS_PARAMETERS
from samsyn_provider.query.parameters import DOCUMENT_PARAMETERS
from samsyn_provider.tiles import sources as tile_sources
from samsyn_provider.versions.parameters import VERSION_DATETIME

_TILE = "{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}"


def test_landing_page_links_to_everything(client: FlaskClient) -> None:
    document = client.get("/ogc/").json
    assert document is not None
    links = {link["rel"]: link for link in document["links"]}
    assert {"self", "alternate", "service-desc", "service-doc", "conformance", "data"} <= set(links)
    assert links["service-desc"]["type"] == "application/vnd.oai.openapi+json;version=3.0"
    for link in document["links"]:
        status = 401 if link["rel"].endswith("/job-list") else 200
        assert client.get(link["href"]).status_code == status
    assert document["title"]


def test_landing_page_with_and_without_slash(client: FlaskClient) -> None:
    assert client.get("/ogc").status_code == client.get("/ogc/").status_code == 200


def test_conformance(client: FlaskClient) -> None:
    document = client.get("/ogc/conformance").json
    assert document is not None
    assert document["conformsTo"] == list(CONFORMANCE_CLASSES)
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in document["conformsTo"]


def test_links_carry_the_public_address(app: Flask) -> None:
    response = app.test_client().get("/ogc/", base_url="https://plan.example.org:8443")
    assert all(
        link["href"].startswith("https://plan.example.org:8443/ogc")
        for link in response.json["links"]  # type: ignore[index]
    )


def _definition(client: FlaskClient) -> dict[str, Any]:
    response = client.get("/ogc/openapi")
    assert response.content_type == "application/vnd.oai.openapi+json;version=3.0"
    assert isinstance(response.json, dict)
    return response.json


@pytest.mark.parametrize(
    "accept",
    [
        "application/vnd.oai.openapi+json;version=3.0",
        "application/vnd.oai.openapi+json",
        "application/json",
        "*/*",
    ],
)
def test_api_definition_by_media_type(client: FlaskClient, accept: str) -> None:
    response = client.get("/ogc/openapi", headers={"Accept": accept})
    assert response.content_type == "application/vnd.oai.openapi+json;version=3.0"


def _resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def test_api_definition_is_self_contained(client: FlaskClient) -> None:
    response = client.get("/ogc/openapi")
    references = re.findall(r'"\$ref":\s*"([^"]+)"', response.text)
    assert references
    document = _definition(client)
    for reference in references:
        assert reference.startswith("#/")
        _resolved(document, {"$ref": reference})
    assert document["openapi"].startswith("3.0")
    assert document["components"]["parameters"]["limit"]["schema"]["maximum"] == 10_000


def _in_snake_case(name: re.Match[str]) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name[0])


def test_api_definition_names_every_route(app: Flask, client: FlaskClient) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/ogc")) or "/", method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/ogc") and rule.endpoint != "ogc.static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    snake = {
        (re.sub(r"{\w+}", _in_snake_case, path), method.upper())
        for path, operations in _definition(client)["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert snake == routes


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/", DOCUMENT_PARAMETERS),
        ("/conformance", DOCUMENT_PARAMETERS),
        ("/functions", DOCUMENT_PARAMETERS),
        ("/openapi", DOCUMENT_PARAMETERS),
        ("/collections", COLLECTIONS_PARAMETERS),
        ("/collections/{collectionId}", DOCUMENT_PARAMETERS),
        ("/collections/{collectionId}/schema", DOCUMENT_PARAMETERS),
        ("/collections/{collectionId}/queryables", DOCUMENT_PARAMETERS),
        ("/collections/{collectionId}/sortables", DOCUMENT_PARAMETERS),
        ("/collections/{collectionId}/items", ITEMS_PARAMETERS | {VERSION_DATETIME, "profile"}),
        ("/collections/{collectionId}/form", FORM_PARAMETERS),
        (
            "/collections/{collectionId}/items/{featureId}",
            ITEM_PARAMETERS | {"datetime", VERSION_DATETIME},
        ),
        ("/tileMatrixSets", DOCUMENT_PARAMETERS),
        ("/tileMatrixSets/{tileMatrixSetId}", DOCUMENT_PARAMETERS),
        ("/collections/{collectionId}/tiles", DOCUMENT_PARAMETERS),
        ("/collections/{collectionId}/tiles/{tileMatrixSetId}", DOCUMENT_PARAMETERS),
        (f"/collections/{{collectionId}}/tiles/{_TILE}", tile_sources.TILE_PARAMETERS),
        ("/maps/{mapId}/tiles", DOCUMENT_PARAMETERS),
        ("/maps/{mapId}/tiles/{tileMatrixSetId}", DOCUMENT_PARAMETERS),
        (f"/maps/{{mapId}}/tiles/{_TILE}", tile_sources.TILE_PARAMETERS),
    ],
)
def test_api_definition_names_every_parameter(
    client: FlaskClient, path: str, names: frozenset[str]
) -> None:
    document = _definition(client)
    listed = [
        _resolved(document, parameter)
        for parameter in document["paths"][path]["get"].get("parameters", [])
    ]
    assert {p["name"] for p in listed if p["in"] == "query"} == names


@pytest.mark.parametrize(
    "path", ["/ogc/", "/ogc/conformance", "/ogc/functions", "/ogc/openapi", "/ogc/collections"]
)
def test_media_types_and_parameters(client: FlaskClient, path: str) -> None:
    assert client.get(path, headers={"Accept": "text/html,*/*;q=0.1"}).mimetype == "text/html"
    assert client.get(path, query_string={"f": "html"}).mimetype == "text/html"
    assert client.get(path, headers={"Accept": "application/json"}).mimetype != "text/html"
    assert client.get(path, query_string={"f": "json"}).status_code == 200
    assert client.get(path, headers={"Accept": "image/png"}).status_code == 406
    assert client.get(path, query_string={"f": "xml"}).status_code == 400
    unknown = client.get(path, query_string={"colour": "red"})
    assert unknown.status_code == 400
    assert "colour" in unknown.json["detail"]  # type: ignore[index]
    head = client.head(path)
    assert head.status_code == 200
    assert head.data == b""
    assert "GET" in client.options(path).headers["Allow"]
    refused = client.delete(path)
    assert refused.status_code == 405
    assert "GET" in refused.headers["Allow"]
    assert refused.json["status"] == 405  # type: ignore[index]


def test_problem_details_by_name_and_as_page(client: FlaskClient) -> None:
    named = client.get("/ogc/collections/x", headers={"Accept": "application/problem+json"})
    assert (named.status_code, named.mimetype) == (404, "application/problem+json")
    page = client.get("/ogc/collections/x", headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    plain = client.get("/ogc/nowhere")
    assert (plain.status_code, plain.mimetype) == (404, "application/json")
    assert set(plain.json or ()) == {"type", "title", "status", "detail"}
