"""`/api/v1/wms`: what web map servers say of themselves and of a place."""

from flask import Blueprint, Response, current_app, request

from samsyn_admin.http.responses import json_text, respond, version_of_content
from samsyn_admin.wms.admission import admitted
from samsyn_admin.wms.capabilities import FRESH as FRESH_CAPABILITIES
from samsyn_admin.wms.capabilities import CapabilitiesOfServers
from samsyn_admin.wms.feature_info import FRESH as FRESH_INFO
from samsyn_admin.wms.feature_info import Question, check_texts, feature_info
from samsyn_admin.wms.places import parse_bounds, parse_place
from samsyn_admin.wms.properties import Discovery, discover_properties
from samsyn_model.errors import InvalidParameterError
from samsyn_model.permissions.actions import Action
from samsyn_provider.http.guard import requires
from samsyn_provider.query.parameters import single_values

bp = Blueprint("wms", __name__, url_prefix="/api/v1/wms")
EXTENSION = "samsyn-wms"
"""Where the app has its CapabilitiesOfServers."""
_PLACE = ("bbox", "width", "height", "x", "y")
_INFO = ("url", "layers", *_PLACE, "info_format", "version", "time", "cql_filter")


def servers() -> CapabilitiesOfServers:
    """Return the capabilities of servers, as the app of this request knows them."""
    known: CapabilitiesOfServers = current_app.extensions[EXTENSION]
    return known


@bp.get("/capabilities")
@requires(Action.ASK_SERVERS)
def read_capabilities() -> Response:
    """Return the capabilities of a WMS: its layers, their styles, dimensions and bounds."""
    url = single_values(request.args, {"url"}).get("url", "").strip()
    document = servers().document(url, admitted(url))
    return _answer(document, FRESH_CAPABILITIES.seconds)


@bp.get("/feature-info")
@requires(Action.ASK_SERVERS)
def read_feature_info() -> Response:
    """Return what a WMS says of a pixel of the map: features, or a text that is safe in a page."""
    values = single_values(request.args, _INFO)
    _require(values, "url", "layers", *_PLACE)
    check_texts(values)
    url = values["url"].strip()
    place = parse_place(*(values[name] for name in _PLACE))
    question = Question(
        url,
        values["layers"],
        place,
        values.get("version"),
        values.get("time") or None,
        values.get("cql_filter") or None,
    )
    document = feature_info(servers(), question, admitted(url))
    return _answer(json_text(document).encode(), FRESH_INFO.seconds)


@bp.get("/discover-properties")
@requires(Action.ASK_SERVERS)
def read_properties() -> Response:
    """Return which properties the features of a layer of a WMS have, each with a value."""
    values = single_values(request.args, ("url", "layer", "bounds", "version"))
    _require(values, "url", "layer")
    check_texts({"layers": values["layer"], "version": values.get("version", "1.3.0")})
    url = values["url"].strip()
    bounds = parse_bounds(values["bounds"]) if "bounds" in values else None
    wanted = Discovery(url, values["layer"], bounds, values.get("version"))
    document = discover_properties(servers(), wanted, admitted(url))
    return _answer(json_text(document).encode(), 0)


def _require(values: dict[str, str], *names: str) -> None:
    for name in names:
        if not values.get(name, "").strip():
            raise InvalidParameterError(f"The query parameter {name!r} is missing.")


def _answer(document: bytes, max_age: int) -> Response:
    response = respond((document,), version_of_content(document))
    if max_age:
        response.headers["Cache-Control"] = f"private, max-age={max_age}"
    return response
