"""Tiles of a layer by its id, drawn as the layer is unless the request says otherwise."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from samsyn_admin.layers.rasters.stored_files import HOLDS_RASTERS
from samsyn_admin.layers.rasters.times import shown_time
from samsyn_admin.rasters.admission import Raster, file_columns, raster_of_row
from samsyn_admin.rasters.parameters import DRAWING_PARAMETERS, Drawing, parse_drawing
from samsyn_model.errors import InvalidParameterError, NotFoundError
from samsyn_model.permissions.principal import Principal


def tile_columns(principal: Principal) -> tuple[Any, ...]:
    """Return the columns that `own_raster` needs; they bind what `file_columns` do."""
    return (HOLDS_RASTERS.label("holds_rasters"), *file_columns(principal))


def own_raster(row: Row[Any]) -> Raster | None:
    """Return the file of a layer whose row has `tile_columns`, None where it is drawn from an
    address.

    Raises NotFoundError where there is none at the time that was asked for.
    """
    return raster_of_row(row.id, row) if row.holds_rasters else None


def remote_address(row: Row[Any], moment: datetime | None) -> str:
    """Return the address that a layer is drawn from, at one of its times.

    Raises NotFoundError where the layer has no such time.
    """
    config = row.source_config
    template = config.get("cogUrlTemplate")
    address = config.get("cogUrl") or config.get("url")
    if moment is None and address:
        return str(address)
    times = [time for time in config.get("times") or () if isinstance(time, str)]
    wanted = shown_time(moment) if moment else next(reversed(times), None)
    if template and wanted in times:
        return str(template).replace("{time}", str(wanted))
    raise NotFoundError("The layer has no raster at this time.")


def drawing_of(row: Row[Any], values: Mapping[str, str]) -> Drawing:
    """Return how a request wants tiles to be drawn, and the layer where that says nothing.

    Raises InvalidParameterError; what is wrong in the layer is left out.
    """
    parse_drawing(dict(values))
    processing = row.source_config.get("processing") or {}
    stored = {
        name: str(processing[name])
        for name in DRAWING_PARAMETERS
        if isinstance(processing.get(name), str | int | float) and _is_valid(name, processing)
    }
    return parse_drawing({**stored, **values})


def _is_valid(name: str, processing: Mapping[str, Any]) -> bool:
    try:
        parse_drawing({name: str(processing[name])})
    except InvalidParameterError:
        return False
    return True
