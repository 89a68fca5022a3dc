"""What a running server is made of, as the views reach it."""

from dataclasses import dataclass
from functools import lru_cache

from flask import current_app, request
from sqlalchemy import Engine

from samsyn_model.identity.authentication import Authenticator
from samsyn_model.settings import Settings
from samsyn_provider.cache.response_cache import ResponseCache
from samsyn_provider.cache.tile_cache import TileCache

_ROOT = ("wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME")


@dataclass(frozen=True, slots=True)
class Deployment:
    """The parts that one process shares among its requests.

    None holds data of theirs but answers, which are found by the tag of what they are made from.
    """

    settings: Settings
    engine: Engine
    authenticator: Authenticator
    response_cache: ResponseCache
    tile_cache: TileCache


def deployment() -> Deployment:
    """Return the deployment of the app that answers the present request."""
    found: Deployment = current_app.extensions["samsyn"]
    return found


def public_url() -> str:
    """Return the address that the client uses, without a trailing slash: links start with it."""
    settings, environ = deployment().settings, request.environ
    return settings.public_url or _root_url(*map(environ.get, _ROOT))


@lru_cache(maxsize=64)  # werkzeug takes a tenth of a fast request's time to put it together
def _root_url(*_: str | None) -> str:
    """Return the root that these values of the request's environment make."""
    return request.root_url.rstrip("/")
