"""A small world of people, maps, layers and comments.

Everything that somebody has said carries a word of its own, `word_of`, by which a leak is told.
"""

import hashlib
import time
import uuid
from collections.abc import Iterator
from itertools import product

from tests.clerk_instance import session_token
from tests.security.permission_rules import Comment, Layer, Map, Placement, Who

OWNER, VIEWER, EDITOR = "owner", "viewer", "editor"
CREATOR = "creator"
"""Makes layers, and is an editor on every map."""
OUTSIDER = "outsider"
"""Makes layers, and is on no map."""
STRANGER, ADMINISTRATOR, DELETED, NEWCOMER = "stranger", "administrator", "deleted", "newcomer"
USERS = (OWNER, VIEWER, EDITOR, CREATOR, OUTSIDER, STRANGER, ADMINISTRATOR, DELETED, NEWCOMER)

PRINCIPALS = (
    Who("anonymous"),
    Who("unknown token", is_refused=True),
    Who("expired session", OWNER, is_refused=True),
    Who("forged session", OWNER, is_refused=True),
    Who("revoked token", OWNER, is_refused=True),
    Who("expired token", OWNER, is_refused=True),
    Who("deleted user's session", DELETED, is_refused=True),
    Who("deleted user's token", DELETED, is_refused=True),
    Who("owner's reading token", OWNER, scope="read"),
    Who("owner", OWNER),
    Who("viewer", VIEWER),
    Who("editor", EDITOR),
    Who("creator", CREATOR),
    Who("outsider", OUTSIDER),
    Who("stranger", STRANGER),
    Who("administrator", ADMINISTRATOR, is_admin=True),
)

_ROLES = {VIEWER: "viewer", EDITOR: "editor", CREATOR: "editor"}
_PERMISSIONS = ("private", "collaborators", "public")
MAPS = tuple(
    Map(f"map view={view} edit={edit}", view, edit, OWNER, _ROLES)
    for view, edit in product(_PERMISSIONS, _PERMISSIONS)
)
_BY_PERMISSIONS = {(found.view, found.edit): found for found in MAPS}
CLOSED_MAP = _BY_PERMISSIONS["private", "collaborators"]
SHOWN_MAP = _BY_PERMISSIONS["public", "collaborators"]
OPEN_MAP = _BY_PERMISSIONS["public", "public"]


def _layers(editable: str, *makers: str) -> Iterator[Layer]:
    for maker in makers:
        yield Layer(f"{editable} private of {maker}", maker, editable=editable)
        for place, shared in (("closed", CLOSED_MAP), ("shown", SHOWN_MAP)):
            name = f"{editable} of {maker} on the {place} map"
            yield Layer(name, maker, editable=editable, on_map=shared)
    name = f"{editable} of creator on the open map"
    yield Layer(name, CREATOR, editable=editable, on_map=OPEN_MAP)
    yield Layer(f"{editable} public of outsider", OUTSIDER, "public", editable=editable)
    yield Layer(f"{editable} global of outsider", OUTSIDER, is_global=True, editable=editable)


LAYERS = (
    *_layers("creator-only", OWNER, CREATOR, OUTSIDER),
    *_layers("everyone", OWNER, CREATOR),
    Layer("creator-only public of owner", OWNER, "public"),
    Layer("creator-only global of administrator", ADMINISTRATOR, is_global=True),
    Layer("public WMS of outsider", OUTSIDER, "public", source_type="wms"),
    Layer("private WMS of outsider", OUTSIDER, source_type="wms"),
)
PLACEMENTS = tuple(Placement(layer.on_map, layer) for layer in LAYERS if layer.on_map)


def _comments() -> Iterator[Comment]:
    for shared in MAPS:
        yield Comment(f"viewer's on {shared.name}", VIEWER, shared)
    yield Comment("stranger's on the shown map", STRANGER, SHOWN_MAP)
    yield Comment("stranger's on the open map", STRANGER, OPEN_MAP)
    yield Comment("newcomer's, who has left the closed map", NEWCOMER, CLOSED_MAP)
    for layer in LAYERS:
        if layer.editable == "everyone" or layer.source_type == "wms":
            continue
        if layer.on_map is None:
            yield Comment(f"administrator's on {layer.name}", ADMINISTRATOR, layer=layer)
        else:
            yield Comment(f"editor's on {layer.name}", EDITOR, layer=layer)
            yield Comment(f"viewer's there on {layer.name}", VIEWER, layer.on_map, layer)


COMMENTS = tuple(_comments())
REPLIES = tuple(
    Comment(f"reply to {first.name}", OWNER, first.map, first.layer, first)
    for first in COMMENTS
    if first.map in {CLOSED_MAP, SHOWN_MAP} and first.author == VIEWER
)


def id_of(thing: object) -> uuid.UUID:
    """The id of a map, layer, comment, user (its name) or credential (`token of …`)."""
    name = thing if isinstance(thing, str) else f"{type(thing).__name__} {thing.name}"  # type: ignore[attr-defined]
    return uuid.uuid5(uuid.NAMESPACE_URL, name)


def word_of(thing: object) -> str:
    """A word that nothing else in the world has: q and 16 hexadecimal digits."""
    return "q" + hashlib.sha256(str(id_of(thing)).encode()).hexdigest()[:16]


def email_of(user: str) -> str:
    return f"{word_of(user)}@example.org"


def clerk_id_of(user: str) -> str:
    return f"user_{word_of(user)}"


def feature_of(layer: Layer) -> int:
    """The id of the layer's only feature, far beyond those that the database gives."""
    return int(word_of(layer)[1:12], 16)


def place_of(layer: Layer) -> tuple[float, float]:
    """Where the layer's only feature is: nothing else is within a degree of it."""
    number = LAYERS.index(layer)
    return 2.0 * (number % 20) - 20, 2.0 * (number // 20) + 50


def api_token_of(who: Who) -> str:
    return "samsyn_" + hashlib.sha256(who.name.encode()).hexdigest()[:43]


def headers_of(who: Who) -> dict[str, str]:
    """The credentials that somebody presents: sessions and tokens, good and bad."""
    if who.name == "anonymous":
        return {}
    token = api_token_of(who)
    now = int(time.time())
    if who.name in {"owner", "viewer", "administrator", "deleted user's session"}:
        token = session_token(sub=clerk_id_of(str(who.user)), exp=now + 3600)
    if who.name == "expired session":
        token = session_token(sub=clerk_id_of(OWNER), iat=now - 120, exp=now - 60, nbf=now - 120)
    if who.name == "forged session":
        token = session_token(kid="second", sub=clerk_id_of(OWNER), exp=now + 3600)
    return {"Authorization": f"Bearer {token}"}
