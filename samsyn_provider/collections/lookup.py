"""Collections looked up as a principal sees them, and the cache of their descriptions."""

import json
import uuid
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    Connection,
    Label,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
)

from samsyn_model.errors import NotFoundError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import Lock, find_layer
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.layers import Layer
from samsyn_provider.collections.collection import (
    DATA_VERSION,
    Collection,
    collection_of,
    version_of_row,
)
from samsyn_provider.query.parameters import parse_uuid

_STATE: Label[str] = literal_column("layers.xmin::text").label("state")
"""The version of a layer's row."""

_MAX_CACHED = 256

_MAX_CACHED_LENGTH = 32 * 1024  # characters


def find_collection(
    connection: Connection,
    principal: Principal,
    collection_id: str,
    action: Action,
    *,
    lock: Lock | None = None,
) -> Collection:
    """Return the collection with this id as the principal sees it, without count and extents.

    One statement; `lock` as in `find_layer`. Raises NotFoundError when the principal may read no
    such collection, else the errors of `find_layer`.
    """
    lookup = CollectionLookup.of(collection_id)
    row = find_layer(
        connection,
        principal,
        lookup.layer_id,
        action,
        lookup_columns,
        values=lookup.values,
        all_columns=False,
        lock=lock,
        source_type="vector",
    )
    return lookup.collection(row)


@dataclass(frozen=True, slots=True)
class CollectionLookup:
    """The lookup of a collection by a statement with `lookup_columns`."""

    layer_id: uuid.UUID
    cached: tuple[str, Collection] | None

    @classmethod
    def of(cls, collection_id: str) -> "CollectionLookup":
        """Return the lookup of a collection id; raises NotFoundError when it is not a UUID."""
        layer_id = parse_uuid(collection_id)
        if layer_id is None:
            raise NotFoundError("There is no such collection.")
        return cls(layer_id, _cache.get(layer_id))

    @property
    def values(self) -> dict[str, Any]:
        """The bound values of the columns."""
        return {"cached_state": self.cached and self.cached[0]}

    def collection(self, row: Any) -> Collection:
        """Return the collection of the statement's row."""
        if row.layer_json is None and self.cached:
            collection = self.cached[1]
        else:
            columns = json.loads(row.layer_json)
            collection = collection_of(SimpleNamespace(id=self.layer_id, **columns))
            if len(row.layer_json) <= _MAX_CACHED_LENGTH:
                _store(row.state, collection)
        return collection.at_version(version_of_row(row))


_cache: dict[uuid.UUID, tuple[str, Collection]] = {}
"""Collections with the state of their layer's row: an entry is used only where the statement that
looks up the layer finds the row in the same state."""


def _store(state: str, collection: Collection) -> None:
    _cache.pop(collection.id, None)
    _ = collection.fields, collection.names, collection.times  # computed once, for all requests
    while len(_cache) >= _MAX_CACHED:
        _cache.pop(next(iter(_cache)), None)
    _cache[collection.id] = (state, collection)


def lookup_columns(_: Principal) -> tuple[Any, ...]:
    """Return the columns for the versions, and for the description unless its state is cached."""
    columns = (
        *(Layer.name, Layer.description, Layer.category, Layer.geometry_type, Layer.time_field),
        *(Layer.property_schema, Layer.layer_metadata, Layer.style_config),
        *(Layer.additional_crs, Layer.indexed_properties),
    )
    members = (part for column in columns for part in (column.key, column))
    description = cast(func.json_build_object(*members), Text)
    is_cached = _STATE.element == bindparam("cached_state", None, Text)
    return (
        *(DATA_VERSION, Layer.updated_at, _STATE),
        case((is_cached, None), else_=description).label("layer_json"),
    )
