"""The parameters that ask for versions: `datetime` or `version-datetime`, and `profile`.

The names are those of the draft (opengeospatial/ogcapi-features, proposals/versioned-features.md,
of June 2026) but `version-datetime`: where features have a time of their own, `datetime` is that.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import MethodNotAllowed

from samsyn_model.database.transactions import require_primary
from samsyn_model.errors import InvalidParameterError
from samsyn_provider.query.datetime import Interval, parse_datetime
from samsyn_provider.query.parameters import single_values

VERSION_DATETIME = "version-datetime"
UNIQUE_IDS = "versions-as-features-unique-ids"
PROFILES = (UNIQUE_IDS, "versions-as-features")
"""The representations of several versions of a feature, the default first."""
PROFILE_URI = "http://www.opengis.net/def/profile/OGC/0/"


@dataclass(frozen=True, slots=True)
class VersionRequest:
    """What a request asks of the history: an instant, or the versions of an interval."""

    interval: Interval
    instant: datetime | None
    """The instant, None where the request is for an interval."""
    profile: str
    """Of PROFILES; of an interval only."""


def version_parameter(*, has_own_time: bool) -> str:
    """Return the parameter of links to versions, by whether features have a time of their own."""
    return VERSION_DATETIME if has_own_time else "datetime"


def parse_version_request(
    arguments: MultiDict[str, str], *, has_own_time: bool, has_versions: bool = True
) -> tuple[MultiDict[str, str], VersionRequest | None]:
    """Return the arguments that do not ask for versions, and what the others ask for, None where
    the request is for the present; `has_own_time`: whether the features have a time of their own,
    `has_versions`: whether there are any.

    Raises InvalidParameterError; ReadAgainError where a replica is read.
    """
    if not has_versions:
        return arguments, None
    offered = {VERSION_DATETIME, version_parameter(has_own_time=has_own_time)}
    names = [name for name in arguments if name in offered]
    if not names:
        return arguments, None
    require_primary()  # a replica may lack changes of that time, which is what the answer is of
    if len(names) > 1:
        raise InvalidParameterError(f"datetime and {VERSION_DATETIME} are the same parameter here.")
    relevant = [*names, "profile"]
    values = single_values(
        MultiDict((n, v) for n in relevant for v in arguments.getlist(n)), relevant
    )
    text = values[names[0]]
    interval = parse_datetime(text, names[0])
    is_interval = "/" in text or not interval.includes_end
    # of one state there is one form, and a property may have the name
    removed = relevant if is_interval else names
    profile = values.get("profile", PROFILES[0])
    if is_interval and profile not in PROFILES:
        raise InvalidParameterError(f"profile is one of {', '.join(PROFILES)}.")
    asked_for = VersionRequest(interval, None if is_interval else interval.start, profile)
    others = MultiDict(pair for pair in arguments.items(multi=True) if pair[0] not in removed)
    return others, asked_for


def parse_version_instant(
    arguments: MultiDict[str, str], *, has_own_time: bool, has_versions: bool = True
) -> tuple[MultiDict[str, str], datetime | None]:
    """Return what `parse_version_request` does, of a request that can be for one state only: the
    arguments that are left, and the instant.

    Raises InvalidParameterError, for an interval too.
    """
    others, asked = parse_version_request(
        arguments, has_own_time=has_own_time, has_versions=has_versions
    )
    if asked is not None and asked.instant is None:
        raise InvalidParameterError(
            "Give one moment, such as 2026-05-01T12:00:00Z: versions of an interval are pages of"
            " /items, as GeoJSON."
        )
    return others, None if asked is None else asked.instant


def refuse_writing_versions() -> None:
    """Raise MethodNotAllowed where the request would change a version of a feature: what is written
    is the feature, at its address without a moment."""
    if {"datetime", VERSION_DATETIME} & set(request.args):
        raise MethodNotAllowed(
            ["GET", "HEAD", "OPTIONS"], "A version never changes: write to the feature's address."
        )


def moment_text(moment: datetime) -> str:
    """Return a moment as version links have it: RFC 3339 in UTC, to the microsecond, in which the
    moments of a layer's versions differ."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")
