"""Request bodies of comments."""

import uuid
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from samsyn_admin.http.request_body import refuse, validated
from samsyn_admin.http.update_body import read_change
from samsyn_model.errors import Fault
from samsyn_model.features.geometry import geometry_faults
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.geography.crs_member import names_another
from samsyn_provider.query.parameters import parse_uuid

MAX_CONTENT = 10_000
"""The maximum length of a comment in characters."""
MAX_FEATURE_ID = 2**63 - 1

READ_ONLY = frozenset(
    {
        *("id", "author_id", "author_name", "author", "map_id", "layer_id", "feature_id"),
        *("position", "parent_id", "thread_id", "is_resolved", "resolved_at", "resolved_by"),
        *("reply_count", "edited_at", "deleted_at", "created_at", "updated_at", "replies"),
    }
)
"""Read-only members of a comment: a change accepts and ignores them."""


def _trimmed(text: str) -> str:
    trimmed = text.strip()
    if not 1 <= len(trimmed) <= MAX_CONTENT:
        raise ValueError(f"A comment has 1 to {MAX_CONTENT} characters, white space aside")
    return trimmed


def _identifier(value: Any) -> uuid.UUID:
    identifier = parse_uuid(value) if isinstance(value, str) else None
    if identifier is None:
        raise ValueError("This is not a UUID")
    return identifier


Content = Annotated[str, AfterValidator(_trimmed)]
Identifier = Annotated[uuid.UUID, BeforeValidator(_identifier)]


class CommentCreate(BaseModel):
    """The body of a request that creates a comment."""

    model_config = ConfigDict(extra="forbid", strict=True)

    content: Content
    map_id: Identifier | None = None
    layer_id: Identifier | None = None
    feature_id: Annotated[int, Field(ge=1, le=MAX_FEATURE_ID)] | None = None
    position: Any = None
    """A GeoJSON Point or null."""
    parent_id: Identifier | None = None


class _CommentChange(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    content: Content = ""


def parse_comment(body: Any) -> CommentCreate:
    """Return the comment that a body describes.

    Raises InvalidBodyError with a fault for each member that breaks a rule.
    """
    comment = validated(CommentCreate, body)
    faults = _position_faults(comment.position)
    if comment.map_id is None and comment.layer_id is None:
        faults.append(
            Fault("/map_id", "A comment is on a map (map_id), a layer (layer_id) or both.")
        )
    if comment.feature_id is not None and comment.layer_id is None:
        faults.append(Fault("/feature_id", "A feature is one of a layer: name it in layer_id."))
    refuse(faults)
    return comment


def _position_faults(position: Any) -> list[Fault]:
    if isinstance(position, dict) and position.get("type") != "Point":
        return [Fault("/position/type", "A comment's position is a Point.")]
    faults = list(geometry_faults(position, "/position"))
    if (
        not faults
        and position is not None
        and names_another(position, reference_system(CRS84, "crs"))
    ):
        faults.append(Fault("/position/crs", "A position is in longitude and latitude."))
    return faults


def read_content() -> str | None:
    """Return the new content of a comment from a PUT or PATCH, None when it has none.

    Raises the errors of `read_change`, and InvalidBodyError for other members.
    """
    change = validated(_CommentChange, read_change(READ_ONLY))
    return change.content or None
