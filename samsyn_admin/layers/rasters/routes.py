"""Rasters of layers for GDAL, QGIS and browsers: `/api/v1/layers/{id}/file`, and how tiles are
found."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from samsyn_admin.http.byte_ranges import respond_bytes
from samsyn_admin.http.responses import respond, version_of
from samsyn_admin.layers.rasters.documents import tilejson, wmts_capabilities
from samsyn_admin.layers.rasters.reader import raster_reader, ticket_for_tiles
from samsyn_admin.layers.rasters.stored_files import find_file
from samsyn_admin.layers.rasters.tiles import drawing_of, own_raster, remote_address, tile_columns
from samsyn_admin.layers.rasters.times import parsed_time
from samsyn_admin.rasters.parameters import (
    DRAWING_PARAMETERS,
    REPEATABLE_PARAMETERS,
    single_values_but,
)
from samsyn_admin.rasters.responses import admission, for_readers_of_layer, tile_response
from samsyn_model.database.transactions import reading
from samsyn_model.errors import InvalidParameterError
from samsyn_model.permissions.actions import Action
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import requires
from samsyn_provider.query.parameters import parse_boolean, parse_key, single_values

bp = Blueprint("layer_rasters", __name__, url_prefix="/api/v1/layers")

_GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
_OPERATION = {
    "service": {"wmts", "wms"},
    "request": {"getcapabilities"},
    "version": {"1.0.0"},
}
_VALID = 600  # seconds in which a client has to begin to read from a bucket


@bp.get("/<layer_id>/file")
@requires(Action.READ_LAYER)
def read_file(layer_id: str) -> Response:
    """Return the cloud-optimised GeoTIFF of a layer, or a part of it; `original=true` what was
    uploaded. Of several times the newest, or that of `time`."""
    values = single_values(request.args, {"ticket", "time", "original"})
    is_original = parse_boolean("original", values.get("original", "false"))
    key = parse_key(layer_id, "layer")
    with reading(deployment().engine) as connection:
        raster_reader(connection, key, values.get("ticket"))
        file = find_file(connection, key, _time(values))
    stored = file.original_key if is_original else file.key
    return _sent(stored, f"{file.id.hex}{'-original' if is_original else ''}", file)


@bp.get("/<layer_id>/tilejson.json")
@requires(Action.READ_LAYER)
def read_tilejson(layer_id: str) -> Response:
    """Return the TileJSON of a layer's tiles, whose address has a ticket."""
    values = single_values(request.args, {"ticket", "time"})
    moment = _time(values)
    key = parse_key(layer_id, "layer")
    with reading(deployment().engine) as connection:
        reader, row = raster_reader(connection, key, values.get("ticket"))
        ticket = ticket_for_tiles(connection, reader, key, values.get("ticket"))
    return respond(tilejson(row, ticket, moment), version_of(row.updated_at))


@bp.get("/<layer_id>/wmts.xml")
@requires(Action.READ_LAYER)
def read_wmts(layer_id: str) -> Response:
    """Return the WMTS capabilities of a layer's tiles (OGC 07-057r7), whose addresses have a
    ticket."""
    values = single_values(_without_operation(request.args), {"ticket"})
    key = parse_key(layer_id, "layer")
    with reading(deployment().engine) as connection:
        reader, row = raster_reader(connection, key, values.get("ticket"))
        ticket = ticket_for_tiles(connection, reader, key, values.get("ticket"))
    response = Response(wmts_capabilities(row, ticket), content_type="application/xml")
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    return response


@bp.get("/<layer_id>/raster/tiles/<int:zoom>/<int:column>/<int:row>")
@requires(Action.READ_LAYER)
def layer_tile(layer_id: str, zoom: int, column: int, row: int) -> Response:
    """Return a tile of a GeoTIFF layer, of 256 pixels, drawn as the layer is by default."""
    known = ("ticket", "time", *DRAWING_PARAMETERS)
    values = single_values_but(request.args, known, REPEATABLE_PARAMETERS)
    moment, key = _time(values), parse_key(layer_id, "layer")
    with reading(deployment().engine) as connection:
        reader, layer = raster_reader(
            *(connection, key, values.get("ticket")),
            columns=tile_columns,
            values={"moment": moment},
        )
    raster = own_raster(layer)
    drawn = {name: values[name] for name in DRAWING_PARAMETERS if name in values}
    drawing = drawing_of(layer, drawn)
    if raster is not None:
        return tile_response(raster, drawing, zoom, column, row)
    raster = admission().raster(remote_address(layer, moment))
    response = tile_response(raster, drawing, zoom, column, row)
    return for_readers_of_layer(response, is_public=reader.is_anonymous)


def _sent(key: str, tag: str, file: Any) -> Response:
    from samsyn_admin.storage.storage import open_storage  # noqa: PLC0415 - starts threads

    storage = open_storage(deployment().settings)
    address = storage.presigned_get(key, _VALID) if request.method == "GET" else None
    if address is not None:
        headers = {"Location": address, "Cache-Control": "private, no-store"}
        return Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers=headers)
    media_type = _GEOTIFF if key == file.key else _media_type(key)
    response = respond_bytes(
        lambda start, length: storage.read(key, start, length),
        storage.size(key),
        tag,
        file.updated_at,
        media_type,
    )
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    name = key.rpartition("/")[2]
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _media_type(key: str) -> str:
    return "image/tiff" if key.lower().endswith((".tif", ".tiff")) else "application/octet-stream"


def _without_operation(arguments: MultiDict[str, str]) -> MultiDict[str, str]:
    """Leave out what names the operation, which QGIS adds to whatever address: as if of a WMS.

    Raises InvalidParameterError where it is not GetCapabilities.
    """
    operation = {name: text for name, text in arguments.items() if name.lower() in _OPERATION}
    for name, text in operation.items():
        if text.lower() not in _OPERATION[name.lower()]:
            raise InvalidParameterError(
                "There are only capabilities here: REQUEST=GetCapabilities."
            )
    return MultiDict((n, text) for n, text in arguments.items(multi=True) if n not in operation)


def _time(values: Mapping[str, str]) -> datetime | None:
    if "time" not in values:
        return None
    moment = parsed_time(values["time"])
    if moment is None:
        raise InvalidParameterError(
            "time is a date or a date-time in UTC, as the layer's times are: 2024-05-01 or"
            " 2024-05-01T12:00:00Z."
        )
    return moment
