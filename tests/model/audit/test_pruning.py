"""Pruning: every moment after the horizon is as it was, every one before it is refused."""

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from samsyn_model.audit.pruning import Pruned, Pruning, measure, prune
from samsyn_model.errors import HistoryPrunedError, NotFoundError
from samsyn_model.history.as_of import as_of
from samsyn_model.history.deleted_layers import restore_layer
from tests.model.audit.chain import MakeLayer, faults, head_of, rows, tally, tampering
from tests.model.history.states import State, copy_now, edit, states_as_of
from tests.model.tables.features import add_layer, insert, update

DAYS = 90
STEPS = 30


pytestmark = pytest.mark.usefixtures("prunes_at_once")


def pruned(engine: Engine, before: datetime, only: uuid.UUID | None = None) -> int:
    """Prune, and return how many versions of all layers that removed; as many as were told."""
    pruning = Pruning(before, DAYS, only)
    expected = list(measure(engine, pruning))
    removed = list(prune(engine, pruning))
    total = sum(batch.versions for batch in removed)
    assert sum(layer.versions for layer in expected) == total
    assert sum(layer.bytes for layer in expected) == sum(batch.bytes for batch in removed)
    return total


def random_history(engine: Engine, layer: uuid.UUID, seed: int) -> list[tuple[datetime, State]]:
    """Make edits of a layer, some by transactions that overtake one another; return copies."""
    chance = random.Random(seed)
    with engine.begin() as connection:
        insert(connection, layer, 10)
    copies = [copy_now(engine, layer)]
    for _ in range(STEPS):
        if chance.random() < 0.2:
            with engine.connect() as late, late.begin():
                edit(chance, late, layer)
                with engine.begin() as connection:
                    edit(chance, connection, layer)
                copies.append(copy_now(engine, layer))
        else:
            with engine.begin() as connection:
                for _ in range(chance.randrange(1, 4)):
                    edit(chance, connection, layer)
        copies.append(copy_now(engine, layer))
    return copies


@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_history(roomy_database: Engine, make_layer: MakeLayer, seed: int) -> None:
    layer, other = make_layer(), make_layer()
    others = random_history(roomy_database, other, 100 + seed)
    copies = random_history(roomy_database, layer, seed)
    horizon = copies[len(copies) // 2][0]
    assert pruned(roomy_database, horizon, layer) > 5
    for moment, copied in copies:
        if moment >= horizon:
            assert states_as_of(roomy_database, layer, moment) == [copied] * 3
        else:
            with roomy_database.connect() as connection, pytest.raises(HistoryPrunedError):
                as_of(connection, layer, moment)
    for moment, copied in others:
        assert states_as_of(roomy_database, other, moment) == [copied] * 3
    counted = tally(roomy_database)
    assert counted.pruned > 5
    assert pruned(roomy_database, horizon, layer) == 0
    # and once more, later
    horizon = copies[-5][0]
    assert pruned(roomy_database, horizon, layer) > 0
    for moment, copied in copies[-5:]:
        assert states_as_of(roomy_database, layer, moment) == [copied] * 3
    assert tally(roomy_database).pruned > counted.pruned


def test_nothing_that_is_needed_now_or_later_goes(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        ids = insert(connection, layer, 3)
    with roomy_database.begin() as connection:
        update(connection, layer, ids[:1])
    between, copied = copy_now(roomy_database, layer)
    with roomy_database.begin() as connection:
        update(connection, layer, ids[:2])
    assert pruned(roomy_database, between) == 1
    assert states_as_of(roomy_database, layer, between) == [copied] * 3
    kept = rows(roomy_database, "SELECT count(*) FROM feature_versions")
    assert kept == [(2,)]
    assert pruned(roomy_database, datetime.now(UTC)) == 2
    assert rows(roomy_database, "SELECT count(*) FROM layer_features") == [(3,)]
    assert tally(roomy_database).pruned == 3


def test_who_pruned_is_told_and_part_of_the_chain(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        update(connection, layer, insert(connection, layer, 3))
    with roomy_database.begin() as connection:
        connection.execute(text("DELETE FROM layer_features"))
    before = datetime.now(UTC)
    assert pruned(roomy_database, before) == 3
    told = rows(
        roomy_database,
        "SELECT via, message, kind, action, layer_id, details FROM subject_changes"
        " JOIN change_sets ON change_sets.id = change_set_id"
        " JOIN change_seals USING (change_set_id) ORDER BY change_set_id DESC LIMIT 1",
    )
    ((*who, details),) = told
    assert who == ["command", "History is pruned.", "layer", "update", layer]
    assert details["changed"] == ["history"]
    assert datetime.fromisoformat(details["new"]["history_begins_at"]) == before


def test_what_is_said_to_be_pruned_but_was_not_is_a_fault(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        ids = insert(connection, layer, 2)
    with roomy_database.begin() as connection:
        update(connection, layer, ids)
    head_of(roomy_database)
    with tampering(roomy_database) as connection:
        connection.execute(text("DELETE FROM feature_versions"))
        connection.execute(
            text("INSERT INTO history_horizons VALUES (:layer, now())"), {"layer": layer}
        )
    found = faults(roomy_database)
    assert found[0] == f"altered: since when the history of a layer is kept (layer {layer})"
    assert [line.partition(":")[0] for line in found[1:]] == ["missing", "missing"]


def test_a_state_of_the_present_is_never_taken_for_pruned(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        ids = insert(connection, layer, 2)
    with roomy_database.begin() as connection:
        update(connection, layer, ids[:1])
    assert pruned(roomy_database, datetime.now(UTC)) == 1
    with tampering(roomy_database) as connection:
        connection.execute(text("DELETE FROM layer_features WHERE id = :id"), {"id": ids[1]})
    (found,) = faults(roomy_database)
    assert found.startswith("missing: state of a feature")
    assert found.endswith(f"feature {ids[1]})")


@pytest.fixture
def delete_layer(roomy_database: Engine) -> Callable[[], tuple[uuid.UUID, uuid.UUID]]:
    """Make a layer with two features and delete it; return it and its creator."""

    def make() -> tuple[uuid.UUID, uuid.UUID]:
        with roomy_database.begin() as connection:
            layer = add_layer(connection)
            owner = connection.execute(
                text("SELECT created_by FROM layers WHERE id = :layer"), {"layer": layer}
            ).scalar_one()
        with roomy_database.begin() as connection:
            ids = insert(connection, layer, 2)
        with roomy_database.begin() as connection:
            update(connection, layer, ids)
        with roomy_database.begin() as connection:
            connection.execute(text("DELETE FROM layers WHERE id = :layer"), {"layer": layer})
        return layer, owner

    return make


def test_a_layer_that_can_be_restored_is_kept_for_that(
    roomy_database: Engine, delete_layer: Callable[[], tuple[uuid.UUID, uuid.UUID]]
) -> None:
    layer, owner = delete_layer()
    assert pruned(roomy_database, datetime.now(UTC)) == 2  # the states before the last
    with roomy_database.begin() as connection:
        restore_layer(connection, layer, owner, days=DAYS, keeps_global=False)
    assert rows(roomy_database, "SELECT count(*) FROM layer_features") == [(2,)]
    assert faults(roomy_database) == []


def test_a_layer_that_cannot_be_restored_any_more_goes(
    roomy_database: Engine, delete_layer: Callable[[], tuple[uuid.UUID, uuid.UUID]]
) -> None:
    gone, _ = delete_layer()
    kept, _ = delete_layer()
    with roomy_database.begin() as connection:
        connection.execute(
            text("UPDATE deleted_layers SET deleted_at = :moment WHERE id = :layer"),
            {"moment": datetime.now(UTC) - timedelta(days=DAYS + 1), "layer": gone},
        )
    assert pruned(roomy_database, datetime.now(UTC)) == 6
    assert rows(roomy_database, "SELECT id FROM deleted_layers") == [(kept,)]
    assert rows(roomy_database, "SELECT DISTINCT layer_id FROM feature_versions") == [(kept,)]
    assert tally(roomy_database).pruned == 6


def test_one_that_was_cut_off_is_finished_by_the_next(
    roomy_database: Engine, make_layer: MakeLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samsyn_model.audit.pruning.BATCH", 2)
    layer = make_layer()
    with roomy_database.begin() as connection:
        ids = insert(connection, layer, 5)
    with roomy_database.begin() as connection:
        update(connection, layer, ids)
    before = datetime.now(UTC)
    batches = prune(roomy_database, Pruning(before, DAYS))
    assert next(batches).versions == 2
    batches.close()  # type: ignore[attr-defined]
    with roomy_database.connect() as connection, pytest.raises(NotFoundError):
        as_of(connection, layer, before - timedelta(microseconds=1))
    assert tally(roomy_database).pruned == 2
    assert [batch.versions for batch in prune(roomy_database, Pruning(before, DAYS))] == [2, 1]
    assert tally(roomy_database).pruned == 5


def test_nothing_is_removed_by_measuring(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        ids = insert(connection, layer, 5)
    with roomy_database.begin() as connection:
        update(connection, layer, ids)
    head_of(roomy_database)
    (told,) = measure(roomy_database, Pruning(datetime.now(UTC), DAYS))
    assert isinstance(told, Pruned)
    assert (told.layer_id, told.versions) == (layer, 5)
    assert rows(roomy_database, "SELECT count(*) FROM feature_versions") == [(5,)]
    assert rows(roomy_database, "SELECT * FROM history_horizons") == []
