"""Asking in the world, and what of it an answer tells."""

import re
from collections.abc import Callable
from typing import Any

from werkzeug.test import TestResponse

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Who
from tests.security.permission_world import (
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

ADMITTED = tuple(who for who in PRINCIPALS if not who.is_refused)
"""Whose credentials are none or valid: the others are refused whatever they ask for."""

_WORD = re.compile(r"q[0-9a-f]{16}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _secrets() -> dict[str, tuple[str, Callable[[Who], bool]]]:
    """Every word and id of the world: what it is of, and who may know it."""
    secrets: dict[str, tuple[str, Callable[[Who], bool]]] = {}

    def keep(thing: Any, name: str, may: Callable[[Who, Any], bool]) -> None:
        for text in (word_of(thing), str(id_of(thing))):
            secrets[text] = (name, lambda who: may(who, thing))

    for shared in MAPS:
        keep(shared, shared.name, rules.may_read_map)
    for layer in LAYERS:
        keep(layer, layer.name, rules.may_read_layer)
    for comment in (*COMMENTS, *REPLIES):
        keep(comment, comment.name, rules.may_read_comment)
    for holder in PRINCIPALS:
        name = f"token of {holder.name}"
        keep(name, name, lambda who, _, user=holder.user: user is not None and who.user == user)
    for user in USERS:  # whose ids are told wherever they have made something
        secrets[word_of(user)] = (
            f"email of {user}",
            lambda who, user=user: rules.share_a_map(who, user, MAPS),
        )
    return secrets


SECRETS = _secrets()
WORDS_OF_PEOPLE = frozenset(word_of(user) for user in USERS)


def ask(made: World, who: Who, path: str, method: str = "GET", **more: Any) -> TestResponse:
    return made.client.open(path, method=method, headers=made.headers[who], **more)


def send(made: World, who: Who, operation: Operation, thing: Any) -> TestResponse:
    more: dict[str, Any] = {}
    if operation.body is not None:
        more = {"json": operation.body(thing), "content_type": operation.media_type}
    return ask(made, who, operation.address(thing), operation.method, **more)


def told_by(answer: TestResponse) -> set[str]:
    """The words and ids of the world in an answer and its headers."""
    whole = "\n".join(
        [
            answer.get_data().decode(errors="replace"),
            *(f"{name}: {value}" for name, value in answer.headers),
        ]
    )
    answer.close()
    return set(_WORD.findall(whole)) & SECRETS.keys()


def leaks_to(who: Who, told: set[str]) -> list[str]:
    return sorted(SECRETS[word][0] for word in told if not SECRETS[word][1](who))
