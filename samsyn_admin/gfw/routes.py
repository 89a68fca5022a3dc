"""`/api/v1/gfw`: vector tiles of Global Fishing Watch, at the paths of its own API."""

import hashlib
from functools import partial
from http import HTTPStatus

from flask import Blueprint, Response, current_app, jsonify, request

from samsyn_admin.gfw.heatmap import PARAMETERS, check_tile, parse_heatmap
from samsyn_admin.gfw.tiles import FishingTiles
from samsyn_admin.outgoing.callers import Caller
from samsyn_model.permissions.actions import Action
from samsyn_provider.http.guard import caller_key, requires, spend
from samsyn_provider.query.parameters import single_values
from samsyn_provider.rates.rate_limits import Rate

bp = Blueprint("gfw", __name__, url_prefix="/api/v1/gfw")
MVT = "application/vnd.mapbox-vector-tile"
_MAX_AGE = 86_400  # seconds
EXTENSION = "samsyn-fishing-tiles"
"""Where the app has its FishingTiles."""


def _tiles() -> FishingTiles:
    tiles: FishingTiles = current_app.extensions[EXTENSION]
    return tiles


@bp.get("/health")
@requires(Action.READ_PUBLIC)
def fishing_watch_status() -> Response:
    """Tell whether the server has a token of Global Fishing Watch."""
    single_values(request.args, ())
    is_configured = _tiles().is_configured
    status = "ok" if is_configured else "not_configured"
    return jsonify(status=status, configured=is_configured)


@bp.get("/v3/4wings/tile/heatmap/<int:z>/<int:x>/<int:y>")
@requires(Action.READ_PUBLIC)
def heatmap_tile(z: int, x: int, y: int) -> Response:
    """Return a vector tile of Global Fishing Watch; 204 where nobody was fishing."""
    heatmap = parse_heatmap(single_values(request.args, PARAMETERS))
    check_tile(z, x, y)
    caller = Caller(caller_key() or "unknown", partial(spend, Rate.TILES))
    tile = _tiles().tile(heatmap, z, x, y, caller)
    tag = hashlib.sha256(tile.content).hexdigest()[:32]
    max_age = min(tile.max_age, _MAX_AGE)
    headers = {"ETag": f'W/"{tag}"', "Cache-Control": f"public, max-age={max_age}"}
    if request.if_none_match.contains_weak(tag):
        return Response(b"", HTTPStatus.NOT_MODIFIED, headers)
    status = HTTPStatus.OK if tile.content else HTTPStatus.NO_CONTENT
    return Response(tile.content, status, headers, content_type=MVT)
