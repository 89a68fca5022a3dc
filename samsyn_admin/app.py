"""The WSGI application: both APIs behind one guard, with one format of errors."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask.typing import ResponseReturnValue
from sqlalchemy import Engine

from samsyn_admin import health, start
from samsyn_admin.activity import routes as activity
from samsyn_admin.audit import routes as audit_heads
from samsyn_admin.comments import routes as comments
from samsyn_admin.exports import routes as exports
from samsyn_admin.gfw import routes as gfw
from samsyn_admin.gfw.tiles import FishingTiles
from samsyn_admin.http import cors, hosts, noted_requests, proxies, security_headers
from samsyn_admin.imports import page as imports_page
from samsyn_admin.imports import routes as imports
from samsyn_admin.imports.process import IMPORT
from samsyn_admin.jobs import routes as jobs
from samsyn_admin.layers import bulk_import
from samsyn_admin.layers import features as layer_features
from samsyn_admin.layers import indexes as layer_indexes
from samsyn_admin.layers import routes as layers
from samsyn_admin.layers.deleted import routes as deleted_layers
from samsyn_admin.layers.history import routes as layer_history
from samsyn_admin.layers.rasters import routes as layer_rasters
from samsyn_admin.live import routes as live
from samsyn_admin.maps import collaborators
from samsyn_admin.maps import duplicates as map_duplicates
from samsyn_admin.maps import layers as map_layers
from samsyn_admin.maps import routes as maps
from samsyn_admin.openapi import routes as openapi_routes
from samsyn_admin.outgoing.kept_responses import KeptResponses
from samsyn_admin.outgoing.requests import Outgoing
from samsyn_admin.rasters import responses as rasters
from samsyn_admin.rasters import routes as raster_routes
from samsyn_admin.serving import reading_servers
from samsyn_admin.subscriptions import routes as subscriptions
from samsyn_admin.users import blocked_users, tokens, webhooks
from samsyn_admin.users import routes as users
from samsyn_admin.wms import routes as wms
from samsyn_admin.wms.capabilities import CapabilitiesOfServers
from samsyn_admin.wms.servers import routes as wms_servers
from samsyn_model.identity.authentication import Authenticator
from samsyn_model.replicas.reads import open_reads
from samsyn_model.settings import Settings
from samsyn_provider import blueprint, sign_in
from samsyn_provider.cache.count_cache import CountCache
from samsyn_provider.cache.response_cache import ResponseCache
from samsyn_provider.cache.tile_cache import TileCache
from samsyn_provider.http import body_stream, browser_session, compression, guard, problems
from samsyn_provider.http.deployment import Deployment
from samsyn_provider.http.query_string import PlusAwareRequest
from samsyn_provider.processes import process
from samsyn_provider.processes import routes as process_routes
from samsyn_provider.rates.credentials import CredentialLimit
from samsyn_provider.rates.rate_limits import RateLimits
from samsyn_provider.styles import routes as style_routes
from samsyn_provider.tiles import routes as tile_routes
from samsyn_provider.versions import routes as version_routes


class _App(Flask):
    request_class = PlusAwareRequest

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the view unchanged: no view is a coroutine, which Flask checks per request."""
        return func


class _ReplicaApp(_App):
    def dispatch_request(self) -> ResponseReturnValue:
        """Call the view; once more, on the primary, where the replica alone may be why it fails."""
        return reading_servers.respond(super().dispatch_request)


def create_app(settings: Settings, engine: Engine) -> Flask:
    """Return the application over a migrated database; it opens no connection."""
    app = (_ReplicaApp if settings.read_database_url else _App)(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_size
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    share_objects(app, settings, engine)
    noted_requests.install(app, settings)
    security_headers.install(app, settings)
    problems.install(app)
    hosts.install(app, settings)
    compression.install(app)
    cors.install(app, settings)  # before the guard: a preflight carries no credentials
    guard.install(app)
    reading_servers.install(app)  # behind the guard: who has written reads the primary
    browser_session.install(app)
    body_stream.install(app)  # behind the guard: who may not ask is not listened to
    for module in (
        activity,
        openapi_routes,
        audit_heads,
        blocked_users,
        blueprint,
        bulk_import,
        collaborators,
        comments,
        deleted_layers,
        gfw,
        exports,
        health,
        imports_page,
        jobs,
        imports,
        layer_features,
        layer_history,
        layer_indexes,
        layer_rasters,
        layers,
        live,
        map_duplicates,
        map_layers,
        maps,
        process_routes,
        raster_routes,
        sign_in,
        start,
        style_routes,
        subscriptions,
        tile_routes,
        tokens,
        users,
        version_routes,
        webhooks,
        wms,
        wms_servers,
    ):
        app.register_blueprint(module.bp)
    process.install(app, IMPORT)
    proxies.install(app, settings.trusted_proxies)
    return app


def share_objects(app: Flask, settings: Settings, engine: Engine) -> None:
    """Give the app the objects that its requests share, new ones: nothing is cached or counted."""
    response_cache, rate_limits = ResponseCache(), RateLimits(settings)
    app.extensions["samsyn"] = Deployment(
        settings,
        engine,
        Authenticator(settings),
        response_cache,
        CountCache(),
        TileCache(settings.redis_url, response_cache),
        rate_limits,
        CredentialLimit(rate_limits),
        open_reads(settings, engine),
    )
    kept, outgoing = KeptResponses(settings, engine), Outgoing(settings)
    app.extensions[gfw.EXTENSION] = FishingTiles(settings, engine, outgoing, kept)
    app.extensions[subscriptions.EXTENSION] = outgoing
    app.extensions[wms.EXTENSION] = CapabilitiesOfServers(outgoing, kept)
    rasters.install(app, settings, kept)
