"""Every rule of who may do what, against real rows: all kinds of maps, layers and principals.

The rules are written here once more, as sentences over plain values; each check is made for
every principal on every row, both as "may I?" and as "what may I list?".
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Literal

import pytest
from sqlalchemy import Connection, func, insert, select

from samsyn_model.errors import CredentialsError, NotFoundError, PermissionDeniedError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.layers import editable_layers, owned_layers, readable_layers
from samsyn_model.permissions.lookup import find_layer, find_map
from samsyn_model.permissions.maps import changeable_maps, owned_maps, readable_maps
from samsyn_model.permissions.principal import ANONYMOUS, Principal
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map, MapCollaborator, MapLayer
from samsyn_model.tables.users import User

Level = Literal["private", "collaborators", "public"]
LEVELS: tuple[Level, ...] = ("private", "collaborators", "public")

PEOPLE = ("creator", "owner", "editor", "viewer", "stranger", "admin")
IDS = {name: uuid.uuid5(uuid.NAMESPACE_URL, name) for name in PEOPLE}
ROLES = {"editor": "editor", "viewer": "viewer"}
"""Who collaborates on every map, and as what."""


@dataclass(frozen=True)
class AMap:
    """A map of `owner`, with the editor and the viewer as its collaborators."""

    owner: str
    view: Level
    edit: Level


@dataclass(frozen=True)
class ALayer:
    """A layer made by `creator`, on the maps named."""

    is_global: bool
    visibility: str
    editable: str
    maps: tuple[AMap, ...]


@dataclass(frozen=True)
class Who:
    """Somebody who asks; `person` is None when anonymous."""

    person: str | None
    scope: Literal["read", "write"] = "write"

    @property
    def principal(self) -> Principal:
        if self.person is None:
            return ANONYMOUS
        return Principal(IDS[self.person], is_admin=self.person == "admin", scope=self.scope)

    def __str__(self) -> str:
        return f"{self.person or 'anonymous'}-{self.scope}"


ALL = [Who(None), *(Who(person, scope) for person in PEOPLE for scope in ("write", "read"))]

MAPS = [
    AMap(owner, view, edit)
    for owner in ("owner", "creator")
    for view, edit in product(LEVELS, LEVELS)
]
HOLDING = [AMap(owner, view, "private") for owner in ("owner", "creator") for view in LEVELS]
LAYERS = [
    ALayer(is_global, visibility, editable, maps)
    for is_global, visibility, editable, maps in product(
        (False, True),
        ("private", "public"),
        ("creator-only", "everyone"),
        ((), *((held,) for held in HOLDING), (HOLDING[0], HOLDING[5]), (HOLDING[2], HOLDING[3])),
    )
]


def reads_map(who: Who, it: AMap) -> bool:
    """Its owner, its collaborators; anyone if public."""
    return it.view == "public" or who.person == it.owner or who.person in ROLES


def changes_map(who: Who, it: AMap) -> bool:
    """Owner; editors if `collaborators`; any signed-in user who may read it if `public`."""
    if who.person is None:
        return False
    if it.edit == "collaborators" and ROLES.get(who.person) == "editor":
        return True
    return who.person == it.owner or (it.edit == "public" and reads_map(who, it))


def owns_map(who: Who, it: AMap) -> bool:
    return who.person == it.owner


def reads_layer(who: Who, it: ALayer) -> bool:
    """Anyone if global or public; its creator; and through a map that holds it.

    That is the map's owner and collaborators, and whoever reads the map if its owner made the
    layer.
    """
    if it.is_global or it.visibility == "public" or who.person == "creator":
        return True
    for held in it.maps:
        if who.person == held.owner or who.person in ROLES:
            return True
        if held.owner == "creator" and reads_map(who, held):
            return True
    return False


def owns_layer(who: Who, it: ALayer) -> bool:
    """Its creator; administrators if global."""
    return who.person == "creator" or (who.person == "admin" and it.is_global)


def edits_layer(who: Who, it: ALayer) -> bool:
    """Whoever owns it; any signed-in user who may read it if `everyone`."""
    everyone = it.editable == "everyone" and who.person is not None and reads_layer(who, it)
    return owns_layer(who, it) or everyone


def outcome(who: Who, *, readable: bool, allowed: bool, writing: bool) -> type[Exception] | None:
    """Not readable: not found. Nobody writes anonymously, or with a token that only reads."""
    if not readable:
        return NotFoundError
    if writing and who.person is None:
        return CredentialsError
    if not allowed or (writing and who.scope == "read"):
        return PermissionDeniedError
    return None


@dataclass(frozen=True)
class World:
    connection: Connection
    maps: dict[uuid.UUID, AMap]
    layers: dict[uuid.UUID, ALayer]


def map_row(map_id: uuid.UUID, it: AMap) -> dict[str, object]:
    permissions = {"view_permission": it.view, "edit_permission": it.edit}
    return {"id": map_id, "name": "map", "created_by": IDS[it.owner]} | permissions


def layer_row(layer_id: uuid.UUID, it: ALayer) -> dict[str, object]:
    made = {"id": layer_id, "name": "layer", "source_type": "vector", "created_by": IDS["creator"]}
    seen = {"is_global": it.is_global, "visibility": it.visibility}
    return made | seen | {"editable": it.editable}


@pytest.fixture
def world(connection: Connection) -> World:
    connection.execute(
        insert(User), [{"id": i, "is_admin": name == "admin"} for name, i in IDS.items()]
    )
    maps = {uuid.uuid4(): it for it in MAPS}
    layers = {uuid.uuid4(): it for it in LAYERS}
    connection.execute(insert(Map), [map_row(i, it) for i, it in maps.items()])
    connection.execute(
        insert(MapCollaborator),
        [
            {"map_id": i, "user_id": IDS[person], "role": role}
            for i in maps
            for person, role in ROLES.items()
        ],
    )
    connection.execute(insert(Layer), [layer_row(i, it) for i, it in layers.items()])
    ids = {it: i for i, it in maps.items()}
    held = [(ids[on], i) for i, it in layers.items() for on in it.maps]
    connection.execute(
        insert(MapLayer),
        [{"map_id": m, "layer_id": i, "order": order} for order, (m, i) in enumerate(held)],
    )
    return World(connection, maps, layers)


def error_class_of(find: Callable[..., object], *arguments: object) -> type[Exception] | None:
    """The class of the error that a look-up raises."""
    try:
        find(*arguments)
    except (NotFoundError, CredentialsError, PermissionDeniedError) as error:
        return type(error)
    return None


@pytest.mark.parametrize("who", ALL, ids=str)
def test_may_i_do_this_with_the_map(world: World, who: Who) -> None:
    rules = {
        Action.READ_MAP: lambda who, it: True,
        Action.CHANGE_MAP: changes_map,
        Action.OWN_MAP: owns_map,
    }
    for (map_id, it), (action, rule) in product(world.maps.items(), rules.items()):
        expected = outcome(
            who,
            readable=reads_map(who, it),
            allowed=rule(who, it),
            writing=action is not Action.READ_MAP,
        )
        got = error_class_of(find_map, world.connection, who.principal, map_id, action)
        assert got is expected, (action, it)


@pytest.mark.parametrize("who", ALL, ids=str)
def test_may_i_do_this_with_the_layer(world: World, who: Who) -> None:
    rules = {
        Action.READ_LAYER: lambda who, it: True,
        Action.WRITE_FEATURES: edits_layer,
        Action.CHANGE_LAYER: edits_layer,
        Action.OWN_LAYER: owns_layer,
    }
    for (layer_id, it), (action, rule) in product(world.layers.items(), rules.items()):
        expected = outcome(
            who,
            readable=reads_layer(who, it),
            allowed=rule(who, it),
            writing=action is not Action.READ_LAYER,
        )
        got = error_class_of(find_layer, world.connection, who.principal, layer_id, action)
        assert got is expected, (action, it)


@pytest.mark.parametrize("who", ALL, ids=str)
def test_what_may_i_list(world: World, who: Who) -> None:
    p = who.principal
    for condition, rule in (
        (readable_maps(p), reads_map),
        (changeable_maps(p), changes_map),
        (owned_maps(p), owns_map),
    ):
        found = set(world.connection.scalars(select(Map.id).where(condition)))
        assert found == {i for i, it in world.maps.items() if rule(who, it)}, rule
    readable = readable_layers(p)
    for condition, listed in (
        (readable, reads_layer),
        (readable & editable_layers(p), edits_layer),
        (readable & owned_layers(p), owns_layer),
    ):
        found = set(world.connection.scalars(select(Layer.id).where(condition)))
        assert found == {i for i, it in world.layers.items() if listed(who, it)}, listed


@pytest.mark.parametrize("who", ALL, ids=str)
def test_the_rules_mean_the_same_inside_other_statements(world: World, who: Who) -> None:
    """Joined with maps or places on maps, a condition must not be narrowed to the joined rows."""
    p = who.principal
    expected = {i for i, it in world.layers.items() if it.maps and reads_layer(who, it)}
    joined = select(Layer.id).join(MapLayer, MapLayer.layer_id == Layer.id)
    assert set(world.connection.scalars(joined.where(readable_layers(p)))) == expected
    with_map = joined.join(Map, Map.id == MapLayer.map_id)
    assert set(world.connection.scalars(with_map.where(readable_layers(p)))) == expected
    both = with_map.where(readable_layers(p), readable_maps(p))
    assert set(world.connection.scalars(both)) == {
        i
        for i, it in world.layers.items()
        if reads_layer(who, it) and any(reads_map(who, held) for held in it.maps)
    }
    members = select(Map.id).join(MapCollaborator, MapCollaborator.map_id == Map.id)
    for condition, rule in ((readable_maps(p), reads_map), (changeable_maps(p), changes_map)):
        assert set(world.connection.scalars(members.where(condition))) == {
            i for i, it in world.maps.items() if rule(who, it)
        }
    counted = select(
        select(func.count()).where(readable_layers(p)).select_from(Layer).scalar_subquery()
    )
    assert world.connection.scalar(counted) == sum(
        reads_layer(who, it) for it in world.layers.values()
    )


@pytest.mark.parametrize("action", [Action.READ_LAYER, Action.OWN_LAYER])
def test_what_is_not_there_is_not_found(connection: Connection, action: Action) -> None:
    for p in (ANONYMOUS, Principal(uuid.uuid4(), is_admin=True)):
        with pytest.raises(NotFoundError):
            find_layer(connection, p, uuid.uuid4(), action)
