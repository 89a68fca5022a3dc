"""Every parameter that has an address in it, and how a response to a hostile one has to be."""

import json
from dataclasses import dataclass, field
from typing import Any

from samsyn_admin.rasters.responses import not_yet_response
from tests.security.outgoing.inner_server import SECRET

type Headers = dict[str, str]
_REFUSALS = {400, 401, 403, 404, 422, 502, 504}
_SOURCES = {
    "wms": {"layers": "a"},
    "geotiff": {"cogUrl": "https://data.example.org/a.tif"},
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation, or a member of its body."""

    path: str
    """Below `/api/v1/`."""
    name: str = "url"
    others: dict[str, Any] = field(default_factory=dict)
    method: str = "GET"
    is_for_nobody: bool = True
    """Whether also who is not signed in may have an address of a public layer asked."""

    def request(self, url: str) -> dict[str, Any]:
        """Return the method, and the query or the body, of a request with an address."""
        values = {**self.others, self.name: url}
        part = {"params": values} if self.method == "GET" else {"json": values}
        return {"method": self.method, "path": f"/api/v1/{self.path}", **part}


_CLICK = {"layers": "a", "bbox": "10,54,13,58", "width": 256, "height": 256, "x": 1, "y": 1}
WMS = (
    Parameter("wms/capabilities"),
    Parameter("wms/feature-info", others=_CLICK),
    Parameter("wms/discover-properties", others={"layer": "a"}),
    Parameter("wms-servers", "base_url", {"name": "Sea"}, "POST", is_for_nobody=False),
)
TITILER = (
    Parameter("titiler/tiles/5/16/9"),
    Parameter("titiler/info"),
    Parameter("titiler/statistics"),
    Parameter("titiler/preview"),
    Parameter("titiler/point", others={"lon": 11, "lat": 57}),
)
MAP = "0d6b0c7e-2f0a-4f5a-8f0e-9a1d3c5b7e21"
WEBHOOK = Parameter("subscriptions", "webhook_url", {"map_id": MAP}, "POST", is_for_nobody=False)
"""What it names is asked later: `test_webhooks.py`."""
ADDRESSES_OF_LAYERS = (
    ("wms", "url"),
    *(("geotiff", member) for member in ("url", "cogUrl", "cogUrlTemplate", "tileServer")),
)


def layer_of(source: str, member: str, url: str) -> dict[str, Any]:
    """Return the body of a public layer that has an address in a member of its source."""
    return {
        "name": "Sea",
        "source_type": source,
        "visibility": "public",
        "source_config": {**_SOURCES[source], member: url},
    }


def is_refusal(status: int, content: bytes) -> bool:
    """Whether a response refuses an address: a problem document, nothing of a page that is no WMS,
    or the preview of what nobody has looked at; and nothing of the inner server."""
    if SECRET in content:
        return False
    if content == not_yet_response().data:
        return status == 200
    document = json.loads(content)
    if status == 200:
        return document.get("properties", document.get("features")) == []
    return status in _REFUSALS and len(document["detail"]) > 10
