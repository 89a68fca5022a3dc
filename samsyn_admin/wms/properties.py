"""Which properties the features of a WMS layer have, found out at a few places of it."""

import re
from dataclasses import dataclass
from typing import Any

from samsyn_admin.outgoing.callers import Caller
from samsyn_admin.wms.capabilities import CapabilitiesOfServers, Summary
from samsyn_admin.wms.documents.feature_info import MAX_PROPERTIES, InfoText
from samsyn_admin.wms.documents.texts import well_formed
from samsyn_admin.wms.feature_info import Question, ask, known_summary
from samsyn_admin.wms.places import Place
from samsyn_admin.wms.responses import begin
from samsyn_model.errors import RemoteServerError

Bounds = tuple[float, float, float, float]

_WORLD: Bounds = (-180.0, -85.0, 180.0, 85.0)
_SECONDS = 15.0
_MAX_VALUE = 200
_COARSE, _FINE = 3, 101
_PLACES = ((_COARSE, 1, 1), (_FINE, 50, 50), (_FINE, 25, 25), (_FINE, 75, 75), (_FINE, 25, 75))
"""Pixels of an image of a layer, and one of them: in a coarse image a pixel is near much."""
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d+)?([eE][+-]?\d{1,3})?")


@dataclass(frozen=True, slots=True)
class Discovery:
    """A layer whose properties are looked for: within bounds, by default its own."""

    url: str
    layer: str
    bounds: Bounds | None = None
    version: str | None = None


def discover_properties(
    servers: CapabilitiesOfServers, wanted: Discovery, caller: Caller
) -> dict[str, Any]:
    """Return the properties of the first features that are found, each with a value.

    A failure of the server is told in the result. Raises InvalidParameterError for an address that
    may not be asked, TooManyRequestsError, NotConfiguredError.
    """
    try:
        summary = known_summary(servers, wanted.url, caller)
        area = wanted.bounds or _bounds_of(summary, wanted.layer)
        asking = begin(servers.outgoing, caller, _SECONDS)
        for size, x, y in _PLACES:
            place = Place(*area, size, size, x, y)
            question = Question(wanted.url, wanted.layer, place, wanted.version)
            found = ask(asking, question, summary)
            if isinstance(found, InfoText):
                return _result([], "The server describes its features in a text alone.")
            properties = _described(found)
            if properties:
                return _result(properties, f"{len(properties)} properties were found.")
    except RemoteServerError as error:
        return {**_result([], "The server cannot be asked."), "error": error.detail}
    return _result([], "No feature was found in the layer's area.")


def _bounds_of(summary: Summary, layer: str) -> Bounds:
    bounds = summary.layers.get(layer, {}).get("bounds")
    if bounds is None or not (bounds[0] < bounds[2] and bounds[1] < bounds[3]):
        return _WORLD
    return tuple(bounds)


def _result(properties: list[dict[str, Any]], message: str) -> dict[str, Any]:
    return {"properties": properties, "message": message}


def _described(features: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each property's name, a value as text, and its type; a value rather than none."""
    values: dict[str, Any] = {}
    for feature in features:
        for name, value in feature.items():
            if values.get(name) is None and len(values) < MAX_PROPERTIES:
                values[name] = value
    return [
        {"name": well_formed(name), "sampleValue": _sample(value), "type": _type(value)}
        for name, value in values.items()
        if not isinstance(value, dict | list)
    ]


def _sample(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else well_formed(str(value).strip()[:_MAX_VALUE])


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    is_number = isinstance(value, int | float) or _NUMBER.fullmatch(str(value).strip())
    return "number" if is_number else "string"
