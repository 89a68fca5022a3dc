"""pygeoapi's functions for items, without the grammar of filters that it builds when it is loaded.

That takes as long as a sixth of the start of a worker. Filters are parsed by
`samsyn_provider.query`, never by pygeoapi.
"""

import sys
from types import ModuleType
from typing import Any

_PARSER = "pygeofilter.parsers.cql2_text"


def _refuse(text: str) -> Any:
    raise NotImplementedError(text)


def _load() -> Any:
    stand_in = ModuleType(_PARSER)
    vars(stand_in)["parse"] = _refuse
    is_missing = sys.modules.setdefault(_PARSER, stand_in) is stand_in
    try:
        import pygeoapi.api.itemtypes  # noqa: PLC0415 - with the stand-in
    finally:
        if is_missing:
            del sys.modules[_PARSER]
    return pygeoapi.api.itemtypes


itemtypes: Any = _load()
