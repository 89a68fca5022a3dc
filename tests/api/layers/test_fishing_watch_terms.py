"""The terms of Global Fishing Watch in the metadata of layers that are drawn from its tiles."""

from typing import Any

import pytest

from tests.api.layer_requests import Caller


@pytest.mark.parametrize(
    ("metadata", "attribution"),
    [({}, "Powered by Global Fishing Watch"), ({"attribution": "GFW, and us"}, "GFW, and us")],
)
def test_attribution_and_licence(owner: Caller, metadata: Any, attribution: str) -> None:
    body = {
        "name": "Fishing",
        "source_type": "vector",
        "source_config": {"gfw4wings": {"dataset": "public-global-fishing-effort:latest"}},
        "layer_metadata": metadata,
    }
    layer = owner.post(body).get_json()
    assert layer["layer_metadata"]["attribution"].startswith(attribution)
    assert "non-commercial" in layer["layer_metadata"]["license"]
