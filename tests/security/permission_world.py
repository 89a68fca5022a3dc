"""A small world of users, maps, layers and comments.

The texts of each object contain a unique word, `word_of`, by which a leak is detected.
"""

import hashlib
import time
import uuid
from collections.abc import Iterator
from itertools import product

from samsyn_provider.http.browser_session import COOKIE
from tests.clerk_instance import session_token
from tests.security.permission_rules import ANONYMOUS, Caller, Comment, Layer, Map, Placement

OWNER, VIEWER, EDITOR = "owner", "viewer", "editor"
CREATOR = "creator"
"""Creates layers, and is an editor on every map."""
OUTSIDER = "outsider"
"""Creates layers, and is on no map."""
STRANGER, ADMINISTRATOR, DELETED, NEWCOMER = "stranger", "administrator", "deleted", "newcomer"
USERS = (OWNER, VIEWER, EDITOR, CREATOR, OUTSIDER, STRANGER, ADMINISTRATOR, DELETED, NEWCOMER)

PRINCIPALS = (
    ANONYMOUS,
    Caller("unknown token", is_refused=True),
    Caller("expired session", OWNER, is_refused=True),
    Caller("forged session", OWNER, is_refused=True),
    Caller("revoked token", OWNER, is_refused=True),
    Caller("expired token", OWNER, is_refused=True),
    Caller("deleted user's session", DELETED, is_refused=True),
    Caller("deleted user's token", DELETED, is_refused=True),
    Caller("owner's reading token", OWNER, scope="read"),
    Caller("owner", OWNER),
    Caller("viewer", VIEWER),
    Caller("editor", EDITOR),
    Caller("creator", CREATOR),
    Caller("outsider", OUTSIDER),
    Caller("stranger", STRANGER),
    Caller("administrator", ADMINISTRATOR, is_admin=True),
)

BROWSERS = (
    Caller("viewer's browser", VIEWER, is_browser=True, signed_in_by="viewer"),
    Caller("creator's browser", CREATOR, is_browser=True),
    Caller("administrator's browser", ADMINISTRATOR, is_admin=True, is_browser=True),
    Caller("browser of an expired session", OWNER, is_browser=True, has_ended=True),
    *(
        Caller(f"browser of the {token}", user, is_browser=True, has_ended=True, signed_in_by=token)
        for token, user in (
            ("revoked token", OWNER),
            ("expired token", OWNER),
            ("deleted user's token", DELETED),
        )
    ),
)
"""Callers with the cookie of a session."""

_ROLES = {VIEWER: "viewer", EDITOR: "editor", CREATOR: "editor"}
_PERMISSIONS = ("private", "collaborators", "public")
MAPS = tuple(
    Map(f"map view={view} edit={edit}", view, edit, OWNER, _ROLES, frozenset({VIEWER}))
    for view, edit in product(_PERMISSIONS, _PERMISSIONS)
)
_BY_PERMISSIONS = {(shared.view, shared.edit): shared for shared in MAPS}
CLOSED_MAP = _BY_PERMISSIONS["private", "collaborators"]
SHOWN_MAP = _BY_PERMISSIONS["public", "collaborators"]
OPEN_MAP = _BY_PERMISSIONS["public", "public"]


def _layers(editable: str, *creators: str) -> Iterator[Layer]:
    for creator in creators:
        yield Layer(f"{editable} private of {creator}", creator, editable=editable)
        for label, shared in (("closed", CLOSED_MAP), ("shown", SHOWN_MAP)):
            name = f"{editable} of {creator} on the {label} map"
            yield Layer(name, creator, editable=editable, on_map=shared)
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
    Layer("public raster of outsider", OUTSIDER, "public", source_type="geotiff"),
    Layer("private raster of outsider", OUTSIDER, source_type="geotiff"),
    Layer("raster of creator on the closed map", CREATOR, source_type="geotiff", on_map=CLOSED_MAP),
    Layer("raster of creator on the shown map", CREATOR, source_type="geotiff", on_map=SHOWN_MAP),
)
PLACEMENTS = tuple(Placement(layer.on_map, layer) for layer in LAYERS if layer.on_map)


def _comments() -> Iterator[Comment]:
    for shared in MAPS:
        yield Comment(f"viewer's on {shared.name}", VIEWER, shared)
    yield Comment("stranger's on the shown map", STRANGER, SHOWN_MAP)
    yield Comment("stranger's on the open map", STRANGER, OPEN_MAP)
    yield Comment("newcomer's, who has left the closed map", NEWCOMER, CLOSED_MAP)
    for layer in LAYERS:
        if layer.editable == "everyone" or layer.source_type != "vector":
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


def number_of(comment: Comment) -> int:
    """Return the id of a comment as a feature, of one that there is not an id that no other has."""
    every = (*COMMENTS, *REPLIES)
    return 1 + every.index(comment) if comment in every else 10**9


MAP_SERVER = "web map server"
"""The server of the list, by its name."""
BLOCKS = ((OUTSIDER, OWNER), (VIEWER, STRANGER))
"""Users, and whom each of them has blocked from inviting them."""


def id_of(target: object) -> uuid.UUID:
    """Return the id of a map, layer, comment, user (its name) or credential (`token of …`)."""
    name = target if isinstance(target, str) else f"{type(target).__name__} {target.name}"  # type: ignore[attr-defined]
    return uuid.uuid5(uuid.NAMESPACE_URL, name)


def word_of(target: object) -> str:
    """Return the unique word of an object: q and 16 hexadecimal digits."""
    return "q" + hashlib.sha256(str(id_of(target)).encode()).hexdigest()[:16]


def email_of(user: str) -> str:
    return f"{word_of(f'email of {user}')}@example.org"


def former_email_of(user: str) -> str:
    return f"{word_of(f'former email of {user}')}@example.org"


def clerk_id_of(user: str) -> str:
    return f"user_{word_of(f'clerk id of {user}')}"


def invited_email_of(user: str) -> str | None:
    """Return the email that a collaborator was invited by: the creator has another one now, the
    editor was invited by id."""
    return {VIEWER: email_of(VIEWER).upper(), CREATOR: former_email_of(CREATOR)}.get(user)


def feature_of(layer: Layer) -> int:
    """Return the id of the layer's only feature, far above those of the database sequence."""
    return int(word_of(layer)[1:12], 16)


def position_of(layer: Layer) -> tuple[float, float]:
    """Return the position of the layer's only feature, over a degree away from all others."""
    number = LAYERS.index(layer)
    return 2.0 * (number % 20) - 20, 2.0 * (number // 20) + 50


def api_token_of(caller: Caller) -> str:
    return "samsyn_" + hashlib.sha256(caller.name.encode()).hexdigest()[:43]


def session_id_of(caller: Caller) -> str:
    return hashlib.sha256(f"session of {caller.name}".encode()).hexdigest()[:43]


def headers_of(caller: Caller) -> dict[str, str]:
    """Return the credentials of a caller: valid and invalid sessions and tokens."""
    if caller == ANONYMOUS:
        return {}
    if caller.is_browser:
        return {"Cookie": f"{COOKIE}={session_id_of(caller)}"}
    token = api_token_of(caller)
    now = int(time.time())
    if caller.name in {"owner", "viewer", "administrator"}:
        token = session_token(sub=clerk_id_of(str(caller.user)), exp=now + 3600)
    if caller.name == "deleted user's session":  # begun before the deletion, else a new account
        token = session_token(sub=clerk_id_of(DELETED), iat=now - 3600, exp=now + 3600)
    if caller.name == "expired session":
        token = session_token(sub=clerk_id_of(OWNER), iat=now - 120, exp=now - 60, nbf=now - 120)
    if caller.name == "forged session":
        token = session_token(kid="second", sub=clerk_id_of(OWNER), exp=now + 3600)
    return {"Authorization": f"Bearer {token}"}
