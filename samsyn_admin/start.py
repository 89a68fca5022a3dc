"""The start page at `/`."""

from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, render_template

from samsyn_model.database.transactions import reading
from samsyn_model.errors import DatabaseSetupError, DatabaseUnavailableError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.principal import ANONYMOUS
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.listing import list_collections
from samsyn_provider.http.browser_session import browser_session
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import requires
from samsyn_provider.http.representations import as_page, must_revalidate
from samsyn_provider.query.collections_query import CollectionsQuery

bp = Blueprint("start", __name__, template_folder="templates")

_MAX_LAYERS = 12
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
    """Render the start page: how to connect, and a map of the newest layers of the caller."""
    collections: list[Collection] = []
    unavailable = False
    try:
        session = browser_session()
        caller = session.principal if session else ANONYMOUS
        with reading(deployment().engine) as connection:
            collections, _ = list_collections(
                connection, caller, CollectionsQuery(limit=_MAX_LAYERS)
            )
    except (DatabaseUnavailableError, DatabaseSetupError):
        unavailable = True
    layers = [
        _Entry(
            collection.id,
            collection.title,
            collection.feature_count or 0,
            collection.colour or _COLOURS[number % len(_COLOURS)],
        )
        for number, collection in enumerate(collections)
        if collection.feature_count
    ]
    page = render_template("start.html", layers=layers, unavailable=unavailable)
    return must_revalidate(as_page(page))
