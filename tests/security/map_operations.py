"""The permission matrix of maps, their collaborators and their layers."""

from collections.abc import Iterator
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Caller, Collaboration, Map, Placement
from tests.security.permission_world import (
    CLOSED_MAP,
    CREATOR,
    EDITOR,
    LAYERS,
    MAPS,
    NEWCOMER,
    OPEN_MAP,
    OUTSIDER,
    OWNER,
    PLACEMENTS,
    SHOWN_MAP,
    VIEWER,
    email_of,
    id_of,
)

_MAPS = "/api/v1/maps"
_MAP = f"{_MAPS}/{{map}}"

COLLABORATIONS = tuple(Collaboration(on, user) for on in MAPS for user in (VIEWER, EDITOR))
"""Two collaborators on each map, one per role."""
MISSING_COLLABORATIONS = tuple(Collaboration(on, NEWCOMER) for on in MAPS)
"""A user who is on none of the maps."""
POSSIBLE_PLACEMENTS = tuple(
    Placement(on, layer)
    for on in (CLOSED_MAP, SHOWN_MAP, OPEN_MAP)
    for layer in LAYERS
    if layer.editable == "creator-only" and layer.on_map != on
)
"""Layers to add to a map that does not have them yet."""


def _read(caller: Caller, shared: Map) -> int:
    return rules.status_of_reading(caller, may_read=rules.may_read_map(caller, shared))


def _change(caller: Caller, shared: Map) -> int:
    readable = rules.may_read_map(caller, shared)
    return rules.status_of_writing(
        caller, may_read=readable, may_act=rules.may_change_map(caller, shared)
    )


def _own(caller: Caller, shared: Map, success: int = 200) -> int:
    readable = rules.may_read_map(caller, shared)
    may = rules.may_own_map(caller, shared)
    return rules.status_of_writing(caller, may_read=readable, may_act=may, success=success)


def _own_to_create(caller: Caller, shared: Map) -> int:
    return _own(caller, shared, success=201)


def _own_to_delete(caller: Caller, shared: Map) -> int:
    return _own(caller, shared, success=204)


def _own_in_conflict(caller: Caller, shared: Map) -> int:
    """Return 409 to the owner: the request conflicts with the state of the map."""
    return _own(caller, shared, success=409)


def _own_in_vain(caller: Caller, shared: Map) -> int:
    """Return 404 to the owner: the request names nobody who can be invited."""
    return _own(caller, shared, success=404)


def _transfer(caller: Caller, shared: Map, new_owner: str) -> int:
    """Return 409 where the new owner is no collaborator, or has private layers that would become
    public."""
    has_private_layers = any(
        placement.map == shared
        and placement.layer.visibility == "private"
        and not placement.layer.is_global
        and placement.layer.creator == new_owner
        for placement in PLACEMENTS
    )
    would_publish = shared.view == "public" and has_private_layers
    is_refused = would_publish or new_owner not in shared.collaborators
    return _own(caller, shared, success=409 if is_refused else 200)


def _copy(caller: Caller, shared: Map) -> int:
    readable = rules.may_read_map(caller, shared)
    return rules.status_of_writing(
        caller, may_read=readable, may_act=rules.may_read_map(caller, shared), success=201
    )


def _follow(caller: Caller, shared: Map) -> int:
    """Return 503 for those who may: here nothing sends events."""
    status = _read(caller, shared)
    return 503 if status == 200 else status


def _export(caller: Caller, shared: Map) -> int:
    readable = rules.may_read_map(caller, shared)
    return rules.status_of_writing(caller, may_read=readable, may_act=readable, success=202)


def _read_export(caller: Caller, _: Map) -> int:
    """The status where there is no file yet."""
    return rules.status_of_private_reading(caller, may_read=False)


def _list(caller: Caller, _: Any) -> int:
    return rules.status_of_reading(caller)


def _create(caller: Caller, _: Any) -> int:
    return rules.status_for_user(caller, success=201)


def _read_role(caller: Caller, role: Collaboration) -> int:
    return _read(caller, role.map)


def _read_no_role(caller: Caller, role: Collaboration) -> int:
    return rules.status_of_reading(caller, may_read=False)


def _change_role(caller: Caller, role: Collaboration) -> int:
    return _own(caller, role.map)


def _change_no_role(caller: Caller, role: Collaboration) -> int:
    return _own(caller, role.map, success=404)


def _remove_role(caller: Caller, role: Collaboration) -> int:
    readable = rules.may_read_map(caller, role.map)
    may = rules.may_remove_collaborator(caller, role)
    return rules.status_of_writing(caller, may_read=readable, may_act=may, success=204)


def _read_placement(caller: Caller, placement: Placement) -> int:
    return rules.status_of_reading(caller, may_read=rules.may_read_placement(caller, placement))


def _change_placement(caller: Caller, placement: Placement, success: int = 200) -> int:
    """Return the map's status first: the layer is looked up only for permitted callers."""
    on_map = rules.status_of_writing(
        caller,
        may_read=rules.may_read_map(caller, placement.map),
        may_act=rules.may_change_map(caller, placement.map),
        success=success,
    )
    return (
        404 if on_map == success and not rules.may_read_layer(caller, placement.layer) else on_map
    )


def _remove_placement(caller: Caller, placement: Placement) -> int:
    return _change_placement(caller, placement, success=204)


def _add_layer(caller: Caller, placement: Placement) -> int:
    status = _change_placement(caller, placement, success=201)
    return 403 if status == 201 and not rules.may_add_layer(caller, placement) else status


def _add_layer_again(caller: Caller, placement: Placement) -> int:
    status = _add_layer(caller, placement)
    return 409 if status == 201 else status


def _reorder(caller: Caller, shared: Map) -> int:
    """Return 200 to callers who may read all listed layers, else 422."""
    status = _change(caller, shared)
    layers = [placement.layer for placement in PLACEMENTS if placement.map == shared]
    all_readable = all(rules.may_read_layer(caller, layer) for layer in layers)
    return status if status != 200 or all_readable else 422


def _reversed_order(shared: Map) -> dict[str, Any]:
    layers = [placement.layer for placement in PLACEMENTS if placement.map == shared]
    orders = [
        {"layer_id": str(id_of(layer)), "order": order}
        for order, layer in enumerate(reversed(layers))
    ]
    return {"layer_orders": orders}


def _other(permission: str) -> str:
    return "private" if permission == "public" else "public"


def _maps() -> Iterator[Operation]:
    yield Operation("GET", _MAPS, _list)
    yield Operation("GET", f"{_MAPS}?mine=true&q=sea", _list)
    yield Operation("POST", _MAPS, _create, body=lambda _: {"name": "New"})
    yield Operation("GET", _MAP, _read, MAPS)
    for method in ("PUT", "PATCH"):
        yield Operation(method, _MAP, _change, MAPS, lambda _: {"name": "Renamed"}, hint="name")
        yield Operation(
            method, _MAP, _own, MAPS, lambda x: {"view_permission": _other(x.view)}, hint="view"
        )
        yield Operation(
            method, _MAP, _own, MAPS, lambda x: {"edit_permission": _other(x.edit)}, hint="edit"
        )
    yield Operation("DELETE", _MAP, _own_to_delete, MAPS)
    yield Operation("POST", f"{_MAP}/duplicate", _copy, MAPS, lambda _: {})
    yield Operation("POST", f"{_MAP}/export", _export, MAPS)
    yield Operation("GET", f"{_MAP}/events", _follow, MAPS)
    yield Operation("POST", f"{_MAP}/events/ticket", _read, MAPS)
    yield Operation("GET", f"{_MAP}/export", _read_export, MAPS)
    for query in ("", "?grouped=false&limit=2", "?f=ndjson", "?f=csv&limit=5"):
        yield Operation("GET", f"{_MAP}/activity{query}", _read, MAPS)
    for new_owner in (NEWCOMER, VIEWER, CREATOR):
        yield Operation(
            "PUT",
            f"{_MAP}/owner",
            lambda caller, shared, new_owner=new_owner: _transfer(caller, shared, new_owner),
            MAPS,
            lambda _, new_owner=new_owner: {"user_id": str(id_of(new_owner))},
            hint=f"to {new_owner}",
        )


def _collaborators() -> Iterator[Operation]:
    path = f"{_MAP}/collaborators"
    yield Operation("GET", path, _read, MAPS)
    yield Operation(
        "POST", path, _own_to_create, MAPS, lambda _: {"email": email_of(NEWCOMER)}, hint="newcomer"
    )
    for person in ({"email": email_of(OUTSIDER)}, {"user_id": str(id_of(OUTSIDER))}):
        yield Operation(
            "POST", path, _own_in_vain, MAPS, lambda _, person=person: person,
            hint=f"who has blocked the owner, by {next(iter(person))}",
        )  # fmt: skip
    for user in (VIEWER, OWNER):
        yield Operation(
            "POST", path, _own_in_conflict, MAPS,
            lambda _, user=user: {"user_id": str(id_of(user))}, hint=user,
        )  # fmt: skip
    one = f"{path}/{{user}}"
    yield Operation("GET", one, _read_role, COLLABORATIONS)
    yield Operation("GET", one, _read_no_role, MISSING_COLLABORATIONS, hint="of a stranger")
    for method in ("PUT", "PATCH"):
        yield Operation(
            method,
            one,
            _change_role,
            COLLABORATIONS,
            lambda x: {"role": x.map.collaborators[x.user]},
        )
        yield Operation(
            method, one, _change_role, COLLABORATIONS,
            lambda x: {"role": "viewer" if x.user == EDITOR else "editor"}, hint="the other role",
        )  # fmt: skip
        yield Operation(
            method, one, _change_no_role, MISSING_COLLABORATIONS, lambda _: {"role": "editor"},
            hint="of a stranger",
        )  # fmt: skip
    yield Operation("DELETE", one, _remove_role, COLLABORATIONS)
    yield Operation("DELETE", one, _change_no_role, MISSING_COLLABORATIONS, hint="of a stranger")


def _map_layers() -> Iterator[Operation]:
    path = f"{_MAP}/layers"

    def naming(placement: Placement) -> dict[str, Any]:
        return {"layer_id": str(id_of(placement.layer))}

    yield Operation("GET", path, _read, MAPS)
    yield Operation("POST", path, _add_layer, POSSIBLE_PLACEMENTS, naming)
    yield Operation("POST", path, _add_layer_again, PLACEMENTS, naming, hint="again")
    one = f"{path}/{{layer}}"
    yield Operation("GET", one, _read_placement, PLACEMENTS)
    for method in ("PUT", "PATCH"):
        yield Operation(method, one, _change_placement, PLACEMENTS, lambda _: {"opacity": 40})
    yield Operation("DELETE", one, _remove_placement, PLACEMENTS)
    yield Operation("PUT", f"{path}/reorder", _reorder, MAPS, _reversed_order)


MAP_OPERATIONS = (*_maps(), *_collaborators(), *_map_layers())
