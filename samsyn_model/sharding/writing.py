"""Transactions that write features, where these may be on other servers than their layers."""

import uuid

from sqlalchemy import Connection

from samsyn_model.database.engine import way_of
from samsyn_model.database.execution import run

_BEGIN_WRITING = "SELECT begin_writing(%(layer)s)"


def begin_writing(connection: Connection, layer_id: uuid.UUID) -> None:
    """Say before a transaction changes features of a layer that it will: what triggers cannot look
    up on another server is told to them.

    Where tables are not distributed triggers look it up, and nothing is sent. Raises what writing
    does where the layer is gone.
    """
    if way_of(connection).is_distributed:
        run(connection, _BEGIN_WRITING, {"layer": layer_id})
