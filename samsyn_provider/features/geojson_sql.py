"""SQL expressions for features as GeoJSON, in any CRS."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from samsyn_provider.cql2.parsing import UPDATED
from samsyn_provider.geography.crs import (
    CRS84,
    MERCATOR,
    MERCATOR_LATITUDE,
    ReferenceSystem,
)
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.version_set import relation_of, version_columns

_DECIMALS = 9
_MAX_ARGUMENTS = 50
_MAX_PREPARED_NAMES = 32


def utc_text(moment: str) -> str:
    """Return the expression for a moment as RFC 3339 has it, in UTC, to the microsecond."""
    return f"to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


VALIDITY = (
    f"""'{{"interval":["' || {utc_text("valid_from")} || '","'"""
    f""" || coalesce({utc_text("valid_to")}, '..') || '"]}}'"""
)
"""The expression for the time in which a version is valid, as JSON-FG has it."""
_ID_TIME = "to_char(valid_from AT TIME ZONE 'UTC', 'YYYYMMDD\"T\"HH24MISSUS\"Z\"')"
_UPDATED_TEXT = utc_text("updated_at")


def may_be_prepared(names: Sequence[str]) -> bool:
    """Return whether statements with `feature_expression` may be prepared: each number of names
    makes another text."""
    return len(names) <= _MAX_PREPARED_NAMES


def properties_column(query: ItemsQuery) -> str:
    """Return the column `properties` of a statement on `layer_features`, from which
    `feature_expression` serializes: with the moment of the last change where it is requested."""
    if not query.has_updated:
        return "properties"
    return f"(properties || jsonb_build_object('{UPDATED}', {_UPDATED_TEXT})) AS properties"


def stored_features(query: ItemsQuery) -> str:
    """Return `layer_features` with this `properties_column`, for statements that read by id."""
    relation = relation_of(query.versions)
    if not query.has_updated:
        return relation
    columns = f"{properties_column(query)}{version_columns(query.versions)}"
    return f"(SELECT layer_id, id, geom, {columns} FROM {relation}) AS stored"


def ids_condition(query: ItemsQuery) -> str:
    """Return the condition that a statement which joins `stored_features` with `ids` needs beside
    the join: that does not reach the indexes of versions."""
    table = "stored" if query.has_updated else "layer_features"
    return "" if query.versions is None else f" AND {table}.id = ANY (%(ids)s::bigint[])"


def shown_names(query: ItemsQuery, names: Sequence[str]) -> tuple[str, ...]:
    """Return those of the names that a query shows, in their order."""
    selected = query.properties
    shown = tuple(name for name in names if selected is None or name in selected)
    return (*shown, UPDATED) if query.has_updated else shown


def feature_expression(
    query: ItemsQuery,
    values: dict[str, Any],
    extra_members: str = "",
    *,
    names: Sequence[str] = (),
) -> str:
    """Return the expression for a feature as GeoJSON text.

    Properties are in the order of `names`, then those that have no name there. `extra_members` is
    an expression for JSON-FG's members, inserted before the properties: with it, a geometry in
    another CRS than CRS84 is the member `place`.
    """
    geometry = geometry_expression(query.crs)
    if names:
        shown = shown_names(query, names)
        properties, properties_values = _ordered_properties(shown, query.properties is None)
        values |= properties_values
    elif query.properties is None:
        properties = "properties::text"
    else:
        values["properties"] = list(query.properties)
        properties = (
            "coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(properties)"
            " WHERE key = ANY(%(properties)s)), '{}')::text"
        )
    if query.skip_geometry:
        geometry_text = "'null'"
    else:
        geometry_text = f"coalesce(ST_AsGeoJSON({geometry}, {_DECIMALS}, 0), 'null')"
    member = "place" if extra_members and query.crs.uri != CRS84 else "geometry"
    identifier = "id"
    if query.versions:
        if query.versions.time_member:
            extra_members += f""" || ',"{query.versions.time_member}":' || {VALIDITY}"""
        if query.versions.items_url:
            identifier = f"""'"' || id || '.' || {_ID_TIME} || '"'"""
            values["original"] = json.dumps(f"{query.versions.items_url}/")[:-1]
            extra_members += (
                """ || ',"links":[{"rel":"original","type":"application/geo+json","href":'"""
                """ || %(original)s || id || '"}]'"""
            )
    return (
        f"""'{{"type":"Feature","id":' || {identifier} || ',"{member}":' || {geometry_text}"""
        f"""{extra_members} || ',"properties":' || {properties} || '}}'"""
    )


@lru_cache(maxsize=256)  # composing it takes as long as a feature does
def _ordered_properties(names: tuple[str, ...], has_others: bool) -> tuple[str, dict[str, str]]:
    """Return the expression for the properties as JSON text in the order of `names`, then all
    others if it `has_others`; and its values.

    A jsonb value has its keys in the order of their lengths. Those of a feature are looked up one
    by one, which takes less than half of the time that sorting them does.
    """
    members, values = [], dict[str, str]()
    for number, name in enumerate(names):
        values[f"attribute{number}"] = name
        values[f"label{number}"] = f", {json.dumps(name, ensure_ascii=False)}: "
        # null for an absent property, which concat() leaves out
        members.append(
            f"%(label{number})s::text || (properties -> %(attribute{number})s::text)::text"
        )
    tail = "'}'"
    if has_others:
        values["attributes"] = array_literal(names)
        others = "properties - %(attributes)s::text[]"
        tail = f"CASE WHEN {others} = '{{}}' THEN '}}' ELSE ', ' || right(({others})::text, -1) END"
    members.append(tail)
    # without any member only the brace is left
    text = f"'{{' || coalesce(nullif(right({_concatenation(members)}, -2), ''), '}}')"
    return text, values


def array_literal(texts: Sequence[str]) -> str:
    """Return an array as PostgreSQL writes it: the driver takes longer to bind a list."""
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in escaped) + "}"


def _concatenation(texts: Sequence[str]) -> str:
    """Return the expression for texts joined; a function has 100 arguments at most."""
    if len(texts) > _MAX_ARGUMENTS:
        parts = [
            _concatenation(texts[start : start + _MAX_ARGUMENTS])
            for start in range(0, len(texts), _MAX_ARGUMENTS)
        ]
        return _concatenation(parts)
    return f"concat({', '.join(texts)})"


def geometry_expression(crs: ReferenceSystem) -> str:
    """Return the expression for a feature's geometry in a CRS, in its axis order."""
    geometry = "geom"
    if crs.srid == MERCATOR:
        edge = MERCATOR_LATITUDE
        geometry = (
            f"CASE WHEN ST_YMin(geom) < -{edge} OR ST_YMax(geom) > {edge}"
            " THEN oriented_rings("
            f"ST_ClipByBox2D(ST_Force2D(geom), ST_MakeEnvelope(-180, -{edge}, 180, {edge}, 4326)))"
            " ELSE geom END"
        )
    if crs.srid != 4326:
        geometry = f"ST_Transform({geometry}, {crs.srid})"
    return f"ST_FlipCoordinates({geometry})" if crs.y_first else geometry
