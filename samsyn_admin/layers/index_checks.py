"""Which properties of a layer may have an index."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from samsyn_model.errors import Fault

MAX_INDEXES = 8
Fields = Mapping[str, Mapping[str, Any]]

_SCALARS = frozenset({"string", "number", "integer", "boolean"})


def index_faults(
    names: Sequence[str], fields: Fields, present: Sequence[str] = ()
) -> Iterator[Fault]:
    """Yield what is wrong with a list of properties to index; those `present` may stay.

    `fields` are the schemas of the layer's properties by name.
    """
    for number, name in enumerate(names):
        place = f"/properties/{number}"
        if name in names[:number]:
            yield Fault(place, "This is named twice.")
        elif name not in fields:
            if name not in present:
                yield Fault(place, f"{name!r} is not a property of the layer.")
        elif fields[name].get("type", "string") not in _SCALARS:
            yield Fault(place, f"{name!r} is of type {fields[name]['type']}, which has no order.")
