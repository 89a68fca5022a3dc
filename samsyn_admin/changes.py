"""Bodies of PUT and PATCH: the members to change, and how objects merge (RFC 7396)."""

from collections.abc import Collection
from typing import Any

from flask import request

from samsyn_admin.request_body import read_json, refuse
from samsyn_model.errors import Fault

MERGE_PATCH = "application/merge-patch+json"


def read_change(ignored: Collection[str]) -> dict[str, Any]:
    """Return the members that a PUT or PATCH names, but for the `ignored`.

    Those are what a GET answers and nobody sets: what one got, one can put back. Raises the errors
    of `read_json`, and InvalidBodyError when the body is no object.
    """
    accepted = ("application/json", MERGE_PATCH) if request.method == "PATCH" else ()
    body = read_json(*accepted)
    if not isinstance(body, dict):
        refuse([Fault("", "Expected an object.")])
    return {name: value for name, value in body.items() if name not in ignored}


def merge_patch(current: Any, patch: Any) -> Any:
    """Return the value that a JSON merge patch makes of the current one."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
