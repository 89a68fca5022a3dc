"""Responses disclose nothing unreadable: not by being other than those of what is missing.

That none has a word of it is looked for with the statuses, in `test_permission_matrix.py`.
"""

import re
from dataclasses import replace
from typing import Any

import pytest

from samsyn_provider.http.formats import FORMATS
from tests.security import permission_rules as rules
from tests.security.disclosure import (
    ACCEPTED,
    READERS,
    content_of,
    disclosed_by,
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

type Seen = tuple[int, bytes, list[tuple[str, str]]]


def _sample(objects: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return some of many objects, but all of a few: only three of the maps have layers."""
    return objects if len(objects) < 15 else objects[::3]


@pytest.mark.parametrize("operation", OF_OBJECTS, ids=str)
def test_readers_get_the_words(world: World, operation: Operation) -> None:
    """That nothing is disclosed would be so too if responses had no words at all."""
    for target in operation.objects[::2]:
        for caller in READERS:
            disclosed = disclosed_by(send_operation(world, caller, operation, target))
            is_read = operation.expected_status(caller, target) == 200
            assert (word_of(target) in disclosed) == is_read, caller.name


@pytest.mark.parametrize("operation", FILES, ids=str)
def test_files_have_the_words(world: World, operation: Operation) -> None:
    """The same of files, whose words might be compressed, or left out."""
    assert len(FILES) == len(FORMATS) - 1, "GeoJSON is a page too"
    for target in operation.objects:
        for caller in ACCEPTED[::3]:
            response = send_operation(world, caller, operation, target)
            is_read = operation.expected_status(caller, target) == 200
            content = content_of(response).decode(errors="replace")
            response.close()
            # names of columns are cut in a Shapefile
            assert (word_of(target)[:8] in content) == is_read, caller.name


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
    of_missing: dict[tuple[Caller, str, str], Seen] = {}
    for target in _sample(operation.objects):
        for caller in READERS:
            missing = _with_missing(operation.seen(caller), target)
            if missing == target:
                continue
            seen = _seen(world, caller, operation, target)
            asked = (caller, operation.address(missing), str(operation.content(missing)))
            if seen == of_missing.get(asked):
                continue
            of_missing[asked] = _seen(world, caller, operation, missing)
            if seen != of_missing[asked]:
                differences.append(f"{caller.name}, {target}: {seen} and {of_missing[asked]}")
    assert not differences, "\n".join(differences)


def _seen(world: World, caller: Caller, operation: Operation, target: Any) -> Seen:
    with world.rolled_back():
        response = send_operation(world, caller, operation, target)
    # each request has an id of its own
    response.headers.remove("X-Request-Id")
    # a page repeats its address, in which ids have another length
    headers = sorted(set(response.headers) - {("Content-Length", str(len(response.data)))})
    return response.status_code, content_of(response), headers


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
