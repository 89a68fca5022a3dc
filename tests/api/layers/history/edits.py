"""A layer that people edit, and its states."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from tests.api.layer_requests import Caller, feature, vector

type Content = dict[int, tuple[Any, ...]]

_CONTENT = """
SELECT id, encode(ST_AsEWKB(geom), 'hex'), properties::text, created_by, created_at
FROM layer_features WHERE layer_id = :layer ORDER BY id"""


def point(longitude: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [longitude, 57.5]}


@dataclass(frozen=True)
class EditedLayer:
    """A layer, who edits it, and the database that it is in."""

    owner: Caller
    id: str
    engine: Engine

    @classmethod
    def of(cls, owner: Caller, engine: Engine, **members: Any) -> "EditedLayer":
        created = owner.post(vector(**members))
        assert created.status_code == 201, created.text
        return cls(owner, str(created.json["id"]), engine)

    def insert(self, *names: Any) -> list[int]:
        """Add features whose property `n` these are, in one change set."""
        features = [feature(point(10 + index / 10), n=name) for index, name in enumerate(names)]
        body = {"type": "FeatureCollection", "features": features}
        sent = self.owner.send("POST", f"{self.id}/features", body)
        assert sent.status_code == 201, sent.text
        return [one["id"] for one in sent.json["features"]]

    def update(self, key: int, **properties: Any) -> TestResponse:
        sent = self.owner.patch(f"{self.id}/features/{key}", {"properties": properties})
        assert sent.status_code == 200, sent.text
        return sent

    def delete(self, key: int) -> None:
        assert self.owner.delete(f"{self.id}/features/{key}").status_code == 204

    def at_once(self, statement: str, **values: Any) -> None:
        """Run SQL in a transaction of its own."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), {"layer": self.id, **values})

    def send(self, path: str, body: Any = None, caller: Caller | None = None) -> TestResponse:
        return (caller or self.owner).send("POST", f"{self.id}/{path}", body or {})

    def restore(self, as_of: Any, query: str = "", **options: Any) -> TestResponse:
        return self.send(f"features/restore{query}", {"as_of": as_of}, **options)

    def undo(self, change_set: Any, query: str = "", **options: Any) -> TestResponse:
        return self.send(f"change-sets/{change_set}/undo{query}", **options)

    def content(self) -> Content:
        """Return what the layer has, to the last bit, by the ids of the features."""
        with self.engine.connect() as connection:
            rows = connection.execute(text(_CONTENT), {"layer": self.id})
            return {row.id: tuple(row) for row in rows}

    def change_sets(self) -> Sequence[int]:
        """Return the numbers of the layer's change sets in the order of their commits."""
        with self.engine.connect() as connection:
            return list(
                connection.execute(
                    text(
                        "SELECT change_set_id FROM layer_change_sets WHERE layer_id = :layer"
                        " ORDER BY committed_at"
                    ),
                    {"layer": self.id},
                ).scalars()
            )

    def counted(self) -> tuple[int, int]:
        """Return how many features are counted, and how many there are."""
        with self.engine.connect() as connection:
            return tuple(
                connection.execute(
                    text(
                        "SELECT (SELECT sum(feature_count) FROM layer_changes"
                        " WHERE layer_id = :layer)::int, count(*)::int"
                        " FROM layer_features WHERE layer_id = :layer"
                    ),
                    {"layer": self.id},
                ).one()
            )

    def edit(self, chance: random.Random) -> None:
        """Insert, update and delete some features in one transaction."""
        with self.engine.begin() as connection:
            for _ in range(chance.randrange(1, 4)):
                connection.execute(
                    text(chance.choice([_INSERT, _UPDATE, _UPDATE, _DELETE])),
                    {"layer": self.id, "seed": chance.random(), "n": chance.randrange(1, 5)},
                )


_SOME = """
    SELECT id FROM layer_features WHERE layer_id = :layer
    ORDER BY md5(concat(id, :seed)) LIMIT :n"""
_INSERT = """
INSERT INTO layer_features (layer_id, geom, properties)
SELECT :layer, CASE WHEN n > 1 THEN ST_SetSRID(ST_MakePoint(n, :seed), 4326) END,
    jsonb_build_object('n', n, 'seed', :seed)
FROM generate_series(1, :n) AS n"""
_UPDATE = f"""
UPDATE layer_features SET properties = jsonb_build_object('n', :n, 'x', 1.0 * :n),
    geom = ST_SetSRID(ST_MakePoint(:n, :seed), 4326)
WHERE layer_id = :layer AND id IN ({_SOME})"""
_DELETE = f"DELETE FROM layer_features WHERE layer_id = :layer AND id IN ({_SOME})"
