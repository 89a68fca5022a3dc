"""The permission matrix of comments."""

from collections.abc import Iterator
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import GEOJSON, Operation
from tests.security.permission_rules import Caller, Comment, Layer, Map, Placement
from tests.security.permission_world import COMMENTS, LAYERS, MAPS, PLACEMENTS, REPLIES, id_of

_COMMENTS = "/api/v1/comments"
_COMMENT = f"{_COMMENTS}/{{comment}}"
_COLLECTION = "/ogc/collections/{comments}"
_FEATURE = {"type": "Feature", "geometry": None, "properties": {}}


def _may_read_subject(caller: Caller, subject: Map | Layer | Placement) -> bool:
    if isinstance(subject, Map):
        return rules.may_read_map(caller, subject)
    if isinstance(subject, Layer):
        return rules.may_read_layer(caller, subject)
    return rules.may_read_placement(caller, subject)


def _list(caller: Caller, subject: Map | Layer | Placement) -> int:
    return rules.status_of_reading(caller, may_read=_may_read_subject(caller, subject))


def _list_without_filter(caller: Caller, _: Any) -> int:
    return 401 if caller.is_refused else 400


def _create(caller: Caller, subject: Map | Layer | Placement) -> int:
    return rules.status_for_user(
        caller,
        may_read=_may_read_subject(caller, subject),
        may_act=rules.may_comment(caller, subject),
        success=201,
    )


def _create_reply(caller: Caller, comment: Comment) -> int:
    readable = rules.may_read_comment(caller, comment)
    return rules.status_for_user(caller, may_read=readable, success=201)


def _read(caller: Caller, comment: Comment) -> int:
    return rules.status_of_reading(caller, may_read=rules.may_read_comment(caller, comment))


def _edit(caller: Caller, comment: Comment) -> int:
    readable, may = rules.may_read_comment(caller, comment), rules.may_edit_comment(caller, comment)
    return rules.status_for_user(caller, may_read=readable, may_act=may, success=200)


def _resolve(caller: Caller, comment: Comment) -> int:
    readable, may = (
        rules.may_read_comment(caller, comment),
        rules.may_resolve_comment(caller, comment),
    )
    return rules.status_for_user(caller, may_read=readable, may_act=may, success=200)


def _delete(caller: Caller, comment: Comment) -> int:
    readable, may = (
        rules.may_read_comment(caller, comment),
        rules.may_delete_comment(caller, comment),
    )
    return rules.status_for_user(caller, may_read=readable, may_act=may, success=204)


def _ids(subject: Map | Layer | Placement) -> dict[str, str]:
    if isinstance(subject, Map):
        return {"map_id": str(id_of(subject))}
    if isinstance(subject, Layer):
        return {"layer_id": str(id_of(subject))}
    return _ids(subject.map) | _ids(subject.layer)


def _new(subject: Map | Layer | Placement) -> dict[str, str]:
    return {"content": "Mind the cod.", **_ids(subject)}


def _reply(comment: Comment) -> dict[str, str]:
    subjects = (subject for subject in (comment.map, comment.layer) if subject is not None)
    body = {"content": "We do.", "parent_id": str(id_of(comment))}
    for subject in subjects:
        body |= _ids(subject)
    return body


def _operations() -> Iterator[Operation]:
    yield Operation("GET", _COMMENTS, _list_without_filter)
    yield Operation("GET", f"{_COMMENTS}?map_id={{map}}", _list, MAPS)
    yield Operation("GET", f"{_COMMENTS}?layer_id={{layer}}", _list, LAYERS)
    yield Operation("GET", f"{_COMMENTS}?map_id={{map}}&layer_id={{layer}}", _list, PLACEMENTS)
    for hint, objects in (("map", MAPS), ("layer", LAYERS), ("layer there", PLACEMENTS)):
        yield Operation("POST", _COMMENTS, _create, objects, _new, hint=f"on a {hint}")
    yield Operation("POST", _COMMENTS, _create_reply, COMMENTS, _reply, hint="as a reply")
    comments = (*COMMENTS, *REPLIES)
    for path in (_COMMENT, f"{_COMMENT}/thread"):
        yield Operation("GET", path, _read, comments)
    for method in ("PUT", "PATCH"):
        yield Operation(method, _COMMENT, _edit, comments, lambda _: {"content": "Changed."})
    yield Operation("PUT", f"{_COMMENT}/resolve?is_resolved=true", _resolve, COMMENTS)
    yield Operation("PUT", f"{_COMMENT}/resolve?is_resolved=false", _resolve, COMMENTS)
    yield Operation("DELETE", _COMMENT, _delete, comments)


def _options(caller: Caller, subject: Map | Layer | Comment) -> int:
    """Return 204 for those who may read the collection, whether there is such a comment or not."""
    status = _list(caller, _collection_subject(subject))
    return 204 if status == 200 else status


def _write(caller: Caller, subject: Map | Layer | Comment) -> int:
    """Return 405 for those who may read the collection: nobody writes comments as features."""
    status = _list(caller, _collection_subject(subject))
    return 405 if status == 200 else status


def _collection_subject(subject: Map | Layer | Comment) -> Map | Layer:
    if not isinstance(subject, Comment):
        return subject
    found = subject.map or subject.layer
    assert found
    return found


def _collections() -> Iterator[Operation]:
    """Comments as collections of features."""
    subjects = (*MAPS, *LAYERS)
    for path in ("", "/items", "/schema", "/queryables", "/sortables"):
        yield Operation("GET", f"{_COLLECTION}{path}", _list, subjects)
        yield Operation("GET", f"{_COLLECTION}{path}?f=html", _list, subjects[::4])
    yield Operation("GET", f"{_COLLECTION}/items?resolved=false&f=csv", _list, subjects[::4])
    yield Operation("POST", f"{_COLLECTION}/search", _list, subjects, lambda _: {})
    yield Operation("OPTIONS", f"{_COLLECTION}/items", _options, subjects)
    yield Operation("POST", f"{_COLLECTION}/items", _write, subjects, lambda _: _FEATURE, GEOJSON)
    item = f"{_COLLECTION}/items/{{number}}"
    comments = (*COMMENTS, *REPLIES)
    yield Operation("GET", item, _read, comments)
    yield Operation("GET", f"{item}?f=html", _read, comments[::4])
    yield Operation("OPTIONS", item, _options, comments)
    for method in ("PUT", "PATCH"):
        yield Operation(method, item, _write, comments, lambda _: _FEATURE, GEOJSON)
    yield Operation("DELETE", item, _write, comments)


COMMENT_OPERATIONS = (*_operations(), *_collections())
