"""Request bodies of searches: the query parameters as JSON members, or as a form."""

import json
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict

from samsyn_model.errors import Fault
from samsyn_provider.http.media_types import FORM, JSON
from samsyn_provider.http.request_body import read_form, read_json, refuse

_LISTS = frozenset({"bbox", "properties", "sortby"})


def read_search() -> tuple[dict[str, Any], MultiDict[str, str]]:
    """Return the request's body as the members of a JSON object, and as query parameters.

    A member has the name of the parameter: text, a number, true or false; `bbox`, `properties` and
    `sortby` may be arrays; `filter` may be an object, which is CQL2 JSON. Raises the errors of
    `read_json`; InvalidBodyError for any other value.
    """
    if request.mimetype == FORM:
        form = read_form()
        return form.to_dict(), form
    body = read_json(JSON, FORM)
    if not isinstance(body, dict):
        refuse([Fault("", "Expected an object of query parameters.")])
    if "f" in body:
        refuse([Fault("/f", "The media type of the response is a parameter of the URL.")])
    arguments = {name: _text(name, value) for name, value in body.items()}
    if isinstance(body.get("filter"), dict):
        arguments.setdefault("filter-lang", "cql2-json")
    return body, MultiDict(arguments)


def _text(name: str, value: Any) -> str:
    if isinstance(value, list) and name in _LISTS:
        parts = [_scalar(name, member) for member in value]
        if any("," in part for part in parts):
            refuse([Fault(f"/{name}", "A name in a list cannot contain a comma.")])
        return ",".join(parts)
    if isinstance(value, dict) and name == "filter":
        return json.dumps(value)
    return _scalar(name, value)


def _scalar(name: str, value: Any) -> str:
    if type(value) not in {str, bool, int, float}:
        refuse([Fault(f"/{name}", "This is not a value of a query parameter.")])
    return value if isinstance(value, str) else json.dumps(value)
