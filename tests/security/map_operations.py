"""The permission matrix of maps: themselves, their collaborators, the layers on them."""

from collections.abc import Iterator
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Collaboration, Map, Placement, Who
from tests.security.permission_world import (
    CLOSED_MAP,
    CREATOR,
    EDITOR,
    LAYERS,
    MAPS,
    NEWCOMER,
    OPEN_MAP,
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
"""Two on each map, who have the two roles."""
STRANGERS_ROLES = tuple(Collaboration(on, NEWCOMER) for on in MAPS)
"""Of somebody who is on none of the maps."""
UNPLACED = tuple(
    Placement(on, layer)
    for on in (CLOSED_MAP, SHOWN_MAP, OPEN_MAP)
    for layer in LAYERS
    if layer.editable == "creator-only" and layer.on_map != on
)
"""Layers that somebody would put on a map that does not have them yet."""


def _read(who: Who, shared: Map) -> int:
    return rules.status_of_reading(who, may_read=rules.may_read_map(who, shared))


def _change(who: Who, shared: Map) -> int:
    readable = rules.may_read_map(who, shared)
    return rules.status_of_writing(
        who, may_read=readable, may_act=rules.may_change_map(who, shared)
    )


def _own(who: Who, shared: Map, done: int = 200) -> int:
    readable = rules.may_read_map(who, shared)
    may = rules.may_own_map(who, shared)
    return rules.status_of_writing(who, may_read=readable, may_act=may, done=done)


def _own_to_make(who: Who, shared: Map) -> int:
    return _own(who, shared, done=201)


def _own_to_delete(who: Who, shared: Map) -> int:
    return _own(who, shared, done=204)


def _own_in_vain(who: Who, shared: Map) -> int:
    """What contradicts the present state, which only the owner is told."""
    return _own(who, shared, done=409)


def _give(who: Who, shared: Map, heir: str) -> int:
    """A public map that holds the heir's private layers would show them to everybody."""
    theirs = any(
        place.map == shared
        and place.layer.visibility == "private"
        and not place.layer.is_global
        and place.layer.creator == heir
        for place in PLACEMENTS
    )
    return _own(who, shared, done=409 if shared.view == "public" and theirs else 200)


def _copy(who: Who, shared: Map) -> int:
    readable = rules.may_read_map(who, shared)
    return rules.status_of_writing(
        who, may_read=readable, may_act=rules.may_read_map(who, shared), done=201
    )


def _list(who: Who, _: Any) -> int:
    return rules.status_of_reading(who)


def _make(who: Who, _: Any) -> int:
    return rules.status_for_user(who, done=201)


def _read_role(who: Who, role: Collaboration) -> int:
    return _read(who, role.map)


def _read_no_role(who: Who, role: Collaboration) -> int:
    return rules.status_of_reading(who, may_read=False)


def _change_role(who: Who, role: Collaboration) -> int:
    return _own(who, role.map)


def _change_no_role(who: Who, role: Collaboration) -> int:
    return _own(who, role.map, done=404)


def _remove_role(who: Who, role: Collaboration) -> int:
    readable = rules.may_read_map(who, role.map)
    may = rules.may_remove_collaborator(who, role)
    return rules.status_of_writing(who, may_read=readable, may_act=may, done=204)


def _read_placement(who: Who, place: Placement) -> int:
    return rules.status_of_reading(who, may_read=rules.may_read_placement(who, place))


def _change_placement(who: Who, place: Placement, done: int = 200) -> int:
    """Who may not change the map is told so before anything of the layer."""
    on_map = rules.status_of_writing(
        who,
        may_read=rules.may_read_map(who, place.map),
        may_act=rules.may_change_map(who, place.map),
        done=done,
    )
    return 404 if on_map == done and not rules.may_read_layer(who, place.layer) else on_map


def _remove_placement(who: Who, place: Placement) -> int:
    return _change_placement(who, place, done=204)


def _place(who: Who, place: Placement) -> int:
    status = _change_placement(who, place, done=201)
    return 403 if status == 201 and not rules.may_place_layer(who, place) else status


def _place_again(who: Who, place: Placement) -> int:
    status = _place(who, place)
    return 409 if status == 201 else status


def _reorder(who: Who, shared: Map) -> int:
    """200 for who sees all the layers that are named; else these are not the map's to them."""
    status = _change(who, shared)
    placed = [place.layer for place in PLACEMENTS if place.map == shared]
    seen = all(rules.may_read_layer(who, layer) for layer in placed)
    return status if status != 200 or seen else 422


def _whole_order(shared: Map) -> dict[str, Any]:
    placed = [place.layer for place in PLACEMENTS if place.map == shared]
    orders = [
        {"layer_id": str(id_of(layer)), "order": order}
        for order, layer in enumerate(reversed(placed))
    ]
    return {"layer_orders": orders}


def _other(permission: str) -> str:
    return "private" if permission == "public" else "public"


def _maps() -> Iterator[Operation]:
    yield Operation("GET", _MAPS, _list)
    yield Operation("GET", f"{_MAPS}?mine=true&q=sea", _list)
    yield Operation("POST", _MAPS, _make, body=lambda _: {"name": "New"})
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
    for heir in (NEWCOMER, VIEWER, CREATOR):
        yield Operation(
            "PUT",
            f"{_MAP}/owner",
            lambda who, shared, heir=heir: _give(who, shared, heir),
            MAPS,
            lambda _, heir=heir: {"user_id": str(id_of(heir))},
            hint=f"to {heir}",
        )


def _collaborators() -> Iterator[Operation]:
    path = f"{_MAP}/collaborators"
    yield Operation("GET", path, _read, MAPS)
    yield Operation(
        "POST", path, _own_to_make, MAPS, lambda _: {"email": email_of(NEWCOMER)}, hint="newcomer"
    )
    for user in (VIEWER, OWNER):
        yield Operation(
            "POST", path, _own_in_vain, MAPS, lambda _, user=user: {"user_id": str(id_of(user))},
            hint=user,
        )  # fmt: skip
    one = f"{path}/{{user}}"
    yield Operation("GET", one, _read_role, COLLABORATIONS)
    yield Operation("GET", one, _read_no_role, STRANGERS_ROLES, hint="of a stranger")
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
            method, one, _change_no_role, STRANGERS_ROLES, lambda _: {"role": "editor"},
            hint="of a stranger",
        )  # fmt: skip
    yield Operation("DELETE", one, _remove_role, COLLABORATIONS)
    yield Operation("DELETE", one, _change_no_role, STRANGERS_ROLES, hint="of a stranger")


def _map_layers() -> Iterator[Operation]:
    path = f"{_MAP}/layers"

    def naming(place: Placement) -> dict[str, Any]:
        return {"layer_id": str(id_of(place.layer))}

    yield Operation("GET", path, _read, MAPS)
    yield Operation("POST", path, _place, UNPLACED, naming)
    yield Operation("POST", path, _place_again, PLACEMENTS, naming, hint="again")
    one = f"{path}/{{layer}}"
    yield Operation("GET", one, _read_placement, PLACEMENTS)
    for method in ("PUT", "PATCH"):
        yield Operation(method, one, _change_placement, PLACEMENTS, lambda _: {"opacity": 40})
    yield Operation("DELETE", one, _remove_placement, PLACEMENTS)
    yield Operation("PUT", f"{path}/reorder", _reorder, MAPS, _whole_order)


MAP_OPERATIONS = (*_maps(), *_collaborators(), *_map_layers())
