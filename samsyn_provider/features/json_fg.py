"""The members that JSON-FG 1.0 (OGC 21-045) adds to GeoJSON."""

import json
from typing import Any

from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.cql2.temporal import moment_or_null
from samsyn_provider.features.geojson_sql import VALIDITY
from samsyn_provider.geography.crs import CRS84, ReferenceSystem
from samsyn_provider.query.items_query import ItemsQuery

_CLASSES = ("http://www.opengis.net/spec/json-fg-1/1.0/conf/core",)


def json_fg_members(
    query: ItemsQuery, times: TemporalProperties | None, values: dict[str, Any]
) -> str:
    """Return the SQL of a feature's `time`, and of its `place` or `geometry` that is null.

    A geometry in CRS84 is the feature's `geometry`, in any other CRS its `place`. The time is that
    of a version, where versions are read and the features have no time of their own.
    """
    absent = "place" if query.crs.uri == CRS84 else "geometry"
    time = VALIDITY if times is None and query.versions else _time(times, values)
    return f""" || ',"{absent}":null,"time":' || {time}"""


def collection_head(title: str, crs: ReferenceSystem) -> str:
    """Return the text of a feature collection up to its first feature."""
    members = {
        "type": "FeatureCollection",
        "conformsTo": _CLASSES,
        "featureType": title,
        "coordRefSys": crs.uri,
    }
    return json.dumps(members, ensure_ascii=False)[:-1] + ', "features": [\n'


def _time(times: TemporalProperties | None, values: dict[str, Any]) -> str:
    if times is None:
        return "'null'"
    start = _moment("fg_start", times.start, values)
    if times.is_instant:
        member = "CASE WHEN length(moment) = 10 THEN 'date' ELSE 'timestamp' END"
        return (
            f"coalesce((SELECT json_build_object({member}, moment)::text"
            f" FROM (SELECT {start} AS moment OFFSET 0) AS times WHERE moment IS NOT NULL), 'null')"
        )
    end = _moment("fg_end", times.end, values)
    return (
        f"CASE WHEN coalesce({start}, {end}) IS NULL THEN 'null' ELSE json_build_object('interval',"
        f" json_build_array(coalesce({start}, '..'), coalesce({end}, '..')))::text END"
    )


def _moment(key: str, name: str | None, values: dict[str, Any]) -> str:
    """Return the SQL of a property's date, or of its timestamp in UTC, in the form of RFC 3339."""
    if name is None:
        return "NULL::text"
    values[key] = name
    text = f"(properties ->> %({key})s)"
    moment = moment_or_null(text)
    timestamp = f'to_char({moment}, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'
    date = f"CASE WHEN {moment} IS NOT NULL THEN {text} END"
    return f"CASE WHEN length({text}) = 10 THEN {date} ELSE {timestamp} END"
