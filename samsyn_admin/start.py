"""The start page at `/`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, render_template, request
from sqlalchemy import Select, func, select
from werkzeug.datastructures import MultiDict

from samsyn_admin.http.text_search import has_words
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading
from samsyn_model.errors import DatabaseSetupError, DatabaseUnavailableError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.maps import readable_maps
from samsyn_model.permissions.principal import ANONYMOUS, Principal
from samsyn_model.tables.maps import Map
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.listing import list_layers
from samsyn_provider.http.browser_session import browser_session
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import requires, spend_search
from samsyn_provider.http.links import Link, url_with
from samsyn_provider.http.representations import as_page, must_revalidate
from samsyn_provider.query.collections_query import CollectionsQuery, parse_collections_query
from samsyn_provider.styles.symbols import colour_code

bp = Blueprint("start", __name__, template_folder="templates")

_MAX_LAYERS = 12
_MAX_MAPS = 12
_MAX_TEXT = 500  # characters of a map's description
_PARAMETERS = frozenset({"q", "offset"})
_COLOURS = ("#005f8a", "#c2410c", "#15803d", "#7e22ce", "#b45309", "#be185d", "#0f766e", "#4338ca")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A layer in the legend."""

    id: UUID
    title: str
    feature_count: int
    colour: str


@bp.get("/")
@requires(Action.READ_PUBLIC)
def start() -> Response:
    """Render the start page: how to connect, and a map of a page of the caller's layers.

    `q` has words of which each is in a layer's or map's title or description, `offset` is the
    number of layers to skip; other parameters are ignored.
    """
    if request.args.get("q"):
        spend_search()
    arguments = MultiDict([(name, request.args[name]) for name in _PARAMETERS & set(request.args)])
    query = replace(parse_collections_query(arguments), limit=_MAX_LAYERS)
    collections: list[Collection] = []
    maps: list[Any] = []
    has_more = unavailable = False
    try:
        session = browser_session()
        caller = session.principal if session else ANONYMOUS
        with reading(deployment().engine) as connection:
            collections, has_more = list_layers(connection, caller, query)
            maps = [*run(connection, _select_maps(caller, query.words))]
    except (DatabaseUnavailableError, DatabaseSetupError):
        unavailable = True
    layers = [
        _Entry(
            collection.id,
            collection.title,
            collection.feature_count or 0,
            colour_code(collection.style_config) or _COLOURS[number % len(_COLOURS)],
        )
        for number, collection in enumerate(collections)
    ]
    page = render_template(
        "start.html",
        layers=layers,
        maps=maps,
        first=query.offset + 1,
        words=request.args.get("q", "").strip(),
        page_links=_page_links(query, has_more=has_more),
        unavailable=unavailable,
    )
    return must_revalidate(as_page(page))


def _select_maps(caller: Principal, words: Sequence[str]) -> Select[Any]:
    """Return the statement for the caller's last changed maps: `id`, `name`, `description`."""
    return (
        select(Map.id, Map.name, func.left(Map.description, _MAX_TEXT).label("description"))
        .where(readable_maps(caller), has_words(Map, " ".join(words)))
        .order_by(Map.updated_at.desc(), Map.id)
        .limit(_MAX_MAPS)
    )


def _page_links(query: CollectionsQuery, *, has_more: bool) -> list[Link]:
    """Return the links to the previous page of layers and the next one."""
    offsets = {"prev": max(0, query.offset - _MAX_LAYERS)} if query.offset else {}
    if has_more:
        offsets["next"] = query.offset + _MAX_LAYERS
    words = " ".join(query.words) or None
    return [
        {"rel": rel, "href": url_with(f"{public_url()}/", {"q": words, "offset": offset or None})}
        for rel, offset in offsets.items()
    ]
