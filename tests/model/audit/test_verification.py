"""Verification names what was altered, removed or added behind the back of history."""

import uuid
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.model.audit.chain import MakeLayer, faults, head_of, rows, tally, tampering
from tests.model.tables.features import delete, insert, update


def tamper(engine: Engine, statement: str, **values: Any) -> None:
    """Change one row, and keep no history of it."""
    with tampering(engine) as connection:
        assert connection.execute(text(statement), values).rowcount == 1


class History:
    """A layer whose features have been made, changed and deleted: `made`, then `changed`."""

    def __init__(self, engine: Engine, layer: uuid.UUID) -> None:
        self.layer = layer
        with engine.begin() as connection:
            self.ids = insert(connection, layer, 4)
            self.made = self._number(connection)
        self.early, _ = head_of(engine)
        with engine.begin() as connection:
            update(connection, layer, self.ids[:2])
            delete(connection, layer, self.ids[3:])
            connection.execute(
                text("UPDATE layers SET name = 'B', description = 'C' WHERE id = :layer"),
                {"layer": layer},
            )
            self.changed = self._number(connection)
        head_of(engine)

    def _number(self, connection: Any) -> int:
        number: int = connection.execute(text("SELECT current_change_set()")).scalar_one()
        return number


@pytest.fixture
def history(roomy_database: Engine, make_layer: MakeLayer) -> History:
    return History(roomy_database, make_layer())


PRESENT, FORMER = "layer_features", "feature_versions"
_MADE = ("altered", "made", 2)

# what is done, to which table, and what is found: a kind, the change set, a feature by its place
_OF_FEATURES = (
    ("SET properties = '{\"a\": 1}' WHERE id = :id", PRESENT, ("altered", "changed", 0)),
    ("SET geom = ST_SetSRID(ST_MakePoint(1, 2), 4326) WHERE id = :id", PRESENT, _MADE),
    ("SET updated_by = gen_random_uuid() WHERE id = :id", PRESENT, ("altered", "changed", 1)),
    ("SET updated_at = now() WHERE id = :id", PRESENT, _MADE),
    ("WHERE id = :id", PRESENT, ("missing", "made", 2)),
    ("SET properties = '{\"a\": 1}' WHERE feature_id = :id", FORMER, ("altered", "made", 3)),
    ("WHERE feature_id = :id", FORMER, ("missing", "made", 0)),
    ("WHERE feature_id = :id", FORMER, ("missing", "made", 3)),
)


@pytest.mark.parametrize(("statement", "table", "found"), _OF_FEATURES)
def test_a_state_of_a_feature(
    roomy_database: Engine,
    history: History,
    statement: str,
    table: str,
    found: tuple[str, str, int],
) -> None:
    assert faults(roomy_database) == []
    kind, change_set, place = found
    start = f"UPDATE {table}" if statement.startswith("SET") else f"DELETE FROM {table}"
    with tampering(roomy_database) as connection:
        feature = {"id": history.ids[place]}
        assert connection.execute(text(f"{start} {statement}"), feature).rowcount == 1
    assert faults(roomy_database) == [
        f"{kind}: state of a feature (change set {getattr(history, change_set)},"
        f" layer {history.layer}, feature {history.ids[place]})"
    ]


def test_a_state_that_was_added(roomy_database: Engine, history: History) -> None:
    with tampering(roomy_database) as connection:
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, id, change_set) VALUES"
                " (:layer, 1000000, :made), (:layer, 1000001, 999999), (:layer, 1000002, NULL)"
            ),
            {"layer": history.layer, "made": history.made},
        )
    assert faults(roomy_database) == [
        f"added: state of a feature (change set {number}, layer {history.layer}, feature {feature})"
        for number, feature in ((0, 1000002), (history.made, 1000000), (999999, 1000001))
    ]


def test_a_deletion_that_was_taken_back(roomy_database: Engine, history: History) -> None:
    """The state is there as it was, but not ended any more, or ended in another way."""
    ended = f"(change set {history.made}, layer {history.layer}, feature {history.ids[3]})"
    with tampering(roomy_database) as connection:
        connection.execute(
            text("UPDATE feature_versions SET was_deleted = false WHERE feature_id = :feature"),
            {"feature": history.ids[3]},
        )
    assert faults(roomy_database) == [f"altered: end of a state of a feature {ended}"]
    with tampering(roomy_database) as connection:
        connection.execute(
            text(
                "WITH gone AS ("
                " DELETE FROM feature_versions WHERE feature_id = :feature RETURNING *)"
                " INSERT INTO layer_features (layer_id, id, change_set, version, geom, properties,"
                " created_by, updated_by, created_at, updated_at)"
                " SELECT layer_id, feature_id, from_change, version, geom, properties, created_by,"
                " updated_by, created_at, updated_at FROM gone"
            ),
            {"feature": history.ids[3]},
        )
    assert faults(roomy_database) == [f"altered: end of a state of a feature {ended}"]


_OWN = "altered: change set (change set {})"
_TEXTS = "altered: message or details of changes (change set {})"
# what is done to a table, and what is found, with the change set and the layer
_OF_ROWS = (
    ("UPDATE change_sets SET user_id = gen_random_uuid() WHERE id = :n", _OWN),
    ("UPDATE change_sets SET created_at = now() WHERE id = :n", _OWN),
    ("UPDATE change_sets SET request_id = 'x' WHERE id = :n", _OWN),
    ("UPDATE change_sets SET message = 'x' WHERE id = :n", _TEXTS),
    ("UPDATE subject_changes SET details = '{\"a\": 1}' WHERE change_set_id = :n", _TEXTS),
    (
        "UPDATE subject_changes SET subject_id = gen_random_uuid() WHERE change_set_id = :n",
        "altered: changes beside features (change set {})",
    ),
    (
        "UPDATE layer_change_sets SET committed_at = now() WHERE change_set_id = :n",
        "altered: changes of a layer (change set {}, layer {})",
    ),
    (
        "DELETE FROM layer_change_sets WHERE change_set_id = :n",
        "missing: changes of a layer (change set {}, layer {})",
    ),
)


@pytest.mark.parametrize(("statement", "found"), _OF_ROWS)
def test_a_row_of_a_change_set(
    roomy_database: Engine, history: History, statement: str, found: str
) -> None:
    tamper(roomy_database, statement, n=history.changed)
    assert faults(roomy_database) == [found.format(history.changed, history.layer)]


def test_a_change_set_that_is_removed_or_added(roomy_database: Engine, history: History) -> None:
    for statement in (
        "DELETE FROM subject_changes WHERE change_set_id = :n",
        "DELETE FROM change_sets WHERE id = :n",
    ):
        tamper(roomy_database, statement, n=history.changed)
    tamper(
        roomy_database,
        "INSERT INTO change_sets (id, via) OVERRIDING SYSTEM VALUE VALUES (1000000, 'web')",
    )
    tamper(roomy_database, "INSERT INTO unsealed_change_sets VALUES (1000001)")
    assert faults(roomy_database) == [
        f"missing: change set (change set {history.changed})",
        f"missing: changes beside features (change set {history.changed})",
        "added: change set (change set 1000000)",
        "missing: change set that was not sealed yet (change set 1000001)",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE layer_seals SET digests = substr(digests, 2) || '\\x00'",
        "UPDATE layer_seals SET deleted[1] = NOT deleted[1]",
        "UPDATE change_seals SET sealed_at = sealed_at - interval '1 s'",
        "UPDATE change_seals SET own_digest = sha256('')",
        "UPDATE change_seals SET head = sha256('')",
        "DELETE FROM layer_seals",
    ],
)
def test_a_seal(roomy_database: Engine, history: History, statement: str) -> None:
    tamper(roomy_database, f"{statement} WHERE change_set_id = :n", n=history.changed)
    ((position,),) = rows(
        roomy_database,
        "SELECT position FROM change_seals WHERE change_set_id = :n",
        n=history.changed,
    )
    assert f"altered: the seal at the position {position} (change set {history.changed})" in faults(
        roomy_database
    )


def test_seals_that_are_gone(roomy_database: Engine, history: History) -> None:
    position, _ = head_of(roomy_database)
    tamper(roomy_database, "DELETE FROM change_seals WHERE position = :p", p=position - 1)
    missing = f"missing: the seals at the positions {position - 1} to {position - 1}"
    assert missing in faults(roomy_database)
    tamper(roomy_database, "DELETE FROM change_seals WHERE position = :p", p=position)
    assert any(found.startswith("altered: the head of ") for found in faults(roomy_database))


def test_a_history_that_was_sealed_anew_has_other_heads(
    roomy_database: Engine, history: History
) -> None:
    """Whoever may write everything can make a chain that is right in itself, but for heads that
    others have noted."""
    _, noted = head_of(roomy_database)
    tamper(
        roomy_database,
        "UPDATE layer_features SET properties = '{}' WHERE id = :f",
        f=history.ids[0],
    )
    with tampering(roomy_database) as connection:
        for table in ("layer_seals", "change_seals", "daily_heads"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(text("INSERT INTO unsealed_change_sets SELECT id FROM change_sets"))
    head_of(roomy_database)
    assert faults(roomy_database) == []
    assert (noted,) not in rows(roomy_database, "SELECT head FROM change_seals")


def test_since_a_head_what_is_older_is_left_out(roomy_database: Engine, history: History) -> None:
    counted = tally(roomy_database, history.early)
    assert counted.change_sets == 1
    assert counted.states == 2 + 3  # made, and ended
    alteration = "UPDATE layer_features SET properties = '{\"a\": 1}' WHERE id = :f"
    tamper(roomy_database, alteration, f=history.ids[2])
    assert faults(roomy_database, history.early) == []
    assert len(faults(roomy_database)) == 1
    removal = "DELETE FROM feature_versions WHERE feature_id = :f"
    tamper(roomy_database, removal, f=history.ids[3])
    assert len(faults(roomy_database, history.early)) == 1


def test_texts_can_be_erased(roomy_database: Engine, history: History) -> None:
    for statement in (
        "UPDATE change_sets SET message = NULL WHERE id = :n",
        "UPDATE subject_changes SET details = '{}' WHERE change_set_id = :n",
        "UPDATE change_seals SET salt = NULL WHERE change_set_id = :n",
    ):
        tamper(roomy_database, statement, n=history.changed)
    assert tally(roomy_database).erased == 1
    tamper(roomy_database, "UPDATE change_sets SET message = 'x' WHERE id = :n", n=history.changed)
    assert faults(roomy_database) == [_TEXTS.format(history.changed)]
