"""The demo plan of `demo/plan.yaml`: users, layers, maps and comments of a fictional Kattegat."""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection, Engine, insert, select

from samsyn_model.database import run, writing
from samsyn_model.errors import SamsynError
from samsyn_model.settings import CHECKOUT
from samsyn_model.tables import Comment, Layer, Map, MapCollaborator, MapLayer, User
from samsyn_model.tokens import find_or_create_user

FOLDER = CHECKOUT / "demo"
_NAMESPACE = uuid.UUID("7a9b6a3e-55d0-4c1f-9d51-0d6b2c4f9e10")
_LOCK = 4_823_110_977

_INSERT_FEATURES = """
INSERT INTO layer_features (layer_id, geom, properties, created_by, updated_by)
SELECT %(layer)s, ST_SetSRID(ST_GeomFromGeoJSON(feature -> 'geometry'), 4326),
    feature -> 'properties', %(owner)s, %(owner)s
FROM jsonb_array_elements(%(features)s::jsonb) WITH ORDINALITY AS given (feature, place)
ORDER BY place
RETURNING id"""


class DemoError(SamsynError):
    """A file of the demo plan is missing or cannot be read."""


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What was loaded; nothing when the plan was there already."""

    layers: int = 0
    features: int = 0
    maps: int = 0

    def __str__(self) -> str:
        """One line for the terminal."""
        if not self.layers:
            return "the demo plan is there already"
        return f"demo plan: {self.layers} layers, {self.features} features, {self.maps} maps"


def load_demo(engine: Engine, folder: Path = FOLDER) -> DemoSummary:
    """Load the demo plan in one transaction, unless it was ever loaded.

    What people have changed or deleted since stays so. Raises DemoError when a file of the plan
    cannot be read.
    """
    plan = _plan(folder)
    with writing(engine) as connection:
        run(connection, "SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": _LOCK})
        marker = _key("users", "owner")
        if run(connection, select(User.id).where(User.id == marker)).first():
            return DemoSummary()
        users = {key: _add_user(connection, key, user) for key, user in plan["users"].items()}
        features = {
            key: _add_layer(connection, key, layer, users["owner"], folder)
            for key, layer in plan["layers"].items()
        }
        for key, chart in plan["maps"].items():
            _add_map(connection, key, chart, users)
        for comment in plan["comments"]:
            _add_thread(connection, comment, users, features)
    return DemoSummary(len(features), sum(map(len, features.values())), len(plan["maps"]))


def _plan(folder: Path) -> dict[str, Any]:
    try:
        plan: dict[str, Any] = yaml.safe_load((folder / "plan.yaml").read_text())
    except (OSError, yaml.YAMLError) as error:
        raise DemoError(f"{folder / 'plan.yaml'} cannot be read: {error}") from error
    return plan


def _features(folder: Path, key: str) -> list[dict[str, Any]]:
    file = folder / f"{key}.geojson"
    try:
        features: list[dict[str, Any]] = json.loads(file.read_text())["features"]
    except (OSError, ValueError, KeyError) as error:
        raise DemoError(f"{file} cannot be read: {error}") from error
    return features


def _key(kind: str, key: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, f"{kind}/{key}")


def _add_user(connection: Connection, key: str, user: dict[str, Any]) -> uuid.UUID:
    """Return the id of the demo's user; one who has that address already is that user."""
    marker = _key("users", key)
    known = select(User.id).where(User.email == user["email"], User.deleted_at.is_(None))
    if run(connection, known).first():
        run(connection, insert(User).values(id=marker, username=f"demo {key}"))
        return find_or_create_user(connection, user["email"])
    run(connection, insert(User).values(id=marker, **user))
    return marker


def _add_layer(
    connection: Connection, key: str, layer: dict[str, Any], owner: uuid.UUID, folder: Path
) -> list[int]:
    """Add a layer and return the ids of its features."""
    fields = layer.pop("fields", None)
    colour = layer.pop("color", None)
    values = {
        "id": _key("layers", key),
        "source_type": "vector",
        "creation_source": "system",
        "created_by": owner,
        "style_config": {"color": colour} if colour else {},
        **layer,
    }
    if fields:
        properties = {
            name: {**schema, "x-ogc-propertySeq": place}
            for place, (name, schema) in enumerate(fields.items(), 1)
        }
        values["property_schema"] = {"type": "object", "properties": properties}
    run(connection, insert(Layer).values(**values))
    if not fields:
        return []
    return list(
        run(
            connection,
            _INSERT_FEATURES,
            {
                "layer": values["id"],
                "owner": owner,
                "features": json.dumps(_features(folder, key)),
            },
        ).scalars()
    )


def _add_map(
    connection: Connection, key: str, chart: dict[str, Any], users: dict[str, uuid.UUID]
) -> None:
    map_id = _key("maps", key)
    collaborators, layers = chart.pop("collaborators"), chart.pop("layers")
    run(connection, insert(Map).values(id=map_id, created_by=users["owner"], **chart))
    for user, role in collaborators.items():
        values = {"map_id": map_id, "user_id": users[user], "role": role}
        run(connection, insert(MapCollaborator).values(invited_by=users["owner"], **values))
    for order, placed in enumerate(layers):
        layer_id = _key("layers", placed.pop("layer"))
        values = {"map_id": map_id, "layer_id": layer_id, "order": order, **placed}
        run(connection, insert(MapLayer).values(**values))


def _add_thread(
    connection: Connection,
    comment: dict[str, Any],
    users: dict[str, uuid.UUID],
    features: dict[str, list[int]],
) -> None:
    subject: dict[str, Any] = {}
    if "map" in comment:
        subject["map_id"] = _key("maps", comment["map"])
    if "layer" in comment:
        subject["layer_id"] = _key("layers", comment["layer"])
    if "feature" in comment:
        subject["feature_id"] = features[comment["layer"]][comment["feature"]]
    root: dict[str, Any] = {"author_id": users[comment["author"]], "content": comment["content"]}
    if "position" in comment:
        longitude, latitude = comment["position"]
        root["position"] = f"SRID=4326;POINT({longitude} {latitude})"
    if "resolved_by" in comment:
        root |= {"resolved_by": users[comment["resolved_by"]], "resolved_at": _now(connection)}
    statement = insert(Comment).values(**subject, **root).returning(Comment.id)
    parent = run(connection, statement).scalar_one()
    for reply in comment.get("replies", ()):
        values = {"author_id": users[reply["author"]], "content": reply["content"]}
        run(connection, insert(Comment).values(parent_id=parent, **subject, **values))


def _now(connection: Connection) -> Any:
    return run(connection, "SELECT now()").scalar_one()
