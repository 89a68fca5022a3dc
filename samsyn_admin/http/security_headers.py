"""Headers of every response that tell browsers and caches what not to do with it."""

from flask import Flask, Response, request

from samsyn_model.settings import Settings
from samsyn_provider.http.media_types import HTML

ALWAYS = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "same-origin"))
"""The headers that do not depend on the response."""
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of what is no page: a page has one of its own, which is that of what
it loads, too."""
_YEAR = 365 * 24 * 60 * 60  # seconds
_READING = {"GET", "HEAD"}


def install(app: Flask, settings: Settings) -> None:
    """Add the headers to the app's responses, whatever responds.

    Install it before all others that change responses: it has to see what they made.
    """
    fixed = [*ALWAYS]
    if (settings.public_url or "").startswith("https://"):
        fixed.append(("Strict-Transport-Security", f"max-age={_YEAR}"))

    def add(response: Response) -> Response:
        headers = response.headers
        headers.extend(fixed)
        if response.mimetype == HTML and "Content-Security-Policy" not in headers:
            headers["Content-Security-Policy"] = NO_PAGE
        _limit_caches(response)
        return response

    app.after_request(add)


def _limit_caches(response: Response) -> None:
    """Keep from shared caches what may depend on the caller, and all that says nothing of it."""
    storage = response.headers.get("Cache-Control")
    if storage is None:
        is_read = request.method in _READING and response.status_code < 400
        storage = response.headers["Cache-Control"] = "no-cache" if is_read else "no-store"
    if storage == "no-cache" and "Authorization" in request.headers:
        response.headers["Cache-Control"] = "private, no-cache"
