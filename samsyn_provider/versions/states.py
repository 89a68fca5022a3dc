"""The versions that a query reads: a layer as it was at a moment, or the history of an interval."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.errors import InvalidParameterError, NotFoundError
from samsyn_model.history.as_of import AsOf, as_of
from samsyn_model.history.horizons import refuse_pruned
from samsyn_provider.collections.collection import Collection
from samsyn_provider.features.count_statements import is_filtered
from samsyn_provider.http.links import Link, collection_url, link
from samsyn_provider.http.media_types import HTML
from samsyn_provider.query.datetime import parse_moment
from samsyn_provider.query.items_query import ItemsQuery, SortKey
from samsyn_provider.query.version_set import VersionSet
from samsyn_provider.versions.parameters import PROFILE_URI, UNIQUE_IDS, VersionRequest

MAX_HISTORY_LIMIT = 500
"""The most versions on a page of an interval."""
_BEGINNING = SortKey("valid_from", descending=False, is_moment=True, column="valid_from")
_COMMITTED = """
SELECT committed_at FROM layer_change_sets WHERE layer_id = %(layer)s AND change_set_id = %(id)s"""
_IS_YOUNGER = "SELECT created_at > %(moment)s FROM layers WHERE id = %(layer)s"
_WITH_VALIDITY = """(
    SELECT states.*, coalesce(began.committed_at, states.updated_at) AS valid_from,
        ended.committed_at AS valid_to
    FROM {} AS states
    LEFT JOIN layer_change_sets AS began
        ON began.layer_id = %(layer)s AND began.change_set_id = states.from_change
    LEFT JOIN layer_change_sets AS ended
        ON ended.layer_id = %(layer)s AND ended.change_set_id = states.to_change
)"""


def last_keys(asked: VersionRequest | None) -> tuple[SortKey, ...]:
    """Return what the items of a request are sorted by after its own keys: versions of an interval
    by when they began."""
    return () if asked is None or asked.instant else (_BEGINNING,)


def with_versions(
    connection: Connection, collection: Collection, query: ItemsQuery, asked: VersionRequest | None
) -> ItemsQuery:
    """Return the query of the versions that are asked for; of an interval sorted by `last_keys`.
    Comments have none.

    One statement at most. Raises NotFoundError where there is no history of that time. An interval
    that is open at its beginning begins with what is kept.
    """
    if collection.source is not None:
        return replace(query, versions=collection.source)
    if asked is None:
        return query
    if asked.instant:
        return with_state(connection, collection, query, asked.instant)
    refuse_pruned(connection, collection.id, asked.interval.start or asked.interval.end)
    limit = min(query.limit, MAX_HISTORY_LIMIT)
    return replace(query, limit=limit, versions=_history(collection, asked))


def with_state(
    connection: Connection, collection: Collection, query: ItemsQuery, moment: datetime | None
) -> ItemsQuery:
    """Return the query of the layer as it was at a moment; comments and errors as
    `with_versions`."""
    if collection.source is not None:
        return replace(query, versions=collection.source)
    if moment is None:
        return query
    state = state_of(connection, collection, moment)
    values = {name: value for name, value in state.values.items() if name != "layer"}
    # told how many are read, the database reads them in the order of the ids and no others
    limit = None if is_filtered(query, collection.times) else "%(limit)s + %(offset)s + 1"
    versions = VersionSet(
        _WITH_VALIDITY.format(state.features()),
        _WITH_VALIDITY.format(state.features_in_order(None, limit)),
        _WITH_VALIDITY.format(state.features_in_order("%(after_id)s", limit)),
        tuple((name, _hashable(value)) for name, value in values.items()),
        state.feature_count,
        time_member=_time_member(collection),
    )
    return replace(query, versions=versions)


def one_version(collection: Collection) -> VersionSet:
    """Return the form of a version that is read by itself."""
    return VersionSet("", "", "", (), time_member=_time_member(collection))


def state_of(connection: Connection, collection: Collection, moment: datetime) -> AsOf:
    """Return a layer as it was at a moment; raises NotFoundError where there is no history of it.

    One statement, two for a time before history began.
    """
    try:
        return as_of(connection, collection.id, moment)
    except NotFoundError:
        values: dict[str, Any] = {"layer": collection.id, "moment": moment}
        if not run(connection, _IS_YOUNGER, values).scalar_one():
            raise
    return AsOf(collection.id, moment, -1, (), None, 0, 0, -1)  # before the layer, without features


def moment_of(connection: Connection, collection: Collection, name: str, text: str) -> datetime:
    """Return the moment that a text is, or after the change set whose number it is.

    One statement at most. Raises InvalidParameterError, which calls the text `name`; NotFoundError
    where the layer has no such change set.
    """
    moment = parse_moment(text, name)
    if isinstance(moment, datetime):
        return moment
    key = {"layer": collection.id, "id": moment}
    committed: datetime | None = run(connection, _COMMITTED, key).scalar()
    if committed is None:
        raise NotFoundError(f"{name}: this layer has no change set {text}.")
    return committed


def _history(collection: Collection, asked: VersionRequest) -> VersionSet:
    is_unique = asked.profile == UNIQUE_IDS
    conditions, values = ["true"], dict[str, Any]()
    interval = asked.interval
    if interval.start is not None:
        conditions.append("(valid_to > %(history_start)s OR valid_to IS NULL)")
        values["history_start"] = interval.start
    if interval.end is not None:
        sign = "<=" if interval.includes_end else "<"
        conditions.append(f"valid_from {sign} %(history_end)s")
        values["history_end"] = interval.end
    states = """(
        SELECT layer_id, id, geom, properties, updated_at,
            coalesce(change_set, 0) AS from_change, NULL::bigint AS to_change
        FROM layer_features
        UNION ALL
        SELECT layer_id, feature_id, geom, properties, updated_at, from_change, to_change
        FROM feature_versions
    )"""
    relation = f"""(
    SELECT * FROM {_WITH_VALIDITY.format(states)} AS versions
    WHERE layer_id = %(layer)s AND {" AND ".join(conditions)}
)"""
    return VersionSet(
        *(relation, relation, relation),
        tuple(values.items()),
        is_history=True,
        time_member=_time_member(collection),
        items_url=f"{collection_url(collection.id)}/items" if is_unique else None,
    )


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _time_member(collection: Collection) -> str:
    return "versionTime" if collection.has_own_time else "time"


def refuse_history(query: ItemsQuery) -> None:
    """Raise InvalidParameterError where a query is for several versions of each feature."""
    if query.versions is not None and query.versions.is_history:
        raise InvalidParameterError(
            "A file has one version of each feature: give one moment, such as"
            " 2026-05-01T12:00:00Z. The versions of an interval are pages of GeoJSON (f=json)."
        )


def profile_links(versions: VersionSet | None) -> list[Link]:
    """Return the link to the profile of a page with several versions of each feature."""
    if versions is None or not versions.is_history:
        return []
    name = UNIQUE_IDS if versions.items_url else "versions-as-features"
    return [link("profile", HTML, "How versions are represented", f"{PROFILE_URI}{name}")]
