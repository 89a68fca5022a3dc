"""Query parameters, parsed strictly: an unknown or malformed one is an error that says why.

OGC API Features Part 1, requirement /req/core/query-param-unknown and query-param-invalid.
"""

import base64
import binascii
import json
import math
import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import shapely
from werkzeug.datastructures import MultiDict

from samsyn_model.errors import InvalidParameterError, NotFoundError
from samsyn_model.feature_geometry import geometry_faults
from samsyn_provider.bbox import Bbox, parse_bbox
from samsyn_provider.cql2_expressions import Expression
from samsyn_provider.cql2_parsing import GEOMETRY, LANGUAGES, parse_filter
from samsyn_provider.crs import CRS84, SUPPORTED, ReferenceSystem, reference_system
from samsyn_provider.temporal import Interval, parse_datetime

DEFAULT_LIMIT = 10
MAX_LIMIT = 10_000
DEFAULT_COLLECTIONS = 100
MAX_COLLECTIONS = 1_000
MAX_OFFSET = 2**53

ITEMS_PARAMETERS = frozenset(
    {
        *("f", "limit", "offset", "after", "bbox", "bbox-crs", "crs", "datetime"),
        *("properties", "sortby", "skipGeometry", "resulttype"),
        *("filter", "filter-lang", "filter-crs"),
    }
)
AREA_PARAMETERS = frozenset({"intersects", "within"})
ITEM_PARAMETERS = frozenset({"f", "crs"})
COLLECTIONS_PARAMETERS = frozenset({"f", "limit", "offset", "q", "bbox"})
DOCUMENT_PARAMETERS = frozenset({"f"})

_INTEGER = re.compile(r"[0-9]{1,18}")
_FEATURE_ID = re.compile(r"-?[0-9]{1,19}")
_SIGNED = re.compile(r"[+-]?[0-9]{1,19}")
# escapes of NUL and of surrogates, behind an even number of backslashes
_UNSTORABLE = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:0000|[dD][89a-fA-F])")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")


@dataclass(frozen=True, slots=True)
class SortKey:
    """A property to sort by; features without it come last either way."""

    name: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ends: the sort values and the id of its last feature."""

    text: str
    """As a JSON array, with every digit that the database wrote."""
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ItemsQuery:
    """What a request for items asks for, every value typed and checked."""

    crs: ReferenceSystem
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    after: Position | None = None
    bbox: Bbox | None = None
    datetime: Interval | None = None
    equals: tuple[tuple[str, Any], ...] = ()
    properties: tuple[str, ...] | None = None
    sortby: tuple[SortKey, ...] = ()
    skip_geometry: bool = False
    hits: bool = False
    areas: tuple[tuple[str, str], ...] = ()
    """Relations to geometries: `intersects` or `within`, and the geometry as hexadecimal EWKB."""
    filter: Expression | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """What a collection lets requests name."""

    fields: Mapping[str, Mapping[str, Any]]
    """The schemas of its properties by name."""
    crs: tuple[str, ...] = SUPPORTED
    relations: frozenset[str] = frozenset()
    """The parameters that are geometries, of AREA_PARAMETERS."""


@dataclass(frozen=True, slots=True)
class CollectionsQuery:
    """What a request for collections asks for."""

    limit: int = DEFAULT_COLLECTIONS
    offset: int = 0
    words: tuple[str, ...] = field(default=())
    bbox: Bbox | None = None


def single_values(arguments: MultiDict[str, str], known: Collection[str]) -> dict[str, str]:
    """Return the parameters by name.

    Raises InvalidParameterError for one that is unknown or given twice.
    """
    for name, values in arguments.lists():
        if name not in known:
            raise InvalidParameterError(f"Unknown query parameter {name!r}.")
        if len(values) > 1:
            raise InvalidParameterError(f"The query parameter {name!r} is given more than once.")
        if "\x00" in values[0]:
            raise InvalidParameterError(f"The query parameter {name!r} holds a NUL character.")
    return arguments.to_dict()


def names_properties(
    arguments: MultiDict[str, str], relations: frozenset[str] = frozenset()
) -> bool:
    """Return whether an items request can be parsed only by who knows the properties."""
    others = set(arguments) - ITEMS_PARAMETERS - relations
    return bool({"properties", "sortby", "filter"} & set(arguments) or others)


def parse_items_query(arguments: MultiDict[str, str], offered: Offered) -> ItemsQuery:
    """Return the query of an items request on a collection that offers this."""
    fields, relations = offered.fields, offered.relations
    known = ITEMS_PARAMETERS | relations
    names = {name for name in fields if name not in known}
    values = single_values(arguments, known | names)
    sortby = _sort_keys(values.get("sortby"), fields)
    resulttype = values.get("resulttype", "results")
    if resulttype not in {"results", "hits"}:
        raise InvalidParameterError("resulttype is either 'results' or 'hits'.")
    if "bbox-crs" in values and "bbox" not in values:
        raise InvalidParameterError("bbox-crs is given without bbox.")
    return ItemsQuery(
        limit=_limit(values, DEFAULT_LIMIT, MAX_LIMIT),
        offset=_offset(values),
        after=_after(values.get("after"), len(sortby)),
        bbox=_bbox(values, offered.crs),
        crs=reference_system(values.get("crs", CRS84), "crs", offered.crs),
        datetime=parse_datetime(values["datetime"]) if "datetime" in values else None,
        equals=tuple(
            (name, typed_value(name, values[name], fields[name]))
            for name in values
            if name in names
        ),
        properties=_property_names(values.get("properties"), fields),
        sortby=sortby,
        skip_geometry=parse_boolean("skipGeometry", values.get("skipGeometry", "false")),
        hits=resulttype == "hits",
        areas=tuple((name, _area(name, values[name])) for name in relations & set(values)),
        filter=_filter(values, offered),
    )


def _filter(values: Mapping[str, str], offered: Offered) -> Expression | None:
    if "filter" not in values:
        for name in ("filter-lang", "filter-crs"):
            if name in values:
                raise InvalidParameterError(f"{name} is given without filter.")
        return None
    language = values.get("filter-lang", LANGUAGES[0])
    if language not in LANGUAGES:
        raise InvalidParameterError(f"filter-lang is one of {', '.join(LANGUAGES)}.")
    crs = reference_system(values.get("filter-crs", CRS84), "filter-crs", offered.crs)
    return parse_filter(values["filter"], language, crs, offered.fields)


def _area(name: str, text: str) -> str:
    try:
        geometry = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidParameterError(f"{name} is a GeoJSON geometry.") from None
    fault = next(geometry_faults(geometry), None)
    if geometry is None or fault:
        reason = f" {fault.pointer}: {fault.detail}" if fault else ""
        raise InvalidParameterError(f"{name} is a GeoJSON geometry.{reason}")
    shape = shapely.from_geojson(text)
    if not shapely.is_valid(shape):
        raise InvalidParameterError(f"{name}: {shapely.is_valid_reason(shape)}.")
    ewkb: str = shapely.to_wkb(shapely.set_srid(shape, 4326), hex=True, include_srid=True)
    return ewkb


def parse_item_query(arguments: MultiDict[str, str], crs: tuple[str, ...]) -> ItemsQuery:
    """Return the query of a request for one item of a collection that can be read in these CRSs."""
    values = single_values(arguments, ITEM_PARAMETERS)
    return ItemsQuery(crs=reference_system(values.get("crs", CRS84), "crs", crs))


def parse_collections_query(arguments: MultiDict[str, str]) -> CollectionsQuery:
    """Return the query of a request for collections (OGC API Common Part 2)."""
    values = single_values(arguments, COLLECTIONS_PARAMETERS)
    return CollectionsQuery(
        limit=_limit(values, DEFAULT_COLLECTIONS, MAX_COLLECTIONS),
        offset=_offset(values),
        words=tuple(values.get("q", "").split()),
        bbox=_bbox(values, SUPPORTED),
    )


def _limit(values: Mapping[str, str], default: int, maximum: int) -> int:
    text = values.get("limit")
    if text is None:
        return default
    if not _INTEGER.fullmatch(text) or int(text) < 1:
        raise InvalidParameterError(f"limit is a whole number from 1 to {maximum}.")
    return min(int(text), maximum)


def _offset(values: Mapping[str, str]) -> int:
    text = values.get("offset", "0")
    if not _INTEGER.fullmatch(text) or int(text) > MAX_OFFSET:
        raise InvalidParameterError("offset is a whole number from 0.")
    return int(text)


def _bbox(values: Mapping[str, str], offered: tuple[str, ...]) -> Bbox | None:
    if "bbox" not in values:
        return None
    crs = reference_system(values.get("bbox-crs", CRS84), "bbox-crs", offered)
    return parse_bbox(values["bbox"], crs)


def parse_uuid(text: str) -> uuid.UUID | None:
    """Return the UUID that a path names in its usual form, None for anything else."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None


def parse_feature_id(text: str) -> int:
    """Return the id of a feature that a path names; raises NotFoundError for what is none."""
    if not _FEATURE_ID.fullmatch(text) or abs(int(text)) >= 2**63:
        raise NotFoundError("There is no such feature in this collection.")
    return int(text)


def parse_boolean(name: str, text: str) -> bool:
    """Return what a parameter says; raises InvalidParameterError unless that is true or false."""
    if text not in {"true", "false"}:
        raise InvalidParameterError(f"{name} is either true or false.")
    return text == "true"


def _property_names(text: str | None, fields: Collection[str]) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name for name in text.split(",") if name)
    for name in names:
        if name not in fields:
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
        if name not in fields or not sortable(name, fields[name]):
            raise InvalidParameterError(f"sortby names {name!r}, which is not a sortable here.")
        keys.append(SortKey(name, part.startswith("-")))
    if len({key.name for key in keys}) < len(keys):
        raise InvalidParameterError("sortby names a property twice.")
    return tuple(keys)


def encode_position(text: str) -> str:
    """Return the `after` parameter of the page behind this position (JSON: sort values, id)."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _after(text: str | None, sort_keys: int) -> Position | None:
    if text is None:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        decoded = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        values = json.loads(decoded)
    except (binascii.Error, ValueError, RecursionError):
        decoded, values = "", None
    if (
        not isinstance(values, list)
        or len(values) != sort_keys + 1
        or type(values[-1]) is not int
        or abs(values[-1]) >= 2**63
        or _UNSTORABLE.search(decoded)
        or not _is_strict_json(values)
    ):
        raise InvalidParameterError("after is not a position that this server gave out.")
    return Position(decoded, tuple(values))


def _is_strict_json(values: list[Any]) -> bool:
    try:
        json.dumps(values, allow_nan=False)
    except ValueError:
        return False
    return True


def typed_value(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    """Return a parameter's text as the property's JSON value.

    Raises InvalidParameterError when it cannot be one of the property's type.
    """
    kind = schema.get("type", "string")
    if kind == "integer" and _SIGNED.fullmatch(text):
        return int(text)
    if kind == "number" and _SIGNED.fullmatch(text):
        return int(text)
    if kind == "number" and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    if kind == "string" and (schema.get("format") != "date" or _is_date(text)):
        return text
    if kind in {"object", "array"}:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict if kind == "object" else list):
            return value
    wanted = schema.get("format") or kind
    raise InvalidParameterError(f"{name} is of type {wanted}; {text!r} is not.")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10
