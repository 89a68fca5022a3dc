"""`/api/v1/titiler`: tiles, previews, values and information of GeoTIFFs."""

from urllib.parse import urlencode

from flask import Blueprint, Response, request

from samsyn_admin.rasters.admission import NotLookedAtError
from samsyn_admin.rasters.parameters import (
    DRAWING_PARAMETERS,
    REPEATABLE_PARAMETERS,
    parse_bands,
    parse_coordinate,
    parse_drawing,
    parse_side,
    parse_url,
    single_values_but,
)
from samsyn_admin.rasters.pictures import STATISTICS, entity_tag
from samsyn_admin.rasters.responses import (
    admission,
    document_response,
    not_yet_response,
    picture_response,
    pictures,
    tile_response,
)
from samsyn_model.errors import InvalidParameterError
from samsyn_model.permissions.actions import Action
from samsyn_provider.http.guard import requires

bp = Blueprint("rasters", __name__, url_prefix="/api/v1/titiler")
_SIDE = 256  # pixels


@bp.get("/tiles/<int:zoom>/<int:column>/<int:row>")
@requires(Action.READ_LAYER)
def raster_tile(zoom: int, column: int, row: int) -> Response:
    """Return a tile of Web Mercator of 256 pixels; outside the raster it is transparent."""
    values = single_values_but(request.args, ("url", *DRAWING_PARAMETERS), REPEATABLE_PARAMETERS)
    drawing = parse_drawing(values)
    return tile_response(admission().raster(parse_url(values)), drawing, zoom, column, row)


@bp.get("/preview")
@requires(Action.READ_LAYER)
def raster_preview() -> Response:
    """Return a picture of a whole raster, of at most `width` and `height` pixels; a transparent one
    while nobody has looked at it, or how it is drawn is not typed to its end."""
    known = ("url", "width", "height", *DRAWING_PARAMETERS)
    values = single_values_but(request.args, known, REPEATABLE_PARAMETERS)
    size = parse_side(values, "width", _SIDE), parse_side(values, "height", _SIDE)
    url = parse_url(values)
    try:
        drawing = parse_drawing(values)
        raster = admission().raster(url)
    # the web app asks at every key that is pressed, and gives an image up that has failed once
    except (InvalidParameterError, NotLookedAtError):
        return not_yet_response()
    tag = entity_tag(raster, "preview", *size, drawing.query)
    return picture_response(raster, tag, lambda: pictures().preview(raster, drawing, size, tag))


@bp.get("/info")
@requires(Action.READ_LAYER)
def raster_info() -> Response:
    """Return what a raster is: its bounds in WGS 84, its zoom levels and its bands."""
    values = single_values_but(request.args, ("url",), ())
    raster = admission().raster(parse_url(values), is_look=True)
    tag = entity_tag(raster, "info")
    response = document_response(
        tag, lambda: {"nodata": None, **pictures().document(raster, "/info", "", tag)}
    )
    admission().note_look(raster)
    return response


@bp.get("/statistics")
@requires(Action.READ_LAYER)
def raster_statistics() -> Response:
    """Return statistics of each band: of a sample of a large raster."""
    values = single_values_but(request.args, ("url", "bidx"), REPEATABLE_PARAMETERS)
    bands = parse_bands(values)
    raster = admission().raster(parse_url(values), is_look=True)
    query = urlencode([("bidx", band) for band in bands])
    tag = entity_tag(raster, "statistics", query)
    return document_response(tag, lambda: pictures().document(raster, STATISTICS, query, tag))


@bp.get("/point")
@requires(Action.READ_LAYER)
def raster_point() -> Response:
    """Return the values of a raster at a place."""
    values = single_values_but(request.args, ("url", "lon", "lat"), ())
    longitude = parse_coordinate(values, "lon", 180.0)
    latitude = parse_coordinate(values, "lat", 90.0)
    raster = admission().raster(parse_url(values))
    return document_response(None, lambda: pictures().values(raster, longitude, latitude))
