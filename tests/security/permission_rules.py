"""The permission rules, written independently of the code under test."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Caller:
    """A caller: `user` is the name of a user of the world, None is anonymous."""

    name: str
    user: str | None = None
    scope: str = "write"
    is_admin: bool = False
    is_refused: bool = False
    """The credentials are not valid."""
    is_browser: bool = False
    """The credential is a cookie: `as_seen` says where it counts."""
    has_ended: bool = False
    """The session of the cookie is not valid any more."""
    signed_in_by: str | None = None
    """The name of the caller with whose API token the browser signed in, else Clerk's session."""


ANONYMOUS = Caller("anonymous")


def as_seen(caller: Caller, method: str, path: str) -> Caller:
    """Return who sends a request: with a cookie somebody who reads pages, elsewhere nobody."""
    if not caller.is_browser:
        return caller
    is_page = path == "/" or path.startswith("/ogc") or path.endswith("/events")
    counts = is_page and method in {"GET", "HEAD"} and not caller.has_ended
    return replace(caller, scope="read") if counts else ANONYMOUS


@dataclass(frozen=True)
class Map:
    name: str
    view: str
    edit: str
    owner: str = "owner"
    collaborators: Mapping[str, str] = field(default_factory=dict, hash=False)
    invited_by_email: frozenset[str] = frozenset()
    """The collaborators who were invited by the email that they have."""


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
    """A layer on a map, or one to be added."""

    map: Map
    layer: Layer


def is_on(caller: Caller, shared: Map) -> bool:
    """Return whether a caller owns a map or collaborates on it."""
    return caller.user is not None and (
        caller.user == shared.owner or caller.user in shared.collaborators
    )


def may_read_map(caller: Caller, shared: Map) -> bool:
    return is_on(caller, shared) or shared.view == "public"


def may_change_map(caller: Caller, shared: Map) -> bool:
    if caller.user is None or not may_read_map(caller, shared):
        return False
    if caller.user == shared.owner or shared.edit == "public":
        return True
    return shared.edit == "collaborators" and shared.collaborators.get(caller.user) == "editor"


def may_own_map(caller: Caller, shared: Map) -> bool:
    return caller.user == shared.owner


def may_remove_collaborator(caller: Caller, role: Collaboration) -> bool:
    return may_own_map(caller, role.map) or caller.user == role.user


def may_read_layer(caller: Caller, layer: Layer) -> bool:
    if layer.is_global or layer.visibility == "public" or caller.user == layer.creator:
        return True
    if layer.on_map is None:
        return False
    is_owners_layer = layer.on_map.owner == layer.creator
    return is_on(caller, layer.on_map) or (is_owners_layer and may_read_map(caller, layer.on_map))


def may_read_features(caller: Caller, layer: Layer) -> bool:
    """Return whether a caller may read features: only vector layers have them."""
    return layer.source_type == "vector" and may_read_layer(caller, layer)


def may_write_layer(caller: Caller, layer: Layer) -> bool:
    if caller.user is None or not may_read_layer(caller, layer):
        return False
    if caller.user == layer.creator or layer.editable == "everyone":
        return True
    return caller.is_admin and layer.is_global


def may_own_layer(caller: Caller, layer: Layer) -> bool:
    return caller.user is not None and (
        caller.user == layer.creator or (caller.is_admin and layer.is_global)
    )


def may_set_global(caller: Caller, layer: Layer) -> bool:
    """Return whether a caller is an administrator; a private layer only its creator publishes."""
    if not caller.is_admin or not may_read_layer(caller, layer):
        return False
    return layer.is_global or layer.visibility == "public" or caller.user == layer.creator


def may_add_layer(caller: Caller, placement: Placement) -> bool:
    """Return whether a caller may add a layer to a map, if both are readable."""
    is_open = placement.layer.is_global or placement.layer.visibility == "public"
    return may_change_map(caller, placement.map) and (
        is_open or caller.user == placement.layer.creator
    )


def may_read_placement(caller: Caller, placement: Placement) -> bool:
    """Return whether a caller may read a layer on a map: both must be readable."""
    return may_read_map(caller, placement.map) and may_read_layer(caller, placement.layer)


def may_comment(caller: Caller, subject: Map | Layer | Placement) -> bool:
    if caller.user is None:
        return False
    if isinstance(subject, Map):
        return may_read_map(caller, subject)
    if isinstance(subject, Layer):
        return may_read_layer(caller, subject)
    return may_read_placement(caller, subject)


def may_read_comment(caller: Caller, comment: Comment) -> bool:
    """Return whether a caller may read a comment: its map and layer must be readable."""
    on_map = comment.map is None or may_read_map(caller, comment.map)
    return on_map and (comment.layer is None or may_read_layer(caller, comment.layer))


def may_edit_comment(caller: Caller, comment: Comment) -> bool:
    return caller.user == comment.author


def may_delete_comment(caller: Caller, comment: Comment) -> bool:
    if caller.user is None:
        return False
    owns_map = comment.map is not None and may_own_map(caller, comment.map)
    is_layer_creator = comment.layer is not None and caller.user == comment.layer.creator
    return caller.user == comment.author or owns_map or is_layer_creator or caller.is_admin


def may_resolve_comment(caller: Caller, comment: Comment) -> bool:
    if caller.user == comment.author:
        return True
    if comment.map is not None:
        return may_change_map(caller, comment.map)
    return comment.layer is not None and caller.user == comment.layer.creator


def may_see_email(caller: Caller, user: str, maps: tuple[Map, ...]) -> bool:
    """Return whether a caller is a user, or owns or edits a map to which the user was invited by
    their email."""
    return caller.user == user or any(
        user in shared.invited_by_email
        and (caller.user == shared.owner or shared.collaborators.get(caller.user or "") == "editor")
        for shared in maps
    )


def may_see_clerk_id(caller: Caller, user: str) -> bool:
    return caller.user == user


def status_of_reading(caller: Caller, *, may_read: bool = True) -> int:
    """Return the status of a GET that anonymous callers may send."""
    if caller.is_refused:
        return 401
    return 200 if may_read else 404


def status_of_writing(caller: Caller, *, may_read: bool, may_act: bool, success: int = 200) -> int:
    """Return the status of a change: an unreadable object is 404 even without credentials."""
    if caller.is_refused:
        return 401
    if not may_read:
        return 404
    return status_for_user(caller, may_act=may_act, success=success)


def status_for_user(
    caller: Caller, *, may_read: bool = True, may_act: bool = True, success: int
) -> int:
    """Return the status of an unsafe request that needs a user."""
    if caller.is_refused or caller.user is None:
        return 401
    if caller.scope == "read":
        return 403
    if not may_read:
        return 404
    return success if may_act else 403


def status_of_private_reading(caller: Caller, *, may_read: bool = True) -> int:
    """Return the status of a GET that needs a user."""
    if caller.is_refused or caller.user is None:
        return 401
    return 200 if may_read else 404
