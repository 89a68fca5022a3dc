"""The files of the demo plan: `plan.yaml` and a GeoJSON file for each vector layer."""

import json
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from samsyn_model.errors import Fault, UnreadableFileError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PlannedUser(_Part):
    """A user of the plan."""

    email: str
    username: str
    first_name: str
    last_name: str


class PlannedLayer(_Part):
    """A layer; `fields` are the schemas of its properties, in order."""

    name: str
    description: str
    category: str
    owner: str
    source_type: Literal["wms", "geotiff", "vector"] = "vector"
    is_global: bool = False
    visibility: Literal["private", "public"] = "private"
    editable: Literal["creator-only", "everyone"] = "creator-only"
    source_config: dict[str, Any] = {}
    style_config: dict[str, Any] = {}
    geometry_type: str | None = None
    time_field: str | None = None
    fields: dict[str, dict[str, Any]] = {}


class PlannedMapLayer(_Part):
    """A layer on a map; the first is on top."""

    layer: str
    visible: bool = True
    opacity: int = Field(100, ge=0, le=100)
    style_override: dict[str, Any] | None = None


class PlannedMap(_Part):
    """A map, with its collaborators' roles by user key."""

    name: str
    description: str
    owner: str
    view_permission: Literal["private", "collaborators", "public"]
    edit_permission: Literal["private", "collaborators", "public"]
    center_lat: float
    center_lng: float
    zoom: float
    collaborators: dict[str, Literal["viewer", "editor"]]
    layers: list[PlannedMapLayer]


class PlannedReply(_Part):
    """A comment's text, author and age."""

    author: str
    days_ago: float
    content: str


class PlannedComment(PlannedReply):
    """A thread: its first comment, its subject and its replies."""

    map: str | None = None
    layer: str | None = None
    feature: str | None = None
    position: tuple[float, float] | None = None
    resolved_by: str | None = None
    replies: list[PlannedReply] = []


class Plan(_Part):
    """The content of `plan.yaml`, by key."""

    users: dict[str, PlannedUser]
    layers: dict[str, PlannedLayer]
    maps: dict[str, PlannedMap]
    comments: list[PlannedComment]


def read_plan(path: Path) -> Plan:
    """Return the plan; raises UnreadableFileError, whose faults are those of the file."""
    try:
        return Plan.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        faults = tuple(
            Fault("/" + "/".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors()
        )
        raise UnreadableFileError(f"The demo plan {path} is not valid.", faults) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnreadableFileError(f"The demo plan {path} cannot be read.") from error


def read_features(path: Path) -> list[dict[str, Any]]:
    """Return a GeoJSON file's features, each with a name; raises UnreadableFileError."""
    try:
        features: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["features"]
        for feature in features:
            if not (feature["geometry"]["type"] and feature["properties"]["name"]):
                raise ValueError("a feature lacks a name")
    except OSError as error:
        raise UnreadableFileError(f"The demo file {path} cannot be read.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(
            f"The demo file {path} is not a GeoJSON collection of named features."
        ) from error
    return features
