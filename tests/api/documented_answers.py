"""Holds the answers of an app to its OpenAPI document."""

import re
from typing import Any

from flask import Flask, Response, request
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from samsyn_admin.api_definition import api_document


class UndocumentedAnswerError(AssertionError):
    """An answer that the document does not describe."""


def hold_to_document(app: Flask) -> None:
    """Let every answer of `/api` that the document does not describe fail the test."""

    @app.after_request
    def check(response: Response) -> Response:
        found = undocumented(app, response)
        if found:
            raise UndocumentedAnswerError(found)
        return response


def undocumented(app: Flask, response: Response) -> str | None:
    """What of an answer to the present request the document does not say, None when nothing."""
    rule = request.url_rule
    if rule is None or not rule.rule.startswith("/api/") or request.method == "OPTIONS":
        return None
    document = api_document(app)
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
    method = "get" if request.method == "HEAD" else request.method.lower()
    operation = document["paths"][path].get(method)
    if operation is None or response.status_code in {304, 405}:
        return None
    where = f"{request.method} {request.full_path}: {response.status_code}"
    answer = operation["responses"].get(str(response.status_code))
    if answer is None:
        return f"{where} is not documented"
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    content = answer.get("content", {})
    if not content or request.method == "HEAD" or not response.data:
        return None
    if response.mimetype not in content:
        return f"{where} is {response.mimetype}"
    if response.mimetype == "text/html":
        return None
    return _fault(document, content[response.mimetype]["schema"], response.json, where)


def _fault(document: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> str | None:
    resource = DRAFT202012.create_resource(in_json_schema(document))
    registry: Registry[Any] = Registry().with_resource("urn:document", resource)
    validator = Draft202012Validator(_absolute(in_json_schema(schema)), registry=registry)
    for error in validator.iter_errors(value):
        return f"{where}: /{'/'.join(map(str, error.absolute_path))} {error.message[:300]}"
    return None


def in_json_schema(value: Any) -> Any:
    """A schema of OpenAPI 3.0 in the words of JSON Schema: `nullable` becomes a type."""
    if isinstance(value, list):
        return [in_json_schema(member) for member in value]
    if not isinstance(value, dict):
        return value
    schema = {name: in_json_schema(member) for name, member in value.items()}
    if schema.pop("nullable", False) is True and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    return schema


def _absolute(value: Any) -> Any:
    if isinstance(value, list):
        return [_absolute(member) for member in value]
    if isinstance(value, dict):
        return {
            name: f"urn:document{member}"
            if name == "$ref" and isinstance(member, str) and member.startswith("#")
            else _absolute(member)
            for name, member in value.items()
        }
    return value
