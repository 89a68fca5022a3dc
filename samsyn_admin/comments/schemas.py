"""Request bodies of comments."""

import json
import uuid
from typing import Annotated, Any

import shapely
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from samsyn_admin.http.request_body import refuse, validated
from samsyn_admin.http.update_body import read_change
from samsyn_model.comments.mentions import MAX_MENTIONS
from samsyn_model.errors import Fault
from samsyn_model.features.geometry import geometry_faults
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.geography.crs_member import names_another
from samsyn_provider.query.parameters import parse_uuid

MAX_CONTENT = 10_000
"""The maximum length of a comment in characters."""
MAX_FEATURE_ID = 2**63 - 1
MAX_AREA_POSITIONS = 1_000
"""The most positions of a comment's area: each list of comments has them."""

READ_ONLY = frozenset(
    {
        *("id", "author_id", "author_name", "author", "map_id", "layer_id", "feature_id"),
        *("feature_version", "feature_version_url", "target_state", "difference", "geometry"),
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


def _people(value: Any) -> Any:
    if not isinstance(value, list):
        raise ValueError("This has to be a list")
    entries = (entry.get("id") if isinstance(entry, dict) else entry for entry in value)
    return tuple(map(_identifier, entries))


Content = Annotated[str, AfterValidator(_trimmed)]
Identifier = Annotated[uuid.UUID, BeforeValidator(_identifier)]
Mentions = Annotated[
    tuple[uuid.UUID, ...], BeforeValidator(_people), Field(max_length=MAX_MENTIONS)
]
"""Users by their ids; also in the form of a response, which has their names too."""


class CommentCreate(BaseModel):
    """The body of a request that creates a comment."""

    model_config = ConfigDict(extra="forbid", strict=True)

    content: Content
    map_id: Identifier | None = None
    layer_id: Identifier | None = None
    feature_id: Annotated[int, Field(ge=1, le=MAX_FEATURE_ID)] | None = None
    feature_version: Annotated[int, Field(ge=1, le=MAX_FEATURE_ID)] | None = None
    """The version that the author has seen; None: the present one."""
    position: Any = None
    """A GeoJSON Point or null."""
    geometry: Any = None
    """A GeoJSON Polygon, MultiPolygon or null."""
    parent_id: Identifier | None = None
    mentions: Mentions = ()


class CommentChange(BaseModel):
    """The members of a comment that a request changes; the others are not among those set."""

    model_config = ConfigDict(extra="forbid", strict=True)

    content: Content = ""
    mentions: Mentions = ()


def parse_comment(body: Any) -> CommentCreate:
    """Return the comment that a body describes.

    Raises InvalidBodyError with a fault for each member that breaks a rule.
    """
    comment = validated(CommentCreate, body)
    faults = _position_faults(comment.position) + _area_faults(comment.geometry)
    if comment.position is not None and comment.geometry is not None:
        faults.append(Fault("/geometry", "A comment is at a position or on an area: send one."))
    if comment.map_id is None and comment.layer_id is None:
        faults.append(
            Fault("/map_id", "A comment is on a map (map_id), a layer (layer_id) or both.")
        )
    if comment.feature_id is not None and comment.layer_id is None:
        faults.append(Fault("/feature_id", "A feature is one of a layer: name it in layer_id."))
    if comment.feature_version is not None and comment.feature_id is None:
        faults.append(
            Fault("/feature_version", "A version is one of a feature: name it in feature_id.")
        )
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


def _area_faults(area: Any) -> list[Fault]:
    if area is None:
        return []
    if isinstance(area, dict) and area.get("type") not in ("Polygon", "MultiPolygon"):
        return [Fault("/geometry/type", "A comment's area is a Polygon or a MultiPolygon.")]
    faults = list(geometry_faults(area, "/geometry"))
    if faults:
        return faults
    if names_another(area, reference_system(CRS84, "crs")):
        return [Fault("/geometry/crs", "An area is in longitude and latitude.")]
    shape = area_shape(area)
    if shapely.get_num_coordinates(shape) > MAX_AREA_POSITIONS:
        return [Fault("/geometry", f"An area has at most {MAX_AREA_POSITIONS:,} positions.")]
    if shapely.is_empty(shape):
        return [Fault("/geometry/coordinates", "An area has at least one ring.")]
    if not shapely.is_valid(shape):
        return [Fault("/geometry", f"This is no area: {shapely.is_valid_reason(shape)}.")]
    return []


def area_shape(area: dict[str, Any]) -> shapely.Geometry:
    """Return the shape of a valid GeoJSON area, without heights."""
    return shapely.force_2d(shapely.from_geojson(json.dumps(area)))


def read_comment_change() -> CommentChange:
    """Return what a PUT or PATCH changes of a comment.

    Raises the errors of `read_change`, and InvalidBodyError for other members.
    """
    return validated(CommentChange, read_change(READ_ONLY))
