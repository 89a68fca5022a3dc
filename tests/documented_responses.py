"""Validates the responses of an app against its OpenAPI documents, of `/api` and of `/ogc`."""

import json
import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from flask import Flask, Response, current_app, request
from jsonschema_rs import Draft202012, Draft202012Validator, Registry

from samsyn_admin.openapi.document import api_document
from samsyn_provider.openapi import definition_source


class UndocumentedResponseError(AssertionError):
    """A response that the document does not describe."""


def validate_responses(app: Flask) -> None:
    """Fail the test on every response that the app's documents do not describe."""

    @app.after_request
    def check(response: Response) -> Response:
        fault = undocumented(response)
        if fault:
            raise UndocumentedResponseError(fault)
        return response


def undocumented(response: Response) -> str | None:
    """Return how the response to the current request deviates from the documents, or None."""
    if request.url_rule is None or request.method == "OPTIONS":
        return None
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", request.url_rule.rule)
    if path.startswith("/api/"):
        document = _api()
    elif path.startswith("/ogc") and not path.startswith("/ogc/static"):
        document = _ogc()
        path = re.sub(r"_([a-z])(?=\w*})", lambda letter: letter[1].upper(), path[4:]) or "/"
    else:
        return None
    method = "get" if request.method == "HEAD" else request.method.lower()
    return document.fault(path, method, response)


class _Document:
    """An OpenAPI document, whose schemas are read as JSON Schema, by `urn:document`."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        resources = [("urn:document", in_json_schema(content))]
        self._registry = Registry(resources, draft=Draft202012)
        self._validators: dict[tuple[str, ...], Draft202012Validator] = {}

    def fault(self, path: str, method: str, response: Response) -> str | None:
        """Return how a response to this operation deviates from the document, or None."""
        operation = self.content["paths"][path].get(method)
        if operation is None or response.status_code == 405:
            return None
        where = f"{request.method} {request.full_path}: {response.status_code}"
        documented = operation["responses"].get(str(response.status_code))
        if documented is None:
            return f"{where} is not documented"
        if "$ref" in documented:
            documented = self.content["components"]["responses"][
                documented["$ref"].rsplit("/", 1)[1]
            ]
        media_types = {
            media_type.split(";")[0]: content
            for media_type, content in documented.get("content", {}).items()
        }
        if request.method == "HEAD" or response.status_code == 304 or not response.data:
            return None
        if response.mimetype not in media_types:
            return f"{where} is {response.mimetype}"
        if not re.search(r"[/+]json$", response.mimetype):
            return None
        key = (path, method, str(response.status_code), response.mimetype)
        if key not in self._validators:
            schema = _absolute(in_json_schema(media_types[response.mimetype]["schema"]))
            self._validators[key] = Draft202012Validator(schema, registry=self._registry)
        value = json.loads(response.data, parse_int=_integer, parse_float=_number)
        for error in self._validators[key].iter_errors(value):
            return f"{where}: /{'/'.join(map(str, error.instance_path))} {error.message[:300]}"
        return None


@lru_cache(maxsize=1)
def _ogc() -> _Document:
    return _Document(definition_source())


@lru_cache(maxsize=1)
def _api() -> _Document:
    return _Document(api_document(current_app))  # every app has the same routes


def _integer(digits: str) -> int | Decimal:
    """Return a number of the response; Python refuses to convert thousands of digits."""
    return int(digits) if len(digits) < 4000 else Decimal(digits)


def _number(digits: str) -> float | Decimal:
    """Return a number of the response; one too large for a float is not infinite."""
    number = float(digits)
    return number if math.isfinite(number) else Decimal(digits)


def in_json_schema(value: Any) -> Any:
    """Return a schema of OpenAPI 3.0 as JSON Schema: `nullable` becomes a type."""
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
