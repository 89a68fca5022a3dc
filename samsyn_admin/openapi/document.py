"""The OpenAPI document of the management API.

Paths and methods come from the routes, permitted callers from the declared actions, bodies from the
models that validate them, the features' operations from the document of the OGC API. The rest is in
`openapi/api.yaml`.
"""

import re
from functools import lru_cache
from typing import Any

import yaml
from flask import Flask
from werkzeug.routing import Rule

from samsyn_admin.comments.schemas import CommentCreate
from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.schemas import ImportCreate, ImportUndo, ReadChoices
from samsyn_admin.layers.history.schemas import FeatureRestore, FeatureUndo
from samsyn_admin.layers.indexes import LayerIndexes
from samsyn_admin.layers.schemas import LayerCreate
from samsyn_admin.maps.schemas import (
    CollaboratorCreate,
    CollaboratorUpdate,
    MapCreate,
    MapDuplicate,
    MapLayerCreate,
    MapLayerUpdate,
    Person,
    Reorder,
)
from samsyn_admin.openapi.components import components
from samsyn_admin.openapi.model_schemas import changed_schema, model_schemas
from samsyn_admin.subscriptions.schemas import SubscriptionCreate, SubscriptionUpdate
from samsyn_admin.users.tokens import TokenCreate
from samsyn_admin.wms.servers.schemas import WMSServerCreate, WMSServerUpdate
from samsyn_model.permissions.actions import READING_BY_POST, Action
from samsyn_model.settings import CHECKOUT
from samsyn_provider import openapi
from samsyn_provider.http.guard import UNGUARDED, declared_action
from samsyn_provider.http.media_types import MERGE_PATCH

MODELS = (
    *(MapCreate, MapDuplicate, Person, CollaboratorCreate, CollaboratorUpdate),
    *(MapLayerCreate, MapLayerUpdate, Reorder, LayerCreate, LayerIndexes),
    *(WMSServerCreate, WMSServerUpdate, SubscriptionCreate, SubscriptionUpdate),
    *(CommentCreate, TokenCreate, ImportCreate, ImportChoices, ImportUndo, ReadChoices),
    *(FeatureRestore, FeatureUndo),
)
"""The models of request bodies."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_JSON = "application/json"
_MEDIA_TYPES = {
    "Page": "text/html",
    "UnsubscribePage": "text/html",
    "Picture": "image/png",
    "Events": "text/event-stream",
    "VectorTile": "application/vnd.mapbox-vector-tile",
    "GeoTIFF": "image/tiff",
    "GeoTIFFPart": "image/tiff",
    "Capabilities": "application/xml",
}
_PAGE_HEADERS = ("X-Total-Count", "Link")
_OF_USERS = frozenset({Action.SIGNED_IN, Action.READ_AUDIT})
_CALLERS: dict[Action | None, str] = {
    **{action: f"callers who may {action.value}" for action in Action},
    Action.READ_PUBLIC: "all callers, signed in or not",
    Action.SIGNED_IN: "callers who are signed in",
    Action.WEBHOOK: "Clerk, which signs its events",
    Action.UNSUBSCRIBE: "whoever has the link of a mail",
}


@lru_cache(maxsize=1)
def source() -> dict[str, Any]:
    """Return the content of `openapi/api.yaml`."""
    loaded: dict[str, Any] = yaml.safe_load((CHECKOUT / "openapi" / "api.yaml").read_text())
    return loaded


@lru_cache(maxsize=1)
def api_document(app: Flask) -> dict[str, Any]:
    """Return the document of an app, without the URL of its server.

    Raises KeyError for a route that `openapi/api.yaml` does not describe.
    """
    definitions = source()
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if rule.rule.startswith("/api/") and methods:
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            for method in methods:
                paths.setdefault(path, {})[method.lower()] = _operation(app, rule, method)
    return {
        "openapi": "3.0.3",
        "info": definitions["info"],
        "servers": [{"url": "/", "description": "This server"}],
        "tags": definitions["tags"],
        "paths": paths,
        "components": components(paths, definitions, model_schemas(MODELS)),
    }


def _operation(app: Flask, rule: Rule, method: str) -> dict[str, Any]:
    entry = source()["operations"][rule.endpoint]
    if "ogc" in entry:
        return _ogc_operation(entry, rule)
    action = declared_action(app, rule.endpoint)
    view = app.view_functions[rule.endpoint]
    name = rule.endpoint.rsplit(".", maxsplit=1)[-1]
    operation: dict[str, Any] = {
        "tags": [entry["tag"]],
        "operationId": f"{name}_{method.lower()}" if method in {"PUT", "PATCH"} else name,
        "summary": (view.__doc__ or "").split("\n")[0].rstrip("."),
        "description": f"For {_CALLERS[action]}.",
        "security": _security(action, method),
        "parameters": _parameters(entry, rule, method),
        "responses": _responses(entry, rule, method, action),
    }
    body = _body(entry, method)
    if body:
        operation["requestBody"] = body
    return operation


def _security(action: Action | None, method: str) -> list[dict[str, list[str]]]:
    signed_in: list[dict[str, list[str]]] = [{"bearer": []}, {"basic": []}]
    if action in UNGUARDED:
        return [{}]
    is_open = method in _SAFE or action in READING_BY_POST
    return [{}, *signed_in] if is_open and action not in _OF_USERS else signed_in


def _parameters(entry: dict[str, Any], rule: Rule, method: str) -> list[dict[str, Any]]:
    defined = source()["parameters"]
    parameters = [defined[name] for name in sorted(rule.arguments) if name in defined]
    parameters += [defined[name] for name in entry.get("query", ())]
    if _is_conditional(entry, method):
        parameters.append(defined["If-None-Match"])
    elif "change" in entry or entry.get("versioned"):
        parameters.append(defined["If-Match"])
    return parameters


def _is_conditional(entry: dict[str, Any], method: str) -> bool:
    """Return whether the response has an entity tag for `If-None-Match`."""
    return method in _SAFE and "response" in entry and bool(entry.get("strict", True))


def _body(entry: dict[str, Any], method: str) -> dict[str, Any] | None:
    name = entry.get("change") or entry.get("body")
    if name is None:
        return None
    media_types = entry.get("media_types", [_JSON, *([MERGE_PATCH] if method == "PATCH" else [])])
    if isinstance(media_types, dict):  # with the schema of each
        return {
            "required": True,
            "content": {
                kind: {
                    "schema": {"$ref": f"#/components/schemas/{schema}"},
                    "examples": _example(schema),
                }
                for kind, schema in media_types.items()
            },
        }
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{name}"}
    if "change" in entry and name in {model.__name__ for model in MODELS}:
        schema = changed_schema(next(model for model in MODELS if model.__name__ == name))
    return {
        "required": not entry.get("optional", False),
        "content": {kind: {"schema": schema, "examples": _example(name)} for kind in media_types},
    }


def _responses(
    entry: dict[str, Any], rule: Rule, method: str, action: Action | None
) -> dict[str, Any]:
    status = entry.get("status", {"POST": 201, "DELETE": 204}.get(method, 200))
    responses = {status: _response(entry, status)}
    for code, schema in entry.get("other_responses", {}).items():
        responses[code] = _described_response(schema)
    if entry.get("file"):
        responses |= _file_responses(responses[status])
    if _is_conditional(entry, method):
        responses[304] = {"$ref": "#/components/responses/NotModified"}
    for code in _error_codes(entry, rule, method, action):
        responses.setdefault(code, _error(code))
    return {str(code): responses[code] for code in sorted(responses)}


def _response(entry: dict[str, Any], status: int) -> dict[str, Any]:
    headers = {"ETag": {"schema": {"type": "string"}}}
    if "list" in entry:
        name = entry["list"]
        schema = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
        content = {"schema": schema, "examples": _example(f"{name}List")}
        page_headers = {name: {"schema": {"type": "string"}} for name in _PAGE_HEADERS}
        return {"description": "The list", "headers": page_headers, "content": {_JSON: content}}
    if "response" not in entry:
        return {"description": "Done"}
    response = _described_response(entry["response"])
    for kind in entry.get("alternatives", ()):
        response["content"][kind] = {"schema": {"type": "string"}}
    if status == 201:
        headers["Location"] = {"schema": {"type": "string", "format": "uri"}}
    return {**response, "headers": headers} if entry.get("strict", True) else response


def _file_responses(response: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the responses where that of a resource may be a file instead."""
    file = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    location = {"Location": {"schema": {"type": "string", "format": "uri"}}}
    return {
        200: {**response, "content": {**response["content"], **file}},
        303: {"description": "The file, at an address valid for ten minutes", "headers": location},
    }


def _described_response(name: str) -> dict[str, Any]:
    schema = source()["schemas"][name]
    description = schema.get("description", f"The {re.sub('(?<!^)([A-Z])', r' \1', name).lower()}")
    if "type" not in schema:
        return {"description": description}
    media_type = _MEDIA_TYPES.get(name, _JSON)
    content = {
        "schema": {"$ref": f"#/components/schemas/{name}"},
        "examples": _example(name),
    }
    return {"description": description, "content": {media_type: content}}


def _example(name: str) -> dict[str, Any]:
    return {"example": {"$ref": f"#/components/examples/{name}"}}


def _error(code: int) -> dict[str, Any]:
    return {"$ref": f"#/components/responses/Problem{code}"}


def _error_codes(entry: dict[str, Any], rule: Rule, method: str, action: Action | None) -> set[int]:
    codes = {503, *entry.get("errors", ())}
    has_body = "body" in entry or "change" in entry
    if entry.get("strict", True):
        codes.add(400)
    if action not in UNGUARDED:
        is_reading = method in _SAFE or action in READING_BY_POST
        codes |= {401, 429} if is_reading else {401, 403, 429}
        if has_body:
            codes |= {408, 413, 415, 422}
    if rule.arguments or "Person" in (entry.get("body"),):
        codes.add(404)
    if "change" in entry or entry.get("versioned"):
        codes.add(412)
    return codes


def _ogc_operation(entry: dict[str, Any], rule: Rule) -> dict[str, Any]:
    """Return an operation of the OGC API's document, whose components are in this document too."""
    ogc_operation = next(
        operation
        for path in openapi.definition_source()["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and operation.get("operationId") == entry["ogc"]
    )
    defined = source()["parameters"]
    in_path = [defined["collection_id"]]
    if "feature_id" in rule.arguments:
        in_path.append(defined["feature_id_in_path"])
    in_query = [defined[name] for name in entry.get("query", ())]
    return {
        "security": [{}, {"bearer": []}, {"basic": []}],
        **ogc_operation,
        "tags": [entry["tag"]],
        "parameters": [*in_path, *ogc_operation.get("parameters", ()), *in_query],
    }
