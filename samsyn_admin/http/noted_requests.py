"""What log, metrics and traces say of a request that the server itself does not know."""

from flask import Flask, g, request

from samsyn_model.metrics import tracing
from samsyn_model.permissions.principal import ANONYMOUS
from samsyn_model.settings import Settings

ROUTE = "samsyn.route"
"""The name in a request's environment of the template of its route."""
USER = "samsyn.user"
"""The same of the id of its user; nothing for an anonymous one."""
REQUEST_ID = "samsyn.request_id"
SPAN = "samsyn.span"
"""The same of its span, which the server ends with the response."""

_TRACE = ("traceparent", "tracestate")  # headers of W3C Trace Context


def install(app: Flask, settings: Settings) -> None:
    """Note it at the end of each request, where the settings ask for it."""
    if settings.tracing:
        is_behind_proxies = settings.trusted_proxies > 0
        app.before_request(lambda: _begin_span(is_behind_proxies=is_behind_proxies))
        app.teardown_request(_leave_span)
    if settings.metrics_port is not None or settings.names_requests:
        app.teardown_request(_note)


def _begin_span(*, is_behind_proxies: bool) -> None:
    route = request.url_rule.rule if request.url_rule is not None else None
    headers = {}
    if is_behind_proxies:  # a client could make itself part of the traces of others
        headers = {name: request.headers[name] for name in _TRACE if name in request.headers}
    span = tracing.begin_request(request.method, route, headers)
    if span is not None:
        request.environ[SPAN] = g.span = span


def _leave_span(_: BaseException | None) -> None:
    if "span" in g:
        g.span.leave()


def _note(_: BaseException | None) -> None:
    environ = request.environ
    if request.url_rule is not None:
        environ[ROUTE] = request.url_rule.rule
    if (user_id := g.get("principal", ANONYMOUS).user_id) is not None:
        environ[USER] = str(user_id)
    if "request_id" in g:
        environ[REQUEST_ID] = g.request_id
