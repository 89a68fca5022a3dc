"""Responses with rasters: kept by clients, the same for all who may have them."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, jsonify, request

from samsyn_admin.outgoing.kept_responses import KeptResponses
from samsyn_admin.rasters.admission import Admission, Raster
from samsyn_admin.rasters.parameters import Drawing
from samsyn_admin.rasters.pictures import Pictures, entity_tag
from samsyn_admin.rasters.tiler import Tiler
from samsyn_admin.tiler.png import INDEXED, MEDIA_TYPE, png
from samsyn_model.settings import Settings
from samsyn_provider.http.deployment import shared_storage

_EXTENSION = "samsyn-rasters"
_MAX_ZOOM = 24
_MAX_AGE, _OUTSIDE_MAX_AGE, _OWN_MAX_AGE = 900, 3600, 300  # seconds
_SIDE = 256  # pixels


def install(app: Flask, settings: Settings, kept: KeptResponses) -> None:
    """Give the app its rasters."""
    admitted = Admission(kept, frozenset(settings.outgoing_allow))
    app.extensions[_EXTENSION] = (admitted, Pictures(Tiler(settings)))


def admission() -> Admission:
    """Return what says which rasters there are for the caller."""
    found: Admission = current_app.extensions[_EXTENSION][0]
    return found


def pictures() -> Pictures:
    """Return what makes pictures, and keeps them."""
    found: Pictures = current_app.extensions[_EXTENSION][1]
    return found


def tile_response(raster: Raster, drawing: Drawing, z: int, x: int, y: int) -> Response:
    """Return a tile of Web Mercator of 256 pixels, a transparent one outside the raster.

    Raises the errors of Pictures.
    """
    if z > _MAX_ZOOM or x >= 1 << z or y >= 1 << z:
        return _empty_tile(raster)
    tag = entity_tag(raster, "tile", z, x, y, drawing.query)
    return picture_response(raster, tag, lambda: pictures().tile(raster, drawing, (z, x, y), tag))


def picture_response(raster: Raster, tag: str, picture: Callable[[], bytes]) -> Response:
    """Return a picture under its entity tag: 304 where the client has it already."""
    if request.if_none_match.contains_weak(tag):
        return _complete(Response(b"", HTTPStatus.NOT_MODIFIED), raster, tag)
    content = picture()
    if not content:
        return _empty_tile(raster)
    return _complete(Response(content, content_type=MEDIA_TYPE), raster, tag)


def document_response(tag: str | None, document: Callable[[], Any]) -> Response:
    """Return a JSON document about a raster, under its entity tag where it has one."""
    if tag is not None and request.if_none_match.contains_weak(tag):
        response = Response(b"", HTTPStatus.NOT_MODIFIED)
    else:
        response = jsonify(document())
    if tag is not None:
        response.headers["ETag"] = f'W/"{tag}"'
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    return response


def for_readers_of_layer(response: Response, *, is_public: bool) -> Response:
    """Return a picture of a file of another server that was asked for by a layer that has it: of
    what anybody may read shared caches keep it for a moment, else none does."""
    max_age = response.cache_control.max_age or 0
    storage = shared_storage(is_public=is_public)
    response.headers["Cache-Control"] = f"{storage}, max-age={max_age}"
    response.headers["Vary"] = "Authorization"
    return response


def not_yet_response() -> Response:
    """Return a transparent picture, which nobody keeps: in place of one that there may be later."""
    return Response(_EMPTY, content_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})


def _complete(response: Response, raster: Raster, tag: str) -> Response:
    response.headers["ETag"] = f'"{tag}"'
    response.headers["Cache-Control"] = (
        f"private, max-age={_OWN_MAX_AGE}" if raster.is_ours else f"public, max-age={_MAX_AGE}"
    )
    if raster.is_ours:
        response.headers["Vary"] = "Authorization"
    return response


def _empty_tile(raster: Raster) -> Response:
    response = Response(_EMPTY, content_type=MEDIA_TYPE)
    scope = "private" if raster.is_ours else "public"
    response.headers["Cache-Control"] = f"{scope}, max-age={_OUTSIDE_MAX_AGE}"
    return response


def _transparent_png() -> bytes:
    """Return a PNG of nothing: a bit for each pixel, of a palette of one transparent colour."""
    lines = bytes(_SIDE * (1 + _SIDE // 8))
    colour = ((b"PLTE", bytes(3)), (b"tRNS", bytes(1)))
    return png((_SIDE, _SIDE), 1, INDEXED, lines, 9, *colour)


_EMPTY = _transparent_png()
