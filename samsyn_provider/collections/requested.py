"""The collection that a request reads, and who asks for it."""

from sqlalchemy import Connection

from samsyn_model.errors import NotFoundError
from samsyn_model.identity.authentication import find_token_holder_and_layer
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import checked_layer, layer_statement
from samsyn_model.permissions.principal import ANY_USER
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.lookup import CollectionLookup, find_collection, lookup_columns
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import principal, set_principal, unresolved_token


def requested_collection(connection: Connection, collection_id: str) -> Collection:
    """Return the collection as who asks may read it: one statement, also with an API token.

    Raises CredentialsError when the request's token is not valid, else the errors of
    `find_collection`.
    """
    token = unresolved_token()
    if token is None:
        return find_collection(connection, principal(), collection_id, Action.READ_LAYER)
    try:
        sought = CollectionLookup.of(collection_id)
    except NotFoundError:
        principal()  # who is not let in is told so first
        raise
    look = layer_statement(
        ANY_USER, Action.READ_LAYER, lookup_columns, all_columns=False, lock=None
    )
    values = {"key": sought.layer_id, **sought.values}
    holder, row = find_token_holder_and_layer(deployment().engine, connection, token, look, values)
    set_principal(holder)
    return sought.found(checked_layer(row, holder, Action.READ_LAYER, "vector"))
