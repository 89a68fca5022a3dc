"""The query parameters of a request for collections."""

from dataclasses import dataclass, field

from werkzeug.datastructures import MultiDict

from samsyn_provider.geography.bbox import Bbox
from samsyn_provider.geography.crs import SUPPORTED
from samsyn_provider.query.parameters import (
    parse_bbox_parameter,
    parse_limit,
    parse_offset,
    single_values,
)

DEFAULT_COLLECTIONS = 100

MAX_COLLECTIONS = 1_000

COLLECTIONS_PARAMETERS = frozenset({"f", "limit", "offset", "q", "bbox"})


@dataclass(frozen=True, slots=True)
class CollectionsQuery:
    """The query of a request for collections."""

    limit: int = DEFAULT_COLLECTIONS
    offset: int = 0
    words: tuple[str, ...] = field(default=())
    bbox: Bbox | None = None


def parse_collections_query(arguments: MultiDict[str, str]) -> CollectionsQuery:
    """Parse the query of a request for collections (OGC API Common Part 2)."""
    values = single_values(arguments, COLLECTIONS_PARAMETERS)
    return CollectionsQuery(
        limit=parse_limit(values, DEFAULT_COLLECTIONS, MAX_COLLECTIONS),
        offset=parse_offset(values),
        words=tuple(values.get("q", "").split()),
        bbox=parse_bbox_parameter(values, SUPPORTED),
    )
