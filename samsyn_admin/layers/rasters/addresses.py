"""The addresses of files of ours, which layers have only when they are answered.

An address carries a ticket (`samsyn_model/identity/tickets.py`), since browsers send no credentials
for images and map tiles. It is never stored: whoever is answered gets one of their own.
"""

import re
import uuid
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from sqlalchemy import Connection

from samsyn_admin.rasters.admission import RASTER_TICKET
from samsyn_model.errors import Fault
from samsyn_model.identity.tickets import expiry, make_ticket
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.rasters import RASTER_ADDRESSES
from samsyn_provider.http.deployment import public_url
from samsyn_provider.query.parameters import parse_uuid

LAYERS = "/api/v1/layers"
_FILE = re.compile(rf"{LAYERS}/([0-9a-fA-F-]{{36}})/file/?")
_KEPT = (
    *("delivery", "bounds", "temporal", "times", "bands", "statistics", "minzoom", "maxzoom"),
    *("dtype", "nodata", "width", "height", "crs", "format"),
)
"""Members that say what the files are: an import alone changes them."""


def ticket_of(connection: Connection, principal: Principal, layer_id: uuid.UUID) -> str:
    """Return a ticket to read a layer's rasters as the principal: valid for 18 to 24 hours, and the
    same for six."""
    return make_ticket(connection, principal, RASTER_TICKET, layer_id, expiry())


def raster_url(layer_id: uuid.UUID, path: str, ticket: str | None = None, **parts: str) -> str:
    """Return an address below a layer's, with the ticket and other parameters.

    Braces of templates stay as they are.
    """
    values = {"ticket": ticket, **parts}
    query = "&".join(
        f"{name}={quote(value, safe='{},:')}" for name, value in values.items() if value is not None
    )
    return f"{public_url()}{LAYERS}/{layer_id}/{path}{'?' if query else ''}{query}"


def layer_of_address(address: object) -> uuid.UUID | None:
    """Return the layer whose file has an address, on whatever server; None for another address."""
    if not isinstance(address, str):
        return None
    try:
        match = _FILE.fullmatch(urlsplit(address.strip()).path)
    except ValueError:
        return None
    return parse_uuid(match[1].lower()) if match else None


def answered_config(config: dict[str, Any], layer_id: uuid.UUID, ticket: str) -> dict[str, Any]:
    """Return the `source_config` of a layer of ours with the addresses of its files."""
    addresses = {"cogUrl": raster_url(layer_id, "file", ticket)}
    if len(config.get("times") or ()) > 1:
        addresses["cogUrlTemplate"] = raster_url(layer_id, "file", ticket, time="{time}")
    return {**config, **addresses}


def config_to_store(
    config: dict[str, Any], stored: dict[str, Any], layer_id: uuid.UUID
) -> tuple[dict[str, Any], list[Fault]]:
    """Return what is stored of the `source_config` that a layer of ours is given, and its faults.

    Its addresses are left out; any other is a fault. What the files are stays as it is.
    """
    faults = [
        Fault(
            f"/source_config/{name}",
            "This layer is drawn from files that are stored here: import another to replace them,"
            " or make a layer of the address.",
        )
        for name in RASTER_ADDRESSES
        if config.get(name) is not None and layer_of_address(config[name]) != layer_id
    ]
    changed = {name: value for name, value in config.items() if name not in RASTER_ADDRESSES}
    kept = {name: stored[name] for name in _KEPT if name in stored}
    return {**changed, **kept}, faults


def ticket_faults(config: dict[str, Any]) -> list[Fault]:
    """Return a fault for each address of another layer's file that has a ticket: it would be void
    in a day, and is somebody's."""
    return [
        Fault(
            f"/source_config/{name}",
            "This is the address of the file of a layer that is here already: add that layer to the"
            " map.",
        )
        for name in RASTER_ADDRESSES
        if layer_of_address(config.get(name)) is not None
        and "ticket" in parse_qs(urlsplit(config[name]).query)
    ]
