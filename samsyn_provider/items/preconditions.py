"""Preconditions of writes to a feature (RFC 9110, 13): which version of it the client knows."""

import uuid

from flask import request
from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.errors import PreconditionFailedError
from samsyn_provider.features.version_statements import PRESENT_SINCE

# By itself, once the feature is locked: it sees what was committed while the lock was waited for.
_PRESENT_SINCE = f"""
SELECT {PRESENT_SINCE} FROM layer_features AS stored
WHERE layer_id = %(layer)s AND id = %(id)s"""


def check_preconditions(
    connection: Connection, layer_id: uuid.UUID, feature_id: int, version: int
) -> None:
    """Raise PreconditionFailedError where `If-Match` names another version of a feature than this,
    `If-None-Match` this one, or `If-Unmodified-Since` a time before it."""
    refuse_other_version(version)
    if str(version) in request.if_none_match:
        raise PreconditionFailedError(
            f"The feature is at version {version}, which If-None-Match rules out."
        )
    # to the second, and only without If-Match
    since = None if "If-Match" in request.headers else request.if_unmodified_since
    if since is not None:
        values = {"layer": layer_id, "id": feature_id}
        began = run(connection, _PRESENT_SINCE, values).scalar_one()
        if began.replace(microsecond=0) > since:
            raise PreconditionFailedError(
                f"The feature has changed since you read it: it is as it is since {began}."
            )


def refuse_other_version(version: int | None) -> None:
    """Raise PreconditionFailedError where `If-Match` names another version of a feature than this,
    or any where there is none."""
    if "If-Match" not in request.headers:
        return
    if version is None:
        raise PreconditionFailedError("There is no such feature any more.")
    if str(version) not in request.if_match:
        raise PreconditionFailedError(
            f"The feature has changed since you read it: it is now at version {version}."
        )
