"""Verification names what was altered, removed or added behind the back of history."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.model.audit.chain import MakeLayer, faults, head_of, rows, tally, tampering
from tests.model.tables.features import delete, insert, update


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
def history(roomy_database: Engine, make_layer: MakeLayer) -> Iterator[History]:
    yield History(roomy_database, make_layer())


# statement, the change set, a feature (its place), and what is found
_OF_FEATURES = (
    ("UPDATE layer_features SET properties = '{\"a\": 1}' WHERE id = :f0", "changed", 0, "altered"),
    (
        "UPDATE layer_features SET geom = ST_SetSRID(ST_MakePoint(1, 2), 4326) WHERE id = :f2",
        "made",
        2,
        "altered",
    ),
    (
        "UPDATE layer_features SET updated_by = gen_random_uuid() WHERE id = :f1",
        "changed",
        1,
        "altered",
    ),
    ("UPDATE layer_features SET updated_at = now() WHERE id = :f2", "made", 2, "altered"),
    ("DELETE FROM layer_features WHERE id = :f2", "made", 2, "missing"),
    (
        "UPDATE feature_versions SET properties = '{\"a\": 1}' WHERE feature_id = :f3",
        "made",
        3,
        "altered",
    ),
    ("DELETE FROM feature_versions WHERE feature_id = :f0", "made", 0, "missing"),
    ("DELETE FROM feature_versions WHERE feature_id = :f3", "made", 3, "missing"),
)


@pytest.mark.parametrize(("statement", "change_set", "place", "kind"), _OF_FEATURES)
def test_a_state_of_a_feature(
    roomy_database: Engine,
    history: History,
    statement: str,
    change_set: str,
    place: int,
    kind: str,
) -> None:
    assert faults(roomy_database) == []
    with tampering(roomy_database) as connection:
        values = {f"f{number}": feature for number, feature in enumerate(history.ids)}
        names = {name for name in values if f":{name}" in statement}
        changed = connection.execute(text(statement), {name: values[name] for name in names})
        assert changed.rowcount == 1
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
                "WITH gone AS (DELETE FROM feature_versions WHERE feature_id = :feature RETURNING *)"
                " INSERT INTO layer_features (layer_id, id, change_set, version, geom, properties,"
                " created_by, updated_by, created_at, updated_at)"
                " SELECT layer_id, feature_id, from_change, version, geom, properties, created_by,"
                " updated_by, created_at, updated_at FROM gone"
            ),
            {"feature": history.ids[3]},
        )
    assert faults(roomy_database) == [f"altered: end of a state of a feature {ended}"]


# statement, what is found; {} are the number of the change set, and the layer
_OF_ROWS = (
    ("UPDATE change_sets SET user_id = gen_random_uuid() WHERE id = :n", "altered: change set (change set {})"),
    ("UPDATE change_sets SET created_at = now() WHERE id = :n", "altered: change set (change set {})"),
    ("UPDATE change_sets SET request_id = 'x' WHERE id = :n", "altered: change set (change set {})"),
    (
        "UPDATE change_sets SET message = 'x' WHERE id = :n",
        "altered: message or details of changes (change set {})",
    ),
    (
        "UPDATE subject_changes SET details = '{\"a\": 1}' WHERE change_set_id = :n",
        "altered: message or details of changes (change set {})",
    ),
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
)  # fmt: skip


@pytest.mark.parametrize(("statement", "found"), _OF_ROWS)
def test_a_row_of_a_change_set(
    roomy_database: Engine, history: History, statement: str, found: str
) -> None:
    with tampering(roomy_database) as connection:
        changed = connection.execute(text(statement.replace('"a"', '"a"')), {"n": history.changed})
        assert changed.rowcount == 1
    assert faults(roomy_database) == [found.format(history.changed, history.layer)]


def test_a_change_set_that_is_removed_or_added(roomy_database: Engine, history: History) -> None:
    with tampering(roomy_database) as connection:
        connection.execute(
            text("DELETE FROM subject_changes WHERE change_set_id = :n"), {"n": history.changed}
        )
        connection.execute(text("DELETE FROM change_sets WHERE id = :n"), {"n": history.changed})
        connection.execute(
            text(
                "INSERT INTO change_sets (id, via) OVERRIDING SYSTEM VALUE VALUES (1000000, 'web')"
            )
        )
        connection.execute(text("INSERT INTO unsealed_change_sets VALUES (1000001)"))
    assert faults(roomy_database) == [
        f"missing: change set (change set {history.changed})",
        f"missing: changes beside features (change set {history.changed})",
        "added: change set (change set 1000000)",
        "missing: change set that was not sealed yet (change set 1000001)",
    ]


def test_the_chain_itself(roomy_database: Engine, history: History) -> None:
    position, head = head_of(roomy_database)
    alterations = (
        (
            "UPDATE layer_seals SET digests = substr(digests, 2) || '\\x00' WHERE change_set_id = :n",
            None,
        ),
        (
            "UPDATE change_seals SET sealed_at = sealed_at - interval '1 s' WHERE change_set_id = :n",
            None,
        ),
    )
    for statement, _ in alterations:
        with roomy_database.connect() as connection, connection.begin() as transaction:
            connection.execute(text(statement), {"n": history.changed})
            transaction.commit()
        (seal,) = rows(
            roomy_database,
            "SELECT position FROM change_seals WHERE change_set_id = :n",
            n=history.changed,
        )
        assert (
            f"altered: the seal at the position {seal[0]} (change set {history.changed})"
            in faults(roomy_database)
        )
    with tampering(roomy_database) as connection:
        connection.execute(text("DELETE FROM change_seals WHERE position = 2"))
    assert "missing: the seals at the positions 2 to 2" in faults(roomy_database)
    with tampering(roomy_database) as connection:
        connection.execute(text("DELETE FROM change_seals WHERE position = :p"), {"p": position})
    assert any(found.startswith("altered: the head of ") for found in faults(roomy_database))
    assert head not in {head for (head,) in rows(roomy_database, "SELECT head FROM change_seals")}


def test_a_history_that_was_sealed_anew_has_other_heads(
    roomy_database: Engine, history: History
) -> None:
    """Whoever may write everything can make a chain that is right in itself, but for heads that
    others have noted."""
    _, noted = head_of(roomy_database)
    with tampering(roomy_database) as connection:
        connection.execute(
            text("UPDATE layer_features SET properties = '{}' WHERE id = :f"), {"f": history.ids[0]}
        )
        connection.execute(
            text("DELETE FROM layer_seals; DELETE FROM change_seals; DELETE FROM daily_heads")
        )
        connection.execute(text("INSERT INTO unsealed_change_sets SELECT id FROM change_sets"))
    head_of(roomy_database)
    assert faults(roomy_database) == []
    assert (noted,) not in rows(roomy_database, "SELECT head FROM change_seals")


def test_since_a_head_what_is_older_is_left_out(roomy_database: Engine, history: History) -> None:
    counted = tally(roomy_database, history.early)
    assert counted.change_sets == 1
    assert counted.states == 2 + 3  # made, and ended
    with tampering(roomy_database) as connection:
        connection.execute(
            text("UPDATE layer_features SET properties = '{\"a\": 1}' WHERE id = :f"),
            {"f": history.ids[2]},
        )
    assert faults(roomy_database, history.early) == []
    assert len(faults(roomy_database)) == 1
    with tampering(roomy_database) as connection:
        connection.execute(
            text("DELETE FROM feature_versions WHERE feature_id = :f"), {"f": history.ids[3]}
        )
    assert len(faults(roomy_database, history.early)) == 1


def test_texts_can_be_erased(roomy_database: Engine, history: History) -> None:
    with tampering(roomy_database) as connection:
        for statement in (
            "UPDATE change_sets SET message = NULL WHERE id = :n",
            "UPDATE subject_changes SET details = '{}' WHERE change_set_id = :n",
            "UPDATE change_seals SET salt = NULL WHERE change_set_id = :n",
        ):
            assert connection.execute(text(statement), {"n": history.changed}).rowcount == 1
    assert tally(roomy_database).erased == 1
    with tampering(roomy_database) as connection:
        connection.execute(
            text("UPDATE change_sets SET message = 'x' WHERE id = :n"), {"n": history.changed}
        )
    assert faults(roomy_database) == [
        f"altered: message or details of changes (change set {history.changed})"
    ]
