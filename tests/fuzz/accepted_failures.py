"""Hooks of Schemathesis: what it may not do, and which of its findings are as they should be."""

import json
import os
from typing import Any

import schemathesis
from schemathesis import Case, HookContext, Response, SerializationContext
from schemathesis.core.failures import AcceptedNegativeData, Failure, ServerError
from schemathesis.openapi.checks import IgnoredAuth, RejectedPositiveData

TOKEN_IN_USE = "FUZZ_TOKEN_IN_USE"
"""Names the variable that holds the id of the token that the requests carry."""


_REASONS = (
    "NUL character",  # which no text in PostgreSQL holds, whatever the text is of
    "Comments are written at",  # and are features, but not written as such
    "is not a position that this server",  # and nobody else makes positions
    "of RFC 3339",  # as a second that is the 61st, or a month that is the 13th
    "This server sends no e-mail",
)
"""What is said of a request that the definition allows."""


@schemathesis.hook
def filter_case(context: HookContext, case: Case) -> bool:
    """Leave the token alone that all other requests need."""
    return case.path_parameters.get("token_id") != os.environ.get(TOKEN_IN_USE, "")


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """Accept what contradicts the definition with a reason."""
    if response.status_code == 414:  # said before any route is looked for
        return False
    if isinstance(failure, AcceptedNegativeData):
        # more than the maximum means the maximum: OGC API Features, /req/core/fc-limit-response
        return "limit: Value greater than maximum" not in failure.message
    if isinstance(failure, IgnoredAuth):
        # who may not know that a thing is there is told that it is not, signed in or not
        return "got `404 Not Found`" not in failure.message
    if isinstance(failure, RejectedPositiveData):
        return not any(reason in (response.text or "") for reason in _REASONS)
    if isinstance(failure, ServerError):
        return "This server sends no e-mail" not in (response.text or "")
    # an answer whose body the client preferred to do without has no media type either
    return not (response.status_code == 201 and "preference-applied" in response.headers)


@schemathesis.serializer("application/geo+json-seq", "application/json-seq", "application/x-ndjson")
def lines(context: SerializationContext, value: Any) -> bytes:
    """Write the features of a collection as a line each; anything else as one line."""
    features = value.get("features") if isinstance(value, dict) else None
    members = features if isinstance(features, list) else [value]
    return "".join(f"{json.dumps(member)}\n" for member in members).encode()
