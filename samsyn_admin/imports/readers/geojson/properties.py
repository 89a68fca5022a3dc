"""The properties of features as JSON text, and the kinds of their values."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from samsyn_admin.imports.sources.arrow_batches import json_text
from samsyn_model.properties.schema import Kind, NotDateTimesError, ObservedKinds

_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_NONE_OR_DATES = frozenset({None, Kind.DATE, Kind.DATE_TIME})


class ObservedProperties(ObservedKinds):
    """The kinds of fields, of which those with dates have null where others have an empty text.

    `emptied` counts these by field. An empty text is no text as long as only dates were seen.
    """

    def __init__(self, free_texts: Iterable[str] = ()) -> None:
        super().__init__(free_texts)
        self.emptied: Counter[str] = Counter()

    def observe(self, properties: dict[str, Any]) -> None:
        """Observe one feature's properties; date-times and empty texts are replaced in place.

        Raises NotDateTimesError as ObservedKinds does, and where a text follows an empty one.
        """
        if "" in properties.values():
            for name, value in properties.items():
                is_empty = value == "" and name not in self._free_texts
                if is_empty and self.kinds.get(name) in _NONE_OR_DATES:
                    properties[name] = None
                    self.emptied[name] += 1
        super().observe(properties)
        for name in self.emptied:
            if self.kinds[name] not in _NONE_OR_DATES:
                raise NotDateTimesError(name)

    def texts_only_empty(self) -> list[str]:
        """Return the fields that had an empty text and no other value yet."""
        return [name for name in self.emptied if self.kinds[name] is None]


def properties_text(properties: dict[str, Any]) -> tuple[str, bool]:
    """Return properties as JSON, and whether numbers were beyond those of a float: null there."""
    try:
        return _ENCODE(properties), False
    except ValueError:
        return json_text(properties), True
