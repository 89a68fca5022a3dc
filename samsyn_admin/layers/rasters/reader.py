"""Who reads the rasters of a layer: by credentials, or by the ticket in an address."""

import uuid
from typing import Any

from flask import request
from sqlalchemy import Connection, Row

from samsyn_admin.layers.rasters.addresses import ticket_of
from samsyn_admin.rasters.admission import RASTER_TICKET
from samsyn_model.identity.tickets import ticket_holder
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import find_layer
from samsyn_model.permissions.principal import ANONYMOUS, Principal
from samsyn_provider.http.guard import principal


def raster_reader(
    connection: Connection, layer_id: uuid.UUID, ticket: str | None, **options: Any
) -> tuple[Principal, Row[Any]]:
    """Return the principal of the request and the row of a GeoTIFF layer that they may read, looked
    up with the options of `find_layer`.

    A ticket counts where there are no credentials; one that is not valid is as none. Raises
    NotFoundError, CredentialsError.
    """
    reader = principal()
    if ticket is not None and reader.is_anonymous and "Authorization" not in request.headers:
        reader = ticket_holder(connection, ticket, RASTER_TICKET, layer_id) or ANONYMOUS
    row: Row[Any]
    row = find_layer(
        connection, reader, layer_id, Action.READ_LAYER, source_type="geotiff", **options
    )
    return reader, row


def ticket_for_tiles(
    connection: Connection, reader: Principal, layer_id: uuid.UUID, ticket: str | None
) -> str:
    """Return the ticket for addresses in a document: that of its request, else one of the reader's.

    None lives longer for being used.
    """
    if ticket is not None and "Authorization" not in request.headers and principal().is_anonymous:
        return ticket
    return ticket_of(connection, reader, layer_id)
