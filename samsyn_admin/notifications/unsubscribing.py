"""Addresses by which a mail is ended without signing in (RFC 8058), each for one subscription."""

import uuid
from datetime import timedelta

from sqlalchemy import Connection

from samsyn_admin.notifications.links import Links
from samsyn_model.identity.tickets import DAY, expiry, make_ticket, ticket_holder
from samsyn_model.permissions.principal import Principal

_ACTION = "unsubscribe"
_LIFE = timedelta(days=366)  # a mail may be read late


def unsubscribe_address(
    connection: Connection, links: Links, subscription_id: uuid.UUID, user_id: uuid.UUID
) -> str:
    """Return the address of the page on which a user ends a subscription."""
    until = expiry(_LIFE, DAY)
    ticket = make_ticket(connection, Principal(user_id), _ACTION, subscription_id, until)
    return f"{links.base}/api/v1/subscriptions/{subscription_id}/unsubscribe?ticket={ticket}"


def may_unsubscribe(connection: Connection, subscription_id: uuid.UUID, ticket: str) -> bool:
    """Return whether a ticket is of such an address, and its user still there."""
    return ticket_holder(connection, ticket, _ACTION, subscription_id) is not None
