"""Bodies of PUT and PATCH: the members to change."""

from collections.abc import Collection
from typing import Any

from flask import request

from samsyn_model.errors import Fault
from samsyn_provider.media_types import MERGE_PATCH
from samsyn_provider.request_body import merge_patch, read_json, refuse

__all__ = ["merge_patch", "read_change"]


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
