"""Bodies of PUT and PATCH: the members to change."""

from collections.abc import Collection
from typing import Any

from flask import request

from samsyn_model.errors import Fault
from samsyn_provider.http.media_types import MERGE_PATCH
from samsyn_provider.http.request_body import merge_patch, read_json, refuse

__all__ = ["merge_patch", "read_change", "same_json"]


def read_change(ignored: Collection[str]) -> dict[str, Any]:
    """Return the members of the body of a PUT or PATCH, without the `ignored`.

    Those are the read-only members of a GET's response, which can thus be sent back. Raises the
    errors of `read_json`, and InvalidBodyError when the body is not an object.
    """
    accepted = ("application/json", MERGE_PATCH) if request.method == "PATCH" else ()
    body = read_json(*accepted)
    if not isinstance(body, dict):
        refuse([Fault("", "Expected an object.")])
    return {name: value for name, value in body.items() if name not in ignored}


def same_json(one: Any, other: Any) -> bool:
    """Return whether two values are equal in JSON, where 1 equals 1.0 but not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
