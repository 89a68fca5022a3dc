"""Links between the versions of a feature (RFC 5829, RFC 7089), and the headers with them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from werkzeug.http import http_date

from samsyn_provider.collections.collection import Collection
from samsyn_provider.http.links import Link, bounded_header, collection_url, link, url_with
from samsyn_provider.http.media_types import GEOJSON, JSON
from samsyn_provider.versions.parameters import moment_text, version_parameter


@dataclass(frozen=True, slots=True)
class FeatureAddress:
    """The addresses of a feature and of its versions."""

    collection_id: object
    feature_id: int
    parameter: str
    """The query parameter of the moment."""

    @property
    def original(self) -> str:
        """The address of the feature as it is now."""
        return f"{collection_url(self.collection_id)}/items/{self.feature_id}"

    @property
    def time_map(self) -> str:
        """The address of the list of its versions."""
        return f"{self.original}/versions"

    def memento(self, moment: datetime) -> str:
        """Return the address of the version that began at this moment, which never changes."""
        return url_with(self.original, {self.parameter: moment_text(moment)})


def address_of(collection: Collection, feature_id: int) -> FeatureAddress:
    """Return the addresses of a feature of a collection."""
    parameter = version_parameter(has_own_time=collection.has_own_time)
    return FeatureAddress(collection.id, feature_id, parameter)


def time_map_links(address: FeatureAddress) -> list[Link]:
    """Return the links to the list of a feature's versions, under both of its relations."""
    return [
        link(relation, JSON, "The versions of this feature", address.time_map)
        for relation in ("timemap", "version-history")
    ]


def latest_link(address: FeatureAddress, moment: datetime) -> Link:
    """Return the link to the last version, which began at a moment."""
    return link("latest-version", GEOJSON, "The last version", address.memento(moment))


def version_links(
    address: FeatureAddress,
    predecessor: datetime | None,
    successor: datetime | None,
    latest: datetime | None,
) -> list[Link]:
    """Return the links of a version to the feature and to its other versions, by when they began;
    None for those there are not."""
    links = [
        link("original", GEOJSON, "The feature as it is now", address.original),
        *time_map_links(address),
    ]
    for relation, title, moment in (
        ("predecessor-version", "The version before", predecessor),
        ("successor-version", "The version after", successor),
    ):
        if moment is not None:
            links.append(link(relation, GEOJSON, title, address.memento(moment)))
    return links if latest is None else [*links, latest_link(address, latest)]


def link_header(links: Iterable[Link]) -> dict[str, str]:
    """Return the `Link` header with all of these links."""
    return bounded_header(f'<{one["href"]}>; rel="{one["rel"]}"' for one in links)


def memento_header(moment: datetime) -> dict[str, str]:
    """Return `Memento-Datetime`, to the second, as HTTP has dates."""
    return {"Memento-Datetime": http_date(moment)}
