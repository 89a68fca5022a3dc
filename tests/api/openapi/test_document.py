"""The OpenAPI document of the management API matches the code."""

import copy
import json
import re
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV30SpecValidator

from samsyn_admin.openapi.document import MODELS, api_document
from samsyn_model.settings import CHECKOUT
from tests.api.layer_requests import Caller, MakeCaller
from tests.documented_responses import in_json_schema

METHODS = {"get", "put", "patch", "post", "delete"}
SOME_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    return api_document(app)


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def resolved(document: dict[str, Any], schema: Any) -> Any:
    """A schema with everything that it refers to, as JSON Schema; recursion ends in anything."""

    def follow(value: Any, visited: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return [follow(member, visited) for member in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            target = document
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            again = value["$ref"] in visited
            return {} if again else follow(target, (*visited, value["$ref"]))
        return {name: follow(member, visited) for name, member in value.items()}

    return in_json_schema(follow(schema, ()))


def test_it_is_valid_and_complete_in_itself(document: dict[str, Any]) -> None:
    served = {**copy.deepcopy(document), "servers": [{"url": "https://samsyn.example.org"}]}
    OpenAPIV30SpecValidator(served).validate()
    text = json.dumps(document)
    references = set(re.findall(r'"\$ref": "([^"]*)"', text))
    assert all(reference.startswith("#/components/") for reference in references)
    assert '"null"' not in text
    assert len({op["operationId"] for _, _, op in operations(document)}) == len(
        operations(document)
    )


def test_it_has_every_route(app: Flask, document: dict[str, Any]) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations(document)} == routes


def test_the_file_is_this_document(document: dict[str, Any]) -> None:
    stored = json.loads((CHECKOUT / "openapi" / "api.json").read_text())
    assert stored == document, "samsyn openapi > openapi/api.json writes it anew"


def test_it_is_served_to_all_callers(anonymous: Caller, owner: Caller) -> None:
    responses = [
        caller.client.get("/api/v1/openapi.json", headers=caller.headers)
        for caller in (anonymous, owner)
    ]
    assert responses[0].json == responses[1].json
    assert responses[0].json["servers"] == [{"url": "http://localhost"}]
    page = anonymous.client.get("/api/docs")
    assert page.mimetype == "text/html"
    assert "http://localhost/api/v1/openapi.json" in page.text
    assert set(re.findall(r'(?:src|href)="(https?://[^/"]+)', page.text)) == {"http://localhost"}


def test_every_operation_has_descriptions_and_examples(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert set(operation["tags"]) <= tags, where
        assert "503" in operation["responses"], where
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert "example" in content or "examples" in content, where
        good = {code: r for code, r in operation["responses"].items() if code < "300"}
        assert good, where


def test_examples_hold(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        full = resolved(document, operation)
        contents = list(full.get("requestBody", {}).get("content", {}).values())
        for response in full["responses"].values():
            contents += response.get("content", {}).values()
        for content in contents:
            for example in examples_of(content):
                errors = Draft202012Validator(content["schema"]).iter_errors(example)
                assert [error.message for error in errors] == [], f"{method} {path}"
    for model in MODELS:
        model.model_validate(document["components"]["examples"][model.__name__]["value"])


def examples_of(content: dict[str, Any]) -> list[Any]:
    alone = [content["example"]] if "example" in content else []
    return [*alone, *(names["value"] for names in content.get("examples", {}).values())]


def test_every_query_parameter_is_known_and_no_other(
    document: dict[str, Any], make_caller: MakeCaller
) -> None:
    caller = make_caller("administrator", admin=True)
    for path, method, operation in operations(document):
        if "{" not in path and operation["security"] == [{}]:
            continue
        address = re.sub(r"{\w+}", SOME_ID, path)
        parameters = resolved(document, operation["parameters"])
        names = [p["name"] for p in parameters if p["in"] == "query"]
        if "{" in path or method != "get":
            continue  # the object is looked up first
        for name in names:
            response = caller.client.get(f"{address}?{name}=%00", headers=caller.headers)
            assert f"Unknown query parameter {name!r}" not in response.text, f"{method} {path}"
        response = caller.client.get(f"{address}?colour=red", headers=caller.headers)
        assert response.status_code == 400, f"{method} {path}"


def test_who_may_send_requests(document: dict[str, Any], anonymous: Caller) -> None:
    for path, method, operation in operations(document):
        address = re.sub(r"{\w+}", SOME_ID, path)
        needs_user = {} not in operation["security"]
        response = anonymous.client.open(address, method=method.upper(), json={})
        if not needs_user:
            assert response.status_code != 401, f"{method} {path}"
        else:
            assert response.status_code in {401, 404}, f"{method} {path}"
