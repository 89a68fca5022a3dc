"""No answer tells anything of what one may not read: not nested, not in headers, not in errors."""

from dataclasses import replace
from typing import Any

import pytest

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_matrix import OPERATIONS, SAFE
from tests.security.permission_rules import (
    Collaboration,
    Comment,
    Layer,
    Map,
    Placement,
    Who,
)
from tests.security.permission_world import LAYERS, id_of, word_of
from tests.security.telling import (
    ADMITTED,
    WORDS_OF_PEOPLE,
    ask,
    leaks_to,
    send,
    told_by,
)
from tests.security.world_database import World

READING = tuple(operation for operation in OPERATIONS if operation.method == "GET")
OF_THINGS = tuple(
    operation
    for operation in READING
    if operation.path.endswith(("{map}", "{layer}", "{comment}")) and "?" not in operation.path
    if not isinstance(operation.things[0], Placement)
)
WRITING = tuple(operation for operation in OPERATIONS if operation.method not in SAFE)


def _sample(things: tuple[Any, ...]) -> tuple[Any, ...]:
    """Some of many things, but all of a few: just three of the maps have layers."""
    return things if len(things) < 15 else things[::3]


@pytest.mark.parametrize("operation", READING, ids=str)
def test_answers_tell_only_what_one_may_read(everything: World, operation: Operation) -> None:
    leaks = [
        f"{who.name} of {getattr(thing, 'name', thing)}: {name}"
        for thing in operation.things
        for who in ADMITTED
        for name in leaks_to(who, told_by(send(everything, who, operation, thing)))
    ]
    assert not leaks, "\n".join(leaks)


@pytest.mark.parametrize("operation", OF_THINGS, ids=str)
def test_the_words_are_told_to_who_may_read(everything: World, operation: Operation) -> None:
    """The test above would see no leak if answers had no words at all."""
    for thing in operation.things[::2]:
        for who in ADMITTED:
            told = told_by(send(everything, who, operation, thing))
            assert (word_of(thing) in told) == (operation.expected(who, thing) == 200), who.name


@pytest.mark.parametrize("operation", WRITING, ids=str)
def test_changes_and_refusals_tell_nothing_more(everything: World, operation: Operation) -> None:
    leaks = []
    for thing in _sample(operation.things):
        for who in ADMITTED:
            with everything.taken_back():
                answer = send(everything, who, operation, thing)
                told = told_by(answer)
            if answer.status_code < 400:
                told -= WORDS_OF_PEOPLE  # a new collaborator's email may now be known
            leaks += [f"{who.name} of {thing}: {name}" for name in leaks_to(who, told)]
    assert not leaks, "\n".join(leaks)


def _ghost(who: Who, thing: Any) -> Any:
    """The same thing with what one may not read of it replaced by what does not exist."""
    match thing:
        case Map():
            return thing if rules.may_read_map(who, thing) else replace(thing, name="no map")
        case Layer():
            return thing if rules.may_read_layer(who, thing) else replace(thing, name="no layer")
        case Comment():
            readable = rules.may_read_comment(who, thing)
            return thing if readable else replace(thing, name="no comment")
        case Placement():
            return Placement(_ghost(who, thing.map), _ghost(who, thing.layer))
        case Collaboration():
            return Collaboration(_ghost(who, thing.map), thing.user)
        case _:
            return thing


@pytest.mark.parametrize("operation", [*READING, *WRITING], ids=str)
def test_what_is_hidden_is_as_if_it_were_not(everything: World, operation: Operation) -> None:
    told_apart = []
    for thing in _sample(operation.things):
        for who in ADMITTED:
            ghost = _ghost(who, thing)
            if ghost == thing:
                continue
            answers = []
            for subject in (thing, ghost):
                with everything.taken_back():
                    answer = send(everything, who, operation, subject)
                answers.append((answer.status_code, answer.get_data(), sorted(answer.headers)))
            if answers[0] != answers[1]:
                told_apart.append(f"{who.name}, {thing}: {answers[0]} and {answers[1]}")
    assert not told_apart, "\n".join(told_apart)


SHARING = tuple(
    operation
    for operation in WRITING
    if operation.path.startswith(("/api/v1/maps", "/api/v1/layers"))
    and operation.method in {"POST", "PUT", "PATCH"}
    and "features" not in operation.path
)


def _public(made: World) -> set[str]:
    """The ids of the collections that anybody can read, new ones left out."""
    document = ask(made, ADMITTED[0], "/ogc/collections?limit=1000").json or {}
    known = {str(id_of(layer)) for layer in LAYERS}
    return known & {entry["id"] for entry in document["collections"]}


@pytest.mark.parametrize("operation", SHARING, ids=str)
def test_nobody_but_its_creator_makes_a_layer_public(
    everything: World, operation: Operation
) -> None:
    before = _public(everything)
    revealed = []
    for thing in operation.things:
        for who in ADMITTED:
            made = {str(id_of(layer)) for layer in LAYERS if layer.creator == who.user}
            with everything.taken_back():
                answer = send(everything, who, operation, thing)
                if answer.status_code < 300 and (_public(everything) - before - made):
                    revealed.append(f"{who.name} by {thing}")
    assert not revealed, "\n".join(revealed)
