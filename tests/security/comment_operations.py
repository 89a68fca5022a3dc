"""The permission matrix of comments."""

from collections.abc import Iterator
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Comment, Layer, Map, Placement, Who
from tests.security.permission_world import COMMENTS, LAYERS, MAPS, PLACEMENTS, REPLIES, id_of

_COMMENTS = "/api/v1/comments"
_COMMENT = f"{_COMMENTS}/{{comment}}"


def _can_be_seen(who: Who, subject: Map | Layer | Placement) -> bool:
    if isinstance(subject, Map):
        return rules.may_read_map(who, subject)
    if isinstance(subject, Layer):
        return rules.may_read_layer(who, subject)
    return rules.may_read_placement(who, subject)


def _list(who: Who, subject: Map | Layer | Placement) -> int:
    return rules.status_of_reading(who, may_read=_can_be_seen(who, subject))


def _ask_for_all(who: Who, _: Any) -> int:
    return 401 if who.is_refused else 400


def _make(who: Who, subject: Map | Layer | Placement) -> int:
    return rules.status_for_user(
        who,
        may_read=_can_be_seen(who, subject),
        may_act=rules.may_comment(who, subject),
        done=201,
    )


def _answer(who: Who, comment: Comment) -> int:
    readable = rules.may_read_comment(who, comment)
    return rules.status_for_user(who, may_read=readable, done=201)


def _read(who: Who, comment: Comment) -> int:
    return rules.status_of_reading(who, may_read=rules.may_read_comment(who, comment))


def _edit(who: Who, comment: Comment) -> int:
    readable, may = rules.may_read_comment(who, comment), rules.may_edit_comment(who, comment)
    return rules.status_for_user(who, may_read=readable, may_act=may, done=200)


def _resolve(who: Who, comment: Comment) -> int:
    readable, may = rules.may_read_comment(who, comment), rules.may_resolve_comment(who, comment)
    return rules.status_for_user(who, may_read=readable, may_act=may, done=200)


def _delete(who: Who, comment: Comment) -> int:
    readable, may = rules.may_read_comment(who, comment), rules.may_delete_comment(who, comment)
    return rules.status_for_user(who, may_read=readable, may_act=may, done=204)


def _naming(subject: Map | Layer | Placement) -> dict[str, str]:
    if isinstance(subject, Map):
        return {"map_id": str(id_of(subject))}
    if isinstance(subject, Layer):
        return {"layer_id": str(id_of(subject))}
    return _naming(subject.map) | _naming(subject.layer)


def _new(subject: Map | Layer | Placement) -> dict[str, str]:
    return {"content": "Mind the cod.", **_naming(subject)}


def _reply(comment: Comment) -> dict[str, str]:
    named = (subject for subject in (comment.map, comment.layer) if subject is not None)
    body = {"content": "We do.", "parent_id": str(id_of(comment))}
    for subject in named:
        body |= _naming(subject)
    return body


def _operations() -> Iterator[Operation]:
    yield Operation("GET", _COMMENTS, _ask_for_all)
    yield Operation("GET", f"{_COMMENTS}?map_id={{map}}", _list, MAPS)
    yield Operation("GET", f"{_COMMENTS}?layer_id={{layer}}", _list, LAYERS)
    yield Operation("GET", f"{_COMMENTS}?map_id={{map}}&layer_id={{layer}}", _list, PLACEMENTS)
    for hint, things in (("map", MAPS), ("layer", LAYERS), ("layer there", PLACEMENTS)):
        yield Operation("POST", _COMMENTS, _make, things, _new, hint=f"on a {hint}")
    yield Operation("POST", _COMMENTS, _answer, COMMENTS, _reply, hint="as a reply")
    everything = (*COMMENTS, *REPLIES)
    for path in (_COMMENT, f"{_COMMENT}/thread"):
        yield Operation("GET", path, _read, everything)
    for method in ("PUT", "PATCH"):
        yield Operation(method, _COMMENT, _edit, everything, lambda _: {"content": "Changed."})
    yield Operation("PUT", f"{_COMMENT}/resolve?is_resolved=true", _resolve, COMMENTS)
    yield Operation("PUT", f"{_COMMENT}/resolve?is_resolved=false", _resolve, COMMENTS)
    yield Operation("DELETE", _COMMENT, _delete, everything)


COMMENT_OPERATIONS = tuple(_operations())
