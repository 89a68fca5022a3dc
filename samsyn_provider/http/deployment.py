"""The objects that the requests of one process share."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from flask import current_app, request
from sqlalchemy import Engine

from samsyn_model.identity.authentication import Authenticator
from samsyn_model.settings import Settings
from samsyn_provider.cache.count_cache import CountCache
from samsyn_provider.cache.response_cache import ResponseCache
from samsyn_provider.cache.tile_cache import TileCache

_PORTS = {"http": 80, "https": 443}
_ROOT_VARIABLES = ("wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME")


@dataclass(frozen=True, slots=True)
class Deployment:
    """The objects that the requests of one process share.

    The caches alone have data of requests: responses and tiles by entity tag, numbers of matches.
    """

    settings: Settings
    engine: Engine
    authenticator: Authenticator
    response_cache: ResponseCache
    count_cache: CountCache
    tile_cache: TileCache


def deployment() -> Deployment:
    """Return the deployment of the app that serves the current request."""
    current: Deployment = current_app.extensions["samsyn"]
    return current


def public_url() -> str:
    """Return the base URL that the client uses, without a trailing slash: links start with it."""
    settings, environ = deployment().settings, request.environ
    return settings.public_url or _root_url(*map(environ.get, _ROOT_VARIABLES))


@lru_cache(maxsize=64)  # building it takes werkzeug a tenth of a fast request's time
def _root_url(*_: str | None) -> str:
    """Return the root URL of the request, cached by the WSGI variables that it depends on."""
    return request.root_url.rstrip("/")


def public_origin() -> str | None:
    """Return the origin of the server's own pages, as browsers name it in the header `Origin`."""
    return url_origin(public_url())


@lru_cache(maxsize=64)
def url_origin(url: str) -> str | None:
    """Return the origin of a URL as browsers serialize it; None unless it is http(s)."""
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
        scheme = parts.scheme if host and parts.scheme in _PORTS else ""
    except ValueError:  # also what encoding raises
        scheme = ""
    if not scheme:
        return None
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" + ("" if port in {None, _PORTS[scheme]} else f":{port}")
