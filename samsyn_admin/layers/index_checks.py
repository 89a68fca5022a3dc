"""Which properties of a layer may have an index."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from samsyn_model.errors import Fault

MAX_INDEXES = 8
"""The maximum number of indexed properties of a layer: each slows down writing its features."""
Fields = Mapping[str, Mapping[str, Any]]

_SCALARS = frozenset({"string", "number", "integer", "boolean"})


def index_faults(
    names: Sequence[str], fields: Fields, indexed: Sequence[str] = ()
) -> Iterator[Fault]:
    """Yield the faults of a list of properties to index; those `indexed` already may stay.

    `fields` are the schemas of the layer's properties by name.
    """
    for number, name in enumerate(names):
        pointer = f"/properties/{number}"
        if name in names[:number]:
            yield Fault(pointer, "This is listed twice.")
        elif name not in fields:
            if name not in indexed:
                yield Fault(pointer, f"{name!r} is not a property of the layer.")
        elif fields[name].get("type", "string") not in _SCALARS:
            yield Fault(
                pointer, f"{name!r} is of type {fields[name]['type']}, which cannot be sorted."
            )
