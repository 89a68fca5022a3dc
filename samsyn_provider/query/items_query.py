"""The query parameters of a request for items.

OGC API Features Part 1, requirements /req/core/query-param-unknown and query-param-invalid.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import shapely
from werkzeug.datastructures import MultiDict

from samsyn_model.errors import InvalidParameterError
from samsyn_model.features.geometry import geometry_faults
from samsyn_provider.cql2.expressions import Expression, Kind, Literal, Operation
from samsyn_provider.cql2.parsing import (
    GEOMETRY,
    LANGUAGES,
    UPDATED,
    parse_filter,
    property_named,
)
from samsyn_provider.geography.bbox import Bbox
from samsyn_provider.geography.crs import CRS84, SUPPORTED, ReferenceSystem, reference_system
from samsyn_provider.geography.crs_member import names_another
from samsyn_provider.geography.shapes import simplest_form
from samsyn_provider.query.datetime import Interval, parse_datetime
from samsyn_provider.query.parameters import (
    parse_bbox_parameter,
    parse_boolean,
    parse_limit,
    parse_moment,
    parse_offset,
    single_values,
    typed_value,
)
from samsyn_provider.query.position import Position, decode_position
from samsyn_provider.query.version_set import VersionSet

DEFAULT_LIMIT = 10
_FREE_OFFSET = 10_000  # features

MAX_LIMIT = 10_000

ITEMS_PARAMETERS = frozenset(
    {
        *("f", "limit", "offset", "after", "bbox", "bbox-crs", "crs", "datetime"),
        *("properties", "sortby", "skipGeometry", "resulttype"),
        *("filter", "filter-lang", "filter-crs", "dialect"),
    }
)

DIALECTS = ("excel", "excel-semicolon")
"""The dialects of CSV for spreadsheets: `excel` has commas, `excel-semicolon` has semicolons and
decimal commas, as spreadsheets expect them where the comma is the decimal sign."""

AREA_PARAMETERS = frozenset({"intersects", "within"})

ITEM_PARAMETERS = frozenset({"f", "crs"})


@dataclass(frozen=True, slots=True)
class SortKey:
    """A property to sort by; features without it come last in both directions."""

    name: str
    descending: bool
    is_moment: bool = False
    """Whether it holds date-times, which are in the order of their moments, not of their texts."""
    column: str | None = None
    """The column of `layer_features` with the value; None for a member of `properties`."""


@dataclass(frozen=True, slots=True)
class ItemsQuery:
    """The query of a request for items, every value typed and checked."""

    crs: ReferenceSystem
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    after: Position | None = None
    bbox: Bbox | None = None
    datetime: Interval | None = None
    equals: tuple[tuple[str, Any], ...] = ()
    properties: tuple[str, ...] | None = None
    """The names of the properties to return, None for all of them."""
    has_updated: bool = False
    """Whether UPDATED among them is the moment of the last change, and no property of the layer."""
    sortby: tuple[SortKey, ...] = ()
    skip_geometry: bool = False
    hits: bool = False
    areas: tuple[tuple[str, str], ...] = ()
    """Relations to geometries: `intersects` or `within`, and the geometry as hexadecimal EWKB."""
    filter: Expression | None = None
    dialect: str | None = None
    """Of a CSV file: one of DIALECTS."""
    versions: VersionSet | None = None
    """The versions that are read, None for the present ones."""

    @property
    def is_search(self) -> bool:
        """Whether more than the layer's order or a box decides which features there are, or many
        are read to be left out."""
        conditions = self.filter or self.equals or self.areas or self.sortby
        return bool(conditions) or self.offset > _FREE_OFFSET


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The properties, CRSs and parameters that a collection offers to requests."""

    fields: Mapping[str, Mapping[str, Any]]
    """The schemas of the properties by name."""
    crs: tuple[str, ...] = SUPPORTED
    relations: frozenset[str] = frozenset()
    """The parameters that are geometries, of AREA_PARAMETERS."""
    last_keys: tuple[SortKey, ...] = ()
    """What is sorted by after the keys of `sortby`."""


def names_properties(
    arguments: MultiDict[str, str], relations: frozenset[str] = frozenset()
) -> bool:
    """Return whether the properties have to be known to parse an items request."""
    other_names = set(arguments) - ITEMS_PARAMETERS - relations
    return bool({"properties", "sortby", "filter"} & set(arguments) or other_names)


def parse_items_query(arguments: MultiDict[str, str], capabilities: Capabilities) -> ItemsQuery:
    """Parse the query of an items request on a collection with these capabilities."""
    fields, relations = capabilities.fields, capabilities.relations
    parameters = ITEMS_PARAMETERS | relations
    names = {name for name in (*fields, UPDATED) if name not in parameters}
    values = single_values(arguments, parameters | names)
    sortby = (*_sort_keys(values.get("sortby"), fields), *capabilities.last_keys)
    resulttype = values.get("resulttype", "results")
    if resulttype not in {"results", "hits"}:
        raise InvalidParameterError("resulttype is either 'results' or 'hits'.")
    if "bbox-crs" in values and "bbox" not in values:
        raise InvalidParameterError("bbox-crs requires bbox.")
    equals, moments = _equalities({name: values[name] for name in values if name in names}, fields)
    properties = _property_names(values.get("properties"), fields)
    return ItemsQuery(
        limit=parse_limit(values, DEFAULT_LIMIT, MAX_LIMIT),
        offset=parse_offset(values),
        after=decode_position(values.get("after"), len(sortby)),
        bbox=parse_bbox_parameter(values, capabilities.crs),
        crs=reference_system(values.get("crs", CRS84), "crs", capabilities.crs),
        datetime=parse_datetime(values["datetime"]) if "datetime" in values else None,
        equals=equals,
        properties=properties,
        has_updated=UPDATED in (properties or ()) and UPDATED not in fields,
        sortby=sortby,
        skip_geometry=parse_boolean("skipGeometry", values.get("skipGeometry", "false")),
        hits=resulttype == "hits",
        areas=tuple((name, _area(name, values[name])) for name in relations & set(values)),
        filter=_conjunction(_filter(values, capabilities), *moments),
        dialect=_dialect(values.get("dialect")),
    )


def _equalities(
    values: Mapping[str, str], fields: Mapping[str, Mapping[str, Any]]
) -> tuple[tuple[tuple[str, Any], ...], list[Expression]]:
    """Return the properties that are equal to a JSON value, and the conditions that others are
    equal to a moment, in whatever zone either is written."""
    equals: list[tuple[str, Any]] = []
    moments: list[Expression] = []
    for name, text in values.items():
        operand = property_named(name, fields)
        if operand.kind is Kind.TIMESTAMP:
            moment = Literal(Kind.TIMESTAMP, parse_moment(name, text))
            moments.append(Operation(Kind.BOOLEAN, "=", (operand, moment)))
        else:
            equals.append((name, typed_value(name, text, fields[name])))
    return tuple(equals), moments


def _conjunction(*conditions: Expression | None) -> Expression | None:
    present = tuple(condition for condition in conditions if condition is not None)
    return (
        Operation(Kind.BOOLEAN, "and", present) if len(present) > 1 else next(iter(present), None)
    )


def _filter(values: Mapping[str, str], capabilities: Capabilities) -> Expression | None:
    if "filter" not in values:
        for name in ("filter-lang", "filter-crs"):
            if name in values:
                raise InvalidParameterError(f"{name} requires filter.")
        return None
    language = values.get("filter-lang", LANGUAGES[0])
    if language not in LANGUAGES:
        raise InvalidParameterError(f"filter-lang is one of {', '.join(LANGUAGES)}.")
    crs = reference_system(values.get("filter-crs", CRS84), "filter-crs", capabilities.crs)
    return parse_filter(values["filter"], language, crs, capabilities.fields)


def refuse_dialect(query: ItemsQuery) -> None:
    """Raise InvalidParameterError where a query for anything but a CSV file has a dialect."""
    if query.dialect:
        raise InvalidParameterError("dialect is a parameter of CSV files (f=csv).")


def _dialect(text: str | None) -> str | None:
    if text is not None and text not in DIALECTS:
        raise InvalidParameterError(f"dialect is one of {', '.join(DIALECTS)}.")
    return text


def _area(name: str, text: str) -> str:
    try:
        geometry = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidParameterError(f"{name} is a GeoJSON geometry.") from None
    fault = next(geometry_faults(geometry), None)
    if geometry is None or fault:
        reason = f" {fault.detail}" if fault else ""
        raise InvalidParameterError(f"{name} is a GeoJSON geometry.{reason}")
    if names_another(geometry, reference_system(CRS84, "crs")):
        raise InvalidParameterError(f"{name} is in longitude and latitude: leave out its crs.")
    shape = simplest_form(shapely.from_geojson(text))
    if not shapely.is_valid(shape):
        raise InvalidParameterError(f"{name}: {shapely.is_valid_reason(shape)}.")
    ewkb: str = shapely.to_wkb(shapely.set_srid(shape, 4326), hex=True, include_srid=True)
    return ewkb


def parse_item_query(arguments: MultiDict[str, str], crs: tuple[str, ...]) -> ItemsQuery:
    """Parse the query of a request for one item of a collection that offers these CRSs."""
    values = single_values(arguments, ITEM_PARAMETERS)
    return ItemsQuery(crs=reference_system(values.get("crs", CRS84), "crs", crs))


def _property_names(text: str | None, fields: Collection[str]) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(dict.fromkeys(name for name in text.split(",") if name))
    for name in names:
        if name not in fields and name != UPDATED:
            raise InvalidParameterError(f"properties names {name!r}, which is not a property here.")
    return names


def sortable(name: str, schema: Mapping[str, Any]) -> bool:
    """Return whether a property has an order (OGC API Features Part 5, /req/sortables/response)."""
    return schema.get("type") not in {"object", "array"} and name != GEOMETRY


def _sort_keys(text: str | None, fields: Mapping[str, Mapping[str, Any]]) -> tuple[SortKey, ...]:
    if text is None:
        return ()
    keys = []
    for part in text.split(","):
        # a plus sign that the client did not escape arrives as a space
        name = part[1:] if part[:1] in {"+", "-", " "} else part
        if not sortable(name, fields[name]) if name in fields else name != UPDATED:
            raise InvalidParameterError(f"sortby names {name!r}, which is not a sortable here.")
        key = property_named(name, fields)
        is_moment = key.kind is Kind.TIMESTAMP
        keys.append(SortKey(name, part.startswith("-"), is_moment, key.column))
    if len({key.name for key in keys}) < len(keys):
        raise InvalidParameterError("sortby names a property twice.")
    return tuple(keys)
