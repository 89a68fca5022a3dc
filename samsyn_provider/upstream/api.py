"""pygeoapi's API object, made for the collections of one request."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import yaml
from pygeoapi.api import API

from samsyn_model.settings import CHECKOUT
from samsyn_provider.http.links import ogc_url


@lru_cache(maxsize=1)
def _shared_api() -> API:
    config = yaml.safe_load((CHECKOUT / "pygeoapi-config.yml").read_text())
    return API(config, {})


def api_for(resources: Mapping[str, Any]) -> API:
    """Return pygeoapi's API over these resources only, with the URL that clients use.

    `resources` are entries of pygeoapi's configuration by collection id.
    """
    shared = _shared_api()
    api = API.__new__(API)  # as copy.copy does, which takes longer than a feature
    config = {**shared.config, "resources": resources}
    vars(api).update(vars(shared), base_url=ogc_url(), config=config)
    return api
