"""Addresses in digests: where people see a thing, and where programs read it."""

import uuid
from dataclasses import dataclass

from samsyn_model.settings import Settings


@dataclass(frozen=True, slots=True)
class Links:
    """What addresses begin with: of this server, and of the web frontend where there is one."""

    base: str
    frontend: str | None

    @classmethod
    def of(cls, settings: Settings) -> "Links":
        """Return the addresses that the settings name."""
        return cls(settings.address, settings.frontend_url)

    def map(self, map_id: uuid.UUID) -> str:
        """Return where people see a map."""
        return f"{self.frontend}/?map={map_id}" if self.frontend else self.map_resource(map_id)

    def layer(self, layer_id: uuid.UUID, source_type: str) -> str:
        """Return where people see a layer on its own."""
        if source_type == "vector":
            return f"{self.collection(layer_id)}?f=html"
        return self.layer_resource(layer_id)

    def map_resource(self, map_id: uuid.UUID) -> str:
        """Return the address of a map in the management API."""
        return f"{self.base}/api/v1/maps/{map_id}"

    def layer_resource(self, layer_id: uuid.UUID) -> str:
        """Return the address of a layer in the management API."""
        return f"{self.base}/api/v1/layers/{layer_id}"

    def collection(self, layer_id: uuid.UUID) -> str:
        """Return the address of a layer as a collection."""
        return f"{self.base}/ogc/collections/{layer_id}"

    def comment(self, comment_id: uuid.UUID) -> str:
        """Return the address of a comment in the management API."""
        return f"{self.base}/api/v1/comments/{comment_id}"
