"""The demo plan: a fictional plan of the Kattegat, read from `demo/` and loaded once."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import psycopg
from sqlalchemy import Connection, Engine, insert, select

from samsyn_admin.demo.plan import (
    Plan,
    PlannedComment,
    PlannedLayer,
    PlannedMap,
    PlannedReply,
    PlannedUser,
    read_features,
    read_plan,
)
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import writing
from samsyn_model.errors import UnreadableFileError
from samsyn_model.settings import CHECKOUT
from samsyn_model.sharding.writing import begin_writing
from samsyn_model.tables.base import Base
from samsyn_model.tables.comments import Comment
from samsyn_model.tables.layers import Layer, LayerFeature
from samsyn_model.tables.maps import Map, MapCollaborator, MapLayer
from samsyn_model.tables.users import User

DEMO_FOLDER = CHECKOUT / "demo"

_NAMESPACE = uuid.UUID("5d1c4b0e-7f0a-4f0e-9a58-0a6a1c1a9e57")
_LOCK = 0x53616D53796E4431  # an arbitrary number that no other lock uses
_FIRST_DAY = 30.0  # days ago, when users, maps and layers were created


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What loading the demo plan did; its text is for the terminal."""

    loaded: bool
    layers: int = 0
    features: int = 0
    maps: int = 0
    comments: int = 0
    owner: str = ""

    def __str__(self) -> str:
        if not self.loaded:
            return "demo plan: loaded before, left unchanged"
        return (
            f"demo plan loaded: {self.layers} layers with {self.features} features,"
            f" {self.maps} maps, {self.comments} comments\n"
            f"its owner is {self.owner} (for a token: samsyn token create {self.owner})"
        )


def load_demo(engine: Engine, folder: Path = DEMO_FOLDER) -> DemoSummary:
    """Load the plan in `folder`, in one transaction, unless it has been loaded before.

    It counts as loaded while any of its users, layers or maps exists, so that later changes and
    deletions remain. Two concurrent callers load it once. Users are looked up by their email first.
    Raises UnreadableFileError when a file is missing or not valid, and then changes nothing.
    """
    plan = read_plan(folder / "plan.yaml")
    with writing(engine) as connection:
        run(connection, "SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": _LOCK})
        if _was_loaded(connection, plan):
            return DemoSummary(loaded=False)
        return _Loading(connection, plan, folder).load()


def demo_id(kind: Literal["user", "layer", "map", "comment"], key: str) -> uuid.UUID:
    """Return the fixed id of a part of the plan, by its key in `plan.yaml`."""
    return uuid.uuid5(_NAMESPACE, f"{kind}/{key}")


def _ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def _created(days_ago: float) -> dict[str, datetime]:
    moment = _ago(days_ago)
    return {"created_at": moment, "updated_at": moment}


def _was_loaded(connection: Connection, plan: Plan) -> bool:
    statement = """
        SELECT EXISTS (SELECT FROM users WHERE id = ANY (%(users)s::uuid[]))
            OR EXISTS (SELECT FROM layers WHERE id = ANY (%(layers)s::uuid[]))
            OR EXISTS (SELECT FROM maps WHERE id = ANY (%(maps)s::uuid[]))"""
    values = {
        "users": [demo_id("user", key) for key in plan.users],
        "layers": [demo_id("layer", key) for key in plan.layers],
        "maps": [demo_id("map", key) for key in plan.maps],
    }
    return bool(run(connection, statement, values).scalar_one())


_INSERT_FEATURES = """
INSERT INTO layer_features (layer_id, geom, properties, created_by, updated_by)
SELECT %(layer)s,
       oriented_rings(ST_SetSRID(ST_GeomFromGeoJSON(feature -> 'geometry'), 4326)),
       feature -> 'properties', %(owner)s, %(owner)s
FROM jsonb_array_elements(%(features)s::jsonb) WITH ORDINALITY AS planned (feature, number)
ORDER BY number
RETURNING id, properties ->> 'name' AS name"""


class _Loading:
    """One loading of a plan; the dictionaries hold the ids of the inserted rows by key."""

    def __init__(self, connection: Connection, plan: Plan, folder: Path) -> None:
        self._connection = connection
        self._plan = plan
        self._folder = folder
        self._users: dict[str, uuid.UUID] = {}
        self._features: dict[str, dict[str, int]] = {}
        self._comments = 0

    def load(self) -> DemoSummary:
        plan = self._plan
        try:
            for key, user in plan.users.items():
                self._users[key] = self._user(key, user)
            for position, (key, layer) in enumerate(plan.layers.items()):
                self._layer(key, layer, position)
            for key, planned_map in plan.maps.items():
                self._map(key, planned_map)
            for number, comment in enumerate(plan.comments):
                self._thread(f"{number}", comment)
        except KeyError as error:
            raise UnreadableFileError(
                f"The demo plan refers to {error}, which it lacks."
            ) from error
        return DemoSummary(
            loaded=True,
            layers=len(plan.layers),
            features=sum(len(features) for features in self._features.values()),
            maps=len(plan.maps),
            comments=self._comments,
            owner=next(iter(plan.users.values())).email,
        )

    def _insert(self, table: type[Base], **columns: Any) -> None:
        run(self._connection, insert(table).values(columns))

    def _user(self, key: str, user: PlannedUser) -> uuid.UUID:
        existing = run(
            self._connection,
            "SELECT id FROM users WHERE lower(email) = lower(%(email)s) AND deleted_at IS NULL",
            {"email": user.email},
        ).scalar()
        if existing is not None:
            return uuid.UUID(str(existing))
        user_id = demo_id("user", key)
        self._insert(User, id=user_id, **user.model_dump(), **_created(_FIRST_DAY))
        return user_id

    def _layer(self, key: str, layer: PlannedLayer, position: int) -> None:
        owner = self._users[layer.owner]
        schema = {
            "type": "object",
            "properties": {
                name: {**field, "x-ogc-propertySeq": number}
                for number, (name, field) in enumerate(layer.fields.items(), start=1)
            },
        }
        is_vector = layer.source_type == "vector"
        self._insert(
            Layer,
            id=demo_id("layer", key),
            created_by=owner,
            property_schema=schema if is_vector else None,
            **layer.model_dump(exclude={"owner", "fields"}),
            # Lists are ordered newest first: the plan's first layer must be the newest.
            **_created(_FIRST_DAY + position / 1440),
        )
        if is_vector:
            self._features[key] = self._fill(key, owner)

    def _fill(self, key: str, owner: uuid.UUID) -> dict[str, int]:
        """Insert a layer's features, all in one statement; return their ids by name."""
        path = self._folder / f"{key}.geojson"
        values = {
            "layer": demo_id("layer", key),
            "owner": owner,
            "features": json.dumps(read_features(path)),
        }
        begin_writing(self._connection, demo_id("layer", key))
        try:
            rows: Iterable[Any] = run(self._connection, _INSERT_FEATURES, values)
        except psycopg.Error as error:
            raise UnreadableFileError(
                f"A geometry in the demo file {path} is not valid."
            ) from error
        return {row.name: row.id for row in rows}

    def _map(self, key: str, planned: PlannedMap) -> None:
        owner, map_id = self._users[planned.owner], demo_id("map", key)
        columns = planned.model_dump(exclude={"owner", "collaborators", "layers"})
        self._insert(Map, id=map_id, created_by=owner, **columns, **_created(_FIRST_DAY))
        for user, role in planned.collaborators.items():
            collaborator = {"map_id": map_id, "user_id": self._users[user], "role": role}
            self._insert(MapCollaborator, **collaborator, invited_by=owner)
        for order, layer in enumerate(planned.layers):
            columns = layer.model_dump(exclude={"layer"})
            layer_id = self._layer_id(layer.layer)
            self._insert(MapLayer, map_id=map_id, layer_id=layer_id, order=order, **columns)

    def _layer_id(self, key: str) -> uuid.UUID:
        if key not in self._plan.layers:
            raise KeyError(key)
        return demo_id("layer", key)

    def _map_id(self, key: str) -> uuid.UUID:
        if key not in self._plan.maps:
            raise KeyError(key)
        return demo_id("map", key)

    def _thread(self, key: str, comment: PlannedComment) -> None:
        subject: dict[str, Any] = {}
        if comment.map:
            subject["map_id"] = self._map_id(comment.map)
        if comment.layer:
            subject["layer_id"] = self._layer_id(comment.layer)
            if comment.feature:
                feature_id = self._features[comment.layer][comment.feature]
                subject |= {"feature_id": feature_id, "feature_change": self._change(feature_id)}
        if comment.position:
            subject["position"] = "SRID=4326;POINT({} {})".format(*comment.position)
        resolved_by = self._users[comment.resolved_by] if comment.resolved_by else None
        last = min(reply.days_ago for reply in [comment, *comment.replies]) - 1 / 24
        resolution = {"resolved_by": resolved_by, "resolved_at": _ago(last)} if resolved_by else {}
        first_id = self._comment(key, comment, **subject, **resolution)
        for number, reply in enumerate(comment.replies):
            self._comment(f"{key}/{number}", reply, **subject, parent_id=first_id)

    def _change(self, feature_id: int) -> int | None:
        """Return the change set that made the present version of a feature."""
        statement = select(LayerFeature.change_set).where(LayerFeature.id == feature_id)
        change: int | None = run(self._connection, statement).scalar_one()
        return change

    def _comment(self, key: str, comment: PlannedReply, **columns: Any) -> uuid.UUID:
        comment_id = demo_id("comment", key)
        author = self._users[comment.author]
        times = _created(comment.days_ago)
        self._insert(
            Comment, id=comment_id, author_id=author, content=comment.content, **columns, **times
        )
        self._comments += 1
        return comment_id
