"""Responses disclose nothing unreadable: not in nested objects, headers or errors."""

import re
from dataclasses import replace
from typing import Any

import pytest

from samsyn_provider.http.formats import FORMATS
from tests.security import permission_rules as rules
from tests.security.disclosure import (
    ACCEPTED,
    EMAILS,
    READERS,
    content_of,
    disclosed_by,
    leaks_to,
    send_operation,
    send_request,
)
from tests.security.operations import Operation
from tests.security.permission_matrix import OPERATIONS, SAFE
from tests.security.permission_rules import (
    Caller,
    Collaboration,
    Comment,
    Layer,
    Map,
    Placement,
)
from tests.security.permission_world import LAYERS, id_of, word_of
from tests.security.world_database import World

READING = tuple(operation for operation in OPERATIONS if operation.method == "GET")
OF_OBJECTS = tuple(
    operation
    for operation in READING
    if operation.path.endswith(("{map}", "{layer}", "{comment}")) and "?" not in operation.path
    if not isinstance(operation.objects[0], Placement)
)
FILES = tuple(
    operation
    for operation in READING
    # by `datetime` too, but in the world's open transaction nothing has a moment yet
    if re.search(r"\?f=(csv|fgb|geojsonseq|gpkg|jsonfg|kml|parquet|shp|xlsx)$", operation.path)
)
WRITING = tuple(operation for operation in OPERATIONS if operation.method not in SAFE)


def _sample(objects: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return some of many objects, but all of a few: only three of the maps have layers."""
    return objects if len(objects) < 15 else objects[::3]


@pytest.mark.parametrize("operation", READING, ids=str)
def test_responses_disclose_only_what_the_caller_may_read(
    world: World, operation: Operation
) -> None:
    leaks = [
        f"{caller.name} of {getattr(target, 'name', target)}: {name}"
        for target in operation.objects
        for caller in READERS
        for disclosed in [disclosed_by(send_operation(world, caller, operation, target))]
        for name in leaks_to(operation.seen(caller), disclosed)
    ]
    assert not leaks, "\n".join(leaks)


@pytest.mark.parametrize("operation", OF_OBJECTS, ids=str)
def test_readers_get_the_words(world: World, operation: Operation) -> None:
    """The test above would pass if responses had no words at all."""
    for target in operation.objects[::2]:
        for caller in READERS:
            disclosed = disclosed_by(send_operation(world, caller, operation, target))
            is_read = operation.expected_status(caller, target) == 200
            assert (word_of(target) in disclosed) == is_read, caller.name


@pytest.mark.parametrize("operation", FILES, ids=str)
def test_files_have_the_words(world: World, operation: Operation) -> None:
    """The first test would pass if the words in files were compressed, or left out."""
    assert len(FILES) == len(FORMATS) - 1, "GeoJSON is a page too"
    for target in operation.objects:
        for caller in ACCEPTED[::3]:
            response = send_operation(world, caller, operation, target)
            is_read = operation.expected_status(caller, target) == 200
            content = content_of(response).decode(errors="replace")
            response.close()
            # names of columns are cut in a Shapefile
            assert (word_of(target)[:8] in content) == is_read, caller.name


@pytest.mark.parametrize("operation", WRITING, ids=str)
def test_changes_and_refusals_disclose_nothing_else(world: World, operation: Operation) -> None:
    leaks = []
    for target in _sample(operation.objects):
        for caller in ACCEPTED:
            with world.rolled_back():
                response = send_operation(world, caller, operation, target)
                disclosed = disclosed_by(response)
            if response.status_code < 400:
                disclosed -= EMAILS.keys()  # a new collaborator's email may now be known
            leaks += [f"{caller.name} of {target}: {name}" for name in leaks_to(caller, disclosed)]
    assert not leaks, "\n".join(leaks)


def _with_missing(caller: Caller, target: Any) -> Any:
    """Return the same object with its unreadable parts replaced by missing ones."""
    match target:
        case Map():
            return target if rules.may_read_map(caller, target) else replace(target, name="no map")
        case Layer():
            return (
                target if rules.may_read_layer(caller, target) else replace(target, name="no layer")
            )
        case Comment():
            readable = rules.may_read_comment(caller, target)
            return target if readable else replace(target, name="no comment")
        case Placement():
            return Placement(_with_missing(caller, target.map), _with_missing(caller, target.layer))
        case Collaboration():
            return Collaboration(_with_missing(caller, target.map), target.user)
        case _:
            return target


@pytest.mark.parametrize("operation", [*READING, *WRITING], ids=str)
def test_unreadable_objects_are_like_missing_ones(world: World, operation: Operation) -> None:
    differences = []
    for target in _sample(operation.objects):
        for caller in READERS:
            missing = _with_missing(operation.seen(caller), target)
            if missing == target:
                continue
            responses = []
            for subject in (target, missing):
                with world.rolled_back():
                    response = send_operation(world, caller, operation, subject)
                # each request has an id of its own
                response.headers.remove("X-Request-Id")
                # a page repeats its address, in which ids have another length
                headers = sorted(
                    set(response.headers) - {("Content-Length", str(len(response.data)))}
                )
                responses.append((response.status_code, content_of(response), headers))
            if responses[0] != responses[1]:
                differences.append(f"{caller.name}, {target}: {responses[0]} and {responses[1]}")
    assert not differences, "\n".join(differences)


SHARING = tuple(
    operation
    for operation in WRITING
    if operation.path.startswith(("/api/v1/maps", "/api/v1/layers"))
    and operation.method in {"POST", "PUT", "PATCH"}
    and "features" not in operation.path
)


def _public(created: World) -> set[str]:
    """Return the ids of the public collections, without new ones."""
    document = send_request(created, ACCEPTED[0], "/ogc/collections?limit=1000").json or {}
    known = {str(id_of(layer)) for layer in LAYERS}
    return known & {entry["id"] for entry in document["collections"]}


@pytest.mark.parametrize("operation", SHARING, ids=str)
def test_only_its_creator_makes_a_layer_public(world: World, operation: Operation) -> None:
    before = _public(world)
    revealed = []
    for target in operation.objects:
        for caller in ACCEPTED:
            created = {str(id_of(layer)) for layer in LAYERS if layer.creator == caller.user}
            with world.rolled_back():
                response = send_operation(world, caller, operation, target)
                if response.status_code < 300 and (_public(world) - before - created):
                    revealed.append(f"{caller.name} by {target}")
    assert not revealed, "\n".join(revealed)
