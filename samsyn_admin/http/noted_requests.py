"""What the log and the metrics say of a request that the server itself does not know."""

from flask import Flask, g, request

from samsyn_model.permissions.principal import ANONYMOUS
from samsyn_model.settings import Settings

ROUTE = "samsyn.route"
"""The name in a request's environment of the template of its route."""
USER = "samsyn.user"
"""The same of the id of its user; nothing for an anonymous one."""
REQUEST_ID = "samsyn.request_id"


def install(app: Flask, settings: Settings) -> None:
    """Note it at the end of each request, where the settings ask for it."""
    if settings.metrics_port is not None or settings.names_requests:
        app.teardown_request(_note)


def _note(_: BaseException | None) -> None:
    environ = request.environ
    if request.url_rule is not None:
        environ[ROUTE] = request.url_rule.rule
    if (user_id := g.get("principal", ANONYMOUS).user_id) is not None:
        environ[USER] = str(user_id)
    if "request_id" in g:
        environ[REQUEST_ID] = g.request_id
