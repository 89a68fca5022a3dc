"""What the operations of the management API's document refer to: its schemas, answers, examples."""

import re
from collections.abc import Mapping
from typing import Any

from samsyn_provider import openapi

_REFERENCE = re.compile(r"#/components/(\w+)/([^'\"]+)")

Components = dict[str, dict[str, Any]]


def components(
    paths: Mapping[str, Any], said: Mapping[str, Any], models: Mapping[str, Any]
) -> Components:
    """Return the components that the operations in `paths` need, and no others.

    They come from what `openapi/api.yaml` says, from the models' schemas, and from the OGC side's
    document. The security schemes are all kept.
    """
    ogc = openapi.definition_source()["components"]
    known: Components = {
        **ogc,
        "examples": _examples(said),
        "responses": {**ogc["responses"], **_problems(said)},
        "schemas": {
            **ogc["schemas"],
            **{name: _without_example(schema) for name, schema in said["schemas"].items()},
            **models,
        },
    }
    needed = _needed(known, paths)
    kept = {
        kind: {name: value for name, value in members.items() if (kind, name) in needed}
        for kind, members in known.items()
    }
    kept["securitySchemes"] = known["securitySchemes"]
    return {kind: members for kind, members in kept.items() if members}


def _needed(known: Components, paths: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return the kinds and names of the components that are reached from the paths."""
    needed: set[tuple[str, str]] = set()
    waiting: list[Any] = [paths]
    while waiting:
        for kind, name in _REFERENCE.findall(str(waiting.pop())):
            if (kind, name) not in needed:
                needed.add((kind, name))
                waiting.append(known[kind][name])
    return needed


def _without_example(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "example"}


def _examples(said: Mapping[str, Any]) -> dict[str, Any]:
    answered = {
        name: schema["example"] for name, schema in said["schemas"].items() if "example" in schema
    }
    lists = {f"{entry['list']}" for entry in said["operations"].values() if "list" in entry}
    listed = {f"{name}List": [answered[name]] for name in sorted(lists)}
    every = {**answered, **listed, **said["examples"]}
    return {name: {"value": value} for name, value in every.items()}


def _problems(said: Mapping[str, Any]) -> dict[str, Any]:
    content = {"schema": {"$ref": "#/components/schemas/Problem"}}
    kinds = ("application/json", "application/problem+json")
    return {
        f"Problem{code}": {"description": words, "content": dict.fromkeys(kinds, content)}
        for code, words in said["errors"].items()
    }
