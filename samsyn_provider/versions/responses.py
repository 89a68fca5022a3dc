"""Responses that are versions of features, and those where there is none."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, request

from samsyn_model.errors import GoneError
from samsyn_provider.http.deployment import shared_storage
from samsyn_provider.http.guard import principal
from samsyn_provider.http.links import Link
from samsyn_provider.http.problems import problem
from samsyn_provider.versions.links import (
    FeatureAddress,
    latest_link,
    link_header,
    memento_header,
    time_map_links,
    version_links,
)
from samsyn_provider.versions.parameters import version_parameter

_MAX_AGE = 30 * 24 * 60 * 60
"""Seconds that a version which will never change is fresh in caches."""


def links_of_version(address: FeatureAddress, stored: Any) -> list[Link]:
    """Return the links of a version, whose row is that of `select_version` or
    `select_present_version`, to the feature and its other versions."""
    latest = getattr(stored, "latest", None)
    is_latest = latest is None or latest == stored.valid_from
    return version_links(
        address,
        stored.predecessor,
        getattr(stored, "successor", None),
        None if is_latest else latest,
    )


def headers_of_version(links: list[Link], stored: Any) -> Mapping[str, str]:
    """Return `Memento-Datetime`, and `Link` with a version's links."""
    return {**memento_header(stored.valid_from), **link_header(links)}


def is_immutable(stored: Any) -> bool:
    """Return whether a version will be the same for ever: one that another followed at once.

    One that ended with its feature may get a successor, if the feature comes back.
    """
    valid_to = getattr(stored, "valid_to", None)
    return valid_to is not None and stored.successor is not None


def keep_for_long(response: Response) -> Response:
    """Return a response that will never be another, for browsers to keep; shared caches keep it for
    a moment only, and where anybody may read it: the layer may be made private."""
    response.headers.pop("ETag", None)
    response.add_etag(weak=False)
    storage = shared_storage(is_public=principal().is_anonymous)
    response.headers["Cache-Control"] = f"{storage}, max-age={_MAX_AGE}, immutable"
    response.make_conditional(request)
    return response


def respond_gone(error: GoneError) -> Response:
    """Return 410 with links to the last version of the feature and to all of them."""
    parameter = version_parameter(has_own_time=error.has_own_time)
    address = FeatureAddress(error.layer_id, error.feature_id, parameter)
    links = [latest_link(address, error.latest), *time_map_links(address)]
    response = problem(HTTPStatus.GONE, error.detail, links=links)
    response.headers.update(link_header(links))
    return response
