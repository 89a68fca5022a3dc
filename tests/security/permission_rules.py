"""Who may do what, said once more for the tests: nothing of the code under test is used here."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Who:
    """Somebody who asks: `user` names a person of the world, None is nobody."""

    name: str
    user: str | None = None
    scope: str = "write"
    is_admin: bool = False
    is_refused: bool = False
    """The credentials are not valid, whoever's they are."""


@dataclass(frozen=True)
class Map:
    name: str
    view: str
    edit: str
    owner: str = "owner"
    collaborators: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Layer:
    name: str
    creator: str
    visibility: str = "private"
    is_global: bool = False
    editable: str = "creator-only"
    source_type: str = "vector"
    on_map: Map | None = None


@dataclass(frozen=True)
class Comment:
    name: str
    author: str
    map: Map | None = None
    layer: Layer | None = None
    parent: "Comment | None" = None


@dataclass(frozen=True)
class Collaboration:
    map: Map
    user: str


@dataclass(frozen=True)
class Placement:
    """A layer on a map, or one that somebody would put there."""

    map: Map
    layer: Layer


def is_on(who: Who, shared: Map) -> bool:
    """Whether somebody owns a map or collaborates on it."""
    return who.user is not None and (who.user == shared.owner or who.user in shared.collaborators)


def may_read_map(who: Who, shared: Map) -> bool:
    return is_on(who, shared) or shared.view == "public"


def may_change_map(who: Who, shared: Map) -> bool:
    if who.user is None or not may_read_map(who, shared):
        return False
    if who.user == shared.owner or shared.edit == "public":
        return True
    return shared.edit == "collaborators" and shared.collaborators.get(who.user) == "editor"


def may_own_map(who: Who, shared: Map) -> bool:
    return who.user == shared.owner


def may_remove_collaborator(who: Who, role: Collaboration) -> bool:
    return may_own_map(who, role.map) or who.user == role.user


def may_read_layer(who: Who, layer: Layer) -> bool:
    if layer.is_global or layer.visibility == "public" or who.user == layer.creator:
        return True
    if layer.on_map is None:
        return False
    shown_by_its_creator = layer.on_map.owner == layer.creator
    return is_on(who, layer.on_map) or (shown_by_its_creator and may_read_map(who, layer.on_map))


def may_read_features(who: Who, layer: Layer) -> bool:
    """Only vector layers have features, and are collections."""
    return layer.source_type == "vector" and may_read_layer(who, layer)


def may_write_layer(who: Who, layer: Layer) -> bool:
    if who.user is None or not may_read_layer(who, layer):
        return False
    if who.user == layer.creator or layer.editable == "everyone":
        return True
    return who.is_admin and layer.is_global


def may_own_layer(who: Who, layer: Layer) -> bool:
    return who.user is not None and (
        who.user == layer.creator or (who.is_admin and layer.is_global)
    )


def may_set_global(who: Who, layer: Layer) -> bool:
    """Only administrators; but nobody except its creator makes a private layer public."""
    if not who.is_admin or not may_read_layer(who, layer):
        return False
    return layer.is_global or layer.visibility == "public" or who.user == layer.creator


def may_place_layer(who: Who, place: Placement) -> bool:
    """Whether somebody may put a layer on a map, being able to read both."""
    is_open = place.layer.is_global or place.layer.visibility == "public"
    return may_change_map(who, place.map) and (is_open or who.user == place.layer.creator)


def may_read_placement(who: Who, place: Placement) -> bool:
    """A map shows each reader just the layers that they may read."""
    return may_read_map(who, place.map) and may_read_layer(who, place.layer)


def may_comment(who: Who, subject: Map | Layer | Placement) -> bool:
    if who.user is None:
        return False
    if isinstance(subject, Map):
        return may_read_map(who, subject)
    if isinstance(subject, Layer):
        return may_read_layer(who, subject)
    return may_read_placement(who, subject)


def may_read_comment(who: Who, comment: Comment) -> bool:
    """One with a map is for the map's readers, whoever may read the layer."""
    on_map = comment.map is None or may_read_map(who, comment.map)
    return on_map and (comment.layer is None or may_read_layer(who, comment.layer))


def may_edit_comment(who: Who, comment: Comment) -> bool:
    return who.user == comment.author


def may_delete_comment(who: Who, comment: Comment) -> bool:
    if who.user is None:
        return False
    owns_map = comment.map is not None and may_own_map(who, comment.map)
    made_layer = comment.layer is not None and who.user == comment.layer.creator
    return who.user == comment.author or owns_map or made_layer or who.is_admin


def may_resolve_comment(who: Who, comment: Comment) -> bool:
    if who.user == comment.author:
        return True
    if comment.map is not None:
        return may_change_map(who, comment.map)
    return comment.layer is not None and who.user == comment.layer.creator


def share_a_map(who: Who, user: str, maps: tuple[Map, ...]) -> bool:
    """Whether somebody may know the email and clerk_id of a user."""
    other = Who(user, user)
    return who.user == user or any(is_on(who, shared) and is_on(other, shared) for shared in maps)


def status_of_reading(who: Who, *, may_read: bool = True) -> int:
    """The status of what anybody may ask for who may read it."""
    if who.is_refused:
        return 401
    return 200 if may_read else 404


def status_of_writing(who: Who, *, may_read: bool, may_act: bool, done: int = 200) -> int:
    """The status of changing a thing: whoever may not know of it is not even asked who they are."""
    if who.is_refused:
        return 401
    if not may_read:
        return 404
    return status_for_user(who, may_act=may_act, done=done)


def status_for_user(who: Who, *, may_read: bool = True, may_act: bool = True, done: int) -> int:
    """The status of an unsafe request that needs a user, whatever it is about."""
    if who.is_refused or who.user is None:
        return 401
    if who.scope == "read":
        return 403
    if not may_read:
        return 404
    return done if may_act else 403


def status_of_private_reading(who: Who, *, may_read: bool = True) -> int:
    """The status of a GET that needs a user."""
    if who.is_refused or who.user is None:
        return 401
    return 200 if may_read else 404
