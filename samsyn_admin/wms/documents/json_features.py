"""Features out of JSON: GeoJSON, and what other servers send in its place."""

import json
from collections.abc import Iterator
from typing import Any

_LISTS = ("features", "results", "value", "items")
_MEMBERS = ("properties", "attributes")


def json_features(text: str) -> list[dict[str, Any]] | None:
    """Return the properties of each feature; None where the text is no JSON of features."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(document, list):
        entries = document
    elif isinstance(document, dict):
        lists = [document[name] for name in _LISTS if isinstance(document.get(name), list)]
        entries = lists[0] if lists else [document]
    else:
        return None
    return list(_properties(entries))


def _properties(entries: list[Any]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        if isinstance(entry, dict):
            members = [entry[name] for name in _MEMBERS if isinstance(entry.get(name), dict)]
            yield members[0] if members else entry
