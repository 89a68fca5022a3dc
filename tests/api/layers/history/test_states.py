"""Layers made again what they were at a moment, and change sets taken back: exactly."""

import random

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import Caller
from tests.api.layers.history.edits import Content, EditedLayer


@pytest.fixture
def layer(owner: Caller, empty_database: Engine) -> EditedLayer:
    return EditedLayer.of(owner, empty_database)


@pytest.mark.parametrize("seed", range(3))
def test_a_layer_is_exactly_what_it_was(layer: EditedLayer, seed: int) -> None:
    chance = random.Random(seed)
    layer.insert(*range(12))
    states: dict[int, Content] = {}
    for _ in range(12):
        layer.edit(chance)
        states[layer.change_sets()[-1]] = layer.content()
        if chance.random() < 0.5:
            number = chance.choice(list(states))
            done = layer.restore(number)
            assert done.status_code == 200, done.text
            assert layer.content() == states[number]
            assert done.json["conflict_count"] == 0
            changes = sum(done.json[kind] for kind in ("inserted", "updated", "deleted"))
            assert (done.json["change_set"] is not None) == (changes > 0)
            assert len(set(layer.counted())) == 1
    for number, content in states.items():
        before = layer.content()
        done = layer.restore(number).json
        assert layer.content() == content
        if done["change_set"] is not None:  # which may itself be taken back, and that again
            assert layer.undo(done["change_set"]).status_code == 200
            assert layer.content() == before
            again = layer.undo(layer.change_sets()[-1]).json
            assert layer.content() == content
            assert again["inserted"] == done["inserted"]


@pytest.mark.parametrize("seed", range(6))
def test_without_conflicts_it_is_as_if_a_change_set_had_not_been(
    layer: EditedLayer, seed: int
) -> None:
    """One of some random change sets is taken back: what each feature is then, and which conflict,
    is told from copies of the layer between them."""
    chance = random.Random(10 + seed)
    layer.insert(*range(10))
    history = [(layer.change_sets()[-1], layer.content())]
    while len(history) < 7:
        layer.edit(chance)
        if layer.change_sets()[-1] != history[-1][0]:
            history.append((layer.change_sets()[-1], layer.content()))
    index = 1 + seed
    before, (number, after), now = history[index - 1][1], history[index], layer.content()
    expected, conflicts = dict(now), []
    for key in sorted({*before, *after}):
        if before.get(key) == after.get(key) or now.get(key) == before.get(key):
            continue
        if now.get(key) != after.get(key):
            conflicts.append(key)
        elif key in before:
            expected[key] = before[key]
        else:
            del expected[key]
    response = layer.undo(number)
    assert response.status_code == (409 if conflicts else 200), response.text
    if conflicts:
        assert layer.content() == now
        assert response.json["conflict_count"] == len(conflicts)
        assert [one["feature_id"] for one in response.json["conflicts"]] == conflicts
        skipped = layer.undo(number, "?on_conflict=skip").json
        assert skipped["conflicts"] == response.json["conflicts"]
    assert layer.content() == expected
    assert len(set(layer.counted())) == 1


def test_change_sets_are_taken_back_one_after_the_other(layer: EditedLayer) -> None:
    chance = random.Random(5)
    layer.insert(*range(10))
    states = {layer.change_sets()[-1]: layer.content()}
    for _ in range(8):
        layer.edit(chance)
        states[layer.change_sets()[-1]] = layer.content()
    numbers = list(states)
    done = []
    for former, number in zip(reversed(numbers[:-1]), reversed(numbers[1:]), strict=True):
        response = layer.undo(number)
        assert response.status_code == 200, response.text
        assert layer.content() == states[former]
        done.append(response.json["change_set"])
    for number, undoing in zip(numbers[1:], reversed(done), strict=True):
        assert layer.undo(undoing).status_code == 200
        assert layer.content() == states[number]
