"""Who may have a web map server asked: signed-in users any public one, others those they know."""

from functools import partial

from samsyn_admin.outgoing.addresses import MAX_URL
from samsyn_admin.outgoing.callers import Caller
from samsyn_admin.wms.addresses import base_address
from samsyn_model.database.transactions import reading
from samsyn_model.errors import CredentialsError, InvalidParameterError
from samsyn_model.permissions.sources import knows_wms
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import caller_key, principal, spend
from samsyn_provider.rates.rate_limits import Rate


def admitted(url: str) -> Caller:
    """Return for whom a server at this address is asked in this request.

    Raises InvalidParameterError for a missing or too long address; CredentialsError for an
    anonymous principal, unless it is the address of a stored server, or of a layer that everybody
    may read.
    """
    if not url or len(url) > MAX_URL:
        raise InvalidParameterError(f"url is an address of up to {MAX_URL:,} characters.")
    if principal().is_anonymous:
        with reading(deployment().engine) as connection:
            if not knows_wms(connection, principal(), url, base_address(url)):
                raise CredentialsError(
                    "Sign in to ask a server that no layer and no list here names."
                )
    return requesting_caller()


def requesting_caller() -> Caller:
    """Return for whom another server is asked in this request."""
    return Caller(caller_key() or "unknown", partial(spend, Rate.OUTGOING))
