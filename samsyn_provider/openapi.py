"""The OpenAPI document of the OGC side: `openapi/ogc.yaml`, with the URL that clients use."""

from functools import lru_cache
from typing import Any

import yaml

from samsyn_model.settings import CHECKOUT
from samsyn_provider.http.links import ogc_url


@lru_cache(maxsize=1)
def definition_source() -> dict[str, Any]:
    """Return the document without its `servers`."""
    document: dict[str, Any] = yaml.safe_load((CHECKOUT / "openapi" / "ogc.yaml").read_text())
    return document


def definition() -> dict[str, Any]:
    """Return the OpenAPI 3.0 document; it names no layer, so it is public."""
    return {**definition_source(), "servers": [{"url": ogc_url(), "description": "This server"}]}
