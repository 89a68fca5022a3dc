"""Which subscriptions are made due by what is committed, and when."""

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from samsyn_model.errors import DatabaseUnavailableError
from samsyn_model.live.notices import newest_position
from samsyn_model.subscriptions.news import note_news


@dataclass
class Followed:
    """A map with a layer on it, threads on both, and a subscription to each, with nothing due."""

    engine: Engine
    user: uuid.UUID
    map: uuid.UUID
    layer: uuid.UUID
    position: int

    def run(self, sql: str, **values: Any) -> Any:
        with self.engine.begin() as connection:
            result = connection.execute(text(sql), values)
            return result.all() if result.returns_rows else []

    def due(self) -> list[str]:
        """Note the news, and return the frequencies of what is due, each of another subscription:
        immediate for the map, hourly for the thread on it, daily for the thread on the layer."""
        with self.engine.begin() as connection:
            note_news(connection, self.position)
        sql = "SELECT frequency FROM subscriptions WHERE due_at IS NOT NULL ORDER BY frequency"
        return [row.frequency for row in self.run(sql)]


@pytest.fixture
def followed(empty_database: Engine) -> Followed:
    with empty_database.begin() as connection:

        def one(sql: str, **values: Any) -> Any:
            return connection.execute(text(f"{sql} RETURNING id"), values).scalar_one()

        user = one("INSERT INTO users (email) VALUES ('follower@example.org')")
        owned = {"user": user}
        map_id = one("INSERT INTO maps (name, created_by) VALUES ('Sea', :user)", **owned)
        layer_id = one(
            "INSERT INTO layers (name, source_type, created_by) VALUES ('L', 'vector', :user)",
            **owned,
        )
        one(
            'INSERT INTO map_layers (map_id, layer_id, "order") VALUES (:map, :layer, 0)',
            map=map_id,
            layer=layer_id,
        )
        for frequency, thread_on in (("immediate", None), ("hourly", "map"), ("daily", "layer")):
            comment = subject = None
            if thread_on:
                subject = map_id if thread_on == "map" else layer_id
                comment = one(
                    f"INSERT INTO comments ({thread_on}_id, author_id, content)"
                    " VALUES (:subject, :user, 'Root.')",
                    subject=subject,
                    user=user,
                )
            one(
                "INSERT INTO subscriptions"
                " (user_id, map_id, comment_id, subject_id, frequency, position)"
                " VALUES (:user, :map, :comment, :subject, :frequency, 0)",
                user=user,
                map=None if comment else map_id,
                comment=comment,
                subject=subject or map_id,
                frequency=frequency,
            )
    with empty_database.begin() as connection:
        position, _ = newest_position(connection)
        connection.execute(text("UPDATE subscriptions SET position = :p"), {"p": position})
    return Followed(empty_database, user, map_id, layer_id, position)


def test_what_happens_to_the_map_concerns_it_and_its_threads(followed: Followed) -> None:
    assert followed.due() == []
    followed.run("UPDATE maps SET name = 'Other'")
    assert followed.due() == ["hourly", "immediate"]


def test_what_happens_to_a_layer_concerns_its_maps_and_its_threads(followed: Followed) -> None:
    followed.run(
        "INSERT INTO layer_features (layer_id, geom, properties) VALUES (:layer, NULL, '{}')",
        layer=followed.layer,
    )
    assert followed.due() == ["daily", "immediate"]


def test_each_has_its_time(followed: Followed) -> None:
    followed.run("UPDATE maps SET name = 'Other'")
    followed.run("UPDATE layers SET name = 'Other'")
    assert followed.due() == ["daily", "hourly", "immediate"]
    [row] = followed.run(
        "SELECT min(due_at) FILTER (WHERE frequency = 'immediate') - now() AS immediate,"
        " min(due_at) FILTER (WHERE frequency = 'hourly') - now() AS hourly,"
        " min(due_at) FILTER (WHERE frequency = 'daily') - now() AS daily FROM subscriptions"
    )
    assert 0 < row.immediate.total_seconds() <= 60
    assert 0 < row.hourly.total_seconds() <= 3600
    assert 0 < row.daily.total_seconds() <= 24 * 3600


def test_what_was_told_already_and_what_is_not_active_is_not_due(followed: Followed) -> None:
    followed.run("UPDATE subscriptions SET status = 'paused' WHERE frequency = 'hourly'")
    followed.run("UPDATE maps SET name = 'Other'")
    followed.run("UPDATE subscriptions SET position = position + 1 WHERE comment_id IS NULL")
    assert followed.due() == []


def test_others_are_not_waited_for(followed: Followed) -> None:
    followed.run("UPDATE maps SET name = 'Other'")
    with followed.engine.connect() as other:
        changing = other.begin()
        other.execute(text("UPDATE subscriptions SET frequency = 'daily'"))
        with pytest.raises(DatabaseUnavailableError):
            followed.due()
        changing.rollback()
    assert followed.due() == ["hourly", "immediate"]


def test_a_subscription_follows_one_thing(connection: Connection) -> None:
    user = connection.execute(text("INSERT INTO users DEFAULT VALUES RETURNING id")).scalar_one()
    statement = text(
        "INSERT INTO subscriptions (user_id, subject_id, frequency, position)"
        " VALUES (:user, :user, 'daily', 0)"
    )
    with pytest.raises(Exception, match="ck_subscriptions_subject"):
        connection.execute(statement, {"user": user})
