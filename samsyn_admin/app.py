"""The WSGI application: both sides, one guard, one way of telling errors."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import Engine
from werkzeug.middleware.proxy_fix import ProxyFix

from samsyn_admin import (
    api_definition,
    bulk_import,
    collaborators,
    comments,
    cors,
    health,
    layer_features,
    layer_indexes,
    layers,
    map_duplicates,
    map_layers,
    maps,
    start,
    tokens,
    users,
    webhooks,
)
from samsyn_model.principals import Authenticator
from samsyn_model.settings import Settings
from samsyn_provider import blueprint, compression, guard, problems, tile_blueprint
from samsyn_provider.deployment import Deployment
from samsyn_provider.kept_answers import KeptAnswers
from samsyn_provider.tile_cache import TileCache

MAX_BODY = 16 * 1024 * 1024


class _App(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the view as it is: none is a coroutine, which Flask would look for each time."""
        return func


def create_app(settings: Settings, engine: Engine) -> Flask:
    """Return the application over a migrated database; it makes no connection by itself."""
    app = _App(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    kept = KeptAnswers()
    app.extensions["samsyn"] = Deployment(
        settings, engine, Authenticator(settings), kept, TileCache(settings.redis_url, kept)
    )
    problems.install(app)
    compression.install(app)
    cors.install(app, settings)  # before the guard: a preflight carries no credentials
    guard.install(app)
    for module in (
        api_definition,
        blueprint,
        bulk_import,
        collaborators,
        comments,
        health,
        layer_features,
        layer_indexes,
        layers,
        map_duplicates,
        map_layers,
        maps,
        start,
        tile_blueprint,
        tokens,
        users,
        webhooks,
    ):
        app.register_blueprint(module.bp)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_port=hops, x_prefix=hops
        )
    return app
