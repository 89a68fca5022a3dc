"""Every departure of SamSyn from pygeoapi 0.24, with its reason.

Importing this module applies the replacements. A test for each fails once upstream makes it
unnecessary (`tests/ogc/upstream/test_deviations.py`).
"""

from functools import cache, lru_cache
from importlib import import_module
from typing import Any

import pygeoapi.api
import pygeoapi.api.processes
import pygeoapi.crs
import pygeoapi.plugin
from pygeoapi.api import APIRequest
from pygeoapi.l10n import str2locale

from samsyn_provider.upstream.itemtypes import itemtypes

_ENGLISH = str2locale("en-US")


class DocumentRequest(APIRequest):  # type: ignore[misc]
    """A request for pygeoapi whose parameters have been parsed already, or has none.

    Upstream drops unknown parameters, fails on 6-number boxes and spends milliseconds on locales
    and CRS objects: `samsyn_provider.query` parses the parameters instead.
    """

    def __init__(
        self,
        arguments: dict[str, str] | None = None,
        data: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> None:
        # without an offset upstream logs a warning for each request
        self._args = {"offset": "0", **(arguments or {})}
        self._data = data
        self._format = "json"
        self._headers = headers or {}
        self._locale = _ENGLISH
        self._raw_locale = None
        self._path_info = ""


def _unserialized(document: Any, pretty: bool = False) -> Any:  # noqa: ARG001 - upstream's signature
    """Replace `to_json`, which turns `<` and `>` in data into HTML entities."""
    return document


def _load_provider(_: str, definition: dict[str, Any]) -> Any:
    """Replace `load_plugin` where features are read."""
    return _provider_class(definition["name"])(definition)


@cache
def _provider_class(name: str) -> Any:
    module, _, class_name = name.rpartition(".")
    return getattr(import_module(module), class_name)


def _apply() -> None:
    pygeoapi.api.to_json = _unserialized
    itemtypes.to_json = _unserialized
    pygeoapi.api.processes.to_json = _unserialized
    # upstream makes a CRS object for each request, although there are only a few
    cached_crs = lru_cache(maxsize=64)(pygeoapi.crs.get_crs)
    pygeoapi.crs.get_crs = cached_crs
    pygeoapi.provider.base.get_crs = cached_crs
    # upstream searches modules, and formats lists of them for the log, at every request
    itemtypes.load_plugin = _load_provider
    # upstream makes its CSV formatter, and links to it, for every request
    pygeoapi.plugin.PLUGINS["formatter"].clear()


_apply()
