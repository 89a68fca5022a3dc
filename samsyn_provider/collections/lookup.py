"""Collections found as a principal sees them, and what each process has described of them."""

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
"""The column that tells versions of a layer's row apart."""

_MOST_KNOWN = 256

_LONGEST_KNOWN = 32 * 1024  # characters


def find_collection(
    connection: Connection,
    principal: Principal,
    collection_id: str,
    action: Action,
    *,
    lock: Lock | None = None,
) -> Collection:
    """Return the collection with this id as the principal sees it, without count and bounds.

    One statement; `lock` as in `find_layer`. Raises NotFoundError when there is none that the
    principal may read, else the errors of `find_layer`.
    """
    sought = CollectionLookup.of(collection_id)
    row = find_layer(
        connection,
        principal,
        sought.layer_id,
        action,
        lookup_columns,
        values=sought.values,
        all_columns=False,
        lock=lock,
        source_type="vector",
    )
    return sought.found(row)


@dataclass(frozen=True, slots=True)
class CollectionLookup:
    """A collection that is looked for by a statement with `lookup_columns`."""

    layer_id: uuid.UUID
    known: tuple[str, Collection] | None

    @classmethod
    def of(cls, collection_id: str) -> "CollectionLookup":
        """Return what an id stands for; raises NotFoundError when it is none."""
        layer_id = parse_uuid(collection_id)
        if layer_id is None:
            raise NotFoundError("There is no such collection.")
        return cls(layer_id, _known.get(layer_id))

    @property
    def values(self) -> dict[str, Any]:
        """What the columns bind."""
        return {"known": self.known and self.known[0]}

    def found(self, row: Any) -> Collection:
        """Return the collection of the row that was found."""
        if row.described is None and self.known:
            collection = self.known[1]
        else:
            described = json.loads(row.described)
            collection = collection_of(SimpleNamespace(id=self.layer_id, **described))
            if len(row.described) <= _LONGEST_KNOWN:
                _remember(row.state, collection)
        return collection.at_version(version_of_row(row))


_known: dict[uuid.UUID, tuple[str, Collection]] = {}
"""Collections that this process has described, with the state of their row: they are used only
where the statement that finds the layer says that it is in this state still."""


def _remember(state: str, collection: Collection) -> None:
    _known.pop(collection.id, None)
    _ = collection.fields, collection.times  # made here, once for all requests
    while len(_known) >= _MOST_KNOWN:
        _known.pop(next(iter(_known)), None)
    _known[collection.id] = (state, collection)


def lookup_columns(_: Principal) -> tuple[Any, ...]:
    """Return the columns for versions, and for a description unless its state is `known`."""
    columns = (
        *(Layer.name, Layer.description, Layer.category, Layer.geometry_type, Layer.time_field),
        *(Layer.property_schema, Layer.layer_metadata, Layer.style_config),
        *(Layer.additional_crs, Layer.indexed_properties),
    )
    members = (part for column in columns for part in (column.key, column))
    described = cast(func.json_build_object(*members), Text)
    is_known = _STATE.element == bindparam("known", None, Text)
    return (
        *(DATA_VERSION, Layer.updated_at, _STATE),
        case((is_known, None), else_=described).label("described"),
    )
