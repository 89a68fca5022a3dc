"""The collection that a request reads, looked up together with its principal."""

from flask import request
from sqlalchemy import Connection

from samsyn_model.errors import NotFoundError
from samsyn_model.identity.authentication import find_token_holder_and_layer
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import checked_layer, layer_statement
from samsyn_model.permissions.principal import ANY_USER
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.comments import CommentsSubject, find_comments
from samsyn_provider.collections.lookup import CollectionLookup, find_collection, lookup_columns
from samsyn_provider.http.guard import principal, set_principal, unresolved_token


def requested_collection(connection: Connection, collection_id: str) -> Collection:
    """Return the collection as the request's principal sees it: one statement, API token included.

    Raises CredentialsError when the request's token is not valid, else the errors of
    `find_collection`.
    """
    token = unresolved_token()
    if token is None:
        return find_collection(connection, principal(), collection_id, Action.READ_LAYER)
    try:
        lookup = CollectionLookup.of(collection_id)
    except NotFoundError:
        principal()  # 401 goes before 404
        raise
    statement = layer_statement(
        ANY_USER, Action.READ_LAYER, lookup_columns, all_columns=False, lock=None
    )
    values = {"key": lookup.layer_id, **lookup.values}
    holder, row = find_token_holder_and_layer(connection, token, statement, values)
    set_principal(holder)
    return lookup.collection(checked_layer(row, holder, Action.READ_LAYER, "vector"))


def requested_items(connection: Connection, collection_id: str) -> Collection:
    """Return what `requested_collection` does, at `/ogc` also a collection of comments.

    One statement, of comments two where the request has an API token.
    """
    subject = CommentsSubject.of(collection_id) if request.blueprint == "ogc" else None
    if subject is None:
        return requested_collection(connection, collection_id)
    return find_comments(connection, principal(), subject)
