"""What a collection says of its versions, and the conformance classes of the draft."""

from typing import Any

from samsyn_provider.collections.collection import Collection
from samsyn_provider.http.links import Link, collection_url, link
from samsyn_provider.http.media_types import JSON
from samsyn_provider.versions.parameters import version_parameter

CONFORMANCE_CLASSES = tuple(
    # the URIs that ldproxy uses, until the draft has a number
    f"http://www.opengis.net/spec/ogcapi-features-n/0.0/conf/versioned-features-{name}"
    for name in (
        *("core", "time-map-link-format", "multiple-versions-in-response"),
        *("profile-versions-as-features", "profile-versions-as-features-unique-ids", "mutations"),
    )
)


def versioning(collection: Collection) -> dict[str, Any]:
    """Return the member `versioning` of a collection.

    Besides those of the draft, `parameter` is the query parameter that asks for versions.
    """
    return {
        "versioning": {
            "timeAxis": "transaction-time",
            "mutationTime": "server",
            "parameter": version_parameter(has_own_time=collection.has_own_time),
        }
    }


def changes_link(collection: Collection) -> Link:
    """Return the link to a collection's changes, a template of RFC 6570."""
    href = f"{collection_url(collection.id)}/changes{{?since,until,limit,crs,former}}"
    return link("changes", JSON, "Changes since a moment", href) | {"templated": True}
