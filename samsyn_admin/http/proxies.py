"""`X-Forwarded-*` headers: what the trusted proxies in front say about the client and its address.

A proxy may pass on what the client sent: a malformed value has no effect.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

_Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

_WELL_FORMED = {
    "wsgi.url_scheme": re.compile(r"https?"),
    "SCRIPT_NAME": re.compile(r"(/[A-Za-z0-9._~-]{1,100}){0,10}/?"),
}


def install(app: Flask, proxies: int) -> None:
    """Trust as many proxies: of each header the value counts that the outermost of them added."""
    if proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            _well_formed(app.wsgi_app),
            x_for=proxies,
            x_proto=proxies,
            x_host=proxies,
            x_port=proxies,
            x_prefix=proxies,
        )


def _well_formed(application: _Application) -> _Application:
    """Return the application behind ProxyFix, without the malformed values that it took."""

    def checked(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        original = environ["werkzeug.proxy_fix.orig"]
        for name, pattern in _WELL_FORMED.items():
            if not pattern.fullmatch(environ.get(name, "")):
                environ[name] = original[name] or ""
        return application(environ, start_response)

    return checked
