"""Which hosts requests may name: links are made from the name, and browsers are tricked by others.

Without a setting, requests to `PUBLIC_URL` name its host, the machine itself (`localhost`) or an
address, as proxies and probes do; a name of somebody else cannot be given to an address. Without
`PUBLIC_URL` every well-formed host is as good as another.
"""

import re
from functools import lru_cache
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, request

from samsyn_model.settings import Settings
from samsyn_provider.http.problems import json_problem

_HOST = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>\d{1,5}))?"
)
_HEALTH = "/api/health"
_MAX_PORT = 65535


def install(app: Flask, settings: Settings) -> None:
    """Respond with 400 to requests for another host."""
    allowed = _allowed_names(settings)

    @lru_cache(maxsize=256)
    def fault(host: str) -> str | None:
        match = _HOST.fullmatch(host)
        if match is None or int(match["port"] or 0) > _MAX_PORT:
            return "The header Host is malformed."
        name = match["name"].lower().rstrip(".")
        if allowed is None or name in allowed or (not settings.allowed_hosts and _is_local(name)):
            return None
        return f"This server is not {name}."

    def refuse() -> Response | None:
        host = request.environ.get("HTTP_HOST", "")
        detail = fault(host) if host else None  # HTTP/1.0 names none
        if detail is None or request.path.startswith(_HEALTH):
            return None
        return json_problem(HTTPStatus.BAD_REQUEST, detail)

    app.before_request(refuse)


def _allowed_names(settings: Settings) -> frozenset[str] | None:
    """Return the names that requests may use; None for all."""
    if settings.allowed_hosts:
        return frozenset(name.lower() for name in settings.allowed_hosts)
    if settings.public_url:
        return frozenset({urlsplit(settings.public_url).hostname or ""})
    return None


def _is_local(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
