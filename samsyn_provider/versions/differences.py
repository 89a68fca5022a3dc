"""What differs between two versions of a feature: its attributes, its geometry."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from samsyn_model.database.execution import run
from samsyn_model.errors import InvalidParameterError
from samsyn_model.history.horizons import refuse_pruned
from samsyn_provider.collections.collection import Collection
from samsyn_provider.features.provider import missing_feature
from samsyn_provider.http import links
from samsyn_provider.http.media_types import GEOJSON, JSON
from samsyn_provider.query.parameters import single_values
from samsyn_provider.versions.difference_statements import select_difference
from samsyn_provider.versions.links import FeatureAddress, address_of
from samsyn_provider.versions.parameters import moment_text
from samsyn_provider.versions.states import moment_of

_PARAMETERS = frozenset({"f", "since", "until"})
_NOW = "SELECT clock_timestamp()"
_NOTHING = {"type": None, "area": None, "length": None}


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two moments of a feature."""

    since: datetime
    until: datetime
    row: Any
    """Of `select_difference`."""

    @property
    def change(self) -> str:
        """What became of the feature: `made`, `changed`, `deleted`, or `none`."""
        if self.row.former_from is None:
            return "made"
        if self.row.present_from is None:
            return "deleted"
        return "changed" if self.row.is_moved or self.row.attributes else "none"

    @property
    def geometry(self) -> dict[str, Any]:
        """Whether the geometry is another, and its type and size before and after."""
        measures = {name: self.row.measures.get(name) or _NOTHING for name in _SHAPES}
        former, present = measures["former"], measures["present"]
        document: dict[str, Any] = {
            "changed": self.row.is_moved,
            **{
                name: {"former": former[name], "present": present[name]}
                for name in ("type", "area", "length")
            },
        }
        if self.row.is_moved and "removed" not in self.row.measures:
            return {**document, "difference": None}  # too large
        removed, added = (measures[name]["area"] or 0.0 for name in ("removed", "added"))
        areas = {"removed": removed, "added": added, "area": removed + added}
        return {**document, "difference": areas}


_SHAPES = ("former", "present", "removed", "added")


def find_difference(
    connection: Connection,
    collection: Collection,
    feature_id: int,
    moments: tuple[datetime, datetime],
    *,
    has_shapes: bool = False,
) -> Difference:
    """Return what differs between two moments of a feature, in one statement; two where it was not
    there at the first one.

    Raises NotFoundError where the collection never had the feature, GoneError where it had it at
    neither moment, HistoryPrunedError where what it was may have been removed.
    """
    statement = select_difference(
        collection.id, feature_id, moments, collection.names, has_shapes=has_shapes
    )
    row = run(connection, statement.text, statement.values).one()
    if row.former_from is None and row.present_from is None:
        raise missing_feature(connection, collection, feature_id)
    if row.former_from is None:
        refuse_pruned(connection, collection.id, moments[0])
    return Difference(*moments, row)


def requested_moments(
    connection: Connection, collection: Collection, values: Mapping[str, str]
) -> tuple[datetime, datetime]:
    """Return the moments of `since` and `until`, which is now by default.

    Raises InvalidParameterError, and the errors of `moment_of`.
    """
    if "since" not in values:
        raise InvalidParameterError("since is needed: a moment, or the number of a change set.")
    since = moment_of(connection, collection, "since", values["since"])
    if "until" not in values:
        return since, max(since, run(connection, _NOW).scalar_one())
    until = moment_of(connection, collection, "until", values["until"])
    if until < since:
        raise InvalidParameterError("until is before since.")
    return since, until


def difference_text(
    connection: Connection,
    collection: Collection,
    feature_id: int,
    arguments: MultiDict[str, str],
) -> str:
    """Return what differs between two moments of a feature as JSON; errors as `find_difference`."""
    values = single_values(arguments, _PARAMETERS)
    moments = requested_moments(connection, collection, values)
    found = find_difference(connection, collection, feature_id, moments)
    members = {
        "id": feature_id,
        "since": moment_text(found.since),
        "until": moment_text(found.until),
        "change": found.change,
        "geometry": found.geometry,
        "links": _links(address_of(collection, feature_id), found),
    }
    # the numbers of attributes with all of their digits
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    return f'{text[:-1]},"attributes":{found.row.attributes or "[]"}}}'


def _links(address: FeatureAddress, found: Difference) -> list[links.Link]:
    document_links = [links.link("self", JSON, "This difference", links.request_url())]
    for title, moment in (
        ("The former version", found.row.former_from),
        ("The later version", found.row.present_from),
    ):
        if moment is not None:
            document_links.append(links.link("memento", GEOJSON, title, address.memento(moment)))
    return [
        *document_links,
        links.link("original", GEOJSON, "The feature as it is now", address.original),
        links.link("timemap", JSON, "The versions of this feature", address.time_map),
    ]
