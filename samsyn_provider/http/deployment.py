"""The objects that the requests of one process share."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from flask import current_app, request
from sqlalchemy import Engine

from samsyn_model.identity.authentication import Authenticator
from samsyn_model.replicas.reads import Reads
from samsyn_model.settings import Settings
from samsyn_provider.cache.count_cache import CountCache
from samsyn_provider.cache.response_cache import ResponseCache
from samsyn_provider.cache.tile_cache import TileCache
from samsyn_provider.rates.callers import address_key, is_loopback
from samsyn_provider.rates.credentials import CredentialLimit
from samsyn_provider.rates.rate_limits import RateLimits

_PORTS = {"http": 80, "https": 443}
_PUBLIC_URL = "samsyn.public_url"  # a WSGI variable: most documents have it in many links
_ROOT_VARIABLES = ("wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME")


@dataclass(frozen=True, slots=True)
class Deployment:
    """The objects that the requests of one process share.

    The caches and the limits alone have data of requests: responses and tiles by entity tag,
    numbers of matches; who has made how many requests lately.
    """

    settings: Settings
    engine: Engine
    authenticator: Authenticator
    response_cache: ResponseCache
    count_cache: CountCache
    tile_cache: TileCache
    rate_limits: RateLimits
    credential_limit: CredentialLimit
    reads: Reads | None = None
    """The replica that requests read on, if there is one."""


def deployment() -> Deployment:
    """Return the deployment of the app that serves the current request."""
    current: Deployment = current_app.extensions["samsyn"]
    return current


def shared_storage(*, is_public: bool) -> str:
    """Return who but browsers may store a response, for Cache-Control: shared caches for a moment
    what anybody may read, as that right may end, else none."""
    return f"public, s-maxage={deployment().settings.public_max_age}" if is_public else "private"


def public_url() -> str:
    """Return the base URL that the client uses, without a trailing slash: links start with it."""
    environ = request.environ
    url: str | None = environ.get(_PUBLIC_URL)
    if url is None:
        root = deployment().settings.public_url or _root_url(*map(environ.get, _ROOT_VARIABLES))
        url = environ[_PUBLIC_URL] = root
    return url


@lru_cache(maxsize=64)  # building it takes werkzeug a tenth of a fast request's time
def _root_url(*_: str | None) -> str:
    """Return the root URL of the request, cached by the WSGI variables that it depends on."""
    return request.root_url.rstrip("/")


def client_address() -> str | None:
    """Return what the requests of the client's address are counted by; None where it is not known.

    That is where a proxy on this machine passes the request on, which TRUSTED_PROXIES does not
    know of: all clients would be one.
    """
    address = request.remote_addr or ""
    if "HTTP_X_FORWARDED_FOR" in request.environ and is_loopback(address):
        return None if deployment().settings.trusted_proxies == 0 else address_key(address)
    return address_key(address)


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
