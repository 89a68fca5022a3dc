"""Request bodies of the list of web map servers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from samsyn_admin.outgoing.addresses import MAX_URL

Name = Annotated[str, Field(min_length=1, max_length=255)]
Description = Annotated[str, Field(max_length=10_000)]


class WMSServerCreate(BaseModel):
    """The body of a request that adds a server to the list."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name
    base_url: Annotated[str, Field(min_length=1, max_length=MAX_URL)]
    description: Description | None = None


class WMSServerUpdate(BaseModel):
    """The body of a request that changes how a server is called."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name = ""
    description: Description | None = None


READ_ONLY = (
    *("id", "base_url", "version", "service_title", "service_provider", "layer_count"),
    *("capabilities_cache", "cached_at", "created_by", "created_at", "updated_at"),
)
"""Members of a server that a change may name, and does not change."""
