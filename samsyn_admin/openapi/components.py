"""Components of the management API's OpenAPI document: schemas, responses, examples."""

import re
from collections.abc import Mapping
from typing import Any

from samsyn_provider import openapi

_REFERENCE = re.compile(r"#/components/(\w+)/([^'\"]+)")

Components = dict[str, dict[str, Any]]


def components(
    paths: Mapping[str, Any], definitions: Mapping[str, Any], models: Mapping[str, Any]
) -> Components:
    """Return the components that the operations in `paths` refer to, and the security schemes.

    They come from the `definitions` of `openapi/api.yaml`, from the models' schemas, and from the
    document of the OGC API; its cookie is none of the management API.
    """
    ogc = openapi.definition_source()["components"]
    available: Components = {
        **ogc,
        "examples": _examples(definitions),
        "responses": {**ogc["responses"], **_problems(definitions)},
        "schemas": {
            **ogc["schemas"],
            **{name: _without_example(schema) for name, schema in definitions["schemas"].items()},
            **models,
        },
    }
    reachable = _reachable(available, paths)
    referenced = {
        kind: {name: value for name, value in members.items() if (kind, name) in reachable}
        for kind, members in available.items()
    }
    referenced["securitySchemes"] = {
        name: scheme
        for name, scheme in available["securitySchemes"].items()
        if scheme["type"] == "http"
    }
    return {kind: members for kind, members in referenced.items() if members}


def _reachable(available: Components, paths: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return the kinds and names of the components that are reachable from the paths."""
    reachable: set[tuple[str, str]] = set()
    pending: list[Any] = [paths]
    while pending:
        for kind, name in _REFERENCE.findall(str(pending.pop())):
            if (kind, name) not in reachable:
                reachable.add((kind, name))
                pending.append(available[kind][name])
    return reachable


def _without_example(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "example"}


def _examples(definitions: Mapping[str, Any]) -> dict[str, Any]:
    examples = {
        name: schema["example"]
        for name, schema in definitions["schemas"].items()
        if "example" in schema
    }
    lists = {f"{entry['list']}" for entry in definitions["operations"].values() if "list" in entry}
    listed = {f"{name}List": [examples[name]] for name in sorted(lists)}
    all_examples = {**examples, **listed, **definitions["examples"]}
    return {name: {"value": value} for name, value in all_examples.items()}


def _problems(definitions: Mapping[str, Any]) -> dict[str, Any]:
    content = {"schema": {"$ref": "#/components/schemas/Problem"}}
    media_types = ("application/json", "application/problem+json")
    return {
        f"Problem{code}": {
            "description": description,
            "content": dict.fromkeys(media_types, content),
        }
        for code, description in definitions["errors"].items()
    }
