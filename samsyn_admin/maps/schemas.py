"""Request bodies of maps, their collaborators and their layers."""

import uuid
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from samsyn_admin.layers.schemas import JsonObject

MAX_LAYER_ORDERS = 10_000
"""The maximum number of layers in one request that orders them."""
Permission = Literal["private", "collaborators", "public"]
Role = Literal["viewer", "editor"]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Zoom = Annotated[float, Field(ge=0, le=22)]
Opacity = Annotated[int, Field(ge=0, le=100)]
Order = Annotated[int, Field(ge=0)]


def _uuid(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return uuid.UUID(value)
        except ValueError:
            pass
    raise ValueError("This is not a UUID")


Key = Annotated[uuid.UUID, BeforeValidator(_uuid)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class MapCreate(_Body):
    """The body of a request that creates a map."""

    name: Name
    description: Annotated[str, Field(max_length=100_000)] | None = None
    center_lat: Latitude = 0.0
    center_lng: Longitude = 0.0
    zoom: Zoom = 2.0
    view_permission: Permission = "private"
    edit_permission: Permission = "private"
    map_metadata: JsonObject = Field(default_factory=dict)


class MapDuplicate(_Body):
    """The body of a request that copies a map."""

    name: Name | None = None


class Person(_Body):
    """A user by email or by id, exactly one of the two."""

    email: Annotated[str, Field(min_length=3, max_length=320), AfterValidator(str.strip)] | None = (
        None
    )
    user_id: Key | None = None

    @model_validator(mode="after")
    def _has_one(self) -> "Person":
        if (self.email is None) == (self.user_id is None):
            raise ValueError("Send either email or user_id")
        return self


class CollaboratorCreate(Person):
    """The body of a request that adds a collaborator."""

    role: Role = "viewer"


class CollaboratorUpdate(_Body):
    """The body of a request that changes a collaborator."""

    role: Role


class MapLayerUpdate(_Body):
    """The body of a request that changes a layer on a map."""

    order: Order | None = None
    visible: bool = True
    opacity: Opacity = 100
    style_override: JsonObject | None = None


class MapLayerCreate(MapLayerUpdate):
    """The body of a request that adds a layer to a map."""

    layer_id: Key


class LayerOrder(_Body):
    """The position of a layer on its map."""

    layer_id: Key
    order: Order


class Reorder(_Body):
    """The body of a request that reorders a map's layers."""

    layer_orders: Annotated[list[LayerOrder], Field(max_length=MAX_LAYER_ORDERS)]
