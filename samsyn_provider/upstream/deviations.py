"""Every place where SamSyn departs from pygeoapi 0.24, and why.

Importing this module applies the replacements. A test for each says when upstream no longer
needs it (`tests/ogc/upstream/test_deviations.py`).
"""

from functools import cache, lru_cache
from importlib import import_module
from typing import Any

import pygeoapi.api
import pygeoapi.api.itemtypes
import pygeoapi.crs
import pygeoapi.plugin
from pygeoapi.api import APIRequest
from pygeoapi.l10n import str2locale

_ENGLISH = str2locale("en-US")


class DocumentRequest(APIRequest):  # type: ignore[misc]
    """A request for a document, with nothing left for pygeoapi to parse.

    Upstream drops unknown parameters, fails on 6-number boxes and spends milliseconds on locales
    and CRS objects: the parameters are parsed in `samsyn_provider.query` before.
    """

    def __init__(self) -> None:
        # without an offset upstream logs a warning for each request
        self._args = {"offset": "0"}
        self._data = b""
        self._format = "json"
        self._headers: dict[str, str] = {}
        self._locale = _ENGLISH
        self._raw_locale = None
        self._path_info = ""


def _left_as_it_is(document: Any, pretty: bool = False) -> Any:  # noqa: ARG001 - upstream's signature
    """Stand in for `to_json`, which turns `<` and `>` in data into HTML entities."""
    return document


def _load_provider(_: str, definition: dict[str, Any]) -> Any:
    """Stand in for `load_plugin` where features are read."""
    return _provider_class(definition["name"])(definition)


@cache
def _provider_class(name: str) -> Any:
    module, _, of_module = name.rpartition(".")
    return getattr(import_module(module), of_module)


def _apply() -> None:
    pygeoapi.api.to_json = _left_as_it_is
    pygeoapi.api.itemtypes.to_json = _left_as_it_is
    # a CRS object is made for each request, although there are a handful
    cached_crs = lru_cache(maxsize=64)(pygeoapi.crs.get_crs)
    pygeoapi.crs.get_crs = cached_crs
    pygeoapi.provider.base.get_crs = cached_crs
    # modules are looked for, and lists of them written out for the log, at every request
    pygeoapi.api.itemtypes.load_plugin = _load_provider
    # its CSV formatter would be made, and linked to, for every request
    pygeoapi.plugin.PLUGINS["formatter"].clear()


_apply()
