"""Requests in the world, and which of its secrets a response discloses."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any
from zipfile import ZipFile

from pyarrow import parquet
from werkzeug.test import TestResponse

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Caller
from tests.security.permission_world import (
    BROWSERS,
    COMMENTS,
    LAYERS,
    MAPS,
    PRINCIPALS,
    REPLIES,
    USERS,
    id_of,
    word_of,
)
from tests.security.world_database import World

ACCEPTED = tuple(caller for caller in PRINCIPALS if not caller.is_refused)
"""Callers without or with valid credentials: all others are refused in any case."""
READERS = (*ACCEPTED, *(caller for caller in BROWSERS if not caller.has_ended))
"""The same, and browsers with a session."""

_WORD = re.compile(r"q[0-9a-f]{16}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _secrets() -> dict[str, tuple[str, Callable[[Caller], bool]]]:
    """Return every word and id of the world: the name of its object, and who may read it."""
    secrets: dict[str, tuple[str, Callable[[Caller], bool]]] = {}

    def add(target: Any, name: str, may_read: Callable[[Caller, Any], bool]) -> None:
        for text in (word_of(target), str(id_of(target))):
            secrets[text] = (name, lambda caller: may_read(caller, target))

    for shared in MAPS:
        add(shared, shared.name, rules.may_read_map)
    for layer in LAYERS:
        add(layer, layer.name, rules.may_read_layer)
    for comment in (*COMMENTS, *REPLIES):
        add(comment, comment.name, rules.may_read_comment)
    for holder in PRINCIPALS:
        name = f"token of {holder.name}"
        add(
            name, name, lambda caller, _, user=holder.user: user is not None and caller.user == user
        )
    for user in USERS:
        name = f"subscription of {user}"
        add(name, name, lambda caller, _, user=user: caller.user == user)
    for user in USERS:  # their ids are in everything that they have created
        for kind, may_see in (
            ("email", lambda caller, user=user: rules.may_see_email(caller, user, MAPS)),
            ("former email", lambda *_: False),
            ("clerk id", lambda caller, user=user: rules.may_see_clerk_id(caller, user)),
        ):
            secrets[word_of(f"{kind} of {user}")] = (f"{kind} of {user}", may_see)
    return secrets


SECRETS = _secrets()
EMAILS = {word_of(f"email of {user}"): user for user in USERS}
CLERK_IDS = {word_of(f"clerk id of {user}"): user for user in USERS}


def send_request(
    world: World, caller: Caller, path: str, method: str = "GET", **options: Any
) -> TestResponse:
    return world.client.open(path, method=method, headers=world.headers[caller], **options)


def send_operation(world: World, caller: Caller, operation: Operation, target: Any) -> TestResponse:
    options = operation.content(target)
    return send_request(world, caller, operation.address(target), operation.method, **options)


def content_of(response: TestResponse) -> bytes:
    """Return the body, uncompressed, of a 404 without the requested address: its page leads back
    there."""
    content = response.get_data()
    if response.status_code == 404:
        return content.replace(response.request.path.encode(), b"")
    if content.startswith(b"PK"):  # Shapefile, workbook
        with ZipFile(BytesIO(content)) as archive:
            return b"\n".join(archive.read(name) for name in archive.namelist())
    if content.startswith(b"PAR1"):
        table = parquet.read_table(BytesIO(content))
        return f"{table.schema.metadata} {table.to_pylist()}".encode()
    return content


def disclosed_by(response: TestResponse) -> set[str]:
    """Return the words and ids of the world in a response and its headers."""
    text = "\n".join(
        [
            content_of(response).decode(errors="replace"),
            *(f"{name}: {value}" for name, value in response.headers),
        ]
    )
    response.close()
    return set(_WORD.findall(text.lower())) & SECRETS.keys()


def leaks_to(caller: Caller, disclosed: set[str]) -> list[str]:
    return sorted(SECRETS[word][0] for word in disclosed if not SECRETS[word][1](caller))
