"""The collection that a request reads, and who asks for it."""

from sqlalchemy import Connection

from samsyn_model.errors import NotFoundError
from samsyn_model.permissions import SOMEBODY, Action, checked_layer, look_for_layer
from samsyn_model.principals import find_holder_and_layer
from samsyn_provider.collections import (
    Collection,
    SoughtCollection,
    find_collection,
    sought_columns,
)
from samsyn_provider.deployment import deployment
from samsyn_provider.guard import pending_token, principal, settle


def asked_collection(connection: Connection, collection_id: str) -> Collection:
    """Return the collection as who asks may read it: one statement, also with an API token.

    Raises CredentialsError when the request's token is not valid, else the errors of
    `find_collection`.
    """
    token = pending_token()
    if token is None:
        return find_collection(connection, principal(), collection_id, Action.READ_LAYER)
    try:
        sought = SoughtCollection.of(collection_id)
    except NotFoundError:
        principal()  # who is not let in is told so first
        raise
    look = look_for_layer(SOMEBODY, Action.READ_LAYER, sought_columns, whole=False, lock=None)
    values = {"key": sought.layer_id, **sought.values}
    holder, row = find_holder_and_layer(deployment().engine, connection, token, look, values)
    settle(holder)
    return sought.found(checked_layer(row, holder, Action.READ_LAYER, "vector"))
