"""What people read when something is refused: sentences without JSON pointers."""

import re
from typing import Any

import pytest

from samsyn_admin.imports.schemas import parse_choices
from samsyn_model.errors import InvalidBodyError
from tests.api.layer_requests import LINE, Caller, collection, feature, vector

POINTER = re.compile(r"(^|\s)/\w+")
FAR = {"type": "Point", "coordinates": [200, 0]}
SCHEMA = {"properties": {"depth": {"type": "integer"}, "a/b": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"source_type": "vector"}, "Name: This is missing."),
        (vector(name=""), "Name: This may not be empty."),
        (vector(name=7), "Name: This has to be a text."),
        (vector(name="x" * 300), "Name: This has to have at most 255 characters."),
        (vector(visibility="open"), "Visibility: This has to be 'private' or 'public'."),
        (vector(is_global=1), "Is global: This has to be true or false."),
        (vector(colour=1), "Colour: There is no such member."),
        (vector(additional_crs=[25832]), "Additional crs, number 1: Every layer can be read in"),
        ([], "The body"),
        (
            vector(feature(LINE), feature(FAR)),
            "Feature 2, geometry: A position is a longitude within ±180 and a latitude within",
        ),
        (
            vector(feature(LINE, deph=3), property_schema=SCHEMA),
            "Feature 1, deph: The layer has no property 'deph': did you mean 'depth'?",
        ),
        (
            vector(feature(LINE, **{"a/b": "x"}), property_schema=SCHEMA),
            "Feature 1, a/b: 'x' is not of type 'integer'.",
        ),
        (
            {"name": "L", "source_type": "wms", "source_config": {"url": "x", "layers": "y"}},
            "Url: This is not an http(s) URL without credentials.",
        ),
    ],
)
def test_a_refused_body_is_described_in_words(owner: Caller, body: Any, detail: str) -> None:
    response = owner.post(body)
    assert response.status_code == 422, response.text
    assert response.json
    assert response.json["detail"].startswith(detail), response.json["detail"]
    assert response.json["errors"]
    assert not POINTER.search(response.json["detail"])


@pytest.mark.parametrize(
    ("choices", "detail"),
    [
        ({"mode": "append", "layer_id": "x"}, "Layer id: This has to be a UUID."),
        ({"layer_id": 5}, "Layer id: This has to be a UUID."),
        ({"layers": ["x"]}, "Layers, number 1: This has to be an object."),
        ({"layers": []}, "Layers: This has to have at least 1 item, not 0."),
        ({"index": ["a"] * 9}, "Index: This has to have at most 8 items, not 9."),
        ({"index": "a"}, "Index: This has to be a list."),
        ({"skip_faulty": "perhaps"}, "Skip faulty: This has to be true or false."),
        ({"skip_faulty": []}, "Skip faulty: This has to be true or false."),
    ],
)
def test_refused_choices_are_described_in_words(choices: Any, detail: str) -> None:
    with pytest.raises(InvalidBodyError) as refused:
        parse_choices(choices)
    assert refused.value.detail == detail


def test_features_are_counted_from_one(owner: Caller) -> None:
    layer = owner.post(vector()).json
    assert layer
    body = collection(feature(LINE), feature(FAR))
    response = owner.client.post(
        f"/ogc/collections/{layer['id']}/items",
        json=body,
        headers={**owner.headers, "Content-Type": "application/geo+json"},
    )
    assert response.json["detail"].startswith("Feature 2, geometry: ")
    assert response.json["errors"][0]["pointer"] == "/features/1/geometry/coordinates"


def test_the_name_of_a_property_is_its_own(owner: Caller) -> None:
    schema = {"properties": {"max_depth": {"type": "number"}, "__x__": {"type": "number"}}}
    items = (
        f"/ogc/collections/{(owner.post(vector(property_schema=schema)).json or {})['id']}/items"
    )
    for name in schema["properties"]:
        response = owner.client.post(
            items, json=feature(LINE, **{name: "x"}), headers=owner.headers
        )
        assert response.json["detail"] == f"Properties, {name}: 'x' is not of type 'number'."


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1/layers/x/y", "/api", "/ogc/nothing", "/nothing"]
)
def test_an_unknown_address(anonymous: Caller, path: str) -> None:
    response = anonymous.client.get(path)
    assert response.status_code == 404
    assert (response.json or {})["detail"] == "There is no such address in this API."


def test_other_texts_of_the_framework(owner: Caller) -> None:
    response = owner.client.delete("/api/v1/layers", headers=owner.headers)
    assert response.status_code == 405
    assert "method" in (response.json or {})["detail"]
    assert "URL" not in (response.json or {})["detail"]
    owner.client.application.config["MAX_CONTENT_LENGTH"] = 100
    response = owner.post(vector(description="x" * 200))
    assert response.status_code == 413
    assert (response.json or {})["detail"] == "The body is larger than the server accepts."
